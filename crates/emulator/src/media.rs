//! The bytes of an object as an answer: whole or in part, and the headers that describe them.

use bytes::Bytes;
use http::StatusCode;
use http::header::{
    ACCEPT_RANGES, CACHE_CONTROL, CONTENT_DISPOSITION, CONTENT_ENCODING, CONTENT_LANGUAGE,
    CONTENT_RANGE, CONTENT_TYPE, HeaderMap, HeaderValue, LAST_MODIFIED, RANGE,
};

use crate::answers::status_only;
use crate::body::{Body, Response};
use crate::headers::{self, set};
use crate::object::Object;

/// The bytes, or the range of them that `Range` asks for.
pub(crate) fn answer(content: Bytes, request: &HeaderMap, object: &Object) -> Response {
    let length = content.len() as u64;
    let range = headers::text(request, RANGE).and_then(|text| byte_range(text, length));
    let mut response = match range {
        None => Response::new(Body::from(content)),
        Some(Err(Unsatisfiable)) => {
            let mut response = status_only(StatusCode::RANGE_NOT_SATISFIABLE);
            set(&mut response, CONTENT_RANGE, &format!("bytes */{length}"));
            return response;
        }
        Some(Ok((first, last))) => {
            let bounds = |at: u64| usize::try_from(at).unwrap_or(usize::MAX);
            let part = content.slice(bounds(first)..=bounds(last));
            let mut response = Response::new(Body::from(part));
            *response.status_mut() = StatusCode::PARTIAL_CONTENT;
            set(&mut response, CONTENT_RANGE, &format!("bytes {first}-{last}/{length}"));
            response
        }
    };
    describe(&mut response, object);
    response
}

/// Sets what both APIs say of an object's bytes, all but the etag, which each has in its own form.
pub(crate) fn describe(response: &mut Response, object: &Object) {
    let attributes = &object.attributes;
    let content_type = attributes.content_type.as_deref().unwrap_or("application/octet-stream");
    set(response, CONTENT_TYPE, content_type);
    set(response, LAST_MODIFIED, &httpdate::fmt_http_date(object.created));
    response.headers_mut().insert(ACCEPT_RANGES, HeaderValue::from_static("bytes"));
    for (name, value) in [
        (CONTENT_ENCODING, &attributes.content_encoding),
        (CONTENT_DISPOSITION, &attributes.content_disposition),
        (CONTENT_LANGUAGE, &attributes.content_language),
        (CACHE_CONTROL, &attributes.cache_control),
    ] {
        if let Some(value) = value {
            set(response, name, value);
        }
    }
    let md5 = object.md5_text().map(|md5| format!(",md5={md5}")).unwrap_or_default();
    let hash = format!("crc32c={}{md5}", object.crc32c_text());
    set(response, "x-goog-hash", &hash);
    identify(response, object);
}

/// Sets which generation of an object is stored.
pub(crate) fn identify(response: &mut Response, object: &Object) {
    set(response, "x-goog-generation", &object.generation.to_string());
    set(response, "x-goog-metageneration", &object.metageneration.to_string());
    set(response, "x-goog-stored-content-length", &object.size.to_string());
}

/// A range that lies past the end.
#[derive(Debug, PartialEq, Eq)]
struct Unsatisfiable;

/// First and last byte of a single range. `None` where the header is no such range, which RFC 9110
/// lets a server pass over.
fn byte_range(header: &str, length: u64) -> Option<Result<(u64, u64), Unsatisfiable>> {
    let (first, last) = header.trim().strip_prefix("bytes=")?.split_once('-')?;
    if first.is_empty() {
        let wanted: u64 = last.parse().ok()?;
        let first = length.saturating_sub(wanted);
        return Some(match length.checked_sub(1) {
            Some(last) if wanted > 0 => Ok((first, last)),
            _ => Err(Unsatisfiable),
        });
    }
    let first: u64 = first.parse().ok()?;
    let last: u64 = if last.is_empty() { u64::MAX } else { last.parse().ok()? };
    if first > last {
        return None;
    }
    Some(if first < length { Ok((first, last.min(length - 1))) } else { Err(Unsatisfiable) })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn byte_ranges() {
        assert_eq!(byte_range("bytes=0-3", 10), Some(Ok((0, 3))));
        assert_eq!(byte_range("bytes=4-", 10), Some(Ok((4, 9))));
        assert_eq!(byte_range("bytes=4-99", 10), Some(Ok((4, 9))));
        assert_eq!(byte_range("bytes=-3", 10), Some(Ok((7, 9))));
        assert_eq!(byte_range("bytes=-30", 10), Some(Ok((0, 9))));
        assert_eq!(byte_range("bytes=10-", 10), Some(Err(Unsatisfiable)));
        assert_eq!(byte_range("bytes=-0", 10), Some(Err(Unsatisfiable)));
        assert_eq!(byte_range("bytes=0-", 0), Some(Err(Unsatisfiable)));
        for ignored in ["", "bytes=3-1", "bytes=0-1,3-4", "items=0-1", "bytes=a-b"] {
            assert_eq!(byte_range(ignored, 10), None, "{ignored}");
        }
    }
}
