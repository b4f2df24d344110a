//! Why one attempt failed, in the project's own words. Nothing after this looks at a transport's
//! error types.

use std::fmt;
use std::time::Duration;

/// The kinds of failure that decisions are made on.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum FaultKind {
    /// No connection: refused, unreachable, no such host, TLS not agreed.
    Connect,
    /// The connection ended before an answer began.
    Closed,
    /// The same with a connection that had been kept from an earlier request: the service may have
    /// closed it while nobody used it.
    Idle,
    /// The answer began and broke off.
    CutOff,
    /// No complete answer within the attempt's time-out.
    Timeout,
    /// An answer of success that is not what the service documents.
    Unparsable,
    /// The answer's checksum, size or name is not that of what was sent.
    Mismatch,
    /// 403 with the reason `rateLimitExceeded` or `userRateLimitExceeded`.
    RateLimited,
    /// Credentials could not be had, for a passing reason or not.
    Credentials {
        /// Whether asking again may help.
        transient: bool,
    },
    /// 412 that says that the generation is not the expected one.
    Precondition,
    /// Any other HTTP status.
    Status(u16),
    /// The local file system refused, and will refuse whatever comes.
    Local,
    /// The local file system refused this one file.
    LocalFile,
    /// No connection, however often it was tried.
    Unreachable,
    /// The run was stopped before there was an attempt.
    Stopped,
    /// A defect of this program.
    Internal,
}

impl fmt::Display for FaultKind {
    /// The name under which `summary.json` counts retries.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Connect => f.write_str("connect"),
            Self::Closed | Self::Idle => f.write_str("closed"),
            Self::CutOff => f.write_str("cut_off"),
            Self::Timeout => f.write_str("timeout"),
            Self::Unparsable => f.write_str("unparsable"),
            Self::Mismatch => f.write_str("mismatch"),
            Self::RateLimited => f.write_str("rate_limited"),
            Self::Credentials { .. } => f.write_str("credentials"),
            Self::Precondition => f.write_str("precondition"),
            Self::Status(code) => write!(f, "http_{code}"),
            Self::Local => f.write_str("local"),
            Self::LocalFile => f.write_str("local_file"),
            Self::Unreachable => f.write_str("unreachable"),
            Self::Stopped => f.write_str("stopped"),
            Self::Internal => f.write_str("internal"),
        }
    }
}

/// One failed attempt.
#[derive(Debug, Clone, thiserror::Error)]
#[error("{message}")]
pub struct Fault {
    /// What to decide on.
    pub kind: FaultKind,
    /// What to tell a person; holds no secret.
    pub message: String,
    /// How long the service asked to be left alone.
    pub retry_after: Option<Duration>,
}

impl Fault {
    /// A fault without a wish from the service.
    pub fn new(kind: FaultKind, message: impl Into<String>) -> Self {
        Self { kind, message: message.into(), retry_after: None }
    }
}
