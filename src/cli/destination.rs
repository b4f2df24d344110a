//! The destination that the settings name, and the emulator that serves it where it is embedded.

use std::any::Any;
use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use reqwest::Url;

use super::error::Error;
use crate::config::Settings;
use crate::load;
use crate::sink::folder::Folder;
use crate::sink::gcs::{Auth, GOOGLE, Gcs};
use crate::sink::zip::Zip;
use crate::sink::{Endpoint, Place, Purpose, Sink};

/// An open destination. What an embedded emulator holds in memory goes with it.
pub(super) struct Destination {
    /// The destination.
    pub(super) sink: Arc<dyn Sink>,
    _emulator: Option<Box<dyn Any + Send + Sync>>,
}

/// Opens the destination; it is not asked for anything yet.
///
/// # Errors
/// Credentials that cannot be used, an emulator that cannot start, or a folder to write that may be a slip
/// of the keyboard.
pub(super) async fn open(settings: &Settings, purpose: Purpose) -> Result<Destination, Error> {
    if let Place::Folder(path) | Place::Zip(path) = &settings.place
        && purpose.writes()
    {
        check_parent(path, &settings.url)?;
    }
    let (bucket, prefix) = match &settings.place {
        Place::Folder(path) => {
            let sink = Arc::new(Folder::new(&settings.url, path.clone()));
            return Ok(Destination { sink, _emulator: None });
        }
        Place::Zip(path) => {
            let sink = Arc::new(Zip::new(&settings.url, path.clone()));
            return Ok(Destination { sink, _emulator: None });
        }
        Place::Bucket { bucket, prefix } => (bucket, prefix),
    };
    let refused = |fault| load::Error::Refused { url: settings.url.clone(), fault };
    let (endpoint, auth, emulator) = match &settings.endpoint {
        Endpoint::Google => (GOOGLE.to_owned(), Auth::application_default(), None),
        Endpoint::Url(url) => {
            let auth =
                if is_googles(url) { Auth::application_default() } else { Ok(Auth::Anonymous) };
            (url.as_str().trim_end_matches('/').to_owned(), auth, None)
        }
        Endpoint::Embedded(root) => {
            let (url, emulator) = embedded(root.clone(), bucket).await?;
            (url, Ok(Auth::Anonymous), Some(emulator))
        }
    };
    let gcs = auth.and_then(|auth| Gcs::new(&endpoint, bucket, prefix, auth));
    let gcs = gcs.and_then(|gcs| match &settings.user_project {
        Some(project) => gcs.billed_to(project),
        None => Ok(gcs),
    });
    let gcs = gcs.map_err(refused)?;
    let gcs = if settings.names_are_files() { gcs.keeping_files() } else { gcs };
    Ok(Destination { sink: Arc::new(gcs), _emulator: emulator })
}

/// Folders are made below one that exists: `gs/bucket/x` is more often a slip than a wish. Who writes `./`
/// or `file://` means it.
fn check_parent(path: &Path, url: &str) -> Result<(), Error> {
    let meant =
        url.starts_with("file://") || path.iter().any(|part| part == ".") || url.contains("/./");
    match path.parent() {
        Some(parent) if !meant && !parent.as_os_str().is_empty() && !parent.exists() => {
            let hint =
                if path.is_relative() { format!(", or write ./{url}") } else { String::new() };
            let why = format!("there is no folder {}; create it{hint}", parent.display());
            Err(Error::output(path, io::Error::new(io::ErrorKind::NotFound, why)))
        }
        _ => Ok(()),
    }
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

/// Credentials are shown to Google's own hosts alone, and only under TLS.
fn is_googles(url: &Url) -> bool {
    let host = url.host_str().unwrap_or_default();
    url.scheme() == "https" && host.ends_with(".googleapis.com")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn folders_are_made_below_one_that_exists() {
        let dir = tempfile::tempdir().unwrap();
        let at = |path: &str| {
            let path = dir.path().join(path);
            check_parent(&path, path.to_str().unwrap()).map_err(|e| e.to_string())
        };
        assert_eq!(at("new"), Ok(()));
        assert_eq!(at("./new/deep"), Ok(()));
        assert!(at("gs/demo").unwrap_err().ends_with("gs; create it"));
        let relative = |url: &str| check_parent(Path::new(url), url).map_err(|e| e.to_string());
        assert_eq!(relative("new"), Ok(()));
        assert_eq!(relative("./gs/demo/x"), Ok(()));
        assert_eq!(
            relative("gs/demo/x").unwrap_err(),
            "gs/demo/x: cannot be written: there is no folder gs/demo; create it, or write ./gs/demo/x"
        );
        assert_eq!(check_parent(&dir.path().join("a/b"), "file:///a/b").ok(), Some(()));
    }

    #[test]
    fn only_google_sees_credentials() {
        for (url, google) in [
            ("https://storage.googleapis.com", true),
            ("HTTPS://STORAGE.GOOGLEAPIS.COM", true),
            ("https://storage.me-central2.rep.googleapis.com", true),
            ("http://storage.googleapis.com", false),
            ("https://storage.googleapis.com.example.org", false),
            ("https://evilgoogleapis.com", false),
            ("http://127.0.0.1:4443", false),
        ] {
            assert_eq!(is_googles(&url.parse().unwrap()), google, "{url}");
        }
    }
}
