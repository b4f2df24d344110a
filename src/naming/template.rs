//! Name templates: their tokens, and the proof that they name no two images alike.

use std::fmt::Write as _;

use super::Item;
use super::rules::check_object_name;
use crate::classes::Classes;
use crate::model::{ImageFormat, Partition};

/// The longest part between two slashes that usual file systems take, in bytes.
const LONGEST_PART: usize = 255;

/// Hexadecimal digits of a whole hash.
const HASH_DIGITS: usize = 16;

/// A class that takes as many characters as a label may have.
const LONGEST_CLASS: &str = "abcdefghijklmnopqrstuvwxyz_abcde";

/// What a template's tokens can say.
const TOKENS: &str = "{index}, {index:05}, {label}, {class}, {partition}, {hash}, {hash:2}, {ext}";

/// Why a name or a template cannot be used.
#[derive(Debug, thiserror::Error, PartialEq, Eq)]
pub enum NameError {
    /// A token that means nothing.
    #[error("unknown token {{{0}}}; known are {TOKENS}")]
    UnknownToken(String),
    /// `{` without `}`, or the other way round.
    #[error("a brace is not closed or not opened; tokens are {TOKENS}")]
    Brace,
    /// Two images could get the same name.
    #[error("two images can get one name: {0}")]
    NotUnique(&'static str),
    /// A name that Google Cloud Storage or a folder cannot hold.
    #[error("{0}")]
    Refused(String),
}

#[derive(Debug, Clone, PartialEq, Eq)]
enum Piece {
    /// Text without a slash.
    Literal(String),
    Slash,
    Index {
        width: usize,
    },
    Label,
    Class,
    Partition,
    Hash {
        digits: usize,
    },
    Extension,
}

impl Piece {
    /// Whether its text always has the same length.
    fn is_fixed(&self) -> bool {
        !matches!(self, Self::Index { .. } | Self::Label | Self::Class | Self::Partition)
    }

    /// Whether its text can hold digits, in places that are not known.
    fn scatters_digits(&self) -> bool {
        matches!(self, Self::Class | Self::Hash { .. })
    }
}

/// What makes the names of two images differ.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Identity {
    /// Their position.
    Index,
    /// Their content: images of the same pixels would get one name.
    Content,
}

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
        let pieces = pieces(text)?;
        let identity = identity(&pieces)?;
        let template = Self { pieces, identity };
        let longest = template.longest();
        let longest = if prefix.is_empty() { longest } else { format!("{prefix}/{longest}") };
        check_object_name(&longest)?;
        Ok(template)
    }

    /// The longest name there can be: ten digits of index and label, the longest class and partition.
    fn longest(&self) -> String {
        let longest = Item {
            index: u32::MAX,
            label: Some(u32::MAX),
            partition: Partition::Validation,
            format: ImageFormat::Jpeg,
            hash: 0,
        };
        let class = Classes::new(vec![LONGEST_CLASS.to_owned()], u32::MAX);
        self.fill(&longest, &class.unwrap_or_default())
    }

    /// Checks that the names can be those of files.
    ///
    /// # Errors
    /// A part between slashes that is longer than file systems take.
    pub fn check_file_names(&self) -> Result<(), NameError> {
        match self.longest().split('/').map(str::len).find(|len| *len > LONGEST_PART) {
            None => Ok(()),
            Some(len) => Err(NameError::Refused(format!(
                "a part between slashes can take {len} bytes; files allow {LONGEST_PART}"
            ))),
        }
    }

    /// The folder in which all names are, if it is the same for all.
    pub fn first_folder(&self) -> Option<&str> {
        match self.pieces.as_slice() {
            [Piece::Literal(folder), Piece::Slash, ..] => Some(folder),
            _ => None,
        }
    }

    /// What makes the names of two images differ.
    pub fn identity(&self) -> Identity {
        self.identity
    }

    /// Whether names tell of the content.
    pub fn uses_hash(&self) -> bool {
        self.pieces.iter().any(|piece| matches!(piece, Piece::Hash { .. }))
    }

    /// Whether names tell of the label.
    pub fn uses_label(&self) -> bool {
        self.pieces.iter().any(|piece| matches!(piece, Piece::Label | Piece::Class))
    }

    /// Whether names tell of the partition.
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
        let mut name = String::with_capacity(32);
        for piece in &self.pieces {
            // Writing into a string cannot fail.
            let _ = match piece {
                Piece::Literal(text) => name.write_str(text),
                Piece::Slash => name.write_char('/'),
                Piece::Index { width } => write!(name, "{:0width$}", item.index),
                Piece::Label => item.label.map_or(Ok(()), |label| write!(name, "{label}")),
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

    /// The text with which every name begins, up to a slash.
    pub(super) fn literal_prefix(&self) -> &str {
        match self.pieces.first() {
            Some(Piece::Literal(text)) => text,
            _ => "",
        }
    }
}

/// What makes names differ, if anything does. Names have as many slashes as their template, so that
/// equal names have equal parts between them: it is enough that one part tells images apart.
fn identity(pieces: &[Piece]) -> Result<Identity, NameError> {
    let parts = || pieces.split(|piece| *piece == Piece::Slash);
    if parts().any(tells_index) {
        return Ok(Identity::Index);
    }
    if parts().any(tells_content) {
        return Ok(Identity::Content);
    }
    let has = |wanted: fn(&Piece) -> bool| pieces.iter().any(wanted);
    Err(NameError::NotUnique(if has(|piece| matches!(piece, Piece::Index { .. })) {
        "{index} cannot be told from what stands beside it; put a letter or _ between it and another \
         number, {class} or {hash}, and those on one side of it or a slash between"
    } else if has(|piece| matches!(piece, Piece::Hash { digits: HASH_DIGITS })) {
        "{hash} cannot be told from what stands beside it; put tokens of other kinds on one side of it, \
         or a slash between"
    } else {
        "it has no {index} and no {hash}"
    }))
}

/// Whether the index is a run of digits of known place in the part: the n-th from the left or from
/// the right, because what holds an unknown number of digits stands on one side of it, and no other
/// number touches it. Digits of a literal are the same in every name and may touch it.
fn tells_index(part: &[Piece]) -> bool {
    part.iter().enumerate().any(|(at, piece)| {
        let (before, after) = (part.get(..at).unwrap_or(&[]), part.get(at + 1..).unwrap_or(&[]));
        let touched = touches(before.iter().rev(), false) || touches(after.iter(), true);
        let scattered = |pieces: &[Piece]| pieces.iter().any(Piece::scatters_digits);
        let lost = touched || scattered(before) && scattered(after);
        matches!(piece, Piece::Index { .. }) && !lost
    })
}

/// Whether a number touches what stands beside these pieces, the nearest first.
fn touches<'a>(pieces: impl Iterator<Item = &'a Piece>, forwards: bool) -> bool {
    for piece in pieces {
        match piece {
            Piece::Literal(text) if text.bytes().all(|b| b.is_ascii_digit()) => {}
            // A letter ends the run of digits, wherever in the text it is.
            Piece::Literal(_) | Piece::Partition | Piece::Extension | Piece::Slash => return false,
            // Both begin and end with whatever they like, a class with a letter.
            Piece::Class => return !forwards,
            Piece::Hash { .. } | Piece::Index { .. } | Piece::Label => return true,
        }
    }
    false
}

