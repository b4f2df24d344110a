//! The HTTP client, set up once for all that talks to the network.

use std::error::Error;
use std::time::Duration;

use reqwest::ClientBuilder;

/// A connection that is not there within this time is not there.
const CONNECT_TIMEOUT: Duration = Duration::from_secs(10);

/// A builder with what every client here has: rustls with ring, HTTP/1.1, a time-out for
/// connecting, and the program's name.
pub(crate) fn client() -> ClientBuilder {
    use_ring();
    reqwest::Client::builder()
        .http1_only()
        .tcp_nodelay(true)
        .user_agent(concat!("idx2gcs/", env!("CARGO_PKG_VERSION")))
        .connect_timeout(CONNECT_TIMEOUT)
}

/// Makes ring the process's cryptography, for this client and for Google's credentials library.
pub(crate) fn use_ring() {
    // Fails when a provider is installed already, which serves as well.
    let _ = rustls::crypto::ring::default_provider().install_default();
}

/// The innermost cause says most: "connection refused" rather than "error sending request".
pub(crate) fn deepest<'a>(error: &'a (dyn Error + 'static)) -> &'a (dyn Error + 'static) {
    let mut deepest = error;
    while let Some(cause) = deepest.source() {
        deepest = cause;
    }
    deepest
}
