//! Reading, listing and deleting objects.

use std::sync::Arc;

use axum::extract::State;
use axum::http::StatusCode;
use axum::http::header::ETAG;

use crate::answers::{ApiError, ApiResult, json, status_only};
use crate::call::{App, Call};
use crate::gate::Subject;
use crate::headers::set;
use crate::listing::ListRequest;
use crate::media;
use crate::object::Object;
use crate::query::{Preconditions, Query};
use crate::resource::{Fields, ListFields, ObjectList, ObjectResource};
use crate::script::Operation;
use crate::store::Bucket;

/// `GET /storage/v1/b/{bucket}/o/{object}`: the resource, or with `alt=media` the bytes.
pub(crate) async fn read(State(app): State<Arc<App>>, call: Call) -> ApiResult {
    if call.query.get("alt") == Some("media") {
        return download(State(app), call).await;
    }
    let Call { head, query, bucket, object, .. } = call;
    let work = async {
        let fields = Fields::of_object(query.get("fields"))?;
        let (bucket, object) = find(&app, &bucket, &object, &query)?;
        json(&ObjectResource::new(app.host(&head), &bucket.name, &object, &fields))
    };
    let subject = Subject { operation: Operation::Get, bucket: &bucket, key: &object, head: &head };
    app.gate.run(subject, work).await
}

/// `GET /download/storage/v1/b/{bucket}/o/{object}`: the bytes, or a range of them.
pub(crate) async fn download(State(app): State<Arc<App>>, call: Call) -> ApiResult {
    let Call { head, query, bucket, object, .. } = call;
    let work = async {
        let (bucket, object) = find(&app, &bucket, &object, &query)?;
        let content = app.store.read(&bucket, &object).await?;
        let mut response = media::answer(content, &head.headers, &object);
        set(&mut response, ETAG, &object.etag());
        Ok(response)
    };
    let subject =
        Subject { operation: Operation::Download, bucket: &bucket, key: &object, head: &head };
    app.gate.run(subject, work).await
}

/// `DELETE /storage/v1/b/{bucket}/o/{object}`.
pub(crate) async fn delete(State(app): State<Arc<App>>, call: Call) -> ApiResult {
    let Call { head, query, bucket, object, .. } = call;
    let work = async {
        let preconditions = Preconditions::from_query(&query)?;
        let generation = query.number("generation")?;
        let bucket = app.store.bucket(&bucket)?;
        app.store.delete(&bucket, object.clone(), generation, preconditions).await?;
        Ok(status_only(StatusCode::NO_CONTENT))
    };
    let subject =
        Subject { operation: Operation::Delete, bucket: &bucket, key: &object, head: &head };
    app.gate.run(subject, work).await
}

/// `GET /storage/v1/b/{bucket}/o`.
pub(crate) async fn list(State(app): State<Arc<App>>, call: Call) -> ApiResult {
    let Call { head, query, bucket, .. } = call;
    let request = ListRequest::from_query(&query)?;
    let fields = ListFields::parse(query.get("fields"))?;
    let work = async {
        let bucket = app.store.bucket(&bucket)?;
        let page = bucket.with_objects(|objects| request.page(objects));
        json(&ObjectList::new(app.host(&head), &bucket.name, &page, &fields))
    };
    let subject =
        Subject { operation: Operation::List, bucket: &bucket, key: &request.prefix, head: &head };
    app.gate.run(subject, work).await
}

/// The live object, if it is there, is the generation asked for, and meets the preconditions.
fn find(
    app: &App,
    bucket: &str,
    name: &str,
    query: &Query,
) -> Result<(Arc<Bucket>, Arc<Object>), ApiError> {
    let preconditions = Preconditions::from_query(query)?;
    let bucket = app.store.bucket(bucket)?;
    let object = bucket.find(name, query.number("generation")?, preconditions)?;
    Ok((bucket, object))
}
