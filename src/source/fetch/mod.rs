//! Downloads a named data set and checks it against the catalogue.

mod archive;
mod check;
mod download;
mod progress;

use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use archive::{Told, Wanted};
use check::SLACK;
use download::{Download, partial_of};
use progress::{FetchError, cannot_write};

use super::catalogue::{Archive, Entry, EntryFile};
use super::error::SourceError;
use crate::http;

pub use self::progress::FetchProgress;

/// Bytes of a file of which nothing is known.
const MOST: u64 = 1 << 36;

/// A mirror that sends nothing for so long is given up.
const STALL: Duration = Duration::from_secs(30);

/// Brings the files of `entry` into `folder`, from the first mirror that has them. A file that is
/// there and right is left alone, one that was cut off is continued; a file gets its name only once
/// it is what the catalogue says, and is a whole IDX file. Of an archive, only the members that are
/// missing are unpacked, and it is removed afterwards unless it lay in the folder before.
///
/// # Errors
/// Names each mirror that was asked and what it answered, or the file that cannot be written.
pub async fn fetch(
    entry: &Entry,
    mirrors: &[String],
    folder: &Path,
    progress: &(dyn Fn(FetchProgress<'_>) + Sync),
) -> Result<(), SourceError> {
    fetch_within(STALL, entry, mirrors, folder, progress).await
}

async fn fetch_within(
    stall: Duration,
    entry: &Entry,
    mirrors: &[String],
    folder: &Path,
    progress: &(dyn Fn(FetchProgress<'_>) + Sync),
) -> Result<(), SourceError> {
    let client = http::client()
        .read_timeout(stall)
        .build()
        .map_err(|e| SourceError::Fetch(format!("the HTTP client cannot be set up: {e}")))?;
    tokio::fs::create_dir_all(folder).await.map_err(|e| cannot_write(folder, e))?;
    let mut wanted = Vec::new();
    for (file, records) in entry.files() {
        if is_there(folder, file, records, &entry.suffix).await? {
            progress(FetchProgress::File(&file.name, None));
            progress(FetchProgress::Done(true));
        } else {
            let name = format!("{}{}", file.name, entry.suffix);
            wanted.push(Wanted { file: file.clone(), name, records });
        }
    }
    let fetch = Fetch { client, entry, mirrors, folder, progress };
    match &entry.archive {
        _ if wanted.is_empty() => Ok(()),
        Some(archive) => fetch.archive(archive, wanted).await,
        None => {
            for wanted in wanted {
                fetch.file(wanted).await?;
            }
            Ok(())
        }
    }
}

/// Whether the file lies in the folder, plain or packed, and is right. A wrong plain file is in the
/// way, because it would be read before a packed one.
async fn is_there(
    folder: &Path,
    file: &EntryFile,
    records: Option<u32>,
    suffix: &str,
) -> Result<bool, SourceError> {
    let (folder, file, suffix) = (folder.to_owned(), file.clone(), suffix.to_owned());
    let look = move || {
        let plain = folder.join(&file.name);
        if plain.is_file() && !suffix.is_empty() {
            // Sums of the packed file say nothing of an unpacked one.
            let unpacked = EntryFile { packed_sha256: None, packed_md5: None, ..file };
            return match check::check_file(&plain, &unpacked, records) {
                Ok(()) => Ok(true),
                Err(why) => Err(SourceError::Fetch(format!(
                    "{}: is in the way: {}; move it elsewhere",
                    plain.display(),
                    why.into_text()
                ))),
            };
        }
        let path = folder.join(format!("{}{suffix}", file.name));
        Ok(path.is_file() && check::check_file(&path, &file, records).is_ok())
    };
    match tokio::task::spawn_blocking(look).await {
        Ok(found) => found,
        Err(e) => Err(SourceError::Fetch(e.to_string())),
    }
}

/// What all downloads of an entry have in common.
struct Fetch<'a> {
    client: reqwest::Client,
    entry: &'a Entry,
    mirrors: &'a [String],
    folder: &'a Path,
    progress: &'a (dyn Fn(FetchProgress<'_>) + Sync),
}

impl Fetch<'_> {
    /// One file by itself.
    async fn file(&self, wanted: Wanted) -> Result<(), SourceError> {
        let path = self.folder.join(&wanted.name);
        let partial = partial_of(&path);
        let (file, records) = (wanted.file, wanted.records);
        let most = file.bytes.map_or(MOST, |bytes| bytes + SLACK);
        let verify: download::Verify =
            Arc::new(move |path: &Path| check::check_file(path, &file, records));
        let mut failed = Failed::new(self, &wanted.name);
        let mut urls = self.addresses(&wanted.name).peekable();
        while let Some(url) = urls.next() {
            let download = Download {
                client: &self.client,
                url: &url,
                name: &wanted.name,
                partial: &partial,
                whole: None,
                most,
                verify: Arc::clone(&verify),
                progress: self.progress,
            };
            match download.run().await {
                Ok(()) => {
                    let renamed = tokio::fs::rename(&partial, &path).await;
                    renamed.map_err(|e| cannot_write(&path, e))?;
                    (self.progress)(FetchProgress::Done(false));
                    return Ok(());
                }
                Err(e) => failed.add(&url, e, urls.peek().is_some())?,
            }
        }
        Err(failed.into_error())
    }

    /// An archive, and the wanted files from it.
    async fn archive(&self, archive: &Archive, wanted: Vec<Wanted>) -> Result<(), SourceError> {
        let wanted = Arc::new(wanted);
        let known = archive.clone();
        let verify: download::Verify =
            Arc::new(move |path: &Path| check::check_archive(path, &known));
        let mut failed = Failed::new(self, &archive.name);
        let own = self.folder.join(&archive.name);
        if own.is_file() {
            // It was put here by hand, and stays.
            let (verify, path) = (Arc::clone(&verify), own.clone());
            let right = tokio::task::spawn_blocking(move || verify(&path)).await;
            let extracted = match right {
                Ok(Ok(())) => self.extract(&own, archive, &wanted).await,
                Ok(Err(why)) => Err(FetchError::Mirror(why.into_text())),
                Err(e) => Err(FetchError::Mirror(e.to_string())),
            };
            match extracted {
                Ok(()) => return Ok(()),
                Err(e) => {
                    failed.add(&own.display().to_string(), e, !self.mirrors.is_empty())?;
                }
            }
        }
        let partial = partial_of(&own);
        let mut urls = self.addresses(&archive.name).peekable();
        while let Some(url) = urls.next() {
            let download = Download {
                client: &self.client,
                url: &url,
                name: &archive.name,
                partial: &partial,
                whole: archive.bytes,
                most: archive.bytes.unwrap_or(MOST),
                verify: Arc::clone(&verify),
                progress: self.progress,
            };
            let fetched = match download.run().await {
                Ok(()) => self.extract(&partial, archive, &wanted).await,
                Err(e) => {
                    failed.add(&url, e, urls.peek().is_some())?;
                    continue;
                }
            };
            // A full disk does not make the archive worthless.
            if !matches!(fetched, Err(FetchError::Local(_))) {
                download.discard().await;
            }
            match fetched {
                Ok(()) => return Ok(()),
                Err(e) => failed.add(&url, e, urls.peek().is_some())?,
            }
        }
        Err(failed.into_error())
    }

    async fn extract(
        &self,
        path: &Path,
        archive: &Archive,
        wanted: &Arc<Vec<Wanted>>,
    ) -> Result<(), FetchError> {
        let (path, archive, folder) = (path.to_owned(), archive.clone(), self.folder.to_owned());
        let wanted = Arc::clone(wanted);
        let (tell, mut told) = tokio::sync::mpsc::unbounded_channel();
        let task = tokio::task::spawn_blocking(move || {
            archive::extract(&path, &archive, &folder, &wanted, &|what| {
                // Nobody listens any more once the download has been given up.
                let _ = tell.send(what);
            })
        });
        while let Some(what) = told.recv().await {
            match what {
                Told::Member(name, size) => {
                    (self.progress)(FetchProgress::File(&name, Some(size)));
                }
                Told::Bytes(more) => (self.progress)(FetchProgress::Bytes(more)),
            }
        }
        task.await.unwrap_or_else(|e| Err(FetchError::Mirror(e.to_string())))?;
        (self.progress)(FetchProgress::Done(false));
        Ok(())
    }

    fn addresses(&self, name: &str) -> impl Iterator<Item = String> {
        self.mirrors.iter().map(move |mirror| format!("{}/{name}", mirror.trim_end_matches('/')))
    }
}

