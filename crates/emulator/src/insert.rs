//! Uploads in one request: `uploadType=media` and `uploadType=multipart`.

use bytes::Bytes;
use http::header::CONTENT_TYPE;
use std::pin::pin;

use crate::answers::{ApiError, ApiResult, json};
use crate::call::{Call, Content};
use crate::resource::ObjectResource;
use crate::script::Operation;
use crate::upload::Upload;
use crate::{headers, multipart, resumable};

/// `POST /upload/storage/v1/b/{bucket}/o`.
pub(crate) async fn upload(call: Call<'_>, body: Content) -> ApiResult {
    if call.query.get("upload_id").is_some() {
        return resumable::receive(call, body).await;
    }
    match call.query.get("uploadType") {
        Some("media") => media(&call, body).await,
        Some("multipart") => related(&call, body).await,
        Some("resumable") => resumable::open(call, body).await,
        other => {
            let given = other.unwrap_or("none");
            Err(ApiError::invalid(format!(
                "uploadType must be media, multipart or resumable; given: {given}"
            )))
        }
    }
}

async fn media(call: &Call<'_>, body: Content) -> ApiResult {
    let _in_flight = call.app.stats.insert_in_flight();
    let headers = &call.head.headers;
    let mut upload = Upload::new(&call.query, headers, &[])?;
    upload.attributes.content_type = headers::text(headers, CONTENT_TYPE).map(str::to_owned);
    let content = call.read(body).await?;
    store(call, upload, content).await
}

async fn related(call: &Call<'_>, body: Content) -> ApiResult {
    let _in_flight = call.app.stats.insert_in_flight();
    let broken = |error| ApiError::invalid(format!("Invalid multipart request: {error}"));
    let content_type = headers::text(&call.head.headers, CONTENT_TYPE).unwrap_or_default();
    let boundary = multipart::boundary(content_type).map_err(broken)?;
    let body = call.read(body).await?;
    let parts = multipart::parse(boundary, &body).map_err(broken)?;
    let mut upload = Upload::new(&call.query, &call.head.headers, parts.metadata)?;
    if upload.attributes.content_type.is_none() {
        upload.attributes.content_type = parts.media_type.map(str::to_owned);
    }
    let content = body.slice_ref(parts.media);
    store(call, upload, content).await
}

async fn store(call: &Call<'_>, upload: Upload, content: Bytes) -> ApiResult {
    let name = upload.name.clone();
    let work = pin!(async {
        let bucket = call.app.store.bucket(&call.bucket)?;
        let fields = upload.fields.clone();
        let object = call.app.store.put(&bucket, upload.object(content)?).await?;
        json(&ObjectResource::new(call.host(), &bucket.name, &object, &fields))
    });
    call.gate(Operation::Insert, &name, work).await
}
