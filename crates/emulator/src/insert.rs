//! Uploads in one request: `uploadType=media` and `uploadType=multipart`.

use std::sync::Arc;

use axum::extract::State;
use axum::http::header::CONTENT_TYPE;
use axum::http::request::Parts;
use bytes::Bytes;

use crate::answers::{ApiError, ApiResult, json};
use crate::call::{App, Call, read_body};
use crate::gate::Subject;
use crate::resource::ObjectResource;
use crate::script::Operation;
use crate::upload::Upload;
use crate::{headers, multipart, resumable};

/// `POST /upload/storage/v1/b/{bucket}/o`.
pub(crate) async fn upload(State(app): State<Arc<App>>, call: Call) -> ApiResult {
    if call.query.get("upload_id").is_some() {
        return resumable::receive(State(app), call).await;
    }
    match call.query.get("uploadType") {
        Some("media") => media(&app, call).await,
        Some("multipart") => related(&app, call).await,
        Some("resumable") => resumable::open(&app, call).await,
        other => {
            let given = other.unwrap_or("none");
            Err(ApiError::invalid(format!(
                "uploadType must be media, multipart or resumable; given: {given}"
            )))
        }
    }
}

async fn media(app: &App, call: Call) -> ApiResult {
    let _in_flight = app.stats.insert_in_flight();
    let mut upload = Upload::new(&call.query, &call.head.headers, &[])?;
    upload.attributes.content_type =
        headers::text(&call.head.headers, CONTENT_TYPE).map(str::to_owned);
    let content = read_body(app, &call.head, call.body).await?;
    store(app, &call.head, &call.bucket, upload, content).await
}

async fn related(app: &App, call: Call) -> ApiResult {
    let _in_flight = app.stats.insert_in_flight();
    let broken = |error| ApiError::invalid(format!("Invalid multipart request: {error}"));
    let content_type = headers::text(&call.head.headers, CONTENT_TYPE).unwrap_or_default();
    let boundary = multipart::boundary(content_type).map_err(broken)?;
    let body = read_body(app, &call.head, call.body).await?;
    let parts = multipart::parse(boundary, &body).map_err(broken)?;
    let mut upload = Upload::new(&call.query, &call.head.headers, parts.metadata)?;
    if upload.attributes.content_type.is_none() {
        upload.attributes.content_type = parts.media_type.map(str::to_owned);
    }
    let content = body.slice_ref(parts.media);
    store(app, &call.head, &call.bucket, upload, content).await
}

async fn store(app: &App, head: &Parts, bucket: &str, upload: Upload, content: Bytes) -> ApiResult {
    let name = upload.name.clone();
    let subject = Subject { operation: Operation::Insert, bucket, key: &name, head };
    let work = async {
        let bucket = app.store.bucket(bucket)?;
        let fields = upload.fields.clone();
        let object = app.store.put(&bucket, upload.object(content)?).await?;
        json(&ObjectResource::new(app.host(head), &bucket.name, &object, &fields))
    };
    app.gate.run(subject, work).await
}
