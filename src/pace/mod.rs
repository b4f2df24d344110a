//! How many requests are in flight, and how fast they begin.
//!
//! [`limiter`] finds out what the service takes; it knows neither clock nor network. [`Pace`] is what
//! the tasks of a run share: permits to be in flight, turns to begin, and the limiter that moves
//! both.

pub(crate) mod limiter;
mod pacer;
mod permits;
mod ramp;

use std::num::NonZeroU32;
use std::time::Duration;

use parking_lot::Mutex;
use strum::{Display, EnumString, IntoStaticStr, VariantNames};
use tokio::time::Instant;

use self::limiter::{Answer, Limiter};
use self::pacer::Pacer;
use self::permits::Permits;

use crate::sink::{Fault, FaultKind};

/// A pause longer than this is noted on a line, so that nobody takes it for a hang.
const LONG_PAUSE: Duration = Duration::from_secs(5);

/// What a request needs of the pace.
#[derive(Debug, Clone, Copy, Default)]
pub enum Gate<'a> {
    /// Nothing: it may be made at any time.
    #[default]
    Open,
    /// A permit to be in flight, which is lent while the caller waits between attempts.
    Permit(&'a Pace),
    /// A permit, and a turn for each attempt, whose end is noted: a write.
    Turn(&'a Pace),
}

impl<'a> Gate<'a> {
    /// The pace that hands out the permits, if any.
    pub fn pace(self) -> Option<&'a Pace> {
        match self {
            Self::Open => None,
            Self::Permit(pace) | Self::Turn(pace) => Some(pace),
        }
    }

    /// The pace that hands out the turns, if any.
    pub fn turns(self) -> Option<&'a Pace> {
        match self {
            Self::Open | Self::Permit(_) => None,
            Self::Turn(pace) => Some(pace),
        }
    }
}

/// How many requests are in flight.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Concurrency {
    /// Whether the program finds it by itself.
    pub auto: bool,
    /// The number, or the bound of what is found.
    pub limit: u32,
}

/// How fast the rate of writes may rise.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Display, EnumString, IntoStaticStr, VariantNames)]
#[strum(serialize_all = "kebab-case")]
pub enum Ramp {
    /// As it will.
    None,
    /// From 1,000 a second, twice as many every 20 minutes, as Google advises.
    Google,
}

/// What the user sets.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Bounds {
    /// Requests in flight.
    pub concurrency: Concurrency,
    /// Object writes a second; 0 is no bound.
    pub max_rate: u32,
    /// How fast the rate may rise.
    pub ramp: Ramp,
    /// Loads that run at the same time into the same place, this one included: each rises by its share
    /// of the ramp.
    pub parallel: NonZeroU32,
}

impl Bounds {
    /// The share of these bounds that each of so many loads has which run at the same time: one request
    /// in flight and one write a second at the least.
    #[must_use]
    pub fn shared_by(self, parallel: NonZeroU32) -> Self {
        let share = |all: u32| if all == 0 { 0 } else { (all / parallel).max(1) };
        let concurrency = Concurrency { limit: share(self.concurrency.limit), ..self.concurrency };
        Self { concurrency, max_rate: share(self.max_rate), parallel, ..self }
    }
}

/// The pace of a run.
#[derive(Debug)]
pub struct Pace {
    epoch: Instant,
    permits: Permits,
    pacer: Pacer,
    state: Mutex<State>,
}

#[derive(Debug)]
struct State {
    bounds: Bounds,
    limiter: Limiter,
    /// What the pacer keeps to.
    rate: Option<f64>,
    /// Requests that the service refused because there were too many.
    limited: u64,
    /// Until when the last pause lasts that was noted.
    noted: Duration,
}

/// The pace at one moment.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct PaceNow {
    /// Requests that may be in flight.
    pub limit: u32,
    /// Object writes that may begin a second, where there is a bound.
    pub rate: Option<f64>,
    /// Requests that the service refused because there were too many.
    pub limited: u64,
}

