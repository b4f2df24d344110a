//! Responses of the service, successful or not. Pure: no connection, no clock.

use std::borrow::Cow;
use std::collections::{BTreeMap, BTreeSet};
use std::time::{Duration, SystemTime};

use bytes::Bytes;
use http::{Response, StatusCode, header};
use serde::Deserialize;

use super::super::{Fault, FaultKind, Metadata, Stored};

/// An object as `fields=name,size,crc32c,generation,metadata` gives it. Numbers of 64 bits are strings in
/// Google's JSON; `metadata` is absent where there is none.
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
    #[serde(default)]
    metadata: BTreeMap<String, String>,
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
            || Fault::new(FaultKind::Unparsable, "the response names no object below the prefix");
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
            metadata: Metadata::Pairs(self.metadata),
        })
    }
}

/// Understands an answer of success.
pub(super) fn parse<'a, T: Deserialize<'a>>(body: &'a [u8]) -> Result<T, Fault> {
    serde_json::from_slice(body).map_err(|e| {
        Fault::new(FaultKind::Unparsable, format!("the response cannot be understood: {e}"))
    })
}

/// A fault for a response that is no success, received at `now`.
pub(super) fn refusal(response: &Response<Bytes>, now: SystemTime) -> Fault {
    let header = |name| response.headers().get(name).and_then(|value| value.to_str().ok());
    let status = response.status();
    let mut fault = refusal_of(status.as_u16(), response.body());
    if let Some(to) = header(header::LOCATION).filter(|_| status.is_redirection()) {
        let to: String = to.chars().take(300).collect();
        fault.message = format!("{} to {to}: redirects are not followed", fault.message);
    }
    if status == StatusCode::PROXY_AUTHENTICATION_REQUIRED {
        fault.message.push_str(": the proxy asks for a user and a password");
    }
    fault.with_retry_after(header(header::RETRY_AFTER).and_then(|value| retry_after(value, now)))
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
        text.extend(without_tokens(&line).chars().take(300));
        if status == 400 && line.contains("requester pays") {
            text.push_str(
                " destination.user_project in the config file names the project that pays",
            );
        }
    }
    Fault::new(kind, text)
}

/// A message without credentials that it repeats: what follows `Bearer` or `Basic`.
fn without_tokens(text: &str) -> String {
    let mut words = text.split(' ').peekable();
    let mut safe = Vec::new();
    while let Some(word) = words.next() {
        safe.push(word);
        let scheme = word.trim_matches(|c: char| !c.is_ascii_alphabetic());
        let is_scheme = ["bearer", "basic"].iter().any(|it| scheme.eq_ignore_ascii_case(it));
        // A word of a sentence, such as "basic authentication", has no digit and is short.
        let is_token =
            |next: &&str| next.len() >= 16 || next.contains(|c: char| c.is_ascii_digit());
        if is_scheme && words.next_if(is_token).is_some() {
            safe.push("…");
        }
    }
    safe.join(" ")
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

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn credentials_that_a_service_repeats_are_not_shown() {
        for (says, shown) in [
            ("refused: Authorization: Bearer ya29.a0Af_x-y", "refused: Authorization: Bearer …"),
            ("(\"bearer AAAABBBBCCCCDDDD\") is bad", "(\"bearer … is bad"),
            ("Basic dXNlcjpwYXNzd29yZA== no", "Basic … no"),
            ("basic authentication is off", "basic authentication is off"),
            ("the bearer of bad news", "the bearer of bad news"),
        ] {
            assert_eq!(without_tokens(says), shown);
            let body = serde_json::json!({"error": {"message": says}}).to_string();
            let fault = refusal_of(403, body.as_bytes());
            assert_eq!(fault.message, format!("HTTP 403: {shown}"));
        }
    }

    #[test]
    fn who_has_to_pay_is_told_how_to_say_so() {
        let message = "Bucket is a requester pays bucket but no user project provided.";
        let body = serde_json::json!({"error": {"message": message}}).to_string();
        assert!(refusal_of(400, body.as_bytes()).message.ends_with(
            "provided. destination.user_project in the config file names the project that pays"
        ));
    }

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
                metadata: BTreeMap::new(),
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
    fn a_redirect_names_where_to_and_a_proxy_is_named() {
        let message = |status: u16, location: &str| {
            let response = Response::builder().status(status).header("location", location);
            refusal(&response.body(Bytes::new()).unwrap(), SystemTime::UNIX_EPOCH).message
        };
        assert_eq!(
            message(302, "https://login.example.org/"),
            "HTTP 302 to https://login.example.org/: redirects are not followed"
        );
        assert_eq!(message(503, "https://example.org/"), "HTTP 503");
        assert!(message(407, "").contains("the proxy asks for a user"));
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
            metadata: BTreeMap::new(),
        };
        let stored = answer("4waSgw==", "9").into_stored("fm/").unwrap();
        assert_eq!((stored.name.as_str(), stored.crc32c), ("a", Some(0xE306_9283)));
        assert!(answer("4waSgw", "9").into_stored("fm/").is_err());
        assert!(answer("4waSgw==", "-9").into_stored("fm/").is_err());
    }
}
