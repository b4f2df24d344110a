//! Object names: a template filled in for each image; and the rules for names.

mod rules;

use std::fmt::Write as _;

pub use self::rules::{check_bucket_name, check_gcs_object_name, check_object_name};
use crate::split::Partition;

/// The longest part between two slashes that usual file systems take, in bytes.
const LONGEST_PART: usize = 255;

/// What a template's tokens can say.
const TOKENS: &str = "{index}, {index:05}, {label}, {partition}";

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
    Literal(String),
    Index { width: usize },
    Label,
    Partition,
}

/// A name template such as `image_{index}.jpg`. Each image gets a name of its own.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Template(Vec<Piece>);

impl Template {
    /// Reads a template and proves that it gives each index a name of its own, below `prefix`,
    /// that Google Cloud Storage and a folder accept.
    ///
    /// # Errors
    /// What is wrong with it.
    pub fn parse(text: &str, prefix: &str) -> Result<Self, NameError> {
        let template = Self(pieces(text)?);
        template.prove_unique()?;
        let longest = template.longest();
        let longest = if prefix.is_empty() { longest } else { format!("{prefix}/{longest}") };
        check_object_name(&longest)?;
        Ok(template)
    }

    /// The longest name there can be: an index of ten digits, the longest partition.
    fn longest(&self) -> String {
        self.name(u32::MAX, u8::MAX, Partition::Validation)
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

    /// The name of one image, below the prefix.
    pub fn name(&self, index: u32, label: u8, partition: Partition) -> String {
        let mut name = String::with_capacity(32);
        for piece in &self.0 {
            // Writing into a string cannot fail.
            let _ = match piece {
                Piece::Literal(text) => name.write_str(text),
                Piece::Index { width } => write!(name, "{index:0width$}"),
                Piece::Label => write!(name, "{label}"),
                Piece::Partition => name.write_str(partition.name()),
            };
        }
        name
    }

    /// The text with which every name begins.
    pub fn literal_prefix(&self) -> &str {
        match self.0.first() {
            Some(Piece::Literal(text)) => text,
            _ => "",
        }
    }

    /// The index in a name that this template made. For any other name the answer means nothing:
    /// make the name of that index and compare.
    pub fn index_in(&self, name: &str) -> Option<u32> {
        // Which run of digits holds the index, and how many digits of it are a literal's.
        let mut text = String::new();
        let mut index_at = None;
        for piece in &self.0 {
            match piece {
                Piece::Literal(literal) => text.push_str(literal),
                Piece::Partition => text.push('p'),
                Piece::Index { .. } if index_at.is_none() => {
                    index_at = Some(text.len());
                    text.push('0');
                }
                Piece::Index { .. } | Piece::Label => text.push('0'),
            }
        }
        let index_at = index_at?;
        let (run, (start, end)) = digit_runs(&text)
            .enumerate()
            .find(|(_, (start, end))| (*start..*end).contains(&index_at))?;
        let (from, to) = digit_runs(name).nth(run)?;
        name.get(from + (index_at - start)..to.checked_sub(end - index_at - 1)?)?.parse().ok()
    }

    /// The index is a run of digits of known place in the name as long as no other number of
    /// varying length touches it: then equal names have equal indices. Digits of a literal are the
    /// same in every name and may touch it.
    fn prove_unique(&self) -> Result<(), NameError> {
        let mut index_seen = false;
        let mut numbers_in_run = 0;
        let mut run_has_index = false;
        for piece in &self.0 {
            match piece {
                Piece::Literal(text) if text.bytes().all(|b| b.is_ascii_digit()) => {}
                Piece::Literal(_) | Piece::Partition => {
                    (numbers_in_run, run_has_index) = (0, false);
                }
                Piece::Index { .. } | Piece::Label => {
                    numbers_in_run += 1;
                    run_has_index |= matches!(piece, Piece::Index { .. });
                    index_seen |= run_has_index;
                }
            }
            if run_has_index && numbers_in_run > 1 {
                return Err(NameError::NotUnique(
                    "another number touches {index}; put a letter or _ between them",
                ));
            }
        }
        if index_seen { Ok(()) } else { Err(NameError::NotUnique("it has no {index}")) }
    }
}

/// Where the maximal runs of ASCII digits in a text begin and end.
fn digit_runs(text: &str) -> impl Iterator<Item = (usize, usize)> {
    let mut digits = text.bytes().enumerate().filter(|(_, b)| b.is_ascii_digit()).map(|(i, _)| i);
    let mut start = digits.next();
    std::iter::from_fn(move || {
        let from = start.take()?;
        let mut end = from + 1;
        for at in digits.by_ref() {
            if at != end {
                start = Some(at);
                break;
            }
            end += 1;
        }
        Some((from, end))
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
        if !literal.is_empty() {
            pieces.push(Piece::Literal(literal.to_owned()));
        }
        if literal.len() == rest.len() {
            break;
        }
        let (token, after) = after.split_once('}').ok_or(NameError::Brace)?;
        pieces.push(match token {
            "index" => Piece::Index { width: 0 },
            "label" => Piece::Label,
            "partition" => Piece::Partition,
            _ => token
                .strip_prefix("index:0")
                .and_then(|width| width.parse().ok())
                .filter(|width| (1..=20).contains(width))
                .map(|width| Piece::Index { width })
                .ok_or_else(|| NameError::UnknownToken(token.to_owned()))?,
        });
        rest = after;
    }
    Ok(pieces)
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;
    use std::collections::HashMap;

    fn parse(text: &str) -> Result<Template, NameError> {
        Template::parse(text, "fm")
    }

    #[test]
    fn fills_in_the_tokens() {
        let name = |text| parse(text).unwrap().name(7, 9, Partition::Train);
        assert_eq!(name("image_{index}.jpg"), "image_7.jpg");
        assert_eq!(name("{partition}/{label}/{index:05}.jpg"), "train/9/00007.jpg");
        assert_eq!(name("{label}-{index}"), "9-7");
    }

    #[test]
    fn refuses_templates_that_cannot_work() {
        let unknown = parse("image_{idx}.jpg").unwrap_err();
        assert_eq!(unknown, NameError::UnknownToken("idx".to_owned()));
        assert!(unknown.to_string().contains("{idx}; known are {index}, "));
        for text in ["{index:5}", "{index:0}", "{index:00}", "{index:099}", "{}"] {
            assert!(matches!(parse(text), Err(NameError::UnknownToken(_))), "{text}");
        }
        for text in ["image_{index", "image_}{index}", "{index}}"] {
            assert_eq!(parse(text), Err(NameError::Brace), "{text}");
        }
        for text in ["", "image.jpg", "{label}.jpg", "{index}{label}", "{label}0{index}"] {
            assert!(matches!(parse(text), Err(NameError::NotUnique(_))), "{text}");
        }
        for text in ["/{index}", "a//{index}", "../{index}", "{index}/", "a/./{index}", "\n{index}"]
        {
            assert!(matches!(parse(text), Err(NameError::Refused(_))), "{text}");
        }
        assert!(parse(&format!("{}{{index}}", "x".repeat(1011))).is_ok(), "1024 with fm/ and ten");
        assert!(parse(&format!("{}{{index}}", "x".repeat(1012))).is_err());
    }

    fn part() -> impl Strategy<Value = String> {
        prop_oneof![
            Just("{index}".to_owned()),
            Just("{index:03}".to_owned()),
            Just("{label}".to_owned()),
            Just("{partition}".to_owned()),
            "[0-9a-c_]{1,2}",
        ]
    }

    proptest! {
        #[test]
        fn any_name_can_be_asked_for_its_index(name: String) {
            let _ = parse("a1{index}2/{label}").unwrap().index_in(&name);
        }

        /// A template that is accepted never names two images alike.
        #[test]
        fn accepted_templates_are_unique(
            parts in prop::collection::vec(part(), 1..6),
            labels in prop::collection::vec(any::<u8>(), 150),
        ) {
            if let Ok(template) = parse(&parts.concat()) {
                let mut seen = HashMap::new();
                for (index, label) in (0..).zip(labels) {
                    let partition = Partition::ALL[usize::from(label) % 3];
                    let name = template.name(index, label, partition);
                    prop_assert_eq!(template.index_in(&name), Some(index), "{}", name);
                    prop_assert_eq!(seen.insert(name, index), None);
                }
            }
        }
    }
}
