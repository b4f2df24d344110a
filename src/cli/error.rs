//! Everything that can end the program, and the exit code of each.

use std::path::{Path, PathBuf};

use crate::classes::LabelClash;
use crate::config::ConfigError;
use crate::exit::Exit;
use crate::load;
use crate::source::SourceError;

/// An error for the person at the terminal: one line, causes below it.
#[derive(Debug, thiserror::Error)]
pub(crate) enum Error {
    /// Settings that cannot work.
    #[error(transparent)]
    Config(#[from] ConfigError),
    /// A load or a verification that did not end well.
    #[error(transparent)]
    Load(#[from] load::Error),
    /// A file or a stream that cannot be written.
    #[error("{}: cannot be written: {error}", path.display())]
    Output {
        /// The file, or the name of the stream.
        path: PathBuf,
        /// Why.
        error: std::io::Error,
    },
    /// `tune` left objects, or has nothing to recommend.
    #[error("{0}")]
    Tune(String),
    /// A file that could not be written at the end of the work.
    #[error("{}: cannot be written: {error}", path.display())]
    Unwritten {
        /// The file.
        path: PathBuf,
        /// Why.
        error: std::io::Error,
    },
    /// A system without a folder to download to.
    #[error("this system has no cache folder; name one with --dir")]
    NoCache,
    /// An emulator that cannot start.
    #[cfg(feature = "emulator")]
    #[error(transparent)]
    Emulator(#[from] idx2gcs_emulator::EmulatorError),
    /// An emulator is wanted of a build without one.
    #[error("this build has no emulator: build it with the feature `emulator`")]
    #[cfg(not(feature = "emulator"))]
    NoEmulator,
}

impl From<SourceError> for Error {
    fn from(error: SourceError) -> Self {
        Self::Load(error.into())
    }
}

impl From<LabelClash> for Error {
    fn from(clash: LabelClash) -> Self {
        Self::Load(clash.into())
    }
}

impl Error {
    pub(crate) fn output(path: &Path, error: std::io::Error) -> Self {
        Self::Output { path: path.to_owned(), error }
    }

    /// A defect of the program.
    pub(crate) fn internal(what: impl std::fmt::Display) -> Self {
        Self::Load(load::Error::Internal(what.to_string()))
    }

    /// The exit code.
    pub(crate) fn exit(&self) -> Exit {
        match self {
            Self::Config(_) | Self::Output { .. } => Exit::Usage,
            Self::Load(error) => error.exit(),
            Self::NoCache => Exit::Source,
            Self::Tune(_) | Self::Unwritten { .. } => Exit::Incomplete,
            #[cfg(feature = "emulator")]
            Self::Emulator(_) => Exit::Usage,
            #[cfg(not(feature = "emulator"))]
            Self::NoEmulator => Exit::Usage,
        }
    }
}
