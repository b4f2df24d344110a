//! A rehearsal of bad days: which fault befalls which object insert.
//!
//! Everything here is pure: the random generator and the time are passed in.

use std::time::{Duration, Instant};

use crate::script::Answer;

/// How often, and how, object inserts go wrong.
///
/// Rates are shares from 0 to 1 and exclude each other: an insert meets at most one of them, so
/// together they may not exceed 1. Which insert meets which fault depends only on `seed`, the
/// object name and the attempt's number, so a rehearsal repeats exactly whatever the concurrency.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct Faults {
    /// Time every insert waits before it is handled.
    pub latency: Duration,
    /// Each wait is drawn evenly from `latency - jitter` to `latency + jitter`.
    pub jitter: Duration,
    /// Share answered with 503 `backendError`; nothing is written.
    pub error_rate: f64,
    /// Share whose connection is closed before the write.
    pub reset_rate: f64,
    /// Share written, then closed without an answer.
    pub lost_ack_rate: f64,
    /// Share accepted and never answered; nothing is written and the connection stays open until
    /// the client leaves.
    pub stall_rate: f64,
    /// Object writes a second; more get 429 `rateLimitExceeded`. 0 means no limit. A burst of a
    /// tenth of a second's writes is let through.
    pub max_rate: u32,
    /// The `Retry-After` of the 503 and 429 above, sent in whole seconds, rounded up.
    pub retry_after: Option<Duration>,
    /// Seed of the decisions.
    pub seed: u64,
}

/// What kind of fault was injected, for the counters.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum FaultKind {
    Error,
    Reset,
    LostAck,
    Stall,
    RateLimited,
    Scripted,
}

impl Faults {
    /// Whether chance decides about inserts, attempt by attempt.
    pub(crate) fn random(&self) -> bool {
        !self.jitter.is_zero() || self.rates().iter().any(|(_, rate)| *rate > 0.0)
    }

    fn rates(&self) -> [(&'static str, f64); 4] {
        [
            ("error_rate", self.error_rate),
            ("reset_rate", self.reset_rate),
            ("lost_ack_rate", self.lost_ack_rate),
            ("stall_rate", self.stall_rate),
        ]
    }

    /// Says which setting cannot work, and why.
    pub(crate) fn validate(&self) -> Result<(), String> {
        for (name, rate) in self.rates() {
            if !(0.0..=1.0).contains(&rate) {
                return Err(format!("{name} is {rate}: give a share from 0 to 1"));
            }
        }
        let sum: f64 = self.rates().iter().map(|(_, rate)| rate).sum();
        // A little slack: 0.1 + 0.2 + 0.7 is not exactly 1 in binary.
        if sum > 1.0 + 1e-9 {
            return Err(format!("the fault rates add up to {sum}: lower them to at most 1"));
        }
        Ok(())
    }

    /// The generator of one attempt: the same for the same seed, name and attempt.
    pub(crate) fn rng(&self, object: &str, attempt: u32) -> fastrand::Rng {
        let name = u64::from(crc32c::crc32c(object.as_bytes()));
        fastrand::Rng::with_seed(self.seed ^ (name << 32) ^ u64::from(attempt))
    }

    /// How long this attempt waits, and the fault it meets.
    pub(crate) fn decide(
        &self,
        rng: &mut fastrand::Rng,
    ) -> (Duration, Option<(FaultKind, Answer)>) {
        let spread = self.jitter.mul_f64(2.0 * rng.f64());
        let delay = (self.latency + spread).saturating_sub(self.jitter);

        let draw = rng.f64();
        let kinds = [FaultKind::Error, FaultKind::Reset, FaultKind::LostAck, FaultKind::Stall];
        let mut upper = 0.0;
        for (kind, (_, rate)) in kinds.into_iter().zip(self.rates()) {
            upper += rate;
            if draw < upper {
                return (delay, Some((kind, self.answer(kind))));
            }
        }
        (delay, None)
    }

    fn answer(&self, kind: FaultKind) -> Answer {
        match kind {
            FaultKind::Reset => Answer::ResetBefore,
            FaultKind::LostAck => Answer::ResetAfterWrite,
            FaultKind::Stall => Answer::Stall,
            FaultKind::RateLimited => self.too_many(),
            FaultKind::Error | FaultKind::Scripted => Answer::Status {
                code: 503,
                reason: Some("backendError".to_owned()),
                retry_after: self.retry_after,
                body: None,
            },
        }
    }

    /// The answer to a write above `max_rate`.
    pub(crate) fn too_many(&self) -> Answer {
        Answer::Status {
            code: 429,
            reason: Some("rateLimitExceeded".to_owned()),
            retry_after: self.retry_after,
            body: None,
        }
    }
}

/// Lets through `rate` writes a second, with a burst of a tenth of a second.
#[derive(Debug)]
pub(crate) struct RateLimiter {
    tokens: f64,
    refilled: Option<Instant>,
}

impl RateLimiter {
    pub(crate) fn new() -> Self {
        Self { tokens: 0.0, refilled: None }
    }

