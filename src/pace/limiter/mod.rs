//! How many requests to have in flight, and how many to begin a second: found by trying. Pure, with
//! time passed in. docs/limiter.md explains the rules and shows a run.
//!
//! As long as nothing is refused, `search` finds the number in flight by goodput. Once the service
//! refuses, `learned_rate` learns its rate, and the number in flight follows from that by Little's law.
//! `overload` tells errors that come from load from those that come anyway.

mod learned_rate;
mod overload;
mod search;
#[cfg(test)]
mod simulation;
#[cfg(test)]
mod tests;
mod window;

use std::time::Duration;

use self::learned_rate::{LONG_PAUSE, LearnedRate};
use self::overload::Overload;
use self::search::Search;
use self::window::Window;

/// A window lasts at least so long, and so many latencies: while doubling, and later.
const SHORT_WINDOW: (Duration, f64) = (Duration::from_millis(20), 0.75);
const WINDOW: (Duration, f64) = (Duration::from_millis(250), 2.0);

/// Answers that a window needs for its rate to mean something: so many, or some for each request in flight,
/// or a part of those that the rate promises.
const FEWEST_ANSWERS: f64 = 30.0;
const ANSWERS_EACH: f64 = 4.0;
const PROMISED: f64 = 0.5;

/// So many requests over the limit are a sign, once accepted ones have had the time to show.
const REFUSALS: u32 = 3;

/// The pause after refusals, where the service names none.
const PAUSE: Duration = Duration::from_millis(20);

/// Requests in flight in terms of those that a rate takes by Little's law (rate × latency), and at the
/// least: with a known rate, a higher limit costs nothing.
const SPARE: f64 = 1.5;
const LOWEST_LIMIT: f64 = 32.0;

/// A success changes the smoothed latency by one part in so many.
const SMOOTHING: u32 = 16;

/// A latency counts for no more than so many times the smoothed one.
const OUTLIER: u32 = 4;

/// How an attempt ended, as far as the pace is concerned.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Answer {
    /// The service did what it was asked.
    Accepted,
    /// It said that there are too many requests (429).
    Limited,
    /// It failed as an overloaded service does (5xx, no answer in time).
    Overloaded,
}

/// The limiter. Times are durations since any one moment.
#[derive(Debug, Clone)]
pub(crate) struct Limiter {
    most: f64,
    /// Not there where the number in flight is given.
    search: Option<Search>,
    learned: Option<LearnedRate>,
    overload: Overload,
    /// What to go back to when cuts because of overload were in vain.
    before_cuts: Option<Search>,
    window: Window,
    /// Successes a second in the window before.
    goodput: Option<f64>,
    /// Smoothed latency of successes.
    latency: Duration,
    paused_until: Duration,
}

impl Limiter {
    /// Begins low, and never has more than `most` in flight.
    pub(crate) fn new(most: u32) -> Self {
        Self::with(most, Some(Search::new(most)))
    }

    /// Keeps `limit` in flight while nothing is refused.
    pub(crate) fn fixed(limit: u32) -> Self {
        Self::with(limit, None)
    }

    fn with(most: u32, search: Option<Search>) -> Self {
        Self {
            most: f64::from(most.max(1)),
            search,
            learned: None,
            overload: Overload::default(),
            before_cuts: None,
            window: Window::default(),
            goodput: None,
            latency: Duration::ZERO,
            paused_until: Duration::ZERO,
        }
    }

    /// Requests that may be in flight.
    pub(crate) fn limit(&self) -> u32 {
        let limit = match (&self.search, &self.learned) {
            (None, _) => self.most,
            (Some(_), Some(learned)) => {
                let taken = learned.rate() * self.latency.as_secs_f64();
                (taken * SPARE).max(LOWEST_LIMIT).min(self.most)
            }
            (Some(search), None) => search.limit(),
        };
        #[allow(clippy::cast_possible_truncation, clippy::cast_sign_loss)]
        let limit = limit.round().max(1.0) as u32;
        limit
    }

    /// Requests that may begin a second, once the service has shown its bound.
    pub(crate) fn rate(&self) -> Option<f64> {
        self.learned.as_ref().map(LearnedRate::rate)
    }

    /// No request begins before that time.
    pub(crate) fn paused_until(&self) -> Duration {
        self.paused_until
    }

