//! Answers: JSON, and errors in Google's shape.

use std::borrow::Cow;

use axum::body::Body;
use axum::http::header::{CONTENT_TYPE, HeaderValue};
use axum::http::{Response, StatusCode};
use axum::response::IntoResponse;
use serde::Serialize;

/// A refusal in the shape of Google's JSON API errors.
#[derive(Debug)]
pub(crate) struct ApiError {
    status: StatusCode,
    reason: Cow<'static, str>,
    message: String,
}

impl ApiError {
    fn new(status: StatusCode, reason: &'static str, message: String) -> Self {
        Self { status, reason: Cow::Borrowed(reason), message }
    }

    pub(crate) fn message(&self) -> &str {
        &self.message
    }

    /// 400: something in the request cannot be accepted.
    pub(crate) fn invalid(message: String) -> Self {
        Self::new(StatusCode::BAD_REQUEST, "invalid", message)
    }

    /// 400: a parameter that the request needs is not there.
    pub(crate) fn required(message: String) -> Self {
        Self::new(StatusCode::BAD_REQUEST, "required", message)
    }

    pub(crate) fn no_bucket() -> Self {
        let message = "The specified bucket does not exist.".to_owned();
        Self::new(StatusCode::NOT_FOUND, "notFound", message)
    }

    pub(crate) fn no_object(bucket: &str, name: &str) -> Self {
        let message = format!("No such object: {bucket}/{name}");
        Self::new(StatusCode::NOT_FOUND, "notFound", message)
    }

    pub(crate) fn no_session() -> Self {
        let message = "No such upload session.".to_owned();
        Self::new(StatusCode::NOT_FOUND, "notFound", message)
    }

    pub(crate) fn no_route() -> Self {
        Self::new(StatusCode::NOT_FOUND, "notFound", "Not Found".to_owned())
    }

    pub(crate) fn method_not_allowed() -> Self {
        let message = "Method Not Allowed".to_owned();
        Self::new(StatusCode::METHOD_NOT_ALLOWED, "methodNotAllowed", message)
    }

    pub(crate) fn forbidden(message: String) -> Self {
        Self::new(StatusCode::FORBIDDEN, "forbidden", message)
    }

    pub(crate) fn conflict(message: &str) -> Self {
        Self::new(StatusCode::CONFLICT, "conflict", message.to_owned())
    }

    pub(crate) fn condition_not_met() -> Self {
        let message = "At least one of the pre-conditions you specified did not hold.".to_owned();
        Self::new(StatusCode::PRECONDITION_FAILED, "conditionNotMet", message)
    }

    pub(crate) fn not_modified() -> Self {
        Self::new(StatusCode::NOT_MODIFIED, "notModified", String::new())
    }

    pub(crate) fn too_large(limit: usize) -> Self {
        let message = format!("The request is larger than this emulator takes ({limit} bytes).");
        Self::new(StatusCode::PAYLOAD_TOO_LARGE, "uploadTooLarge", message)
    }

    pub(crate) fn bad_offset(message: String) -> Self {
        Self::new(StatusCode::SERVICE_UNAVAILABLE, "backendError", message)
    }

    /// 500: the emulator's own disk failed.
    pub(crate) fn disk(error: &std::io::Error) -> Self {
        let message = format!("the emulator's folder failed: {error}");
        Self::new(StatusCode::INTERNAL_SERVER_ERROR, "internalError", message)
    }

    /// Any status, with the reason and message Google usually gives with it.
    pub(crate) fn scripted(code: u16, reason: Option<String>) -> Self {
        let status = StatusCode::from_u16(code).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
        let (usual, message) = match code {
            400 => ("invalid", "Invalid argument."),
            401 => ("authError", "Invalid Credentials"),
            403 => ("forbidden", "Access denied."),
            404 => ("notFound", "Not Found"),
            408 => ("requestTimeout", "The request timed out."),
            412 => (
                "conditionNotMet",
                "At least one of the pre-conditions you specified did not hold.",
            ),
            429 => ("rateLimitExceeded", "The rate of object writes exceeds the limit."),
            500 => ("internalError", "We encountered an internal error. Please try again."),
            503 => ("backendError", "Backend Error"),
            _ => ("backendError", status.canonical_reason().unwrap_or("Error")),
        };
        let reason = reason.map_or(Cow::Borrowed(usual), Cow::Owned);
        Self { status, reason, message: message.to_owned() }
    }
}

#[derive(Serialize)]
struct ErrorBody<'a> {
    error: ErrorOuter<'a>,
}

#[derive(Serialize)]
struct ErrorOuter<'a> {
    code: u16,
    message: &'a str,
    errors: [ErrorInner<'a>; 1],
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct ErrorInner<'a> {
    message: &'a str,
    domain: &'static str,
    reason: &'a str,
    #[serde(skip_serializing_if = "Option::is_none")]
    location_type: Option<&'static str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    location: Option<&'static str>,
}

impl IntoResponse for ApiError {
    fn into_response(self) -> Response<Body> {
        if self.status == StatusCode::NOT_MODIFIED {
            return status_only(self.status);
        }
        let at_header = self.reason == "conditionNotMet";
        let inner = ErrorInner {
            message: &self.message,
            domain: "global",
            reason: &self.reason,
            location_type: at_header.then_some("header"),
            location: at_header.then_some("If-Match"),
        };
        let error =
            ErrorOuter { code: self.status.as_u16(), message: &self.message, errors: [inner] };
        json_with(self.status, &ErrorBody { error })
    }
}

/// 200 with a JSON body.
pub(crate) fn json(value: &impl Serialize) -> Response<Body> {
    json_with(StatusCode::OK, value)
}

fn json_with(status: StatusCode, value: &impl Serialize) -> Response<Body> {
    match serde_json::to_vec(value) {
        Ok(text) => {
            let mut response = Response::new(Body::from(text));
            *response.status_mut() = status;
            let json = HeaderValue::from_static("application/json; charset=UTF-8");
            response.headers_mut().insert(CONTENT_TYPE, json);
            response
        }
        // The types answered here have string keys and no failing parts.
        Err(_) => status_only(StatusCode::INTERNAL_SERVER_ERROR),
    }
}

/// A status with an empty body.
pub(crate) fn status_only(status: StatusCode) -> Response<Body> {
    let mut response = Response::new(Body::empty());
    *response.status_mut() = status;
    response
}
