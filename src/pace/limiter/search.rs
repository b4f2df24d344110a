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