impl Pace {
    /// Within bounds, beginning now.
    pub fn new(bounds: Bounds) -> Self {
        let limiter = limiter(bounds.concurrency);
        let pace = Self {
            epoch: Instant::now(),
            permits: Permits::new(limiter.limit()),
            pacer: Pacer::new(),
            state: Mutex::new(State {
                bounds,
                limiter,
                rate: None,
                limited: 0,
                noted: Duration::ZERO,
            }),
        };
        pace.settle(&mut pace.state.lock());
        pace
    }

    /// A fixed number in flight, at any rate.
    pub fn fixed(limit: u32) -> Self {
        let concurrency = Concurrency { auto: false, limit };
        Self::new(Bounds { concurrency, max_rate: 0, ramp: Ramp::None, parallel: NonZeroU32::MIN })
    }

    /// What the user has set.
    pub fn bounds(&self) -> Bounds {
        self.state.lock().bounds
    }

    /// Puts other bounds in force, in the middle of a run.
    pub fn set_bounds(&self, bounds: Bounds) {
        let mut state = self.state.lock();
        if bounds.concurrency != state.bounds.concurrency {
            state.limiter = limiter(bounds.concurrency);
        }
        state.bounds = bounds;
        self.settle(&mut state);
    }

    /// The pace now.
    pub fn now(&self) -> PaceNow {
        let state = self.state.lock();
        PaceNow { limit: self.permits.limit(), rate: state.rate, limited: state.limited }
    }

    /// Waits for a turn to begin a write, and says how long that took.
    pub async fn turn(&self) -> Duration {
        self.pacer.take().await
    }

    /// Notes how a write ended that took `latency`.
    pub fn ended(&self, fault: Option<&Fault>, latency: Duration) {
        if fault.is_none() {
            self.permits.succeeded();
        }
        let Some(answer) = answer(fault.map(|fault| fault.kind)) else { return };
        let retry_after = fault.and_then(Fault::retry_after);
        let now = self.epoch.elapsed();
        let mut state = self.state.lock();
        let paused_until = state.limiter.paused_until();
        state.limiter.observe(now, answer, latency, retry_after);
        state.limited += u64::from(answer == Answer::Limited);
        if state.limiter.paused_until() > paused_until {
            let until = state.limiter.paused_until();
            self.pacer.pause_until(self.epoch + until);
            let pause = until.saturating_sub(now);
            // One line a pause, however many requests are refused with the same answer.
            if pause > LONG_PAUSE && now >= state.noted {
                let why = fault.map(ToString::to_string).unwrap_or_default();
                let pause = humantime::format_duration(Duration::from_secs(pause.as_secs()));
                tracing::warn!(
                    "the service asks for a pause of {pause} ({why}); uploads resume then"
                );
                state.noted = until;
            }
        }
        self.settle(&mut state);
    }

    /// Makes permits and turns what the limiter and the bounds say.
    fn settle(&self, state: &mut State) {
        let limit = state.limiter.limit();
        let Bounds { max_rate, ramp, parallel, .. } = state.bounds;
        let bounds = [
            state.limiter.rate(),
            (max_rate > 0).then(|| f64::from(max_rate)),
            (ramp == Ramp::Google)
                .then(|| ramp::google(self.epoch.elapsed()) / f64::from(parallel.get())),
        ];
        let rate = bounds.into_iter().flatten().reduce(f64::min);
        if limit != self.permits.limit() {
            tracing::debug!(from = self.permits.limit(), to = limit, "limit of requests in flight");
            self.permits.resize(limit);
        }
        if rate != state.rate {
            tracing::debug!(from = state.rate, to = rate, "writes a second");
            state.rate = rate;
            self.pacer.set_rate(rate);
        }
    }

    /// Lends the caller's permit for a wait, if the service deserves that; whoever did must
    /// [`Pace::reacquire`] before its next request.
    pub fn release(&self) -> bool {
        self.permits.release()
    }

