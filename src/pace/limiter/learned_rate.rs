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

#[cfg(test)]
mod tests {
    use super::*;

    const SHORT: Duration = Duration::from_millis(20);

    fn seconds(seconds: f64) -> Duration {
        Duration::from_secs_f64(seconds)
    }

    /// What has accepted a thousand a second, with no burst, and refuses at 0 s for a pause of 20 ms.
    fn steady() -> LearnedRate {
        LearnedRate::new(Duration::ZERO, 1000.0, false, 1000, SHORT)
    }

    fn accept(learned: &mut LearnedRate, requests: u32) {
        (0..requests).for_each(|_| learned.accepted());
    }

    #[track_caller]
    fn assert_near(is: f64, expected: f64) {
        assert!((is / expected - 1.0).abs() < 1e-9, "{is} instead of {expected}");
    }

    /// Milliseconds after `from` until a window without refusals raises the rate.
    fn rest(learned: &LearnedRate, from: Duration) -> u64 {
        let raises = |after: &u64| {
            let mut later = learned.clone();
            later.judge(from + Duration::from_millis(*after), f64::INFINITY);
            later.rate() > learned.rate()
        };
        (0..200_000).step_by(5).find(raises).unwrap()
    }

    #[test]
    fn a_first_refusal_takes_a_part_of_what_was_accepted() {
        assert_near(steady().rate(), 950.0);
        let burst = LearnedRate::new(Duration::ZERO, 1000.0, true, 1000, SHORT);
        assert_near(burst.rate(), 700.0);
        let hardly_any = LearnedRate::new(Duration::ZERO, 0.01, false, 0, SHORT);
        assert_near(hardly_any.rate(), 1.0);
    }

    /// What the first moments let through would provoke another such pause, and one more for each halving.
    #[test]
    fn before_a_costly_pause_a_burst_counts_as_all_of_a_second() {
        for (pause, goodput, accepted, rate) in [
            (6.0, 2000.0, 50, 50.0),
            (6.0, 2000.0, 3, 10.0),
            (6.0, 8.0, 3, 8.0 * 0.95),
            (5.0, 2000.0, 50, 2000.0 * 0.95),
        ] {
            let learned =
                LearnedRate::new(Duration::ZERO, goodput, false, accepted, seconds(pause));
            assert_near(learned.rate(), rate);
        }
    }

    #[test]
    fn a_later_refusal_sets_the_rate_that_was_accepted_since() {
        let refused = |accepted, after| {
            let mut learned = steady();
            accept(&mut learned, accepted);
            learned.refused(seconds(after), SHORT);
            learned.rate()
        };
        assert_near(refused(1600, 2.0), 800.0 * 0.98);
        assert_near(refused(0, 2.0), 475.0);
        assert_near(refused(9000, 2.0), 950.0 * 0.95);
        assert_near(refused(1, 0.0), 950.0 * 0.95);
        let mut learned = steady();
        (1..=20).for_each(|second| learned.refused(seconds(f64::from(second)), SHORT));
        assert_near(learned.rate(), 1.0);
    }

    #[test]
    fn each_refusal_counts_anew() {
        let mut learned = steady();
        accept(&mut learned, 1600);
        learned.refused(seconds(2.0), SHORT);
        accept(&mut learned, 1400);
        learned.refused(seconds(4.0), SHORT);
        assert_near(learned.rate(), 700.0 * 0.98);
    }

    /// During a pause the service may have saved up more than that.
    #[test]
    fn little_is_believed_of_what_is_accepted_right_after_a_pause() {
        for (pause, after, left) in
            [(0.2, 0.999, 0.85), (0.2, 1.0, 0.95), (0.1, 0.5, 0.95), (0.02, 0.5, 0.95)]
        {
            let mut learned = LearnedRate::new(Duration::ZERO, 1000.0, false, 1000, seconds(pause));
            accept(&mut learned, 100_000);
            learned.refused(seconds(pause + after), SHORT);
            assert_near(learned.rate(), 950.0 * left);
        }
    }

