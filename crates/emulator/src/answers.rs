//! Answers: JSON, and errors in Google's shape.

use std::borrow::Cow;
use std::time::Duration;

use http::StatusCode;
use http::header::{CONTENT_TYPE, HeaderValue, RETRY_AFTER};
use http::request::Parts;
use serde::Serialize;

use crate::body::{Body, Response};

const JSON: &str = "application/json; charset=UTF-8";

/// What a request comes to.
pub(crate) type ApiResult = Result<Response, ApiError>;

/// A refusal.
#[derive(Debug)]
pub(crate) struct ApiError {
    pub(crate) status: StatusCode,
    /// The JSON API's word for it.
    reason: Cow<'static, str>,
    /// The XML API's word for it.
    pub(crate) code: &'static str,
    pub(crate) message: String,
    /// A `Retry-After` header.
    retry_after: Option<Duration>,
    /// What is sent instead of an error in Google's shape.
    body: Option<String>,
}

impl ApiError {
    fn new(status: StatusCode, reason: &'static str, code: &'static str, message: String) -> Self {
        let reason = Cow::Borrowed(reason);
        Self { status, reason, code, message, retry_after: None, body: None }
    }

    /// 400: something in the request cannot be accepted.
    pub(crate) fn invalid(message: String) -> Self {
        Self::new(StatusCode::BAD_REQUEST, "invalid", "InvalidArgument", message)
    }

    /// 400: a parameter that the request needs is not there.
    pub(crate) fn required(message: String) -> Self {
        Self::new(StatusCode::BAD_REQUEST, "required", "InvalidArgument", message)
    }

    pub(crate) fn no_bucket() -> Self {
        let message = "The specified bucket does not exist.".to_owned();
        Self::new(StatusCode::NOT_FOUND, "notFound", "NoSuchBucket", message)
    }

    pub(crate) fn no_object(bucket: &str, name: &str) -> Self {
        let message = format!("No such object: {bucket}/{name}");
        Self::new(StatusCode::NOT_FOUND, "notFound", "NoSuchKey", message)
    }

    pub(crate) fn no_session() -> Self {
        let message = "No such upload session.".to_owned();
        Self::new(StatusCode::NOT_FOUND, "notFound", "NoSuchUpload", message)
    }

    /// 501: a method, or a path, that is not here.
    pub(crate) fn no_method(head: &Parts) -> Self {
        let path = head.uri.path();
        let hint = if path.contains("/o/") { " (a slash in an object name is %2F)" } else { "" };
        Self::not_implemented(&format!("{} {path}{hint}", head.method))
    }

    /// 501: something that Cloud Storage has and this emulator has not.
    pub(crate) fn not_implemented(what: &str) -> Self {
        let message = format!("This emulator does not implement {what}.");
        Self::new(StatusCode::NOT_IMPLEMENTED, "notImplemented", "NotImplemented", message)
    }

    pub(crate) fn forbidden(message: String) -> Self {
        Self::new(StatusCode::FORBIDDEN, "forbidden", "AccessDenied", message)
    }

    pub(crate) fn conflict(message: &str) -> Self {
        Self::new(StatusCode::CONFLICT, "conflict", "OperationAborted", message.to_owned())
    }

    pub(crate) fn condition_not_met() -> Self {
        let message = "At least one of the pre-conditions you specified did not hold.".to_owned();
        let status = StatusCode::PRECONDITION_FAILED;
        Self::new(status, "conditionNotMet", "PreconditionFailed", message)
    }

    /// What a refusal of a source is for the request that writes: nothing was asked that could be
    /// unmodified.
    pub(crate) fn of_source(self) -> Self {
        if self.status == StatusCode::NOT_MODIFIED { Self::condition_not_met() } else { self }
    }

    pub(crate) fn not_modified() -> Self {
        Self::new(StatusCode::NOT_MODIFIED, "notModified", "NotModified", String::new())
    }

