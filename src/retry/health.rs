//! Whether the destination still works at all: what bounds the retries of a whole run.
//!
//! Each image has limits of its own, but 70,000 images times ten attempts is no way to find out
//! that a service is down. Any success, of whichever work, ends an outage. A single image that always
//! fails is none, and time in which the service asked to be left alone does not count.

use std::sync::atomic::{AtomicBool, AtomicU64, Ordering::Relaxed};
use std::time::Duration;

use tokio::time::Instant;

/// Shared by all tasks of a run. Times are milliseconds after the epoch, plus one; 0 is none.
#[derive(Debug)]
pub(crate) struct Health {
    max_outage: Duration,
    epoch: Instant,
    last_success: AtomicU64,
    /// When the first attempt began that failed since the last success.
    failing_since: AtomicU64,
    /// Whose attempt that was, and whether another work has failed since.
    first_work: AtomicU64,
    several: AtomicBool,
    /// Until when the service asked to be left alone.
    excused_until: AtomicU64,
}

impl Health {
    /// The destination counts as dead once nothing has succeeded for `max_outage` since a fault.
    pub(crate) fn new(max_outage: Duration) -> Self {
        Self {
            max_outage,
            epoch: Instant::now(),
            last_success: AtomicU64::new(0),
            failing_since: AtomicU64::new(0),
            first_work: AtomicU64::new(0),
            several: AtomicBool::new(false),
            excused_until: AtomicU64::new(0),
        }
    }

    fn at(&self, moment: Instant) -> u64 {
        let since = moment.saturating_duration_since(self.epoch).as_millis();
        u64::try_from(since).unwrap_or(u64::MAX).saturating_add(1)
    }

    pub(super) fn succeeded(&self, now: Instant) {
        self.last_success.store(self.at(now), Relaxed);
        // Reading is free where nothing has failed; writing would not be.
        if self.failing_since.load(Relaxed) != 0 {
            self.failing_since.store(0, Relaxed);
            self.several.store(false, Relaxed);
        }
    }

    /// Whether anything has succeeded since a moment.
    pub(super) fn has_succeeded_since(&self, moment: Instant) -> bool {
        self.last_success.load(Relaxed) >= self.at(moment)
    }

    /// An attempt of `work` that began at `began` has failed; the service asked for a pause of
    /// `retry_after` from `now` on.
    pub(super) fn failed(
        &self,
        work: u64,
        began: Instant,
        now: Instant,
        retry_after: Option<Duration>,
    ) {
        let since = self.at(began).max(self.last_success.load(Relaxed));
        // The first fault counts; one that comes second changes nothing.
        if self.failing_since.compare_exchange(0, since, Relaxed, Relaxed).is_ok() {
            self.first_work.store(work, Relaxed);
        } else if self.first_work.load(Relaxed) != work {
            self.several.store(true, Relaxed);
        }
        if let Some(pause) = retry_after {
            // After the pause there must be time for an attempt.
            self.excused_until.fetch_max(self.at(now + pause + self.max_outage / 4), Relaxed);
        }
    }

    /// Until that moment the process did not run: no fault before it counts.
    pub(super) fn paused_until(&self, moment: Instant) {
        if self.failing_since.load(Relaxed) != 0 {
            self.failing_since.fetch_max(self.at(moment), Relaxed);
        }
    }

    /// Time that is left before the destination counts as dead; `None` while it does not fail.
    pub(crate) fn left(&self, now: Instant) -> Option<Duration> {
        let since = self.failing_since.load(Relaxed).checked_sub(1)?;
        if !self.several.load(Relaxed) {
            return None;
        }
        let excused = self.excused_until.load(Relaxed).saturating_sub(1);
        let deadline =
            (Duration::from_millis(since) + self.max_outage).max(Duration::from_millis(excused));
        Some((self.epoch + deadline).saturating_duration_since(now))
    }

    /// Whether nothing has succeeded for too long.
    pub(crate) fn is_dead(&self, now: Instant) -> bool {
        self.left(now).is_some_and(|left| left.is_zero())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn after(seconds: u64) -> Instant {
        Instant::now() + Duration::from_secs(seconds)
    }

    fn health() -> Health {
        Health::new(Duration::from_secs(10))
    }

    #[tokio::test(start_paused = true)]
    async fn an_outage_lasts_from_the_first_fault_to_the_next_success() {
        let health = health();
        assert_eq!(health.left(after(100)), None);
        health.failed(1, after(5), after(6), None);
        health.failed(2, after(9), after(9), None);
        assert_eq!(health.left(after(9)), Some(Duration::from_secs(6)));
        assert!(!health.is_dead(after(14)));
        assert!(health.is_dead(after(15)));
        health.succeeded(after(50));
        assert!(!health.is_dead(after(100)));
        // Attempts that began before the success do not bring the outage back.
        health.failed(1, after(20), after(51), None);
        health.failed(2, after(20), after(51), None);
        assert!(!health.is_dead(after(59)));
        assert!(health.is_dead(after(60)));
    }

    #[tokio::test(start_paused = true)]
    async fn a_success_is_remembered_with_its_time() {
        let health = health();
        assert!(!health.has_succeeded_since(after(0)));
        health.succeeded(after(5));
        assert_eq!([4, 5, 6].map(|s| health.has_succeeded_since(after(s))), [true, true, false]);
    }

    #[tokio::test(start_paused = true)]
    async fn one_work_alone_is_no_outage() {
        let health = health();
        for second in 0..100 {
            health.failed(7, after(second), after(second), None);
        }
        assert_eq!(health.left(after(100)), None);
        health.failed(8, after(100), after(100), None);
        assert!(health.is_dead(after(100)));
    }

    #[tokio::test(start_paused = true)]
    async fn a_requested_pause_is_no_outage() {
        let health = health();
        health.failed(1, after(0), after(0), Some(Duration::from_mins(1)));
        health.failed(2, after(0), after(0), None);
        assert!(!health.is_dead(after(62)));
        assert!(health.is_dead(after(63)));
    }
}
