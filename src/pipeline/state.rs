//! The ends that an image can come to.

/// How an image ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum State {
    /// Written in this run: its bytes.
    Uploaded(u64),
    /// It was there, with the same content.
    AlreadyPresent,
    /// It could not be stored.
    Failed,
}
