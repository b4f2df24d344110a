//! How much memory the making of an image's file takes.

use super::{Encoder, Encoding, Scale};
use crate::model::{Image, Size};

impl Encoder {
    /// Bytes that one image takes at the most from here to the end of its upload: itself, its pixels
    /// where they are decoded or changed, and a file that is no larger than the pixels of which it is
    /// made. Of an image file only the header is read; one that cannot be read counts for what it is.
    pub fn memory(&self, image: &Image) -> u64 {
        let held = image.bytes().len() as u64;
        if self.leaves_unchanged(image.format()) {
            return held + held;
        }
        let (size, decoded) = match image {
            Image::Raw { size, .. } => (*size, [0, 0]),
            Image::Encoded { format, bytes } => match format.decoding(bytes) {
                Ok((size, decoded)) => (size, [size.bytes(), decoded]),
                Err(_) => return held + held,
            },
        };
        let [pixels, decoded] = decoded;
        let file = self.size(size).map_or(0, Size::bytes);
        let Encoding { scale, resize, rgb, .. } = self.encoding;
        let stretched = if scale == Scale::None { 0 } else { size.bytes() };
        let resized = resize.map_or(0, |resize| resize.memory(size));
        let coloured = if rgb { file } else { 0 };
        // Pixels of another kind, such as 16 bits a channel, are gone once ours are made of them.
        held + pixels + decoded.max(stretched + resized + coloured + file)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::encode::{Filter, Fit, OutputFormat, Resize, Subsampling};
    use crate::model::ImageFormat;
    use image::codecs::png::PngEncoder;
    use image::{ExtendedColorType, ImageEncoder};

    const AUTO: Encoding = Encoding {
        format: OutputFormat::Auto,
        quality: 75,
        subsampling: Subsampling::Auto,
        scale: Scale::None,
        resize: None,
        rgb: false,
    };

    fn grey(rows: u32, cols: u32) -> Image {
        let pixels = vec![0; (rows * cols) as usize];
        Image::Raw { size: Size { rows, cols, channels: 1 }, pixels }
    }

    fn png(colour: ExtendedColorType, bytes_a_pixel: usize) -> Image {
        let mut file = Vec::new();
        let pixels = vec![0; 40 * 30 * bytes_a_pixel];
        PngEncoder::new(&mut file).write_image(&pixels, 40, 30, colour).unwrap();
        Image::Encoded { format: ImageFormat::Png, bytes: file.into() }
    }

    fn memory(encoding: Encoding, image: &Image) -> u64 {
        Encoder::new(encoding).memory(image)
    }

    #[test]
    fn unchanged_pixels_count_for_themselves_and_their_file() {
        assert_eq!(memory(Encoding::default(), &grey(28, 28)), 2 * 784);
    }

    #[test]
    fn changed_pixels_count_beside_those_they_are_made_of() {
        let of = |encoding| memory(encoding, &grey(28, 28));
        assert_eq!(of(Encoding { scale: Scale::Keras, ..AUTO }), 3 * 784);
        assert_eq!(of(Encoding { rgb: true, ..AUTO }), 784 + 2 * 3 * 784);
        let resize = |fit| Some(Resize { cols: 280, rows: 140, filter: Filter::Lanczos3, fit });
        let (stretch, pad) = (resize(Fit::Stretch), resize(Fit::Pad));
        // Images of 280 × 140, and 28 lines that have their width.
        let (made, between) = (39_200, 7840);
        assert_eq!(of(Encoding { resize: stretch, ..AUTO }), 784 + 2 * made + between);
        assert_eq!(of(Encoding { resize: pad, ..AUTO }), 784 + 3 * made + between);
        let all = Encoding { resize: stretch, rgb: true, scale: Scale::Keras, ..AUTO };
        assert_eq!(of(all), 2 * 784 + made + between + 2 * 3 * made);
    }

    #[test]
    fn a_file_that_is_kept_is_not_decoded() {
        let file = png(ExtendedColorType::L8, 1);
        let len = file.bytes().len() as u64;
        assert!(len < 1200, "it is smaller than its pixels");
        assert_eq!(memory(Encoding::default(), &file), 2 * len);
    }

    #[test]
    fn a_file_that_is_decoded_counts_for_its_pixels_as_they_are_decoded() {
        let jpeg = Encoding { format: OutputFormat::Jpeg, ..Encoding::default() };
        for (colour, bytes_a_pixel, expected) in [
            (ExtendedColorType::L8, 1, 1200 + 1200),
            (ExtendedColorType::Rgb8, 3, 3600 + 3600),
            // Colour with alpha, 16 bits each, lies beside the red, green and blue made of it.
            (ExtendedColorType::Rgba16, 8, 3600 + 9600),
        ] {
            let file = png(colour, bytes_a_pixel);
            let len = file.bytes().len() as u64;
            assert_eq!(memory(jpeg, &file), len + expected, "{colour:?}");
        }
        let file = png(ExtendedColorType::L8, 1);
        let len = file.bytes().len() as u64;
        let resize = Resize { cols: 80, rows: 60, filter: Filter::Nearest, fit: Fit::Crop };
        let twice = Encoding { resize: Some(resize), ..jpeg };
        assert_eq!(memory(twice, &file), len + 1200 + 2 * 4800 + 2400);
    }

    #[test]
    fn what_cannot_be_encoded_counts_for_what_it_is() {
        let jpeg = Encoding { format: OutputFormat::Jpeg, ..Encoding::default() };
        let bytes = vec![0; 100].into();
        assert_eq!(memory(jpeg, &Image::Encoded { format: ImageFormat::Png, bytes }), 200);
        assert_eq!(memory(AUTO, &grey(1, 70_000)), 70_000, "it is too large for a JPEG");
    }
}
