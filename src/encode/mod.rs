//! Pixels to JPEG or PNG bytes, in memory.

mod dct;
mod jpeg;
mod tables;

use std::borrow::Cow;
use std::sync::Arc;

use image::codecs::jpeg::JpegEncoder;
use image::codecs::png::PngEncoder;
use image::{ExtendedColorType, ImageEncoder, ImageResult};

use self::jpeg::Jpeg;

/// How images are encoded.
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
pub enum ImageFormat {
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
    /// The pixels as they are.
    None,
    /// Each image stretched to the full range, `floor((v - min) × 255 / (max - min))`, as
    /// Keras' `array_to_img` does. An image of one value becomes black, as it does there.
    Keras,
}

/// What is made of an image's pixels.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Encoding {
    /// The file format.
    pub format: ImageFormat,
    /// JPEG quality, 1 to 100, on the scale of the Independent JPEG Group.
    pub quality: u8,
    /// Contrast.
    pub scale: Scale,
    /// Each pixel becomes so many in both directions, from 1.
    pub upscale: u16,
    /// Grey images become red, green and blue ones.
    pub rgb: bool,
}

impl Default for Encoding {
    /// What is made where nothing is said: JPEG of quality 75, the pixels as they are.
    fn default() -> Self {
        let (format, scale) = (ImageFormat::Jpeg, Scale::None);
        Self { format, quality: 75, scale, upscale: 1, rgb: false }
    }
}

/// How images of one size are encoded. Grey JPEG has one component, baseline, with the fixed Huffman
/// tables of ITU-T T.81 Annex K. A clone shares what was made for the size and the quality.
#[derive(Debug, Clone)]
pub struct Encoder {
    encoding: Encoding,
    rows: u16,
    cols: u16,
    channels: u8,
    coder: Coder,
}

#[derive(Debug, Clone)]
enum Coder {
    /// JPEG of one component.
    Grey(Arc<Jpeg>),
    /// JPEG of three.
    Colour,
    Png,
}

/// Pixels that do not make an image of the encoder's size.
#[derive(Debug, thiserror::Error)]
#[error("cannot be encoded: {0}")]
pub struct EncodeError(String);

impl Encoder {
    /// For images of that height and width in pixels and of that many channels, 1 or 3.
    ///
    /// # Errors
    /// Images that would be larger than the format holds: 65,535 pixels each way (ITU-T T.81).
    pub fn new(
        encoding: Encoding,
        rows: u16,
        cols: u16,
        channels: u8,
    ) -> Result<Self, EncodeError> {
        let (Some(tall), Some(wide)) =
            (rows.checked_mul(encoding.upscale), cols.checked_mul(encoding.upscale))
        else {
            return Err(EncodeError(format!(
                "{rows} × {cols} pixels, each {} times, are more than 65,535 one way",
                encoding.upscale
            )));
        };
        let coder = match encoding.format {
            ImageFormat::Png => Coder::Png,
            ImageFormat::Jpeg if channels == 1 && !encoding.rgb => {
                Coder::Grey(Arc::new(Jpeg::new(encoding.quality, tall, wide)))
            }
            ImageFormat::Jpeg => Coder::Colour,
        };
        Ok(Self { encoding, rows, cols, channels, coder })
    }

    /// Encodes one image of `rows × cols × channels` bytes, row-major. The same pixels give the same
    /// bytes.
    ///
    /// # Errors
    /// Pixels of any other number, or none.
    pub fn encode(&self, pixels: &[u8]) -> Result<Vec<u8>, EncodeError> {
        let (rows, cols) = (usize::from(self.rows), usize::from(self.cols));
        let size = rows * cols * usize::from(self.channels);
        if pixels.len() != size {
            return Err(EncodeError(format!("{} bytes of pixels instead of {size}", pixels.len())));
        }
        if pixels.is_empty() {
            return Err(EncodeError("no pixels".to_owned()));
        }
        let mut pixels = match self.encoding.scale {
            Scale::None => Cow::Borrowed(pixels),
            Scale::Keras => stretch(pixels).into(),
        };
        let mut channels = usize::from(self.channels);
        if self.encoding.rgb && channels == 1 {
            channels = 3;
            pixels = pixels.iter().flat_map(|&v| [v; 3]).collect::<Vec<_>>().into();
        }
        let factor = usize::from(self.encoding.upscale);
        if factor > 1 {
            pixels = repeat(&pixels, cols, channels, factor).into();
        }
        let (wide, tall) = (self.cols * self.encoding.upscale, self.rows * self.encoding.upscale);
        let (wide, tall) = (u32::from(wide), u32::from(tall));
        let colour = if channels == 3 { ExtendedColorType::Rgb8 } else { ExtendedColorType::L8 };
        let mut file = Vec::new();
        let encoded: ImageResult<()> = match &self.coder {
            Coder::Grey(jpeg) => return Ok(jpeg.encode(&pixels)),
            Coder::Colour => JpegEncoder::new_with_quality(&mut file, self.encoding.quality)
                .write_image(&pixels, wide, tall, colour),
            Coder::Png => PngEncoder::new(&mut file).write_image(&pixels, wide, tall, colour),
        };
        encoded.map(|()| file).map_err(|e| EncodeError(e.to_string()))
    }

