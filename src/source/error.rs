//! What can be wrong with a source.

use std::io;
use std::path::{Path, PathBuf};

use super::arrays::header::ArrayError;
use crate::classes::LabelClash;

/// What is wrong with a source. Exit code 3.
#[derive(Debug, thiserror::Error)]
pub enum SourceError {
    /// One file is not what it should be.
    #[error("{}: {problem}", path.display())]
    File {
        /// The file.
        path: PathBuf,
        /// What is wrong with it.
        problem: ArrayError,
    },
    /// A file is sound but does not fit its place.
    #[error("{}: {problem}", path.display())]
    Unfit {
        /// The file.
        path: PathBuf,
        /// What was expected and what it holds.
        problem: String,
    },
    /// The files of a data set cannot be found.
    #[error("{0}")]
    NotFound(String),
    /// A download failed.
    #[error("{0}")]
    Fetch(String),
    /// A file of the cache that cannot be written.
    #[error("{}: cannot be written: {error}", path.display())]
    Local {
        /// The file or folder.
        path: PathBuf,
        /// Why.
        error: io::Error,
    },
    /// A defect of this program: a panic of its own code.
    #[error("{0}")]
    Defect(String),
    /// Class names that get the same label.
    #[error(transparent)]
    Classes(#[from] LabelClash),
}

impl SourceError {
    /// A task that panicked, with the name of what it did.
    pub(super) fn panicked(what: &str, panic: &dyn std::fmt::Display) -> Self {
        Self::Defect(format!("{what} panicked: {panic}"))
    }

    /// A file that is not what it should be.
    pub(super) fn file(path: &Path, problem: ArrayError) -> Self {
        Self::File { path: path.to_owned(), problem }
    }

    /// A file that does not fit its place.
    pub(crate) fn unfit(path: &Path, problem: impl Into<String>) -> Self {
        Self::Unfit { path: path.to_owned(), problem: problem.into() }
    }
}
