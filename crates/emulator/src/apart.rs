//! Paths for object names that a file system cannot have: `a//b`, `a/`, `..`, a part of more than
//! 255 bytes, or `a` beside `a/b`.
//!
//! The name is percent-encoded and cut into pieces, each a directory but the last. A directory's
//! name ends in `~`, which a piece never has, so that no name is in the way of another.

use std::path::{Path, PathBuf};

use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, percent_decode_str, utf8_percent_encode};

/// The bytes of a piece: some less than file systems take.
const PIECE: usize = 200;

const KEPT: &AsciiSet = &NON_ALPHANUMERIC.remove(b'-').remove(b'_');

/// The relative path for a name.
pub(crate) fn path(name: &str) -> PathBuf {
    let mut path = PathBuf::new();
    let mut piece = String::new();
    for part in utf8_percent_encode(name, KEPT) {
        for c in part.chars() {
            if piece.len() == PIECE {
                path.push(format!("{piece}~"));
                piece.clear();
            }
            piece.push(c);
        }
    }
    path.push(piece);
    path
}

/// The name that a relative path stands for, where it is one of [`path`]'s.
pub(crate) fn name(relative: &Path) -> Option<String> {
    let pieces: Option<Vec<&str>> = relative.iter().map(|piece| piece.to_str()).collect();
    let pieces = pieces?;
    let (last, directories) = pieces.split_last()?;
    let mut encoded = String::new();
    for directory in directories {
        encoded.push_str(directory.strip_suffix('~')?);
    }
    encoded.push_str(last);
    let name = percent_decode_str(&encoded).decode_utf8().ok()?.into_owned();
    (path(&name) == relative).then_some(name)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn names_become_paths_and_back() {
        assert_eq!(path("a//b"), Path::new("a%2F%2Fb"));
        let long = "x".repeat(1024);
        for part in &path(&long) {
            assert!(part.len() <= 255);
        }
        for bad in ["a~", "a/b", "a%2", "..", "A%2f"] {
            assert_eq!(name(Path::new(bad)), None, "{bad}");
        }
    }

    proptest! {
        #[test]
        fn every_name_comes_back(text in "\\PC{1,300}") {
            prop_assert_eq!(name(&path(&text)), Some(text));
        }

        // No name's file is in the way of another's directory.
        #[test]
        fn a_name_and_a_longer_one_have_room(text in "[a/]{1,400}", more in "[a/]{1,400}") {
            let (short, long) = (path(&text), path(&format!("{text}{more}")));
            prop_assert!(!long.starts_with(&short));
        }
    }
}
