//! Encodes images to JPEG or PNG files, in memory.

mod identity;
mod jpeg;
mod memory;

use std::borrow::Cow;
use std::sync::Arc;

use bytes::Bytes;
use image::codecs::png::PngEncoder;
use image::{ExtendedColorType, ImageEncoder};

use self::jpeg::{Jpeg, Layout};
use crate::model::{Image, ImageFormat, Size};

/// Which format images are stored in.
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
pub enum OutputFormat {
    /// JPEG is made of pixels, and an image file of the source keeps its format.
    Auto,
    /// Baseline JPEG.
    Jpeg,
    /// PNG, without loss.
    Png,
}

/// Whether an image's contrast is changed before it is encoded.
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
pub enum Scale {
    /// No change.
    None,
    /// Each image stretched to the full range, `floor((v - min) × 255 / (max - min))`, as
    /// Keras' `array_to_img` does. An image of one value becomes black, as it does there.
    Keras,
}

/// How many samples of its two colours a JPEG has.
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
pub enum Subsampling {
    /// 4:2:0 where both sides have at least 128 pixels, 4:4:4 where one has fewer.
    Auto,
    /// One of each for every pixel.
    #[strum(serialize = "4:4:4")]
    Full,
    /// One of each for 2 × 2 pixels.
    #[strum(serialize = "4:2:0")]
    Halved,
}

/// Pixels each way from which [`Subsampling::Auto`] halves the colours.
const HALVED_FROM: u32 = 128;

/// What is made of an image's pixels.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Encoding {
    /// The file format.
    pub format: OutputFormat,
    /// Quality of the JPEGs that are made, 1 to 100, on the scale of the Independent JPEG Group.
    pub quality: u8,
    /// How many samples of colour the JPEGs have that are made.
    pub subsampling: Subsampling,
    /// Contrast.
    pub scale: Scale,
    /// Each pixel becomes so many in both directions, from 1.
    pub upscale: u16,
    /// Grey images become red, green and blue ones.
    pub rgb: bool,
}

impl Default for Encoding {
    /// The defaults: JPEG of quality 75 of unchanged pixels, and unchanged image files.
    fn default() -> Self {
        Self {
            format: OutputFormat::Auto,
            quality: 75,
            subsampling: Subsampling::Auto,
            scale: Scale::None,
            upscale: 1,
            rgb: false,
        }
    }
}

/// Makes image files: of pixels by encoding them, of image files by leaving them unchanged unless the
/// encoding asks for something else. JPEG is baseline with the fixed tables of ITU-T T.81 Annex K, byte for
/// byte what Pillow writes at the same quality and subsampling. A clone shares the tables.
#[derive(Debug, Clone)]
pub struct Encoder {
    encoding: Encoding,
    jpeg: Arc<Jpeg>,
}

/// An image that cannot be encoded.
#[derive(Debug, Clone, thiserror::Error)]
#[error("cannot be encoded: {0}")]
pub struct EncodeError(pub(crate) String);

impl Encoder {
    /// For images of any size.
    pub fn new(encoding: Encoding) -> Self {
        Self { encoding, jpeg: Arc::new(Jpeg::new(encoding.quality)) }
    }

    /// What is made of images.
    pub fn encoding(&self) -> &Encoding {
        &self.encoding
    }

    /// The format of the file that is made of pixels (`None`) or of an image file.
    pub fn format(&self, source: Option<ImageFormat>) -> ImageFormat {
        match self.encoding.format {
            OutputFormat::Auto => source.unwrap_or(ImageFormat::Jpeg),
            OutputFormat::Jpeg => ImageFormat::Jpeg,
            OutputFormat::Png => ImageFormat::Png,
        }
    }