/// The addresses that were asked in vain.
struct Failed<'a> {
    fetch: &'a Fetch<'a>,
    what: &'a str,
    tried: Vec<String>,
}

impl<'a> Failed<'a> {
    fn new(fetch: &'a Fetch<'a>, what: &'a str) -> Self {
        Self { fetch, what, tried: Vec::new() }
    }

    /// Notes an address that failed, and tells it where another follows; what no mirror can mend
    /// ends everything.
    fn add(&mut self, url: &str, error: FetchError, more: bool) -> Result<(), SourceError> {
        let why = match error {
            FetchError::Local(error) => return Err(error),
            FetchError::Mirror(why) => why,
        };
        if more {
            (self.fetch.progress)(FetchProgress::Failed(url, &why));
        }
        self.tried.push(format!("{url}: {why}"));
        Ok(())
    }

    fn into_error(self) -> SourceError {
        let (what, name) = (self.what, &self.fetch.entry.name);
        SourceError::Fetch(if self.tried.is_empty() {
            format!("no address is known for {what} of {name}; name one with --mirror")
        } else {
            format!("no mirror has {what} of {name}: {}", self.tried.join("; "))
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::source::Catalogue;

    #[tokio::test]
    async fn a_silent_mirror_is_given_up() {
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
        let mirror = format!("http://{}", listener.local_addr().unwrap());
        let silent = tokio::spawn(async move {
            let mut connections = Vec::new();
            while let Ok((connection, _)) = listener.accept().await {
                connections.push(connection);
            }
        });
        let catalogue = Catalogue::builtin();
        let (entry, dir) = (catalogue.get("mnist").unwrap(), tempfile::tempdir().unwrap());
        let stall = Duration::from_millis(20);
        let error = fetch_within(stall, entry, &[mirror], dir.path(), &|_| {}).await.unwrap_err();
        assert!(error.to_string().ends_with("takes too long"), "{error}");
        let none = fetch_within(stall, entry, &[], dir.path(), &|_| {}).await.unwrap_err();
        let says =
            "no address is known for train-images-idx3-ubyte.gz of mnist; name one with --mirror";
        assert_eq!(none.to_string(), says);
        silent.abort();
    }
}
