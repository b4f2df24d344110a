//! What the report page shows of the images: a few as they are stored, and how large all are.

use bytes::Bytes;
use parking_lot::Mutex;

use crate::histogram::Histogram;
use crate::model::Image;

/// The median of the sizes is exact to one part in two to this power.
const PRECISION: u32 = 10;

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
    sizes: Histogram,
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
        let sizes = Histogram::new(PRECISION);
        Self { wanted, seen: Mutex::new(Seen { taken: Vec::new(), sizes }) }
    }

    /// Notes an image that has been encoded.
    pub(super) fn see(&self, index: u32, image: &Image, file: &Bytes) {
        let wanted = self.wanted.binary_search(&index).is_ok();
        let mut seen = self.seen.lock();
        seen.sizes.record(file.len() as u64);
        if wanted {
            seen.taken.push(Sample { index, image: image.clone(), file: file.clone() });
        }
    }

    /// The images that were kept, in source order, and the sizes; nothing where no image was seen.
    pub(super) fn take(&self) -> (Vec<Sample>, Option<Sizes>) {
        let mut seen = self.seen.lock();
        let mut taken = std::mem::take(&mut seen.taken);
        taken.sort_by_key(|sample| sample.index);
        let sizes = seen.sizes.range().map(|(min, max)| Sizes {
            min,
            median: seen.sizes.quantile(0.5),
            mean: seen.sizes.mean(),
            max,
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
