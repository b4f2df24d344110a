//! The pieces of a template, and the proof that they name no two images alike.

use super::error::NameError;

/// Hexadecimal digits of a whole hash.
pub(super) const HASH_DIGITS: usize = 16;

/// A literal or a token of a template.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Piece {
    /// Text without a slash.
    Literal(String),
    Slash,
    Index {
        width: usize,
    },
    Label {
        width: usize,
    },
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
        !matches!(self, Self::Index { .. } | Self::Label { .. } | Self::Class | Self::Partition)
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

/// What makes names differ, if anything does. Names have as many slashes as their template, so that
/// equal names have equal parts between them: it is enough that one part differs between images.
pub(super) fn identity(pieces: &[Piece]) -> Result<Identity, NameError> {
    let parts = || pieces.split(|piece| *piece == Piece::Slash);
    if parts().any(has_index) {
        return Ok(Identity::Index);
    }
    if parts().any(has_hash) {
        return Ok(Identity::Content);
    }
    let has = |wanted: fn(&Piece) -> bool| pieces.iter().any(wanted);
    Err(NameError::NotUnique(if has(|piece| matches!(piece, Piece::Index { .. })) {
        "{index} runs into what is beside it; put a letter or _ between it and another \
         number, {class} or {hash}, and those on one side of it or a slash between"
    } else if has(|piece| matches!(piece, Piece::Hash { digits: HASH_DIGITS })) {
        "{hash} runs into what is beside it; put tokens of other kinds on one side of it, \
         or a slash between"
    } else {
        "it has no {index} and no {hash}"
    }))
}

/// Whether the index is a run of digits of known place in the part: the n-th from the left or from
/// the right, because pieces with an unknown number of digits are on one side of it, and no other
/// number touches it. Digits of a literal are the same in every name and may touch it.
fn has_index(part: &[Piece]) -> bool {
    part.iter().enumerate().any(|(at, piece)| {
        let (before, after) = (part.get(..at).unwrap_or(&[]), part.get(at + 1..).unwrap_or(&[]));
        let touched = touches(before.iter().rev(), false) || touches(after.iter(), true);
        let scattered = |pieces: &[Piece]| pieces.iter().any(Piece::scatters_digits);
        let lost = touched || scattered(before) && scattered(after);
        matches!(piece, Piece::Index { .. }) && !lost
    })
}

/// Whether a number touches what is beside these pieces, the nearest first.
fn touches<'a>(pieces: impl Iterator<Item = &'a Piece>, forwards: bool) -> bool {
    for piece in pieces {
        match piece {
            Piece::Literal(text) if text.bytes().all(|b| b.is_ascii_digit()) => {}
            // A letter ends the run of digits, wherever in the text it is.
            Piece::Literal(_) | Piece::Partition | Piece::Extension | Piece::Slash => return false,
            // Both begin and end with whatever they like, a class with a letter.
            Piece::Class => return !forwards,
            Piece::Hash { .. } | Piece::Index { .. } | Piece::Label { .. } => return true,
        }
    }
    false
}

/// Whether the whole hash is at a known place in the part: pieces without a fixed length are on one
/// side of it.
fn has_hash(part: &[Piece]) -> bool {
    part.iter().enumerate().any(|(at, piece)| {
        let (before, after) = (part.get(..at).unwrap_or(&[]), part.get(at + 1..).unwrap_or(&[]));
        *piece == Piece::Hash { digits: HASH_DIGITS }
            && (before.iter().all(Piece::is_fixed) || after.iter().all(Piece::is_fixed))
    })
}

pub(super) fn parse(text: &str) -> Result<Vec<Piece>, NameError> {
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
        "label" => Piece::Label { width: 0 },
        "class" => Piece::Class,
        "partition" => Piece::Partition,
        "hash" => Piece::Hash { digits: HASH_DIGITS },
        "ext" => Piece::Extension,
        _ => {
            let index = number("index:0", 20).map(|width| Piece::Index { width });
            let label = || number("label:0", 20).map(|width| Piece::Label { width });
            let hash = || number("hash:", HASH_DIGITS).map(|digits| Piece::Hash { digits });
            index.or_else(label).or_else(hash)?
        }
    })
}