    /// The size of the image that is made of one of this size.
    ///
    /// # Errors
    /// Images that would be larger than 65,535 pixels each way, which is what JPEG holds (ITU-T T.81).
    pub fn size(&self, size: Size) -> Result<Size, EncodeError> {
        let factor = u32::from(self.encoding.upscale);
        let longest = u64::from(size.rows.max(size.cols)) * u64::from(factor);
        if longest > u16::MAX.into() {
            let Size { rows, cols, .. } = size;
            return Err(EncodeError(format!(
                "{rows} × {cols} pixels, each {factor} times, are more than 65,535 one way"
            )));
        }
        let channels = if self.encoding.rgb { 3 } else { size.channels };
        Ok(Size { rows: size.rows * factor, cols: size.cols * factor, channels })
    }

    /// Makes the file of one image. The same image gives the same bytes.
    ///
    /// # Errors
    /// Pixels of another number than the size says, or none; an image file that has to be decoded and
    /// cannot be; an image that would be too large.
    pub fn encode(&self, image: &Image) -> Result<Bytes, EncodeError> {
        if let Image::Encoded { bytes, .. } = image
            && self.leaves_unchanged(image.format())
        {
            return Ok(bytes.clone());
        }
        let (size, pixels) = image.pixels().map_err(|e| EncodeError(e.to_string()))?;
        self.encode_pixels(self.format(image.format()), size, &pixels)
    }

    /// Whether an image of that format, which pixels have none of, is a file that is stored byte for byte.
    fn leaves_unchanged(&self, source: Option<ImageFormat>) -> bool {
        !self.encoding.changes_pixels() && source.is_some_and(|it| self.format(source) == it)
    }

    fn encode_pixels(
        &self,
        format: ImageFormat,
        size: Size,
        pixels: &[u8],
    ) -> Result<Bytes, EncodeError> {
        if pixels.len() as u64 != size.bytes() {
            let (len, size) = (pixels.len(), size.bytes());
            return Err(EncodeError(format!("{len} bytes of pixels instead of {size}")));
        }
        if pixels.is_empty() {
            return Err(EncodeError("no pixels".to_owned()));
        }
        let made = self.size(size)?;
        let mut pixels = match self.encoding.scale {
            Scale::None => Cow::Borrowed(pixels),
            Scale::Keras => stretch(pixels).into(),
        };
        if made.channels > size.channels {
            pixels = pixels.iter().flat_map(|&v| [v; 3]).collect::<Vec<_>>().into();
        }
        let factor = usize::from(self.encoding.upscale);
        if factor > 1 {
            let row = size.cols as usize * usize::from(made.channels);
            pixels = repeat(&pixels, row, made.channels.into(), factor).into();
        }
        if format == ImageFormat::Jpeg {
            let layout = self.layout(made);
            return Ok(self
                .jpeg
                .encode(&pixels, made.rows as usize, made.cols as usize, layout)
                .into());
        }
        let colour =
            if made.channels == 3 { ExtendedColorType::Rgb8 } else { ExtendedColorType::L8 };
        let mut file = Vec::new();
        let encoded = PngEncoder::new(&mut file).write_image(&pixels, made.cols, made.rows, colour);
        encoded.map(|()| file.into()).map_err(|e| EncodeError(e.to_string()))
    }

    fn layout(&self, size: Size) -> Layout {
        match self.encoding.subsampling {
            _ if size.channels == 1 => Layout::Grey,
            Subsampling::Full => Layout::Full,
            Subsampling::Auto if size.rows.min(size.cols) < HALVED_FROM => Layout::Full,
            Subsampling::Auto | Subsampling::Halved => Layout::Halved,
        }
    }
}

impl Encoding {
    /// Whether other pixels are stored than the source has.
    pub fn changes_pixels(&self) -> bool {
        self.scale != Scale::None || self.upscale != 1 || self.rgb
    }
}

/// Of colours the darkest and the brightest value of all channels count, as in Keras.
fn stretch(pixels: &[u8]) -> Vec<u8> {
    let min = pixels.iter().copied().min().unwrap_or(0);
    let max = pixels.iter().copied().max().unwrap_or(0);
    let range = u32::from(max - min).max(1);
    let stretched = |v: u8| u32::from(v - min) * 255 / range;
    pixels.iter().map(|&v| u8::try_from(stretched(v)).unwrap_or(u8::MAX)).collect()
}

