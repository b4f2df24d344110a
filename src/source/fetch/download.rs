//! One file from one address, resumed where it was cut off.

use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use futures::StreamExt;
use reqwest::header::{CONTENT_RANGE, ETAG, HeaderMap, IF_RANGE, LAST_MODIFIED, RANGE};
use reqwest::{Response, StatusCode};
use tokio::io::AsyncWriteExt;

use super::check::Wrong;
use super::progress::{FetchError, FetchProgress, cannot_write};
use crate::http::deepest;

/// A mirror that is slower than this, in bytes a second after a first pause, is given up.
const SLOWEST: u64 = 10_000;
const LATENCY: Duration = Duration::from_mins(1);

/// Answers that end early are continued so many times, each after it brought something.
const RESUMES: u32 = 20;

/// Where a file is written until it is right.
pub(super) fn partial_of(path: &Path) -> PathBuf {
    let mut name = path.as_os_str().to_owned();
    name.push(".partial");
    name.into()
}

/// Says whether a downloaded file is right.
pub(super) type Verify = Arc<dyn Fn(&Path) -> Result<(), Wrong> + Send + Sync>;

/// A file to get.
pub(super) struct Download<'a> {
    pub(super) client: &'a reqwest::Client,
    pub(super) url: &'a str,
    /// What it is called in progress.
    pub(super) name: &'a str,
    /// Where it goes; what lies there is continued.
    pub(super) partial: &'a Path,
    /// Its size, where known exactly.
    pub(super) whole: Option<u64>,
    /// More bytes than this are refused.
    pub(super) most: u64,
    pub(super) verify: Verify,
    pub(super) progress: &'a (dyn Fn(FetchProgress<'_>) + Sync),
}

/// How one answer ended.
enum Ended {
    /// With its own end, which a length announces or not.
    Whole { length_known: bool },
    /// Before its end, after so many bytes.
    CutOff { after: u64, why: String },
}

