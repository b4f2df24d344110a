//! Several requests in one: `POST /batch/storage/v1`
//! (<https://cloud.google.com/storage/docs/batch>).

use std::pin::Pin;

use bytes::Bytes;
use http::header::{CONTENT_LENGTH, CONTENT_TYPE, HOST, HeaderValue};
use http::request::Parts;
use http::{Method, Request};

use crate::answers::{ApiError, ApiResult};
use crate::body::{Body, Response};
use crate::call::{App, Call, Content};
use crate::gate::CloseConnection;
use crate::headers;
use crate::multipart::{self, Part};

/// The most requests that one may hold.
const MOST_REQUESTS: usize = 100;

const BOUNDARY: &str = "batch_idx2gcs";

/// The answer to one of the requests, to come.
pub(crate) type Answering<'a> = Pin<Box<dyn Future<Output = ApiResult> + Send + 'a>>;

/// Answers each of the requests by `each`, one after the other.
pub(crate) async fn answer<'a>(
    app: &App,
    head: &Parts,
    body: Content,
    each: impl Fn(Parts, Bytes) -> Answering<'a>,
) -> ApiResult {
    if head.method != Method::POST {
        return Err(ApiError::no_method(head));
    }
    let broken = |error| ApiError::invalid(format!("Invalid batch request: {error}"));
    let call = Call::new(app, head, "", "")?;
    let content_type = headers::text(&head.headers, CONTENT_TYPE).unwrap_or_default();
    let boundary = multipart::boundary(content_type).map_err(broken)?;
    let body = call.read(body).await?;
    let parts = multipart::parts(boundary, &body).map_err(broken)?;
    if parts.len() > MOST_REQUESTS {
        let found = parts.len();
        return Err(ApiError::invalid(format!(
            "a batch has at most {MOST_REQUESTS} requests, not {found}"
        )));
    }
    let mut answers = Vec::new();
    for part in parts {
        let response = match request(&body, part.content, call.host()) {
            Ok((head, content)) => each(head, content).await,
            Err(refused) => Err(refused),
        };
        let response = response.unwrap_or_else(ApiError::into_json);
        if response.extensions().get::<CloseConnection>().is_some() {
            return Ok(response);
        }
        write(&mut answers, &part, response);
    }
    answers.extend_from_slice(format!("--{BOUNDARY}--\r\n").as_bytes());
    let mut response = Response::new(Body::from(answers));
    headers::set(&mut response, CONTENT_TYPE, &format!("multipart/mixed; boundary={BOUNDARY}"));
    Ok(response)
}

/// One request as its text has it; its body is a part of `whole`.
fn request(whole: &Bytes, text: &[u8], host: &str) -> Result<(Parts, Bytes), ApiError> {
    let broken =
        || ApiError::invalid("Invalid batch request: a part is no HTTP request".to_owned());
    let (head, content) = multipart::headers(text).unwrap_or((text, &[]));
    let head = std::str::from_utf8(head).map_err(|_| broken())?;
    let mut lines = head.lines();
    let mut line = lines.next().unwrap_or_default().split(' ');
    let (method, target) = (line.next().unwrap_or_default(), line.next().unwrap_or_default());
    let mut request = Request::builder().method(method).uri(target).header(HOST, host);
    for (name, value) in lines.filter_map(|line| line.split_once(':')) {
        request = request.header(name.trim(), value.trim());
    }
    let (head, ()) = request.body(()).map_err(|_| broken())?.into_parts();
    if !head.uri.path().starts_with("/storage/v1/") {
        let what = format!("{} {} in a batch", head.method, head.uri.path());
        return Err(ApiError::not_implemented(&what));
    }
    Ok((head, whole.slice_ref(content)))
}

/// Adds an answer, under the `Content-ID` that its request has.
fn write(out: &mut Vec<u8>, request: &Part<'_>, response: Response) {
    let (head, body) = response.into_parts();
    let body = body.into_bytes();
    let mut text = format!("--{BOUNDARY}\r\nContent-Type: application/http\r\n");
    if let Some(id) = multipart::header(request.headers, "content-id") {
        let id = id.strip_prefix('<').unwrap_or(id);
        text += &format!("Content-ID: <response-{id}\r\n");
    }
    text += &format!("\r\nHTTP/1.1 {}\r\n", head.status);
    for (name, value) in head.headers.iter().filter(|(name, _)| *name != CONTENT_LENGTH) {
        let value: &HeaderValue = value;
        text += &format!("{name}: {}\r\n", String::from_utf8_lossy(value.as_bytes()));
    }
    text += &format!("content-length: {}\r\n\r\n", body.len());
    out.extend_from_slice(text.as_bytes());
    out.extend_from_slice(&body);
    out.extend_from_slice(b"\r\n");
}
