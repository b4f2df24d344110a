//! Downloads a named data set and checks it against the catalogue.

mod archive;
mod check;
mod download;
mod mirrors;
mod present;
mod progress;

use std::path::Path;
use std::time::Duration;

use mirrors::{Fetch, OnProgress};
use present::sort_files;
use progress::cannot_write;

use super::catalogue::Entry;
use super::error::SourceError;
use crate::files::{FolderLock, LockError, lock_folder};
use crate::http;

pub(super) use self::check::{check_file, check_whole};
pub use self::progress::FetchProgress;

/// A mirror that sends nothing for so long is given up.
const STALL: Duration = Duration::from_secs(30);

/// After all mirrors failed, those whose fault may pass are asked again so often, after these times.
const WAITS: [Duration; 2] = [Duration::from_secs(1), Duration::from_secs(3)];

/// How often the lock of another process is looked at.
const LOCKED: Duration = Duration::from_millis(200);

/// Brings the files of `entry` into `folder`, from the first mirror that has them. A file that exists
/// and is right is left alone, one that was cut off is continued; a file gets its name only once it is
/// what the catalogue says. Of an archive of parts, only the members that are missing are unpacked, and
/// it is removed afterwards unless it was in the folder before. Of several processes that fetch into one
/// folder, one works and the others wait for it.
///
/// # Errors
/// Names each mirror that was asked and what it answered, or the file that cannot be written.
pub async fn fetch(
    entry: &Entry,
    mirrors: &[String],
    folder: &Path,
    progress: &OnProgress<'_>,
) -> Result<(), SourceError> {
    fetch_within(STALL, &WAITS, entry, mirrors, folder, progress).await
}

async fn fetch_within(
    stall: Duration,
    waits: &[Duration],
    entry: &Entry,
    mirrors: &[String],
    folder: &Path,
    progress: &OnProgress<'_>,
) -> Result<(), SourceError> {
    let client = http::client()
        .read_timeout(stall)
        .build()
        .map_err(|e| SourceError::Client(e.to_string()))?;
    let (present, missing) = sort_files(entry, folder).await?;
    if missing.is_empty() {
        report(&present, progress);
        return Ok(());
    }
    let _lock = lock(folder, progress).await?;
    // Another process may have brought them in the meantime.
    let (present, missing) = sort_files(entry, folder).await?;
    report(&present, progress);
    Fetch { client, waits, entry, mirrors, folder, progress }.bring(missing).await
}

fn report(present: &[String], progress: &OnProgress<'_>) {
    for name in present {
        progress(FetchProgress::File(name, None));
        progress(FetchProgress::Done(true));
    }
}

/// The lock on the folder, once no other process has it.
async fn lock(folder: &Path, progress: &OnProgress<'_>) -> Result<FolderLock, SourceError> {
    let mut known = String::new();
    loop {
        match lock_folder(folder) {
            Ok(lock) => return Ok(lock),
            Err(LockError::Unwritable { error, .. }) => return Err(cannot_write(folder, error)),
            Err(LockError::Held { holder, .. }) => {
                if holder != known {
                    progress(FetchProgress::Locked(&holder));
                    known = holder;
                }
                tokio::time::sleep(LOCKED).await;
            }
        }
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
        let error =
            fetch_within(stall, &[], entry, &[mirror], dir.path(), &|_| {}).await.unwrap_err();
        assert!(error.to_string().ends_with("takes too long"), "{error}");
        let none = fetch_within(stall, &[], entry, &[], dir.path(), &|_| {}).await.unwrap_err();
        let says =
            "no address is known for train-images-idx3-ubyte.gz of mnist; name one with --mirror";
        assert_eq!(none.to_string(), says);
        silent.abort();
    }
}
