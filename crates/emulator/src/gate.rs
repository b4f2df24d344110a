//! The gate every request passes: it counts attempts, records, and lets the script, the faults and
//! the write rate have their way around the work.

use std::collections::HashMap;
use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::{Duration, Instant};

use http::StatusCode;
use http::header::{CONTENT_LENGTH, CONTENT_TYPE, HeaderValue};
use http::request::Parts;
use parking_lot::Mutex;
use serde_json::Value;

use crate::answers::{ApiError, ApiResult, status_only};
use crate::body::{Body, Response};
use crate::counters::Stats;
use crate::faults::{FaultKind, Faults, RateLimiter};
use crate::query::Query;
use crate::script::{Answer, Operation, Script};

/// One request as it arrived, kept where [`Options::record`] asks for it.
///
/// [`Options::record`]: crate::Options::record
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RecordedRequest {
    /// What kind of request it was.
    pub operation: Operation,
    /// The bucket; empty for the list of buckets.
    pub bucket: String,
    /// The object name, prefix or bucket name: see [`Operation`].
    pub key: String,
    /// Which attempt it was with this operation, bucket and key, from 1.
    pub attempt: u32,
    /// The HTTP method.
    pub method: String,
    /// The path as sent, percent-encoded.
    pub path: String,
    /// The query's parameters, decoded, in order.
    pub query: Vec<(String, String)>,
    /// The headers in order, names in lower case, values as text.
    pub headers: Vec<(String, String)>,
}

impl RecordedRequest {
    /// The first value of a query parameter.
    pub fn query(&self, name: &str) -> Option<&str> {
        first(&self.query, name)
    }

    /// The first value of a header; `name` in lower case.
    pub fn header(&self, name: &str) -> Option<&str> {
        first(&self.headers, name)
    }
}

fn first<'a>(pairs: &'a [(String, String)], name: &str) -> Option<&'a str> {
    pairs.iter().find(|(key, _)| key == name).map(|(_, value)| value.as_str())
}

/// Marks a response after which the server closes the connection without sending anything.
#[derive(Debug, Clone, Copy)]
pub(crate) struct CloseConnection;

/// What a request is about, for the gate.
#[derive(Clone, Copy)]
pub(crate) struct Subject<'a> {
    pub(crate) operation: Operation,
    pub(crate) bucket: &'a str,
    pub(crate) key: &'a str,
    pub(crate) head: &'a Parts,
}

pub(crate) struct Gate {
    faults: Faults,
    script: Script,
    record: Option<Mutex<Vec<RecordedRequest>>>,
    max_rate: AtomicU32,
    limiter: Mutex<RateLimiter>,
    attempts: Mutex<HashMap<(Operation, String), u32>>,
    stats: Arc<Stats>,
}

/// How one request is going to be treated.
#[derive(Debug, Default)]
struct Plan {
    delay: Duration,
    answer: Option<Answer>,
}

impl Gate {
    pub(crate) fn new(faults: Faults, script: Script, record: bool, stats: Arc<Stats>) -> Self {
        Self {
            max_rate: AtomicU32::new(faults.max_rate),
            faults,
            script,
            record: record.then(Mutex::default),
            limiter: Mutex::new(RateLimiter::new()),
            attempts: Mutex::default(),
            stats,
        }
    }

    pub(crate) fn set_max_rate(&self, rate: u32) {
        self.max_rate.store(rate, Ordering::Relaxed);
    }

    /// Attempts seen so far; always 0 while nothing needs their count.
    pub(crate) fn attempts(&self, operation: Operation, bucket: &str, key: &str) -> u32 {
        let key = (operation, format!("{bucket}/{key}"));
        self.attempts.lock().get(&key).copied().unwrap_or(0)
    }

    pub(crate) fn recorded(&self) -> Vec<RecordedRequest> {
        self.record.as_ref().map(|record| record.lock().clone()).unwrap_or_default()
    }

    /// Does `work` unless something is to go wrong before it, and answers with its result unless
    /// something is to go wrong after it. By reference, since a future handed on from function to
    /// function is kept and copied in each.
    pub(crate) async fn run(
        &self,
        subject: Subject<'_>,
        work: Pin<&mut impl Future<Output = ApiResult>>,
    ) -> ApiResult {
        let Plan { delay, answer } = self.plan(subject);
        if !delay.is_zero() {
            tokio::time::sleep(delay).await;
        }
        Ok(match answer {
            None => return work.await,
            Some(Answer::Status { code, reason, retry_after, body }) => {
                return Err(ApiError::scripted(code, reason, retry_after, body));
            }
            Some(Answer::ResetBefore) => close(),
            Some(Answer::Stall) => std::future::pending().await,
            Some(Answer::ResetAfterWrite) => {
                drop(work.await);
                close()
            }
            Some(Answer::CutBody) => cut(work.await.unwrap_or_else(ApiError::into_json)),
            Some(Answer::Garbage) => {
                drop(work.await);
                garbage()
            }
            Some(Answer::Delay(wait)) => {
                tokio::time::sleep(wait).await;
                return work.await;
            }
            Some(Answer::LateAnswer(wait)) => {
                let response = work.await;
                tokio::time::sleep(wait).await;
                return response;
            }
            Some(Answer::WrongCrc32c) => falsify(work.await?, "crc32c"),
            Some(Answer::WrongName) => falsify(work.await?, "name"),
            Some(Answer::WrongSize) => falsify(work.await?, "size"),
        })
    }

