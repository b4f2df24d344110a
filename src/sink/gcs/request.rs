//! The requests of the JSON API. Pure: no connection, no clock.

use bytes::Bytes;
use http::{HeaderValue, Method, Request, Uri, header};
use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, percent_encode};
use reqwest::Url;

use super::super::{Fault, FaultKind, NameRange, NewObject, Precondition};

/// What stays as it is in a path segment or a query value (RFC 3986, unreserved).
const UNRESERVED: &AsciiSet = &NON_ALPHANUMERIC.remove(b'-').remove(b'.').remove(b'_').remove(b'~');

/// The fields of an object that are looked at; asking for no more makes responses a third as long.
const FIELDS: &str = "name,size,crc32c,generation,metadata";

/// A request whose address is a path.
pub(super) type ApiRequest = Result<Request<Bytes>, Fault>;

/// Builds the requests for one prefix of one bucket.
pub(super) struct Requests {
    /// Prefix with its slash, or nothing.
    prefix: String,
    /// The path of the bucket.
    bucket: String,
    /// The path of uploads, up to the kind of upload.
    upload: String,
    /// Where objects are inserted that do not exist yet: most requests go there.
    absent: Option<Uri>,
    multipart: HeaderValue,
    parts: Parts,
}

/// What is the same in the body of every upload. The boundary in it is 128 random bits a run, so that
/// no image contains it.
struct Parts {
    /// Before the object's metadata.
    start: String,
    /// From the metadata's end to the content's type.
    middle: String,
    /// Behind the content.
    end: String,
}

fn encode(text: &str) -> String {
    percent_encode(text.as_bytes(), UNRESERVED).to_string()
}

fn request(method: Method, path: String) -> ApiRequest {
    // Everything in it is encoded.
    let path = Uri::try_from(path)
        .map_err(|e| Fault::new(FaultKind::Internal, format!("invalid request path: {e}")))?;
    let mut request = Request::new(Bytes::new());
    (*request.method_mut(), *request.uri_mut()) = (method, path);
    Ok(request)
}

fn json() -> HeaderValue {
    HeaderValue::from_static("application/json; charset=utf-8")
}

impl Requests {
    pub(super) fn new(endpoint: &str, bucket: &str, prefix: &str) -> Self {
        // An endpoint may have a path of its own.
        let root = Url::parse(endpoint).map(|url| url.path().trim_end_matches('/').to_owned());
        let root = root.unwrap_or_default();
        let bucket = encode(bucket);
        let boundary = format!("idx2gcs-{:032x}", fastrand::u128(..));
        let upload = format!("{root}/upload/storage/v1/b/{bucket}/o?fields={FIELDS}");
        let multipart = format!("multipart/related; boundary={boundary}");
        let mut requests = Self {
            prefix: if prefix.is_empty() { String::new() } else { format!("{prefix}/") },
            bucket: format!("{root}/storage/v1/b/{bucket}"),
            upload,
            absent: None,
            // Hexadecimal digits and what stands here.
            multipart: HeaderValue::from_str(&multipart).unwrap_or_else(|_| json()),
            parts: Parts {
                start: format!(
                    "--{boundary}\r\ncontent-type: application/json; charset=utf-8\r\n\r\n"
                ),
                middle: format!("\r\n--{boundary}\r\ncontent-type: "),
                end: format!("\r\n--{boundary}--\r\n"),
            },
        };
        requests.absent = Uri::try_from(requests.upload("multipart", Precondition::Absent)).ok();
        requests
    }

    pub(super) fn prefix(&self) -> &str {
        &self.prefix
    }

    fn object_path(&self, name: &str) -> String {
        format!("{}/o/{}", self.bucket, encode(&format!("{}{name}", self.prefix)))
    }

    pub(super) fn stat(&self, name: &str) -> ApiRequest {
        request(Method::GET, format!("{}?fields={FIELDS}", self.object_path(name)))
    }

    /// Reads an object's content (<https://cloud.google.com/storage/docs/json_api/v1/objects/get>).
    pub(super) fn read(&self, name: &str) -> ApiRequest {
        request(Method::GET, format!("{}?alt=media", self.object_path(name)))
    }

    /// Changes the custom metadata of a generation key by key
    /// (<https://cloud.google.com/storage/docs/json_api/v1/objects/patch>).
    pub(super) fn annotate(&self, object: &NewObject, generation: u64) -> ApiRequest {
        let path = self.object_path(&object.name);
        let path = format!("{path}?fields=generation&ifGenerationMatch={generation}");
        let mut change = request(Method::PATCH, path)?;
        let mut metadata = String::new();
        push_pairs(object, &mut metadata);
        *change.body_mut() = format!("{{{metadata}}}").into();
        change.headers_mut().insert(header::CONTENT_TYPE, json());
        Ok(change)
    }

