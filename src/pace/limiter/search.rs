//! How many requests to have in flight, as long as nothing is refused: found by trying.

/// Requests in flight at the start.
const START: f64 = 32.0;

/// Doubling is worth it while it raises goodput by a quarter.
const WORTH_DOUBLING: f64 = 1.25;

/// The first step of the later search, and the largest: steps double while they help.
const FIRST_STEP: f64 = 1.0 / 8.0;
const LARGEST_STEP: f64 = 0.5;

/// The part of a step that goodput must gain for it to be kept.
const WORTH_A_STEP: f64 = 0.5;

/// Windows of rest before a trial: few at first, twice as many after each in vain, up to a bound.
const SHORTEST_REST: u32 = 1;
const LONGEST_REST: u32 = 8;

#[derive(Debug, Clone, Copy, PartialEq)]
enum Phase {
    /// Doubling; the goodput of the window before, at half the limit. One window that brings too
    /// little is no verdict: new connections take their time.
    Doubling { before: f64, doubted: bool },
    /// At rest for so many windows.
    Resting { windows: u32 },
    /// A step was made, up or down, from a limit with this goodput.
    Trying { from: f64, before: f64, step: f64 },
}

/// The limit of requests in flight, from 1 to a bound.
#[derive(Debug, Clone)]
pub(super) struct Search {
    most: f64,
    limit: f64,
    phase: Phase,
    /// Windows of the next rest.
    rest: u32,
    /// Which way the last trial went that began after a rest.
    upwards: bool,
}

impl Search {
    pub(super) fn new(most: u32) -> Self {
        let most = f64::from(most.max(1));
        Self {
            most,
            limit: START.min(most),
            phase: Phase::Doubling { before: 0.0, doubted: false },
            rest: SHORTEST_REST,
            upwards: false,
        }
    }

    pub(super) fn limit(&self) -> f64 {
        self.limit
    }

    /// Whether the limit still doubles, which takes short windows.
    pub(super) fn is_doubling(&self) -> bool {
        matches!(self.phase, Phase::Doubling { .. })
    }

    /// Goes on from a limit that something else has found.
    pub(super) fn rest_at(&mut self, limit: f64) {
        self.limit = limit.clamp(1.0, self.most);
        self.phase = Phase::Resting { windows: self.rest };
    }

    /// Takes the goodput of a window, in answers a second, without refusals that would matter.
    pub(super) fn judge(&mut self, goodput: f64) {
        let rest = Phase::Resting { windows: self.rest };
        let limit = match self.phase {
            Phase::Doubling { before, .. } if goodput > before * WORTH_DOUBLING => {
                self.phase = Phase::Doubling { before: goodput, doubted: false };
                if self.limit >= self.most {
                    // All there may be is of use; to try less is for later.
                    self.rest = LONGEST_REST;
                    self.phase = Phase::Resting { windows: self.rest };
                }
                self.limit * 2.0
            }
            Phase::Doubling { before, doubted: false } => {
                self.phase = Phase::Doubling { before, doubted: true };
                self.limit
            }
            Phase::Doubling { before, doubted: true } => {
                self.phase = rest;
                // The last doubling brought less than it should: so much of it is of use.
                self.limit / 2.0 * (goodput / before).max(1.0)
            }
            Phase::Resting { windows: 0 } => {
                self.upwards = !self.upwards && self.limit < self.most;
                self.attempt(goodput, if self.upwards { FIRST_STEP } else { -FIRST_STEP })
            }
            Phase::Resting { windows } => {
                self.phase = Phase::Resting { windows: windows - 1 };
                self.limit
            }
            Phase::Trying { from, before, step } => {
                let gained = goodput / before - 1.0;
                // Fewer in flight are as good, if they lose less than more would have to gain.
                let kept = gained > WORTH_A_STEP * (self.limit / from - 1.0);
                self.rest = if kept { SHORTEST_REST } else { (self.rest * 2).min(LONGEST_REST) };
                if kept && step > 0.0 && self.limit < self.most {
                    // More of what helps, at once.
                    self.attempt(goodput, (step * 2.0).min(LARGEST_STEP))
                } else {
                    self.phase = Phase::Resting { windows: self.rest };
                    if kept { self.limit } else { from }
                }
            }
        };
        self.limit = limit.clamp(1.0, self.most);
    }