    fn plan(&self, subject: Subject<'_>) -> Plan {
        let write = subject.operation.is_write();
        let random = write && self.faults.random();
        let mut plan = Plan::default();
        if write {
            plan.delay = self.faults.latency;
        }
        // A plain run counts no attempts: that would cost a map entry each.
        if self.record.is_some() || !self.script.is_empty() || random {
            let attempt = self.count_attempt(subject);
            let scripted = self.script.answer(subject.operation, subject.key, attempt);
            if let Some(answer) = scripted {
                self.stats.fault(FaultKind::Scripted);
                plan = Plan { delay: Duration::ZERO, answer: Some(answer.clone()) };
            } else if random {
                let mut rng = self.faults.rng(subject.key, attempt);
                let (delay, fault) = self.faults.decide(&mut rng);
                plan.delay = delay;
                plan.answer = fault.map(|(kind, answer)| {
                    self.stats.fault(kind);
                    answer
                });
            }
        }
        let writes = write && plan.answer.as_ref().is_none_or(Answer::does_the_work);
        if writes && !self.within_rate() {
            self.stats.fault(FaultKind::RateLimited);
            plan.answer = Some(self.faults.too_many());
        }
        plan
    }

    fn within_rate(&self) -> bool {
        let rate = self.max_rate.load(Ordering::Relaxed);
        rate == 0 || self.limiter.lock().allow(rate, Instant::now())
    }

    fn count_attempt(&self, subject: Subject<'_>) -> u32 {
        let Subject { operation, bucket, key, head } = subject;
        let attempt = {
            let mut attempts = self.attempts.lock();
            let count = attempts.entry((operation, format!("{bucket}/{key}"))).or_insert(0);
            *count = count.saturating_add(1);
            *count
        };
        if let Some(record) = &self.record {
            let text = |value: &HeaderValue| String::from_utf8_lossy(value.as_bytes()).into_owned();
            let headers = head.headers.iter().map(|(name, value)| (name.to_string(), text(value)));
            record.lock().push(RecordedRequest {
                operation,
                bucket: bucket.to_owned(),
                key: key.to_owned(),
                attempt,
                method: head.method.to_string(),
                path: head.uri.path().to_owned(),
                query: Query::parse(head.uri.query()).map(Query::into_pairs).unwrap_or_default(),
                headers: headers.collect(),
            });
        }
        attempt
    }
}

fn close() -> Response {
    let mut response = status_only(StatusCode::INTERNAL_SERVER_ERROR);
    response.extensions_mut().insert(CloseConnection);
    response
}

fn garbage() -> Response {
    let mut response = Response::new(Body::from("<html>not what you asked for"));
    response.headers_mut().insert(CONTENT_TYPE, HeaderValue::from_static("text/html"));
    response
}

/// Promises the whole body and sends the first half.
fn cut(response: Response) -> Response {
    let (mut parts, body) = response.into_parts();
    let body = body.into_bytes();
    parts.headers.insert(CONTENT_LENGTH, HeaderValue::from(body.len()));
    Response::from_parts(parts, Body::broken(body.slice(..body.len() / 2)))
}

/// Changes one field of an object resource; other answers pass as they are.
fn falsify(response: Response, field: &str) -> Response {
    let (mut parts, body) = response.into_parts();
    let body = body.into_bytes();
    let Ok(mut resource) = serde_json::from_slice::<Value>(&body) else {
        return Response::from_parts(parts, Body::from(body));
    };
    if let Some(value) = resource.get_mut(field) {
        let truth = value.as_str().unwrap_or_default();
        let lie = match (field, truth) {
            ("crc32c", "AAAAAA==") => "AAAAAQ==".to_owned(),
            ("crc32c", _) => "AAAAAA==".to_owned(),
            ("size", _) => format!("{truth}1"),
            _ => format!("{truth}.other"),
        };
        *value = Value::String(lie);
    }
    let body = resource.to_string();
    parts.headers.insert(CONTENT_LENGTH, HeaderValue::from(body.len()));
    Response::from_parts(parts, Body::from(body))
}
