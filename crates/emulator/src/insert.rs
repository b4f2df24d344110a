//! Uploads in one request: `uploadType=media` and `uploadType=multipart`.

use std::collections::BTreeMap;
use std::sync::Arc;

use axum::body::{Body, to_bytes};
use axum::extract::State;
use axum::http::Response;
use axum::http::header::{CONTENT_LENGTH, CONTENT_TYPE, HeaderMap};
use axum::http::request::Parts;
use axum::response::IntoResponse;
use bytes::Bytes;
use serde::Deserialize;

use crate::answers::{ApiError, json};
use crate::names::check_object_name;
use crate::object::{Attributes, Checksums, Declared};
use crate::query::{Preconditions, Query};
use crate::resource::{Fields, ObjectResource};
use crate::routes::{App, Call};
use crate::script::Operation;
use crate::store::NewObject;
use crate::{gate::Subject, multipart, resumable};

/// Custom metadata may take this many bytes, keys and values together.
const MAX_CUSTOM_METADATA: usize = 8 * 1024;

/// The object resource that an uploader sends. Unknown fields are passed over, as Google does with
/// those that cannot be written.
#[derive(Debug, Default, Deserialize)]
#[serde(rename_all = "camelCase", default)]
struct UploadMetadata {
    name: Option<String>,
    crc32c: Option<String>,
    md5_hash: Option<String>,
    content_type: Option<String>,
    content_encoding: Option<String>,
    content_disposition: Option<String>,
    content_language: Option<String>,
    cache_control: Option<String>,
    storage_class: Option<String>,
    metadata: Option<BTreeMap<String, String>>,
}

/// An upload of which everything but the bytes is known and checked.
pub(crate) struct Upload {
    pub(crate) name: String,
    pub(crate) attributes: Attributes,
    pub(crate) declared: Declared,
    pub(crate) preconditions: Preconditions,
    pub(crate) fields: Fields,
}

impl Upload {
    /// Puts together what the query, the headers and the JSON say.
    pub(crate) fn new(query: &Query, headers: &HeaderMap, json: &[u8]) -> Result<Self, ApiError> {
        let sent: UploadMetadata = if json.is_empty() {
            UploadMetadata::default()
        } else {
            serde_json::from_slice(json)
                .map_err(|error| ApiError::invalid(format!("Invalid object metadata: {error}")))?
        };
        let name = query.get("name").map(str::to_owned).or(sent.name).unwrap_or_default();
        check_object_name(&name)?;
        let custom = sent.metadata.iter().flatten().map(|(key, value)| key.len() + value.len());
        if custom.sum::<usize>() > MAX_CUSTOM_METADATA {
            return Err(ApiError::invalid("custom metadata is larger than 8 KiB".to_owned()));
        }
        let mut declared = Declared { crc32c: sent.crc32c, md5: sent.md5_hash };
        add_hash_headers(&mut declared, headers);
        let attributes = Attributes {
            content_type: sent.content_type,
            content_encoding: sent
                .content_encoding
                .or_else(|| query.get("contentEncoding").map(str::to_owned)),
            content_disposition: sent.content_disposition,
            content_language: sent.content_language,
            cache_control: sent.cache_control,
            storage_class: sent.storage_class,
            metadata: sent.metadata.filter(|metadata| !metadata.is_empty()),
        };
        Ok(Self {
            name,
            attributes,
            declared,
            preconditions: Preconditions::from_query(query)?,
            fields: Fields::of_object(query.get("fields"))?,
        })
    }

    /// Checks the bytes against what was declared and stores them.
    pub(crate) async fn store(
        self,
        app: &App,
        bucket: &str,
        host: &str,
        content: Bytes,
    ) -> Result<Response<Body>, ApiError> {
        let bucket = app.store.bucket(bucket)?;
        let checksums = Checksums::of(&content);
        self.declared.check(&checksums)?;
        let Self { name, attributes, preconditions, fields, .. } = self;
        let new = NewObject { name, attributes, checksums, content, preconditions };
        let object = app.store.put(&bucket, new).await?;
        Ok(json(&ObjectResource::new(host, &bucket.name, &object, &fields)))
    }
}

