//! Uploads over several requests: `uploadType=resumable`.
//!
//! Google's protocol: a `POST` opens a session and answers its address; each `PUT` carries a chunk
//! with `Content-Range`; 308 with `Range` says how much has been kept; `Content-Range: bytes */N`
//! asks for that without sending.

use http::StatusCode;
use http::header::{HeaderMap, LOCATION, RANGE};
use std::pin::pin;

use crate::answers::{ApiResult, json, status_only};
use crate::body::Response;
use crate::call::{Call, Content};
use crate::chunk::chunk_range;
use crate::gate::Subject;
use crate::headers;
use crate::resource::ObjectResource;
use crate::script::Operation;
use crate::sessions::{Session, Step};
use crate::upload::Upload;

/// Opens a session.
pub(crate) async fn open(call: Call<'_>, body: Content) -> ApiResult {
    let body = call.read(body).await?;
    let headers = &call.head.headers;
    let mut upload = Upload::new(&call.query, headers, &body)?;
    if upload.attributes.content_type.is_none() {
        let declared = headers::text(headers, "x-upload-content-type");
        upload.attributes.content_type = declared.map(str::to_owned);
    }
    let name = upload.name.clone();
    let work = pin!(async {
        let session = Session::new(call.app.store.bucket(&call.bucket)?, upload);
        let id = call.app.sessions.add(session);
        let (host, bucket) = (call.host(), &call.bucket);
        let address = format!(
            "http://{host}/upload/storage/v1/b/{bucket}/o?uploadType=resumable&upload_id={id}"
        );
        let mut response = status_only(StatusCode::OK);
        headers::set(&mut response, LOCATION, &address);
        headers::set(&mut response, "x-guploader-uploadid", &id);
        Ok(response)
    });
    call.gate(Operation::Session, &name, work).await
}

fn upload_id<'a>(call: &'a Call<'_>) -> &'a str {
    call.query.get("upload_id").unwrap_or_default()
}

/// `PUT` with an `upload_id`: a chunk, or a question how much is kept.
pub(crate) async fn receive(call: Call<'_>, body: Content) -> ApiResult {
    let (app, head) = (call.app, call.head);
    let _in_flight = app.stats.insert_in_flight();
    let session = app.sessions.find(upload_id(&call))?;
    let chunk = call.read(body).await?;
    let range = chunk_range(&head.headers, chunk.len())?;
    let (bucket, key) = (session.bucket.name.as_str(), session.name.as_str());
    let work = pin!(async {
        let object = match session.advance(range, &chunk, &head.headers, app.max_body)? {
            Step::More(kept) => return Ok(incomplete(&head.headers, kept)),
            Step::Done(object) => object,
            Step::Store(upload, content) => session.finish(&app.store, upload, content).await?,
        };
        json(&ObjectResource::new(call.host(), bucket, &object, &session.fields))
    });
    // A status query is no attempt to insert.
    if range.is_query() {
        return work.await;
    }
    let subject = Subject { operation: Operation::Insert, bucket, key, head };
    app.gate.run(subject, work).await
}

/// 308 with how much is kept; without `Range` where that is nothing. Go's client asks for 200 and
/// the true status in a header, since its transport takes 308 for a redirect.
fn incomplete(request: &HeaderMap, kept: usize) -> Response {
    let mut response = status_only(StatusCode::PERMANENT_REDIRECT);
    if headers::text(request, "x-guploader-no-308") == Some("yes") {
        *response.status_mut() = StatusCode::OK;
        headers::set(&mut response, "x-http-status-code-override", "308");
    }
    if let Some(last) = kept.checked_sub(1) {
        headers::set(&mut response, RANGE, &format!("bytes=0-{last}"));
    }
    response
}

/// `DELETE` with an `upload_id`: gives the session up. Google answers 499.
pub(crate) fn cancel(call: &Call<'_>) -> ApiResult {
    call.app.sessions.remove(upload_id(call))?;
    Ok(status_only(StatusCode::from_u16(499).unwrap_or(StatusCode::BAD_REQUEST)))
}
