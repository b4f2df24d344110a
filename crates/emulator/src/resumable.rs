//! Uploads over several requests: `uploadType=resumable`.
//!
//! Google's protocol: a `POST` opens a session and answers its address; each `PUT` carries a chunk
//! with `Content-Range`; 308 with `Range` says how much has been kept; `Content-Range: bytes */N`
//! asks for that without sending.

use std::sync::Arc;

use axum::body::Body;
use axum::extract::State;
use axum::http::header::{LOCATION, RANGE};
use axum::http::{Response, StatusCode};

use crate::answers::{ApiResult, json, status_only};
use crate::call::{App, Call, read_body};
use crate::chunk::chunk_range;
use crate::gate::Subject;
use crate::headers;
use crate::resource::ObjectResource;
use crate::script::Operation;
use crate::sessions::{Session, Step};
use crate::upload::Upload;

/// Opens a session.
pub(crate) async fn open(app: &App, call: Call) -> ApiResult {
    let body = read_body(app, &call.head, call.body).await?;
    let mut upload = Upload::new(&call.query, &call.head.headers, &body)?;
    if upload.attributes.content_type.is_none() {
        let declared = headers::text(&call.head.headers, "x-upload-content-type");
        upload.attributes.content_type = declared.map(str::to_owned);
    }
    let name = upload.name.clone();
    let (bucket, head) = (call.bucket.as_str(), &call.head);
    let subject = Subject { operation: Operation::Session, bucket, key: &name, head };
    let work = async {
        let id = app.sessions.add(Session::new(app.store.bucket(bucket)?, upload));
        let host = app.host(head);
        let address = format!(
            "http://{host}/upload/storage/v1/b/{bucket}/o?uploadType=resumable&upload_id={id}"
        );
        let mut response = status_only(StatusCode::OK);
        headers::set(&mut response, LOCATION, &address);
        headers::set(&mut response, "x-guploader-uploadid", &id);
        Ok(response)
    };
    app.gate.run(subject, work).await
}

fn upload_id(call: &Call) -> &str {
    call.query.get("upload_id").unwrap_or_default()
}

/// `PUT` with an `upload_id`: a chunk, or a question how much is kept.
pub(crate) async fn receive(State(app): State<Arc<App>>, call: Call) -> ApiResult {
    let _in_flight = app.stats.insert_in_flight();
    let session = app.sessions.find(upload_id(&call))?;
    let chunk = read_body(&app, &call.head, call.body).await?;
    let head = &call.head;
    let range = chunk_range(&head.headers, chunk.len())?;
    let (bucket, key) = (session.bucket.name.as_str(), session.name.as_str());
    let work = async {
        let object = match session.advance(range, &chunk, &head.headers, app.max_body)? {
            Step::More(kept) => return Ok(incomplete(kept)),
            Step::Done(object) => object,
            Step::Store(upload, content) => session.finish(&app.store, upload, content).await?,
        };
        json(&ObjectResource::new(app.host(head), bucket, &object, &session.fields))
    };
    // A status query is no attempt to insert.
    if range.is_query() {
        return work.await;
    }
    let subject = Subject { operation: Operation::Insert, bucket, key, head };
    app.gate.run(subject, work).await
}

/// 308 with how much is kept; without `Range` where that is nothing.
fn incomplete(kept: usize) -> Response<Body> {
    let mut response = status_only(StatusCode::PERMANENT_REDIRECT);
    if let Some(last) = kept.checked_sub(1) {
        headers::set(&mut response, RANGE, &format!("bytes=0-{last}"));
    }
    response
}

/// `DELETE` with an `upload_id`: gives the session up. Google answers 499.
pub(crate) async fn cancel(State(app): State<Arc<App>>, call: Call) -> ApiResult {
    app.sessions.remove(upload_id(&call))?;
    Ok(status_only(StatusCode::from_u16(499).unwrap_or(StatusCode::BAD_REQUEST)))
}
