//! Reading, listing and deleting objects.

use std::sync::Arc;

use axum::body::Body;
use axum::extract::State;
use axum::http::header::{
    ACCEPT_RANGES, CONTENT_ENCODING, CONTENT_RANGE, CONTENT_TYPE, ETAG, HeaderValue, RANGE,
};
use axum::http::{Response, StatusCode};
use axum::response::IntoResponse;

use crate::answers::{ApiError, json, status_only};
use crate::call::{App, Call};
use crate::gate::Subject;
use crate::headers::{self, set};
use crate::listing::ListRequest;
use crate::object::Object;
use crate::query::{Preconditions, Query, Verdict};
use crate::resource::{Fields, ListFields, ObjectList, ObjectResource};
use crate::script::Operation;
use crate::store::Bucket;

/// `GET /storage/v1/b/{bucket}/o/{object}`: the resource, or with `alt=media` the bytes.
pub(crate) async fn read(State(app): State<Arc<App>>, call: Call) -> Response<Body> {
    if call.query.get("alt") == Some("media") {
        return download(State(app), call).await;
    }
    let Call { head, query, bucket, object, .. } = call;
    let work = async {
        let fields = Fields::of_object(query.get("fields"))?;
        let (bucket, object) = find(&app, &bucket, &object, &query)?;
        Ok(json(&ObjectResource::new(app.host(&head), &bucket.name, &object, &fields)))
    };
    let subject = Subject { operation: Operation::Get, bucket: &bucket, key: &object, head: &head };
    app.gate.run(subject, work).await
}

/// The bytes of an object, or the range of them that `Range` asks for.
pub(crate) async fn download(State(app): State<Arc<App>>, call: Call) -> Response<Body> {
    let Call { head, query, bucket, object, .. } = call;
    let work = async {
        let (bucket, object) = find(&app, &bucket, &object, &query)?;
        let content = app.store.read(&bucket, &object).await?;
        let length = content.len() as u64;
        let mut response =
            match headers::text(&head.headers, RANGE).and_then(|text| byte_range(text, length)) {
                None => Response::new(Body::from(content)),
                Some(Err(Unsatisfiable)) => {
                    let mut response = status_only(StatusCode::RANGE_NOT_SATISFIABLE);
                    set(&mut response, CONTENT_RANGE, &format!("bytes */{length}"));
                    return Ok(response);
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
        describe(&mut response, &object);
        Ok(response)
    };
    let subject =
        Subject { operation: Operation::Download, bucket: &bucket, key: &object, head: &head };
    app.gate.run(subject, work).await
}

/// `DELETE /storage/v1/b/{bucket}/o/{object}`.
pub(crate) async fn delete(State(app): State<Arc<App>>, call: Call) -> Response<Body> {
    let Call { head, query, bucket, object, .. } = call;
    let work = async {
        let preconditions = Preconditions::from_query(&query)?;
        let generation = query.number("generation")?;
        let bucket = app.store.bucket(&bucket)?;
        app.store.delete(&bucket, object.clone(), generation, preconditions).await?;
        Ok(status_only(StatusCode::NO_CONTENT))
    };
    let subject =
        Subject { operation: Operation::Delete, bucket: &bucket, key: &object, head: &head };
    app.gate.run(subject, work).await
}

/// `GET /storage/v1/b/{bucket}/o`.
pub(crate) async fn list(State(app): State<Arc<App>>, call: Call) -> Response<Body> {
    let Call { head, query, bucket, .. } = call;
    let fields = ListFields::parse(query.get("fields"));
    let parsed = ListRequest::from_query(&query).and_then(|request| Ok((request, fields?)));
    let (request, fields) = match parsed {
        Ok(parsed) => parsed,
        Err(error) => return error.into_response(),
    };
    let work = async {
        let bucket = app.store.bucket(&bucket)?;
        let page = bucket.with_objects(|objects| request.page(objects));
        Ok(json(&ObjectList::new(app.host(&head), &bucket.name, &page, &fields)))
    };
    let subject =
        Subject { operation: Operation::List, bucket: &bucket, key: &request.prefix, head: &head };
    app.gate.run(subject, work).await
}

/// The live object, if it is there, is the generation asked for, and meets the preconditions.
fn find(
    app: &App,
    bucket: &str,
    name: &str,
    query: &Query,
) -> Result<(Arc<Bucket>, Arc<Object>), ApiError> {
    let preconditions = Preconditions::from_query(query)?;
    let generation = query.number("generation")?;
    let bucket = app.store.bucket(bucket)?;
    let missing = || ApiError::no_object(&bucket.name, name);
    let object = bucket.object(name).ok_or_else(missing)?;
    if generation.is_some_and(|wanted| wanted != object.generation) {
        return Err(missing());
    }
    match preconditions.judge(Some((object.generation, object.metageneration))) {
        Verdict::Holds => Ok((bucket, object)),
        Verdict::Failed => Err(ApiError::condition_not_met()),
        Verdict::NotModified => Err(ApiError::not_modified()),
    }
}

fn describe(response: &mut Response<Body>, object: &Object) {
    let Object { attributes, checksums, .. } = object;
    let content_type = attributes.content_type.as_deref().unwrap_or("application/octet-stream");
    set(response, CONTENT_TYPE, content_type);
    if let Some(encoding) = &attributes.content_encoding {
        set(response, CONTENT_ENCODING, encoding);
    }
    set(response, ETAG, &object.etag());
    response.headers_mut().insert(ACCEPT_RANGES, HeaderValue::from_static("bytes"));
    let hash = format!("crc32c={},md5={}", checksums.crc32c_text(), checksums.md5_text());
    for (name, value) in [
        ("x-goog-hash", hash),
        ("x-goog-generation", object.generation.to_string()),
        ("x-goog-metageneration", object.metageneration.to_string()),
        ("x-goog-stored-content-length", object.size.to_string()),
    ] {
        set(response, name, &value);
    }
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