    /// Whether one more write may pass at `now`. A `rate` of 0 is no limit.
    pub(crate) fn allow(&mut self, rate: u32, now: Instant) -> bool {
        if rate == 0 {
            self.refilled = None;
            return true;
        }
        let rate = f64::from(rate);
        let burst = (rate / 10.0).max(1.0);
        self.tokens = match self.refilled {
            // The first write after a start finds a full bucket.
            None => burst,
            Some(then) => {
                let gained = now.saturating_duration_since(then).as_secs_f64() * rate;
                (self.tokens + gained).min(burst)
            }
        };
        self.refilled = Some(now);
        if self.tokens < 1.0 {
            return false;
        }
        self.tokens -= 1.0;
        true
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn counted(faults: &Faults, draws: u32) -> [u32; 5] {
        let mut counts = [0; 5];
        for index in 0..draws {
            let mut rng = faults.rng(&format!("image_{index}.jpg"), 1);
            let slot = match faults.decide(&mut rng).1 {
                Some((FaultKind::Error, _)) => 0,
                Some((FaultKind::Reset, _)) => 1,
                Some((FaultKind::LostAck, _)) => 2,
                Some((FaultKind::Stall, _)) => 3,
                _ => 4,
            };
            counts[slot] += 1;
        }
        counts
    }

    #[test]
    fn rates_come_out_as_asked() {
        let faults = Faults {
            error_rate: 0.1,
            reset_rate: 0.2,
            lost_ack_rate: 0.3,
            stall_rate: 0.05,
            seed: 7,
            ..Faults::default()
        };
        let counts = counted(&faults, 20_000);
        for (count, share) in counts.into_iter().zip([0.1, 0.2, 0.3, 0.05, 0.35]) {
            let expected = 20_000.0 * share;
            assert!((f64::from(count) - expected).abs() < 400.0, "{counts:?}");
        }
    }

    #[test]
    fn attempts_of_one_object_are_independent() {
        let faults = Faults { error_rate: 0.5, seed: 1, ..Faults::default() };
        let failed = (1..=2_000)
            .filter(|attempt| faults.decide(&mut faults.rng("a.jpg", *attempt)).1.is_some())
            .count();
        assert!((900..1_100).contains(&failed), "{failed}");
    }

    #[test]
    fn the_same_seed_decides_the_same() {
        let faults =
            Faults { error_rate: 0.5, jitter: Duration::from_millis(9), ..Faults::default() };
        for attempt in 0..50 {
            let once = faults.decide(&mut faults.rng("a", attempt));
            assert_eq!(once, faults.decide(&mut faults.rng("a", attempt)));
        }
    }

    #[test]
    fn delay_stays_within_the_jitter() {
        let faults = Faults {
            latency: Duration::from_millis(20),
            jitter: Duration::from_millis(5),
            ..Faults::default()
        };
        for attempt in 0..200 {
            let delay = faults.decide(&mut faults.rng("a", attempt)).0;
            assert!((15..=25).contains(&delay.as_millis()), "{delay:?}");
        }
    }

    #[test]
    fn impossible_rates_are_refused() {
        let bad = |faults: Faults| faults.validate().unwrap_err();
        assert!(bad(Faults { error_rate: 1.5, ..Faults::default() }).contains("error_rate"));
        assert!(bad(Faults { stall_rate: f64::NAN, ..Faults::default() }).contains("stall_rate"));
        let sum = Faults { error_rate: 0.6, reset_rate: 0.6, ..Faults::default() };
        assert!(bad(sum).contains("add up"));
        let whole =
            Faults { error_rate: 0.1, reset_rate: 0.2, lost_ack_rate: 0.7, ..Faults::default() };
        assert_eq!(whole.validate(), Ok(()));
    }

    #[test]
    fn rate_limiter_follows_its_rate_even_when_it_changes() {
        let start = Instant::now();
        let mut limiter = RateLimiter::new();
        let passed = |limiter: &mut RateLimiter, rate, from: u64| {
            (0..1_000)
                .filter(|ms| limiter.allow(rate, start + Duration::from_millis(from + ms)))
                .count()
        };
        // The first second also spends the burst of a tenth of a second.
        assert_eq!(passed(&mut limiter, 100, 0), 109);
        assert!((99..=101).contains(&passed(&mut limiter, 100, 1_000)));
        assert!((49..=56).contains(&passed(&mut limiter, 50, 2_000)));
        assert_eq!(passed(&mut limiter, 0, 3_000), 1_000);
    }
}
