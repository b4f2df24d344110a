//! What every handler has: the emulator's state, and the request taken apart.

use std::borrow::Cow;
use std::pin::Pin;
use std::sync::Arc;

use bytes::Bytes;
use http::header::{CONTENT_LENGTH, HOST, HeaderName};
use http::request::Parts;
use http_body_util::{BodyExt, Limited};
use hyper::body::Incoming;
use percent_encoding::percent_decode_str;

use crate::answers::{ApiError, ApiResult};
use crate::counters::Stats;
use crate::gate::{Gate, Subject};
use crate::headers;
use crate::query::Query;
use crate::script::Operation;
use crate::sessions::Sessions;
use crate::store::Store;
use crate::uploads::Uploads;

/// Names the key that an object is to be encrypted with.
static ENCRYPTION_KEY: HeaderName = HeaderName::from_static("x-goog-encryption-key");

/// What all handlers share.
pub(crate) struct App {
    pub(crate) store: Arc<Store>,
    pub(crate) gate: Gate,
    pub(crate) stats: Arc<Stats>,
    pub(crate) sessions: Sessions,
    /// Multipart uploads of the XML API.
    pub(crate) uploads: Uploads,
    /// The largest request body, and the largest object, in bytes.
    pub(crate) max_body: usize,
    /// `address:port` for links where a request names no host.
    pub(crate) authority: String,
    /// Whether requests may be addressed to a name that is not loopback's.
    pub(crate) any_host: bool,
}

/// The body of a request: on its way, or part of another.
pub(crate) enum Content {
    Stream(Incoming),
    Whole(Bytes),
}

/// A request with its path and query decoded.
pub(crate) struct Call<'a> {
    pub(crate) app: &'a App,
    pub(crate) head: &'a Parts,
    pub(crate) query: Query<'a>,
    /// Empty where the path names none.
    pub(crate) bucket: Cow<'a, str>,
    /// Empty where the path names none.
    pub(crate) object: Cow<'a, str>,
}

impl<'a> Call<'a> {
    /// Decodes the query, and the names that the path has for a bucket and an object.
    pub(crate) fn new(
        app: &'a App,
        head: &'a Parts,
        bucket: &'a str,
        object: &'a str,
    ) -> Result<Self, ApiError> {
        if head.headers.contains_key(&ENCRYPTION_KEY) {
            let what = format!("the header '{ENCRYPTION_KEY}' (keys of the customer's)");
            return Err(ApiError::not_implemented(&what));
        }
        let query = Query::parse(head.uri.query())?;
        Ok(Self { app, head, query, bucket: decode(bucket)?, object: decode(object)? })
    }

    /// The host by which the client knows this server.
    pub(crate) fn host(&self) -> &'a str {
        headers::text(&self.head.headers, HOST).unwrap_or(&self.app.authority)
    }

    /// Does `work` as the gate lets it; `key` is what a script knows the request by.
    pub(crate) async fn gate(
        &self,
        operation: Operation,
        key: &str,
        work: Pin<&mut impl Future<Output = ApiResult>>,
    ) -> ApiResult {
        let subject = Subject { operation, bucket: &self.bucket, key, head: self.head };
        self.app.gate.run(subject, work).await
    }

    /// Reads the request's whole body.
    pub(crate) async fn read(&self, body: Content) -> Result<Bytes, ApiError> {
        let body = match body {
            Content::Stream(body) => body,
            Content::Whole(body) => return Ok(body),
        };
        let limit = self.app.max_body;
        let length = headers::text(&self.head.headers, CONTENT_LENGTH);
        if length.and_then(|text| text.parse().ok()).is_some_and(|length: usize| length > limit) {
            return Err(ApiError::too_large(limit));
        }
        // The other cause is a client that went away, which no answer reaches.
        let body = Limited::new(body, limit).collect().await;
        Ok(body.map_err(|_| ApiError::too_large(limit))?.to_bytes())
    }
}

/// Undoes the percent-encoding of a part of the path.
pub(crate) fn decode(text: &str) -> Result<Cow<'_, str>, ApiError> {
    let decoded = percent_decode_str(text).decode_utf8();
    decoded.map_err(|_| ApiError::invalid("names in the path must be UTF-8".to_owned()))
}
