//! Uploads over several requests: `uploadType=resumable`.
//!
//! Google's protocol: a `POST` opens a session and answers its address; each
//! `PUT` carries a chunk with `Content-Range`; 308 with `Range` says how much
//! has been kept; `Content-Range: bytes */N` asks for that without sending.

use std::collections::HashMap;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex};

use axum::body::Body;
use axum::extract::State;
use axum::http::header::{CONTENT_RANGE, HeaderMap, LOCATION, RANGE};
use axum::http::request::Parts;
use axum::http::{Response, StatusCode};
use axum::response::IntoResponse;
use bytes::Bytes;

use super::answers::{ApiError, header_value, json, status_only};
use super::gate::Subject;
use super::insert::{Upload, add_hash_headers, header_text, read_body};
use super::object::{Checksums, Object};
use super::resource::{Fields, ObjectResource};
use super::routes::{App, Call};
use super::script::Operation;
use super::store::{Bucket, NewObject, lock};

/// Every chunk but the last must be a multiple of this many bytes.
const CHUNK_UNIT: usize = 256 * 1024;

/// The open and finished sessions by their `upload_id`.
#[derive(Default)]
pub(crate) struct Sessions {
    by_id: Mutex<HashMap<String, Arc<Session>>>,
    last: AtomicU64,
}

struct Session {
    bucket: Arc<Bucket>,
    name: String,
    fields: Fields,
    state: Mutex<Progress>,
}

/// How far a session has come.
enum Progress {
    Receiving(Box<Upload>, Vec<u8>),
    Storing,
    Done(Arc<Object>),
    Failed,
}

/// A `Content-Range` of a chunk.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct ChunkRange {
    /// First and last byte; `None` in a status query.
    bytes: Option<(u64, u64)>,
    /// The object's whole size, if the client knows it yet.
    total: Option<u64>,
}

impl ChunkRange {
    /// Reads `bytes 0-9/10`, `bytes 0-9/*`, `bytes */10` or `bytes */*`.
    fn parse(text: &str) -> Option<ChunkRange> {
        let (span, total) = text.trim().strip_prefix("bytes ")?.trim().split_once('/')?;
        let total = if total == "*" {
            None
        } else {
            Some(total.parse().ok()?)
        };
        if span == "*" {
            return Some(ChunkRange { bytes: None, total });
        }
        let (first, last) = span.split_once('-')?;
        let (first, last): (u64, u64) = (first.parse().ok()?, last.parse().ok()?);
        let ordered = first <= last && total.is_none_or(|total| last < total);
        ordered.then_some(ChunkRange {
            bytes: Some((first, last)),
            total,
        })
    }
}

