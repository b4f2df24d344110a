//! Which files of a named data set exist already.

use std::path::Path;

use super::check::{check_file, check_whole};
use crate::source::catalogue::{Entry, EntryFile, WholeFile};
use crate::source::error::SourceError;

/// Files that must be downloaded.
#[derive(Debug, Default)]
pub(super) struct Missing {
    /// Files of parts.
    pub(super) parts: Vec<Wanted>,
    /// Files that stand for themselves.
    pub(super) files: Vec<WholeFile>,
}

/// A file of a part that does not exist yet.
#[derive(Debug)]
pub(super) struct Wanted {
    pub(super) file: EntryFile,
    /// What it is called in the archive and on disk, with its suffix.
    pub(super) name: String,
    /// Records that it should hold, where known.
    pub(super) records: Option<u32>,
}

impl Missing {
    pub(super) fn is_empty(&self) -> bool {
        self.parts.is_empty() && self.files.is_empty()
    }
}

/// The names of the entry's files that are in the folder and right, and the files that are not.
///
/// # Errors
/// A wrong file that would be read before the right one.
pub(super) async fn sort_files(
    entry: &Entry,
    folder: &Path,
) -> Result<(Vec<String>, Missing), SourceError> {
    let (entry, folder) = (entry.clone(), folder.to_owned());
    // All of it is read.
    let sorted = tokio::task::spawn_blocking(move || {
        let (mut present, mut missing) = (Vec::new(), Missing::default());
        for (file, records) in entry.files() {
            if has(&folder, file, records, &entry.suffix)? {
                present.push(file.name.clone());
            } else {
                let name = format!("{}{}", file.name, entry.suffix);
                missing.parts.push(Wanted { file: file.clone(), name, records });
            }
        }
        for file in &entry.files {
            let path = folder.join(&file.name);
            if path.is_file() && check_whole(&path, file).is_ok() {
                present.push(file.name.clone());
            } else {
                missing.files.push(file.clone());
            }
        }
        Ok((present, missing))
    });
    sorted.await.unwrap_or_else(|panic| Err(SourceError::panicked("checking files", &panic)))
}

/// Whether the file is in the folder, plain or packed, and is right. A wrong plain file is an error,
/// because it would be read before a packed one.
fn has(
    folder: &Path,
    file: &EntryFile,
    records: Option<u32>,
    suffix: &str,
) -> Result<bool, SourceError> {
    let plain = folder.join(&file.name);
    if plain.is_file() && !suffix.is_empty() {
        // Sums of the packed file say nothing of an unpacked one.
        let unpacked = EntryFile { packed_sha256: None, packed_md5: None, ..file.clone() };
        return check_file(&plain, &unpacked, records)
            .map(|()| true)
            .map_err(|why| SourceError::InTheWay { path: plain, problem: why.into_text() });
    }
    let path = folder.join(format!("{}{suffix}", file.name));
    Ok(path.is_file() && check_file(&path, file, records).is_ok())
}
