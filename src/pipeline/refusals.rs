//! When refusals of single objects mean that the destination refuses all.

use parking_lot::Mutex;

use crate::retry::policy::{is_refusal, refuses_all};
use crate::sink::FaultKind;

/// Different objects refused in a row, in the same way and with nothing stored between, after which
/// the destination is taken to refuse every object. Fewer may each have a reason of their own, such as
/// a hold or a retention policy.
const ALL: u32 = 10;

/// Refusals in a row, counted by all workers of a run.
#[derive(Debug, Default)]
pub(crate) struct Refusals(Mutex<Row>);

/// The refusals of the same kind since the last object that was not refused in that way.
#[derive(Debug, Default)]
struct Row {
    kind: Option<FaultKind>,
    count: u32,
}

impl Refusals {
    /// Notes that an object was stored.
    pub(super) fn stored(&self) {
        *self.0.lock() = Row::default();
    }

    /// Notes how one object failed: its fault, or nothing where the service refused nothing. Returns
    /// whether every other object would fail in the same way.
    pub(super) fn failed(&self, fault: Option<FaultKind>) -> bool {
        self.0.lock().add(fault)
    }
}

impl Row {
    fn add(&mut self, fault: Option<FaultKind>) -> bool {
        let Some(kind) = fault.filter(|kind| is_refusal(*kind)) else {
            *self = Self::default();
            return false;
        };
        let before = if self.kind == Some(kind) { self.count } else { 0 };
        *self = Self { kind: Some(kind), count: before + 1 };
        refuses_all(kind) || self.count >= ALL
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const FORBIDDEN: Option<FaultKind> = Some(FaultKind::Status(403));

    #[test]
    fn ten_objects_refused_in_the_same_way_mean_all() {
        for status in [400, 403, 404, 410, 412] {
            let refusals = Refusals::default();
            let ended: Vec<_> =
                (0..10).map(|_| refusals.failed(Some(FaultKind::Status(status)))).collect();
            assert_eq!(ended.iter().position(|ended| *ended), Some(9), "{status}");
        }
    }

    #[test]
    fn a_success_or_another_failure_between_begins_a_new_row() {
        let others: [fn(&Refusals); 4] = [
            Refusals::stored,
            |row| assert!(!row.failed(None)),
            |row| assert!(!row.failed(Some(FaultKind::Timeout))),
            |row| assert!(!row.failed(Some(FaultKind::Status(400)))),
        ];
        for other in others {
            let refusals = Refusals::default();
            for _ in 0..2 {
                assert!((0..9).all(|_| !refusals.failed(FORBIDDEN)));
                other(&refusals);
            }
            assert!((0..9).all(|_| !refusals.failed(FORBIDDEN)));
            assert!(refusals.failed(FORBIDDEN));
        }
    }

    #[test]
    fn what_no_object_can_escape_ends_the_run_at_once() {
        let credentials = FaultKind::Credentials { transient: false };
        for kind in [credentials, FaultKind::Status(401), FaultKind::Local] {
            assert!(Refusals::default().failed(Some(kind)), "{kind}");
        }
        for kind in [FaultKind::Status(503), FaultKind::LocalFile, FaultKind::Mismatch] {
            let refusals = Refusals::default();
            assert!((0..20).all(|_| !refusals.failed(Some(kind))), "{kind}");
        }
    }
}
