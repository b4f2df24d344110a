//! Answers of the service, and what went wrong instead of one.

use std::borrow::Cow;
use std::collections::BTreeSet;
use std::error::Error;
use std::io;
use std::time::{Duration, SystemTime};

use bytes::{Bytes, BytesMut};
use http::{Response, header};
use http_body::Body;
use http_body_util::BodyExt;
use serde::Deserialize;

use super::super::{Fault, FaultKind, Stored};
use crate::http::deepest;

/// An object as `fields=name,size,crc32c,generation` gives it. Numbers of 64 bits are strings in
/// Google's JSON.
#[derive(Deserialize)]
pub(super) struct ObjectAnswer<'a> {
    #[serde(borrow)]
    name: Cow<'a, str>,
    #[serde(borrow)]
    size: Cow<'a, str>,
    #[serde(borrow)]
    crc32c: Option<Cow<'a, str>>,
    #[serde(borrow)]
    generation: Cow<'a, str>,
}

/// A page of a listing; `items` is absent when there are none.
#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct ListAnswer<'a> {
    #[serde(default, borrow)]
    pub(super) items: Vec<ObjectAnswer<'a>>,
    pub(super) next_page_token: Option<String>,
}

/// Which of the asked permissions are granted; absent when none is.
#[derive(Deserialize)]
pub(super) struct PermissionsAnswer {
    #[serde(default)]
    pub(super) permissions: BTreeSet<String>,
}

/// Google's error body.
#[derive(Deserialize)]
struct ErrorBody {
    error: ErrorDetail,
}

#[derive(Deserialize)]
struct ErrorDetail {
    #[serde(default)]
    message: String,
    #[serde(default)]
    errors: Vec<ErrorReason>,
}

#[derive(Deserialize)]
struct ErrorReason {
    #[serde(default)]
    reason: String,
}

impl ObjectAnswer<'_> {
    /// The object with its name below `prefix`.
    pub(super) fn into_stored(self, prefix: &str) -> Result<Stored, Fault> {
        let unparsable =
            || Fault::new(FaultKind::Unparsable, "the answer names no object below the prefix");
        let decode = |text: Cow<'_, str>| {
            let bytes = data_encoding::BASE64.decode(text.as_bytes()).ok()?;
            <[u8; 4]>::try_from(bytes).ok().map(u32::from_be_bytes)
        };
        let crc32c = match self.crc32c {
            Some(text) => Some(decode(text).ok_or_else(unparsable)?),
            None => None,
        };
        Ok(Stored {
            // Nothing else was asked for.
            name: self.name.strip_prefix(prefix).ok_or_else(unparsable)?.to_owned(),
            size: self.size.parse().map_err(|_| unparsable())?,
            crc32c,
            // What is stored has a generation; 0 is the precondition for nothing.
            generation: match self.generation.parse() {
                Ok(0) | Err(_) => return Err(unparsable()),
                Ok(generation) => generation,
            },
        })
    }
}

/// No answer is longer: a page of 1,000 objects with names of 1,024 bytes takes 1.2 MB.
const LONGEST_ANSWER: usize = 4 << 20;

/// The explanation of a refusal is waited for no longer than this.
const EXPLANATION: Duration = Duration::from_secs(2);

/// Reads an answer to its end.
pub(super) async fn body<B>(mut answer: B) -> Result<Bytes, Fault>
where
    B: Body<Data = Bytes> + Unpin,
    B::Error: Error + 'static,
{
    // One piece, nearly always.
    let mut first = Bytes::new();
    let mut whole = BytesMut::new();
    while let Some(frame) = answer.frame().await {
        let Ok(piece) = frame.map_err(|e| cut_off(&e))?.into_data() else { continue };
        if first.len() + whole.len() + piece.len() > LONGEST_ANSWER {
            return Err(Fault::new(FaultKind::Unparsable, "the answer does not end"));
        }
        if first.is_empty() && whole.is_empty() {
            first = piece;
        } else {
            whole.extend_from_slice(&std::mem::take(&mut first));
            whole.extend_from_slice(&piece);
        }
    }
    Ok(if whole.is_empty() { first } else { whole.freeze() })
}

/// Understands an answer of success.
pub(super) fn parse<'a, T: Deserialize<'a>>(body: &'a [u8]) -> Result<T, Fault> {
    serde_json::from_slice(body).map_err(|e| {
        Fault::new(FaultKind::Unparsable, format!("the answer cannot be understood: {e}"))
    })
}