    /// Takes a permit again after a wait.
    pub async fn reacquire(&self) {
        self.permits.reacquire().await;
    }

    /// Waits for a permit without a worker: one is to be started for it.
    pub async fn vacancy(&self) {
        self.permits.vacancy().await;
    }

    /// Whether the calling worker is to end; if so it holds no permit any more.
    pub fn must_leave(&self) -> bool {
        self.permits.must_leave()
    }

    /// Waits until some worker may have to end; ask [`Pace::must_leave`] then.
    pub async fn wanted(&self) {
        self.permits.wanted().await;
    }

    /// A worker ends and gives its permit back.
    pub fn leave(&self) {
        self.permits.leave();
    }
}

fn limiter(concurrency: Concurrency) -> Limiter {
    let Concurrency { auto, limit } = concurrency;
    if auto { Limiter::new(limit) } else { Limiter::fixed(limit) }
}

/// What an attempt's end says of the service; nothing, if it is about the connection or the request.
fn answer(fault: Option<FaultKind>) -> Option<Answer> {
    match fault {
        // A precondition that does not hold is an answer as quick as any.
        None | Some(FaultKind::Precondition) => Some(Answer::Accepted),
        Some(kind) if kind.is_rate_limit() => Some(Answer::Limited),
        Some(FaultKind::Timeout | FaultKind::Status(408 | 500..=599)) => Some(Answer::Overloaded),
        Some(_) => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use futures::FutureExt;

    fn bounds(auto: bool, limit: u32, max_rate: u32, ramp: Ramp) -> Bounds {
        Bounds {
            concurrency: Concurrency { auto, limit },
            max_rate,
            ramp,
            parallel: NonZeroU32::MIN,
        }
    }

    #[tokio::test(start_paused = true)]
    async fn the_lowest_bound_is_in_force() {
        let pace = Pace::new(bounds(true, 1024, 0, Ramp::None));
        assert_eq!(pace.now(), PaceNow { limit: 32, rate: None, limited: 0 });
        for (max_rate, ramp, rate) in [
            (500, Ramp::Google, Some(500.0)),
            (5000, Ramp::Google, Some(1000.0)),
            (5000, Ramp::None, Some(5000.0)),
            (0, Ramp::None, None),
        ] {
            pace.set_bounds(bounds(false, 7, max_rate, ramp));
            assert_eq!(pace.now(), PaceNow { limit: 7, rate, limited: 0 });
        }
    }

    #[tokio::test(start_paused = true)]
    async fn one_refusal_makes_all_wait() {
        let pace = Pace::new(bounds(true, 1024, 0, Ramp::None));
        assert!(pace.turn().now_or_never().is_some());
        let fault = Fault::new(FaultKind::Status(429), "");
        let fault = fault.with_retry_after(Some(Duration::from_secs(3)));
        tokio::time::advance(Duration::from_millis(50)).await;
        pace.ended(Some(&fault), Duration::from_millis(50));
        let began = Instant::now();
        assert!(pace.turn().now_or_never().is_none());
        pace.turn().await;
        assert!(began.elapsed() >= Duration::from_secs(3));
        assert_eq!(pace.now().limited, 1);
        assert!(pace.now().rate.is_some(), "the rate is bounded from now on");
    }

    #[test]
    fn only_answers_tell_of_the_service() {
        for (kind, expected) in [
            (FaultKind::Precondition, Some(Answer::Accepted)),
            (FaultKind::RateLimited, Some(Answer::Limited)),
            (FaultKind::Status(429), Some(Answer::Limited)),
            (FaultKind::Status(503), Some(Answer::Overloaded)),
            (FaultKind::Timeout, Some(Answer::Overloaded)),
            (FaultKind::Status(404), None),
            (FaultKind::Connect, None),
            (FaultKind::Mismatch, None),
        ] {
            assert_eq!(answer(Some(kind)), expected, "{kind}");
        }
        assert_eq!(answer(None), Some(Answer::Accepted));
    }
}