/// Adds a chunk to what a session has; says whether that is now the whole.
fn accept(kept: &mut Vec<u8>, range: ChunkRange, chunk: &[u8]) -> Result<bool, ApiError> {
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

/// Opens a session.
pub(crate) async fn open(app: &App, call: Call) -> Result<Response<Body>, ApiError> {
    let body = read_body(app, &call.head, call.body).await?;
    let mut upload = Upload::new(&call.query, &call.head.headers, &body)?;
    if upload.attributes.content_type.is_none() {
        upload.attributes.content_type = header_text(&call.head.headers, "x-upload-content-type");
    }
    let name = upload.name.clone();
    let (bucket, head) = (call.bucket.as_str(), &call.head);
    let subject = Subject {
        operation: Operation::Session,
        bucket,
        key: &name,
        head,
    };
    let work = async {
        let session = Session {
            bucket: app.store.bucket(bucket)?,
            name: upload.name.clone(),
            fields: upload.fields.clone(),
            state: Mutex::new(Progress::Receiving(Box::new(upload), Vec::new())),
        };
        let number = app.sessions.last.fetch_add(1, Ordering::Relaxed) + 1;
        let id = format!("session-{number}");
        lock(&app.sessions.by_id).insert(id.clone(), Arc::new(session));
        let host = app.host(head);
        let address = format!(
            "http://{host}/upload/storage/v1/b/{bucket}/o?uploadType=resumable&upload_id={id}"
        );
        let mut response = status_only(StatusCode::OK);
        let headers = response.headers_mut();
        if let Some(address) = header_value(&address) {
            headers.insert(LOCATION, address);
        }
        if let Some(id) = header_value(&id) {
            headers.insert("x-guploader-uploadid", id);
        }
        Ok(response)
    };
    Ok(app.gate.run(subject, work).await)
}

fn session(app: &App, call: &Call) -> Result<(String, Arc<Session>), ApiError> {
    let id = call.query.get("upload_id").unwrap_or_default().to_owned();
    let found = lock(&app.sessions.by_id).get(&id).cloned();
    found
        .map(|session| (id, session))
        .ok_or_else(ApiError::no_session)
}

/// `PUT` with an `upload_id`: a chunk, or a question how much is kept.
pub(crate) async fn receive(State(app): State<Arc<App>>, call: Call) -> Response<Body> {
    let _in_flight = app.stats.insert_in_flight();
    receive_chunk(&app, call)
        .await
        .unwrap_or_else(IntoResponse::into_response)
}

async fn receive_chunk(app: &Arc<App>, call: Call) -> Result<Response<Body>, ApiError> {
    let (_, session) = session(app, &call)?;
    let chunk = read_body(app, &call.head, call.body).await?;
    let range = chunk_range(&call.head.headers, &chunk)?;
    let head = &call.head;
    let work = async {
        let host = app.host(head);
        match session.advance(app, range, &chunk, head)? {
            Step::More(kept) => Ok(incomplete(kept)),
            Step::Done(object) => Ok(session.resource(host, &object)),
            Step::Store(upload, content) => {
                let object = session.finish(app, upload, content).await?;
                Ok(session.resource(host, &object))
            }
        }
    };
    // A status query is no attempt to insert.
    if range.bytes.is_none() && range.total != Some(0) {
        return work.await;
    }
    let (bucket, key) = (session.bucket.name.as_str(), session.name.as_str());
    let subject = Subject {
        operation: Operation::Insert,
        bucket,
        key,
        head,
    };
    Ok(app.gate.run(subject, work).await)
}

/// The range that a `PUT` names; without one its body is the whole object.
fn chunk_range(headers: &HeaderMap, chunk: &[u8]) -> Result<ChunkRange, ApiError> {
    let Some(text) = header_text(headers, CONTENT_RANGE) else {
        let length = chunk.len() as u64;
        let bytes = length.checked_sub(1).map(|last| (0, last));
        return Ok(ChunkRange {
            bytes,
            total: Some(length),
        });
    };
    let wrong = || ApiError::invalid(format!("invalid Content-Range: '{text}'"));
    ChunkRange::parse(&text).ok_or_else(wrong)
}

/// What a chunk led to.
enum Step {
    More(usize),
    Store(Box<Upload>, Bytes),
    Done(Arc<Object>),
}

impl Session {
    fn resource(&self, host: &str, object: &Object) -> Response<Body> {
        json(&ObjectResource::new(
            host,
            &self.bucket.name,
            object,
            &self.fields,
        ))
    }

    fn advance(
        &self,
        app: &App,
        range: ChunkRange,
        chunk: &[u8],
        head: &Parts,
    ) -> Result<Step, ApiError> {
        let mut state = lock(&self.state);
        match &mut *state {
            Progress::Done(object) => return Ok(Step::Done(Arc::clone(object))),
            Progress::Failed => return Err(ApiError::no_session()),
            Progress::Storing => {
                return Err(ApiError::bad_offset(
                    "the object is being stored".to_owned(),
                ));
            }
            Progress::Receiving(upload, kept) => {
                if kept.len() + chunk.len() > app.max_body {
                    return Err(ApiError::too_large(app.max_body));
                }
                add_hash_headers(&mut upload.declared, &head.headers);
                if !accept(kept, range, chunk)? {
                    return Ok(Step::More(kept.len()));
                }
            }
        }
        match std::mem::replace(&mut *state, Progress::Storing) {
            Progress::Receiving(upload, kept) => Ok(Step::Store(upload, Bytes::from(kept))),
            _ => Err(ApiError::no_session()),
        }
    }

    /// Stores the whole in a task of its own: a client that leaves meanwhile
    /// finds the session finished when it asks again.
    async fn finish(
        self: &Arc<Self>,
        app: &Arc<App>,
        upload: Box<Upload>,
        content: Bytes,
    ) -> Result<Arc<Object>, ApiError> {
        let (session, app) = (Arc::clone(self), Arc::clone(app));
        let task = tokio::spawn(async move {
            let result = session.store(&app, *upload, content).await;
            *lock(&session.state) = match &result {
                Ok(object) => Progress::Done(Arc::clone(object)),
                Err(_) => Progress::Failed,
            };
            result
        });
        match task.await {
            Ok(result) => result,
            Err(error) => Err(ApiError::disk(&std::io::Error::other(error))),
        }
    }

    async fn store(
        &self,
        app: &App,
        upload: Upload,
        content: Bytes,
    ) -> Result<Arc<Object>, ApiError> {
        let checksums = Checksums::of(&content);
        upload.declared.check(&checksums)?;
        let Upload {
            name,
            attributes,
            preconditions,
            ..
        } = upload;
        let new = NewObject {
            name,
            attributes,
            checksums,
            content,
            preconditions,
        };
        app.store.put(&self.bucket, new).await
    }
}

/// 308 with how much is kept; without `Range` where that is nothing.
fn incomplete(kept: usize) -> Response<Body> {
    let mut response = status_only(StatusCode::PERMANENT_REDIRECT);
    if let Some(last) = kept.checked_sub(1)
        && let Some(range) = header_value(&format!("bytes=0-{last}"))
    {
        response.headers_mut().insert(RANGE, range);
    }
    response
}

/// `DELETE` with an `upload_id`: gives the session up. Google answers 499.
pub(crate) async fn cancel(State(app): State<Arc<App>>, call: Call) -> Response<Body> {
    let result = session(&app, &call).map(|(id, _)| {
        lock(&app.sessions.by_id).remove(&id);
        status_only(StatusCode::from_u16(499).unwrap_or(StatusCode::BAD_REQUEST))
    });
    result.unwrap_or_else(IntoResponse::into_response)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn content_ranges() {
        let range = |bytes, total| Some(ChunkRange { bytes, total });
        assert_eq!(
            ChunkRange::parse("bytes 0-9/10"),
            range(Some((0, 9)), Some(10))
        );
        assert_eq!(ChunkRange::parse("bytes 0-9/*"), range(Some((0, 9)), None));
        assert_eq!(ChunkRange::parse("bytes */10"), range(None, Some(10)));
        assert_eq!(ChunkRange::parse("bytes */*"), range(None, None));
        for bad in [
            "",
            "0-9/10",
            "bytes 9-0/10",
            "bytes 0-10/10",
            "bytes -/3",
            "bytes 0-9",
            "bytes a-b/c",
        ] {
            assert_eq!(ChunkRange::parse(bad), None, "{bad}");
        }
    }

    #[test]
    fn chunks_are_kept_once() {
        let unit = vec![7; CHUNK_UNIT];
        let size = CHUNK_UNIT as u64;
        let part = |first, last, total| ChunkRange {
            bytes: Some((first, last)),
            total,
        };
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
