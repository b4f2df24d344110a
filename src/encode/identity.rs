//! Which encoder makes an image's bytes, so that a conflict with another version's bytes has a name.

use super::Encoder;
use crate::model::ImageFormat;

/// The JPEG encoder; its number is raised when its bytes change.
const JPEG: &str = "jpeg/1";

/// The PNG encoder; its number is raised when its bytes change.
const PNG: &str = "png/1";

impl Encoder {
    /// Name and version of the encoder of pixels (`None`) or of an image file, such as `jpeg/1`; `None`
    /// where the file is stored unchanged.
    pub fn identity(&self, source: Option<ImageFormat>) -> Option<&'static str> {
        let encodes = !self.leaves_unchanged(source);
        encodes.then(|| match self.format(source) {
            ImageFormat::Jpeg => JPEG,
            ImageFormat::Png => PNG,
        })
    }
}

#[cfg(test)]
mod tests {
    use md5::{Digest, Md5};

    use super::super::{Encoding, OutputFormat};
    use super::*;
    use crate::model::{Image, Size};

    /// The MD5 of what each version makes of three pictures: grey, colour, and colour so large that JPEG
    /// halves it.
    const VERSIONS: [(&str, [&str; 3]); 2] = [
        (
            "jpeg/1",
            [
                "a542f4e343f9b012f283bb9de434b010",
                "ebd5cb53be5ecaaf2b313420d1bf44ac",
                "8cb2bff892b649fbdf4be0a2b7796ec4",
            ],
        ),
        (
            "png/1",
            [
                "0be89d60a71da293127e516a9c384f37",
                "d190c47a6be5c0d1ce905e83a65b98f8",
                "bedc60f67d7f74945a4b3ff0c1fec682",
            ],
        ),
    ];

    fn encoder(format: OutputFormat) -> Encoder {
        Encoder::new(Encoding { format, ..Encoding::default() })
    }

    /// Objects that are stored are compared with what is encoded anew: other bytes for the same pixels,
    /// be it by another version of a library, make each of them a conflict.
    #[test]
    fn bytes_change_only_with_the_version() {
        let picture = |rows: u32, cols: u32, channels: u8| {
            let size = Size { rows, cols, channels };
            let pixels = (0..size.bytes()).map(|i| (i * 7 % 251).to_le_bytes()[0]).collect();
            Image::Raw { size, pixels }
        };
        let pictures = [picture(28, 28, 1), picture(20, 31, 3), picture(130, 140, 3)];
        for format in [OutputFormat::Jpeg, OutputFormat::Png] {
            let encoder = encoder(format);
            let version = encoder.identity(None).unwrap();
            let known = VERSIONS.iter().find(|(known, _)| *known == version);
            let (_, expected) = known.expect("a new version has a line of its own in VERSIONS");
            let digests = pictures.each_ref().map(|picture| {
                data_encoding::HEXLOWER.encode(&Md5::digest(encoder.encode(picture).unwrap()))
            });
            assert_eq!(
                digests, *expected,
                "other bytes than {version} made: raise its number, and add a line to VERSIONS"
            );
        }
    }

    #[test]
    fn a_file_that_is_stored_unchanged_has_no_encoder() {
        let (jpeg, png) = (Some(ImageFormat::Jpeg), Some(ImageFormat::Png));
        let auto = encoder(OutputFormat::Auto);
        assert_eq!([None, jpeg, png].map(|from| auto.identity(from)), [Some(JPEG), None, None]);
        let to_png = encoder(OutputFormat::Png);
        assert_eq!(
            [None, jpeg, png].map(|from| to_png.identity(from)),
            [Some(PNG), Some(PNG), None]
        );
        let coloured = Encoder::new(Encoding { rgb: true, ..Encoding::default() });
        assert_eq!(
            [None, jpeg, png].map(|from| coloured.identity(from)),
            [Some(JPEG), Some(JPEG), Some(PNG)]
        );
    }
}
