//! When requests may begin: a rate and a pause that all share.

use std::num::NonZeroU32;
use std::sync::atomic::{AtomicBool, Ordering::Relaxed};
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use governor::clock::Clock;
use governor::middleware::NoOpMiddleware;
use governor::nanos::Nanos;
use governor::state::{InMemoryState, NotKeyed};
use governor::{Quota, RateLimiter};
use tokio::sync::Notify;
use tokio::time::Instant;

/// What may begin at once is what the rate allows in this time: timers are no more exact than that.
const BURST_S: f64 = 0.005;

/// Tokio's clock, which tests can stop.
#[derive(Debug, Clone)]
struct SinceStart(Instant);

impl Clock for SinceStart {
    type Instant = Nanos;

    fn now(&self) -> Nanos {
        self.0.elapsed().into()
    }
}

type Bucket = RateLimiter<NotKeyed, InMemoryState, SinceStart, NoOpMiddleware<Nanos>>;

/// Hands out turns in the order in which they are asked for.
#[derive(Debug)]
pub(super) struct Turns {
    /// Neither a rate nor a pause is in force.
    open: AtomicBool,
    rules: Mutex<Rules>,
    changed: Notify,
    /// Only who is first waits for time to pass; the others wait for the first.
    first: tokio::sync::Mutex<()>,
}

#[derive(Debug, Default)]
struct Rules {
    bucket: Option<(Bucket, SinceStart)>,
    paused_until: Option<Instant>,
}

impl Rules {
    /// How long the next turn has still to wait; nothing, if it is taken.
    fn take(&mut self, now: Instant) -> Option<Duration> {
        if let Some(left) = self.paused_until.and_then(|until| until.checked_duration_since(now))
            && !left.is_zero()
        {
            return Some(left);
        }
        self.paused_until = None;
        let (bucket, clock) = self.bucket.as_ref()?;
        let not_until = bucket.check().err()?;
        Some(not_until.wait_time_from(clock.now()))
    }
}

impl Turns {
    /// Without a rate or a pause.
    pub(super) fn new() -> Self {
        Self {
            open: AtomicBool::new(true),
            rules: Mutex::default(),
            changed: Notify::new(),
            first: tokio::sync::Mutex::default(),
        }
    }

    fn rules(&self) -> std::sync::MutexGuard<'_, Rules> {
        self.rules.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Waits for a turn, and says how long that took.
    pub(super) async fn take(&self) -> Duration {
        if self.open.load(Relaxed) {
            return Duration::ZERO;
        }
        let began = Instant::now();
        let _first = self.first.lock().await;
        loop {
            let wait = {
                let mut rules = self.rules();
                let wait = rules.take(Instant::now());
                self.open.store(rules.bucket.is_none() && rules.paused_until.is_none(), Relaxed);
                wait
            };
            let Some(wait) = wait else { return began.elapsed() };
            tokio::select! {
                () = tokio::time::sleep(wait) => {}
                () = self.changed.notified() => {}
            }
        }
    }

    /// At most so many turns a second from now on, evenly spaced: a pause is not made up for by a
    /// burst.
    pub(super) fn set_rate(&self, per_second: Option<f64>) {
        let bucket = per_second.and_then(|rate| {
            #[allow(clippy::cast_possible_truncation, clippy::cast_sign_loss)]
            let burst = NonZeroU32::new((rate * BURST_S) as u32).unwrap_or(NonZeroU32::MIN);
            let quota = Quota::with_period(Duration::from_secs_f64(1.0 / rate))?.allow_burst(burst);
            let clock = SinceStart(Instant::now());
            Some((RateLimiter::direct_with_clock(quota, clock.clone()), clock))
        });
        let mut rules = self.rules();
        rules.bucket = bucket;
        self.open.store(rules.bucket.is_none() && rules.paused_until.is_none(), Relaxed);
        self.changed.notify_one();
    }

    /// No turn before that time.
    pub(super) fn pause_until(&self, until: Instant) {
        let mut rules = self.rules();
        if rules.paused_until.is_none_or(|before| before < until) {
            rules.paused_until = Some(until);
            self.open.store(false, Relaxed);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use futures::FutureExt;

    async fn take(turns: &Turns, count: u32) -> u128 {
        let began = Instant::now();
        for _ in 0..count {
            turns.take().await;
        }
        began.elapsed().as_millis()
    }

    #[tokio::test(start_paused = true)]
    async fn turns_are_spaced_evenly() {
        let turns = Turns::new();
        assert_eq!(take(&turns, 1000).await, 0);
        for rate in [10.0, 100.0, 3000.0] {
            turns.set_rate(Some(rate));
            let took = take(&turns, 3001).await;
            let expected = 3000.0 / rate * 1000.0;
            assert!((took as f64 / expected - 1.0).abs() < 0.01, "{rate}: {took} ms");
        }
        turns.set_rate(None);
        assert_eq!(take(&turns, 1000).await, 0);
    }

    #[tokio::test(start_paused = true)]
    async fn time_without_turns_is_not_made_up_for() {
        let turns = Turns::new();
        turns.set_rate(Some(10.0));
        turns.take().await;
        tokio::time::advance(Duration::from_mins(1)).await;
        assert_eq!(take(&turns, 11).await, 1000);
    }

    #[tokio::test(start_paused = true)]
    async fn a_pause_holds_all_and_ends() {
        let turns = Turns::new();
        turns.pause_until(Instant::now() + Duration::from_secs(2));
        turns.pause_until(Instant::now() + Duration::from_secs(1));
        assert_eq!(take(&turns, 100).await, 2000, "the longer one");
        assert_eq!(take(&turns, 100).await, 0);
    }

    #[tokio::test(start_paused = true)]
    async fn whoever_waits_hears_of_a_new_rate() {
        let turns = Turns::new();
        turns.set_rate(Some(0.001));
        turns.take().await;
        let mut waiting = Box::pin(turns.take());
        assert!(waiting.as_mut().now_or_never().is_none());
        turns.set_rate(Some(1000.0));
        let began = Instant::now();
        waiting.await;
        assert!(began.elapsed() < Duration::from_secs(1));
    }
}
