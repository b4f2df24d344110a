//! Addresses and bodies of requests. Pure: no connection, no clock.

use bytes::{BufMut, Bytes, BytesMut};
use futures::StreamExt;
use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, percent_encode};
use serde::Serialize;
use tokio_util::io::ReaderStream;

use super::super::{Body, NameRange, NewObject, Precondition};

/// What stays as it is in a path segment or a query value (RFC 3986, unreserved).
const UNRESERVED: &AsciiSet = &NON_ALPHANUMERIC.remove(b'-').remove(b'.').remove(b'_').remove(b'~');

/// The fields of an object that are looked at; asking for no more makes answers a third as long.
const FIELDS: &str = "name,size,crc32c,generation";

/// Separates the parts of an upload. 128 random bits a run, so that no image contains it.
struct Boundary(String);

/// Builds the requests for one prefix of one bucket.
pub(super) struct Requests {
    endpoint: String,
    bucket: String,
    /// Prefix with its slash, or nothing.
    prefix: String,
    insert_url: String,
    bucket_url: String,
    boundary: Boundary,
    content_type: String,
}

/// An upload, ready to be sent.
pub(super) struct Insert {
    pub(super) url: String,
    pub(super) content_type: String,
    pub(super) length: u64,
    pub(super) body: reqwest::Body,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Metadata<'a> {
    name: &'a str,
    content_type: &'a str,
    crc32c: &'a str,
}

fn encode(text: &str) -> String {
    percent_encode(text.as_bytes(), UNRESERVED).to_string()
}

/// A CRC32C as Google writes it: big-endian, base64.
pub(super) fn crc32c_text(crc32c: u32) -> String {
    data_encoding::BASE64.encode(&crc32c.to_be_bytes())
}

impl Requests {
    pub(super) fn new(endpoint: &str, bucket: &str, prefix: &str) -> Self {
        let endpoint = endpoint.trim_end_matches('/').to_owned();
        let bucket_path = encode(bucket);
        let boundary = format!("idx2gcs-{:032x}", fastrand::u128(..));
        Self {
            insert_url: format!(
                "{endpoint}/upload/storage/v1/b/{bucket_path}/o?uploadType=multipart\
                 &fields={FIELDS}&ifGenerationMatch="
            ),
            bucket_url: format!("{endpoint}/storage/v1/b/{bucket_path}"),
            content_type: format!("multipart/related; boundary={boundary}"),
            boundary: Boundary(boundary),
            bucket: bucket.to_owned(),
            prefix: if prefix.is_empty() { String::new() } else { format!("{prefix}/") },
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
        let name = encode(&format!("{}{name}", self.prefix));
        format!("{}/o/{name}?fields={FIELDS}", self.bucket_url)
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

    /// One `POST` that carries metadata, checksum and content: `uploadType=multipart`
    /// (<https://cloud.google.com/storage/docs/uploading-objects#rest-upload-objects>).
    pub(super) fn insert(&self, object: &NewObject, condition: Precondition) -> Insert {
        let Boundary(boundary) = &self.boundary;
        let metadata = Metadata {
            name: &format!("{}{}", self.prefix, object.name),
            content_type: object.content_type,
            crc32c: &crc32c_text(object.crc32c),
        };
        // Strings and no maps with other keys: this cannot fail.
        let metadata = serde_json::to_string(&metadata).unwrap_or_default();
        let head = format!(
            "--{boundary}\r\ncontent-type: application/json; charset=utf-8\r\n\r\n{metadata}\r\n\
             --{boundary}\r\ncontent-type: {}\r\n\r\n",
            object.content_type
        );
        let tail = format!("\r\n--{boundary}--\r\n");
        let length = head.len() as u64 + object.body.size() + tail.len() as u64;
        let body = match &object.body {
            Body::Bytes(bytes) => {
                let mut whole = BytesMut::with_capacity(head.len() + bytes.len() + tail.len());
                whole.put(head.as_bytes());
                whole.put(bytes.clone());
                whole.put(tail.as_bytes());
                whole.freeze().into()
            }
            Body::File(path, _) => {
                let opened = tokio::fs::File::open(path.clone());
                let content = futures::stream::once(opened).flat_map(|opened| match opened {
                    Ok(file) => ReaderStream::with_capacity(file, 64 * 1024).boxed(),
                    Err(e) => futures::stream::iter([Err(e)]).boxed(),
                });
                let part = |text: String| futures::stream::iter([Ok(Bytes::from(text))]);
                reqwest::Body::wrap_stream(part(head).chain(content).chain(part(tail)))
            }
        };
        Insert {
            url: format!("{}{}", self.insert_url, condition.generation()),
            content_type: self.content_type.clone(),
            length,
            body,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

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

    #[test]
    fn an_insert_carries_name_checksum_and_content() {
        let content = b"\xFF\xD8 jpeg \xFF\xD9";
        let object = NewObject {
            name: "image_0.jpg".to_owned(),
            body: Body::Bytes(Bytes::from_static(content)),
            crc32c: crc32c::crc32c(content),
            content_type: "image/jpeg",
        };
        let r = requests("fm");
        let insert = r.insert(&object, Precondition::Absent);
        assert!(insert.url.starts_with("http://127.0.0.1:1/upload/storage/v1/b/demo/o?"));
        assert!(insert.url.ends_with("&ifGenerationMatch=0"));
        let boundary = insert.content_type.strip_prefix("multipart/related; boundary=").unwrap();
        let body = insert.body.as_bytes().unwrap();
        assert_eq!(body.len() as u64, insert.length);
        let text = String::from_utf8_lossy(body);
        assert_eq!(text.matches(&format!("--{boundary}")).count(), 3);
        assert!(text.contains("{\"name\":\"fm/image_0.jpg\",\"contentType\":\"image/jpeg\","));
        assert!(text.contains(&crc32c_text(object.crc32c)));
        assert!(body.windows(content.len()).any(|w| w == content));

        let again = r.insert(&object, Precondition::Generation(7));
        assert!(again.url.ends_with("&ifGenerationMatch=7"));
    }

    #[test]
    fn a_checksum_is_big_endian_base64() {
        // RFC 3720 gives 0xE3069283 for "123456789".
        assert_eq!(crc32c::crc32c(b"123456789"), 0xE306_9283);
        assert_eq!(crc32c_text(0xE306_9283), "4waSgw==");
    }
}
