//! The `Content-Range` of a resumable upload's chunk, and what it adds.

use axum::http::header::{CONTENT_RANGE, HeaderMap};

use crate::answers::ApiError;
use crate::insert::header_text;

/// Every chunk but the last must be a multiple of this many bytes.
const CHUNK_UNIT: usize = 256 * 1024;

/// A `Content-Range` of a chunk.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct ChunkRange {
    /// First and last byte; `None` in a status query.
    pub(crate) bytes: Option<(u64, u64)>,
    /// The object's whole size, if the client knows it yet.
    pub(crate) total: Option<u64>,
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
        let ordered = first <= last && total.is_none_or(|total| last < total);
        ordered.then_some(Self { bytes: Some((first, last)), total })
    }
}

/// Adds a chunk to what a session has; says whether that is now the whole.
pub(crate) fn accept(
    kept: &mut Vec<u8>,
    range: ChunkRange,
    chunk: &[u8],
) -> Result<bool, ApiError> {
    if let Some((first, last)) = range.bytes {
        if last - first + 1 != chunk.len() as u64 {
            return Err(ApiError::invalid(format!(
                "Content-Range spans {} bytes, the body has {}",
                last - first + 1,
                chunk.len()
            )));
        }
        let is_last = range.total == Some(last + 1);
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

/// The range that a `PUT` names; without one its body is the whole object.
pub(crate) fn chunk_range(headers: &HeaderMap, chunk: &[u8]) -> Result<ChunkRange, ApiError> {
    let Some(text) = header_text(headers, CONTENT_RANGE) else {
        let length = chunk.len() as u64;
        let bytes = length.checked_sub(1).map(|last| (0, last));
        return Ok(ChunkRange { bytes, total: Some(length) });
    };
    let wrong = || ApiError::invalid(format!("invalid Content-Range: '{text}'"));
    ChunkRange::parse(&text).ok_or_else(wrong)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn content_ranges() {
        let range = |bytes, total| Some(ChunkRange { bytes, total });
        assert_eq!(ChunkRange::parse("bytes 0-9/10"), range(Some((0, 9)), Some(10)));
        assert_eq!(ChunkRange::parse("bytes 0-9/*"), range(Some((0, 9)), None));
        assert_eq!(ChunkRange::parse("bytes */10"), range(None, Some(10)));
        assert_eq!(ChunkRange::parse("bytes */*"), range(None, None));
        for bad in
            ["", "0-9/10", "bytes 9-0/10", "bytes 0-10/10", "bytes -/3", "bytes 0-9", "bytes a-b/c"]
        {
            assert_eq!(ChunkRange::parse(bad), None, "{bad}");
        }
    }

    #[test]
    fn chunks_are_kept_once() {
        let unit = vec![7; CHUNK_UNIT];
        let size = CHUNK_UNIT as u64;
        let part = |first, last, total| ChunkRange { bytes: Some((first, last)), total };
        let mut kept = Vec::new();
        assert!(!accept(&mut kept, part(0, size - 1, None), &unit).unwrap());
        // The same again, as after a lost answer.
        assert!(!accept(&mut kept, part(0, size - 1, None), &unit).unwrap());
        assert_eq!(kept.len(), CHUNK_UNIT);
        assert!(accept(&mut kept, part(size + 5, size + 5, Some(size + 6)), b"x").is_err());
        assert!(accept(&mut kept, part(size, size, None), b"x").is_err());
        assert!(accept(&mut kept, part(size, size + 1, Some(size + 2)), b"x").is_err());
        assert!(accept(&mut kept, part(size, size, Some(size + 1)), b"x").unwrap());
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
