//! The XML API at `/BUCKET/OBJECT`: as much as clients such as the `object_store` crate and obstore
//! send, which is to put, get, head, delete and list objects
//! (<https://cloud.google.com/storage/docs/xml-api/overview>).

use std::sync::Arc;

use axum::body::Body;
use axum::extract::{Request, State};
use axum::http::header::{CONTENT_LENGTH, CONTENT_TYPE, ETAG, HeaderMap, HeaderValue};
use axum::http::header::{IF_MATCH, IF_NONE_MATCH};
use axum::http::request::Parts;
use axum::http::{Method, Response, StatusCode};
use data_encoding::HEXLOWER;
use percent_encoding::percent_decode_str;

use crate::answers::{ApiError, ApiResult, status_only};
use crate::call::{App, read_body};
use crate::gate::Subject;
use crate::headers::{self, set};
use crate::listing::{ListRequest, Page};
use crate::media;
use crate::object::Object;
use crate::query::{Preconditions, Query};
use crate::script::Operation;
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

/// Answers every request that is not for the JSON API.
pub(crate) async fn serve(State(app): State<Arc<App>>, request: Request) -> Response<Body> {
    let (head, body) = request.into_parts();
    answer(&app, &head, body).await.unwrap_or_else(refuse)
}

async fn answer(app: &Arc<App>, head: &Parts, body: Body) -> ApiResult {
    let path = percent_decode_str(head.uri.path()).decode_utf8();
    let path = path.map_err(|_| ApiError::invalid("names in the path must be UTF-8".to_owned()))?;
    let path = path.strip_prefix('/').unwrap_or_default();
    let (bucket, object) = path.split_once('/').unwrap_or((path, ""));
    let query = Query::parse(head.uri.query())?;
    if let Some(absent) = ABSENT.into_iter().find(|name| query.get(name).is_some()) {
        return Err(ApiError::not_implemented(&format!("the parameter '{absent}'")));
    }
    if head.headers.contains_key(COPY_SOURCE) {
        return Err(ApiError::not_implemented("copies"));
    }
    let call = Call { app, head, query, bucket, object };
    match (&head.method, bucket, object) {
        (_, "", _) => Err(ApiError::no_route()),
        (&Method::GET, _, "") => call.list().await,
        (&Method::PUT, _, name) if !name.is_empty() => call.put(body).await,
        (&Method::GET, ..) => call.get().await,
        (&Method::HEAD, _, name) if !name.is_empty() => call.head().await,
        (&Method::DELETE, _, name) if !name.is_empty() => call.delete().await,
        _ => Err(ApiError::method_not_allowed()),
    }
}

/// A request with its path and query decoded.
struct Call<'a> {
    app: &'a Arc<App>,
    head: &'a Parts,
    query: Query,
    bucket: &'a str,
    object: &'a str,
}

impl Call<'_> {
    async fn gate(
        &self,
        operation: Operation,
        key: &str,
        work: impl Future<Output = ApiResult>,
    ) -> ApiResult {
        let subject = Subject { operation, bucket: self.bucket, key, head: self.head };
        self.app.gate.run(subject, work).await
    }

    async fn put(&self, body: Body) -> ApiResult {
        let _in_flight = self.app.stats.insert_in_flight();
        let upload = Upload::from_headers(self.object, &self.head.headers)?;
        let content = read_body(self.app, self.head, body).await?;
        let work = async {
            let bucket = self.app.store.bucket(self.bucket)?;
            let object = self.app.store.put(&bucket, upload.object(content)?).await?;
            let mut response = status_only(StatusCode::OK);
            media::identify(&mut response, &object);
            set(&mut response, ETAG, &etag(&object));
            Ok(response)
        };
        self.gate(Operation::Insert, self.object, work).await
    }

    async fn get(&self) -> ApiResult {
        let work = async {
            let bucket = self.app.store.bucket(self.bucket)?;
            let object = bucket.find(self.object, self.generation()?, self.preconditions()?)?;
            check_etag(&self.head.headers, &etag(&object))?;
            let content = self.app.store.read(&bucket, &object).await?;
            let mut response = media::answer(content, &self.head.headers, &object);
            describe(&mut response, &object);
            Ok(response)
        };
        self.gate(Operation::Download, self.object, work).await
    }

    async fn head(&self) -> ApiResult {
        let work = async {
            let bucket = self.app.store.bucket(self.bucket)?;
            let object = bucket.find(self.object, self.generation()?, self.preconditions()?)?;
            check_etag(&self.head.headers, &etag(&object))?;
            let mut response = status_only(StatusCode::OK);
            media::describe(&mut response, &object);
            describe(&mut response, &object);
            response.headers_mut().insert(CONTENT_LENGTH, HeaderValue::from(object.size));
            Ok(response)
        };
        self.gate(Operation::Get, self.object, work).await
    }

    async fn delete(&self) -> ApiResult {
        let work = async {
            let bucket = self.app.store.bucket(self.bucket)?;
            let (generation, conditions) = (self.generation()?, self.preconditions()?);
            let name = self.object.to_owned();
            self.app.store.delete(&bucket, name, generation, conditions).await?;
            Ok(status_only(StatusCode::NO_CONTENT))
        };
        self.gate(Operation::Delete, self.object, work).await
    }

    async fn list(&self) -> ApiResult {
        if self.query.get("list-type") != Some("2") {
            return Err(ApiError::not_implemented("listings other than list-type=2"));
        }
        let request = ListRequest::from_xml_query(&self.query)?;
        let work = async {
            let bucket = self.app.store.bucket(self.bucket)?;
            let page = bucket.with_objects(|objects| request.page(objects));
            let text = listing(&bucket.name, &request, &page);
            let mut response = Response::new(Body::from(text));
            response.headers_mut().insert(CONTENT_TYPE, HeaderValue::from_static(XML));
            Ok(response)
        };
        self.gate(Operation::List, &request.prefix, work).await
    }

    fn generation(&self) -> Result<Option<i64>, ApiError> {
        self.query.number("generation")
    }

    fn preconditions(&self) -> Result<Preconditions, ApiError> {
        Preconditions::from_headers(&self.head.headers)
    }
}

/// The etag of this API: the MD5 in quotes.
fn etag(object: &Object) -> String {
    format!("\"{}\"", HEXLOWER.encode(&object.checksums.md5))
}

/// Sets what only this API says of an object.
fn describe(response: &mut Response<Body>, object: &Object) {
    set(response, ETAG, &etag(object));
    let class = object.attributes.storage_class.as_deref().unwrap_or("STANDARD");
    set(response, "x-goog-storage-class", class);
    for (key, value) in object.attributes.metadata.iter().flatten() {
        headers::set_named(response, &format!("x-goog-meta-{key}"), value);
    }
}

/// Follows `If-Match` and `If-None-Match`.
fn check_etag(headers: &HeaderMap, etag: &str) -> Result<(), ApiError> {
    let named = |list: &str| list == "*" || list.split(',').any(|named| named.trim() == etag);
    if headers::text(headers, IF_MATCH).is_some_and(|list| !named(list)) {
        return Err(ApiError::condition_not_met());
    }
    if headers::text(headers, IF_NONE_MATCH).is_some_and(named) {
        return Err(ApiError::not_modified());
    }
    Ok(())
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
fn refuse(error: ApiError) -> Response<Body> {
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
