//! Name templates: their tokens, and the proof that they name no two images alike.

use std::fmt::Write as _;
use std::ops::Range;

use super::Item;
use super::error::NameError;
use super::matching;
use super::piece::{self, HASH_DIGITS, Identity, Piece};
use super::rules::{check_file_name, check_object_name};
use crate::classes::Classes;
use crate::model::{ImageFormat, Partition};

/// The longest part between two slashes that common file systems take, in bytes.
const LONGEST_PART: usize = 255;

/// A class that takes as many characters as a label may have.
const LONGEST_CLASS: &str = "abcdefghijklmnopqrstuvwxyz_abcde";

/// An image whose name is as long as any.
const LONGEST: Item = Item {
    index: u32::MAX,
    label: Some(u32::MAX),
    partition: Partition::Validation,
    format: ImageFormat::Jpeg,
    hash: 0,
};

/// A name template such as `image_{index}.jpg`. Each image gets a name of its own.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Template {
    pieces: Vec<Piece>,
    identity: Identity,
}

impl Template {
    /// Reads a template and proves that it gives each image a name of its own, below `prefix`,
    /// that Google Cloud Storage and a folder accept.
    ///
    /// # Errors
    /// What is wrong with it.
    pub fn parse(text: &str, prefix: &str) -> Result<Self, NameError> {
        let pieces = piece::parse(text)?;
        let identity = piece::identity(&pieces)?;
        let template = Self { pieces, identity };
        let longest = template.longest();
        let longest = if prefix.is_empty() { longest } else { format!("{prefix}/{longest}") };
        check_object_name(&longest)?;
        Ok(template)
    }

    /// The longest name there can be: ten digits of index and label, the longest class and partition.
    fn longest(&self) -> String {
        let class = Classes::new(vec![LONGEST_CLASS.to_owned()], u32::MAX);
        self.fill(&LONGEST, &class.unwrap_or_default())
    }

    /// Checks that the names can be those of files on any system.
    ///
    /// # Errors
    /// A part between slashes that is longer than file systems take, has a character that Windows
    /// refuses, or is reserved there.
    pub fn check_file_names(&self) -> Result<(), NameError> {
        if let Some(len) = self.longest().split('/').map(str::len).find(|len| *len > LONGEST_PART) {
            return Err(NameError::Refused(format!(
                "a part between slashes can take {len} bytes; files allow {LONGEST_PART}"
            )));
        }
        // Tokens are neither reserved nor do they have such characters: any text will do for them.
        let token = |piece: &Piece| match piece {
            Piece::Literal(text) => text.clone(),
            _ => "0".to_owned(),
        };
        let parts = self.pieces.split(|piece| *piece == Piece::Slash);
        parts.map(|part| part.iter().map(token).collect::<String>()).try_for_each(check_file_name)
    }

    /// Whether there is a folder of this name where a manifest is stored: first of all, or first below
    /// that of a partition.
    pub fn has_folder(&self, name: &str) -> bool {
        let below = self.pieces.strip_prefix(&[Piece::Partition, Piece::Slash]);
        match below.unwrap_or(&self.pieces) {
            [Piece::Literal(folder), Piece::Slash, ..] => folder == name,
            _ => false,
        }
    }

    /// The folder that holds the images of a class and no others', where the template makes one.
    pub fn class_folder(&self, label: u32, classes: &Classes) -> Option<String> {
        let mut parts = self.pieces.split(|piece| *piece == Piece::Slash);
        let tells_class = |part: &[Piece]| {
            let of_class = |piece: &Piece| matches!(piece, Piece::Label { .. } | Piece::Class);
            let same = |piece: &Piece| of_class(piece) || matches!(piece, Piece::Literal(_));
            part.iter().any(of_class) && part.iter().all(same)
        };
        let folder = parts.find(|part| tells_class(part)).filter(|_| parts.next().is_some())?;
        let item = Item { label: Some(label), ..LONGEST };
        Some(fill(folder, &item, classes))
    }

