//! Trying again: *what* is worth it is in [`policy`], *when* in [`backoff`], the loop here.
//!
//! The way to wait and the source of randomness are parameters, so that tests take no real time.

pub(crate) mod backoff;
mod health;
pub(crate) mod policy;

use std::future::Future;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use futures::future::BoxFuture;
use tokio::time::Instant;
use tokio_util::sync::CancellationToken;

use self::backoff::Backoff;
pub(crate) use self::health::Health;
use self::policy::{Decision, decide};
use crate::pace::{Gate, Pace};
use crate::sink::{Fault, FaultKind};

/// An attempt gets at least this time, however late it begins: one without any can only fail.
const SHORTEST_ATTEMPT: Duration = Duration::from_secs(1);

/// How long one piece of work may be tried.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Limits {
    /// Attempts, the first included. Those that the service refused because there were too many
    /// requests do not count: they say nothing of this piece of work.
    pub max_attempts: u32,
    /// Time from the first attempt's start. No wait goes past it, and an attempt by a second at most.
    pub max_elapsed: Duration,
    /// Time for one attempt.
    pub attempt_timeout: Duration,
    /// Waits between attempts.
    pub backoff: Backoff,
    /// Time without any success, of whichever work, after which nothing more is tried.
    pub max_outage: Duration,
}

/// How waits are made, and where their randomness comes from.
pub struct Timing {
    /// Waits.
    pub sleep: Box<dyn Fn(Duration) -> BoxFuture<'static, ()> + Send + Sync>,
    /// A number in `0.0..1.0`.
    pub random: Box<dyn Fn() -> f64 + Send + Sync>,
}

impl Default for Timing {
    /// The real clock and a seeded-by-the-system generator.
    fn default() -> Self {
        Self {
            sleep: Box::new(|wait| Box::pin(tokio::time::sleep(wait))),
            random: Box::new(fastrand::f64),
        }
    }
}

/// How a piece of work ended, and after how many attempts.
#[derive(Debug)]
pub struct Tried<T> {
    /// The first success or the last fault.
    pub result: Result<T, Fault>,
    /// Attempts made; none only if the work was stopped before.
    pub attempts: u32,
}

/// Runs work until it succeeds or is not worth another attempt.
pub struct Retry {
    limits: Limits,
    timing: Timing,
    health: Health,
    /// Numbers the pieces of work.
    works: AtomicU64,
    stop: CancellationToken,
}

impl Retry {
    /// A loop within `limits`, for all the work of a run. Once `stop` is cancelled nothing is tried
    /// again; attempts under way go on.
    pub fn new(limits: Limits, stop: CancellationToken) -> Self {
        Self {
            limits,
            timing: Timing::default(),
            health: Health::new(limits.max_outage),
            works: AtomicU64::new(1),
            stop,
        }
    }

    /// The same with waits of another kind.
    #[must_use]
    pub fn timed_by(mut self, timing: Timing) -> Self {
        self.timing = timing;
        self
    }

    /// What ends all trying.
    pub fn stop(&self) -> &CancellationToken {
        &self.stop
    }

    /// Whether the destination has answered nothing well for too long.
    pub fn is_dead(&self) -> bool {
        self.health.is_dead(Instant::now())
    }

    /// Calls `attempt` until it succeeds, or its fault is not worth another attempt, or the limits
    /// are reached. An attempt is told the time within which it is to end, and keeps to that itself.
    /// `on_retry` hears of each fault that is followed by another attempt.
    pub async fn run<T, F>(
        &self,
        on_retry: impl FnMut(&Fault),
        attempt: impl FnMut(Duration) -> F,
    ) -> Tried<T>
    where
        F: Future<Output = Result<T, Fault>>,
    {
        self.run_through(Gate::default(), on_retry, attempt).await
    }

