//! How fast a bucket should be approached.

use std::time::Duration;

/// Writes a second that a bucket takes from the start, and the time after which twice as many may be
/// asked of it (<https://cloud.google.com/storage/docs/request-rate#ramp-up>).
const START: f64 = 1000.0;
const DOUBLES_EVERY: Duration = Duration::from_mins(20);

/// Writes a second at the most after so much time.
pub(super) fn google(elapsed: Duration) -> f64 {
    let doublings = elapsed.as_secs() / DOUBLES_EVERY.as_secs();
    START * 2.0_f64.powi(i32::try_from(doublings.min(60)).unwrap_or(60))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn doubles_every_twenty_minutes() {
        for (minutes, rate) in [(0, 1000.0), (19, 1000.0), (20, 2000.0), (61, 8000.0)] {
            assert!((google(Duration::from_mins(minutes)) - rate).abs() < 0.1, "{minutes}");
        }
        assert!(google(Duration::MAX).is_finite());
    }
}
