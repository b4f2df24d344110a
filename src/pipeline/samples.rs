//! What the report page shows of the images: a few as they are stored, and how large all are.

use std::sync::{Mutex, PoisonError};

use hdrhistogram::Histogram;

/// Sizes are told with so many digits.
const DIGITS: u8 = 3;

/// One image, before and after it was encoded.
#[derive(Debug, Clone)]
pub struct Sample {
    /// Position in source order, from 0.
    pub index: u32,
    /// Its pixels, as the source has them.
    pub pixels: Vec<u8>,
    /// The file.
    pub file: Vec<u8>,
}

/// Keeps the images that are asked for, and the sizes of all. Memory: those images, and 30 KB.
#[derive(Debug)]
pub struct Samples {
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
pub struct Sizes {
    /// The smallest.
    pub min: u64,
    /// Half of the images have at most this.
    pub median: u64,
    /// The mean.
    pub mean: f64,
    /// The largest.
    pub max: u64,
}

impl Samples {
    /// For the images of these indices, which are in order.
    pub fn new(wanted: Vec<u32>) -> Self {
        let sizes = Histogram::new(DIGITS).unwrap_or_else(|_| {
            // Three digits are a number that the histogram knows.
            unreachable!("a histogram of {DIGITS} digits")
        });
        Self { wanted, seen: Mutex::new(Seen { taken: Vec::new(), sizes }) }
    }

    /// Notes an image that has been encoded.
    pub(super) fn see(&self, index: u32, pixels: &[u8], file: &[u8]) {
        let wanted = self.wanted.binary_search(&index).is_ok();
        let mut seen = self.seen.lock().unwrap_or_else(PoisonError::into_inner);
        // It grows as far as is needed.
        let _ = seen.sizes.record(file.len() as u64);
        if wanted {
            seen.taken.push(Sample { index, pixels: pixels.to_vec(), file: file.to_vec() });
        }
    }

    /// The images that were kept, in source order, and the sizes; nothing where no image was seen.
    pub fn take(&self) -> (Vec<Sample>, Option<Sizes>) {
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

    #[test]
    fn keeps_what_is_wanted_and_measures_all() {
        let samples = Samples::new(vec![3, 7]);
        assert_eq!(samples.take().1, None);
        for index in [7, 2, 3, 9] {
            samples.see(index, &[1], &vec![0; index as usize * 10]);
        }
        let (taken, sizes) = samples.take();
        assert!(taken.iter().map(|sample| sample.index).eq([3, 7]));
        assert_eq!((taken[0].file.len(), &taken[0].pixels), (30, &vec![1]));
        let Sizes { min, median, mean, max } = sizes.unwrap();
        assert_eq!((min, median, max), (20, 30, 90));
        assert!((mean - 52.5).abs() < 0.1);
    }
}
