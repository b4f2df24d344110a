//! Encodes images to JPEG or PNG files, in memory.

mod identity;
mod jpeg;
mod memory;
mod resize;

use std::borrow::Cow;
use std::sync::Arc;

use bytes::Bytes;
use image::codecs::png::PngEncoder;
use image::{ExtendedColorType, ImageEncoder};

use self::jpeg::{Jpeg, Layout};
pub use self::resize::{Filter, Fit, Resize};
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
    /// The one size of all images; without it each keeps its own.
    pub resize: Option<Resize>,
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
            resize: None,
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
        let made = self.encoding.resize.map_or(size, |resize| resize.size(size.channels));
        if made.rows.max(made.cols) > u16::MAX.into() {
            let Size { rows, cols, .. } = made;
            return Err(EncodeError(format!(
                "{rows} × {cols} pixels are more than 65,535 one way"
            )));
        }
        let channels = if self.encoding.rgb { 3 } else { size.channels };
        Ok(Size { channels, ..made })
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
        if let Some(resize) = self.encoding.resize {
            pixels = resize.pixels(pixels, size)?;
        }
        if made.channels > size.channels {
            pixels = pixels.iter().flat_map(|&v| [v; 3]).collect::<Vec<_>>().into();
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
        self.scale != Scale::None || self.resize.is_some() || self.rgb
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

#[cfg(test)]
mod tests;
