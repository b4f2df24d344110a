use super::*;

const JPEG: Encoding = Encoding {
    format: OutputFormat::Auto,
    quality: 75,
    subsampling: Subsampling::Auto,
    scale: Scale::None,
    resize: None,
    rgb: false,
};
/// For images of 2 × 1 pixels.
const TWICE: Resize = Resize { cols: 4, rows: 2, filter: Filter::Nearest, fit: Fit::Stretch };
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
        let pixels: Vec<u8> =
            (0..rows * cols * 3).map(|i| (i % 977 * (i % 977) % 251).to_le_bytes()[0]).collect();
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
    let larger = encode(Encoding { resize: Some(TWICE), ..JPEG }, &file);
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
fn resized_images_are_encoded_at_their_size() {
    let encoding = Encoding { resize: Some(TWICE), rgb: true, ..PNG };
    let decoded = decode(&encode(encoding, &raw(1, 2, 1, [7, 9])));
    assert_eq!((decoded.width(), decoded.height()), (4, 2));
    assert_eq!(decoded.into_rgb8().into_raw(), [[7; 6], [9; 6]].concat().repeat(2));
    let size = Size { rows: 1, cols: 2, channels: 1 };
    let made = Encoder::new(encoding).size(size).unwrap();
    assert_eq!(made, Size { rows: 2, cols: 4, channels: 3 });
    // Brightness is stretched before, over the pixels of the source.
    let stretched = Encoding { resize: Some(TWICE), scale: Scale::Keras, ..PNG };
    let decoded = decode(&encode(stretched, &raw(1, 2, 1, [7, 9])));
    assert_eq!(decoded.into_luma8().into_raw(), [0, 0, 255, 255].repeat(2));
}

#[test]
fn images_beyond_the_size_of_jpeg_are_refused_unless_resized() {
    let size = Size { rows: 70_000, cols: 10, channels: 1 };
    let says = Encoder::new(JPEG).size(size).unwrap_err().to_string();
    assert!(says.contains("65,535"), "{says}");
    assert!(Encoder::new(Encoding { resize: Some(TWICE), ..JPEG }).size(size).is_ok());
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

/// Other bytes for the same pixels, be it by another version of the crate that resizes or on another
/// processor, would make a conflict of each object.
#[test]
fn resized_pixels_never_change() {
    let pixels: Vec<u8> = (0..40 * 50 * 3_u32).map(|i| (i * i % 251).to_le_bytes()[0]).collect();
    let image = raw(40, 50, 3, pixels);
    let sums = [Filter::Nearest, Filter::Bilinear, Filter::Lanczos3].map(|filter| {
        let resize = Some(Resize { cols: 64, rows: 32, filter, fit: Fit::Crop });
        let file = encode(Encoding { resize, ..PNG }, &image);
        crc32c::crc32c(decode(&file).as_bytes())
    });
    assert_eq!(sums, [2_440_850_192, 3_234_329_140, 1_614_064_247]);
}