    pub(crate) fn too_large(limit: usize) -> Self {
        let message = format!("The request is larger than this emulator takes ({limit} bytes).");
        Self::new(StatusCode::PAYLOAD_TOO_LARGE, "uploadTooLarge", "EntityTooLarge", message)
    }

    pub(crate) fn bad_offset(message: String) -> Self {
        let status = StatusCode::SERVICE_UNAVAILABLE;
        Self::new(status, "backendError", "ServiceUnavailable", message)
    }

    /// 400: the parts of a multipart upload of the XML API do not make an object.
    pub(crate) fn bad_part(code: &'static str, message: &str) -> Self {
        Self::new(StatusCode::BAD_REQUEST, "invalid", code, message.to_owned())
    }

    /// 500: the emulator's own disk failed.
    pub(crate) fn disk(error: &std::io::Error) -> Self {
        let message = format!("the emulator's folder failed: {error}");
        let status = StatusCode::INTERNAL_SERVER_ERROR;
        Self::new(status, "internalError", "InternalError", message)
    }

    /// Any status, with the words that Google has for it unless `reason` and `body` are others.
    pub(crate) fn scripted(
        status: u16,
        reason: Option<String>,
        retry_after: Option<Duration>,
        body: Option<String>,
    ) -> Self {
        let failed = "At least one of the pre-conditions you specified did not hold.";
        let busy = "The rate of object writes exceeds the limit.";
        let internal = "We encountered an internal error. Please try again.";
        let known = StatusCode::from_u16(status).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
        let (usual, code, message) = match status {
            400 => ("invalid", "InvalidArgument", "Invalid argument."),
            401 => ("authError", "AuthenticationRequired", "Invalid Credentials"),
            403 => ("forbidden", "AccessDenied", "Access denied."),
            404 => ("notFound", "NoSuchKey", "Not Found"),
            408 => ("requestTimeout", "RequestTimeout", "The request timed out."),
            412 => ("conditionNotMet", "PreconditionFailed", failed),
            429 => ("rateLimitExceeded", "SlowDown", busy),
            500 => ("internalError", "InternalError", internal),
            503 => ("backendError", "ServiceUnavailable", "Backend Error"),
            _ => ("backendError", "Error", known.canonical_reason().unwrap_or("Error")),
        };
        let reason = reason.map_or(Cow::Borrowed(usual), Cow::Owned);
        Self { status: known, reason, code, message: message.to_owned(), retry_after, body }
    }

    /// The answer, with `shaped` as its body unless there is another or none may be.
    pub(crate) fn answer(self, content_type: &'static str, shaped: String) -> Response {
        let mut response = status_only(self.status);
        if self.status != StatusCode::NOT_MODIFIED {
            *response.body_mut() = Body::from(self.body.unwrap_or(shaped));
            response.headers_mut().insert(CONTENT_TYPE, HeaderValue::from_static(content_type));
        }
        if let Some(wait) = self.retry_after {
            let seconds = wait.as_secs() + u64::from(wait.subsec_nanos() > 0);
            response.headers_mut().insert(RETRY_AFTER, HeaderValue::from(seconds));
        }
        response
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

impl ApiError {
    /// The answer in the shape of the JSON API's errors.
    pub(crate) fn into_json(self) -> Response {
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
        // The types have string keys and no failing parts.
        let shaped = serde_json::to_string(&ErrorBody { error }).unwrap_or_default();
        self.answer(JSON, shaped)
    }
}

/// 200 with a JSON body.
pub(crate) fn json(value: &impl Serialize) -> ApiResult {
    // The types answered here have string keys and no failing parts.
    let text = serde_json::to_vec(value).map_err(|error| ApiError::invalid(error.to_string()))?;
    let mut response = Response::new(Body::from(text));
    response.headers_mut().insert(CONTENT_TYPE, HeaderValue::from_static(JSON));
    Ok(response)
}

/// A status with an empty body.
pub(crate) fn status_only(status: StatusCode) -> Response {
    let mut response = Response::new(Body::default());
    *response.status_mut() = status;
    response
}
