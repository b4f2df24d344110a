//! A bound on object writes a second.

use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use tokio::time::Instant;

/// Hands out starting times, evenly spaced: no second sees more than its share, and a pause is not
/// made up for by a burst.
#[derive(Debug)]
pub struct Rate {
    /// Time between two writes.
    interval: Duration,
    next: Mutex<Instant>,
}

impl Rate {
    /// At most `per_second` writes a second, at least 1.
    pub fn new(per_second: u32) -> Self {
        let interval = Duration::from_secs(1) / per_second.max(1);
        Self { interval, next: Mutex::new(Instant::now()) }
    }

    /// Waits for the next starting time, and says how long that took.
    pub async fn ready(&self) -> Duration {
        let now = Instant::now();
        let Some(start) = self.reserve(now) else { return Duration::ZERO };
        tokio::time::sleep_until(start).await;
        start - now
    }

    /// Takes the next starting time for a write that is ready at `now`; nothing if it may start at
    /// once.
    fn reserve(&self, now: Instant) -> Option<Instant> {
        let mut next = self.next.lock().unwrap_or_else(PoisonError::into_inner);
        let start = (*next).max(now);
        *next = start + self.interval;
        (start > now).then_some(start)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test(start_paused = true)]
    async fn spaces_writes_evenly() {
        let rate = Rate::new(100);
        let began = Instant::now();
        for _ in 0..101 {
            rate.ready().await;
        }
        // Tokio's timer counts in whole milliseconds.
        assert_eq!(began.elapsed().as_millis(), 1000);
    }

    #[tokio::test(start_paused = true)]
    async fn a_pause_is_not_made_up_for() {
        let rate = Rate::new(10);
        rate.ready().await;
        tokio::time::advance(Duration::from_mins(1)).await;
        let began = Instant::now();
        for _ in 0..11 {
            rate.ready().await;
        }
        assert_eq!(began.elapsed().as_secs(), 1);
    }
}
