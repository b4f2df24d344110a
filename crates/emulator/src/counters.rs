//! What the emulator counts while it runs.

use std::sync::atomic::{AtomicU64, Ordering};

use serde::{Deserialize, Serialize};

use crate::faults::FaultKind;

/// A snapshot of everything counted since the start.
///
/// The same numbers are served as JSON under `GET /_emulator/counters`.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Counters {
    /// TCP connections accepted.
    pub connections: u64,
    /// HTTP requests read, of any kind.
    pub requests: u64,
    /// Objects stored, overwrites included.
    pub inserts: u64,
    /// Inserts that replaced a live generation.
    pub overwrites: u64,
    /// Bytes of the objects stored.
    pub bytes_stored: u64,
    /// Writes and deletes refused with 412.
    pub precondition_failed: u64,
    /// The most insert requests that were in flight at one moment.
    pub max_inserts_in_flight: u64,
    /// Faults injected, by kind.
    pub faults: FaultCounters,
}

/// Faults injected since the start, by kind.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct FaultCounters {
    /// Answered with 503.
    pub errors: u64,
    /// Connection closed before the write.
    pub resets: u64,
    /// Object written, then the connection closed without an answer.
    pub lost_acks: u64,
    /// Accepted and never answered.
    pub stalls: u64,
    /// Answered with 429 because the object writes a second were used up.
    pub rate_limited: u64,
    /// Answers that a script rule decided.
    pub scripted: u64,
}

/// The live counters behind [`Counters`].
#[derive(Debug, Default)]
pub(crate) struct Stats {
    pub(crate) connections: AtomicU64,
    pub(crate) requests: AtomicU64,
    inserts: AtomicU64,
    overwrites: AtomicU64,
    bytes_stored: AtomicU64,
    precondition_failed: AtomicU64,
    inserts_in_flight: AtomicU64,
    max_inserts_in_flight: AtomicU64,
    errors: AtomicU64,
    resets: AtomicU64,
    lost_acks: AtomicU64,
    stalls: AtomicU64,
    rate_limited: AtomicU64,
    scripted: AtomicU64,
}

/// Adds one.
pub(crate) fn bump(counter: &AtomicU64) {
    counter.fetch_add(1, Ordering::Relaxed);
}

impl Stats {
    pub(crate) fn stored(&self, bytes: u64, replaced: bool) {
        bump(&self.inserts);
        self.bytes_stored.fetch_add(bytes, Ordering::Relaxed);
        if replaced {
            bump(&self.overwrites);
        }
    }

    pub(crate) fn precondition_failed(&self) {
        bump(&self.precondition_failed);
    }

    pub(crate) fn fault(&self, kind: FaultKind) {
        bump(match kind {
            FaultKind::Error => &self.errors,
            FaultKind::Reset => &self.resets,
            FaultKind::LostAck => &self.lost_acks,
            FaultKind::Stall => &self.stalls,
            FaultKind::RateLimited => &self.rate_limited,
            FaultKind::Scripted => &self.scripted,
        });
    }

    /// Counts one insert as in flight until the guard is dropped.
    pub(crate) fn insert_in_flight(&self) -> InFlight<'_> {
        let now = self.inserts_in_flight.fetch_add(1, Ordering::Relaxed) + 1;
        self.max_inserts_in_flight.fetch_max(now, Ordering::Relaxed);
        InFlight(&self.inserts_in_flight)
    }

    pub(crate) fn snapshot(&self) -> Counters {
        let read = |counter: &AtomicU64| counter.load(Ordering::Relaxed);
        Counters {
            connections: read(&self.connections),
            requests: read(&self.requests),
            inserts: read(&self.inserts),
            overwrites: read(&self.overwrites),
            bytes_stored: read(&self.bytes_stored),
            precondition_failed: read(&self.precondition_failed),
            max_inserts_in_flight: read(&self.max_inserts_in_flight),
            faults: FaultCounters {
                errors: read(&self.errors),
                resets: read(&self.resets),
                lost_acks: read(&self.lost_acks),
                stalls: read(&self.stalls),
                rate_limited: read(&self.rate_limited),
                scripted: read(&self.scripted),
            },
        }
    }
}

/// Takes its insert out of the number in flight when dropped, so a request whose client went away
/// is not counted for ever.
pub(crate) struct InFlight<'a>(&'a AtomicU64);

impl Drop for InFlight<'_> {
    fn drop(&mut self) {
        self.0.fetch_sub(1, Ordering::Relaxed);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn in_flight_remembers_the_peak_and_counts_down() {
        let stats = Stats::default();
        {
            let _one = stats.insert_in_flight();
            let _two = stats.insert_in_flight();
        }
        let _three = stats.insert_in_flight();
        assert_eq!(stats.snapshot().max_inserts_in_flight, 2);
        assert_eq!(stats.inserts_in_flight.load(Ordering::Relaxed), 1);
    }
}
