//! The destination that the settings name, and the emulator that serves it where it is embedded.

use std::any::Any;
use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};

use tokio_util::sync::CancellationToken;

use crate::check::{self, Finding};
use crate::config::Settings;
use crate::error::Error;
use crate::retry::policy::{Decision, decide};
use crate::retry::{Chance, Limits, Retry};
use crate::sink::folder::Folder;
use crate::sink::gcs::{Auth, GOOGLE, Gcs};
use crate::sink::zip::Zip;
use crate::sink::{Endpoint, Fault, FaultKind, Http, Place, Purpose, Sink};

/// Before the work begins a destination that cannot be reached is given up after so many attempts.
const CHECK_ATTEMPTS: u32 = 4;

/// An open destination. What an embedded emulator holds in memory goes with it.
pub struct Destination {
    /// The destination.
    pub sink: Arc<dyn Sink>,
    _emulator: Option<Box<dyn Any + Send + Sync>>,
}

/// Opens the destination; it is not asked for anything yet.
///
/// # Errors
/// Credentials that cannot be used, or an emulator that cannot start.
pub async fn open(settings: &Settings) -> Result<Destination, Error> {
    let (bucket, prefix) = match &settings.place {
        Place::Folder(path) => {
            let sink = Arc::new(Folder::new(&settings.url, path.clone()));
            return Ok(Destination { sink, _emulator: None });
        }
        Place::Zip(path) => {
            let sink = Arc::new(Zip::new(&settings.url, path.clone(), settings.if_exists));
            return Ok(Destination { sink, _emulator: None });
        }
        Place::Bucket { bucket, prefix } => (bucket, prefix),
    };
    let refused = |fault| Error::Destination { url: settings.url.clone(), fault };
    let (endpoint, auth, emulator) = match &settings.endpoint {
        Endpoint::Google => (GOOGLE.to_owned(), Auth::application_default(), None),
        Endpoint::Url(url) if is_googles(url) => (url.clone(), Auth::application_default(), None),
        Endpoint::Url(url) => (url.clone(), Ok(Auth::Anonymous), None),
        Endpoint::Embedded(root) => {
            let (url, emulator) = embedded(root.clone(), bucket).await?;
            (url, Ok(Auth::Anonymous), Some(emulator))
        }
    };
    let gcs = auth.and_then(|auth| Gcs::new(&endpoint, bucket, prefix, auth));
    let gcs = gcs.and_then(|gcs| match settings.http {
        Http::One => Ok(gcs),
        Http::Two => gcs.with_http2(settings.connections),
    });
    let gcs = gcs.map_err(refused)?;
    Ok(Destination { sink: Arc::new(gcs), _emulator: emulator })
}

/// An emulator with one bucket: its address, and what stops it when dropped.
#[cfg(feature = "emulator")]
async fn embedded(
    root: Option<PathBuf>,
    bucket: &str,
) -> Result<(String, Box<dyn Any + Send + Sync>), Error> {
    use idx2gcs_emulator::{Emulator, Options};
    let options = Options { root, buckets: vec![bucket.to_owned()], ..Options::default() };
    let emulator = Emulator::start(options).await?;
    Ok((emulator.url(), Box::new(emulator)))
}

#[cfg(not(feature = "emulator"))]
#[expect(clippy::unused_async, reason = "as the one with the emulator")]
async fn embedded(
    _: Option<PathBuf>,
    _: &str,
) -> Result<(String, Box<dyn Any + Send + Sync>), Error> {
    Err(Error::NoEmulator)
}

/// Asks the destination whether it is there and may be used so.
///
/// # Errors
/// When it refuses, or does not work. A service that answers is waited for as in an outage, one that
/// is not there only for a moment. A stop ends it at once.
pub async fn reach(
    settings: &Settings,
    sink: &dyn Sink,
    purpose: Purpose,
    stop: &CancellationToken,
) -> Result<(), Error> {
    let max_elapsed = settings.retry.max_elapsed.min(settings.retry.max_outage);
    let limits = Limits { max_elapsed, ..settings.retry };
    let retry = Retry::new(limits, Chance::default(), stop.clone());
    let unreachable = AtomicU32::new(0);
    let attempt = || async {
        let checked = sink.check(purpose).await;
        checked.map_err(|mut fault| {
            if fault.kind == FaultKind::Connect
                && unreachable.fetch_add(1, Ordering::Relaxed) + 1 >= CHECK_ATTEMPTS
            {
                fault.kind = FaultKind::Unreachable;
            }
            fault
        })
    };
    let on_retry = |fault: &Fault| tracing::debug!(%fault, cause = %fault.kind, "trying again");
    tokio::select! {
        reached = retry.run(on_retry, attempt) => {
            reached.result.map_err(|fault| before_the_work(settings, fault))
        }
        () = stop.cancelled() => Err(Error::stopped_early()),
    }
}

/// What is worth knowing of a bucket of Google's; emulators have no place. What cannot be read is no
/// finding.
pub async fn about(settings: &Settings, destination: &Destination) -> Vec<Finding> {
    if settings.endpoint != Endpoint::Google {
        return Vec::new();
    }
    match destination.sink.about().await {
        Ok(about) => check::of_bucket(&about),
        Err(fault) => {
            tracing::debug!(%fault, "the bucket tells nothing of itself");
            Vec::new()
        }
    }
}

/// A fault that is met before anything is written.
pub(super) fn before_the_work(settings: &Settings, fault: Fault) -> Error {
    match decide(fault.kind) {
        // It is there and may be used, but it does not work.
        Decision::Retry => Error::Incomplete(format!(
            "{} does not work: {fault}; nothing was written, run the same command again when it does",
            settings.url
        )),
        _ => Error::Destination { url: settings.url.clone(), fault },
    }
}

/// Credentials are shown to Google's own hosts alone, and only under TLS.
fn is_googles(url: &str) -> bool {
    reqwest::Url::parse(url).ok().is_some_and(|url| {
        url.scheme() == "https"
            && url.host_str().is_some_and(|host| host.ends_with(".googleapis.com"))
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_google_sees_credentials() {
        for (url, google) in [
            ("https://storage.googleapis.com", true),
            ("https://storage.me-central2.rep.googleapis.com", true),
            ("http://storage.googleapis.com", false),
            ("https://storage.googleapis.com.example.org", false),
            ("https://evilgoogleapis.com", false),
            ("http://127.0.0.1:4443", false),
        ] {
            assert_eq!(is_googles(url), google, "{url}");
        }
    }
}
