//! What is known of a stored object: checksums, attributes, generation.

use std::collections::BTreeMap;
use std::sync::{Arc, OnceLock};
use std::time::{SystemTime, UNIX_EPOCH};

use bytes::Bytes;
use data_encoding::BASE64;
use http::header::HeaderMap;
use md5::{Digest, Md5};

use crate::answers::ApiError;
use crate::headers;

/// Where in a store's folder an object lies.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Place {
    /// Its name is its path.
    Path,
    /// Its name cannot be its path.
    Apart,
}

/// The two checksums that Cloud Storage keeps for an object.
#[derive(Debug, Clone)]
pub(crate) struct Checksums {
    pub(crate) crc32c: u32,
    /// Computed when it is first wanted: it takes as long as all else that a small insert takes.
    md5: OnceLock<[u8; 16]>,
}

impl Checksums {
    pub(crate) fn of(content: &[u8]) -> Self {
        Self { crc32c: crc32c::crc32c(content), md5: OnceLock::new() }
    }

    /// The MD5; `content` is what these are the checksums of.
    pub(crate) fn md5(&self, content: &[u8]) -> [u8; 16] {
        *self.md5.get_or_init(|| Md5::digest(content).into())
    }

    /// Both as `x-goog-hash` has them; `content` is what these are the checksums of.
    pub(crate) fn header(&self, content: &[u8]) -> String {
        let crc32c = BASE64.encode(&self.crc32c.to_be_bytes());
        format!("crc32c={crc32c},md5={}", BASE64.encode(&self.md5(content)))
    }
}

/// Checksums that a client declared for what it sends.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct Declared {
    pub(crate) crc32c: Option<String>,
    pub(crate) md5: Option<String>,
}

impl Declared {
    /// Adds what `x-goog-hash: crc32c=…,md5=…` and `Content-MD5` headers declare.
    pub(crate) fn add_headers(&mut self, headers: &HeaderMap) {
        let values = headers.get_all("x-goog-hash").iter();
        let texts = values.filter_map(|value| value.to_str().ok());
        for part in texts.flat_map(|text| text.split(',')) {
            match part.trim().split_once('=') {
                Some(("crc32c", value)) => self.crc32c = Some(value.to_owned()),
                Some(("md5", value)) => self.md5 = Some(value.to_owned()),
                _ => {}
            }
        }
        if let Some(md5) = headers::text(headers, "content-md5") {
            self.md5 = Some(md5.to_owned());
        }
    }

    /// Refuses content whose checksums are others than declared.
    pub(crate) fn check(&self, actual: &Checksums, content: &[u8]) -> Result<(), ApiError> {
        if let Some(text) = &self.crc32c {
            compare("CRC32C", text, &actual.crc32c.to_be_bytes())?;
        }
        if let Some(text) = &self.md5 {
            compare("MD5 hash", text, &actual.md5(content))?;
        }
        Ok(())
    }
}

fn compare(what: &str, declared: &str, actual: &[u8]) -> Result<(), ApiError> {
    let actual_text = BASE64.encode(actual);
    if declared == actual_text {
        return Ok(());
    }
    Err(ApiError::invalid(format!(
        "Provided {what} \"{declared}\" doesn't match calculated {what} \"{actual_text}\"."
    )))
}

/// The part of an object resource that the uploader chooses.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct Attributes {
    pub(crate) content_type: Option<String>,
    pub(crate) content_encoding: Option<String>,
    pub(crate) content_disposition: Option<String>,
    pub(crate) content_language: Option<String>,
    pub(crate) cache_control: Option<String>,
    pub(crate) storage_class: Option<String>,
    pub(crate) metadata: Option<BTreeMap<String, String>>,
}

/// The objects of a bucket by name.
pub(crate) type ObjectMap = BTreeMap<Arc<str>, Arc<Object>>;

/// One live object.
#[derive(Debug, Clone)]
pub(crate) struct Object {
    pub(crate) name: Arc<str>,
    pub(crate) generation: i64,
    pub(crate) metageneration: i64,
    pub(crate) created: SystemTime,
    /// When the attributes were last changed.
    pub(crate) updated: SystemTime,
    pub(crate) size: u64,
    /// With the MD5 computed where the bytes lie in the folder.
    pub(crate) checksums: Checksums,
    pub(crate) attributes: Attributes,
    /// Of how many objects it was composed; Google gives no MD5 of such a one.
    pub(crate) components: Option<u32>,
    /// Where it lies, where there is a folder.
    pub(crate) place: Place,
    /// The bytes; `None` where they lie in the folder.
    pub(crate) content: Option<Bytes>,
}

impl Object {
    pub(crate) fn md5(&self) -> [u8; 16] {
        self.checksums.md5(self.content.as_deref().unwrap_or_default())
    }

    /// The CRC32C as Google writes it: big-endian, base64.
    pub(crate) fn crc32c_text(&self) -> String {
        BASE64.encode(&self.checksums.crc32c.to_be_bytes())
    }

    /// The MD5 as Google writes it: base64; none of a composed object.
    pub(crate) fn md5_text(&self) -> Option<String> {
        self.components.is_none().then(|| BASE64.encode(&self.md5()))
    }

    /// Google's etag: the two versions as a base64 protocol buffer.
    pub(crate) fn etag(&self) -> String {
        let mut message = vec![0x08];
        push_varint(&mut message, self.generation);
        message.push(0x10);
        push_varint(&mut message, self.metageneration);
        BASE64.encode(&message)
    }
}

fn push_varint(out: &mut Vec<u8>, value: i64) {
    let mut rest = value.cast_unsigned();
    loop {
        // The mask keeps seven bits, so the cast loses nothing.
        #[allow(clippy::cast_possible_truncation)]
        let low = (rest & 0x7f) as u8;
        rest >>= 7;
        if rest == 0 {
            out.push(low);
            return;
        }
        out.push(low | 0x80);
    }
}

/// Microseconds since 1970; 0 for times before.
pub(crate) fn micros(time: SystemTime) -> i64 {
    let since = time.duration_since(UNIX_EPOCH).unwrap_or_default();
    i64::try_from(since.as_micros()).unwrap_or(i64::MAX - 1)
}

#[cfg(test)]
mod tests {
    use http::header::{HeaderName, HeaderValue};

    use super::*;

    #[test]
    fn declared_checksums_are_compared() {
        let content = b"123456789";
        let actual = Checksums::of(content);
        let mut declared = Declared::default();
        assert!(declared.check(&actual, content).is_ok());
        let header = HeaderValue::from_static("crc32c=4waSgw==, md5=JfnnlDI7RTiF9RgfG2JNCw==");
        declared
            .add_headers(&HeaderMap::from_iter([(HeaderName::from_static("x-goog-hash"), header)]));
        assert!(declared.check(&actual, content).is_ok());
        assert!(declared.check(&Checksums::of(b""), b"").is_err());
        let nonsense = Declared { crc32c: Some("?".to_owned()), md5: None };
        assert!(nonsense.check(&actual, content).is_err());
    }
}
