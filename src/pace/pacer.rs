//! When requests may begin: a rate and a pause that all share.

use std::sync::atomic::{AtomicBool, Ordering::Relaxed};
use std::time::Duration;

use parking_lot::Mutex;
use tokio::sync::Notify;
use tokio::time::Instant;

/// What may begin at once is what the rate allows in this time: timers are no more exact than that.
const BURST: Duration = Duration::from_millis(5);

/// No rate is lower than this, in turns a second.
const LOWEST_RATE: f64 = 0.001;

/// Hands out turns to begin a request, in the order in which they are asked for.
#[derive(Debug)]
pub(super) struct Pacer {
    /// Neither a rate nor a pause is in force.
    open: AtomicBool,
    rules: Mutex<Rules>,
    changed: Notify,
    /// Only who is first waits for time to pass; the others wait for the first.
    first: tokio::sync::Mutex<()>,
}

/// The generic cell rate algorithm, and a pause. The time of the last turn outlives a change of the
/// rate, so that a change lets nothing through.
#[derive(Debug)]
struct Rules {
    /// Time between two turns.
    interval: Option<Duration>,
    /// When the last turn was due.
    last: Instant,
    paused_until: Option<Instant>,
}

impl Rules {
    fn new(now: Instant) -> Self {
        Self { interval: None, last: now, paused_until: None }
    }

    fn set_rate(&mut self, per_second: Option<f64>) {
        self.interval =
            per_second.map(|rate| Duration::from_secs_f64(rate.max(LOWEST_RATE).recip()));
    }

    /// How long the next turn has still to wait; nothing, if it is taken.
    fn take(&mut self, now: Instant) -> Option<Duration> {
        let left =
            |until: Instant| Some(until.saturating_duration_since(now)).filter(|d| !d.is_zero());
        if let Some(left) = self.paused_until.and_then(left) {
            return Some(left);
        }
        self.paused_until = None;
        let interval = self.interval?;
        // Time without turns is made up for by no more than a burst.
        let earliest = now.checked_sub(BURST.saturating_sub(interval)).unwrap_or(now);
        let due = (self.last + interval).max(earliest);
        if let Some(left) = left(due) {
            return Some(left);
        }
        self.last = due;
        None
    }

    fn is_open(&self) -> bool {
        self.interval.is_none() && self.paused_until.is_none()
    }
}

impl Pacer {
    /// Without a rate or a pause.
    pub(super) fn new() -> Self {
        Self {
            open: AtomicBool::new(true),
            rules: Mutex::new(Rules::new(Instant::now())),
            changed: Notify::new(),
            first: tokio::sync::Mutex::default(),
        }
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
                let mut rules = self.rules.lock();
                let wait = rules.take(Instant::now());
                self.open.store(rules.is_open(), Relaxed);
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
        let mut rules = self.rules.lock();
        rules.set_rate(per_second);
        self.open.store(rules.is_open(), Relaxed);
        self.changed.notify_one();
    }

    /// No turn before that time.
    pub(super) fn pause_until(&self, until: Instant) {
        let mut rules = self.rules.lock();
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
    use proptest::prelude::*;

    async fn take(pacer: &Pacer, count: u32) -> u128 {
        let began = Instant::now();
        for _ in 0..count {
            pacer.take().await;
        }
        began.elapsed().as_millis()
    }

    #[tokio::test(start_paused = true)]
    async fn turns_are_spaced_evenly() {
        let pacer = Pacer::new();
        assert_eq!(take(&pacer, 1000).await, 0);
        for rate in [10.0, 100.0, 3000.0] {
            pacer.set_rate(Some(rate));
            let took = take(&pacer, 3001).await;
            let expected = 3000.0 / rate * 1000.0;
            assert!((took as f64 / expected - 1.0).abs() < 0.01, "{rate}: {took} ms");
        }
        pacer.set_rate(None);
        assert_eq!(take(&pacer, 1000).await, 0);
    }

    #[tokio::test(start_paused = true)]
    async fn time_without_turns_is_not_made_up_for() {
        let pacer = Pacer::new();
        pacer.set_rate(Some(10.0));
        pacer.take().await;
        tokio::time::advance(Duration::from_mins(1)).await;
        assert_eq!(take(&pacer, 11).await, 1000);
    }

    #[tokio::test(start_paused = true)]
    async fn a_pause_holds_all_and_ends() {
        let pacer = Pacer::new();
        pacer.pause_until(Instant::now() + Duration::from_secs(2));
        pacer.pause_until(Instant::now() + Duration::from_secs(1));
        assert_eq!(take(&pacer, 100).await, 2000, "the longer one");
        assert_eq!(take(&pacer, 100).await, 0);
    }

    #[tokio::test(start_paused = true)]
    async fn whoever_waits_hears_of_a_new_rate() {
        let pacer = Pacer::new();
        pacer.set_rate(Some(0.001));
        pacer.take().await;
        let mut waiting = Box::pin(pacer.take());
        assert!(waiting.as_mut().now_or_never().is_none());
        pacer.set_rate(Some(1000.0));
        let began = Instant::now();
        waiting.await;
        assert!(began.elapsed() < Duration::from_secs(1));
    }

    proptest! {
        /// However often the rate changes meanwhile, no more turns are taken than the highest rate and
        /// one burst allow, and who waits as long as he is told gets one.
        #[test]
        fn no_change_of_the_rate_lets_more_through(
            steps in prop::collection::vec((1.0..5000.0_f64, 0_u64..20_000), 1..200),
        ) {
            let began = Instant::now();
            let (mut rules, mut now, mut taken) = (Rules::new(began), began, 0_u32);
            let mut highest = 0.0_f64;
            for (rate, micros) in steps {
                rules.set_rate(Some(rate));
                highest = highest.max(rate);
                now += Duration::from_micros(micros);
                while rules.take(now).is_none() {
                    taken += 1;
                }
                let allowed = highest * (now.duration_since(began) + BURST).as_secs_f64();
                prop_assert!(f64::from(taken) <= allowed + 1.0, "{taken} of {allowed}");
            }
            let wait = rules.take(now).unwrap();
            prop_assert_eq!(rules.take(now + wait), None);
        }
    }
}
