//! What the report page shows of the images: a few as they are stored, and how large all are.

use std::sync::{Mutex, PoisonError};

use bytes::Bytes;
use hdrhistogram::Histogram;

use crate::model::Image;

/// Sizes are told with so many digits.
const DIGITS: u8 = 3;

/// One image, before and after it was encoded.
#[derive(Debug, Clone)]
pub(super) struct Sample {
    /// Position in source order, from 0.
    pub(super) index: u32,
    /// The image as the source has it.
    pub(super) image: Image,
    /// The file.
    pub(super) file: Bytes,
}

/// Keeps the images that are asked for, and the sizes of all. Memory: those images, and 30 KB.
#[derive(Debug)]
pub(super) struct Samples {
    /// Indices, in order.
    wanted: Vec<u32>,
    seen: Mutex<Seen>,
}

#[derive(Debug)]
struct Seen {
    taken: Vec<Sample>,
    /// Bytes an image.
    sizes: Histogram<u32>,
}

/// How large images are, in bytes.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) struct Sizes {
    /// The smallest.
    pub(super) min: u64,
    /// Half of the images have at most this.
    pub(super) median: u64,
    /// The mean.
    pub(super) mean: f64,
    /// The largest.
    pub(super) max: u64,
}

impl Samples {
    /// For the images of these indices, which are in order.
    pub(super) fn new(wanted: Vec<u32>) -> Self {
        let sizes = Histogram::new(DIGITS).unwrap_or_else(|_| {
            // Three digits are a number that the histogram knows.
            unreachable!("a histogram of {DIGITS} digits")
        });
        Self { wanted, seen: Mutex::new(Seen { taken: Vec::new(), sizes }) }
    }

    /// Notes an image that has been encoded.
    pub(super) fn see(&self, index: u32, image: &Image, file: &Bytes) {
        let wanted = self.wanted.binary_search(&index).is_ok();
        let mut seen = self.seen.lock().unwrap_or_else(PoisonError::into_inner);
        // It grows as far as is needed.
        let _ = seen.sizes.record(file.len() as u64);
        if wanted {
            seen.taken.push(Sample { index, image: image.clone(), file: file.clone() });
        }
    }

    /// The images that were kept, in source order, and the sizes; nothing where no image was seen.
    pub(super) fn take(&self) -> (Vec<Sample>, Option<Sizes>) {
        let mut seen = self.seen.lock().unwrap_or_else(PoisonError::into_inner);
        let mut taken = std::mem::take(&mut seen.taken);
        taken.sort_by_key(|sample| sample.index);
        let sizes = (!seen.sizes.is_empty()).then(|| Sizes {
            min: seen.sizes.min(),
            median: seen.sizes.value_at_quantile(0.5),
            mean: seen.sizes.mean(),
            max: seen.sizes.max(),
        });
        (taken, sizes)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::ImageFormat;

    #[test]
    fn keeps_what_is_wanted_and_measures_all() {
        let samples = Samples::new(vec![3, 7]);
        assert_eq!(samples.take().1, None);
        let image = Image::Encoded { format: ImageFormat::Png, bytes: Bytes::from_static(&[1]) };
        for index in [7, 2, 3, 9] {
            samples.see(index, &image, &vec![0; index as usize * 10].into());
        }
        let (taken, sizes) = samples.take();
        assert!(taken.iter().map(|sample| sample.index).eq([3, 7]));
        assert_eq!((taken[0].file.len(), &taken[0].image), (30, &image));
        let Sizes { min, median, mean, max } = sizes.unwrap();
        assert_eq!((min, median, max), (20, 30, 90));
        assert!((mean - 52.5).abs() < 0.1);
    }
}
