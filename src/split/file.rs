//! A split listed in a file: CSV of `index,partition`.

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

/// The longest line, in bytes: a file without line ends is not read into memory.
const LONGEST_LINE: u64 = 64 * 1024;

/// Reads a CSV file of an index in source order, from 0, and a partition: `train`, `validation` or
/// `test`, in any case. A first line that holds neither is a heading. Further columns are ignored. One
/// byte an image.
///
/// Lines are counted here: the `csv` crate gives a wrong number after an empty line.
///
/// # Errors
/// A line that is no such pair, an index that no image of `images` has, or one that comes twice.
pub fn read(file: impl Read, images: u32) -> Result<Vec<Option<Partition>>, SplitFileError> {
    let (mut file, mut text) = (BufReader::new(file), String::new());
    let (mut list, mut rows) = (vec![None; images as usize], 0);
    for line in 1.. {
        let wrong = |problem: String| Err(SplitFileError { line, problem });
        text.clear();
        match file.by_ref().take(LONGEST_LINE).read_line(&mut text) {
            Ok(0) => break,
            Ok(read) if read as u64 == LONGEST_LINE => {
                return wrong(format!("is longer than {LONGEST_LINE} bytes"));
            }
            Ok(_) => {}
            Err(e) => return wrong(e.to_string()),
        }
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
            return wrong(format!("{index:?} is not an index; a line is index,partition"));
        };
        let Some(partition) = partition else {
            return wrong(format!("{word:?} is none of train, validation, test"));
        };
        match list.get_mut(index as usize) {
            None => {
                let most = images.saturating_sub(1);
                return wrong(format!("there is no image {index}; the last one is {most}"));
            }
            Some(Some(_)) => return wrong(format!("image {index} is listed twice")),
            Some(slot) => *slot = Some(partition),
        }
        rows += 1;
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
        let quoted = "\"0\",\"test\"\n1 , \"Train\", \"a,b\"\n".as_bytes();
        assert_eq!(read(quoted, 2).unwrap(), [Some(Test), Some(Train)]);
    }

    #[test]
    fn says_what_is_wrong_in_which_line() {
        for (text, says) in [
            ("0,train\n4,test", "line 2: there is no image 4; the last one is 3"),
            ("0,train\n\n0,test", "line 3: image 0 is listed twice"),
            ("0,training set", "line 1: \"training set\" is none of train, validation, test"),
            ("0,train\n-1,test", "line 2: \"-1\" is not an index; a line is index,partition"),
            ("0", "line 1: \"\" is none of"),
            ("-1,test", "line 1: \"-1\" is not an index"),
            ("4294967296,test", "line 1: \"4294967296\" is not an index"),
            ("0;test", "line 1: \"0;test\" is not an index"),
            ("", "line 1: the file lists no image"),
            ("index,partition", "line 1: the file lists no image"),
        ] {
            let error = read(text.as_bytes(), 4).unwrap_err().to_string();
            assert!(error.starts_with(says), "{text:?}: {error}");
        }
    }

    #[test]
    fn a_file_without_line_ends_is_not_read_into_memory() {
        let error = read(std::io::repeat(b'0'), 4).unwrap_err().to_string();
        assert_eq!(error, "line 1: is longer than 65536 bytes");
        let long = format!("0,test,{}\n", "x".repeat(65_528));
        assert_eq!(long.len(), 65_536);
        assert!(read(long.as_bytes(), 1).is_err());
        assert!(read(long.replacen('x', "", 1).as_bytes(), 1).is_ok());
    }

    proptest! {
        /// Whatever a file holds, it is a list of as many images or an error that names a line.
        #[test]
        fn any_file_ends_well(lines in proptest::collection::vec("[0-9]{1,2}[,; ](train|test|val|\"test\"|x)?", 0..5), rest: Vec<u8>) {
            let text = [lines.join("\n").into_bytes(), rest].concat();
            match read(text.as_slice(), 10) {
                Ok(list) => prop_assert_eq!(list.len(), 10),
                Err(e) => prop_assert!(e.line > 0 && !e.problem.is_empty()),
            }
        }
    }
}
