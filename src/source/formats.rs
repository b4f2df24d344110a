//! The formats that data sets come in.

use std::path::Path;
use std::sync::Arc;

use super::error::SourceError;
use super::options::ReadOptions;
use super::place::Place;
use super::{Source, arrays, cifar};

/// Opens a place if it is of the format, which its names or first bytes tell; `None` if it is not.
type Open = fn(&Place, &ReadOptions) -> Result<Option<Arc<dyn Source>>, SourceError>;

/// All formats, in the order in which they are asked. Another one is a file beside this one, and a line
/// here. Arrays come last: they take what no other format takes, and say what is wrong with it.
const FORMATS: [Open; 2] = [cifar::open, arrays::open];

/// Opens a folder or a file of any format.
///
/// # Errors
/// A path of no format, and one that its format refuses.
pub(super) fn open(path: &Path, options: &ReadOptions) -> Result<Arc<dyn Source>, SourceError> {
    let place =
        Place::of(path).map_err(|e| SourceError::unfit(path, format!("cannot be read: {e}")))?;
    for open in FORMATS {
        if let Some(source) = open(&place, options)? {
            return Ok(source);
        }
    }
    Err(SourceError::unfit(path, "is of no format that is known"))
}
