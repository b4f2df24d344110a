//! What every handler has: the emulator's state, and the request taken apart.

use std::sync::Arc;

use axum::body::{Body, to_bytes};
use axum::extract::{FromRequest, FromRequestParts, RawPathParams, Request};
use axum::http::header::{CONTENT_LENGTH, HOST};
use axum::http::request::Parts;
use bytes::Bytes;

use crate::answers::ApiError;
use crate::counters::Stats;
use crate::gate::Gate;
use crate::headers;
use crate::query::Query;
use crate::sessions::Sessions;
use crate::store::Store;

/// What all handlers share.
pub(crate) struct App {
    pub(crate) store: Arc<Store>,
    pub(crate) gate: Gate,
    pub(crate) stats: Arc<Stats>,
    pub(crate) sessions: Sessions,
    /// The largest request body, and the largest object, in bytes.
    pub(crate) max_body: usize,
    /// `address:port` for links where a request names no host.
    pub(crate) authority: String,
    /// Whether requests may be addressed to a name that is not loopback's.
    pub(crate) any_host: bool,
}

impl App {
    /// The host by which the client knows this server.
    pub(crate) fn host<'a>(&'a self, head: &'a Parts) -> &'a str {
        headers::text(&head.headers, HOST).unwrap_or(&self.authority)
    }
}

/// A request with its path and query decoded.
pub(crate) struct Call {
    pub(crate) head: Parts,
    pub(crate) query: Query,
    /// Empty where the path names none.
    pub(crate) bucket: String,
    /// Empty where the path names none.
    pub(crate) object: String,
    pub(crate) body: Body,
}

impl FromRequest<Arc<App>> for Call {
    type Rejection = ApiError;

    async fn from_request(request: Request, app: &Arc<App>) -> Result<Self, ApiError> {
        let (mut head, body) = request.into_parts();
        let query = Query::parse(head.uri.query())?;
        let parameters = RawPathParams::from_request_parts(&mut head, app).await;
        let parameters = parameters
            .map_err(|_| ApiError::invalid("names in the path must be UTF-8".to_owned()))?;
        let (mut bucket, mut object) = (String::new(), String::new());
        for (key, value) in &parameters {
            match key {
                "bucket" => value.clone_into(&mut bucket),
                _ => value.clone_into(&mut object),
            }
        }
        Ok(Self { head, query, bucket, object, body })
    }
}

/// Reads a request's whole body.
pub(crate) async fn read_body(app: &App, head: &Parts, body: Body) -> Result<Bytes, ApiError> {
    let length = headers::text(&head.headers, CONTENT_LENGTH).and_then(|text| text.parse().ok());
    if length.is_some_and(|length: usize| length > app.max_body) {
        return Err(ApiError::too_large(app.max_body));
    }
    // The other cause is a client that went away, which no answer reaches.
    to_bytes(body, app.max_body).await.map_err(|_| ApiError::too_large(app.max_body))
}