/// Makes a square of `factor × factor` of each pixel; `row` is the bytes of a row.
fn repeat(pixels: &[u8], row: usize, channels: usize, factor: usize) -> Vec<u8> {
    let mut larger = Vec::with_capacity(pixels.len() * factor * factor);
    for row in pixels.chunks_exact(row) {
        let start = larger.len();
        for pixel in row.chunks_exact(channels) {
            (0..factor).for_each(|_| larger.extend_from_slice(pixel));
        }
        let end = larger.len();
        (1..factor).for_each(|_| larger.extend_from_within(start..end));
    }
    larger
}

#[cfg(test)]
mod tests {
    use super::*;

    const JPEG: Encoding = Encoding {
        format: OutputFormat::Auto,
        quality: 75,
        subsampling: Subsampling::Auto,
        scale: Scale::None,
        upscale: 1,
        rgb: false,
    };
    const PNG: Encoding = Encoding { format: OutputFormat::Png, ..JPEG };

    fn raw(rows: u32, cols: u32, channels: u8, pixels: impl Into<Vec<u8>>) -> Image {
        Image::Raw { size: Size { rows, cols, channels }, pixels: pixels.into() }
    }

    fn encode(encoding: Encoding, image: &Image) -> Bytes {
        Encoder::new(encoding).encode(image).unwrap()
    }

    fn decode(file: &[u8]) -> image::DynamicImage {
        image::load_from_memory(file).unwrap()
    }

    #[test]
    fn a_jpeg_holds_the_picture() {
        let pixels: Vec<u8> = (0..128).map(|i| if i % 16 < 8 { 10 } else { 240 }).collect();
        let image = raw(8, 16, 1, pixels.clone());
        let jpeg = encode(JPEG, &image);
        let decoded = decode(&jpeg).into_luma8();
        assert_eq!(decoded.dimensions(), (16, 8), "columns are the width");
        for (was, is) in pixels.iter().zip(decoded.as_raw()) {
            assert!(was.abs_diff(*is) < 4, "{was} became {is}");
        }
        assert_eq!(jpeg, encode(JPEG, &image), "same pixels, same bytes");
    }

    #[test]
    fn a_png_holds_every_pixel() {
        let grey: Vec<u8> = (0..128).map(|i| i * 2).collect();
        let decoded = decode(&encode(PNG, &raw(8, 16, 1, grey.clone())));
        assert_eq!(decoded, image::GrayImage::from_raw(16, 8, grey).unwrap().into());
        let colour: Vec<u8> = (0..2 * 3 * 3).map(|i| i * 13).collect();
        let decoded = decode(&encode(PNG, &raw(2, 3, 3, colour.clone())));
        assert_eq!(decoded, image::RgbImage::from_raw(3, 2, colour).unwrap().into());
    }

    #[test]
    fn colours_are_halved_from_a_size_on() {
        let picture = |rows: u32, cols: u32| {
            let pixels: Vec<u8> = (0..rows * cols * 3)
                .map(|i| (i % 977 * (i % 977) % 251).to_le_bytes()[0])
                .collect();
            raw(rows, cols, 3, pixels)
        };
        let with = |subsampling, image: &Image| encode(Encoding { subsampling, ..JPEG }, image);
        for (rows, cols, auto) in [
            (127, 300, Subsampling::Full),
            (300, 127, Subsampling::Full),
            (128, 128, Subsampling::Halved),
        ] {
            let image = picture(rows, cols);
            assert_eq!(with(Subsampling::Auto, &image), with(auto, &image), "{rows} × {cols}");
            assert_ne!(with(Subsampling::Full, &image), with(Subsampling::Halved, &image));
        }
        let small = with(Subsampling::Halved, &picture(9, 9));
        assert_ne!(small, with(Subsampling::Full, &picture(9, 9)), "halved where it is asked for");
        let grey = raw(200, 200, 1, vec![7; 40_000]);
        assert_eq!(with(Subsampling::Full, &grey), with(Subsampling::Halved, &grey));
    }