    /// Notes an attempt that took `latency` and ended at `now`; a refusal may come with the pause
    /// that the service asks for.
    pub(crate) fn observe(
        &mut self,
        now: Duration,
        answer: Answer,
        latency: Duration,
        retry_after: Option<Duration>,
    ) {
        match answer {
            Answer::Accepted => {
                let first = self.latency.is_zero();
                // One that had to be sent again by the system says nothing of the service.
                let bounded = latency.min(self.latency * OUTLIER);
                let smoothed = (self.latency * (SMOOTHING - 1) + bounded) / SMOOTHING;
                self.latency = if first { latency } else { smoothed };
                if let Some(learned) = &mut self.learned {
                    learned.accepted();
                }
            }
            Answer::Limited => self.pause(now, retry_after),
            Answer::Overloaded => {}
        }
        if now.saturating_sub(latency) < self.window.changed {
            // It belongs to the pace before.
            return;
        }
        self.window.add(now, answer);
        let whole = self.is_whole(now);
        if whole && self.overload.learn(self.window.overloaded, self.window.answers()) {
            // Less load did not help.
            self.learned = None;
            self.search = self.before_cuts.take().or(self.search.take());
            self.window = Window::after_change(now);
        } else if self.is_flooded(now, retry_after) || whole && self.shows_refusals() {
            self.cut(now, latency, retry_after);
        } else if whole {
            self.judge(now);
        }
    }

    fn pause(&mut self, now: Duration, retry_after: Option<Duration>) {
        self.paused_until = self.paused_until.max(now + retry_after.unwrap_or(PAUSE));
    }

    /// Whether the window has lasted for its rate to mean something.
    fn is_whole(&self, now: Duration) -> bool {
        let doubling =
            self.learned.is_none() && self.search.as_ref().is_some_and(Search::is_doubling);
        let (shortest, latencies) = if doubling { SHORT_WINDOW } else { WINDOW };
        let shortest = shortest.max(self.latency.mul_f64(latencies));
        let promised = self.rate().map_or(f64::INFINITY, |rate| rate * shortest.as_secs_f64());
        let fewest =
            FEWEST_ANSWERS.min(f64::from(self.limit()) * ANSWERS_EACH).min(promised * PROMISED);
        self.window.lasted(now) >= shortest && f64::from(self.window.answers()) >= fewest
    }

    /// Whether so much is refused that the window's end is not waited for. What is accepted shows only
    /// after a latency; the first refusals of all, and those that cost a long pause, count at once.
    fn is_flooded(&self, now: Duration, retry_after: Option<Duration>) -> bool {
        let at_once = self.learned.is_none()
            || retry_after.is_some_and(|retry_after| retry_after > LONG_PAUSE);
        let shown = now >= self.window.changed + SHORT_WINDOW.0.max(self.latency);
        self.window.limited >= if at_once { 1 } else { REFUSALS } && (at_once || shown)
    }

    fn shows_refusals(&self) -> bool {
        let Window { limited, overloaded, .. } = self.window;
        limited > 0 || self.overload.shows(overloaded, self.window.answers())
    }

    /// Asks less of the service, after refusals, the last of which took `latency`.
    fn cut(&mut self, now: Duration, latency: Duration, retry_after: Option<Duration>) {
        let Window { limited, overloaded, .. } = self.window;
        if limited == 0 && self.overload.cut(overloaded, self.window.answers()) {
            self.before_cuts.clone_from(&self.search);
        }
        self.pause(now, retry_after);
        let pause = self.paused_until.saturating_sub(now);
        if let Some(learned) = &mut self.learned {
            learned.refused(now, pause);
        } else {
            let shown = self.window.lasted(now) >= SHORT_WINDOW.0.max(self.latency);
            let before = self.goodput.filter(|_| !shown);
            let goodput = before.unwrap_or_else(|| {
                if shown {
                    self.window.goodput(now)
                } else {
                    // All that is known: so many are in flight, and take so long.
                    f64::from(self.limit()) / self.latency.max(latency).as_secs_f64().max(1e-3)
                }
            });
            let burst = self.search.as_ref().is_some_and(Search::is_doubling);
            let accepted = self.window.accepted;
            self.learned = Some(LearnedRate::new(now, goodput, burst, accepted, pause));
        }
        self.window = Window::after_change(now);
    }

    /// Tries more or less, after a window without refusals that would matter.
    fn judge(&mut self, now: Duration) {
        let goodput = self.window.goodput(now);
        self.goodput = Some(goodput);
        let before = (self.limit(), self.rate());
        match (&mut self.learned, &mut self.search) {
            (Some(learned), search) => {
                learned.judge(now, self.window.answered(now));
                if learned.is_out_of_reach() {
                    if let Some(search) = search {
                        search.rest_at(f64::from(before.0));
                    }
                    self.learned = None;
                }
            }
            (None, Some(search)) => search.judge(goodput),
            (None, None) => {}
        }
        let unchanged = (self.limit(), self.rate()) == before;
        self.window = if unchanged { self.window.next(now) } else { Window::after_change(now) };
    }
}