    pub(super) fn delete(&self, name: &str) -> ApiRequest {
        request(Method::DELETE, self.object_path(name))
    }

    pub(super) fn list(&self, range: &NameRange, page: Option<&str>, most: u32) -> ApiRequest {
        let mut path = format!(
            "{}/o?maxResults={most}&fields=nextPageToken,items({FIELDS})&prefix={}",
            self.bucket,
            encode(&self.prefix)
        );
        let below = |name: &String| encode(&format!("{}{name}", self.prefix));
        for (parameter, value) in [
            ("startOffset", range.start.as_ref().map(below)),
            ("endOffset", range.end.as_ref().map(below)),
            ("pageToken", page.map(encode)),
        ] {
            if let Some(value) = value {
                path.push_str(&format!("&{parameter}={value}"));
            }
        }
        request(Method::GET, path)
    }

    pub(super) fn permissions(&self, permissions: &[&str]) -> ApiRequest {
        let asked: Vec<_> = permissions.iter().map(|p| format!("permissions={p}")).collect();
        request(Method::GET, format!("{}/iam/testPermissions?{}", self.bucket, asked.join("&")))
    }

    pub(super) fn about(&self) -> ApiRequest {
        let path = format!("{}?fields=location,locationType,projectNumber", self.bucket);
        request(Method::GET, path)
    }

    /// Version 3 has conditions; an older one is refused where there are any
    /// (<https://cloud.google.com/storage/docs/json_api/v1/buckets/getIamPolicy>).
    pub(super) fn policy(&self) -> ApiRequest {
        request(Method::GET, format!("{}/iam?optionsRequestedPolicyVersion=3", self.bucket))
    }

    fn upload(&self, kind: &str, condition: Precondition) -> String {
        let generation = condition.generation();
        format!("{}&uploadType={kind}&ifGenerationMatch={generation}", self.upload)
    }

    /// Inserts an object with its metadata in one request: `uploadType=multipart`
    /// (<https://cloud.google.com/storage/docs/uploading-objects#rest-upload-objects>).
    pub(super) fn insert(
        &self,
        object: &NewObject,
        content: &[u8],
        condition: Precondition,
    ) -> ApiRequest {
        let mut insert = match (&self.absent, condition) {
            (Some(absent), Precondition::Absent) => {
                let mut request = Request::new(Bytes::new());
                (*request.method_mut(), *request.uri_mut()) = (Method::POST, absent.clone());
                request
            }
            _ => request(Method::POST, self.upload("multipart", condition))?,
        };
        insert.headers_mut().insert(header::CONTENT_TYPE, self.multipart.clone());
        *insert.body_mut() = self.body(object, content);
        Ok(insert)
    }

    /// Begins an upload in chunks: `uploadType=resumable`
    /// (<https://cloud.google.com/storage/docs/performing-resumable-uploads>).
    pub(super) fn begin(&self, object: &NewObject, condition: Precondition) -> ApiRequest {
        let mut begin = request(Method::POST, self.upload("resumable", condition))?;
        let mut metadata = String::new();
        self.push_metadata(object, &mut metadata);
        *begin.body_mut() = metadata.into();
        let headers = begin.headers_mut();
        headers.insert(header::CONTENT_TYPE, json());
        headers.insert("x-upload-content-type", HeaderValue::from_static(object.content_type));
        headers.insert("x-upload-content-length", object.body.size().into());
        Ok(begin)
    }

    /// A chunk of an object of `size` bytes that begins at `at`; without content it asks how much has
    /// been received.
    pub(super) fn chunk(session: &Uri, at: u64, content: Bytes, size: u64) -> ApiRequest {
        let range = match content.len() as u64 {
            0 => format!("bytes */{size}"),
            length => format!("bytes {at}-{}/{size}", at + length - 1),
        };
        let mut chunk = Request::new(content);
        (*chunk.method_mut(), *chunk.uri_mut()) = (Method::PUT, session.clone());
        let range = HeaderValue::try_from(range)
            .map_err(|e| Fault::new(FaultKind::Internal, format!("invalid range: {e}")))?;
        chunk.headers_mut().insert(header::CONTENT_RANGE, range);
        Ok(chunk)
    }

