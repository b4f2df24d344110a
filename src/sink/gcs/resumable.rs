//! Files in chunks, so that none takes longer than a request may, and that what has arrived need not be
//! sent again after a fault
//! (<https://cloud.google.com/storage/docs/performing-resumable-uploads>).

use std::collections::HashMap;
use std::time::{Duration, SystemTime};

use bytes::Bytes;
use http::{Response, StatusCode, Uri, header};
use parking_lot::Mutex;
use tokio::time::Instant;

use super::super::{Fault, FaultKind, FileBody, NewObject, Precondition};
use super::request::Requests;
use super::{Gcs, answer};

/// A file up to so many bytes goes in one request, as an image does.
pub(super) const ONE_REQUEST: u64 = 512 << 10;

/// Bytes of a chunk: at the least, at first, and at the most. Chunks but the last are multiples of the
/// least, as the service asks for.
const LEAST: u64 = 256 << 10;
const FIRST: u64 = 512 << 10;
const MOST: u64 = 1 << 20;

/// After a chunk that took less than this the next is twice as large.
const QUICK: Duration = Duration::from_secs(2);

/// The uploads that have begun and not ended, by the names of their objects. They outlive an attempt that
/// fails or is given up: the next goes on where it stopped.
#[derive(Default)]
pub(super) struct Sessions(Mutex<HashMap<String, Session>>);

/// An upload in chunks that the service knows.
#[derive(Clone, PartialEq, Eq)]
struct Session {
    /// What it uploads, and on which condition.
    crc32c: u32,
    size: u64,
    condition: Precondition,
    /// Where its chunks go.
    target: Uri,
    /// Bytes of the next chunk.
    chunk: u64,
}

/// What the service has of an upload.
enum Received {
    /// So many bytes.
    Bytes(u64),
    /// Everything, with what it says of the object.
    Whole(Bytes),
}

impl Sessions {
    /// The session of this object's content on that condition.
    fn of(&self, object: &NewObject, condition: Precondition) -> Option<Session> {
        let session = self.0.lock().get(&object.name).cloned();
        session.filter(|session| {
            (session.crc32c, session.size, session.condition)
                == (object.crc32c, object.body.size(), condition)
        })
    }

    fn keep(&self, object: &NewObject, session: &Session) {
        self.0.lock().insert(object.name.clone(), session.clone());
    }

    fn forget(&self, object: &NewObject) {
        self.0.lock().remove(&object.name);
    }
}

impl Gcs {
    /// Uploads a file in chunks, and returns what the service says of the object.
    pub(super) async fn insert_chunks(
        &self,
        object: &NewObject,
        file: &FileBody,
        condition: Precondition,
    ) -> Result<Bytes, Fault> {
        let resumed = match self.sessions.of(object, condition) {
            Some(session) => self.received(object, session).await?,
            None => None,
        };
        let (mut session, mut received) = match resumed {
            Some(resumed) => resumed,
            None => (self.begin(object, condition).await?, Received::Bytes(0)),
        };
        loop {
            let at = match received {
                Received::Bytes(at) => at,
                Received::Whole(answer) => {
                    self.sessions.forget(object);
                    return Ok(answer);
                }
            };
            file.stored(at);
            let length = session.chunk.min(session.size.saturating_sub(at));
            let content = read(file, at, length).await?;
            let size = session.chunk;
            // Whoever goes on after this chunk was given up begins with a smaller one.
            session.chunk = (size / 4 / LEAST * LEAST).max(LEAST);
            self.sessions.keep(object, &session);
            let began = Instant::now();
            received = self.send_chunk(object, &session, at, content).await?;
            session.chunk = if began.elapsed() < QUICK { (size * 2).min(MOST) } else { size };
            if matches!(received, Received::Bytes(after) if after <= at) {
                let stuck = "the service keeps nothing of what it is sent";
                return Err(Fault::new(FaultKind::Unparsable, stuck));
            }
        }
    }

