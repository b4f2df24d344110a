//! Pixels → pixels of another size.

use std::borrow::Cow;

use fast_image_resize::images::{Image, ImageRef};
use fast_image_resize::{FilterType, PixelType, ResizeAlg, ResizeOptions, Resizer};

use super::EncodeError;
use crate::model::Size;

/// How pixels are made of others.
#[derive(
    Debug,
    Clone,
    Copy,
    PartialEq,
    Eq,
    strum::Display,
    strum::EnumString,
    strum::IntoStaticStr,
    strum::VariantNames,
)]
#[strum(serialize_all = "kebab-case")]
pub enum Filter {
    /// Each is the one nearest to its centre.
    Nearest,
    /// The weights fall in a straight line; in smaller images each pixel counts.
    Bilinear,
    /// Sharp, with a window of three pixels; in smaller images each pixel counts.
    Lanczos3,
}

/// What becomes of images whose sides have another ratio than the size.
#[derive(
    Debug,
    Clone,
    Copy,
    PartialEq,
    Eq,
    strum::Display,
    strum::EnumString,
    strum::IntoStaticStr,
    strum::VariantNames,
)]
#[strum(serialize_all = "kebab-case")]
pub enum Fit {
    /// The whole image, whose ratio changes.
    Stretch,
    /// The whole image in the middle of black.
    Pad,
    /// The largest part of the image's middle that has the ratio.
    Crop,
}

/// The one size of all images that are stored.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Resize {
    /// Width in pixels, 1 to 65,535.
    pub cols: u16,
    /// Height in pixels, 1 to 65,535.
    pub rows: u16,
    /// How pixels are made.
    pub filter: Filter,
    /// What becomes of other ratios.
    pub fit: Fit,
}

impl Resize {
    /// The size of an image that is made of one with so many channels.
    pub(super) fn size(self, channels: u8) -> Size {
        Size { rows: self.rows.into(), cols: self.cols.into(), channels }
    }

    /// Bytes that are needed at the most beside the pixels of an image.
    pub(super) fn memory(self, from: Size) -> u64 {
        let made = self.size(from.channels);
        // Lines that have their width already and not yet their height.
        let between = Size { rows: from.rows, ..made };
        let canvas = if self.fit == Fit::Pad { made.bytes() } else { 0 };
        made.bytes() + between.bytes() + canvas
    }

    /// Makes the pixels, given at least one: `rows × cols × channels` bytes, row-major.
    pub(super) fn pixels(
        self,
        pixels: Cow<'_, [u8]>,
        from: Size,
    ) -> Result<Cow<'_, [u8]>, EncodeError> {
        let made = self.size(from.channels);
        if made == from {
            return Ok(pixels);
        }
        let inner = if self.fit == Fit::Pad { contained(from, made) } else { made };
        let image = self.resized(&pixels, from, inner)?;
        Ok(if inner == made { image } else { on_black(&image, inner, made) }.into())
    }

    fn resized(self, pixels: &[u8], from: Size, to: Size) -> Result<Vec<u8>, EncodeError> {
        let failed = |e: &dyn std::fmt::Display| EncodeError(format!("{from} to {to} pixels: {e}"));
        let kind = if from.channels == 3 { PixelType::U8x3 } else { PixelType::U8 };
        let image = ImageRef::new(from.cols, from.rows, pixels, kind).map_err(|e| failed(&e))?;
        let mut resized = Image::new(to.cols, to.rows, kind);
        let mut options = ResizeOptions::new().resize_alg(match self.filter {
            Filter::Nearest => ResizeAlg::Nearest,
            Filter::Bilinear => ResizeAlg::Convolution(FilterType::Bilinear),
            Filter::Lanczos3 => ResizeAlg::Convolution(FilterType::Lanczos3),
        });
        if self.fit == Fit::Crop {
            options = options.fit_into_destination(None);
        }
        Resizer::new().resize(&image, &mut resized, &options).map_err(|e| failed(&e))?;
        Ok(resized.into_vec())
    }
}

/// The largest size of an image's own ratio within another, rounded as Pillow's `ImageOps.contain` does.
fn contained(image: Size, within: Size) -> Size {
    let scaled = |side: u32, of: u32, by: u32| {
        let length = (f64::from(side) / f64::from(of) * f64::from(by)).round_ties_even();
        #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "below `by`")]
        let length = length as u32;
        length.clamp(1, by)
    };
    let wider = u64::from(image.cols) * u64::from(within.rows);
    match wider.cmp(&(u64::from(image.rows) * u64::from(within.cols))) {
        std::cmp::Ordering::Greater => {
            Size { rows: scaled(image.rows, image.cols, within.cols), ..within }
        }
        std::cmp::Ordering::Less => {
            Size { cols: scaled(image.cols, image.rows, within.rows), ..within }
        }
        std::cmp::Ordering::Equal => within,
    }
}