    /// The media type of what is made.
    pub fn content_type(&self) -> &'static str {
        match self.encoding.format {
            ImageFormat::Jpeg => "image/jpeg",
            ImageFormat::Png => "image/png",
        }
    }

    /// The usual extension of its file names.
    pub fn extension(&self) -> &'static str {
        match self.encoding.format {
            ImageFormat::Jpeg => "jpg",
            ImageFormat::Png => "png",
        }
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

/// Makes a square of `factor × factor` of each pixel.
fn repeat(pixels: &[u8], cols: usize, channels: usize, factor: usize) -> Vec<u8> {
    let mut larger = Vec::with_capacity(pixels.len() * factor * factor);
    for row in pixels.chunks_exact(cols * channels) {
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

    fn encoder(encoding: Encoding, rows: u16, cols: u16, channels: u8) -> Encoder {
        Encoder::new(encoding, rows, cols, channels).unwrap()
    }

    fn decode(file: &[u8]) -> image::DynamicImage {
        image::load_from_memory(file).unwrap()
    }

    #[test]
    fn a_jpeg_holds_the_picture() {
        let encoder = encoder(Encoding::default(), 8, 16, 1);
        let pixels: Vec<u8> = (0..128).map(|i| if i % 16 < 8 { 10 } else { 240 }).collect();
        let jpeg = encoder.encode(&pixels).unwrap();
        let decoded = decode(&jpeg).into_luma8();
        assert_eq!(decoded.dimensions(), (16, 8), "columns are the width");
        for (was, is) in pixels.iter().zip(decoded.as_raw()) {
            assert!(was.abs_diff(*is) < 4, "{was} became {is}");
        }
        assert_eq!(jpeg, encoder.encode(&pixels).unwrap(), "same pixels, same bytes");
    }

    #[test]
    fn a_png_holds_every_pixel() {
        let png = Encoding { format: ImageFormat::Png, ..Encoding::default() };
        let grey: Vec<u8> = (0..128).map(|i| i * 2).collect();
        let decoded = decode(&encoder(png, 8, 16, 1).encode(&grey).unwrap());
        assert_eq!(decoded, image::GrayImage::from_raw(16, 8, grey).unwrap().into());
        let colour: Vec<u8> = (0..2 * 3 * 3).map(|i| i * 13).collect();
        let decoded = decode(&encoder(png, 2, 3, 3).encode(&colour).unwrap());
        assert_eq!(decoded, image::RgbImage::from_raw(3, 2, colour).unwrap().into());
    }

    #[test]
    fn colour_is_kept_and_grey_can_become_it() {
        let red = [255, 0, 0].repeat(64);
        let decoded =
            decode(&encoder(Encoding::default(), 8, 8, 3).encode(&red).unwrap()).into_rgb8();
        let [r, g, b] = decoded.get_pixel(3, 3).0;
        assert!(r > 245 && g < 10 && b < 10, "{r} {g} {b}");
        let rgb = encoder(Encoding { rgb: true, ..Encoding::default() }, 8, 8, 1);
        let decoded = decode(&rgb.encode(&[90; 64]).unwrap());
        assert_eq!(decoded.color(), image::ColorType::Rgb8);
        assert!(decoded.into_rgb8().pixels().all(|p| p.0.iter().all(|v| v.abs_diff(90) < 3)));
    }

    #[test]
    fn pixels_are_repeated_as_squares() {
        let png = Encoding { format: ImageFormat::Png, upscale: 3, ..Encoding::default() };
        let decoded = decode(&encoder(png, 1, 2, 1).encode(&[7, 9]).unwrap()).into_luma8();
        assert_eq!(decoded.dimensions(), (6, 3));
        assert_eq!(decoded.into_raw(), [7, 7, 7, 9, 9, 9].repeat(3));
        assert_eq!(
            repeat(&[1, 2, 3, 4, 5, 6], 1, 3, 2),
            [[1, 2, 3].repeat(4), [4, 5, 6].repeat(4)].concat()
        );
        let twice = Encoding { upscale: 2, ..Encoding::default() };
        let says = Encoder::new(twice, 40_000, 10, 1).unwrap_err().to_string();
        assert!(says.contains("65,535"), "{says}");
    }

    #[test]
    fn a_wrong_number_of_pixels_is_an_error() {
        assert!(encoder(Encoding::default(), 8, 8, 1).encode(&[0; 63]).is_err());
        assert!(encoder(Encoding::default(), 8, 8, 3).encode(&[0; 64]).is_err());
        assert!(encoder(Encoding::default(), 0, 8, 1).encode(&[]).is_err());
    }

    #[test]
    fn keras_stretches_contrast() {
        assert_eq!(stretch(&[10, 20, 254]), [0, 10, 255]);
        assert_eq!(stretch(&[0, 127, 255]), [0, 127, 255]);
        assert_eq!(stretch(&[7, 7]), [0, 0]);
    }
}
