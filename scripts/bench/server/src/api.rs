//! Requests and answers: uploads through the JSON API (`uploadType=multipart` and `media`) and the XML
//! API (`PUT /bucket/object`), and the few reads that clients make before them.

use std::borrow::Cow;
use std::sync::atomic::Ordering::Relaxed;
use std::time::Duration;

use bytes::Bytes;
use data_encoding::BASE64;
use http_body_util::{BodyExt, Full};
use hyper::body::Incoming;
use hyper::header::{CONTENT_TYPE, ETAG};
use hyper::{HeaderMap, Method, Request, Response, StatusCode};
use md5::{Digest, Md5};
use memchr::memmem;
use percent_encoding::percent_decode_str;
use serde::Deserialize;
use serde_json::json;

use crate::store::{Object, Store};

type Answer = Response<Full<Bytes>>;

pub struct Server {
    store: Store,
    latency: Duration,
}

#[derive(Default, Deserialize)]
struct Metadata {
    name: Option<String>,
    crc32c: Option<String>,
}

fn decode(text: &str) -> Cow<'_, str> {
    percent_decode_str(text).decode_utf8_lossy()
}

/// The value of a query's parameter.
fn parameter<'a>(query: &'a str, key: &str) -> Option<Cow<'a, str>> {
    let mut pairs = query.split('&').filter_map(|pair| pair.split_once('='));
    pairs.find(|(k, _)| *k == key).map(|(_, value)| decode(value))
}

fn answer(status: StatusCode, body: impl Into<Bytes>) -> Answer {
    let mut answer = Response::new(Full::new(body.into()));
    *answer.status_mut() = status;
    answer.headers_mut().insert(CONTENT_TYPE, "application/json".parse().expect("is a value"));
    answer
}

fn ok(value: &serde_json::Value) -> Answer {
    answer(StatusCode::OK, value.to_string())
}

fn error(status: StatusCode, message: &str) -> Answer {
    let code = status.as_u16();
    answer(status, json!({"error": {"code": code, "message": message}}).to_string())
}

/// What the JSON API says about an object.
fn resource(bucket: &str, name: &str, object: Object) -> serde_json::Value {
    json!({
        "kind": "storage#object",
        "bucket": bucket,
        "name": name,
        "size": object.size.to_string(),
        "crc32c": BASE64.encode(&object.crc32c.to_be_bytes()),
        "generation": object.generation.to_string(),
        "metageneration": "1",
        // rclone wants a time.
        "updated": "2026-01-01T00:00:00.000Z",
    })
}

/// Metadata and content of a `multipart/related` body; lines may end in LF alone.
fn parts<'a>(content_type: &str, body: &'a [u8]) -> Option<(Metadata, &'a [u8])> {
    let (_, boundary) = content_type.split_once("boundary=")?;
    let boundary = boundary.split(';').next()?.trim().trim_matches(['"', '\'']);
    let delimiter = format!("\n--{boundary}");

    let start = memchr::memchr(b'{', body)?;
    let mut values = serde_json::Deserializer::from_slice(&body[start..]).into_iter::<Metadata>();
    let metadata = values.next()?.ok()?;
    let rest = &body[start + values.byte_offset()..];
    let rest = &rest[memmem::find(rest, delimiter.as_bytes())? + delimiter.len()..];
    let begin = match (memmem::find(rest, b"\r\n\r\n"), memmem::find(rest, b"\n\n")) {
        (Some(crlf), Some(lf)) if lf < crlf => lf + 2,
        (Some(crlf), _) => crlf + 4,
        (None, lf) => lf? + 2,
    };
    let content = &rest[begin..];
    let content = &content[..memmem::rfind(content, delimiter.as_bytes())?];
    Some((metadata, content.strip_suffix(b"\r").unwrap_or(content)))
}

fn text<'a>(headers: &'a HeaderMap, name: &str) -> &'a str {
    headers.get(name).and_then(|value| value.to_str().ok()).unwrap_or_default()
}

impl Server {
    pub fn new(latency: Duration) -> Self {
        Self { store: Store::new(), latency }
    }

