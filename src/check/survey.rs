//! One pass over all images before the first is written: packed files are proved whole, and what
//! checks, names and splits need of the pixels is noted.

use crate::model::{Image, Selection};
use crate::source::{DataSet, SourceError};

/// What was seen of the pixels.
#[derive(Debug, Clone, Default)]
pub(crate) struct Survey {
    /// A hash of each image's pixels or file, by position in the selection: eight bytes an image.
    pub hashes: Vec<u64>,
    /// Indices of images all of whose pixels are the same; image files are not decoded to see that.
    pub flat: Vec<u32>,
    /// The smallest and the largest value of all pixels; `None` where there are only image files.
    pub values: Option<(u8, u8)>,
}

impl Survey {
    /// Keeps what concerns a selection, of a survey of all images or the first of them.
    pub(crate) fn keep(&mut self, selection: &Selection) {
        selection.keep(&mut self.hashes);
        self.flat.retain(|index| selection.position(*index).is_some());
    }
}

/// Reads all images of a data set once, and takes note of those selected. Ends early, with what it has,
/// once `stopped` says so.
///
/// # Errors
/// The first file that is damaged, or whose length contradicts its header; values that are no pixels.
pub(crate) fn survey(
    data: &DataSet,
    selection: &Selection,
    stopped: &dyn Fn() -> bool,
) -> Result<Survey, SourceError> {
    let mut survey = Survey::default();
    for record in data.records() {
        let record = record?;
        if stopped() {
            break;
        }
        if record.index >= selection.end() {
            // What is not wanted must be whole all the same.
            data.prove(stopped)?;
            break;
        }
        if selection.position(record.index).is_none() {
            continue;
        }
        survey.hashes.push(record.image.hash());
        let Image::Raw { pixels, .. } = &record.image else { continue };
        if let (Some(&low), Some(&high)) = (pixels.iter().min(), pixels.iter().max()) {
            let (lowest, highest) = survey.values.unwrap_or((low, high));
            survey.values = Some((lowest.min(low), highest.max(high)));
        }
        if let Some((first, rest)) = pixels.split_first()
            && !rest.is_empty()
            && rest.iter().all(|value| value == first)
        {
            survey.flat.push(record.index);
        }
    }
    Ok(survey)
}
