//! Reading, listing and deleting objects.

use std::pin::pin;
use std::sync::Arc;

use http::header::ETAG;
use http::{Method, StatusCode};

use crate::answers::{ApiError, ApiResult, json, status_only};
use crate::call::{Call, Content};
use crate::headers::set;
use crate::listing::ListRequest;
use crate::object::Object;
use crate::query::{Preconditions, check_etag};
use crate::resource::{Fields, ListFields, ObjectList, ObjectResource};
use crate::script::Operation;
use crate::store::Bucket;
use crate::{media, metadata, params};

/// `GET /storage/v1/b/{bucket}/o/{object}`: the resource, or with `alt=media` the bytes.
pub(crate) async fn read(call: Call<'_>) -> ApiResult {
    params::only(&call.query, &[&params::CONDITIONS, &["generation"]])?;
    if call.query.get("alt") == Some("media") {
        return download(call).await;
    }
    let work = pin!(async {
        let fields = Fields::of_object(call.query.get("fields"))?;
        let (bucket, object) = find(&call)?;
        json(&ObjectResource::new(call.host(), &bucket.name, &object, &fields))
    });
    call.gate(Operation::Get, &call.object, work).await
}

/// `GET /download/storage/v1/b/{bucket}/o/{object}`: the bytes, or a range of them.
pub(crate) async fn download(call: Call<'_>) -> ApiResult {
    params::only(&call.query, &[&params::CONDITIONS, &["generation"]])?;
    let work = pin!(async {
        let (bucket, object) = find(&call)?;
        let content = call.app.store.read(&bucket, &object).await?;
        let mut response = media::answer(content, &call.head.headers, &object);
        set(&mut response, ETAG, &object.etag());
        Ok(response)
    });
    call.gate(Operation::Download, &call.object, work).await
}

/// `DELETE /storage/v1/b/{bucket}/o/{object}`.
pub(crate) async fn delete(call: Call<'_>) -> ApiResult {
    // Node's `deleteFiles()` sends the prefix that it has listed.
    params::only(&call.query, &[&params::CONDITIONS, &["generation", "prefix"]])?;
    let work = pin!(async {
        let preconditions = Preconditions::from_query(&call.query)?;
        let generation = call.query.number("generation")?;
        let bucket = call.app.store.bucket(&call.bucket)?;
        let name = call.object.to_string();
        call.app.store.delete(&bucket, name, generation, preconditions).await?;
        Ok(status_only(StatusCode::NO_CONTENT))
    });
    call.gate(Operation::Delete, &call.object, work).await
}

/// `PATCH` and `PUT /storage/v1/b/{bucket}/o/{object}`: other metadata, in part or whole.
pub(crate) async fn update(call: Call<'_>, body: Content) -> ApiResult {
    params::only(&call.query, &[&params::CONDITIONS, &["generation"]])?;
    let sent = call.read(body).await?;
    let change =
        if call.head.method == Method::PATCH { metadata::patched } else { metadata::replaced };
    let work = pin!(async {
        let fields = Fields::of_object(call.query.get("fields"))?;
        let preconditions = Preconditions::from_query(&call.query)?;
        let generation = call.query.number("generation")?;
        let store = &call.app.store;
        let bucket = store.bucket(&call.bucket)?;
        let object = store.update(&bucket, &call.object, generation, &preconditions, |live| {
            check_etag(&call.head.headers, &live.etag()).map_err(ApiError::of_source)?;
            change(&live.attributes, &sent)
        })?;
        json(&ObjectResource::new(call.host(), &bucket.name, &object, &fields))
    });
    call.gate(Operation::Patch, &call.object, work).await
}

/// `GET /storage/v1/b/{bucket}/o`.
pub(crate) async fn list(call: Call<'_>) -> ApiResult {
    let request = ListRequest::from_query(&call.query)?;
    let fields = ListFields::parse(call.query.get("fields"))?;
    let work = pin!(async {
        let bucket = call.app.store.bucket(&call.bucket)?;
        let page = bucket.with_objects(|objects| request.page(objects));
        json(&ObjectList::new(call.host(), &bucket.name, &page, &fields))
    });
    call.gate(Operation::List, &request.prefix, work).await
}

/// The live object, if it is there, is the generation asked for, and meets the preconditions.
fn find(call: &Call<'_>) -> Result<(Arc<Bucket>, Arc<Object>), ApiError> {
    let preconditions = Preconditions::from_query(&call.query)?;
    let bucket = call.app.store.bucket(&call.bucket)?;
    let object = bucket.find(&call.object, call.query.number("generation")?, preconditions)?;
    check_etag(&call.head.headers, &object.etag())?;
    Ok((bucket, object))
}
