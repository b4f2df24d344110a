//! The record of a slice that is done: an object whose name says all that matters.

use std::ops::Range;

use data_encoding::BASE64;
use serde::{Deserialize, Serialize};

/// The folder below the prefix that holds all records. Importers, `verify` and what looks for objects
/// of earlier loads pass over it.
pub(super) const RECORDS: &str = ".idx2gcs/";

/// The version of what records hold and of what the digest covers.
pub(crate) const VERSION: u32 = 1;

/// Digits of the digest in the folder's name.
const DIGITS: usize = 16;

/// Digits of an index: enough for any.
const WIDTH: usize = 10;

/// The folder of the records of one load, by the digest of all that it stores (lower-case digits of
/// base 16), such as `.idx2gcs/0123456789abcdef/`.
pub(crate) fn folder(digest: &str) -> String {
    format!("{RECORDS}{}/", digest.get(..DIGITS).unwrap_or(digest))
}

/// Whether an object of this name is a record, or anything else of this program's own.
pub(crate) fn is_record(name: &str) -> bool {
    name.starts_with(RECORDS)
}

/// A record's place in its folder: the range of images, by position in the load, that are stored.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Entry(pub Range<u32>);

impl Entry {
    /// The name below the folder, such as `0000000000-0000008750`.
    pub(crate) fn name(&self) -> String {
        format!("{:0WIDTH$}-{:0WIDTH$}", self.0.start, self.0.end)
    }

    /// Reads a name below the folder; `None` for one that is no record's.
    pub(crate) fn parse(name: &str) -> Option<Self> {
        let (start, end) = name.split_once('-')?;
        let number = |text: &str| (text.len() == WIDTH).then(|| super::number(text)).flatten();
        let range = number(start)?..number(end)?;
        (range.start <= range.end).then_some(Self(range))
    }
}

/// How the images of a slice ended; all are stored.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Ended {
    /// Stored by this slice.
    pub uploaded: u32,
    /// Stored before.
    pub already_present: u32,
    /// Attempts that were repeated.
    pub retries: u64,
}

/// What a record holds beside its name.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub(crate) struct Record {
    /// The version of this format.
    pub version: u32,
    /// The digest of the load, in full.
    pub digest: String,
    /// The first image, by position in the load.
    pub start: u32,
    /// The one after the last.
    pub end: u32,
    /// How they ended.
    #[serde(flatten)]
    pub ended: Ended,
    /// How long it took, in seconds.
    pub seconds: f64,
    /// Where manifests list them: CRC32C and size of each object, in order, eight bytes each, both
    /// little-endian, in base 64.
    #[serde(default, skip_serializing_if = "Option::is_none", with = "contents")]
    pub contents: Option<Vec<(u32, u32)>>,
}

impl Record {
    /// Its place in the folder.
    pub(crate) fn entry(&self) -> Entry {
        Entry(self.start..self.end)
    }

    /// The bytes of the object.
    pub(crate) fn to_bytes(&self) -> Vec<u8> {
        // Numbers, strings and lists of them can always be written.
        serde_json::to_vec(self).unwrap_or_default()
    }

    /// Reads an object.
    ///
    /// # Errors
    /// What is wrong with it: no record of this version, of another load or range, or without the
    /// contents that the manifests need.
    pub(crate) fn read(
        bytes: &[u8],
        digest: &str,
        entry: &Entry,
        needs: bool,
    ) -> Result<Self, String> {
        let record: Self = serde_json::from_slice(bytes).map_err(|e| e.to_string())?;
        let images = entry.0.len();
        if record.version != VERSION {
            return Err(format!("it has version {}, not {VERSION}", record.version));
        }
        if record.digest != digest {
            return Err("it is of another load".to_owned());
        }
        if record.entry() != *entry {
            return Err(format!("it is about images {} to {}", record.start, record.end));
        }
        match &record.contents {
            None if needs => Err("it lacks the checksums that a manifest lists".to_owned()),
            Some(contents) if contents.len() != images => {
                Err(format!("it has {} checksums of {images} images", contents.len()))
            }
            _ => Ok(record),
        }
    }
}

/// CRC32C and size as eight bytes each, in base 64.
mod contents {
    use super::BASE64;
    use serde::{Deserialize, Deserializer, Serializer, de::Error};

    #[allow(clippy::ref_option)] // serde calls it so
    pub(super) fn serialize<S: Serializer>(
        contents: &Option<Vec<(u32, u32)>>,
        serializer: S,
    ) -> Result<S::Ok, S::Error> {
        let pairs = contents.iter().flatten();
        let bytes: Vec<u8> = pairs
            .flat_map(|(crc32c, size)| [crc32c.to_le_bytes(), size.to_le_bytes()].concat())
            .collect();
        serializer.serialize_str(&BASE64.encode(&bytes))
    }

