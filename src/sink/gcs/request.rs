//! Addresses and bodies of requests. Pure: no connection, no clock.

use std::path::Path;

use bytes::Bytes;
use futures::StreamExt;
use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, percent_encode};
use tokio_util::io::ReaderStream;

use super::super::{NameRange, NewObject, Precondition};

/// What stays as it is in a path segment or a query value (RFC 3986, unreserved).
const UNRESERVED: &AsciiSet = &NON_ALPHANUMERIC.remove(b'-').remove(b'.').remove(b'_').remove(b'~');

/// The fields of an object that are looked at; asking for no more makes answers a third as long.
const FIELDS: &str = "name,size,crc32c,generation";

/// Builds the requests for one prefix of one bucket.
pub(super) struct Requests {
    endpoint: String,
    bucket: String,
    /// Prefix with its slash, or nothing.
    prefix: String,
    insert_url: String,
    bucket_url: String,
    content_type: String,
    parts: Parts,
}

/// What is the same in the body of every upload. The boundary in it is 128 random bits a run, so that
/// no image contains it.
struct Parts {
    /// From the start to the name, of which the prefix is there already.
    start: String,
    /// From the metadata's end to the content's type.
    middle: String,
    /// Behind the content.
    end: String,
}

fn encode(text: &str) -> String {
    percent_encode(text.as_bytes(), UNRESERVED).to_string()
}

impl Requests {
    pub(super) fn new(endpoint: &str, bucket: &str, prefix: &str) -> Self {
        let endpoint = endpoint.trim_end_matches('/').to_owned();
        let bucket_path = encode(bucket);
        let boundary = format!("idx2gcs-{:032x}", fastrand::u128(..));
        let prefix = if prefix.is_empty() { String::new() } else { format!("{prefix}/") };
        let mut start = format!(
            "--{boundary}\r\ncontent-type: application/json; charset=utf-8\r\n\r\n{{\"name\":\""
        );
        push_escaped(&mut start, &prefix);
        Self {
            insert_url: format!(
                "{endpoint}/upload/storage/v1/b/{bucket_path}/o?uploadType=multipart\
                 &fields={FIELDS}&ifGenerationMatch="
            ),
            bucket_url: format!("{endpoint}/storage/v1/b/{bucket_path}"),
            content_type: format!("multipart/related; boundary={boundary}"),
            parts: Parts {
                start,
                middle: format!("}}\r\n--{boundary}\r\ncontent-type: "),
                end: format!("\r\n--{boundary}--\r\n"),
            },
            bucket: bucket.to_owned(),
            prefix,
            endpoint,
        }
    }

    pub(super) fn endpoint(&self) -> &str {
        &self.endpoint
    }

    pub(super) fn bucket(&self) -> &str {
        &self.bucket
    }

    pub(super) fn prefix(&self) -> &str {
        &self.prefix
    }

    pub(super) fn stat_url(&self, name: &str) -> String {
        format!("{}?fields={FIELDS}", self.object_url(name))
    }

    pub(super) fn object_url(&self, name: &str) -> String {
        format!("{}/o/{}", self.bucket_url, encode(&format!("{}{name}", self.prefix)))
    }

    pub(super) fn list_url(&self, range: &NameRange, page: Option<&str>, most: u32) -> String {
        let mut url = format!(
            "{}/o?maxResults={most}&fields=nextPageToken,items({FIELDS})&prefix={}",
            self.bucket_url,
            encode(&self.prefix)
        );
        let below = |name: &String| encode(&format!("{}{name}", self.prefix));
        for (parameter, value) in [
            ("startOffset", range.start.as_ref().map(below)),
            ("endOffset", range.end.as_ref().map(below)),
            ("pageToken", page.map(encode)),
        ] {
            if let Some(value) = value {
                url.push_str(&format!("&{parameter}={value}"));
            }
        }
        url
    }

    pub(super) fn permissions_url(&self, permissions: &[&str]) -> String {
        let asked: Vec<_> = permissions.iter().map(|p| format!("permissions={p}")).collect();
        format!("{}/iam/testPermissions?{}", self.bucket_url, asked.join("&"))
    }

    pub(super) fn about_url(&self) -> String {
        format!("{}?fields=location,locationType,projectNumber", self.bucket_url)
    }

    /// Version 3 has conditions; an older one is refused where there are any
    /// (<https://cloud.google.com/storage/docs/json_api/v1/buckets/getIamPolicy>).
    pub(super) fn policy_url(&self) -> String {
        format!("{}/iam?optionsRequestedPolicyVersion=3", self.bucket_url)
    }

    /// Where to `POST` an object with its metadata: `uploadType=multipart`
    /// (<https://cloud.google.com/storage/docs/uploading-objects#rest-upload-objects>).
    pub(super) fn insert_url(&self, condition: Precondition) -> String {
        format!("{}{}", self.insert_url, condition.generation())
    }

