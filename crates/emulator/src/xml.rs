//! The XML API at `/BUCKET/OBJECT`: as much as clients such as the `object_store` crate and obstore
//! send: objects are put, also in parts, got, headed, copied, deleted and listed
//! (<https://cloud.google.com/storage/docs/xml-api/overview>).

use std::pin::pin;
use std::sync::Arc;

use http::StatusCode;
use http::header::{CONTENT_LENGTH, ETAG, HeaderValue};
use http::request::Parts;

use crate::answers::{ApiError, ApiResult, status_only};
use crate::body::Response;
use crate::call::{App, Call, Content, decode};
use crate::copies::copied;
use crate::headers::{self, set};
use crate::listing::{ListRequest, Page};
use crate::media;
use crate::object::Object;
use crate::query::{Preconditions, check_etag};
use crate::script::Operation;
use crate::store::Bucket;
use crate::upload::Upload;

mod text;
mod uploads;

pub(crate) use text::refuse;

use text::{document, element, etag, root, root_in};

/// The parameters of this API that are here. Those of a signed address, which nobody checks, begin
/// with `X-Goog-`.
const PARAMETERS: [&str; 11] = [
    "generation",
    "list-type",
    "prefix",
    "delimiter",
    "max-keys",
    "continuation-token",
    "start-after",
    "uploads",
    "uploadId",
    "partNumber",
    "userProject",
];

/// Headers that ask for what is not here.
const ABSENT_HEADERS: [&str; 5] = [
    "x-goog-acl",
    "x-goog-content-length-range",
    "x-goog-copy-source-encryption-key",
    "x-goog-custom-time",
    "x-goog-encryption-kms-key-name",
];

const COPY_SOURCE: &str = "x-goog-copy-source";

/// Answers a request of this API.
pub(crate) async fn answer(app: &App, head: &Parts, body: Content) -> ApiResult {
    let path = head.uri.path().strip_prefix('/').unwrap_or_default();
    let (bucket, object) = path.split_once('/').unwrap_or((path, ""));
    let call = Call::new(app, head, bucket, object)?;
    let signature = |name: &str| name.to_ascii_lowercase().starts_with("x-goog-");
    let known = |name: &str| PARAMETERS.contains(&name) || signature(name);
    if let Some((absent, _)) = call.query.iter().find(|(name, _)| !known(name)) {
        return Err(ApiError::not_implemented(&format!("the parameter {absent:?}")));
    }
    if let Some(absent) = ABSENT_HEADERS.into_iter().find(|name| head.headers.contains_key(*name)) {
        return Err(ApiError::not_implemented(&format!("the header '{absent}'")));
    }
    let has = |name| call.query.get(name).is_some();
    let in_parts = (has("uploads"), has("uploadId"));
    match (head.method.as_str(), bucket.is_empty(), object.is_empty(), in_parts) {
        (_, true, ..) => Err(ApiError::no_method(head)),
        ("GET", _, true, (false, false)) => list(&call).await,
        ("POST", _, false, (true, false)) => uploads::begin(&call).await,
        ("PUT", _, false, (false, true)) if !head.headers.contains_key(COPY_SOURCE) => {
            uploads::part(&call, body).await
        }
        ("POST", _, false, (false, true)) => uploads::complete(&call, body).await,
        ("DELETE", _, false, (false, true)) => uploads::abort(&call),
        (_, _, _, (true, _) | (_, true)) => {
            let what = format!("{} {} of a multipart upload", head.method, head.uri);
            Err(ApiError::not_implemented(&what))
        }
        ("PUT", _, false, _) => match headers::text(&head.headers, COPY_SOURCE) {
            Some(source) => copy(&call, source).await,
            None => put(&call, body).await,
        },
        ("GET", _, false, _) => get(&call).await,
        ("HEAD", _, false, _) => describe_only(&call).await,
        ("DELETE", _, false, _) => delete(&call).await,
        _ => Err(ApiError::no_method(head)),
    }
}

async fn put(call: &Call<'_>, body: Content) -> ApiResult {
    let _in_flight = call.app.stats.insert_in_flight();
    let upload = Upload::from_headers(&call.object, &call.head.headers)?;
    let content = call.read(body).await?;
    let work = pin!(async {
        let bucket = call.app.store.bucket(&call.bucket)?;
        let object = call.app.store.put(&bucket, upload.object(content)?).await?;
        let mut response = status_only(StatusCode::OK);
        media::identify(&mut response, &object);
        set(&mut response, "x-goog-hash", &format!("crc32c={}", object.crc32c_text()));
        set(&mut response, ETAG, &etag(&object));
        Ok(response)
    });
    call.gate(Operation::Insert, &call.object, work).await
}