    #[test]
    fn image_files_pass_through_untouched() {
        let png = encode(PNG, &raw(1, 2, 1, [7, 9]));
        let file = Image::Encoded { format: ImageFormat::Png, bytes: png.clone() };
        for encoding in [JPEG, PNG] {
            let stored = encode(encoding, &file);
            assert_eq!(stored.as_ptr(), png.as_ptr(), "not even copied");
            assert_eq!(Encoder::new(encoding).format(file.format()), ImageFormat::Png);
        }
        let broken = Image::Encoded { format: ImageFormat::Png, bytes: png.slice(..20) };
        assert_eq!(encode(JPEG, &broken), png.slice(..20), "nobody asked to decode it");
    }

    #[test]
    fn image_files_are_decoded_where_other_pixels_are_wanted() {
        let png = encode(PNG, &raw(1, 2, 1, [7, 9]));
        let file = Image::Encoded { format: ImageFormat::Png, bytes: png.slice(..) };
        let jpeg = Encoding { format: OutputFormat::Jpeg, ..JPEG };
        assert_eq!(Encoder::new(jpeg).format(file.format()), ImageFormat::Jpeg);
        assert_eq!(encode(jpeg, &file), encode(JPEG, &raw(1, 2, 1, [7, 9])));
        let larger = encode(Encoding { upscale: 2, ..JPEG }, &file);
        assert_eq!(ImageFormat::of(&larger), Some(ImageFormat::Png));
        assert_eq!(decode(&larger).into_luma8().into_raw(), [7, 7, 9, 9, 7, 7, 9, 9]);
        let broken = Image::Encoded { format: ImageFormat::Png, bytes: png.slice(..20) };
        assert!(Encoder::new(jpeg).encode(&broken).is_err());
    }

    #[test]
    fn colour_is_kept_and_grey_can_become_it() {
        let red = raw(8, 8, 3, [255, 0, 0].repeat(64));
        let decoded = decode(&encode(JPEG, &red)).into_rgb8();
        let [r, g, b] = decoded.get_pixel(3, 3).0;
        assert!(r > 245 && g < 10 && b < 10, "{r} {g} {b}");
        let decoded = decode(&encode(Encoding { rgb: true, ..JPEG }, &raw(8, 8, 1, [90; 64])));
        assert_eq!(decoded.color(), image::ColorType::Rgb8);
        assert!(decoded.into_rgb8().pixels().all(|p| p.0.iter().all(|v| v.abs_diff(90) < 3)));
    }

    #[test]
    fn pixels_are_repeated_as_squares() {
        let decoded = decode(&encode(Encoding { upscale: 3, ..PNG }, &raw(1, 2, 1, [7, 9])));
        assert_eq!(decoded.width(), 6);
        assert_eq!(decoded.into_luma8().into_raw(), [7, 7, 7, 9, 9, 9].repeat(3));
        assert_eq!(
            repeat(&[1, 2, 3, 4, 5, 6], 3, 3, 2),
            [[1, 2, 3].repeat(4), [4, 5, 6].repeat(4)].concat()
        );
        let twice = Encoder::new(Encoding { upscale: 2, ..JPEG });
        let says =
            twice.size(Size { rows: 40_000, cols: 10, channels: 1 }).unwrap_err().to_string();
        assert!(says.contains("65,535"), "{says}");
    }

    #[test]
    fn a_wrong_number_of_pixels_is_an_error() {
        let encoder = Encoder::new(JPEG);
        assert!(encoder.encode(&raw(8, 8, 1, [0; 63])).is_err());
        assert!(encoder.encode(&raw(8, 8, 3, [0; 64])).is_err());
        assert!(encoder.encode(&raw(0, 8, 1, [])).is_err());
    }

    #[test]
    fn keras_stretches_contrast() {
        assert_eq!(stretch(&[10, 20, 254]), [0, 10, 255]);
        assert_eq!(stretch(&[0, 127, 255]), [0, 127, 255]);
        assert_eq!(stretch(&[7, 7]), [0, 0]);
    }
}
