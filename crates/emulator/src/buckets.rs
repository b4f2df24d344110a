//! Buckets: making, reading, listing and deleting them, and what one may do there.

use http::StatusCode;
use serde::{Deserialize, Serialize};
use std::pin::pin;
use std::sync::Arc;

use crate::answers::{ApiError, ApiResult, json, status_only};
use crate::call::{Call, Content};
use crate::gate::Subject;
use crate::listing::ListRequest;
use crate::params;
use crate::resource::BucketResource;
use crate::script::Operation;
use crate::store::Bucket;

fn resource(call: &Call<'_>, bucket: &Bucket) -> ApiResult {
    json(&BucketResource::new(call.host(), bucket))
}

#[derive(Deserialize)]
struct NewBucket {
    #[serde(default)]
    name: String,
}

/// `POST /storage/v1/b`.
pub(crate) async fn create(call: Call<'_>, body: Content) -> ApiResult {
    // gcsfs sends the two last; whoever reaches the emulator may do everything.
    let own = ["project", "predefinedAcl", "predefinedDefaultObjectAcl"];
    params::only(&call.query, &[&own])?;
    let body = call.read(body).await?;
    if call.query.get("project").unwrap_or_default().is_empty() {
        return Err(ApiError::required("Required parameter: project".to_owned()));
    }
    let NewBucket { name } = serde_json::from_slice(&body)
        .map_err(|error| ApiError::invalid(format!("Invalid bucket: {error}")))?;
    let work = pin!(async { resource(&call, &*call.app.store.create_bucket(&name)?) });
    let subject =
        Subject { operation: Operation::Bucket, bucket: &name, key: &name, head: call.head };
    call.app.gate.run(subject, work).await
}

/// `GET /storage/v1/b/{bucket}`.
pub(crate) async fn read(call: Call<'_>) -> ApiResult {
    params::only(&call.query, &[])?;
    let work = pin!(async { resource(&call, &*call.app.store.bucket(&call.bucket)?) });
    call.gate(Operation::Bucket, &call.bucket, work).await
}

/// `DELETE /storage/v1/b/{bucket}`.
pub(crate) async fn delete(call: Call<'_>) -> ApiResult {
    params::only(&call.query, &[])?;
    let work = pin!(async {
        call.app.store.delete_bucket(&call.bucket)?;
        Ok(status_only(StatusCode::NO_CONTENT))
    });
    call.gate(Operation::Bucket, &call.bucket, work).await
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct BucketList<'a> {
    kind: &'static str,
    #[serde(skip_serializing_if = "Option::is_none")]
    next_page_token: Option<String>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    items: Vec<BucketResource<'a>>,
}

/// `GET /storage/v1/b`.
pub(crate) async fn list(call: Call<'_>) -> ApiResult {
    let request = ListRequest::of_buckets(&call.query)?;
    let work = pin!(async {
        let buckets = call.app.store.buckets().into_iter();
        let by_name = buckets.map(|bucket| (Arc::from(bucket.name.as_str()), bucket)).collect();
        let page = request.page(&by_name);
        let items = page.items.iter().map(|bucket| BucketResource::new(call.host(), bucket));
        json(&BucketList {
            kind: "storage#buckets",
            next_page_token: page.next_page_token,
            items: items.collect(),
        })
    });
    call.gate(Operation::Bucket, "", work).await
}

#[derive(Serialize)]
struct Permissions<'a> {
    kind: &'static str,
    permissions: Vec<&'a str>,
}

/// Whoever reaches the emulator may do everything.
pub(crate) async fn test_permissions(call: Call<'_>) -> ApiResult {
    let work = pin!(async {
        call.app.store.bucket(&call.bucket)?;
        let permissions = call.query.all("permissions").collect();
        json(&Permissions { kind: "storage#testIamPermissionsResponse", permissions })
    });
    call.gate(Operation::Bucket, &call.bucket, work).await
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
pub(crate) async fn policy(call: Call<'_>) -> ApiResult {
    params::only(&call.query, &[&["optionsRequestedPolicyVersion"]])?;
    let work = pin!(async {
        let bucket = &call.app.store.bucket(&call.bucket)?.name;
        let resource_id = format!("projects/_/buckets/{bucket}");
        let (kind, etag) = ("storage#policy", "CAE=");
        json(&Policy { kind, resource_id, version: 1, etag, bindings: [] })
    });
    call.gate(Operation::Bucket, &call.bucket, work).await
}

#[derive(Serialize)]
struct StorageLayout<'a> {
    kind: &'static str,
    bucket: &'a str,
    location: &'static str,
}

/// `gcloud storage` asks for this before it writes.
pub(crate) async fn storage_layout(call: Call<'_>) -> ApiResult {
    params::only(&call.query, &[])?;
    let work = pin!(async {
        let bucket = &call.app.store.bucket(&call.bucket)?.name;
        json(&StorageLayout { kind: "storage#storageLayout", bucket, location: "US" })
    });
    call.gate(Operation::Bucket, &call.bucket, work).await
}