    async fn begin(&self, object: &NewObject, condition: Precondition) -> Result<Session, Fault> {
        let response = self.send(self.requests.begin(object, condition)?).await?;
        let no_address = || {
            Fault::new(
                FaultKind::Unparsable,
                "the service names no address for an upload in chunks",
            )
        };
        let location = response.headers().get(header::LOCATION).ok_or_else(no_address)?;
        let location = Uri::try_from(location.as_bytes()).map_err(|_| no_address())?;
        // Only its path: credentials and content go to the endpoint and nowhere else.
        let path = location.into_parts().path_and_query.ok_or_else(no_address)?;
        let session = Session {
            crc32c: object.crc32c,
            size: object.body.size(),
            condition,
            target: Uri::from(path),
            chunk: FIRST,
        };
        self.sessions.keep(object, &session);
        Ok(session)
    }

    /// Asks how much of an upload has been received; nothing, if the service has forgotten it.
    async fn received(
        &self,
        object: &NewObject,
        session: Session,
    ) -> Result<Option<(Session, Received)>, Fault> {
        let received = self.send_chunk(object, &session, 0, Bytes::new()).await;
        match received {
            Err(_) if self.sessions.of(object, session.condition).is_none() => Ok(None),
            received => Ok(Some((session, received?))),
        }
    }

    async fn send_chunk(
        &self,
        object: &NewObject,
        session: &Session,
        at: u64,
        content: Bytes,
    ) -> Result<Received, Fault> {
        let request = Requests::chunk(&session.target, at, content, session.size)?;
        let response = self.exchange(request).await?;
        match response.status() {
            // Google's "resume incomplete".
            StatusCode::PERMANENT_REDIRECT => Ok(Received::Bytes(kept(&response))),
            status if status.is_success() => Ok(Received::Whole(response.into_body())),
            status => {
                if status.is_client_error() && !may_go_on(status) {
                    self.sessions.forget(object);
                }
                let refusal = answer::refusal(&response, SystemTime::now());
                Err(match refusal.kind {
                    FaultKind::Status(404 | 410) => forgotten(&refusal),
                    _ => refusal,
                })
            }
        }
    }
}

/// The service no longer knows the upload: the next attempt begins anew.
fn forgotten(refusal: &Fault) -> Fault {
    Fault::new(FaultKind::CutOff, format!("the service has forgotten the upload ({refusal})"))
}

/// Whether an upload may go on after a refusal: with new credentials, or later.
fn may_go_on(status: StatusCode) -> bool {
    matches!(status.as_u16(), 401 | 408 | 429)
}

/// How many bytes a 308 says have been kept: `Range: bytes=0-41` are 42, none are none.
fn kept(response: &Response<Bytes>) -> u64 {
    let range = response.headers().get(header::RANGE).and_then(|value| value.to_str().ok());
    let last = range.and_then(|range| range.rsplit_once('-')?.1.trim().parse::<u64>().ok());
    last.map_or(0, |last| last.saturating_add(1))
}

/// Reads part of a file on a thread that may block.
pub(super) async fn read(file: &FileBody, at: u64, length: u64) -> Result<Bytes, Fault> {
    let unreadable = |e: &dyn std::fmt::Display| {
        let path = file.path().display();
        Fault::new(FaultKind::Local, format!("{path}: cannot be read: {e}"))
    };
    let length = usize::try_from(length).map_err(|e| unreadable(&e))?;
    let reader = file.clone();
    let chunk = tokio::task::spawn_blocking(move || reader.chunk(at, length)).await;
    chunk.map_err(|e| Fault::new(FaultKind::Internal, e.to_string()))?.map_err(|e| unreadable(&e))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_range_says_how_much_was_kept() {
        let response = |range: Option<&str>| {
            let mut builder = Response::builder().status(308);
            if let Some(range) = range {
                builder = builder.header("range", range);
            }
            kept(&builder.body(Bytes::new()).unwrap())
        };
        assert_eq!(response(None), 0);
        assert_eq!(response(Some("bytes=0-41")), 42);
        assert_eq!(response(Some("bytes 0-41")), 42);
        assert_eq!(response(Some("bytes=0-18446744073709551615")), u64::MAX);
        assert_eq!(response(Some("nonsense")), 0);
    }
}
