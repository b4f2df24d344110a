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