    /// What makes the names of two images differ.
    pub fn identity(&self) -> Identity {
        self.identity
    }

    /// Whether names have a hash of the content.
    pub fn uses_hash(&self) -> bool {
        self.pieces.iter().any(|piece| matches!(piece, Piece::Hash { .. }))
    }

    /// Whether names have the label or the class.
    pub fn uses_label(&self) -> bool {
        self.pieces.iter().any(|piece| matches!(piece, Piece::Label { .. } | Piece::Class))
    }

    /// Whether names have the partition.
    pub fn uses_partition(&self) -> bool {
        self.pieces.contains(&Piece::Partition)
    }

    /// Whether each partition has a folder of its own, and that is the first.
    pub fn begins_with_partition(&self) -> bool {
        self.pieces.starts_with(&[Piece::Partition, Piece::Slash])
    }

    /// The name of one image. An image without a label has an empty one; templates that ask for it are
    /// refused there.
    pub(super) fn fill(&self, item: &Item, classes: &Classes) -> String {
        fill(&self.pieces, item, classes)
    }

    /// Whether it can give this name to an image of any data set, in any partition, format or class.
    pub fn makes(&self, name: &str) -> bool {
        matching::makes(&self.pieces, name)
    }

    /// From which name on, and before which, the names of images with these indices lie, and no other
    /// image's; `None` where names do not sort by index: before it may stand nothing but text, and it
    /// needs zeros up to as many digits as the last has.
    pub(super) fn between(&self, indices: &Range<u32>) -> Option<(String, String)> {
        let digits = |index: u32| index.checked_ilog10().unwrap_or(0) as usize + 1;
        let mut text = String::new();
        for piece in &self.pieces {
            match piece {
                Piece::Literal(part) => text.push_str(part),
                Piece::Slash => text.push('/'),
                Piece::Index { width } => {
                    let width = *width;
                    if digits(indices.end.saturating_sub(1)) > width {
                        return None;
                    }
                    let start = format!("{text}{:0width$}", indices.start);
                    // After the last number of so many digits comes what follows the digit 9.
                    let end = if digits(indices.end) > width {
                        format!("{text}:")
                    } else {
                        format!("{text}{:0width$}", indices.end)
                    };
                    return Some((start, end));
                }
                _ => return None,
            }
        }
        None
    }

    /// The text with which every name begins, up to a slash.
    pub(super) fn literal_prefix(&self) -> &str {
        match self.pieces.first() {
            Some(Piece::Literal(text)) => text,
            _ => "",
        }
    }
}

