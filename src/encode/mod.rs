//! Pixels to JPEG bytes, in memory.

mod dct;
mod jpeg;
mod tables;

use std::borrow::Cow;
use std::sync::Arc;

use self::jpeg::Jpeg;
use crate::config::Scale;

/// How images are encoded. Grey JPEG of one component, baseline, with the fixed Huffman tables of
/// ITU-T T.81 Annex K. A clone shares what was made for the size and the quality.
#[derive(Debug, Clone)]
pub struct Encoder {
    scale: Scale,
    /// Pixels of an image.
    size: usize,
    jpeg: Arc<Jpeg>,
}

/// Pixels that do not make an image of the encoder's size.
#[derive(Debug, thiserror::Error)]
#[error("cannot be encoded as JPEG: {0}")]
pub struct EncodeError(String);

impl Encoder {
    /// For images of that height and width in pixels. The quality is one of 1 to 100, on the scale
    /// of the Independent JPEG Group.
    pub fn new(quality: u8, scale: Scale, rows: u16, cols: u16) -> Self {
        let size = usize::from(rows) * usize::from(cols);
        Self { scale, size, jpeg: Arc::new(Jpeg::new(quality, rows, cols)) }
    }

    /// Encodes one image of `rows × cols` bytes, row-major. The same pixels give the same bytes.
    ///
    /// # Errors
    /// Pixels of any other number, or none.
    pub fn encode(&self, pixels: &[u8]) -> Result<Vec<u8>, EncodeError> {
        if pixels.len() != self.size {
            return Err(EncodeError(format!("{} pixels instead of {}", pixels.len(), self.size)));
        }
        if pixels.is_empty() {
            return Err(EncodeError("no pixels".to_owned()));
        }
        let pixels = match self.scale {
            Scale::None => Cow::Borrowed(pixels),
            Scale::Keras => Cow::Owned(stretch(pixels)),
        };
        Ok(self.jpeg.encode(&pixels))
    }
}

fn stretch(pixels: &[u8]) -> Vec<u8> {
    let min = pixels.iter().copied().min().unwrap_or(0);
    let max = pixels.iter().copied().max().unwrap_or(0);
    let range = u32::from(max - min).max(1);
    let stretched = |v: u8| u32::from(v - min) * 255 / range;
    pixels.iter().map(|&v| u8::try_from(stretched(v)).unwrap_or(u8::MAX)).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn decode(jpeg: &[u8]) -> image::GrayImage {
        image::load_from_memory(jpeg).unwrap().into_luma8()
    }

    #[test]
    fn a_jpeg_holds_the_picture() {
        let encoder = Encoder::new(75, Scale::None, 8, 16);
        let pixels: Vec<u8> = (0..128).map(|i| if i % 16 < 8 { 10 } else { 240 }).collect();
        let jpeg = encoder.encode(&pixels).unwrap();
        let decoded = decode(&jpeg);
        assert_eq!(decoded.dimensions(), (16, 8), "columns are the width");
        for (was, is) in pixels.iter().zip(decoded.as_raw()) {
            assert!(was.abs_diff(*is) < 4, "{was} became {is}");
        }
        assert_eq!(jpeg, encoder.encode(&pixels).unwrap(), "same pixels, same bytes");
    }

    #[test]
    fn a_wrong_number_of_pixels_is_an_error() {
        let encoder = Encoder::new(75, Scale::None, 8, 8);
        assert!(encoder.encode(&[0; 63]).is_err());
        assert!(Encoder::new(75, Scale::None, 0, 8).encode(&[]).is_err());
    }

    #[test]
    fn keras_stretches_contrast() {
        assert_eq!(stretch(&[10, 20, 254]), [0, 10, 255]);
        assert_eq!(stretch(&[0, 127, 255]), [0, 127, 255]);
        assert_eq!(stretch(&[7, 7]), [0, 0]);
    }
}
