//! Everything that can end a run early, and how the process leaves then.

use std::path::{Path, PathBuf};

use crate::classes::LabelClash;
use crate::config::ConfigError;
use crate::files::LockError;
use crate::sink::Fault;
use crate::source::SourceError;
use crate::split::SplitError;

/// How the process ends.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[repr(u8)]
pub enum Exit {
    /// All images stored and the manifests published.
    Complete = 0,
    /// Some images failed; a rerun finishes the rest.
    Incomplete = 1,
    /// Usage or configuration.
    Usage = 2,
    /// The source is bad.
    Source = 3,
    /// The destination refused: credentials, permission, no such bucket, conflict.
    Destination = 4,
    /// Interrupted by SIGINT, after draining.
    Interrupted = 130,
    /// Terminated by SIGTERM, after draining.
    Terminated = 143,
}

impl From<Exit> for std::process::ExitCode {
    fn from(exit: Exit) -> Self {
        Self::from(exit as u8)
    }
}

/// An error for the person at the terminal: one line, causes below it.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// Settings that cannot work.
    #[error(transparent)]
    Config(#[from] ConfigError),
    /// A split that cannot be drawn.
    #[error("{0}{hint}", hint = if matches!(.0, SplitError::TooFew { .. }) { "; --validation says how many" } else { "" })]
    Split(SplitError),
    /// Class names that cannot be told apart.
    #[error(transparent)]
    Labels(#[from] LabelClash),
    /// A local file or folder that cannot be written.
    #[error("{}: cannot be written: {error}", path.display())]
    Output {
        /// The file or folder.
        path: PathBuf,
        /// Why.
        error: std::io::Error,
    },
    /// An output folder that another process writes into, or that cannot be written.
    #[error(transparent)]
    Lock(#[from] LockError),
    /// A bad source.
    #[error(transparent)]
    Source(SourceError),
    /// Images that an import would refuse, or that contradict each other.
    #[error("{0}; nothing was written")]
    Findings(String),
    /// A destination that refuses.
    #[error("{url}: {fault}")]
    Destination {
        /// The destination.
        url: String,
        /// What it said.
        fault: Fault,
    },
    /// Objects that are there with other content.
    #[error("{url}: {message}")]
    Conflict {
        /// The destination.
        url: String,
        /// How many, and what to do.
        message: String,
    },
    /// Images or manifests that could not be stored.
    #[error("{0}")]
    Incomplete(String),
    /// An emulator that cannot start.
    #[cfg(feature = "emulator")]
    #[error(transparent)]
    Emulator(#[from] idx2gcs_emulator::EmulatorError),
    /// An emulator is wanted of a build without one.
    #[error("this build has no emulator: build it with the feature `emulator`")]
    NoEmulator,
}

impl From<SplitError> for Error {
    fn from(few: SplitError) -> Self {
        Self::Split(few)
    }
}

impl From<SourceError> for Error {
    fn from(error: SourceError) -> Self {
        match error {
            SourceError::Classes(clash) => Self::Labels(clash),
            error => Self::Source(error),
        }
    }
}

impl Error {
    /// A stop before anything was done.
    pub(crate) fn stopped_early() -> Self {
        Self::Incomplete("stopped before the work began".to_owned())
    }

    pub(crate) fn output(path: &Path, error: std::io::Error) -> Self {
        Self::Output { path: path.to_owned(), error }
    }

    /// Something that could not be written at the end of a run, which a rerun may finish.
    pub(crate) fn unwritten(path: &Path, error: &std::io::Error) -> Self {
        Self::Incomplete(format!(
            "{}: cannot be written: {error}; run the same command again to finish",
            path.display()
        ))
    }

    /// The exit code.
    pub fn exit(&self) -> Exit {
        match self {
            Self::Config(_)
            | Self::Split(_)
            | Self::Labels(_)
            | Self::Output { .. }
            | Self::Lock(_)
            | Self::NoEmulator => Exit::Usage,
            #[cfg(feature = "emulator")]
            Self::Emulator(_) => Exit::Usage,
            Self::Source(_) | Self::Findings(_) => Exit::Source,
            Self::Destination { .. } | Self::Conflict { .. } => Exit::Destination,
            Self::Incomplete(_) => Exit::Incomplete,
        }
    }
}
