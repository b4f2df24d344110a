//! Uploads over several requests: `uploadType=resumable`.
//!
//! Google's protocol: a `POST` opens a session and answers its address; each `PUT` carries a chunk
//! with `Content-Range`; 308 with `Range` says how much has been kept; `Content-Range: bytes */N`
//! asks for that without sending.

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex};

use axum::body::Body;
use axum::extract::State;
use axum::http::header::{LOCATION, RANGE};
use axum::http::request::Parts;
use axum::http::{Response, StatusCode};
use axum::response::IntoResponse;
use bytes::Bytes;

use crate::answers::{ApiError, header_value, json, status_only};
use crate::chunk::{ChunkRange, accept, chunk_range};
use crate::gate::Subject;
use crate::insert::{Upload, add_hash_headers, header_text, read_body};
use crate::object::{Checksums, Object};
use crate::resource::{Fields, ObjectResource};
use crate::routes::{App, Call};
use crate::script::Operation;
use crate::store::{Bucket, NewObject, lock};

/// Sessions remembered, open and finished together. Google forgets them after a week; here the
/// oldest goes, so that a long rehearsal does not fill up.
const MAX_SESSIONS: usize = 10_000;

/// The open and finished sessions by their `upload_id`'s number.
#[derive(Default)]
pub(crate) struct Sessions {
    by_number: Mutex<BTreeMap<u64, Arc<Session>>>,
    last: AtomicU64,
}

impl Sessions {
    /// Remembers a session and gives its `upload_id`.
    fn add(&self, session: Session) -> String {
        let number = self.last.fetch_add(1, Ordering::Relaxed) + 1;
        let mut sessions = lock(&self.by_number);
        sessions.insert(number, Arc::new(session));
        if sessions.len() > MAX_SESSIONS {
            sessions.pop_first();
        }
        format!("session-{number}")
    }

    fn find(&self, id: &str) -> Option<Arc<Session>> {
        lock(&self.by_number).get(&session_number(id)?).cloned()
    }

    fn remove(&self, id: &str) -> Option<Arc<Session>> {
        lock(&self.by_number).remove(&session_number(id)?)
    }
}

fn session_number(id: &str) -> Option<u64> {
    id.strip_prefix("session-")?.parse().ok()
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

/// Opens a session.
pub(crate) async fn open(app: &App, call: Call) -> Result<Response<Body>, ApiError> {
    let body = read_body(app, &call.head, call.body).await?;
    let mut upload = Upload::new(&call.query, &call.head.headers, &body)?;
    if upload.attributes.content_type.is_none() {
        upload.attributes.content_type = header_text(&call.head.headers, "x-upload-content-type");
    }
    let name = upload.name.clone();
    let (bucket, head) = (call.bucket.as_str(), &call.head);
    let subject = Subject { operation: Operation::Session, bucket, key: &name, head };
    let work = async {
        let session = Session {
            bucket: app.store.bucket(bucket)?,
            name: upload.name.clone(),
            fields: upload.fields.clone(),
            state: Mutex::new(Progress::Receiving(Box::new(upload), Vec::new())),
        };
        let id = app.sessions.add(session);
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

fn upload_id(call: &Call) -> &str {
    call.query.get("upload_id").unwrap_or_default()
}

/// `PUT` with an `upload_id`: a chunk, or a question how much is kept.
pub(crate) async fn receive(State(app): State<Arc<App>>, call: Call) -> Response<Body> {
    let _in_flight = app.stats.insert_in_flight();
    receive_chunk(&app, call).await.unwrap_or_else(IntoResponse::into_response)
}

async fn receive_chunk(app: &Arc<App>, call: Call) -> Result<Response<Body>, ApiError> {
    let session = app.sessions.find(upload_id(&call)).ok_or_else(ApiError::no_session)?;
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
    let subject = Subject { operation: Operation::Insert, bucket, key, head };
    Ok(app.gate.run(subject, work).await)
}

/// What a chunk led to.
enum Step {
    More(usize),
    Store(Box<Upload>, Bytes),
    Done(Arc<Object>),
}

impl Session {
    fn resource(&self, host: &str, object: &Object) -> Response<Body> {
        json(&ObjectResource::new(host, &self.bucket.name, object, &self.fields))
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
                return Err(ApiError::bad_offset("the object is being stored".to_owned()));
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

    /// Stores the whole in a task of its own: a client that leaves meanwhile finds the session
    /// finished when it asks again.
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
        let Upload { name, attributes, preconditions, .. } = upload;
        let new = NewObject { name, attributes, checksums, content, preconditions };
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
    match app.sessions.remove(upload_id(&call)) {
        Some(_) => status_only(StatusCode::from_u16(499).unwrap_or(StatusCode::BAD_REQUEST)),
        None => ApiError::no_session().into_response(),
    }
}
