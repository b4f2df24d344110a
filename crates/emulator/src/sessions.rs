//! Resumable uploads under way, and how far each has come.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use bytes::Bytes;
use http::header::HeaderMap;
use parking_lot::Mutex;

use crate::answers::ApiError;
use crate::chunk::{ChunkRange, accept};
use crate::object::Object;
use crate::resource::Fields;
use crate::store::{Bucket, Store};
use crate::upload::Upload;

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
    pub(crate) fn add(&self, session: Session) -> String {
        let number = self.last.fetch_add(1, Ordering::Relaxed) + 1;
        let mut sessions = self.by_number.lock();
        sessions.insert(number, Arc::new(session));
        if sessions.len() > MAX_SESSIONS {
            sessions.pop_first();
        }
        format!("session-{number}")
    }

    pub(crate) fn find(&self, id: &str) -> Result<Arc<Session>, ApiError> {
        let session = number(id).and_then(|number| self.by_number.lock().get(&number).cloned());
        session.ok_or_else(ApiError::no_session)
    }

    pub(crate) fn remove(&self, id: &str) -> Result<(), ApiError> {
        let session = number(id).and_then(|number| self.by_number.lock().remove(&number));
        session.map(drop).ok_or_else(ApiError::no_session)
    }
}

fn number(id: &str) -> Option<u64> {
    id.strip_prefix("session-")?.parse().ok()
}

/// One resumable upload.
pub(crate) struct Session {
    pub(crate) bucket: Arc<Bucket>,
    pub(crate) name: String,
    /// What the answer at the end holds.
    pub(crate) fields: Fields,
    state: Mutex<Progress>,
}

/// How far a session has come.
enum Progress {
    Receiving(Box<Upload>, Vec<u8>),
    Storing,
    Done(Arc<Object>),
    Failed,
}

/// What a chunk led to.
pub(crate) enum Step {
    /// So many bytes are kept; more are to come.
    More(usize),
    /// The object is whole, but not stored yet.
    Store(Box<Upload>, Bytes),
    /// The object is stored.
    Done(Arc<Object>),
}

impl Session {
    /// A session that has received nothing yet.
    pub(crate) fn new(bucket: Arc<Bucket>, upload: Upload) -> Self {
        let (name, fields) = (upload.name.clone(), upload.fields.clone());
        let state = Mutex::new(Progress::Receiving(Box::new(upload), Vec::new()));
        Self { bucket, name, fields, state }
    }

    /// Takes a chunk in, up to `limit` bytes for the whole object. `headers` may declare the whole
    /// object's checksums.
    pub(crate) fn advance(
        &self,
        range: ChunkRange,
        chunk: &[u8],
        headers: &HeaderMap,
        limit: usize,
    ) -> Result<Step, ApiError> {
        let mut state = self.state.lock();
        match &mut *state {
            Progress::Done(object) => return Ok(Step::Done(Arc::clone(object))),
            Progress::Failed => return Err(ApiError::no_session()),
            Progress::Storing => {
                return Err(ApiError::bad_offset("the object is being stored".to_owned()));
            }
            Progress::Receiving(upload, kept) => {
                if kept.len() + chunk.len() > limit {
                    return Err(ApiError::too_large(limit));
                }
                upload.declared.add_headers(headers);
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
    pub(crate) async fn finish(
        self: &Arc<Self>,
        store: &Arc<Store>,
        upload: Box<Upload>,
        content: Bytes,
    ) -> Result<Arc<Object>, ApiError> {
        let (session, store) = (Arc::clone(self), Arc::clone(store));
        let task = tokio::spawn(async move {
            let result = match upload.object(content) {
                Ok(new) => store.put(&session.bucket, new).await,
                Err(error) => Err(error),
            };
            *session.state.lock() = match &result {
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
}
