//! Why one attempt failed, in the project's own words. Nothing after this looks at a transport's
//! error types.

use std::fmt;
use std::time::Duration;

/// The longest pause that a service can ask for. A longer `Retry-After` counts as this one: whether to
/// come back after an hour is for a person to decide.
pub const LONGEST_RETRY_AFTER: Duration = Duration::from_mins(2);

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

impl FaultKind {
    /// Whether the service refused the request only because there were too many of them.
    pub fn is_rate_limit(self) -> bool {
        matches!(self, Self::RateLimited | Self::Status(429))
    }
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
    retry_after: Option<Duration>,
    progressed: bool,
}

impl Fault {
    /// A fault after which the service has asked for no pause.
    pub fn new(kind: FaultKind, message: impl Into<String>) -> Self {
        Self { kind, message: message.into(), retry_after: None, progressed: false }
    }

    /// The same fault with the pause that the service asked for, up to [`LONGEST_RETRY_AFTER`].
    #[must_use]
    pub fn with_retry_after(mut self, pause: Option<Duration>) -> Self {
        self.retry_after = pause.map(|pause| pause.min(LONGEST_RETRY_AFTER));
        self
    }

    /// The same fault of an attempt that stored more of a file than any before, or did not.
    #[must_use]
    pub(super) fn after_progress(self, progressed: bool) -> Self {
        Self { progressed, ..self }
    }

    /// Whether the attempt stored more of a file than any before.
    pub fn has_progressed(&self) -> bool {
        self.progressed
    }

    /// The pause that the service asked for, at most [`LONGEST_RETRY_AFTER`].
    pub fn retry_after(&self) -> Option<Duration> {
        self.retry_after
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_service_can_ask_for_more_than_the_longest_pause() {
        let fault = |seconds| {
            let fault = Fault::new(FaultKind::Status(429), "");
            fault.with_retry_after(Some(Duration::from_secs(seconds))).retry_after()
        };
        assert_eq!(fault(119), Some(Duration::from_secs(119)));
        assert_eq!(fault(121), Some(LONGEST_RETRY_AFTER));
        assert_eq!(fault(u64::MAX), Some(LONGEST_RETRY_AFTER));
    }
}
