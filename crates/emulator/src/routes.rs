//! The router: which handler answers which path.

use std::sync::Arc;

use axum::Router;
use axum::extract::State;
use axum::routing::{any, get, post};

use crate::answers::{ApiError, ApiResult, json};
use crate::call::App;
use crate::{buckets, insert, objects, resumable, xml};

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
        .route("/storage/v1/b/{bucket}/storageLayout", get(buckets::storage_layout))
        // Paths of the JSON API that it does not have, and not objects of buckets of these names.
        .route("/storage/{*rest}", any(async || ApiError::no_route()))
        .route("/upload/{*rest}", any(async || ApiError::no_route()))
        .route("/download/{*rest}", any(async || ApiError::no_route()))
        .fallback(xml::serve)
        .method_not_allowed_fallback(async || ApiError::method_not_allowed())
        .with_state(app)
}

async fn counters(State(app): State<Arc<App>>) -> ApiResult {
    json(&app.stats.snapshot())
}