/// Whether the whole hash stands at a known place in the part: what has no fixed length is on one
/// side of it.
fn tells_content(part: &[Piece]) -> bool {
    part.iter().enumerate().any(|(at, piece)| {
        let (before, after) = (part.get(..at).unwrap_or(&[]), part.get(at + 1..).unwrap_or(&[]));
        *piece == Piece::Hash { digits: HASH_DIGITS }
            && (before.iter().all(Piece::is_fixed) || after.iter().all(Piece::is_fixed))
    })
}

fn pieces(text: &str) -> Result<Vec<Piece>, NameError> {
    let mut pieces = Vec::new();
    let mut rest = text;
    while !rest.is_empty() {
        let (literal, after) = rest.split_once('{').unwrap_or((rest, ""));
        if literal.contains('}') {
            return Err(NameError::Brace);
        }
        for (nth, part) in literal.split('/').enumerate() {
            if nth > 0 {
                pieces.push(Piece::Slash);
            }
            if !part.is_empty() {
                pieces.push(Piece::Literal(part.to_owned()));
            }
        }
        if literal.len() == rest.len() {
            break;
        }
        let (token, after) = after.split_once('}').ok_or(NameError::Brace)?;
        pieces.push(piece(token).ok_or_else(|| NameError::UnknownToken(token.to_owned()))?);
        rest = after;
    }
    Ok(pieces)
}

fn piece(token: &str) -> Option<Piece> {
    let number = |prefix: &str, most: usize| {
        let number: usize = token.strip_prefix(prefix)?.parse().ok()?;
        (1..=most).contains(&number).then_some(number)
    };
    Some(match token {
        "index" => Piece::Index { width: 0 },
        "label" => Piece::Label,
        "class" => Piece::Class,
        "partition" => Piece::Partition,
        "hash" => Piece::Hash { digits: HASH_DIGITS },
        "ext" => Piece::Extension,
        _ => match number("index:0", 20) {
            Some(width) => Piece::Index { width },
            None => Piece::Hash { digits: number("hash:", HASH_DIGITS)? },
        },
    })
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
        for text in ["{index:5}", "{index:0}", "{index:00}", "{index:099}", "{hash:0}", "{hash:17}"]
        {
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
    fn knows_what_tells_images_apart() {
        for (text, identity) in [
            ("{class}/{index}_{hash}.{ext}", Identity::Index),
            ("{index}{class}", Identity::Index),
            ("{hash:2}/{hash}.{ext}", Identity::Content),
            ("{class}{hash}", Identity::Content),
            ("{hash}{index}", Identity::Content),
        ] {
            assert_eq!(parse(text).unwrap().identity(), identity, "{text}");
        }
    }

    fn part() -> impl Strategy<Value = String> {
        let tokens = "{index}|{index:03}|{label}|{class}|{partition}|{hash}|{hash:2}|{ext}|/|_|1";
        let tokens: Vec<_> = tokens.split('|').map(str::to_owned).collect();
        prop_oneof![3 => prop::sample::select(tokens), 1 => "[0-9a-c_]{1,2}"]
    }

    proptest! {
        /// A template that is accepted never names two images alike.
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
                    let before = seen.insert(fill(&template, &item), item);
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
