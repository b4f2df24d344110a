//! Trying again: *what* is worth it is in [`policy`], *when* in [`backoff`], the loop here.
//!
//! The way to wait and the source of chance are parameters, so that tests take no real time.

pub mod backoff;
mod health;
pub mod policy;

use std::future::Future;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use futures::future::BoxFuture;
use tokio::time::Instant;
use tokio_util::sync::CancellationToken;

use self::backoff::Backoff;
pub use self::health::Health;
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

/// Where waiting and chance come from.
pub struct Chance {
    /// Waits.
    pub sleep: Box<dyn Fn(Duration) -> BoxFuture<'static, ()> + Send + Sync>,
    /// A number in `0.0..1.0`.
    pub random: Box<dyn Fn() -> f64 + Send + Sync>,
}

impl Default for Chance {
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
    chance: Chance,
    health: Health,
    /// Numbers the pieces of work.
    works: AtomicU64,
    stop: CancellationToken,
}

impl Retry {
    /// A loop within `limits`, for all the work of a run. Once `stop` is cancelled nothing is tried
    /// again; attempts under way go on.
    pub fn new(limits: Limits, chance: Chance, stop: CancellationToken) -> Self {
        Self {
            limits,
            chance,
            health: Health::new(limits.max_outage),
            works: AtomicU64::new(1),
            stop,
        }
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
        loop {
            if let Some(pace) = gate.turns() {
                tokio::select! {
                    biased;
                    waited = pace.turn() => deadline += waited,
                    () = self.stop.cancelled() => return Tried { result: Err(last), attempts },
                }
            }
            attempts += 1;
            let began = Instant::now();
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
                self.health.failed(work, began, Instant::now(), fault.retry_after());
                if fault.has_progressed() {
                    // What is left is less work than before: it has all the time and attempts again.
                    deadline = Instant::now() + self.limits.max_elapsed;
                    (failures, counted) = (0, 0);
                }
                failures += 1;
                counted += u32::from(!fault.kind.is_rate_limit());
            }
            let wait = if idle {
                Duration::ZERO
            } else {
                self.limits.backoff.wait(failures, fault.retry_after(), (self.chance.random)())
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
            () = (self.chance.sleep)(wait) => {}
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
mod tests {
    use super::*;
    use crate::sink::timed;
    use std::cell::RefCell;
    use std::sync::{Arc, Mutex};

    fn limits() -> Limits {
        Limits {
            max_attempts: 5,
            max_elapsed: Duration::from_mins(1),
            attempt_timeout: Duration::from_secs(10),
            backoff: Backoff { initial: Duration::from_secs(1), max: Duration::from_secs(8) },
            max_outage: Duration::from_hours(1),
        }
    }

    /// Always the longest wait there can be, and a record of the waits.
    fn recorded(limits: Limits) -> (Retry, Arc<Mutex<Vec<u64>>>) {
        let waits = Arc::new(Mutex::new(Vec::new()));
        let seen = Arc::clone(&waits);
        let chance = Chance {
            sleep: Box::new(move |wait| {
                seen.lock().unwrap().push(wait.as_secs());
                Box::pin(tokio::time::sleep(wait))
            }),
            random: Box::new(|| 1.0),
        };
        (Retry::new(limits, chance, CancellationToken::new()), waits)
    }

    async fn run(retry: &Retry, faults: Vec<Fault>) -> (Tried<()>, usize) {
        let faults = RefCell::new(faults.into_iter());
        let mut retries = 0;
        let tried = retry
            .run(
                |_| retries += 1,
                |_| std::future::ready(faults.borrow_mut().next().map_or(Ok(()), Err)),
            )
            .await;
        (tried, retries)
    }

    /// An attempt without an answer.
    async fn stalled(within: Duration) -> Result<(), Fault> {
        timed(within.min(Duration::from_secs(10)), std::future::pending()).await
    }

    fn fault(kind: FaultKind) -> Fault {
        Fault::new(kind, "")
    }

    #[tokio::test(start_paused = true)]
    async fn waits_longer_each_time_up_to_the_cap() {
        let (retry, waits) = recorded(Limits { max_attempts: 10, ..limits() });
        let (tried, retries) = run(&retry, vec![fault(FaultKind::Status(503)); 6]).await;
        assert!(tried.result.is_ok());
        assert_eq!((tried.attempts, retries), (7, 6));
        assert_eq!(*waits.lock().unwrap(), [1, 2, 4, 8, 8, 8]);
    }

    #[tokio::test(start_paused = true)]
    async fn gives_up_after_the_last_attempt() {
        let (retry, waits) = recorded(limits());
        let (tried, retries) = run(&retry, vec![fault(FaultKind::CutOff); 9]).await;
        assert_eq!(tried.result.unwrap_err().kind, FaultKind::CutOff);
        assert_eq!((tried.attempts, retries), (5, 4));
        assert_eq!(*waits.lock().unwrap(), [1, 2, 4, 8]);
    }

    /// Once: a service that closes every connection is failing.
    #[tokio::test(start_paused = true)]
    async fn a_connection_closed_while_idle_is_no_failure() {
        let (retry, waits) = recorded(Limits { max_attempts: 1, ..limits() });
        let (tried, _) = run(&retry, vec![fault(FaultKind::Idle)]).await;
        assert!(tried.result.is_ok());
        assert_eq!(*waits.lock().unwrap(), [0]);
        let (tried, _) = run(&retry, vec![fault(FaultKind::Idle); 9]).await;
        assert_eq!((tried.attempts, tried.result.is_err()), (2, true));
        let (tried, _) = run(&retry, vec![fault(FaultKind::Closed)]).await;
        assert_eq!((tried.attempts, tried.result.is_err()), (1, true), "a new connection");
    }

    #[tokio::test(start_paused = true)]
    async fn a_dead_service_is_recognised_by_all_work_together() {
        let max_outage = Duration::from_secs(20);
        let (retry, _) = recorded(Limits { max_outage, max_attempts: 1000, ..limits() });
        let began = Instant::now();
        let faults = || vec![fault(FaultKind::Status(503)); 1000];
        let ((first, _), (second, _)) = tokio::join!(run(&retry, faults()), run(&retry, faults()));
        assert!(first.result.is_err() && second.result.is_err());
        assert_eq!(began.elapsed(), max_outage);
        assert!(retry.is_dead());
        // Whoever comes later finds out with the first fault.
        let (tried, _) = run(&retry, faults()).await;
        assert_eq!(tried.attempts, 1);
        let (tried, _) = run(&retry, vec![]).await;
        assert!(tried.result.is_ok());
        assert!(!retry.is_dead(), "it works again");
    }

    fn asking(kind: FaultKind, pause: Duration) -> Fault {
        fault(kind).with_retry_after(Some(pause))
    }

    #[tokio::test(start_paused = true)]
    async fn a_requested_pause_longer_than_the_outage_is_honoured() {
        let max_outage = Duration::from_secs(20);
        let (retry, waits) =
            recorded(Limits { max_outage, max_elapsed: Duration::from_mins(10), ..limits() });
        let asked = asking(FaultKind::Status(503), Duration::from_secs(50));
        let ((first, _), (second, _)) =
            tokio::join!(run(&retry, vec![asked.clone()]), run(&retry, vec![asked]));
        assert!(first.result.is_ok() && second.result.is_ok());
        assert_eq!(*waits.lock().unwrap(), [50, 50]);
    }

    /// Everybody waits for the pause and finds, after it, a service that works.
    #[tokio::test(start_paused = true)]
    async fn a_pause_of_any_length_is_survived_by_all() {
        for pause in [Duration::from_mins(3), Duration::from_hours(24), Duration::MAX] {
            let max_elapsed = Duration::from_mins(5);
            let retry = recorded(Limits { max_elapsed, ..limits() }).0;
            // Too few for anyone to lend its permit for the wait.
            let pace = Pace::fixed(3);
            let began = Instant::now();
            let image = || async {
                let attempts = AtomicU64::new(0);
                // A request takes its time, so that no time would not be enough.
                let request = async || {
                    tokio::time::sleep(Duration::from_millis(20)).await;
                    match attempts.fetch_add(1, Ordering::Relaxed) {
                        0 => Err(asking(FaultKind::Status(429), pause)),
                        _ => Ok(()),
                    }
                };
                let attempt = |within| timed(within, request());
                retry.run_through(Gate::Turn(&pace), |_| (), attempt).await
            };
            let ended = tokio::join!(image(), image(), image(), image());
            for tried in [ended.0, ended.1, ended.2, ended.3] {
                assert!(tried.result.is_ok(), "{pause:?}: {tried:?}");
            }
            let took = began.elapsed();
            assert!(took > Duration::from_mins(2) && took < Duration::from_mins(3), "{took:?}");
        }
    }

    #[tokio::test(start_paused = true)]
    async fn no_attempt_gets_no_time() {
        let max_outage = Duration::from_secs(20);
        let (retry, _) = recorded(Limits { max_outage, max_attempts: 1, ..limits() });
        let faults = || vec![fault(FaultKind::Status(503)); 1];
        let _ = tokio::join!(run(&retry, faults()), run(&retry, faults()));
        tokio::time::advance(2 * max_outage).await;
        assert!(retry.is_dead());
        let slow = |within| {
            timed(within, async {
                tokio::time::sleep(SHORTEST_ATTEMPT / 2).await;
                Ok(())
            })
        };
        assert!(retry.run(|_| (), slow).await.result.is_ok());
        assert!(!retry.is_dead());
    }

    /// They end with the time there is and not with the number of attempts.
    #[tokio::test(start_paused = true)]
    async fn rate_limits_use_up_no_attempts() {
        for kind in [FaultKind::Status(429), FaultKind::RateLimited] {
            let max_elapsed = Duration::from_mins(10);
            let (retry, _) = recorded(Limits { max_attempts: 2, max_elapsed, ..limits() });
            let (tried, _) = run(&retry, vec![fault(kind); 20]).await;
            assert!(tried.result.is_ok(), "{kind}");
            assert_eq!(tried.attempts, 21, "{kind}");
            let mut mixed = vec![fault(kind); 5];
            mixed.extend(vec![fault(FaultKind::Status(503)); 2]);
            assert_eq!(run(&retry, mixed).await.0.attempts, 7, "{kind}");
            let (tried, _) = run(&retry, vec![fault(kind); 1000]).await;
            assert_eq!(tried.result.unwrap_err().kind, kind);
        }
    }

    #[tokio::test(start_paused = true)]
    async fn stalled_attempts_end_with_the_outage() {
        let max_outage = Duration::from_secs(15);
        let (retry, _) = recorded(Limits { max_outage, ..limits() });
        let began = Instant::now();
        let stall = || retry.run(|_| (), stalled);
        let (first, second) = tokio::join!(stall(), stall());
        assert!(first.result.is_err() && second.result.is_err());
        assert_eq!(began.elapsed(), max_outage, "10 s of the first attempt, 5 of the second");
    }

    #[tokio::test(start_paused = true)]
    async fn a_stop_ends_the_wait_but_not_the_attempt() {
        let stop = CancellationToken::new();
        let retry = Retry::new(limits(), Chance::default(), stop.clone());
        let began = Instant::now();
        let attempt = |_| async {
            tokio::time::sleep(Duration::from_secs(3)).await;
            stop.cancel();
            Err::<(), _>(fault(FaultKind::Status(503)))
        };
        let tried = retry.run(|_| (), attempt).await;
        assert_eq!((tried.attempts, began.elapsed().as_secs()), (1, 3));
    }

    #[tokio::test(start_paused = true)]
    async fn never_waits_past_the_deadline() {
        let (retry, waits) = recorded(Limits { max_elapsed: Duration::from_secs(4), ..limits() });
        let began = Instant::now();
        let (tried, _) = run(&retry, vec![fault(FaultKind::Status(500)); 9]).await;
        assert_eq!(tried.attempts, 3);
        assert_eq!(*waits.lock().unwrap(), [1, 2], "4 more would be past the deadline");
        assert!(began.elapsed() < Duration::from_secs(4));
    }

    #[tokio::test(start_paused = true)]
    async fn an_attempt_without_answer_times_out() {
        let (retry, _) = recorded(limits());
        let tried = retry.run(|_| (), stalled).await;
        assert_eq!(tried.result.unwrap_err().kind, FaultKind::Timeout);
        assert_eq!(tried.attempts, 5);
    }

    #[tokio::test(start_paused = true)]
    async fn does_what_the_service_asks() {
        let (retry, waits) = recorded(limits());
        let asked = asking(FaultKind::Status(429), Duration::from_secs(5));
        let (tried, _) = run(&retry, vec![asked]).await;
        assert_eq!((tried.attempts, waits.lock().unwrap().as_slice()), (2, &[5][..]));
    }

    #[tokio::test(start_paused = true)]
    async fn some_faults_are_final_and_some_after_a_second_time() {
        let (retry, _) = recorded(limits());
        for (kind, attempts) in [
            (FaultKind::Status(400), 1),
            (FaultKind::Precondition, 1),
            (FaultKind::Status(401), 2),
            (FaultKind::Mismatch, 2),
        ] {
            let (tried, _) = run(&retry, vec![fault(kind); 9]).await;
            assert_eq!(tried.attempts, attempts, "{kind}");
        }
    }
}