impl Download<'_> {
    /// Downloads and verifies. Afterwards the file lies at `partial`, right; or what can be continued
    /// does; or nothing.
    pub(super) async fn run(&self) -> Result<(), FetchError> {
        if self.whole.is_some()
            && self.whole == self.there().await
            && self.verified().await?.is_ok()
        {
            self.forget_origin().await;
            return Ok(());
        }
        let mut resumes = 0;
        let mut begun_anew = false;
        loop {
            let there = self.there().await.unwrap_or(0);
            let answer = self.ask(there).await?;
            if answer.status() == StatusCode::RANGE_NOT_SATISFIABLE && there > 0 {
                // It is as long as the whole, or not a part of it.
                if self.verified().await?.is_ok() {
                    break;
                }
                self.discard().await;
                continue;
            }
            if !answer.status().is_success() {
                return Err(refusal(answer.status()));
            }
            let continued = answer.status() == StatusCode::PARTIAL_CONTENT;
            if continued && begins_at(answer.headers()) != Some(there) {
                if begun_anew || there == 0 {
                    return Err(FetchError::Mirror("sends another part than asked for".to_owned()));
                }
                begun_anew = true;
                self.discard().await;
                continue;
            }
            let (after, short) = match self.receive(answer, there, continued).await? {
                Ended::CutOff { after, why } => (after, format!("cut off: {why}")),
                Ended::Whole { length_known } => match self.verified().await? {
                    Ok(()) => break,
                    // Without a length, nothing else tells an end from a broken connection.
                    Err(Wrong::Short(why)) if !length_known && resumes < RESUMES => (1, why),
                    // The parts may not be of one file.
                    Err(_) if continued && !begun_anew => {
                        begun_anew = true;
                        self.discard().await;
                        continue;
                    }
                    Err(why) => {
                        // What a mirror sent under a wrong name is of no use to anyone.
                        self.discard().await;
                        return Err(FetchError::Mirror(why.into_text()));
                    }
                },
            };
            resumes += 1;
            if after == 0 || resumes > RESUMES {
                return Err(FetchError::Passing(short));
            }
        }
        self.forget_origin().await;
        Ok(())
    }

    async fn ask(&self, there: u64) -> Result<Response, FetchError> {
        let time = LATENCY + Duration::from_secs(self.most / SLOWEST);
        let mut request = self.client.get(self.url).timeout(time);
        if there > 0 {
            request = request.header(RANGE, format!("bytes={there}-"));
            if let Some(validator) = self.origin().await {
                request = request.header(IF_RANGE, validator);
            }
        }
        request.send().await.map_err(|e| FetchError::Passing(reason(e)))
    }

    /// Appends an answer to the partial file, or replaces it.
    async fn receive(
        &self,
        answer: Response,
        there: u64,
        continued: bool,
    ) -> Result<Ended, FetchError> {
        let local = |e: io::Error| FetchError::Final(cannot_write(self.partial, e));
        let mut length = if continued { there } else { 0 };
        if !continued {
            self.note_origin(answer.headers()).await.map_err(local)?;
        }
        let more = answer.content_length();
        (self.progress)(FetchProgress::File(self.name, more.map(|more| length + more)));
        (self.progress)(FetchProgress::Bytes(length));
        let mut options = tokio::fs::OpenOptions::new();
        options.create(true).write(true).append(continued).truncate(!continued);
        let mut out = options.open(self.partial).await.map_err(local)?;
        let mut chunks = answer.bytes_stream();
        let mut after = 0;
        let mut cut_off = None;
        while let Some(chunk) = chunks.next().await {
            let chunk = match chunk {
                Ok(chunk) => chunk,
                Err(e) => {
                    cut_off = Some(reason(e));
                    break;
                }
            };
            after += chunk.len() as u64;
            length += chunk.len() as u64;
            if length > self.most {
                drop(out);
                self.discard().await;
                return Err(FetchError::Mirror("sends more than the file holds".to_owned()));
            }
            out.write_all(&chunk).await.map_err(local)?;
            (self.progress)(FetchProgress::Bytes(chunk.len() as u64));
        }
        out.flush().await.map_err(local)?;
        Ok(match cut_off {
            Some(why) => Ended::CutOff { after, why },
            None => Ended::Whole { length_known: more.is_some() },
        })
    }

    async fn there(&self) -> Option<u64> {
        tokio::fs::metadata(self.partial).await.ok().map(|metadata| metadata.len())
    }

    /// Whether the file is right; an error where that cannot be found out.
    async fn verified(&self) -> Result<Result<(), Wrong>, FetchError> {
        let (verify, path) = (Arc::clone(&self.verify), self.partial.to_owned());
        Ok(tokio::task::spawn_blocking(move || verify(&path)).await?)
    }

    /// The file beside `partial` that says of which version of which address it is a part.
    fn origin_file(&self) -> PathBuf {
        let mut name = self.partial.as_os_str().to_owned();
        name.push(".from");
        name.into()
    }

    /// What tells whether this address still has the version that was begun (RFC 9110, 13.1.5).
    async fn origin(&self) -> Option<String> {
        let text = tokio::fs::read_to_string(self.origin_file()).await.ok()?;
        let (url, validator) = text.split_once('\n')?;
        (url == self.url && !validator.is_empty()).then(|| validator.to_owned())
    }

    async fn note_origin(&self, headers: &HeaderMap) -> io::Result<()> {
        let text = |name| headers.get(name).and_then(|value| value.to_str().ok());
        // A weak tag does not promise equal bytes, and may not be sent in If-Range.
        let strong = text(ETAG).filter(|tag| !tag.starts_with("W/"));
        if let Some(validator) = strong.or_else(|| text(LAST_MODIFIED)) {
            let text = format!("{}\n{validator}", self.url);
            return tokio::fs::write(self.origin_file(), text).await;
        }
        let _ = tokio::fs::remove_file(self.origin_file()).await;
        Ok(())
    }

    async fn forget_origin(&self) {
        let _ = tokio::fs::remove_file(self.origin_file()).await;
    }

    pub(super) async fn discard(&self) {
        let _ = tokio::fs::remove_file(self.partial).await;
        let _ = tokio::fs::remove_file(self.origin_file()).await;
    }
}

/// The first byte of `Content-Range: bytes FIRST-LAST/SIZE`.
fn begins_at(headers: &HeaderMap) -> Option<u64> {
    let range = headers.get(CONTENT_RANGE)?.to_str().ok()?;
    range.trim().strip_prefix("bytes")?.trim_start().split('-').next()?.parse().ok()
}

/// What an answer other than success means; a server that is overloaded or down says so.
fn refusal(status: StatusCode) -> FetchError {
    let passes = [StatusCode::REQUEST_TIMEOUT, StatusCode::TOO_MANY_REQUESTS];
    let text = format!("HTTP {status}");
    if passes.contains(&status) || status.is_server_error() {
        FetchError::Passing(text)
    } else {
        FetchError::Mirror(text)
    }
}

fn reason(e: reqwest::Error) -> String {
    let e = e.without_url();
    if e.is_timeout() { "takes too long".to_owned() } else { deepest(&e).to_string() }
}
