//! The `Content-Range` of a resumable upload's chunk, and what it adds.

use http::header::{CONTENT_RANGE, HeaderMap};

use crate::answers::ApiError;
use crate::headers;

/// Every chunk but the last must be a multiple of this many bytes.
const CHUNK_UNIT: usize = 256 * 1024;

/// A `Content-Range` of a chunk.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct ChunkRange {
    /// Where the chunk begins, and where it ends, exclusively; `None` in a status query.
    bytes: Option<(u64, u64)>,
    /// The object's whole size, if the client knows it yet.
    total: Option<u64>,
}

impl ChunkRange {
    /// Reads `bytes 0-9/10`, `bytes 0-9/*`, `bytes */10` or `bytes */*`.
    fn parse(text: &str) -> Option<Self> {
        let (span, total) = text.trim().strip_prefix("bytes ")?.trim().split_once('/')?;
        let total = if total == "*" { None } else { Some(total.parse().ok()?) };
        if span == "*" {
            return Some(Self { bytes: None, total });
        }
        let (first, last) = span.split_once('-')?;
        let (first, last): (u64, u64) = (first.parse().ok()?, last.parse().ok()?);
        let end = last.checked_add(1)?;
        let ordered = first < end && total.is_none_or(|total| end <= total);
        ordered.then_some(Self { bytes: Some((first, end)), total })
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
    if let Some((first, end)) = range.bytes {
        if end - first != chunk.len() as u64 {
            return Err(ApiError::invalid(format!(
                "Content-Range spans {} bytes, the body has {}",
                end - first,
                chunk.len()
            )));
        }
        let is_last = range.total == Some(end);
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
    Ok(range.total == Some(kept.len() as u64))
}

/// The range that a `PUT` names; without one its body, of `length` bytes, is the whole object.
pub(crate) fn chunk_range(headers: &HeaderMap, length: usize) -> Result<ChunkRange, ApiError> {
    let Some(text) = headers::text(headers, CONTENT_RANGE) else {
        let length = length as u64;
        let bytes = (length > 0).then_some((0, length));
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
        assert_eq!(ChunkRange::parse("bytes 0-9/10"), range(Some((0, 10)), Some(10)));
        assert_eq!(ChunkRange::parse("bytes 0-9/*"), range(Some((0, 10)), None));
        assert_eq!(ChunkRange::parse("bytes */10"), range(None, Some(10)));
        assert_eq!(ChunkRange::parse("bytes */*"), range(None, None));
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
        let part = |first, end, total| ChunkRange { bytes: Some((first, end)), total };
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
    fn a_size_alone_finishes_what_is_whole() {
        let query = |total| ChunkRange { bytes: None, total };
        assert!(accept(&mut Vec::new(), query(Some(0)), b"").unwrap());
        assert!(!accept(&mut Vec::new(), query(None), b"").unwrap());
        assert!(!accept(&mut vec![1], query(Some(2)), b"").unwrap());
    }
}