/// A fault for an answer that is no success.
pub(super) async fn refusal<B>(answer: Response<B>) -> Fault
where
    B: Body<Data = Bytes> + Unpin,
    B::Error: Error + 'static,
{
    let status = answer.status().as_u16();
    let retry_after = answer
        .headers()
        .get(header::RETRY_AFTER)
        .and_then(|value| value.to_str().ok())
        .and_then(|value| retry_after(value, SystemTime::now()));
    // The status alone decides; a body that does not come only takes the explanation with it.
    let body = tokio::time::timeout(EXPLANATION, body(answer.into_body())).await;
    let body = body.ok().and_then(Result::ok).unwrap_or_default();
    refusal_of(status, &body).with_retry_after(retry_after)
}

fn refusal_of(status: u16, body: &[u8]) -> Fault {
    let detail = serde_json::from_slice::<ErrorBody>(body).ok().map(|body| body.error);
    let reason = detail
        .as_ref()
        .and_then(|detail| detail.errors.first())
        .map(|first| first.reason.as_str())
        .unwrap_or_default();
    let kind = match (status, reason) {
        (403, "rateLimitExceeded" | "userRateLimitExceeded") => FaultKind::RateLimited,
        // An organisation's policy also answers 412, and no generation will change its mind.
        (412, reason) if reason != "orgPolicyConstraintFailed" => FaultKind::Precondition,
        _ => FaultKind::Status(status),
    };
    let message = detail.map(|detail| detail.message).unwrap_or_default();
    let mut text = format!("HTTP {status}");
    if !message.is_empty() {
        // One line, whatever the service sends.
        let line: String = message.chars().map(|c| if c.is_control() { ' ' } else { c }).collect();
        text.push_str(": ");
        text.extend(line.chars().take(300));
    }
    Fault::new(kind, text)
}

/// `Retry-After`: seconds, or an HTTP date (RFC 9110, 10.2.3).
fn retry_after(value: &str, now: SystemTime) -> Option<Duration> {
    let value = value.trim();
    if !value.is_empty() && value.bytes().all(|byte| byte.is_ascii_digit()) {
        // More seconds than the number can hold are as good as all of them.
        return Some(Duration::from_secs(value.parse().unwrap_or(u64::MAX)));
    }
    let date = httpdate::parse_http_date(value).ok()?;
    Some(date.duration_since(now).unwrap_or_default())
}

