//! What is worth another attempt.
//!
//! After <https://cloud.google.com/storage/docs/retry-strategy>. Every write carries a
//! precondition, so each is safe to repeat.

use crate::sink::FaultKind;

/// What to do after a fault.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Decision {
    /// Try again.
    Retry,
    /// Try again if this is the first fault of its kind.
    RetryOnce,
    /// Another attempt would end the same way.
    Stop,
}

/// The decision for each kind of fault.
pub(crate) fn decide(kind: FaultKind) -> Decision {
    match kind {
        FaultKind::Connect
        | FaultKind::Closed
        | FaultKind::Idle
        | FaultKind::CutOff
        | FaultKind::Timeout
        | FaultKind::Unparsable
        | FaultKind::RateLimited
        | FaultKind::Credentials { transient: true }
        | FaultKind::Status(408 | 429 | 500..=599) => Decision::Retry,
        // The first two come with new credentials the second time.
        FaultKind::Status(401)
        | FaultKind::Credentials { transient: false }
        | FaultKind::Mismatch => Decision::RetryOnce,
        FaultKind::Precondition
        | FaultKind::Status(_)
        | FaultKind::Local
        | FaultKind::LocalFile
        | FaultKind::Unreachable
        | FaultKind::Stopped
        | FaultKind::Internal => Decision::Stop,
    }
}

/// Whether one such fault shows that every other object would fail in the same way: then the run is
/// over.
pub(crate) fn refuses_all(kind: FaultKind) -> bool {
    matches!(
        kind,
        FaultKind::Credentials { transient: false } | FaultKind::Status(401) | FaultKind::Local
    )
}

/// Whether the service has refused an object for good. That may be for a reason of this one object, as
/// a hold on it, or one of all objects, as a missing permission.
pub(crate) fn is_refusal(kind: FaultKind) -> bool {
    refuses_all(kind) || (matches!(kind, FaultKind::Status(_)) && decide(kind) == Decision::Stop)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_status_has_its_decision() {
        for status in 400..=599 {
            let expected = match status {
                401 => Decision::RetryOnce,
                408 | 429 | 500.. => Decision::Retry,
                _ => Decision::Stop,
            };
            assert_eq!(decide(FaultKind::Status(status)), expected, "{status}");
        }
    }

    #[test]
    fn every_other_kind_has_its_decision() {
        use Decision::{Retry, RetryOnce, Stop};
        for (kind, decision) in [
            (FaultKind::Connect, Retry),
            (FaultKind::Closed, Retry),
            (FaultKind::Idle, Retry),
            (FaultKind::CutOff, Retry),
            (FaultKind::Timeout, Retry),
            (FaultKind::Unparsable, Retry),
            (FaultKind::RateLimited, Retry),
            (FaultKind::Credentials { transient: true }, Retry),
            (FaultKind::Mismatch, RetryOnce),
            (FaultKind::Credentials { transient: false }, RetryOnce),
            (FaultKind::Precondition, Stop),
            (FaultKind::Local, Stop),
            (FaultKind::LocalFile, Stop),
            (FaultKind::Unreachable, Stop),
            (FaultKind::Stopped, Stop),
            (FaultKind::Internal, Stop),
        ] {
            assert_eq!(decide(kind), decision, "{kind}");
        }
    }

    #[test]
    fn a_refusal_of_all_is_never_retried_for_ever() {
        for status in 400..=599 {
            let kind = FaultKind::Status(status);
            assert!(!(refuses_all(kind) && decide(kind) == Decision::Retry), "{status}");
        }
    }

    #[test]
    fn a_status_that_is_not_retried_is_a_refusal_but_of_one_object() {
        for status in 400..=599 {
            let kind = FaultKind::Status(status);
            assert_eq!(is_refusal(kind), decide(kind) != Decision::Retry, "{status}");
            assert_eq!(refuses_all(kind), status == 401, "{status}");
        }
        for kind in [FaultKind::LocalFile, FaultKind::Mismatch, FaultKind::Precondition] {
            assert!(!is_refusal(kind), "{kind}");
        }
    }
}
