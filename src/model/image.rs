//! Images as sources have them: pixels, or files of a known format.

use std::borrow::Cow;
use std::fmt;
use std::io::Cursor;

use bytes::Bytes;
use image::{DynamicImage, ImageDecoder, ImageError, ImageReader};

/// A format of image files.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, strum::Display)]
#[strum(serialize_all = "UPPERCASE")]
pub enum ImageFormat {
    /// JPEG (ITU-T T.81).
    Jpeg,
    /// PNG (<https://www.w3.org/TR/png-3/>), without loss.
    Png,
}

impl ImageFormat {
    /// All formats.
    pub const ALL: [Self; 2] = [Self::Jpeg, Self::Png];

    /// The format of a file by its first bytes.
    pub fn of(file: &[u8]) -> Option<Self> {
        Self::ALL.into_iter().find(|format| file.starts_with(format.signature()))
    }

    fn signature(self) -> &'static [u8] {
        match self {
            Self::Jpeg => b"\xFF\xD8\xFF",
            Self::Png => b"\x89PNG\r\n\x1A\n",
        }
    }

    /// The size that the header of a file of this format promises. Alpha is no channel here, and a
    /// palette counts as colour.
    ///
    /// # Errors
    /// A header that cannot be read.
    pub fn size(self, file: &[u8]) -> Result<Size, BadImage> {
        Ok(self.decoding(file)?.0)
    }

    /// The same size, and the bytes of the pixels as they are decoded: with alpha, and in 16 bits where
    /// the file has them.
    ///
    /// # Errors
    /// A header that cannot be read.
    pub fn decoding(self, file: &[u8]) -> Result<(Size, u64), BadImage> {
        let decoder = self.reader(file).into_decoder()?;
        let (cols, rows) = decoder.dimensions();
        let channels = if decoder.color_type().has_color() { 3 } else { 1 };
        Ok((Size { rows, cols, channels }, decoder.total_bytes()))
    }

    fn reader(self, file: &[u8]) -> ImageReader<Cursor<&[u8]>> {
        let format = match self {
            Self::Jpeg => image::ImageFormat::Jpeg,
            Self::Png => image::ImageFormat::Png,
        };
        ImageReader::with_format(Cursor::new(file), format)
    }

    /// The media type that IANA has registered.
    pub fn media_type(self) -> &'static str {
        match self {
            Self::Jpeg => "image/jpeg",
            Self::Png => "image/png",
        }
    }

    /// The common extension of file names, without a dot.
    pub fn extension(self) -> &'static str {
        match self {
            Self::Jpeg => "jpg",
            Self::Png => "png",
        }
    }
}

/// The size of an image in pixels, and its channels.
#[derive(Debug, Clone, Copy, PartialEq, Eq, serde::Serialize)]
pub struct Size {
    /// Height.
    pub rows: u32,
    /// Width.
    pub cols: u32,
    /// 1 for grey images, 3 for red, green and blue.
    pub channels: u8,
}

impl Size {
    /// Bytes of the pixels, one for each channel.
    pub fn bytes(self) -> u64 {
        u64::from(self.rows) * u64::from(self.cols) * u64::from(self.channels)
    }
}

impl fmt::Display for Size {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} × {}", self.rows, self.cols)?;
        if self.channels == 1 { Ok(()) } else { write!(f, " × {}", self.channels) }
    }
}

/// An image as its source has it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Image {
    /// Pixels that no file format wraps yet.
    Raw {
        /// The size of the image.
        size: Size,
        /// `rows × cols × channels` bytes, row-major, 0 black.
        pixels: Vec<u8>,
    },
    /// The bytes of an image file.
    Encoded {
        /// The format of the file.
        format: ImageFormat,
        /// The whole file.
        bytes: Bytes,
    },
}

impl Image {
    /// The bytes that it takes in memory.
    pub fn bytes(&self) -> &[u8] {
        match self {
            Self::Raw { pixels, .. } => pixels,
            Self::Encoded { bytes, .. } => bytes,
        }
    }

    /// The format of an image file; `None` for pixels.
    pub fn format(&self) -> Option<ImageFormat> {
        match self {
            Self::Raw { .. } => None,
            Self::Encoded { format, .. } => Some(*format),
        }
    }

    /// A hash of the pixels, or of the image file, that is the same on every machine (XXH3, 64 bits).
    pub fn hash(&self) -> u64 {
        twox_hash::XxHash3_64::oneshot(self.bytes())
    }

    /// The pixels, decoded where the image is a file: upright, eight bits a channel, without alpha.
    ///
    /// # Errors
    /// A file that cannot be decoded.
    pub fn pixels(&self) -> Result<(Size, Cow<'_, [u8]>), BadImage> {
        let (format, file) = match self {
            Self::Raw { size, pixels } => return Ok((*size, pixels.into())),
            Self::Encoded { format, bytes } => (*format, bytes),
        };
        let mut decoder = format.reader(file).into_decoder()?;
        // Without it some photographs would lie on their side.
        let orientation = decoder.orientation()?;
        let mut upright = DynamicImage::from_decoder(decoder)?;
        upright.apply_orientation(orientation);
        let (cols, rows) = (upright.width(), upright.height());
        let (channels, pixels) = if upright.color().has_color() {
            (3, upright.into_rgb8().into_raw())
        } else {
            (1, upright.into_luma8().into_raw())
        };
        Ok((Size { rows, cols, channels }, pixels.into()))
    }
}

/// An image file that cannot be read.
#[derive(Debug, thiserror::Error)]
#[error("{0}")]
pub struct BadImage(ImageError);

impl From<ImageError> for BadImage {
    fn from(error: ImageError) -> Self {
        Self(error)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use image::codecs::png::PngEncoder;
    use image::{ExtendedColorType, ImageEncoder};

    fn png(pixels: &[u8], colour: ExtendedColorType) -> Bytes {
        let mut file = Vec::new();
        PngEncoder::new(&mut file).write_image(pixels, 2, 1, colour).unwrap();
        file.into()
    }

    #[test]
    fn a_file_tells_its_format_and_its_size() {
        let grey = png(&[1, 2], ExtendedColorType::L8);
        assert_eq!(ImageFormat::of(&grey), Some(ImageFormat::Png));
        assert_eq!(ImageFormat::of(b"\xFF\xD8\xFF\xE0"), Some(ImageFormat::Jpeg));
        assert_eq!(ImageFormat::of(b"GIF89a"), None);
        let size = |file: &[u8]| ImageFormat::Png.size(file);
        assert_eq!(size(&grey).unwrap(), Size { rows: 1, cols: 2, channels: 1 });
        let alpha = png(&[1, 2, 3, 4, 5, 6, 7, 8], ExtendedColorType::Rgba8);
        assert_eq!(size(&alpha).unwrap(), Size { rows: 1, cols: 2, channels: 3 });
        assert!(size(&grey[..20]).is_err());
    }

    #[test]
    fn files_are_decoded_to_pixels() {
        let alpha = png(&[1, 2, 3, 4, 5, 6, 7, 8], ExtendedColorType::Rgba8);
        let image = Image::Encoded { format: ImageFormat::Png, bytes: alpha.clone() };
        assert_eq!(image.hash(), twox_hash::XxHash3_64::oneshot(&alpha));
        let (size, pixels) = image.pixels().unwrap();
        assert_eq!((size.bytes(), &*pixels), (6, &[1, 2, 3, 5, 6, 7][..]));
        let cut = Image::Encoded { format: ImageFormat::Png, bytes: alpha.slice(..30) };
        assert!(cut.pixels().is_err());
    }
}
