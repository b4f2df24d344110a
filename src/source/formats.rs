//! The formats that data sets come in.

use std::path::Path;
use std::sync::Arc;

use super::candidate::Candidate;
use super::error::SourceError;
#[cfg(feature = "parquet")]
use super::huggingface;
use super::options::ReadOptions;
use super::{Source, arrays, cifar};

/// Opens a folder or a file if it is of the format, which its names or first bytes tell; `None` if it is not.
type Open = fn(&Candidate, &ReadOptions) -> Result<Option<Arc<dyn Source>>, SourceError>;

/// The formats that can be recognised, unlike arrays, in the order in which they are asked. Another one is a file
/// beside this one, and a line here.
const FORMATS: &[Open] = &[
    #[cfg(feature = "parquet")]
    huggingface::open,
    cifar::open,
];

/// Opens a folder or a file of any format; what is of no other format is taken for arrays.
///
/// # Errors
/// A path that cannot be read, and one that its format refuses.
pub(super) fn open(path: &Path, options: &ReadOptions) -> Result<Arc<dyn Source>, SourceError> {
    match open_images(path, options)? {
        Some(source) => Ok(source),
        None => arrays::open(path, options),
    }
}

/// Opens a folder or a file of images; `None` for arrays, which may hold anything.
///
/// # Errors
/// A path that cannot be read, and one that its format refuses.
pub(super) fn open_images(
    path: &Path,
    options: &ReadOptions,
) -> Result<Option<Arc<dyn Source>>, SourceError> {
    let candidate = Candidate::of(path).map_err(|e| SourceError::unreadable(path, e))?;
    for open in FORMATS {
        if let Some(source) = open(&candidate, options)? {
            return Ok(Some(source));
        }
    }
    Ok(None)
}