/// The innermost cause of an error, and the kind of the system's error in it.
fn cause(error: &(dyn Error + 'static)) -> (String, Option<io::ErrorKind>) {
    let mut io_kind = None;
    let mut next = Some(error);
    while let Some(error) = next {
        io_kind = error.downcast_ref::<io::Error>().map(io::Error::kind).or(io_kind);
        next = error.source();
    }
    (deepest(error).to_string(), io_kind)
}

/// A fault for an answer that began.
fn cut_off(error: &(dyn Error + 'static)) -> Fault {
    match cause(error) {
        (why, Some(io::ErrorKind::TimedOut)) => Fault::new(FaultKind::Timeout, why),
        (why, _) => Fault::new(FaultKind::CutOff, format!("the answer was cut off: {why}")),
    }
}

/// A fault for a connection that was not made.
pub(super) fn unconnected(error: &(dyn Error + 'static)) -> Fault {
    match cause(error) {
        (why, Some(io::ErrorKind::TimedOut)) => Fault::new(FaultKind::Timeout, why),
        (why, _) => Fault::new(FaultKind::Connect, why),
    }
}

/// A fault for a request that was sent, or begun, and not answered; `kept` says whether its
/// connection had served others before.
pub(super) fn unanswered(error: &hyper::Error, kept: bool) -> Fault {
    let kind = match cause(error) {
        (_, Some(io::ErrorKind::TimedOut)) => FaultKind::Timeout,
        _ if error.is_parse() => FaultKind::Unparsable,
        _ if kept => FaultKind::Idle,
        _ => FaultKind::Closed,
    };
    Fault::new(kind, cause(error).0)
}

/// Turns the client's error into one of ours. Its address is left out: it may hold a token.
pub(super) fn transport_fault(error: &reqwest::Error) -> Fault {
    let (why, io_kind) = cause(error);
    let kind = if error.is_timeout() || io_kind == Some(io::ErrorKind::TimedOut) {
        FaultKind::Timeout
    } else if error.is_connect() {
        FaultKind::Connect
    } else if error.is_body() && io_kind == Some(io::ErrorKind::NotFound) {
        FaultKind::Local
    } else {
        // The client does not tell whether the connection was kept; most are.
        FaultKind::Idle
    };
    Fault::new(kind, why)
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    proptest! {
        /// Whatever a service sends, it is understood or refused.
        #[test]
        fn any_body_ends_well(status: u16, body in prop::collection::vec(any::<u8>(), 0..300)) {
            let fault = refusal_of(status, &body);
            prop_assert!(!fault.message.contains(char::is_control), "one line");
            if let Ok(answer) = serde_json::from_slice::<ObjectAnswer<'_>>(&body) {
                let _ = answer.into_stored("fm/");
            }
        }

        #[test]
        fn any_object_ends_well(
            name: String, size: String, crc32c: Option<String>, generation: String,
        ) {
            let answer = ObjectAnswer {
                name: name.into(),
                size: size.into(),
                crc32c: crc32c.map(Cow::from),
                generation: generation.into(),
            };
            if let Ok(stored) = answer.into_stored("fm/") {
                prop_assert!(stored.generation > 0);
            }
        }

        #[test]
        fn any_message_becomes_a_line(status in 400_u16..600, message: String, reason: String) {
            let error = serde_json::json!({ "message": message, "errors": [{ "reason": reason }] });
            let fault = refusal_of(status, serde_json::json!({ "error": error }).to_string().as_bytes());
            prop_assert!(!fault.message.contains(char::is_control), "{}", fault.message);
            prop_assert!(fault.message.chars().count() < 320);
        }

        #[test]
        fn any_retry_after_ends_well(value: String) {
            let _ = retry_after(&value, SystemTime::UNIX_EPOCH);
        }
    }

    #[test]
    fn reasons_decide_where_the_status_does_not() {
        let body = |reason: &str| {
            format!(
                r#"{{"error":{{"code":1,"message":"why\nso","errors":[{{"reason":"{reason}"}}]}}}}"#
            )
        };
        for (status, reason, kind) in [
            (403, "rateLimitExceeded", FaultKind::RateLimited),
            (403, "userRateLimitExceeded", FaultKind::RateLimited),
            (403, "forbidden", FaultKind::Status(403)),
            (412, "conditionNotMet", FaultKind::Precondition),
            (412, "orgPolicyConstraintFailed", FaultKind::Status(412)),
            (503, "backendError", FaultKind::Status(503)),
        ] {
            let fault = refusal_of(status, body(reason).as_bytes());
            assert_eq!(fault.kind, kind);
            assert_eq!(fault.message, format!("HTTP {status}: why so"));
        }
        assert_eq!(refusal_of(412, b"<html>").kind, FaultKind::Precondition);
        assert_eq!(refusal_of(502, b"").message, "HTTP 502");
    }

    #[test]
    fn retry_after_is_seconds_or_a_date() {
        let now = httpdate::parse_http_date("Sun, 06 Nov 1994 08:49:30 GMT").unwrap();
        let date = "Sun, 06 Nov 1994 08:49:37 GMT";
        assert_eq!(retry_after("7", now), Some(Duration::from_secs(7)));
        assert_eq!(retry_after(date, now), Some(Duration::from_secs(7)));
        let later = now + Duration::from_mins(1);
        assert_eq!(retry_after(date, later), Some(Duration::ZERO));
        assert_eq!(retry_after("soon", now), None);
        assert_eq!(retry_after("", now), None);
        for huge in ["18446744073709551615", "99999999999999999999999"] {
            assert_eq!(retry_after(huge, now), Some(Duration::from_secs(u64::MAX)), "{huge}");
        }
    }

    #[test]
    fn an_answer_must_name_an_object() {
        let answer = |crc32c: &str, size: &str| ObjectAnswer {
            name: "fm/a".into(),
            size: size.to_owned().into(),
            crc32c: Some(crc32c.to_owned().into()),
            generation: "12".into(),
        };
        let stored = answer("4waSgw==", "9").into_stored("fm/").unwrap();
        assert_eq!((stored.name.as_str(), stored.crc32c), ("a", Some(0xE306_9283)));
        assert!(answer("4waSgw", "9").into_stored("fm/").is_err());
        assert!(answer("4waSgw==", "-9").into_stored("fm/").is_err());
    }
}