/// Pieces filled in for one image.
fn fill(pieces: &[Piece], item: &Item, classes: &Classes) -> String {
    let mut name = String::with_capacity(32);
    for piece in pieces {
        // Writing into a string cannot fail.
        let _ = match piece {
            Piece::Literal(text) => name.write_str(text),
            Piece::Slash => name.write_char('/'),
            Piece::Index { width } => write!(name, "{:0width$}", item.index),
            Piece::Label { width } => {
                item.label.map_or(Ok(()), |label| write!(name, "{label:0width$}"))
            }
            Piece::Class => {
                item.label.map_or(Ok(()), |label| name.write_str(&classes.label(label)))
            }
            Piece::Partition => name.write_str(item.partition.name()),
            Piece::Hash { digits } => {
                write!(name, "{:0digits$x}", item.hash >> (4 * (HASH_DIGITS - digits)))
            }
            Piece::Extension => name.write_str(item.format.extension()),
        };
    }
    name
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;
    use std::collections::HashMap;

    fn parse(text: &str) -> Result<Template, NameError> {
        Template::parse(text, "fm")
    }

    fn classes() -> Classes {
        let names = ["T-shirt/top", "x 1", "x", "class 10"].map(str::to_owned);
        Classes::new(names.into(), 0).unwrap()
    }

    fn fill(template: &Template, item: &Item) -> String {
        template.fill(item, &classes())
    }

    #[test]
    fn fills_in_the_tokens() {
        let (partition, hash) = (Partition::Train, 0x00ab_cdef_0123_4567);
        let format = ImageFormat::Jpeg;
        let item = Item { index: 7, label: Some(9), partition, format, hash };
        let name = |text| fill(&parse(text).unwrap(), &item);
        assert_eq!(name("image_{index}.{ext}"), "image_7.jpg");
        assert_eq!(name("{partition}/{label}/{index:05}.jpg"), "train/9/00007.jpg");
        assert_eq!(name("{label}-{index}"), "9-7");
        assert_eq!(name("{class}/{index}"), "class_9/7");
        assert_eq!(name("{hash:2}/{hash}.{ext}"), "00/00abcdef01234567.jpg");
        assert_eq!(name("{label:02}/{label:03}_{index}"), "09/009_7");
        let png = Item { format: ImageFormat::Png, ..item };
        assert_eq!(fill(&parse("{index}.{ext}").unwrap(), &png), "7.png");
        let named = Item { label: Some(0), ..item };
        let name = fill(&parse("{class}/{index}").unwrap(), &named);
        assert_eq!(name, "T_shirt_top/7");
    }

    #[test]
    fn refuses_templates_that_cannot_work() {
        let unknown = parse("image_{idx}.jpg").unwrap_err();
        assert_eq!(unknown, NameError::UnknownToken("idx".to_owned()));
        assert!(unknown.to_string().contains("{idx}; known are {index}, "));
        for text in [
            "{index:5}",
            "{index:0}",
            "{index:00}",
            "{index:099}",
            "{hash:0}",
            "{hash:17}",
            "{label:2}",
        ] {
            assert!(matches!(parse(text), Err(NameError::UnknownToken(_))), "{text}");
        }
        for text in ["image_{index", "image_}{index}", "{index}}"] {
            assert_eq!(parse(text), Err(NameError::Brace), "{text}");
        }
        for text in [
            "",
            "image.jpg",
            "{label}.jpg",
            "{index}{label}",
            "{label}0{index}",
            "{hash:8}",
            "{hash:2}{index}",
            "{class}{index}",
            "{class}_{index}_{hash:2}",
            "{label}{hash}{class}",
        ] {
            assert!(matches!(parse(text), Err(NameError::NotUnique(_))), "{text}");
        }
        for text in ["/{index}", "a//{index}", "../{index}", "{index}/", "a/./{index}", "\n{index}"]
        {
            assert!(matches!(parse(text), Err(NameError::Refused(_))), "{text}");
        }
        assert!(parse(&format!("{}{{index}}", "x".repeat(1011))).is_ok(), "1024 with fm/ and ten");
        assert!(parse(&format!("{}{{index}}", "x".repeat(1012))).is_err());
        let long = parse(&format!("{}{{class}}_{{index}}", "x".repeat(212))).unwrap();
        assert!(long.check_file_names().is_ok(), "255 with a class of 32 and ten digits");
        let long = parse(&format!("{}{{class}}_{{index}}", "x".repeat(213))).unwrap();
        assert!(long.check_file_names().is_err());
    }

    #[test]
    fn knows_what_makes_names_differ() {
        for (text, identity) in [
            ("{class}/{index}_{hash}.{ext}", Identity::Index),
            ("{index}{class}", Identity::Index),
            ("{hash:2}/{hash}.{ext}", Identity::Content),
            ("{class}{hash}", Identity::Content),
            ("{partition}/image_{hash}.{ext}", Identity::Content),
            ("{hash}{index}", Identity::Content),
        ] {
            assert_eq!(parse(text).unwrap().identity(), identity, "{text}");
        }
    }

    #[test]
    fn names_of_files_can_be_used_on_any_system() {
        for (text, why) in [
            ("a:b_{index}", "':'"),
            ("what?/{index}", "'?'"),
            ("{index}<{ext}", "'<'"),
            ("con/{index}.{ext}", "device"),
            ("NUL.old/{index}", "device"),
            ("Com7/{index}", "device"),
            ("lpt1.a.b/{index}", "device"),
            ("a./{index}", "dot or a blank"),
            ("{index} ", "dot or a blank"),
            ("{index}.", "dot or a blank"),
        ] {
            let error = parse(text).unwrap().check_file_names().unwrap_err().to_string();
            assert!(error.contains(why), "{text}: {error}");
        }
        for text in [
            "console/{index}",
            "com/{index}",
            "com0/{index}",
            "com10/{index}",
            "con{index}",
            "{partition}/{class}/{index}.{ext}",
            "aux_{label}/.{index}",
        ] {
            assert_eq!(parse(text).unwrap().check_file_names(), Ok(()), "{text}");
        }
    }

    #[test]
    fn folders_that_a_manifest_would_need_are_known() {
        let has = |text: &str| parse(text).unwrap().has_folder("metadata.jsonl");
        assert!(has("metadata.jsonl/{index}") && has("{partition}/metadata.jsonl/{index}"));
        for text in [
            "a/metadata.jsonl/{index}",
            "metadata.jsonl_{index}",
            "{label}/metadata.jsonl/{index}",
            "{partition}/{index}",
        ] {
            assert!(!has(text), "{text}");
        }
    }

    #[test]
    fn what_names_hold_of_an_image_is_known() {
        // Hash, label, partition, a folder for each partition.
        for (text, uses) in [
            ("{index}.{ext}", [false; 4]),
            ("{hash:2}/{index}", [true, false, false, false]),
            ("{hash}", [true, false, false, false]),
            ("{label:02}/{index}", [false, true, false, false]),
            ("{class}/{index}", [false, true, false, false]),
            ("{partition}/{index}", [false, false, true, true]),
            ("{partition}_{index}", [false, false, true, false]),
            ("a/{partition}/{index}", [false, false, true, false]),
        ] {
            let template = parse(text).unwrap();
            let folders = template.begins_with_partition();
            let (hash, label) = (template.uses_hash(), template.uses_label());
            assert_eq!([hash, label, template.uses_partition(), folders], uses, "{text}");
        }
    }

    #[test]
    fn the_folder_of_a_class_is_known() {
        let folder = |text: &str| parse(text).unwrap().class_folder(1, &classes());
        assert_eq!(folder("{class}/{index}").unwrap(), "x_1");
        assert_eq!(folder("{partition}/of_{label:02}/{index}").unwrap(), "of_01");
        assert_eq!(folder("{label}_{class}/{index}").unwrap(), "1_x_1");
        for text in ["{index}", "{class}_{index}", "{partition}/{class}_{index}.{ext}", "a/{index}"]
        {
            assert_eq!(folder(text), None, "{text}");
        }
    }

    fn part() -> impl Strategy<Value = String> {
        let tokens =
            "{index}|{index:03}|{label}|{label:02}|{class}|{partition}|{hash}|{hash:2}|{ext}|/|_|1";
        let tokens: Vec<_> = tokens.split('|').map(str::to_owned).collect();
        prop_oneof![3 => prop::sample::select(tokens), 1 => "[0-9a-c_]{1,2}"]
    }

    proptest! {
        /// A template that is accepted never names two images alike, and knows its names again.
        #[test]
        fn accepted_templates_are_unique(
            parts in prop::collection::vec(part(), 1..7),
            images in prop::collection::vec((0..14_u32, 0..3_usize, 0..40_u64), 150),
        ) {
            if let Ok(template) = parse(&parts.concat()) {
                let mut seen = HashMap::new();
                for (index, (label, partition, hash)) in (0..).zip(images) {
                    let hash = hash << 60 | hash >> 4 << 2;
                    let partition = Partition::ALL[partition];
                    let format = ImageFormat::Jpeg;
                    let item = Item { index, label: Some(label), partition, format, hash };
                    let name = fill(&template, &item);
                    prop_assert!(template.makes(&name), "{}", name);
                    let before = seen.insert(name, item);
                    let alike = before.filter(|before| match template.identity() {
                        Identity::Index => true,
                        Identity::Content => before.hash != hash,
                    });
                    prop_assert_eq!(alike, None);
                }
            }
        }
    }
}
