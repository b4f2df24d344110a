//! What a download reports, and how it can fail.

use std::io;
use std::path::Path;
use std::time::Duration;

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

/// Whose fault it was: the next mirror may do better, or it may not.
pub(super) enum FetchError {
    /// It is the mirror's, and will be the same next time.
    Mirror(String),
    /// It is the mirror's or the network's, and may pass.
    Passing(String),
    /// It is this machine's.
    Local(SourceError),
}

pub(super) fn cannot_write(path: &Path, error: io::Error) -> SourceError {
    SourceError::Local { path: path.to_owned(), error }
}