    /// The body of an upload from memory, in one piece: one write to the connection.
    fn body(&self, object: &NewObject, content: &[u8]) -> Bytes {
        let Parts { start, middle, end } = &self.parts;
        let fixed = start.len() + middle.len() + end.len() + 2 * object.content_type.len() + 64;
        // Quotes, colons and commas; nothing where there is no metadata.
        let pairs = object.metadata_size() + 8 * object.metadata.len();
        let names = self.prefix.len() + object.name.len();
        let mut head = String::with_capacity(fixed + names + pairs + content.len());
        head.push_str(start);
        self.push_metadata(object, &mut head);
        for text in [middle, object.content_type, "\r\n\r\n"] {
            head.push_str(text);
        }
        let mut body = head.into_bytes();
        body.extend_from_slice(content);
        body.extend_from_slice(end.as_bytes());
        body.into()
    }

    /// Appends name, type, checksum and custom metadata as JSON: by hand, which takes a third of the
    /// time of a serialiser, for every image.
    fn push_metadata(&self, object: &NewObject, into: &mut String) {
        into.push_str("{\"name\":\"");
        push_escaped(into, &self.prefix);
        push_escaped(into, &object.name);
        into.push_str("\",\"contentType\":\"");
        push_escaped(into, object.content_type);
        into.push_str("\",\"crc32c\":\"");
        data_encoding::BASE64.encode_append(&object.crc32c.to_be_bytes(), into);
        into.push('"');
        if !object.metadata.is_empty() {
            into.push(',');
            push_pairs(object, into);
        }
        into.push('}');
    }
}

/// Appends the custom metadata as a field of JSON; nothing where there is none.
fn push_pairs(object: &NewObject, into: &mut String) {
    for (i, (key, value)) in object.metadata.iter().enumerate() {
        into.push_str(if i == 0 { "\"metadata\":{\"" } else { ",\"" });
        push_escaped(into, key);
        into.push_str("\":\"");
        push_escaped(into, value);
        into.push('"');
    }
    if !object.metadata.is_empty() {
        into.push('}');
    }
}

