//! Checksum and size of each object, noted when it is made, for the manifests that list them.

use std::sync::atomic::{AtomicU64, Ordering};

use crate::model::Selection;

/// Checksum and size of an object.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Content {
    /// CRC32C (Castagnoli).
    pub crc32c: u32,
    /// Bytes; never 0, as no image is empty.
    pub size: u32,
}

impl Content {
    /// The checksum as Google prints it: the base64 of its four bytes, the most significant first
    /// (<https://cloud.google.com/storage/docs/json_api/v1/objects#crc32c>).
    pub(crate) fn crc32c_text(self) -> String {
        data_encoding::BASE64.encode(&self.crc32c.to_be_bytes())
    }
}

/// The contents of a run's images, noted when they are made. Eight bytes an image.
#[derive(Debug)]
pub(crate) struct Contents {
    of: Selection,
    by_position: Vec<AtomicU64>,
}

impl Contents {
    /// Room for these images, of which nothing is known.
    pub(crate) fn new(of: Selection) -> Self {
        let by_position = (0..of.count()).map(|_| AtomicU64::new(0)).collect();
        Self { of, by_position }
    }

    fn slot(&self, index: u32) -> Option<&AtomicU64> {
        self.by_position.get(self.of.position(index)?)
    }

    /// Notes an image's content. What is too large for a [`Content`] stays unknown.
    pub(crate) fn note(&self, index: u32, crc32c: u32, size: u64) {
        if let (Some(slot), Ok(size)) = (self.slot(index), u32::try_from(size)) {
            slot.store(u64::from(crc32c) << 32 | u64::from(size), Ordering::Relaxed);
        }
    }

    /// An image's content, once it is noted.
    #[allow(clippy::cast_possible_truncation)] // the two halves of what was noted
    pub(crate) fn get(&self, index: u32) -> Option<Content> {
        let noted = self.slot(index)?.load(Ordering::Relaxed);
        (noted != 0).then_some(Content { crc32c: (noted >> 32) as u32, size: noted as u32 })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_noted_is_known_and_nothing_else() {
        let contents = Contents::new(Selection::of(vec![0, 10, 20]));
        contents.note(10, 0xffff_fffe, 600);
        contents.note(20, 7, 1 << 32);
        contents.note(3, 7, 7);
        let known = [0, 10, 20, 3].map(|index| contents.get(index));
        assert_eq!(known, [None, Some(Content { crc32c: 0xffff_fffe, size: 600 }), None, None]);
    }

    /// The check value of CRC-32C, as Google's documentation and tools print it.
    #[test]
    fn checksums_are_printed_as_google_does() {
        let content = Content { crc32c: crc32c::crc32c(b"123456789"), size: 9 };
        assert_eq!((content.crc32c, content.crc32c_text().as_str()), (0xe306_9283, "4waSgw=="));
    }
}
