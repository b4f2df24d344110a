//! The XML API at `/BUCKET/OBJECT`: as much as clients such as the `object_store` crate and obstore
//! send, which is to put, get, head, delete and list objects
//! (<https://cloud.google.com/storage/docs/xml-api/overview>).

use std::pin::pin;
use std::sync::Arc;

use http::StatusCode;
use http::header::{CONTENT_LENGTH, CONTENT_TYPE, ETAG, HeaderValue};
use http::request::Parts;

use crate::answers::{ApiError, ApiResult, status_only};
use crate::body::{Body, Response};
use crate::call::{App, Call, Content};
use crate::headers::{self, set};
use crate::listing::{ListRequest, Page};
use crate::media;
use crate::object::Object;
use crate::query::{Preconditions, check_etag};
use crate::script::Operation;
use crate::store::Bucket;
use crate::upload::Upload;

const XML: &str = "application/xml; charset=UTF-8";

/// Parameters and headers of what is not here, which must not pass for a plain read or write.
const ABSENT: [&str; 9] = [
    "acl",
    "compose",
    "cors",
    "lifecycle",
    "partNumber",
    "uploadId",
    "uploads",
    "versioning",
    "versions",
];
const COPY_SOURCE: &str = "x-goog-copy-source";

/// Answers a request of this API.
pub(crate) async fn answer(app: &App, head: &Parts, body: Content) -> ApiResult {
    let path = head.uri.path().strip_prefix('/').unwrap_or_default();
    let (bucket, object) = path.split_once('/').unwrap_or((path, ""));
    let call = Call::new(app, head, bucket, object)?;
    if let Some(absent) = ABSENT.into_iter().find(|name| call.query.get(name).is_some()) {
        return Err(ApiError::not_implemented(&format!("the parameter '{absent}'")));
    }
    if head.headers.contains_key(COPY_SOURCE) {
        return Err(ApiError::not_implemented("copies"));
    }
    match (head.method.as_str(), bucket.is_empty(), object.is_empty()) {
        (_, true, _) => Err(ApiError::no_method(head)),
        ("GET", _, true) => list(&call).await,
        ("PUT", _, false) => put(&call, body).await,
        ("GET", _, false) => get(&call).await,
        ("HEAD", _, false) => describe_only(&call).await,
        ("DELETE", _, false) => delete(&call).await,
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
        let text = listing(&bucket.name, &request, &page);
        let mut response = Response::new(Body::from(text));
        response.headers_mut().insert(CONTENT_TYPE, HeaderValue::from_static(XML));
        Ok(response)
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

/// The etag of this API. Google's is often the MD5; clients may only compare it.
fn etag(object: &Object) -> String {
    format!("\"{}\"", object.etag())
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
    let space = "http://doc.s3.amazonaws.com/2006-03-01";
    document(&format!("<ListBucketResult xmlns='{space}'>{items}</ListBucketResult>"))
}

/// A refusal in the shape of this API's errors.
pub(crate) fn refuse(error: ApiError) -> Response {
    let fields = [element("Code", error.code), element("Message", &error.message)];
    let shaped = document(&format!("<Error>{}</Error>", fields.concat()));
    error.answer(XML, shaped)
}

fn document(root: &str) -> String {
    format!("<?xml version='1.0' encoding='UTF-8'?>{root}")
}

fn element(name: &str, text: &str) -> String {
    let mut escaped = String::with_capacity(text.len());
    for c in text.chars() {
        match c {
            '&' => escaped.push_str("&amp;"),
            '<' => escaped.push_str("&lt;"),
            '>' => escaped.push_str("&gt;"),
            c if c.is_control() => escaped.push_str(&format!("&#{};", u32::from(c))),
            c => escaped.push(c),
        }
    }
    format!("<{name}>{escaped}</{name}>")
}
