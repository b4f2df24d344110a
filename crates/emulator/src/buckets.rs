//! Buckets: making, reading, listing and deleting them, and what one may do there.

use std::sync::Arc;

use axum::extract::State;
use axum::http::StatusCode;
use axum::http::request::Parts;
use serde::{Deserialize, Serialize};

use crate::answers::{ApiError, ApiResult, json, status_only};
use crate::call::{App, Call, read_body};
use crate::gate::Subject;
use crate::resource::BucketResource;
use crate::script::Operation;
use crate::store::Bucket;

fn about_bucket<'a>(bucket: &'a str, head: &'a Parts) -> Subject<'a> {
    Subject { operation: Operation::Bucket, bucket, key: bucket, head }
}

fn resource(app: &App, head: &Parts, bucket: &Bucket) -> ApiResult {
    json(&BucketResource::new(app.host(head), bucket))
}

#[derive(Deserialize)]
struct NewBucket {
    #[serde(default)]
    name: String,
}

/// `POST /storage/v1/b`.
pub(crate) async fn create(State(app): State<Arc<App>>, call: Call) -> ApiResult {
    let Call { head, query, body, .. } = call;
    let body = read_body(&app, &head, body).await?;
    if query.get("project").unwrap_or_default().is_empty() {
        return Err(ApiError::required("Required parameter: project".to_owned()));
    }
    let NewBucket { name } = serde_json::from_slice(&body)
        .map_err(|error| ApiError::invalid(format!("Invalid bucket: {error}")))?;
    let work = async { resource(&app, &head, &*app.store.create_bucket(&name)?) };
    app.gate.run(about_bucket(&name, &head), work).await
}

/// `GET /storage/v1/b/{bucket}`.
pub(crate) async fn read(State(app): State<Arc<App>>, call: Call) -> ApiResult {
    let Call { head, bucket, .. } = call;
    let work = async { resource(&app, &head, &*app.store.bucket(&bucket)?) };
    app.gate.run(about_bucket(&bucket, &head), work).await
}

/// `DELETE /storage/v1/b/{bucket}`.
pub(crate) async fn delete(State(app): State<Arc<App>>, call: Call) -> ApiResult {
    let Call { head, bucket, .. } = call;
    let work = async {
        app.store.delete_bucket(&bucket)?;
        Ok(status_only(StatusCode::NO_CONTENT))
    };
    app.gate.run(about_bucket(&bucket, &head), work).await
}

#[derive(Serialize)]
struct BucketList<'a> {
    kind: &'static str,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    items: Vec<BucketResource<'a>>,
}

/// `GET /storage/v1/b`.
pub(crate) async fn list(State(app): State<Arc<App>>, call: Call) -> ApiResult {
    let Call { head, query, .. } = call;
    let prefix = query.get("prefix").unwrap_or_default();
    let work = async {
        let buckets = app.store.buckets();
        let chosen = buckets.iter().filter(|bucket| bucket.name.starts_with(prefix));
        let host = app.host(&head);
        let items = chosen.map(|bucket| BucketResource::new(host, bucket)).collect();
        json(&BucketList { kind: "storage#buckets", items })
    };
    app.gate.run(about_bucket("", &head), work).await
}

#[derive(Serialize)]
struct Permissions<'a> {
    kind: &'static str,
    permissions: Vec<&'a str>,
}

/// Whoever reaches the emulator may do everything.
pub(crate) async fn test_permissions(State(app): State<Arc<App>>, call: Call) -> ApiResult {
    let Call { head, query, bucket, .. } = call;
    let work = async {
        app.store.bucket(&bucket)?;
        let permissions = query.all("permissions").collect();
        json(&Permissions { kind: "storage#testIamPermissionsResponse", permissions })
    };
    app.gate.run(about_bucket(&bucket, &head), work).await
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Policy {
    kind: &'static str,
    resource_id: String,
    version: u8,
    etag: &'static str,
    bindings: [(); 0],
}

/// Nobody was granted anything: there are no accounts here.
pub(crate) async fn policy(State(app): State<Arc<App>>, call: Call) -> ApiResult {
    let Call { head, bucket, .. } = call;
    let work = async {
        let bucket = &app.store.bucket(&bucket)?.name;
        let resource_id = format!("projects/_/buckets/{bucket}");
        let (kind, etag) = ("storage#policy", "CAE=");
        json(&Policy { kind, resource_id, version: 1, etag, bindings: [] })
    };
    app.gate.run(about_bucket(&bucket, &head), work).await
}

#[derive(Serialize)]
struct StorageLayout<'a> {
    kind: &'static str,
    bucket: &'a str,
    location: &'static str,
}

/// `gcloud storage` asks for this before it writes.
pub(crate) async fn storage_layout(State(app): State<Arc<App>>, call: Call) -> ApiResult {
    let Call { head, bucket, .. } = call;
    let work = async {
        let bucket = &app.store.bucket(&bucket)?.name;
        json(&StorageLayout { kind: "storage#storageLayout", bucket, location: "US" })
    };
    app.gate.run(about_bucket(&bucket, &head), work).await
}
