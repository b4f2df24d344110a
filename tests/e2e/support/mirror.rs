//! A web server that gives out the files of a folder and misbehaves as told.

use std::collections::{HashMap, VecDeque};
use std::path::PathBuf;
use std::sync::{Arc, Mutex};

use axum::Router;
use axum::body::{Body, Bytes};
use axum::extract::Request;
use axum::http::header::{CONTENT_LENGTH, CONTENT_RANGE, ETAG, IF_RANGE, LOCATION, RANGE};
use axum::http::{HeaderMap, Response, StatusCode};
use futures::stream;

/// What goes wrong with one answer.
#[derive(Debug, Clone)]
pub enum Fault {
    /// The connection breaks after so many bytes of the body.
    CutAfter(usize),
    /// The body ends after so many bytes as if that were all; nothing tells its length.
    EndAfter(usize),
    /// The range that was asked for is ignored.
    WholeAnyway,
    /// A part comes that was not asked for: the one from this byte on.
    PartFrom(usize),
    /// Another address.
    MovedTo(String),
    /// One byte at a time.
    Slow,
    /// An answer of this status without a body.
    Status(u16),
}

/// One request: path, range, version that the range is of.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Asked {
    pub path: String,
    pub range: Option<String>,
    pub if_range: Option<String>,
}

#[derive(Default)]
struct State {
    faults: HashMap<String, VecDeque<Fault>>,
    tags: HashMap<String, String>,
    asked: Vec<Asked>,
}

/// The server. It stops with the test's runtime.
pub struct Mirror {
    pub url: String,
    state: Arc<Mutex<State>>,
}

impl Mirror {
    /// Serves a folder.
    pub async fn of(folder: impl Into<PathBuf>) -> Self {
        let folder = folder.into();
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
        let url = format!("http://{}", listener.local_addr().unwrap());
        let state = Arc::<Mutex<State>>::default();
        let shared = Arc::clone(&state);
        let handler = move |request: Request| {
            let path = request.uri().path().trim_start_matches('/').to_owned();
            let file = folder.join(&path);
            let (fault, tag) = shared.lock().unwrap().note(&path, request.headers());
            async move {
                let file = tokio::fs::read(file).await.map_err(|_| StatusCode::NOT_FOUND)?;
                answer(&file.into(), request.headers(), fault.as_ref(), tag.as_deref())
            }
        };
        tokio::spawn(async move { axum::serve(listener, Router::new().fallback(handler)).await });
        Self { url, state }
    }

    /// Lets the next requests for a path go wrong, one fault each.
    pub fn fail(&self, path: &str, faults: impl IntoIterator<Item = Fault>) {
        let mut state = self.state.lock().unwrap();
        state.faults.entry(path.to_owned()).or_default().extend(faults);
    }

    /// Gives a file a version from now on.
    pub fn tag(&self, path: &str, tag: &str) {
        self.state.lock().unwrap().tags.insert(path.to_owned(), tag.to_owned());
    }

    /// The requests since the last time.
    pub fn asked(&self) -> Vec<Asked> {
        std::mem::take(&mut self.state.lock().unwrap().asked)
    }

    /// The ranges that were asked for since the last time, `""` for none.
    pub fn ranges(&self) -> Vec<String> {
        self.asked().into_iter().map(|asked| asked.range.unwrap_or_default()).collect()
    }
}

impl State {
    fn note(&mut self, path: &str, headers: &HeaderMap) -> (Option<Fault>, Option<String>) {
        let text = |name| headers.get(name).map(|value| value.to_str().unwrap().to_owned());
        let (range, if_range) = (text(RANGE), text(IF_RANGE));
        self.asked.push(Asked { path: path.to_owned(), range, if_range });
        (self.faults.get_mut(path).and_then(VecDeque::pop_front), self.tags.get(path).cloned())
    }
}

fn answer(
    file: &Bytes,
    headers: &HeaderMap,
    fault: Option<&Fault>,
    tag: Option<&str>,
) -> Result<Response<Body>, StatusCode> {
    if let Some(Fault::MovedTo(url)) = fault {
        let answer = Response::builder().status(302).header(LOCATION, url);
        return Ok(answer.body(Body::empty()).unwrap());
    }
    if let Some(Fault::Status(status)) = fault {
        return Err(StatusCode::from_u16(*status).unwrap());
    }
    let current = headers
        .get(IF_RANGE)
        .is_none_or(|version| Some(version.as_bytes()) == tag.map(str::as_bytes));
    let range =
        headers.get(RANGE).filter(|_| current && !matches!(fault, Some(Fault::WholeAnyway)));
    let from = range.map(|range| {
        let range = range.to_str().unwrap().strip_prefix("bytes=").unwrap();
        range.strip_suffix('-').unwrap().parse::<usize>().unwrap()
    });
    let mut answer = Response::builder();
    if let Some(tag) = tag {
        answer = answer.header(ETAG, tag);
    }
    let mut body = file.clone();
    if let Some(mut from) = from {
        if let Some(Fault::PartFrom(other)) = fault {
            from = *other;
        }
        if from >= file.len() {
            return Err(StatusCode::RANGE_NOT_SATISFIABLE);
        }
        body = file.slice(from..);
        let range = format!("bytes {from}-{}/{}", file.len() - 1, file.len());
        answer = answer.status(StatusCode::PARTIAL_CONTENT).header(CONTENT_RANGE, range);
    }
    Ok(match fault {
        Some(Fault::CutAfter(n)) => {
            let answer = answer.header(CONTENT_LENGTH, body.len());
            let parts = [Ok(body.slice(..*n)), Err(std::io::Error::other("broken on purpose"))];
            answer.body(one_by_one(parts.into_iter())).unwrap()
        }
        Some(Fault::EndAfter(n)) => {
            answer.body(one_by_one([Ok(body.slice(..*n))].into_iter())).unwrap()
        }
        Some(Fault::Slow) => {
            answer.body(one_by_one((0..body.len()).map(move |i| Ok(body.slice(i..=i))))).unwrap()
        }
        _ => answer.body(body.into()).unwrap(),
    })
}

/// A body in parts, each sent before the next is asked for. Nothing tells its length.
fn one_by_one(parts: impl Iterator<Item = std::io::Result<Bytes>> + Send + 'static) -> Body {
    Body::from_stream(stream::unfold(parts, |mut parts| async {
        tokio::task::yield_now().await;
        parts.next().map(|part| (part, parts))
    }))
}
