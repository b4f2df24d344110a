//! What a download reports, and how it can fail.

use std::io;
use std::path::Path;

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
}

/// Whose fault it was: the next mirror may do better, or it may not.
pub(super) enum FetchError {
    Mirror(String),
    Local(SourceError),
}

pub(super) fn cannot_write(path: &Path, error: io::Error) -> SourceError {
    SourceError::Local { path: path.to_owned(), error }
}
