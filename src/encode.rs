//! Pixels to JPEG bytes, in memory.

use image::ExtendedColorType;
use image::codecs::jpeg::JpegEncoder;

use crate::config::Scale;

/// How images are encoded. Grey JPEG of one component, baseline, with the fixed Huffman tables of
/// ITU-T T.81 Annex K.
#[derive(Debug, Clone, Copy)]
pub struct Encoder {
    /// 1 to 100, on the scale of the Independent JPEG Group.
    pub quality: u8,
    /// Contrast.
    pub scale: Scale,
    /// Height in pixels.
    pub rows: u16,
    /// Width in pixels.
    pub cols: u16,
}

/// Pixels that do not make an image of the encoder's size.
#[derive(Debug, thiserror::Error)]
#[error("cannot be encoded as JPEG: {0}")]
pub struct EncodeError(String);

impl Encoder {
    /// Encodes one image of `rows × cols` bytes, row-major. The same pixels give the same bytes.
    ///
    /// # Errors
    /// Pixels of any other number.
    pub fn encode(&self, pixels: &[u8]) -> Result<Vec<u8>, EncodeError> {
        let expected = usize::from(self.rows) * usize::from(self.cols);
        if pixels.len() != expected {
            return Err(EncodeError(format!("{} pixels instead of {expected}", pixels.len())));
        }
        let scaled;
        let pixels = match self.scale {
            Scale::None => pixels,
            Scale::Keras => {
                scaled = stretch(pixels);
                &scaled
            }
        };
        // About what a small grey image takes: header, tables, and half a byte a pixel.
        let mut jpeg = Vec::with_capacity(400 + expected / 2);
        JpegEncoder::new_with_quality(&mut jpeg, self.quality)
            .encode(pixels, self.cols.into(), self.rows.into(), ExtendedColorType::L8)
            .map_err(|e| EncodeError(e.to_string()))?;
        Ok(jpeg)
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
        let encoder = Encoder { quality: 75, scale: Scale::None, rows: 8, cols: 16 };
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
        let encoder = Encoder { quality: 75, scale: Scale::None, rows: 8, cols: 8 };
        assert!(encoder.encode(&[0; 63]).is_err());
    }

    #[test]
    fn keras_stretches_contrast() {
        assert_eq!(stretch(&[10, 20, 254]), [0, 10, 255]);
        assert_eq!(stretch(&[0, 127, 255]), [0, 127, 255]);
        assert_eq!(stretch(&[7, 7]), [0, 0]);
    }
}
