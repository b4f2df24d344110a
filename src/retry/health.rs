//! Whether the destination still works at all: what bounds the retries of a whole run.
//!
//! Each image has limits of its own, but 70,000 images times ten attempts is no way to find out
//! that a service is down. Any success, of whichever task, ends an outage.

use std::sync::atomic::{AtomicU64, Ordering::Relaxed};
use std::time::Duration;

use tokio::time::Instant;

/// Shared by all tasks of a run.
#[derive(Debug)]
pub struct Health {
    max_outage: Duration,
    epoch: Instant,
    /// Milliseconds after the epoch of the first fault since the last success, plus one; 0 while
    /// there is none.
    failing_since: AtomicU64,
}

impl Health {
    /// The destination counts as dead once nothing has succeeded for `max_outage` since a fault.
    pub fn new(max_outage: Duration) -> Self {
        Self { max_outage, epoch: Instant::now(), failing_since: AtomicU64::new(0) }
    }

    pub(super) fn succeeded(&self) {
        // Reading is free where nothing has failed; writing would not be.
        if self.failing_since.load(Relaxed) != 0 {
            self.failing_since.store(0, Relaxed);
        }
    }

    pub(super) fn failed(&self, now: Instant) {
        let since = now.saturating_duration_since(self.epoch).as_millis();
        let since = u64::try_from(since).unwrap_or(u64::MAX).saturating_add(1);
        // The first fault counts; one that comes second changes nothing.
        let _ = self.failing_since.compare_exchange(0, since, Relaxed, Relaxed);
    }

    /// Time that is left before the destination counts as dead; `None` while it does not fail.
    pub fn left(&self, now: Instant) -> Option<Duration> {
        let since = self.failing_since.load(Relaxed).checked_sub(1)?;
        let deadline = self.epoch + Duration::from_millis(since) + self.max_outage;
        Some(deadline.saturating_duration_since(now))
    }

    /// Whether nothing has succeeded for too long.
    pub fn is_dead(&self, now: Instant) -> bool {
        self.left(now).is_some_and(|left| left.is_zero())
    }

    /// The longest time without a success.
    pub fn max_outage(&self) -> Duration {
        self.max_outage
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test(start_paused = true)]
    async fn an_outage_lasts_from_the_first_fault_to_the_next_success() {
        let health = Health::new(Duration::from_secs(10));
        let after = |seconds| Instant::now() + Duration::from_secs(seconds);
        assert_eq!(health.left(after(100)), None);
        health.failed(after(5));
        health.failed(after(9));
        assert_eq!(health.left(after(9)), Some(Duration::from_secs(6)));
        assert!(!health.is_dead(after(14)));
        assert!(health.is_dead(after(15)));
        health.succeeded();
        assert!(!health.is_dead(after(100)));
        health.failed(after(100));
        assert!(!health.is_dead(after(109)));
        assert!(health.is_dead(after(110)));
    }
}
