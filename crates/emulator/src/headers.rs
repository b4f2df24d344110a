//! Headers as text.

use http::header::{AsHeaderName, HeaderMap, HeaderName, HeaderValue, IntoHeaderName};

use crate::body::Response;

/// A header's value where it is text.
pub(crate) fn text(headers: &HeaderMap, name: impl AsHeaderName) -> Option<&str> {
    headers.get(name).and_then(|value| value.to_str().ok())
}

/// Sets a header of an answer. A value that no header can carry is left out.
pub(crate) fn set(response: &mut Response, name: impl IntoHeaderName, value: &str) {
    if let Ok(value) = HeaderValue::from_str(value) {
        response.headers_mut().insert(name, value);
    }
}

/// Sets a header whose name may be one that no header can have; it is left out then.
pub(crate) fn set_named(response: &mut Response, name: &str, value: &str) {
    if let Ok(name) = HeaderName::from_bytes(name.as_bytes()) {
        set(response, name, value);
    }
}