    /// Steps away from a limit with this goodput.
    fn attempt(&mut self, goodput: f64, step: f64) -> f64 {
        self.phase = Phase::Trying { from: self.limit, before: goodput, step };
        self.limit + (self.limit * step.abs()).max(1.0) * step.signum()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The limits after windows of this goodput, the first one before all.
    fn limits(search: &mut Search, goodputs: &[f64]) -> Vec<f64> {
        let after = |goodput: &f64| {
            search.judge(*goodput);
            search.limit()
        };
        goodputs.iter().map(after).collect()
    }

    /// One that rests at a limit for a window, in which goodput is 1000.
    fn resting(limit: f64, most: u32) -> Search {
        let mut search = Search::new(most);
        search.rest_at(limit);
        search.judge(1000.0);
        search
    }

    #[test]
    fn begins_with_32_or_all_there_may_be() {
        for (most, limit) in [(1024, 32.0), (32, 32.0), (7, 7.0), (0, 1.0)] {
            let search = Search::new(most);
            assert_eq!((search.limit(), search.is_doubling()), (limit, true), "{most}");
        }
    }

    #[test]
    fn doubles_while_that_brings_a_quarter_more() {
        let mut search = Search::new(1024);
        assert_eq!(limits(&mut search, &[1000.0, 1251.0, 1600.0]), [64.0, 128.0, 256.0]);
        assert!(search.is_doubling());
    }

    #[test]
    fn one_window_that_brings_too_little_is_no_verdict() {
        let mut search = Search::new(1024);
        assert_eq!(limits(&mut search, &[1000.0, 1250.0, 1251.0]), [64.0, 64.0, 128.0]);
        assert_eq!(limits(&mut search, &[1300.0, 1600.0]), [128.0, 256.0], "nor is a later one");
    }

    #[test]
    fn of_a_doubling_in_vain_remains_what_was_of_use() {
        for (goodput, limit) in [(1100.0, 35.2), (1000.0, 32.0), (500.0, 32.0)] {
            let mut search = Search::new(1024);
            let found = limits(&mut search, &[1000.0, goodput, goodput])[2];
            assert!((found - limit).abs() < 1e-9, "{found}");
            assert!(!search.is_doubling());
        }
    }

    #[test]
    fn all_there_may_be_is_tried_less_of_after_eight_windows() {
        let mut search = Search::new(40);
        assert_eq!(limits(&mut search, &[1000.0, 2000.0]), [40.0; 2]);
        assert!(!search.is_doubling());
        assert_eq!(
            limits(&mut search, &[2000.0; 9]),
            [40.0, 40.0, 40.0, 40.0, 40.0, 40.0, 40.0, 40.0, 35.0]
        );
    }

    #[test]
    fn steps_up_double_while_they_help() {
        let mut search = resting(64.0, 1024);
        let helps = [1000.0, 2000.0, 4000.0, 8000.0];
        assert_eq!(limits(&mut search, &helps), [72.0, 90.0, 135.0, 202.5]);
        assert_eq!(limits(&mut search, &[8000.0]), [135.0], "the last one did not help");
    }

    #[test]
    fn a_step_up_is_kept_if_it_brings_half_its_part() {
        // An eighth more in flight.
        for (goodput, limit) in [(1062.5, 64.0), (1063.0, 90.0)] {
            let mut search = resting(64.0, 1024);
            assert_eq!(limits(&mut search, &[1000.0, goodput]), [72.0, limit], "{goodput}");
        }
    }

    #[test]
    fn a_step_down_is_kept_if_it_loses_less_than_half_its_part() {
        for (goodput, limit) in [(1000.0, 56.0), (938.0, 56.0), (937.5, 64.0)] {
            let mut search = resting(64.0, 64);
            let found = limits(&mut search, &[1000.0, goodput, goodput]);
            assert_eq!(found, [56.0, limit, limit], "{goodput}");
        }
    }

    #[test]
    fn trials_go_up_and_down_in_turn_with_longer_rests_after_each_in_vain() {
        let mut search = resting(64.0, 1024);
        for (limit, goodput, windows) in
            [(72.0, 1000.0, 2), (56.0, 10.0, 4), (72.0, 1000.0, 8), (56.0, 10.0, 8)]
        {
            assert_eq!(limits(&mut search, &[1000.0, goodput]), [limit, 64.0]);
            assert_eq!(limits(&mut search, &vec![1000.0; windows]), vec![64.0; windows]);
        }
        assert_eq!(limits(&mut search, &[1000.0]), [72.0]);
    }

    #[test]
    fn a_trial_that_helps_is_followed_by_a_short_rest() {
        let mut search = resting(64.0, 64);
        assert_eq!(limits(&mut search, &[1000.0, 10.0]), [56.0, 64.0]);
        assert_eq!(limits(&mut search, &[1000.0; 4]), [64.0, 64.0, 56.0, 56.0]);
        assert_eq!(limits(&mut search, &[1000.0; 2]), [56.0, 63.0], "one window");
    }

    #[test]
    fn a_small_limit_changes_by_one() {
        assert_eq!(limits(&mut resting(2.0, 1024), &[1000.0]), [3.0]);
        assert_eq!(limits(&mut resting(2.0, 2), &[1000.0]), [1.0]);
    }

    #[test]
    fn stays_within_its_bounds() {
        let mut search = resting(60.0, 64);
        assert_eq!(limits(&mut search, &[1000.0, 2000.0, 2000.0]), [64.0; 3]);
        assert_eq!(
            limits(&mut search, &[2000.0]),
            [56.0],
            "at the bound, the next trial goes down"
        );
        assert_eq!((resting(0.2, 64).limit(), resting(900.0, 64).limit()), (1.0, 64.0));
    }
}