/// Adds the checksums of `x-goog-hash` headers.
pub(crate) fn add_hash_headers(declared: &mut Declared, headers: &HeaderMap) {
    for header in headers.get_all("x-goog-hash") {
        if let Ok(text) = header.to_str() {
            declared.add_header(text);
        }
    }
}

/// Reads a request's whole body.
pub(crate) async fn read_body(app: &App, head: &Parts, body: Body) -> Result<Bytes, ApiError> {
    let length = head.headers.get(CONTENT_LENGTH).and_then(|value| value.to_str().ok());
    if length.and_then(|text| text.parse().ok()).is_some_and(|length: usize| length > app.max_body)
    {
        return Err(ApiError::too_large(app.max_body));
    }
    // The other cause is a client that went away, which no answer reaches.
    to_bytes(body, app.max_body).await.map_err(|_| ApiError::too_large(app.max_body))
}

/// `POST /upload/storage/v1/b/{bucket}/o`.
pub(crate) async fn upload(State(app): State<Arc<App>>, call: Call) -> Response<Body> {
    if call.query.get("upload_id").is_some() {
        return resumable::receive(State(app), call).await;
    }
    let result = match call.query.get("uploadType") {
        Some("media") => media(&app, call).await,
        Some("multipart") => related(&app, call).await,
        Some("resumable") => resumable::open(&app, call).await,
        other => {
            let given = other.unwrap_or("none");
            Err(ApiError::invalid(format!(
                "uploadType must be media, multipart or resumable; given: {given}"
            )))
        }
    };
    result.unwrap_or_else(IntoResponse::into_response)
}

async fn media(app: &App, call: Call) -> Result<Response<Body>, ApiError> {
    let _in_flight = app.stats.insert_in_flight();
    let mut upload = Upload::new(&call.query, &call.head.headers, &[])?;
    upload.attributes.content_type = header_text(&call.head.headers, &CONTENT_TYPE);
    let content = read_body(app, &call.head, call.body).await?;
    store(app, &call.head, &call.bucket, upload, content).await
}

async fn related(app: &App, call: Call) -> Result<Response<Body>, ApiError> {
    let _in_flight = app.stats.insert_in_flight();
    let broken = |error| ApiError::invalid(format!("Invalid multipart request: {error}"));
    let content_type = call.head.headers.get(CONTENT_TYPE).and_then(|value| value.to_str().ok());
    let boundary = multipart::boundary(content_type.unwrap_or_default()).map_err(broken)?;
    let body = read_body(app, &call.head, call.body).await?;
    let parts = multipart::parse(boundary, &body).map_err(broken)?;
    let mut upload = Upload::new(&call.query, &call.head.headers, parts.metadata)?;
    if upload.attributes.content_type.is_none() {
        upload.attributes.content_type = parts.media_type.map(str::to_owned);
    }
    let content = body.slice_ref(parts.media);
    store(app, &call.head, &call.bucket, upload, content).await
}

async fn store(
    app: &App,
    head: &Parts,
    bucket: &str,
    upload: Upload,
    content: Bytes,
) -> Result<Response<Body>, ApiError> {
    let name = upload.name.clone();
    let subject = Subject { operation: Operation::Insert, bucket, key: &name, head };
    Ok(app.gate.run(subject, upload.store(app, bucket, app.host(head), content)).await)
}

/// A header's value where it is text.
pub(crate) fn header_text(
    headers: &HeaderMap,
    name: impl axum::http::header::AsHeaderName,
) -> Option<String> {
    headers.get(name).and_then(|value| value.to_str().ok()).map(str::to_owned)
}