/// `PUT` with `x-goog-copy-source: BUCKET/OBJECT`.
async fn copy(call: &Call<'_>, source: &str) -> ApiResult {
    let headers = &call.head.headers;
    let attributes = match headers::text(headers, "x-goog-metadata-directive") {
        None | Some("COPY") => None,
        Some("REPLACE") => Some(Upload::from_headers(&call.object, headers)?.attributes),
        Some(other) => {
            let why = format!("x-goog-metadata-directive must be COPY or REPLACE, not {other:?}");
            return Err(ApiError::invalid(why));
        }
    };
    let source = decode(source.strip_prefix('/').unwrap_or(source))?;
    let work = pin!(async {
        let store = &call.app.store;
        let no_name = || ApiError::invalid(format!("{COPY_SOURCE} must be BUCKET/OBJECT"));
        let (bucket, name) = source.split_once('/').ok_or_else(no_name)?;
        let from = store.bucket(bucket)?;
        let (generation, conditions) = Preconditions::of_source_headers(headers)?;
        let object = from.find(name, generation, conditions)?;
        let bucket = store.bucket(&call.bucket)?;
        let preconditions = Preconditions::from_headers(headers)?;
        let new = copied(call, &from, &object, &call.object, attributes, preconditions).await?;
        let object = store.put(&bucket, new).await?;
        let time = humantime::format_rfc3339_millis(object.created).to_string();
        let fields = [element("ETag", &etag(&object)), element("LastModified", &time)];
        let mut response = document(root("CopyObjectResult", &fields));
        media::identify(&mut response, &object);
        Ok(response)
    });
    call.gate(Operation::Copy, &call.object, work).await
}

async fn get(call: &Call<'_>) -> ApiResult {
    let work = pin!(async {
        let (bucket, object) = find(call)?;
        let content = call.app.store.read(&bucket, &object).await?;
        let mut response = media::answer(content, &call.head.headers, &object);
        describe(&mut response, &object);
        Ok(response)
    });
    call.gate(Operation::Download, &call.object, work).await
}

async fn describe_only(call: &Call<'_>) -> ApiResult {
    let work = pin!(async {
        let (_, object) = find(call)?;
        let mut response = status_only(StatusCode::OK);
        media::describe(&mut response, &object);
        describe(&mut response, &object);
        response.headers_mut().insert(CONTENT_LENGTH, HeaderValue::from(object.size));
        Ok(response)
    });
    call.gate(Operation::Get, &call.object, work).await
}

async fn delete(call: &Call<'_>) -> ApiResult {
    let work = pin!(async {
        let preconditions = Preconditions::from_headers(&call.head.headers)?;
        let generation = call.query.number("generation")?;
        let bucket = call.app.store.bucket(&call.bucket)?;
        let name = call.object.to_string();
        call.app.store.delete(&bucket, name, generation, preconditions).await?;
        Ok(status_only(StatusCode::NO_CONTENT))
    });
    call.gate(Operation::Delete, &call.object, work).await
}

async fn list(call: &Call<'_>) -> ApiResult {
    if call.query.get("list-type") != Some("2") {
        return Err(ApiError::not_implemented("listings other than list-type=2"));
    }
    let request = ListRequest::from_xml_query(&call.query)?;
    let work = pin!(async {
        let bucket = call.app.store.bucket(&call.bucket)?;
        let page = bucket.with_objects(|objects| request.page(objects));
        Ok(document(listing(&bucket.name, &request, &page)))
    });
    call.gate(Operation::List, &request.prefix, work).await
}

/// The live object, if it is there, is the generation asked for, and meets the conditions.
fn find(call: &Call<'_>) -> Result<(Arc<Bucket>, Arc<Object>), ApiError> {
    let preconditions = Preconditions::from_headers(&call.head.headers)?;
    let bucket = call.app.store.bucket(&call.bucket)?;
    let object = bucket.find(&call.object, call.query.number("generation")?, preconditions)?;
    check_etag(&call.head.headers, &object.etag())?;
    Ok((bucket, object))
}

/// Sets what only this API says of an object.
fn describe(response: &mut Response, object: &Object) {
    set(response, ETAG, &etag(object));
    let class = object.attributes.storage_class.as_deref().unwrap_or("STANDARD");
    set(response, "x-goog-storage-class", class);
    for (key, value) in object.attributes.metadata.iter().flatten() {
        headers::set_named(response, &format!("x-goog-meta-{key}"), value);
    }
}

fn listing(bucket: &str, request: &ListRequest, page: &Page<Arc<Object>>) -> String {
    let mut items = element("Name", bucket);
    items += &element("Prefix", &request.prefix);
    items += &element("KeyCount", &(page.items.len() + page.prefixes.len()).to_string());
    items += &element("IsTruncated", &page.next_page_token.is_some().to_string());
    if let Some(token) = &page.next_page_token {
        items += &element("NextContinuationToken", token);
    }
    for object in &page.items {
        let time = humantime::format_rfc3339_millis(object.created).to_string();
        let fields = [
            element("Key", &object.name),
            element("Generation", &object.generation.to_string()),
            element("MetaGeneration", &object.metageneration.to_string()),
            element("LastModified", &time),
            element("ETag", &etag(object)),
            element("Size", &object.size.to_string()),
        ];
        items += &format!("<Contents>{}</Contents>", fields.concat());
    }
    for prefix in &page.prefixes {
        items += &format!("<CommonPrefixes>{}</CommonPrefixes>", element("Prefix", prefix));
    }
    root_in(text::LISTING_SPACE, "ListBucketResult", &items)
}
