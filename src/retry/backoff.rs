//! How long to wait before another attempt.

use std::time::Duration;

/// Truncated exponential backoff with full jitter
/// (<https://cloud.google.com/storage/docs/retry-strategy#exponential-backoff>).
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Backoff {
    /// Upper bound of the first wait.
    pub initial: Duration,
    /// Upper bound of any wait.
    pub max: Duration,
}

impl Backoff {
    /// The wait after `failed` attempts (from 1): somewhere in `0..=initial × 2^(failed-1)`, that
    /// bound capped at `max`; `random` in `0.0..=1.0` says where. Never shorter than the service
    /// asked for.
    pub fn wait(&self, failed: u32, retry_after: Option<Duration>, random: f64) -> Duration {
        let doublings = failed.saturating_sub(1).min(31);
        let bound = self.initial.saturating_mul(1 << doublings).min(self.max);
        let jittered = bound.mul_f64(random.clamp(0.0, 1.0));
        jittered.max(retry_after.unwrap_or_default())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    const BACKOFF: Backoff =
        Backoff { initial: Duration::from_secs(1), max: Duration::from_secs(32) };

    proptest! {
        #[test]
        fn stays_within_its_bounds(failed: u32, random in 0.0..=1.0_f64) {
            prop_assert!(BACKOFF.wait(failed, None, random) <= BACKOFF.max);
        }

        #[test]
        fn a_requested_pause_is_the_least_wait(
            failed: u32, pause in 0_u64..200, random in 0.0..=1.0_f64,
        ) {
            let pause = Duration::from_secs(pause);
            let wait = BACKOFF.wait(failed, Some(pause), random);
            prop_assert!(wait >= pause);
            prop_assert!(wait <= pause.max(BACKOFF.max));
        }
    }

    #[test]
    fn full_jitter_reaches_down_to_nothing() {
        assert_eq!(BACKOFF.wait(3, None, 0.0), Duration::ZERO);
        assert_eq!(BACKOFF.wait(3, None, 0.5), Duration::from_secs(2));
    }
}
