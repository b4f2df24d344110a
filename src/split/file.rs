//! A split that a file says: CSV lines `index,partition`.

use std::io::{BufRead, BufReader, Read};

use super::Partition;

/// What is wrong with a split file, and in which line.
#[derive(Debug, thiserror::Error, PartialEq, Eq)]
#[error("line {line}: {problem}")]
pub struct SplitFileError {
    line: u64,
    problem: String,
}

/// What some programs put before a file's first character.
const BYTE_ORDER_MARK: char = '\u{feff}';

/// Reads lines of an index in source order, from 0, and a partition: `train`, `validation` or
/// `test`, in any case. A first line that holds neither is a heading. Further columns mean nothing.
/// One byte an image.
///
/// # Errors
/// A line that is no such pair, an index that no image of `images` has, or one that comes twice.
pub fn read(file: impl Read, images: u32) -> Result<Vec<Option<Partition>>, SplitFileError> {
    let (mut list, mut rows) = (vec![None; images as usize], 0);
    for (line, text) in (1..).zip(BufReader::new(file).lines()) {
        let wrong = |problem: String| Err(SplitFileError { line, problem });
        let text = match text {
            Ok(text) => text,
            Err(e) => return wrong(e.to_string()),
        };
        if text.trim().is_empty() {
            continue;
        }
        let mut fields = text.split(',').map(|field| field.trim().trim_matches('"'));
        let (index, word) = (fields.next().unwrap_or(""), fields.next().unwrap_or(""));
        let partition = Partition::from_word(word);
        let Ok(index) = index.trim_start_matches(BYTE_ORDER_MARK).parse::<u32>() else {
            if line == 1 && partition.is_none() && !word.is_empty() {
                continue;
            }
            return wrong(format!("{index:?} is no index; a line is index,partition"));
        };
        let Some(partition) = partition else {
            return wrong(format!("{word:?} is none of train, validation, test"));
        };
        rows += 1;
        match list.get_mut(index as usize) {
            None => {
                let most = images.saturating_sub(1);
                return wrong(format!("there is no image {index}; the last one is {most}"));
            }
            Some(Some(_)) => return wrong(format!("image {index} is listed already")),
            Some(slot) => *slot = Some(partition),
        }
    }
    if rows == 0 {
        let problem = "the file lists no image; a line is index,partition".to_owned();
        return Err(SplitFileError { line: 1, problem });
    }
    Ok(list)
}

#[cfg(test)]
mod tests {
    use super::Partition::{Test, Train, Validation};
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn reads_pairs() {
        let list = read("index,partition\n2,TEST\r\n0, val ,more\n\n1,train\n".as_bytes(), 4);
        assert_eq!(list.unwrap(), [Some(Validation), Some(Train), Some(Test), None]);
        assert_eq!(read("\u{feff}0,test".as_bytes(), 1).unwrap(), [Some(Test)]);
    }

    #[test]
    fn says_what_is_wrong_in_which_line() {
        for (text, says) in [
            ("0,train\n4,test", "line 2: there is no image 4; the last one is 3"),
            ("0,train\n\n0,test", "line 3: image 0 is listed already"),
            ("0,training set", "line 1: \"training set\" is none of train, validation, test"),
            ("0,train\n-1,test", "line 2: \"-1\" is no index; a line is index,partition"),
            ("0", "line 1: \"\" is none of"),
            ("-1,test", "line 1: \"-1\" is no index"),
            ("4294967296,test", "line 1: \"4294967296\" is no index"),
            ("0;test", "line 1: \"0;test\" is no index"),
            ("", "line 1: the file lists no image"),
            ("index,partition", "line 1: the file lists no image"),
        ] {
            let error = read(text.as_bytes(), 4).unwrap_err().to_string();
            assert!(error.starts_with(says), "{text:?}: {error}");
        }
    }

    proptest! {
        #[test]
        fn any_file_ends_well(text: Vec<u8>) {
            let _ = read(text.as_slice(), 10);
        }
    }
}
