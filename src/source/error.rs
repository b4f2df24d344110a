//! What can be wrong with a source.

use std::error::Error;
use std::io;
use std::path::{Path, PathBuf};

use super::arrays::header::ArrayError;
use crate::classes::LabelClash;
use crate::model::Partition;
use crate::text::thousands;

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
    /// A file that cannot be read.
    #[error("{}: cannot be read: {error}", path.display())]
    Unreadable {
        /// The file.
        path: PathBuf,
        /// Why.
        error: Box<dyn Error + Send + Sync>,
    },
    /// A file is sound but its content is not what is expected of it.
    #[error("{}: {}{problem}", path.display(), in_record(*record))]
    Unfit {
        /// The file.
        path: PathBuf,
        /// The number of the record concerned within the file, from 0.
        record: Option<u32>,
        /// What was expected and what it holds.
        problem: String,
    },
    /// A folder that does not exist, or is none.
    #[error(
        "{}: {}{}", path.display(), if *exists { "is not a folder" } else { "does not exist" },
        did_you_mean(nearest.as_deref())
    )]
    NoFolder {
        /// Its path.
        path: PathBuf,
        /// Whether something else has its name.
        exists: bool,
        /// The named data set that was probably meant.
        nearest: Option<String>,
    },
    /// A folder that lacks files of a data set.
    #[error("{}: not {}, it lacks {}", folder.display(), folder_of(dataset.as_deref()), files.join(", "))]
    Missing {
        /// The folder.
        folder: PathBuf,
        /// The named data set that it should hold, if it is one.
        dataset: Option<String>,
        /// The files that were not found, with each spelling that is accepted.
        files: Vec<String>,
    },
    /// A name that no data set has.
    #[error(
        "no data set is named {name:?}{}; there are {}", did_you_mean(nearest.as_deref()),
        known.join(", ")
    )]
    Unknown {
        /// The name.
        name: String,
        /// The one that was probably meant.
        nearest: Option<String>,
        /// The names of all data sets.
        known: Vec<String>,
    },
    /// A named data set that is nowhere on this machine, without a folder to download it to.
    #[error(
        "{dataset} is not on this machine, and there is no cache folder to download it to; name the \
         folder that holds it"
    )]
    NoCache {
        /// The data set.
        dataset: String,
    },
    /// Files with the names of a named data set's that hold another number of images.
    #[error(
        "{dataset} has {} {partition} images, but these files hold {}",
        thousands(*expected), thousands(*found)
    )]
    OtherDataSet {
        /// The named data set.
        dataset: String,
        /// The partition whose number of images differs.
        partition: Partition,
        /// Images of it in the named data set.
        expected: u64,
        /// Images of it in the files.
        found: u64,
    },
    /// A data set without images.
    #[error("the data set has no images")]
    Empty,
    /// A source that yields another number of images than its parts have.
    #[error("the source yields {} than its {images} images", if *more { "more" } else { "fewer" })]
    OtherCount {
        /// The images of its parts.
        images: u32,
        /// Whether it yields more, or fewer.
        more: bool,
    },
    /// A download failed.
    #[error("{}", not_fetched(file, dataset, tried))]
    NotFetched {
        /// The file.
        file: String,
        /// The data set that it belongs to.
        dataset: String,
        /// The addresses that were asked, and why each failed; none where none is known.
        tried: Vec<(String, String)>,
    },
    /// A wrong file that would be read before the one that is downloaded.
    #[error("{}: is in the way: {problem}; move it elsewhere", path.display())]
    InTheWay {
        /// The file.
        path: PathBuf,
        /// What is wrong with it.
        problem: String,
    },
    /// An HTTP client cannot be set up on this machine.
    #[error("the HTTP client cannot be set up: {0}")]
    Client(String),
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

    /// A file that cannot be read.
    pub(crate) fn unreadable(path: &Path, error: impl Into<Box<dyn Error + Send + Sync>>) -> Self {
        Self::Unreadable { path: path.to_owned(), error: error.into() }
    }

    /// A file whose content is not what is expected of it.
    pub(crate) fn unfit(path: &Path, problem: impl Into<String>) -> Self {
        Self::Unfit { path: path.to_owned(), record: None, problem: problem.into() }
    }

    /// The same for one record of the file.
    pub(super) fn unfit_record(path: &Path, record: u32, problem: impl Into<String>) -> Self {
        Self::Unfit { path: path.to_owned(), record: Some(record), problem: problem.into() }
    }
}

fn in_record(record: Option<u32>) -> String {
    record.map_or(String::new(), |record| format!("record {record} "))
}

fn did_you_mean(nearest: Option<&str>) -> String {
    nearest.map_or(String::new(), |name| format!("; did you mean the data set {name}?"))
}

fn folder_of(dataset: Option<&str>) -> String {
    dataset.map_or("a data set folder".to_owned(), |name| format!("the folder of {name}"))
}

fn not_fetched(file: &str, dataset: &str, tried: &[(String, String)]) -> String {
    if tried.is_empty() {
        return format!("no address is known for {file} of {dataset}; name one with --mirror");
    }
    let tried: Vec<_> = tried.iter().map(|(url, why)| format!("{url}: {why}")).collect();
    format!("no mirror has {file} of {dataset}: {}", tried.join("; "))
}
