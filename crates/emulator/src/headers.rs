//! Headers as text.

use axum::body::Body;
use axum::http::Response;
use axum::http::header::{AsHeaderName, HeaderMap, HeaderValue, IntoHeaderName};

/// A header's value where it is text.
pub(crate) fn text(headers: &HeaderMap, name: impl AsHeaderName) -> Option<&str> {
    headers.get(name).and_then(|value| value.to_str().ok())
}

/// Sets a header of an answer. A value that no header can carry is left out.
pub(crate) fn set(response: &mut Response<Body>, name: impl IntoHeaderName, value: &str) {
    if let Ok(value) = HeaderValue::from_str(value) {
        response.headers_mut().insert(name, value);
    }
}
