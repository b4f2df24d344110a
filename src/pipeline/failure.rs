//! Why an image is not stored.

use serde::Serialize;

use crate::encode::EncodeError;
use crate::sink::{Fault, FaultKind};

/// Why an object is not stored, or is not stored as it should be.
#[derive(Debug, Clone, thiserror::Error)]
pub enum NotStored {
    /// An object with other content exists, or any object where none may.
    #[error("{0}")]
    Conflict(String),
    /// No object exists where one should.
    #[error("missing")]
    Missing,
    /// The image cannot be encoded.
    #[error(transparent)]
    Encoding(EncodeError),
    /// A worker panicked.
    #[error("the worker panicked; this is a defect of the program")]
    Panicked,
    /// The last attempt's fault.
    #[error(transparent)]
    Fault(#[from] Fault),
}

impl NotStored {
    pub(super) fn stopped() -> Self {
        Self::Fault(Fault::new(FaultKind::Stopped, "stopped before the first attempt"))
    }

    /// Whether the run was stopped before this object's first attempt.
    pub(super) fn is_stopped(&self) -> bool {
        matches!(self, Self::Fault(fault) if fault.kind == FaultKind::Stopped)
    }

    /// Whether it is a defect of this program, which a rerun does not mend.
    pub(super) fn is_defect(&self) -> bool {
        match self {
            Self::Panicked => true,
            Self::Fault(fault) => fault.kind == FaultKind::Internal,
            Self::Conflict(_) | Self::Missing | Self::Encoding(_) => false,
        }
    }
}

/// An image that is not stored: a line of `failures.jsonl`.
#[derive(Debug, Clone, Serialize)]
pub(crate) struct ImageFailure {
    /// The image's index.
    pub index: u32,
    /// The object's name below the prefix.
    pub object: String,
    /// Upload attempts made.
    pub attempts: u32,
    /// Why the last of them failed.
    #[serde(rename = "last_error", serialize_with = "as_text")]
    pub error: NotStored,
}

fn as_text<S: serde::Serializer>(error: &NotStored, to: S) -> Result<S::Ok, S::Error> {
    to.collect_str(error)
}

impl ImageFailure {
    /// The failure of an image whose task panicked: the run goes on, and reports it.
    pub(super) fn panicked(index: u32, object: String) -> Self {
        Self { index, object, attempts: 0, error: NotStored::Panicked }
    }

    /// The failure of an image that was in flight when the run could wait no longer.
    pub(super) fn abandoned(index: u32, object: String) -> Self {
        let fault = Fault::new(
            FaultKind::Timeout,
            "abandoned in flight when the run was stopped; it may be stored, a rerun finds out",
        );
        Self { index, object, attempts: 1, error: fault.into() }
    }
}
