//! The router: which handler answers which path of the JSON API.

use std::sync::Arc;

use axum::Router;
use axum::body::Body;
use axum::extract::{FromRequest, FromRequestParts, RawPathParams, Request, State};
use axum::http::header::HOST;
use axum::http::request::Parts;
use axum::http::{Response, StatusCode};
use axum::response::IntoResponse;
use axum::routing::{get, post};
use serde::{Deserialize, Serialize};

use crate::answers::{ApiError, json, status_only};
use crate::counters::{Stats, bump};
use crate::gate::{Gate, Subject};
use crate::insert::read_body;
use crate::query::Query;
use crate::resource::BucketResource;
use crate::resumable::Sessions;
use crate::script::Operation;
use crate::store::{Bucket, Store};
use crate::{insert, objects, resumable};

/// What all handlers share.
pub(crate) struct App {
    pub(crate) store: Arc<Store>,
    pub(crate) gate: Gate,
    pub(crate) stats: Arc<Stats>,
    pub(crate) sessions: Sessions,
    /// The largest request body, and the largest object, in bytes.
    pub(crate) max_body: usize,
    /// `address:port` for links where a request names no host.
    pub(crate) authority: String,
}

impl App {
    /// The host by which the client knows this server.
    pub(crate) fn host<'a>(&'a self, head: &'a Parts) -> &'a str {
        let host = head.headers.get(HOST).and_then(|value| value.to_str().ok());
        host.unwrap_or(&self.authority)
    }
}

/// A request with its path and query decoded.
pub(crate) struct Call {
    pub(crate) head: Parts,
    pub(crate) query: Query,
    /// Empty where the path names none.
    pub(crate) bucket: String,
    /// Empty where the path names none.
    pub(crate) object: String,
    pub(crate) body: Body,
}

impl FromRequest<Arc<App>> for Call {
    type Rejection = ApiError;

    async fn from_request(request: Request, app: &Arc<App>) -> Result<Self, ApiError> {
        let (mut head, body) = request.into_parts();
        let query = Query::parse(head.uri.query())?;
        let parameters = RawPathParams::from_request_parts(&mut head, app).await;
        let parameters = parameters
            .map_err(|_| ApiError::invalid("names in the path must be UTF-8".to_owned()))?;
        let (mut bucket, mut object) = (String::new(), String::new());
        for (key, value) in &parameters {
            match key {
                "bucket" => value.clone_into(&mut bucket),
                _ => value.clone_into(&mut object),
            }
        }
        Ok(Self { head, query, bucket, object, body })
    }
}

/// The emulator's whole HTTP surface.
pub(crate) fn router(app: Arc<App>) -> Router {
    Router::new()
        .route(
            "/upload/storage/v1/b/{bucket}/o",
            post(insert::upload).put(resumable::receive).delete(resumable::cancel),
        )
        .route("/storage/v1/b/{bucket}/o", get(objects::list))
        .route("/storage/v1/b/{bucket}/o/{*object}", get(objects::read).delete(objects::delete))
        .route("/download/storage/v1/b/{bucket}/o/{*object}", get(objects::download))
        .route("/storage/v1/b", get(list_buckets).post(create_bucket))
        .route("/storage/v1/b/{bucket}", get(read_bucket).delete(delete_bucket))
        .route("/storage/v1/b/{bucket}/iam", get(policy))
        .route("/storage/v1/b/{bucket}/iam/testPermissions", get(test_permissions))
        .route("/_emulator/counters", get(counters))
        .fallback(async || ApiError::no_route())
        .method_not_allowed_fallback(async || ApiError::method_not_allowed())
        .with_state(app)
}

/// Counts a request that has been read; the server calls it for each.
pub(crate) fn count_request(app: &App) {
    bump(&app.stats.requests);
}

async fn counters(State(app): State<Arc<App>>) -> Response<Body> {
    json(&app.stats.snapshot())
}

fn about_bucket<'a>(bucket: &'a str, head: &'a Parts) -> Subject<'a> {
    Subject { operation: Operation::Bucket, bucket, key: bucket, head }
}

fn bucket_resource(app: &App, head: &Parts, bucket: &Bucket) -> Response<Body> {
    json(&BucketResource::new(app.host(head), bucket))
}

#[derive(Deserialize)]
struct NewBucket {
    #[serde(default)]
    name: String,
}

async fn create_bucket(State(app): State<Arc<App>>, call: Call) -> Response<Body> {
    let Call { head, query, body, .. } = call;
    let parsed = read_body(&app, &head, body).await.and_then(|body| {
        if query.get("project").unwrap_or_default().is_empty() {
            return Err(ApiError::required("Required parameter: project".to_owned()));
        }
        serde_json::from_slice::<NewBucket>(&body)
            .map_err(|error| ApiError::invalid(format!("Invalid bucket: {error}")))
    });
    let name = match parsed {
        Ok(bucket) => bucket.name,
        Err(error) => return error.into_response(),
    };
    let work = async { Ok(bucket_resource(&app, &head, &*app.store.create_bucket(&name)?)) };
    app.gate.run(about_bucket(&name, &head), work).await
}

async fn read_bucket(State(app): State<Arc<App>>, call: Call) -> Response<Body> {
    let Call { head, bucket, .. } = call;
    let work = async { Ok(bucket_resource(&app, &head, &*app.store.bucket(&bucket)?)) };
    app.gate.run(about_bucket(&bucket, &head), work).await
}

async fn delete_bucket(State(app): State<Arc<App>>, call: Call) -> Response<Body> {
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

async fn list_buckets(State(app): State<Arc<App>>, call: Call) -> Response<Body> {
    let Call { head, query, .. } = call;
    let prefix = query.get("prefix").unwrap_or_default();
    let work = async {
        let buckets = app.store.buckets();
        let chosen = buckets.iter().filter(|bucket| bucket.name.starts_with(prefix));
        let host = app.host(&head);
        let items = chosen.map(|bucket| BucketResource::new(host, bucket)).collect();
        Ok(json(&BucketList { kind: "storage#buckets", items }))
    };
    app.gate.run(about_bucket("", &head), work).await
}

#[derive(Serialize)]
struct Permissions<'a> {
    kind: &'static str,
    permissions: Vec<&'a str>,
}

/// Whoever reaches the emulator may do everything.
async fn test_permissions(State(app): State<Arc<App>>, call: Call) -> Response<Body> {
    let Call { head, query, bucket, .. } = call;
    let work = async {
        app.store.bucket(&bucket)?;
        let permissions = query.all("permissions").collect();
        Ok(json(&Permissions { kind: "storage#testIamPermissionsResponse", permissions }))
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
async fn policy(State(app): State<Arc<App>>, call: Call) -> Response<Body> {
    let Call { head, bucket, .. } = call;
    let work = async {
        let bucket = &app.store.bucket(&bucket)?.name;
        let resource_id = format!("projects/_/buckets/{bucket}");
        let (kind, etag) = ("storage#policy", "CAE=");
        Ok(json(&Policy { kind, resource_id, version: 1, etag, bindings: [] }))
    };
    app.gate.run(about_bucket(&bucket, &head), work).await
}