    pub(super) fn deserialize<'de, D: Deserializer<'de>>(
        deserializer: D,
    ) -> Result<Option<Vec<(u32, u32)>>, D::Error> {
        let text = String::deserialize(deserializer)?;
        let bytes = BASE64.decode(text.as_bytes()).map_err(D::Error::custom)?;
        let (numbers, rest) = bytes.as_chunks::<4>();
        let (pairs, odd) = numbers.as_chunks::<2>();
        if !rest.is_empty() || !odd.is_empty() {
            return Err(D::Error::custom("checksums that are cut off"));
        }
        Ok(Some(
            pairs.iter().map(|[a, b]| (u32::from_le_bytes(*a), u32::from_le_bytes(*b))).collect(),
        ))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn record() -> Record {
        Record {
            version: VERSION,
            digest: "0123456789abcdef0123".to_owned(),
            start: 3,
            end: 5,
            ended: Ended { uploaded: 1, already_present: 1, retries: 7 },
            seconds: 1.5,
            contents: Some(vec![(1, 2), (u32::MAX, 70_000)]),
        }
    }

    #[test]
    fn names_say_the_range_and_sort_by_it() {
        let entry = Entry(8750..17_500);
        assert_eq!(entry.name(), "0000008750-0000017500");
        assert_eq!(Entry::parse("0000008750-0000017500"), Some(entry));
        assert_eq!(Entry::parse(&Entry(0..u32::MAX).name()), Some(Entry(0..u32::MAX)));
        assert_eq!(Entry::parse(&Entry(7..7).name()), Some(Entry(7..7)), "an empty slice");
        for no in
            ["", "1-2", "0000000002-0000000001", "0000000001-00000000021", "x000000001-0000000002"]
        {
            assert_eq!(Entry::parse(no), None, "{no}");
        }
        assert!(Entry(9..10).name() < Entry(10..11).name());
    }

    #[test]
    fn folders_are_told_by_the_digest() {
        assert_eq!(folder(&record().digest), ".idx2gcs/0123456789abcdef/");
        assert!(is_record(".idx2gcs/0123456789abcdef/0000000000-0000000001"));
        assert!(!is_record("idx2gcs/0.jpg") && !is_record("a/.idx2gcs/0.jpg"));
    }

    #[test]
    fn reads_what_it_wrote_and_refuses_what_it_did_not() {
        let record = record();
        let (bytes, entry) = (record.to_bytes(), record.entry());
        assert_eq!(Record::read(&bytes, &record.digest, &entry, true).as_ref(), Ok(&record));
        let why = |bytes: &[u8], digest: &str, entry| {
            Record::read(bytes, digest, &entry, true).unwrap_err()
        };
        assert!(why(&bytes, "0123", record.entry()).contains("another load"));
        assert!(why(&bytes, &record.digest, Entry(3..6)).contains("images 3 to 5"));
        assert!(why(b"{", &record.digest, record.entry()).contains("EOF"));
        let other = |change: &dyn Fn(&mut Record)| {
            let mut other = record.clone();
            change(&mut other);
            why(&other.to_bytes(), &record.digest, record.entry())
        };
        assert!(other(&|it| it.version = 2).contains("version 2"));
        assert!(other(&|it| it.contents = None).contains("lacks the checksums"));
        assert!(other(&|it| it.contents = Some(vec![(1, 2)])).contains("1 checksums of 2"));
    }

    #[test]
    fn checksums_are_there_only_where_a_manifest_lists_them() {
        let without = Record { contents: None, ..record() };
        let text = String::from_utf8(without.to_bytes()).unwrap();
        assert!(!text.contains("contents"), "{text}");
        let read = Record::read(text.as_bytes(), &without.digest, &without.entry(), false);
        assert_eq!(read, Ok(without));
    }

    #[test]
    fn checksums_that_are_cut_off_are_refused() {
        let whole = BASE64.encode(&[1, 0, 0, 0, 2, 0, 0, 0, 255, 255, 255, 255, 112, 17, 1, 0]);
        let text = String::from_utf8(record().to_bytes()).unwrap();
        assert!(text.contains(&whole), "{text}");
        let cut =
            text.replace(&whole, &BASE64.encode(&[1, 0, 0, 0, 2, 0, 0, 0, 255, 255, 255, 255]));
        let error = Record::read(cut.as_bytes(), &record().digest, &Entry(3..5), true);
        assert!(error.unwrap_err().contains("cut off"));
    }
}