/// Puts an image into the middle of a black one.
fn on_black(image: &[u8], size: Size, whole: Size) -> Vec<u8> {
    let mut black = vec![0; whole.rows as usize * row(whole)];
    let before = |whole: u32, part: u32| {
        let half = (whole - part) / 2;
        // Of an odd number the even half, as in Pillow.
        (half + (half & (whole - part) & 1)) as usize
    };
    let (above, left) = (before(whole.rows, size.rows), before(whole.cols, size.cols));
    let lines = black.chunks_exact_mut(row(whole)).skip(above);
    for (line, image) in lines.zip(image.chunks_exact(row(size))) {
        line[left * usize::from(size.channels)..][..image.len()].copy_from_slice(image);
    }
    black
}

/// Bytes of a row.
fn row(size: Size) -> usize {
    size.cols as usize * usize::from(size.channels)
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn resize(size: [u16; 2], filter: Filter, fit: Fit) -> Resize {
        let [cols, rows] = size;
        Resize { cols, rows, filter, fit }
    }

    fn made(resize: Resize, size: [u32; 2], pixels: &[u8]) -> Vec<u8> {
        let [cols, rows] = size;
        let channels = if pixels.len() == (rows * cols) as usize { 1 } else { 3 };
        resize.pixels(pixels.into(), Size { rows, cols, channels }).unwrap().into_owned()
    }

    #[test]
    fn nearest_repeats_pixels_as_squares() {
        let twice = resize([4, 2], Filter::Nearest, Fit::Stretch);
        assert_eq!(made(twice, [2, 1], &[7, 9]), [7, 7, 9, 9, 7, 7, 9, 9]);
        let colours = [[1, 2, 3].repeat(2), [4, 5, 6].repeat(2)].concat().repeat(2);
        assert_eq!(made(twice, [2, 1], &[1, 2, 3, 4, 5, 6]), colours);
    }

    #[test]
    fn other_ratios_are_stretched_padded_or_cropped() {
        let of =
            |fit| made(resize([2, 2], Filter::Nearest, fit), [4, 2], &[1, 1, 5, 5, 2, 2, 6, 6]);
        assert_eq!(of(Fit::Stretch), [1, 5, 2, 6]);
        assert_eq!(of(Fit::Crop), [1, 5, 2, 6]);
        assert_eq!(
            of(Fit::Pad),
            [2, 6, 0, 0],
            "one line, and the half above it is rounded to none"
        );
        let tall = made(resize([4, 2], Filter::Nearest, Fit::Pad), [2, 2], &[1, 2, 3, 4]);
        assert_eq!(tall, [0, 1, 2, 0, 0, 3, 4, 0]);
        let middle = made(resize([1, 1], Filter::Bilinear, Fit::Crop), [3, 1], &[0, 77, 255]);
        assert_eq!(middle, [77]);
        let thin = made(resize([3, 3], Filter::Lanczos3, Fit::Pad), [100, 1], &[9; 100]);
        assert_eq!(thin, [0, 0, 0, 9, 9, 9, 0, 0, 0], "a line is left of it");
    }

    #[test]
    fn images_of_the_size_are_left_alone() {
        for fit in [Fit::Stretch, Fit::Pad, Fit::Crop] {
            let of = resize([2, 1], Filter::Lanczos3, fit);
            let size = Size { rows: 1, cols: 2, channels: 1 };
            assert!(matches!(
                of.pixels((&[7, 9][..]).into(), size).unwrap(),
                Cow::Borrowed([7, 9])
            ));
        }
    }

    proptest! {
        /// What the crate makes of it, where the whole image fills the size.
        #[test]
        fn stretched_images_are_those_of_the_crate(
            (from, channels, pixels) in (1..40_u32, 1..40_u32, prop::sample::select(&[1_u8, 3]))
                .prop_flat_map(|(rows, cols, channels)| {
                    let count = (rows * cols * u32::from(channels)) as usize;
                    let pixels = prop::collection::vec(any::<u8>(), count);
                    (Just([cols, rows]), Just(channels), pixels)
                }),
            to in [1..40_u16, 1..40_u16],
            filter in prop::sample::select(&[Filter::Nearest, Filter::Bilinear, Filter::Lanczos3]),
        ) {
            let kind = if channels == 3 { PixelType::U8x3 } else { PixelType::U8 };
            let source = ImageRef::new(from[0], from[1], &pixels, kind).unwrap();
            let mut expected = Image::new(to[0].into(), to[1].into(), kind);
            let options = ResizeOptions::new().resize_alg(match filter {
                Filter::Nearest => ResizeAlg::Nearest,
                Filter::Bilinear => ResizeAlg::Convolution(FilterType::Bilinear),
                Filter::Lanczos3 => ResizeAlg::Convolution(FilterType::Lanczos3),
            });
            Resizer::new().resize(&source, &mut expected, &options).unwrap();
            let size = Size { rows: from[1], cols: from[0], channels };
            let of = |fit| resize(to, filter, fit).pixels((&pixels[..]).into(), size).unwrap();
            prop_assert_eq!(&*of(Fit::Stretch), expected.buffer());
            // The others have as many pixels, whatever the ratio.
            for fit in [Fit::Pad, Fit::Crop] {
                prop_assert_eq!(of(fit).len(), expected.buffer().len());
            }
        }
    }
}