/// Appends text as it stands in a JSON string.
fn push_escaped(into: &mut String, text: &str) {
    let plain = |byte: u8| byte >= b' ' && byte != b'"' && byte != b'\\';
    if text.bytes().all(plain) {
        return into.push_str(text);
    }
    // A string always becomes one, between quotes.
    let quoted = serde_json::to_string(text).unwrap_or_default();
    let inner = quoted.strip_prefix('"').and_then(|text| text.strip_suffix('"'));
    into.push_str(inner.unwrap_or_default());
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn requests(prefix: &str) -> Requests {
        Requests::new("http://127.0.0.1:1/", "demo", prefix)
    }

    #[test]
    fn addresses_are_encoded() {
        let r = requests("a b/c");
        assert_eq!(
            r.stat("ü/1.jpg").unwrap().uri().to_string(),
            "/storage/v1/b/demo/o/a%20b%2Fc%2F%C3%BC%2F1.jpg?fields=name,size,crc32c,generation,metadata"
        );
        let list = |r: &Requests, range: &NameRange, page, most| {
            r.list(range, page, most).unwrap().uri().to_string()
        };
        let all = NameRange::default();
        let listed = list(&r, &all, Some("t=&"), 1000);
        assert!(listed.ends_with("&prefix=a%20b%2Fc%2F&pageToken=t%3D%26"), "{listed}");
        let some = NameRange { start: Some("x1".to_owned()), end: Some("x2".to_owned()) };
        let listed = list(&r, &some, None, 1000);
        let range = "&startOffset=a%20b%2Fc%2Fx1&endOffset=a%20b%2Fc%2Fx2";
        assert!(listed.ends_with(range), "{listed}");
        assert!(list(&requests(""), &all, None, 1).ends_with("&prefix="));
        let below = Requests::new("http://127.0.0.1:1/gcs/", "demo", "");
        assert!(list(&below, &all, None, 1).starts_with("/gcs/storage/v1/b/demo/o?"));
    }

    #[test]
    fn a_chunk_says_what_it_is_of() {
        let session = Uri::from_static("/upload?upload_id=1");
        let range = |at, content: &'static [u8]| {
            let chunk = Requests::chunk(&session, at, Bytes::from_static(content), 10).unwrap();
            chunk.headers()["content-range"].to_str().unwrap().to_owned()
        };
        assert_eq!(range(4, b"abc"), "bytes 4-6/10");
        assert_eq!(range(0, b""), "bytes */10");
    }

    fn object(name: &str, content: &'static [u8]) -> NewObject {
        NewObject::of_bytes(name, content, "image/jpeg")
    }

    /// The metadata in a body, and the content.
    fn parts<'a>(requests: &Requests, body: &'a [u8]) -> (serde_json::Value, &'a [u8]) {
        let boundary =
            requests.multipart.to_str().unwrap().strip_prefix("multipart/related; boundary=");
        let boundary = boundary.unwrap();
        let text = String::from_utf8_lossy(body);
        assert_eq!(text.matches(&format!("--{boundary}")).count(), 3);
        let find = |what: &str, from: usize| {
            let what = what.as_bytes();
            from + body[from..].windows(what.len()).position(|w| w == what).unwrap()
        };
        let metadata = find("\r\n\r\n", 0) + 4;
        let middle = find(&format!("\r\n--{boundary}\r\n"), metadata);
        let content = find("\r\n\r\n", middle) + 4;
        let end = body.strip_suffix(format!("\r\n--{boundary}--\r\n").as_bytes()).unwrap();
        (serde_json::from_slice(&body[metadata..middle]).unwrap(), &end[content..])
    }

    #[test]
    fn an_insert_carries_name_checksum_and_content() {
        let content = b"\xFF\xD8 jpeg \xFF\xD9";
        let r = requests("fm");
        let body = r.body(&object("image_0.jpg", content), content);
        let (metadata, stored) = parts(&r, &body);
        let crc32c = data_encoding::BASE64.encode(&crc32c::crc32c(content).to_be_bytes());
        assert_eq!(
            metadata,
            serde_json::json!({
                "name": "fm/image_0.jpg", "contentType": "image/jpeg", "crc32c": crc32c,
            })
        );
        assert_eq!(stored, content);
        let insert =
            |condition| r.insert(&object("a", b"x"), b"x", condition).unwrap().uri().to_string();
        let absent = insert(Precondition::Absent);
        assert!(absent.starts_with("/upload/storage/v1/b/demo/o?"));
        assert!(absent.ends_with("&uploadType=multipart&ifGenerationMatch=0"));
        assert!(insert(Precondition::Generation(7)).ends_with("&ifGenerationMatch=7"));
        let begin = r.begin(&object("a", b"x"), Precondition::Absent).unwrap();
        let metadata: serde_json::Value = serde_json::from_slice(begin.body()).unwrap();
        assert_eq!(metadata["name"], "fm/a");
    }

    #[test]
    fn a_checksum_is_big_endian_base64() {
        // RFC 3720 gives 0xE3069283 for "123456789".
        let (r, content) = (requests(""), b"123456789");
        let body = r.body(&object("a", content), content);
        assert_eq!(parts(&r, &body).0["crc32c"], "4waSgw==");
    }

    #[test]
    fn without_metadata_nothing_is_said_of_it() {
        let r = requests("");
        let body = r.body(&object("a", b"x"), b"x");
        assert!(!String::from_utf8_lossy(&body).contains("metadata"));
    }

    #[test]
    fn metadata_alone_is_changed_where_nobody_wrote_meanwhile() {
        let r = requests("fm");
        let mut object = object("a", b"x");
        object.metadata = vec![("label", "7".to_owned()), ("class", "a \"b\"".to_owned())];
        let patch = r.annotate(&object, 5).unwrap();
        assert_eq!(
            (patch.method(), patch.headers().get("content-type")),
            (&Method::PATCH, Some(&json()))
        );
        assert!(
            patch.uri().to_string().ends_with("/o/fm%2Fa?fields=generation&ifGenerationMatch=5")
        );
        let sent: serde_json::Value = serde_json::from_slice(patch.body()).unwrap();
        assert_eq!(sent, serde_json::json!({"metadata": {"label": "7", "class": "a \"b\""}}));
    }

    proptest! {
        #[test]
        fn any_metadata_arrives_as_it_is(values in prop::collection::vec(any::<String>(), 0..4)) {
            let r = requests("fm");
            let mut object = object("a", b"x");
            let keys = ["label", "class", "partition", "\"\\"];
            object.metadata = keys.into_iter().zip(values).collect();
            let (metadata, content) = (r.body(&object, b"x"), b"x");
            let (metadata, stored) = parts(&r, &metadata);
            prop_assert_eq!(stored, content);
            prop_assert_eq!(metadata["name"].as_str(), Some("fm/a"));
            for (key, value) in &object.metadata {
                prop_assert_eq!(metadata["metadata"][*key].as_str(), Some(value.as_str()));
            }
        }

        #[test]
        fn any_name_arrives_as_it_is(prefix: String, name: String) {
            let r = requests(&prefix);
            let body = r.body(&object(&name, b"x"), b"x");
            let (metadata, _) = parts(&r, &body);
            prop_assert_eq!(metadata["name"].as_str().unwrap(), format!("{}{name}", r.prefix()));
        }
    }
}
