//! The HTTP client, set up once for all that talks to the network.

use std::error::Error;
use std::time::Duration;

use reqwest::ClientBuilder;

/// A connection that is not there within this time is not there.
pub(crate) const CONNECT_TIMEOUT: Duration = Duration::from_secs(10);

/// The program's name in every request.
pub(crate) const USER_AGENT: &str = concat!("idx2gcs/", env!("CARGO_PKG_VERSION"));

/// A builder with what every client here has: rustls with ring, HTTP/1.1, a time-out for
/// connecting, and the program's name.
pub(crate) fn client() -> ClientBuilder {
    use_ring();
    reqwest::Client::builder()
        .http1_only()
        .tcp_nodelay(true)
        .user_agent(USER_AGENT)
        .connect_timeout(CONNECT_TIMEOUT)
}

/// Makes ring the process's cryptography, for this client and for Google's credentials library.
pub(crate) fn use_ring() {
    // Fails when a provider is installed already, which serves as well.
    let _ = rustls::crypto::ring::default_provider().install_default();
}

/// Whether an address is on this machine.
pub(crate) fn is_loopback(endpoint: &str) -> bool {
    reqwest::Url::parse(endpoint).ok().is_some_and(|url| {
        let host = url.host_str().unwrap_or_default();
        let bare = host.trim_start_matches('[').trim_end_matches(']');
        host == "localhost" || bare.parse::<std::net::IpAddr>().is_ok_and(|ip| ip.is_loopback())
    })
}

/// The innermost cause says most: "connection refused" rather than "error sending request".
pub(crate) fn deepest<'a>(error: &'a (dyn Error + 'static)) -> &'a (dyn Error + 'static) {
    let mut deepest = error;
    while let Some(cause) = deepest.source() {
        deepest = cause;
    }
    deepest
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn knows_this_machine() {
        for (url, here) in [
            ("http://127.0.0.1:4443", true),
            ("http://127.8.8.8", true),
            ("http://[::1]:4443", true),
            ("http://localhost:1", true),
            ("http://localhost.example.org", false),
            ("http://10.0.0.1", false),
            ("http://fake-gcs:4443", false),
        ] {
            assert_eq!(is_loopback(url), here, "{url}");
        }
    }
}
