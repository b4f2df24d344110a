//! Downloads a named data set, checked by the SHA-256 of its payload.

use std::io::{self, Read};
use std::path::{Path, PathBuf};
use std::time::Duration;

use futures::StreamExt;
use reqwest::{StatusCode, header};
use sha2::{Digest, Sha256};
use tokio::io::AsyncWriteExt;

use super::catalogue::{Entry, EntryFile};
use super::{SourceError, payload};
use crate::http::{self, deepest};

/// A mirror that is slower than this, in bytes a second after a first pause, is given up.
const SLOWEST: u64 = 10_000;
const LATENCY: Duration = Duration::from_mins(1);

/// What packing may add to a file that cannot be packed.
const SLACK: u64 = 1 << 20;

/// A mirror that sends nothing for so long is given up.
const STALL: Duration = Duration::from_secs(30);

/// What a download tells whoever watches it.
#[derive(Debug, Clone, Copy)]
pub enum FetchProgress<'a> {
    /// A file begins: its name, and its size in bytes where the server says it.
    File(&'a str, Option<u64>),
    /// So many more bytes have come.
    Bytes(u64),
    /// The file is complete and its checksum right; `true` if it was there before.
    Done(bool),
}

/// Brings the files of `entry` into `folder`, from the first mirror that has them. A file that is
/// there and right is left alone, one that was cut off is continued; a file gets its name only once
/// its payload's SHA-256 is right.
///
/// # Errors
/// Names each mirror that was asked and what it answered, or the file that cannot be written.
pub async fn fetch(
    entry: &Entry,
    mirrors: &[String],
    folder: &Path,
    progress: &(dyn Fn(FetchProgress<'_>) + Sync),
) -> Result<(), SourceError> {
    let client = http::client()
        .read_timeout(STALL)
        .build()
        .map_err(|e| SourceError::Fetch(format!("the HTTP client cannot be set up: {e}")))?;
    tokio::fs::create_dir_all(folder).await.map_err(|e| cannot_write(folder, &e))?;
    for file in &entry.files {
        let path = folder.join(format!("{}.gz", file.name));
        if check(&path, file).await.is_ok() {
            progress(FetchProgress::File(&file.name, None));
            progress(FetchProgress::Done(true));
            continue;
        }
        let mut tried = Vec::new();
        let mut fetched = false;
        for mirror in mirrors {
            let url = format!("{}/{}.gz", mirror.trim_end_matches('/'), file.name);
            match fetch_file(&url, file, &path, &client, progress).await {
                Ok(()) => {
                    fetched = true;
                    break;
                }
                Err(FetchError::Local(e)) => return Err(e),
                Err(FetchError::Mirror(why)) => tried.push(format!("{url}: {why}")),
            }
        }
        if !fetched {
            return Err(SourceError::Fetch(format!(
                "no mirror has {} of {}: {}",
                file.name,
                entry.name,
                tried.join("; ")
            )));
        }
    }
    Ok(())
}

/// Whose fault it was: the next mirror may do better, or it may not.
enum FetchError {
    Mirror(String),
    Local(SourceError),
}

async fn fetch_file(
    url: &str,
    file: &EntryFile,
    path: &Path,
    client: &reqwest::Client,
    progress: &(dyn Fn(FetchProgress<'_>) + Sync),
) -> Result<(), FetchError> {
    let mirror = |e: reqwest::Error| FetchError::Mirror(deepest(&e.without_url()).to_string());
    let partial = path.with_extension("gz.partial");
    let local = |e: &io::Error| FetchError::Local(cannot_write(&partial, e));

    // What an earlier download left is continued where the server can do that.
    let there = tokio::fs::metadata(&partial).await.map_or(0, |metadata| metadata.len());
    let get = || client.get(url).timeout(LATENCY + Duration::from_secs(file.bytes / SLOWEST));
    let mut request = get();
    if there > 0 {
        request = request.header(header::RANGE, format!("bytes={there}-"));
    }
    let mut answer = request.send().await.map_err(mirror)?;
    if answer.status() == StatusCode::RANGE_NOT_SATISFIABLE {
        // It is as long as the whole, or longer: a new beginning tells more than it does.
        answer = get().send().await.map_err(mirror)?;
    }
    if !answer.status().is_success() {
        return Err(FetchError::Mirror(format!("HTTP {}", answer.status())));
    }
    let continued = answer.status() == StatusCode::PARTIAL_CONTENT;
    let there = if continued { there } else { 0 };
    progress(FetchProgress::File(&file.name, answer.content_length().map(|more| there + more)));
    progress(FetchProgress::Bytes(there));
    let mut options = tokio::fs::OpenOptions::new();
    options.create(true).write(true).append(continued).truncate(!continued);
    let mut out = options.open(&partial).await.map_err(|e| local(&e))?;
    let mut chunks = answer.bytes_stream();
    let mut length = there;
    while let Some(chunk) = chunks.next().await {
        let chunk = chunk.map_err(mirror)?;
        length += chunk.len() as u64;
        if length > file.bytes + SLACK {
            return Err(FetchError::Mirror("sends more than the file holds".to_owned()));
        }
        out.write_all(&chunk).await.map_err(|e| local(&e))?;
        progress(FetchProgress::Bytes(chunk.len() as u64));
    }
    out.flush().await.map_err(|e| local(&e))?;
    drop(out);
    if let Err(why) = check(&partial, file).await {
        // What a mirror sent under a wrong name is of no use to anyone.
        let _ = tokio::fs::remove_file(&partial).await;
        return Err(FetchError::Mirror(why));
    }
    tokio::fs::rename(&partial, path)
        .await
        .map_err(|e| FetchError::Local(cannot_write(path, &e)))?;
    progress(FetchProgress::Done(false));
    Ok(())
}

/// Whether the payload of the file at `path` is the one that the catalogue names. Unpacks at most
/// one byte more than it should hold.
async fn check(path: &Path, file: &EntryFile) -> Result<(), String> {
    let (path, file): (PathBuf, EntryFile) = (path.to_owned(), file.clone());
    let checked = tokio::task::spawn_blocking(move || {
        let mut digest = Sha256::new();
        let mut limited = payload(&path).map_err(|e| e.to_string())?.take(file.bytes + 1);
        let mut chunk = vec![0; 64 * 1024];
        let mut len = 0;
        loop {
            match limited.read(&mut chunk) {
                Ok(0) => break,
                Ok(n) => {
                    digest.update(chunk.get(..n).unwrap_or_default());
                    len += n as u64;
                }
                Err(e) => return Err(format!("what came cannot be unpacked: {e}")),
            }
        }
        let sha256 = data_encoding::HEXLOWER.encode(&digest.finalize());
        if len != file.bytes || sha256 != file.sha256 {
            return Err(format!(
                "what came has SHA-256 {sha256}, not {} as the catalogue says",
                file.sha256
            ));
        }
        Ok(())
    });
    checked.await.unwrap_or_else(|e| Err(e.to_string()))
}

fn cannot_write(path: &Path, e: &io::Error) -> SourceError {
    SourceError::Fetch(format!("{}: cannot be written: {e}", path.display()))
}
