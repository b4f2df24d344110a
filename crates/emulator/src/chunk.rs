//! The `Content-Range` of a resumable upload's chunk, and what it adds.

use http::header::{CONTENT_RANGE, HeaderMap};

use crate::answers::ApiError;
use crate::headers;

/// Every chunk but the last must be a multiple of this many bytes.
const CHUNK_UNIT: usize = 256 * 1024;

/// A `Content-Range` of a chunk.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct ChunkRange {
    /// Where the chunk begins, and where it ends, exclusively, unless it ends with the body; `None`
    /// in a status query.
    bytes: Option<(u64, Option<u64>)>,
    /// The object's whole size, if the client knows it yet.
    total: Option<u64>,
}

impl ChunkRange {
    /// Reads `bytes 0-9/10`, `bytes 0-9/*`, `bytes */10` or `bytes */*`; with `*` for the last byte
    /// the chunk has all of the body.
    fn parse(text: &str) -> Option<Self> {
        let (span, total) = text.trim().strip_prefix("bytes ")?.trim().split_once('/')?;
        let total = if total == "*" { None } else { Some(total.parse().ok()?) };
        if span == "*" {
            return Some(Self { bytes: None, total });
        }
        let (first, last) = span.split_once('-')?;
        let first: u64 = first.parse().ok()?;
        if last == "*" {
            return Some(Self { bytes: Some((first, None)), total });
        }
        let end = last.parse::<u64>().ok()?.checked_add(1)?;
        let ordered = first < end && total.is_none_or(|total| end <= total);
        ordered.then_some(Self { bytes: Some((first, Some(end))), total })
    }

    /// Whether the request asks how much is kept, and brings nothing.
    pub(crate) fn is_query(self) -> bool {
        self.bytes.is_none() && self.total != Some(0)
    }
}

/// Adds a chunk to what a session has; says whether that is now the whole.
pub(crate) fn accept(
    kept: &mut Vec<u8>,
    range: ChunkRange,
    chunk: &[u8],
) -> Result<bool, ApiError> {
    // Without a size and without a last byte, the body's end is the object's.
    let endless = range.total.is_none() && matches!(range.bytes, Some((_, None)));
    if let Some((first, end)) = range.bytes {
        let end = end.unwrap_or_else(|| first.saturating_add(chunk.len() as u64));
        if end - first != chunk.len() as u64 {
            return Err(ApiError::invalid(format!(
                "Content-Range spans {} bytes, the body has {}",
                end - first,
                chunk.len()
            )));
        }
        if range.total.is_some_and(|total| end > total) {
            return Err(ApiError::invalid("the body has more bytes than the object".to_owned()));
        }
        let is_last = endless || range.total == Some(end);
        if !is_last && !chunk.len().is_multiple_of(CHUNK_UNIT) {
            return Err(ApiError::invalid(
                "every chunk but the last must be a multiple of 256 KiB".to_owned(),
            ));
        }
        let have = kept.len() as u64;
        if first > have {
            return Err(ApiError::bad_offset(format!(
                "According to the Content-Range header, the upload offset is {first} byte(s), \
                 which exceeds already uploaded size of {have} byte(s)."
            )));
        }
        // A chunk sent again because its answer was lost overlaps.
        let known = usize::try_from(have - first).unwrap_or(usize::MAX);
        kept.extend_from_slice(chunk.get(known..).unwrap_or_default());
    }
    Ok(endless || range.total == Some(kept.len() as u64))
}

/// The range that a `PUT` names; without one its body, of `length` bytes, is the whole object.
pub(crate) fn chunk_range(headers: &HeaderMap, length: usize) -> Result<ChunkRange, ApiError> {
    let Some(text) = headers::text(headers, CONTENT_RANGE) else {
        let length = length as u64;
        let bytes = (length > 0).then_some((0, Some(length)));
        return Ok(ChunkRange { bytes, total: Some(length) });
    };
    let wrong = || ApiError::invalid(format!("invalid Content-Range: '{text}'"));
    ChunkRange::parse(text).ok_or_else(wrong)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn content_ranges() {
        let range = |bytes, total| Some(ChunkRange { bytes, total });
        assert_eq!(ChunkRange::parse("bytes 0-9/10"), range(Some((0, Some(10))), Some(10)));
        assert_eq!(ChunkRange::parse("bytes 0-9/*"), range(Some((0, Some(10))), None));
        assert_eq!(ChunkRange::parse("bytes */10"), range(None, Some(10)));
        assert_eq!(ChunkRange::parse("bytes */*"), range(None, None));
        assert_eq!(ChunkRange::parse("bytes 7-*/*"), range(Some((7, None)), None));
        assert_eq!(ChunkRange::parse("bytes 7-*/10"), range(Some((7, None)), Some(10)));
        let endless = format!("bytes 0-{}/*", u64::MAX);
        for bad in [
            "",
            "0-9/10",
            "bytes 9-0/10",
            "bytes 0-10/10",
            "bytes -/3",
            "bytes 0-9",
            "bytes a-b/c",
            &endless,
        ] {
            assert_eq!(ChunkRange::parse(bad), None, "{bad}");
        }
    }

    #[test]
    fn chunks_are_kept_once() {
        let unit = vec![7; CHUNK_UNIT];
        let size = CHUNK_UNIT as u64;
        let part = |first, end, total| ChunkRange { bytes: Some((first, Some(end))), total };
        let mut kept = Vec::new();
        assert!(!accept(&mut kept, part(0, size, None), &unit).unwrap());
        // The same again, as after a lost answer.
        assert!(!accept(&mut kept, part(0, size, None), &unit).unwrap());
        assert_eq!(kept.len(), CHUNK_UNIT);
        assert!(accept(&mut kept, part(size + 5, size + 6, Some(size + 6)), b"x").is_err());
        assert!(accept(&mut kept, part(size, size + 1, None), b"x").is_err());
        assert!(accept(&mut kept, part(size, size + 2, Some(size + 2)), b"x").is_err());
        assert!(accept(&mut kept, part(size, size + 1, Some(size + 1)), b"x").unwrap());
        assert_eq!(kept.len(), CHUNK_UNIT + 1);
    }

    #[test]
    fn a_chunk_without_a_last_byte_has_all_of_the_body() {
        let part = |first, total| ChunkRange { bytes: Some((first, None)), total };
        let mut kept = Vec::new();
        assert!(accept(&mut kept, part(0, None), b"abc").unwrap());
        assert!(accept(&mut kept, part(1, None), b"bcd").unwrap());
        assert_eq!(kept, b"abcd");
        assert!(accept(&mut kept, part(4, Some(5)), b"e").unwrap());
        assert!(accept(&mut kept, part(5, Some(6)), b"fg").is_err());
        assert!(accept(&mut kept, part(u64::MAX, None), b"x").is_err());
        assert!(accept(&mut Vec::new(), part(0, None), b"").unwrap());
    }

    #[test]
    fn a_size_alone_finishes_what_is_whole() {
        let query = |total| ChunkRange { bytes: None, total };
        assert!(accept(&mut Vec::new(), query(Some(0)), b"").unwrap());
        assert!(!accept(&mut Vec::new(), query(None), b"").unwrap());
        assert!(!accept(&mut vec![1], query(Some(2)), b"").unwrap());
    }
}
