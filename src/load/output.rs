//! The output folder of a run: what is written there, and what an earlier run left.

use std::fs;
use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use super::error::Error;
use super::verify::FINDINGS;
use crate::files::{self, FolderLock};
use crate::manifest::Manifest;
use crate::page;
use crate::report::Summary;

/// The files that a run leaves in the output folder, beside the manifests.
/// The file name of the summary in the output folder.
pub const SUMMARY: &str = "summary.json";
pub(super) const FAILURES: &str = "failures.jsonl";

/// A folder for the files of one run: summary, failures, page, manifests.
#[derive(Debug, Clone)]
pub struct Output {
    folder: PathBuf,
    /// Whether a page about the load is written.
    pub report: bool,
    /// Until the last clone is dropped no other run writes into the folder.
    _lock: Arc<FolderLock>,
}

impl Output {
    /// Makes and locks the folder, and proves that files can be written there before any work is done.
    ///
    /// # Errors
    /// When they cannot, or another process holds the lock.
    pub fn open(folder: impl Into<PathBuf>) -> Result<Self, Error> {
        let folder = folder.into();
        let lock = Arc::new(files::lock_folder(&folder)?);
        let output = Self { folder, report: true, _lock: lock };
        for name in [SUMMARY, FAILURES, FINDINGS, page::HTML, page::JSON] {
            output.check_name(name)?;
        }
        Ok(output)
    }

    /// The folder.
    pub fn folder(&self) -> &Path {
        &self.folder
    }

    /// Removes how an earlier run ended: whatever happens now, it is not that. Its page stays, as its
    /// manifests do, until the next run begins to write.
    ///
    /// # Errors
    /// When a file cannot be removed.
    pub fn forget_last_run(&self) -> Result<(), Error> {
        self.forget([SUMMARY, FAILURES])
    }

    /// Removes the page of an earlier run.
    pub(super) fn forget_page(&self) -> Result<(), Error> {
        self.forget([page::HTML, page::JSON])
    }

    fn forget(&self, names: [&str; 2]) -> Result<(), Error> {
        for name in names {
            let path = self.folder.join(name);
            match fs::remove_file(&path) {
                Err(e) if e.kind() != io::ErrorKind::NotFound => {
                    return Err(Error::output(&path, e));
                }
                _ => {}
            }
        }
        Ok(())
    }

    /// Checks that the manifests' local names are free, or files that can be replaced.
    pub(super) fn check_manifests(&self, manifests: &[Manifest]) -> Result<(), Error> {
        manifests.iter().try_for_each(|manifest| self.check_name(&manifest.local_name()))
    }

    fn check_name(&self, name: &str) -> Result<(), Error> {
        let path = self.folder.join(name);
        if path.is_dir() {
            return Err(Error::output(&path, io::ErrorKind::IsADirectory.into()));
        }
        Ok(())
    }

    /// Writes `summary.json`.
    ///
    /// # Errors
    /// When it cannot be written.
    pub fn write_summary(&self, summary: &Summary) -> Result<(), Error> {
        write_summary(&self.folder, summary)
    }
}

/// Writes the summary into a folder.
pub(super) fn write_summary(folder: &Path, summary: &Summary) -> Result<(), Error> {
    let path = folder.join(SUMMARY);
    summary.write(&path).map_err(|e| Error::unwritten(&path, e))
}
