//! The rate that the service allows, learned from its refusals.
//!
//! A service that counts requests over time lets a burst through and then refuses. Between two
//! refusals it has accepted just what it allows: whatever it had saved up at the first, nothing was
//! left at the second. So that is what is measured, and kept to; now and then a little more is tried,
//! and ever more while nothing is refused.

use std::time::Duration;

/// What is kept to of what is allowed: the rest pays for errors of measurement.
const KEPT: f64 = 0.98;

/// What is left of a rate that was refused, at the most and at the least.
const MOST_LEFT: f64 = 0.95;
const LEAST_LEFT: f64 = 0.5;

/// What is left after the first refusal while the limit doubles: a burst was let through as well.
const FIRST_LEFT: f64 = 0.7;

/// What is left at the most where the service could save up during a pause, so that what it accepted
/// says little, and refuses again so soon.
const SOON: Duration = Duration::from_secs(1);
const MOST_LEFT_SOON: f64 = 0.85;

/// A pause as long as this lets a service save up all it ever does: counting begins after it.
pub(super) const LONG_PAUSE: Duration = Duration::from_millis(100);

/// A pause as long as this costs more than a rate that is too low. What is accepted in the first moments
/// only shows what a service lets through at once: it counts as all of a second, at the least as so much.
const COSTLY_PAUSE: Duration = Duration::from_secs(5);
const COUNTED_OVER: Duration = Duration::from_secs(1);
const LOWEST_GUESS: f64 = 10.0;

/// The first step up after a rest, and the largest: steps double while nothing is refused.
const FIRST_STEP: f64 = 1.0 / 48.0;
const LARGEST_STEP: f64 = 0.5;

/// The largest step until the last rate that was refused is left behind: saved up allowance may let
/// it pass for a while, and what it is overstepped by is refused in the end.
const CAREFUL_STEP: f64 = 1.0 / 32.0;
const LEFT_BEHIND: f64 = 1.1;

/// Rest after a refusal: so long, and so many times the pause that it cost; the second doubles, up to
/// a bound, each time that the rate turns out to be about the same.
const REST: Duration = Duration::from_secs(1);
const REST_PAUSES: u32 = 4;
const MOST_REST_PAUSES: u32 = 32;
const ABOUT_THE_SAME: f64 = 0.2;

/// A rate that answers do not come near is not raised; after so many windows it is given up.
const NEAR: f64 = 0.8;
const MISSED: u32 = 8;

/// No rate is lower than this.
const LOWEST: f64 = 1.0;

/// A rate, in requests a second, and how it came about.
#[derive(Debug, Clone)]
pub(super) struct LearnedRate {
    rate: f64,
    /// When counting began, whether that was after a long pause, and what was accepted since.
    since: Duration,
    after_pause: bool,
    accepted: u32,
    /// No step before that time.
    rest_until: Duration,
    step: f64,
    /// Windows in a row whose answers did not come near.
    missed: u32,
    /// The rate after the refusal before, and the rest then, in pauses.
    last: f64,
    rest_pauses: u32,
}

impl LearnedRate {
    /// After the first refusal, at `now`, which is followed by a pause: `goodput` requests a second
    /// were accepted, in a `burst` or steadily, the last `accepted` of them since the pace changed.
    pub(super) fn new(
        now: Duration,
        goodput: f64,
        burst: bool,
        accepted: u32,
        pause: Duration,
    ) -> Self {
        let left = if burst { FIRST_LEFT } else { MOST_LEFT };
        let in_a_second = (f64::from(accepted) / COUNTED_OVER.as_secs_f64()).max(LOWEST_GUESS);
        let costly = pause > COSTLY_PAUSE && goodput > in_a_second;
        let rate = if costly { in_a_second } else { goodput * left };
        let mut learned = Self {
            rate: rate.max(LOWEST),
            since: now,
            after_pause: false,
            accepted: 0,
            rest_until: now,
            step: FIRST_STEP,
            missed: 0,
            last: 0.0,
            rest_pauses: REST_PAUSES,
        };
        learned.begin_again(now, pause);
        if costly {
            // A low guess, which is soon found to be one.
            learned.rest_until = now + pause;
        }
        learned
    }

    /// Requests a second.
    pub(super) fn rate(&self) -> f64 {
        self.rate
    }

    /// Notes a request that was accepted.
    pub(super) fn accepted(&mut self) {
        self.accepted = self.accepted.saturating_add(1);
    }

    /// Requests are refused again, at `now`, which is followed by a pause.
    pub(super) fn refused(&mut self, now: Duration, pause: Duration) {
        let lasted = now.saturating_sub(self.since);
        let guessed = pause > COSTLY_PAUSE && lasted < COUNTED_OVER;
        let counted = if guessed { COUNTED_OVER } else { lasted.max(Duration::from_millis(1)) };
        let allowed = f64::from(self.accepted) / counted.as_secs_f64() * KEPT;
        let least_left = if guessed { 0.0 } else { LEAST_LEFT };
        let vague = self.after_pause && lasted < SOON;
        let most_left = if vague { MOST_LEFT_SOON } else { MOST_LEFT };
        self.rate = allowed.clamp(self.rate * least_left, self.rate * most_left).max(LOWEST);
        let same = (self.rate / self.last - 1.0).abs() < ABOUT_THE_SAME;
        self.rest_pauses =
            if same { (self.rest_pauses * 2).min(MOST_REST_PAUSES) } else { REST_PAUSES };
        self.last = self.rate;
        self.begin_again(now, pause);
    }

    fn begin_again(&mut self, now: Duration, pause: Duration) {
        self.after_pause = pause > LONG_PAUSE;
        self.since = if self.after_pause { now + pause } else { now };
        self.accepted = 0;
        self.rest_until = now + pause + REST.max(pause * self.rest_pauses);
        self.step = FIRST_STEP;
    }

    /// Takes a window without refusals that ends at `now`, with so many answers a second, good or not:
    /// a service that fails many requests has answered them all the same.
    pub(super) fn judge(&mut self, now: Duration, answers: f64) {
        if answers < self.rate * NEAR {
            self.missed += 1;
            return;
        }
        self.missed = 0;
        if now >= self.rest_until {
            self.rate *= 1.0 + self.step;
            let largest =
                if self.rate < self.last * LEFT_BEHIND { CAREFUL_STEP } else { LARGEST_STEP };
            self.step = (self.step * 2.0).min(largest);
        }
    }

    /// Whether answers have not come near it for long: something else holds them back.
    pub(super) fn is_out_of_reach(&self) -> bool {
        self.missed >= MISSED
    }
}