    #[test]
    fn after_a_long_pause_counting_begins_at_its_end() {
        let mut learned = LearnedRate::new(Duration::ZERO, 1000.0, false, 1000, seconds(2.0));
        accept(&mut learned, 1600);
        learned.refused(seconds(4.0), SHORT);
        assert_near(learned.rate(), 800.0 * 0.98);
    }

    #[test]
    fn a_costly_refusal_within_a_second_may_take_more_than_half() {
        for (pause, after, rate) in [(6.0, 0.5, 98.0), (6.0, 1.0, 475.0), (5.0, 0.5, 475.0)] {
            let mut learned = steady();
            accept(&mut learned, 100);
            learned.refused(seconds(after), seconds(pause));
            assert_near(learned.rate(), rate);
        }
    }

    #[test]
    fn a_refusal_is_followed_by_a_rest_that_its_pause_is_worth() {
        assert_eq!(rest(&steady(), Duration::ZERO), 1020);
        let begun = seconds(3.0);
        let paused = LearnedRate::new(begun, 1000.0, false, 1000, seconds(1.0));
        assert_eq!(rest(&paused, begun), 5000, "the pause, and four times as long");
        let guessed = LearnedRate::new(begun, 1000.0, false, 50, seconds(6.0));
        assert_eq!(rest(&guessed, begun), 6000, "a low guess is raised after the pause");
    }

    #[test]
    fn rests_grow_while_refusals_show_the_same_rate() {
        let mut learned = steady();
        let mut now = Duration::ZERO;
        let mut rests = Vec::new();
        for same in [true, true, true, true, true, false, true] {
            now += seconds(2.0);
            accept(&mut learned, if same { 100_000 } else { 0 });
            learned.refused(now, seconds(1.0));
            rests.push(rest(&learned, now) / 1000);
            now += seconds(1.0);
        }
        assert_eq!(rests, [5, 9, 17, 33, 33, 5, 9]);
    }

    /// By what the rate is multiplied in windows without refusals.
    fn steps(learned: &mut LearnedRate, windows: usize) -> Vec<f64> {
        let mut step = || {
            let before = learned.rate();
            learned.judge(seconds(100.0), f64::INFINITY);
            learned.rate() / before
        };
        (0..windows).map(|_| step()).collect()
    }

    #[test]
    fn steps_double_while_nothing_is_refused() {
        let expected = [1.0, 2.0, 4.0, 8.0, 16.0, 24.0, 24.0].map(|n| 1.0 + n / 48.0);
        for (is, expected) in steps(&mut steady(), 7).into_iter().zip(expected) {
            assert_near(is, expected);
        }
    }

    #[test]
    fn steps_are_small_below_a_rate_that_was_refused() {
        let mut learned = steady();
        accept(&mut learned, 1600);
        learned.refused(seconds(2.0), SHORT);
        // The third leaves 1.1 times the rate behind.
        let small = 1.0 + 1.0 / 32.0;
        let expected = [1.0 + 1.0 / 48.0, small, small, small, 1.0 + 1.0 / 16.0, 1.0 + 1.0 / 8.0];
        for (is, expected) in steps(&mut learned, 6).into_iter().zip(expected) {
            assert_near(is, expected);
        }
    }

    #[test]
    fn a_rate_that_answers_do_not_come_near_is_given_up_and_not_raised() {
        let mut learned = steady();
        let (near, far) = (950.0 * 0.8, 950.0 * 0.799);
        let mut judge = |answers: f64, windows: usize| {
            (0..windows).for_each(|_| learned.judge(Duration::ZERO, answers));
            (learned.is_out_of_reach(), learned.rate())
        };
        assert_eq!(judge(far, 7), (false, 950.0));
        assert_eq!(judge(near, 1), (false, 950.0));
        assert_eq!(judge(far, 7), (false, 950.0), "in a row");
        assert_eq!(judge(far, 1), (true, 950.0));
        let mut idle = steady();
        idle.judge(seconds(100.0), far);
        assert_near(idle.rate(), 950.0);
    }
}