    /// The media type of an upload's body.
    pub(super) fn content_type(&self) -> &str {
        &self.content_type
    }

    /// Name, type, checksum and metadata, and the start of the content's part; with room for so many bytes
    /// behind it.
    fn head(&self, object: &NewObject, room: usize) -> String {
        let Parts { start, middle, .. } = &self.parts;
        let fixed = start.len() + middle.len() + 2 * object.content_type.len() + 64;
        // Quotes, colons and commas; nothing where there is no metadata.
        let pairs = object.metadata_size() + 8 * object.metadata.len();
        let mut head = String::with_capacity(fixed + object.name.len() + pairs + room);
        head.push_str(start);
        push_escaped(&mut head, &object.name);
        head.push_str("\",\"contentType\":\"");
        push_escaped(&mut head, object.content_type);
        head.push_str("\",\"crc32c\":\"");
        data_encoding::BASE64.encode_append(&object.crc32c.to_be_bytes(), &mut head);
        head.push('"');
        for (i, (key, value)) in object.metadata.iter().enumerate() {
            head.push_str(if i == 0 { ",\"metadata\":{\"" } else { ",\"" });
            push_escaped(&mut head, key);
            head.push_str("\":\"");
            push_escaped(&mut head, value);
            head.push('"');
        }
        if !object.metadata.is_empty() {
            head.push('}');
        }
        for text in [middle, object.content_type, "\r\n\r\n"] {
            head.push_str(text);
        }
        head
    }

    /// The body of an upload from memory, in one piece: one write to the connection.
    pub(super) fn body(&self, object: &NewObject, content: &[u8]) -> Bytes {
        let end = self.parts.end.as_bytes();
        let mut body = self.head(object, content.len() + end.len()).into_bytes();
        body.extend_from_slice(content);
        body.extend_from_slice(end);
        body.into()
    }

    /// The body of an upload from a file of so many bytes, and its own length.
    pub(super) fn file_body(
        &self,
        object: &NewObject,
        path: &Path,
        size: u64,
    ) -> (u64, reqwest::Body) {
        let (head, end) = (self.head(object, 0), self.parts.end.clone());
        let length = head.len() as u64 + size + end.len() as u64;
        let opened = tokio::fs::File::open(path.to_owned());
        let content = futures::stream::once(opened).flat_map(|opened| match opened {
            Ok(file) => ReaderStream::with_capacity(file, 64 * 1024).boxed(),
            Err(e) => futures::stream::iter([Err(e)]).boxed(),
        });
        let part = |text: String| futures::stream::iter([Ok(Bytes::from(text))]);
        (length, reqwest::Body::wrap_stream(part(head).chain(content).chain(part(end))))
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
    use super::super::super::Body;
    use super::*;
    use proptest::prelude::*;

    fn requests(prefix: &str) -> Requests {
        Requests::new("http://127.0.0.1:1/", "demo", prefix)
    }

    #[test]
    fn addresses_are_encoded() {
        let r = requests("a b/c");
        assert_eq!(
            r.stat_url("ü/1.jpg"),
            "http://127.0.0.1:1/storage/v1/b/demo/o/a%20b%2Fc%2F%C3%BC%2F1.jpg\
             ?fields=name,size,crc32c,generation"
        );
        let all = NameRange::default();
        let listed = r.list_url(&all, Some("t=&"), 1000);
        assert!(listed.ends_with("&prefix=a%20b%2Fc%2F&pageToken=t%3D%26"), "{listed}");
        let some = NameRange { start: Some("x1".to_owned()), end: Some("x2".to_owned()) };
        let listed = r.list_url(&some, None, 1000);
        let range = "&startOffset=a%20b%2Fc%2Fx1&endOffset=a%20b%2Fc%2Fx2";
        assert!(listed.ends_with(range), "{listed}");
        assert!(requests("").list_url(&all, None, 1).ends_with("&prefix="));
    }

    fn object(name: &str, content: &'static [u8]) -> NewObject {
        NewObject {
            name: name.to_owned(),
            body: Body::Bytes(Bytes::from_static(content)),
            crc32c: crc32c::crc32c(content),
            content_type: "image/jpeg",
            metadata: Vec::new(),
        }
    }

    /// The metadata in a body, and the content.
    fn parts<'a>(requests: &Requests, body: &'a [u8]) -> (serde_json::Value, &'a [u8]) {
        let boundary =
            requests.content_type().strip_prefix("multipart/related; boundary=").unwrap();
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
        let absent = r.insert_url(Precondition::Absent);
        assert!(absent.starts_with("http://127.0.0.1:1/upload/storage/v1/b/demo/o?"));
        assert!(absent.ends_with("&ifGenerationMatch=0"));
        assert!(r.insert_url(Precondition::Generation(7)).ends_with("&ifGenerationMatch=7"));
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
