//! Answers counted over a while, all to requests that began under the same pace.

use std::time::Duration;

use super::Answer;

/// The answers to requests that began after the pace was last changed.
#[derive(Debug, Clone, Copy, Default)]
pub(super) struct Window {
    /// When it was.
    pub(super) changed: Duration,
    /// The first success, from which on successes are counted: from one to another of them, so that
    /// answers that come in bursts do not make a rate look higher or lower than it is.
    begin: Option<Duration>,
    /// Successes after that one.
    pub(super) accepted: u32,
    pub(super) limited: u32,
    pub(super) overloaded: u32,
}

impl Window {
    /// The first after a change.
    pub(super) fn after_change(changed: Duration) -> Self {
        Self { changed, ..Self::default() }
    }

    /// The next without a change, which follows at once.
    pub(super) fn next(self, now: Duration) -> Self {
        Self { changed: self.changed, begin: Some(now), ..Self::default() }
    }

    /// Counts an answer.
    pub(super) fn add(&mut self, now: Duration, answer: Answer) {
        match answer {
            Answer::Accepted if self.begin.is_none() => self.begin = Some(now),
            Answer::Accepted => self.accepted += 1,
            Answer::Limited => self.limited += 1,
            Answer::Overloaded => self.overloaded += 1,
        }
    }

    /// Answers so far.
    pub(super) fn answers(&self) -> u32 {
        self.accepted + self.limited + self.overloaded
    }

    /// How long it has lasted.
    pub(super) fn lasted(&self, now: Duration) -> Duration {
        self.begin.map_or(Duration::ZERO, |begin| now.saturating_sub(begin))
    }

    /// Answers a second, whatever they say.
    pub(super) fn answered(&self, now: Duration) -> f64 {
        f64::from(self.answers()) / self.lasted(now).as_secs_f64().max(1e-3)
    }

    /// Successes a second.
    pub(super) fn goodput(&self, now: Duration) -> f64 {
        f64::from(self.accepted) / self.lasted(now).as_secs_f64().max(1e-3)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(millis: u64) -> Duration {
        Duration::from_millis(millis)
    }

    /// A success at 100 ms, from which on it counts, then two more, a refusal and an error.
    fn window() -> Window {
        let mut window = Window::after_change(at(50));
        for (millis, answer) in [
            (100, Answer::Accepted),
            (200, Answer::Accepted),
            (300, Answer::Limited),
            (400, Answer::Accepted),
            (600, Answer::Overloaded),
        ] {
            window.add(at(millis), answer);
        }
        window
    }

    #[test]
    fn a_rate_is_counted_from_one_success_to_another() {
        let window = window();
        assert_eq!((window.accepted, window.limited, window.overloaded), (2, 1, 1));
        assert_eq!((window.answers(), window.lasted(at(600))), (4, at(500)));
        assert_eq!((window.answered(at(600)), window.goodput(at(600))), (8.0, 4.0));
    }

    #[test]
    fn before_the_first_success_no_time_has_passed() {
        let mut window = Window::after_change(at(50));
        window.add(at(90), Answer::Limited);
        assert_eq!((window.lasted(at(900)), window.limited), (Duration::ZERO, 1));
        assert_eq!((window.answered(at(900)), window.accepted), (1000.0, 0), "in a millisecond");
    }

    #[test]
    fn the_next_window_counts_at_once_and_belongs_to_the_same_pace() {
        let mut next = window().next(at(600));
        assert_eq!((next.changed, next.answers(), next.lasted(at(700))), (at(50), 0, at(100)));
        next.add(at(800), Answer::Accepted);
        assert_eq!((next.goodput(at(800)), next.accepted), (5.0, 1));
    }
}