    /// As [`Retry::run`], with each attempt begun when `gate` permits. Waiting for that counts
    /// against no time-out. A stop before the first attempt leaves it at no attempt.
    pub async fn run_through<T, F>(
        &self,
        gate: Gate<'_>,
        mut on_retry: impl FnMut(&Fault),
        mut attempt: impl FnMut(Duration) -> F,
    ) -> Tried<T>
    where
        F: Future<Output = Result<T, Fault>>,
    {
        let mut deadline = Instant::now() + self.limits.max_elapsed;
        // `failures` lengthen the wait, `counted` ones use up the attempts.
        let (mut attempts, mut failures, mut counted) = (0, 0, 0);
        let work = self.works.fetch_add(1, Ordering::Relaxed);
        // Kinds of faults that are worth one more attempt each.
        let mut once: Vec<FaultKind> = Vec::new();
        let mut last = Fault::new(FaultKind::Stopped, "stopped before the first attempt");
        let mut last_ended = Instant::now();
        loop {
            if let Some(pace) = gate.turns() {
                tokio::select! {
                    biased;
                    waited = pace.turn() => deadline += waited,
                    () = self.stop.cancelled() => return Tried { result: Err(last), attempts },
                }
            }
            attempts += 1;
            let attempt_began = Instant::now();
            let mut began = attempt_began;
            let left = deadline.saturating_duration_since(began);
            let alive = self.health.left(began).unwrap_or(Duration::MAX);
            let within = left.min(alive).max(SHORTEST_ATTEMPT);
            let ended = attempt(within).await;
            if let Some(pace) = gate.turns() {
                pace.ended(ended.as_ref().err(), began.elapsed());
            }
            let fault = match ended {
                Ok(value) => {
                    self.health.succeeded(Instant::now());
                    return Tried { result: Ok(value), attempts };
                }
                Err(fault) => fault,
            };
            let decision = decide(fault.kind);
            let again = match decision {
                Decision::Retry => true,
                Decision::RetryOnce => !once.contains(&fault.kind),
                Decision::Stop => false,
            };
            // A connection that was closed while nobody used it shows only now. That says nothing about
            // the service, so the first time it is no failure, and there is nothing to wait for.
            let idle = fault.kind == FaultKind::Idle && attempts == 1;
            match decision {
                // A clear no is an answer: the destination works.
                Decision::Stop => self.health.succeeded(Instant::now()),
                Decision::RetryOnce => once.push(fault.kind),
                Decision::Retry => {}
            }
            if decision != Decision::Stop && !idle {
                let now = Instant::now();
                // An attempt that took much longer than it may was not running all the time: the process
                // was stopped, or the machine suspended.
                let paused = now - began > 2 * self.limits.attempt_timeout;
                if paused {
                    began = now - self.limits.attempt_timeout;
                    deadline += began - attempt_began;
                    self.health.paused_until(began);
                }
                self.health.failed(work, began, now, fault.retry_after());
                if fault.has_progressed() {
                    // What is left is less work than before: it has all the time and attempts again.
                    deadline = Instant::now() + self.limits.max_elapsed;
                    (failures, counted) = (0, 0);
                }
                // A pause that the service asks for is no time of this work, as long as other work succeeds.
                if let Some(pause) = fault.retry_after()
                    && self.health.has_succeeded_since(last_ended)
                {
                    deadline += pause;
                }
                last_ended = Instant::now();
                failures += 1;
                counted += u32::from(!fault.kind.is_rate_limit());
            }
            let wait = if idle {
                Duration::ZERO
            } else {
                self.limits.backoff.wait(failures, fault.retry_after(), (self.timing.random)())
            };
            let in_time = Instant::now() + wait < deadline;
            if !again || !in_time || counted >= self.limits.max_attempts {
                return Tried { result: Err(fault), attempts };
            }
            on_retry(&fault);
            last = fault;
            match self.wait(wait, gate.pace()).await {
                Some(waited) => deadline += waited,
                None => return Tried { result: Err(last), attempts },
            }
        }
    }

    /// Waits; nothing, if another attempt makes no sense then, else how long it took beyond that to
    /// get a permit again.
    async fn wait(&self, wait: Duration, pace: Option<&Pace>) -> Option<Duration> {
        // Not past the moment at which the destination counts as dead: it is told at once then.
        let wait = self.health.left(Instant::now()).map_or(wait, |left| wait.min(left));
        let lent = pace.filter(|pace| !wait.is_zero() && pace.release());
        tokio::select! {
            () = (self.timing.sleep)(wait) => {}
            () = self.stop.cancelled() => return None,
        }
        let woke = Instant::now();
        if let Some(pace) = lent {
            tokio::select! {
                () = pace.reacquire() => {}
                () = self.stop.cancelled() => return None,
            }
        }
        let sensible = !self.stop.is_cancelled() && !self.health.is_dead(Instant::now());
        sensible.then(|| woke.elapsed())
    }
}

#[cfg(test)]
mod tests;