    pub async fn answer(&self, request: Request<Incoming>) -> Answer {
        self.store.counters.requests.fetch_add(1, Relaxed);
        let (head, body) = request.into_parts();
        let Ok(body) = body.collect().await else {
            return error(StatusCode::BAD_REQUEST, "the body is cut off");
        };
        let body = body.to_bytes();
        if !self.latency.is_zero() && (head.method == Method::POST || head.method == Method::PUT) {
            tokio::time::sleep(self.latency).await;
        }
        let path = head.uri.path();
        let query = head.uri.query().unwrap_or_default();
        if path == "/_emulator/counters" {
            return ok(&json!(self.store.counters));
        }
        if head.method == Method::POST
            && let Some(bucket) = path.strip_prefix("/upload/storage/v1/b/")
        {
            let bucket = bucket.trim_end_matches("/o");
            return self.insert(bucket, query, &head.headers, &body);
        }
        if let Some(path) = path.strip_prefix("/storage/v1/b/") {
            return self.read(path, query);
        }
        if head.method == Method::PUT
            && let Some((_, name)) = path[1..].split_once('/')
        {
            return self.put(&decode(name), &head.headers, &body);
        }
        error(StatusCode::NOT_FOUND, "there is no such path")
    }

    /// An upload through the JSON API.
    fn insert(&self, bucket: &str, query: &str, headers: &HeaderMap, body: &[u8]) -> Answer {
        let (metadata, content) = match parameter(query, "uploadType").as_deref() {
            Some("media") => (Metadata::default(), body),
            Some("multipart") => match parts(text(headers, "content-type"), body) {
                Some(both) => both,
                None => return error(StatusCode::BAD_REQUEST, "not a multipart/related body"),
            },
            _ => return error(StatusCode::BAD_REQUEST, "uploadType must be media or multipart"),
        };
        let Some(name) = metadata.name.or_else(|| Some(parameter(query, "name")?.into_owned()))
        else {
            return error(StatusCode::BAD_REQUEST, "the object has no name");
        };
        if let Some(declared) = metadata.crc32c
            && declared != BASE64.encode(&crc32c::crc32c(content).to_be_bytes())
        {
            return error(StatusCode::BAD_REQUEST, "the CRC32C does not match");
        }
        let only_new = parameter(query, "ifGenerationMatch").as_deref() == Some("0");
        match self.store.put(name.clone(), content, only_new) {
            Some(object) => {
                let mut resource = resource(bucket, &name, object);
                // gcloud compares it; a client that names the fields it wants does without.
                if parameter(query, "fields").is_none() {
                    resource["md5Hash"] = BASE64.encode(&Md5::digest(content)).into();
                }
                ok(&resource)
            }
            None => error(StatusCode::PRECONDITION_FAILED, "the object exists"),
        }
    }

    /// An upload through the XML API.
    fn put(&self, name: &str, headers: &HeaderMap, body: &[u8]) -> Answer {
        let only_new = text(headers, "x-goog-if-generation-match") == "0";
        let Some(object) = self.store.put(name.to_owned(), body, only_new) else {
            return error(StatusCode::PRECONDITION_FAILED, "the object exists");
        };
        let mut answer = answer(StatusCode::OK, Bytes::new());
        let hash = BASE64.encode(&object.crc32c.to_be_bytes());
        for (key, value) in [
            (ETAG.as_str(), format!("\"{}\"", object.generation)),
            ("x-goog-generation", object.generation.to_string()),
            ("x-goog-hash", format!("crc32c={hash}")),
        ] {
            let key = hyper::header::HeaderName::from_bytes(key.as_bytes()).expect("is a name");
            answer.headers_mut().insert(key, value.parse().expect("is a value"));
        }
        answer
    }

    /// A bucket, what one may do there, a list, or an object.
    fn read(&self, path: &str, query: &str) -> Answer {
        let (bucket, rest) = path.split_once('/').unwrap_or((path, ""));
        match rest {
            "" => ok(&json!({"kind": "storage#bucket", "id": bucket, "name": bucket})),
            "storageLayout" => ok(&json!({"kind": "storage#storageLayout", "bucket": bucket})),
            "iam/testPermissions" => {
                let pairs = query.split('&').filter_map(|pair| pair.split_once('='));
                let asked: Vec<_> =
                    pairs.filter(|(k, _)| *k == "permissions").map(|(_, v)| decode(v)).collect();
                ok(&json!({"kind": "storage#testIamPermissionsResponse", "permissions": asked}))
            }
            "o" => {
                let prefix = parameter(query, "prefix").unwrap_or_default();
                let found = self.store.list(&prefix);
                let items: Vec<_> =
                    found.iter().map(|(name, object)| resource(bucket, name, *object)).collect();
                ok(&json!({"kind": "storage#objects", "items": items}))
            }
            _ => {
                let name = decode(rest.trim_start_matches("o/"));
                match self.store.get(&name) {
                    Some(object) => ok(&resource(bucket, &name, object)),
                    None => error(StatusCode::NOT_FOUND, "there is no such object"),
                }
            }
        }
    }
}
