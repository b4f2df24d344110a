//! What a download reports, and how it can fail.

use std::io;
use std::path::Path;
use std::time::Duration;

use tokio::task::JoinError;

use crate::source::error::SourceError;

/// What a download tells whoever watches it.
#[derive(Debug, Clone, Copy)]
pub enum FetchProgress<'a> {
    /// A file begins, or begins anew: its name, and its size in bytes where the server says it.
    File(&'a str, Option<u64>),
    /// So many more bytes have come.
    Bytes(u64),
    /// The file is complete and right; `true` if it was there before.
    Done(bool),
    /// An address failed and another is asked: the address, and why.
    Failed(&'a str, &'a str),
    /// All addresses failed, some in a way that may pass: they are asked again after this time.
    Waiting(Duration),
    /// Another process downloads into the folder and is waited for: which process.
    Locked(&'a str),
}

/// Why an address brought no file: the next one may do better, or none can.
#[derive(Debug)]
pub(super) enum FetchError {
    /// The mirror's fault, the same next time.
    Mirror(String),
    /// The mirror's or the network's fault, which may pass.
    Passing(String),
    /// A fault of this machine or a defect of this program: no other mirror helps.
    Final(SourceError),
}

/// A task that panicked is a defect of this program, not the fault of a mirror.
impl From<JoinError> for FetchError {
    fn from(panic: JoinError) -> Self {
        Self::Final(SourceError::panicked("checking or unpacking a download", &panic))
    }
}

pub(super) fn cannot_write(path: &Path, error: io::Error) -> SourceError {
    SourceError::Local { path: path.to_owned(), error }
}
