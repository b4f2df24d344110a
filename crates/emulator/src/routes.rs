//! The router: which handler answers which path.

use std::sync::Arc;

use axum::Router;
use axum::body::Body;
use axum::extract::State;
use axum::http::Response;
use axum::routing::{get, post};

use crate::answers::{ApiError, json};
use crate::call::App;
use crate::{buckets, insert, objects, resumable};

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
        .route("/storage/v1/b", get(buckets::list).post(buckets::create))
        .route("/storage/v1/b/{bucket}", get(buckets::read).delete(buckets::delete))
        .route("/storage/v1/b/{bucket}/iam", get(buckets::policy))
        .route("/storage/v1/b/{bucket}/iam/testPermissions", get(buckets::test_permissions))
        .route("/_emulator/counters", get(counters))
        .fallback(async || ApiError::no_route())
        .method_not_allowed_fallback(async || ApiError::method_not_allowed())
        .with_state(app)
}

async fn counters(State(app): State<Arc<App>>) -> Response<Body> {
    json(&app.stats.snapshot())
}
