//! Which names a template can make, whatever the data set (pure).

use super::piece::Piece;
use crate::classes::is_label;
use crate::model::{ImageFormat, Partition};

/// What the tokens of a name stand for, as far as it has been read. A token that comes again stands for
/// the same again.
#[derive(Clone, Copy, Default)]
struct Tokens<'a> {
    index: Option<u32>,
    label: Option<u32>,
    class: Option<&'a str>,
    partition: Option<&'a str>,
    extension: Option<&'a str>,
    /// The most digits of the hash.
    hash: &'a str,
}

/// Whether some image gets this name.
pub(super) fn makes(pieces: &[Piece], name: &str) -> bool {
    continues(pieces, name, Tokens::default())
}

fn continues(pieces: &[Piece], name: &str, tokens: Tokens<'_>) -> bool {
    let Some((piece, pieces)) = pieces.split_first() else { return name.is_empty() };
    let parts = (0..=name.len()).filter_map(|end| name.split_at_checked(end));
    let mut read = parts.filter_map(|(part, rest)| Some((tokens.and(piece, part)?, rest)));
    read.any(|(tokens, rest)| continues(pieces, rest, tokens))
}

impl<'a> Tokens<'a> {
    /// These tokens and one more, if `text` can be that of `piece`.
    fn and(mut self, piece: &Piece, text: &'a str) -> Option<Self> {
        let agrees = match piece {
            Piece::Literal(literal) => literal == text,
            Piece::Slash => text == "/",
            Piece::Index { width } => {
                let number = number(text, *width)?;
                *self.index.get_or_insert(number) == number
            }
            Piece::Label { width } => {
                let number = number(text, *width)?;
                *self.label.get_or_insert(number) == number
            }
            Piece::Class => is_label(text) && *self.class.get_or_insert(text) == text,
            Piece::Partition => {
                let known = Partition::ALL.into_iter().any(|partition| partition.name() == text);
                known && *self.partition.get_or_insert(text) == text
            }
            Piece::Extension => {
                let known = ImageFormat::ALL.into_iter().any(|format| format.extension() == text);
                known && *self.extension.get_or_insert(text) == text
            }
            Piece::Hash { digits } => {
                let is_hex = |b: u8| matches!(b, b'0'..=b'9' | b'a'..=b'f');
                let (known, same) = (self.hash, text.len() == *digits && text.bytes().all(is_hex));
                self.hash = if known.len() < text.len() { text } else { known };
                same && (known.starts_with(text) || text.starts_with(known))
            }
        };
        agrees.then_some(self)
    }
}

/// The number that is written so, with zeros before it up to that width.
fn number(text: &str, width: usize) -> Option<u32> {
    let number = text.parse().ok()?;
    (format!("{number:0width$}") == text).then_some(number)
}

#[cfg(test)]
mod tests {
    use super::super::Template;

    #[test]
    fn names_that_a_template_makes_are_told_from_others() {
        for (template, made, others) in [
            (
                "image_{index}.{ext}",
                &["image_0.jpg", "image_4294967295.png"][..],
                &[
                    "notes.txt",
                    "image_.jpg",
                    "image_07.jpg",
                    "image_7.jpeg",
                    "image_7.jpg~",
                    "my_image_7.jpg",
                    "image_4294967296.jpg",
                    "a/image_7.jpg",
                    "",
                ][..],
            ),
            (
                "{partition}/{class}/{index:03}.jpg",
                &["train/T_shirt_top/000.jpg", "validation/class_7/1234.jpg"],
                &[
                    "training/a/000.jpg",
                    "train/T-shirt/000.jpg",
                    "train/7/000.jpg",
                    "train/a/00.jpg",
                    "train/a/0012.jpg",
                    "train/a/b/000.jpg",
                    "train/abcdefghijklmnopqrstuvwxyz_abcdefg/000.jpg",
                    "metadata.jsonl",
                    "train/metadata.jsonl",
                ],
            ),
            (
                "{hash:2}/{hash}.{ext}",
                &["0a/0a23456789abcdef.png"],
                &["0b/0a23456789abcdef.png", "0A/0A23456789abcdef.png", "0a/0a2345.png"],
            ),
            (
                "{class}/{class}_{label:02}_{index}",
                &["a/a_03_7", "a_1/a_1_11_1"],
                &["a/b_03_7", "a/a_3_7", "a/a_003_7"],
            ),
            ("é{index}", &["é7"], &["e7", "é", "7"]),
        ] {
            let template = Template::parse(template, "").unwrap();
            for name in made {
                assert!(template.makes(name), "{template:?} {name}");
            }
            for name in others {
                assert!(!template.makes(name), "{template:?} {name}");
            }
        }
    }
}
