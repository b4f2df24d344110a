//! Simulated services, on a clock of their own, and what the limiter makes of them.

mod chart;
mod fleet;

use std::cmp::Reverse;
use std::collections::BinaryHeap;

use proptest::prelude::*;

use super::*;

/// Seconds that a quick refusal or error takes.
const REFUSING: f64 = 0.005;

/// A rate limit lets through at once what it allows in so many seconds.
const BURST: f64 = 0.1;

/// A service as the limiter sees it.
#[derive(Clone, Copy)]
struct Service {
    /// Seconds that a request takes which is accepted, given the time and the requests in flight.
    latency: fn(f64, u32) -> f64,
    /// The latency varies by this part of it.
    jitter: f64,
    /// Requests a second that are accepted, given the time.
    rate: fn(f64) -> f64,
    /// Share that fails with 503, given the time.
    errors: fn(f64) -> f64,
    /// Whether a refusal takes as long as a success, or is quick.
    slow_refusals: bool,
    /// Seconds of pause that it asks for after a refusal.
    retry_after: Option<f64>,
    seed: u64,
}

/// 50 ms, whatever comes.
const PLAIN: Service = Service {
    latency: |_, _| 0.05,
    jitter: 0.1,
    rate: |_| f64::INFINITY,
    errors: |_| 0.0,
    slow_refusals: true,
    retry_after: None,
    seed: 0,
};

/// What became of a run; each second has its entry.
struct Run {
    seconds: f64,
    refused: u32,
    accepted: Vec<u32>,
    limits: Vec<u32>,
    rates: Vec<Option<f64>>,
}

/// A request in flight: its end and beginning in microseconds, and the answer.
type Flight = BinaryHeap<Reverse<(u64, u64, usize)>>;

const ANSWERS: [Answer; 3] = [Answer::Accepted, Answer::Limited, Answer::Overloaded];

#[allow(clippy::cast_possible_truncation, clippy::cast_sign_loss)]
fn micros(seconds: f64) -> u64 {
    (seconds * 1e6) as u64
}

impl Service {
    /// The same with other luck.
    fn seeds(self) -> impl Iterator<Item = Self> {
        (1..=10).map(move |seed| Self { seed, ..self })
    }

    /// Serves a limiter until so many requests were accepted. Requests begin as soon as they may; whoever was refused comes back some time, as one request among the others.
    fn serve(&self, mut limiter: Limiter, requests: u32) -> Run {
        let mut random = fastrand::Rng::with_seed(self.seed);
        let mut flight = Flight::new();
        let (mut now, mut turn) = (0.0_f64, 0.0_f64);
        let (mut tokens, mut filled) = ((self.rate)(0.0) * BURST, 0.0);
        let mut run =
            Run { seconds: 0.0, refused: 0, accepted: vec![], limits: vec![], rates: vec![] };
        let mut accepted = 0;
        while accepted < requests && now < 600.0 {
            while flight.len() < limiter.limit() as usize {
                let start = now.max(limiter.paused_until().as_secs_f64()).max(turn);
                if flight.peek().is_some_and(|Reverse((end, ..))| micros(start) > *end) {
                    break;
                }
                now = start;
                turn = limiter.rate().map_or(0.0, |rate| turn.max(now - REFUSING) + 1.0 / rate);
                let rate = (self.rate)(now);
                tokens = (tokens + (now - filled) * rate).min(rate * BURST);
                filled = now;
                let fails = random.f64() < (self.errors)(now);
                let jitter = 1.0 + self.jitter * (random.f64() - 0.5);
                let in_flight = u32::try_from(flight.len()).unwrap() + 1;
                let latency = (self.latency)(now, in_flight) * jitter;
                let refusing = if self.slow_refusals { latency } else { REFUSING.min(latency) };
                let (answer, takes) = match () {
                    () if fails => (2, refusing),
                    () if rate.is_infinite() => (0, latency),
                    () if tokens < 1.0 => (1, refusing),
                    () => {
                        tokens -= 1.0;
                        (0, latency)
                    }
                };
                let began = micros(now);
                flight.push(Reverse((micros(now + takes).max(began + 1), began, answer)));
            }
            let Reverse((end, began, answer)) = flight.pop().unwrap();
            now = now.max(Duration::from_micros(end).as_secs_f64());
            while run.accepted.len() as f64 <= now {
                run.accepted.push(0);
                run.limits.push(limiter.limit());
                run.rates.push(limiter.rate());
            }
            match ANSWERS[answer] {
                Answer::Accepted => {
                    accepted += 1;
                    *run.accepted.last_mut().unwrap() += 1;
                }
                _ => run.refused += 1,
            }
            let retry_after = self.retry_after.filter(|_| answer > 0).map(Duration::from_secs_f64);
            let (end, began) = (Duration::from_micros(end), Duration::from_micros(began));
            limiter.observe(end, ANSWERS[answer], end.saturating_sub(began), retry_after);
        }
        run.seconds = now;
        run
    }

    fn run(&self, most: u32, requests: u32) -> Run {
        self.serve(Limiter::new(most), requests)
    }
}

impl Run {
    fn per_second(&self, second: usize) -> f64 {
        f64::from(self.accepted[second])
    }

    fn tale(&self) -> String {
        format!(
            "{:.2} s, {} refused, accepted {:?}, limits {:?}, rates {:.0?}",
            self.seconds, self.refused, self.accepted, self.limits, self.rates
        )
    }
}

#[test]
fn a_steady_latency_is_met_with_all_there_is() {
    for service in PLAIN.seeds() {
        let run = service.run(1024, 70_000);
        let best = 70_000.0 / (1024.0 / 0.05);
        assert!(run.seconds < best / 0.85, "{best:.2} s at best: {}", run.tale());
    }
}

/// 20,000 a second and no more: beyond 20 in flight they queue.
#[test]
fn a_service_with_a_ceiling_is_not_flooded() {
    let latency = |_, n| (f64::from(n) / 20_000.0).max(0.001);
    for service in (Service { latency, jitter: 0.5, ..PLAIN }).seeds() {
        let run = service.run(1024, 100_000);
        assert!(run.seconds < 5.0 * 1.05, "{}", run.tale());
        assert!(run.limits.iter().all(|limit| *limit <= 128), "{}", run.tale());
    }
}

/// Best at some 150 in flight; far beyond, latency rises faster than requests are added.
#[test]
fn latency_that_rises_with_load_is_found_at_its_knee() {
    let latency = |_, n| 0.05 * (1.0 + (f64::from(n) / 200.0).powi(4));
    let best = (1..1024).map(|n| f64::from(n) / latency(0.0, n)).fold(0.0, f64::max);
    for service in (Service { latency, ..PLAIN }).seeds() {
        let run = service.run(1024, 70_000);
        assert!(run.seconds < 70_000.0 / best / 0.85, "{best:.0} a second: {}", run.tale());
    }
}

#[test]
fn a_rate_limit_is_met_and_hardly_ever_overstepped() {
    let latencies: [fn(f64, u32) -> f64; 3] = [|_, _| 0.05, |_, _| 0.001, |_, _| 0.0002];
    for (latency, slow_refusals) in latencies.into_iter().flat_map(|l| [(l, true), (l, false)]) {
        let service = Service { rate: |_| 2000.0, latency, slow_refusals, ..PLAIN };
        for service in service.seeds() {
            let run = service.run(1024, 70_000);
            assert!(run.seconds < 35.0 * 1.05, "{}", run.tale());
            assert!(run.refused < 700, "{}", run.tale());
        }
    }
}

/// Half a second is a long time to learn in, and the first burst is large.
#[test]
fn a_rate_limit_far_away_is_found_in_the_end() {
    for service in (Service { rate: |_| 2000.0, latency: |_, _| 0.5, ..PLAIN }).seeds() {
        let run = service.run(1024, 70_000);
        assert!((run.per_second(30) / 2000.0 - 1.0).abs() < 0.15, "{}", run.tale());
        assert!(run.refused < 700, "{}", run.tale());
    }
}

#[test]
fn a_rate_limit_that_changes_is_followed() {
    let latencies: [fn(f64, u32) -> f64; 2] = [|_, _| 0.05, |_, _| 0.001];
    for latency in latencies {
        for service in (Service { rate: changing, latency, ..PLAIN }).seeds() {
            let run = service.run(1024, 80_000);
            for (second, rate) in
                [(6, 2000.0), (14, 2000.0), (20, 500.0), (29, 500.0), (35, 3000.0), (40, 3000.0)]
            {
                let off = run.per_second(second) / rate - 1.0;
                assert!(off.abs() < 0.1, "second {second} is {off:.2} off: {}", run.tale());
            }
        }
    }
}

/// 2,000 a second, from the 15th second on 500, from the 30th 3,000.
fn changing(time: f64) -> f64 {
    match time {
        ..15.0 => 2000.0,
        ..30.0 => 500.0,
        _ => 3000.0,
    }
}

/// A number in flight that was given does not change; a refusal slows all down all the same.
#[test]
fn a_given_number_in_flight_keeps_to_a_rate_limit() {
    for service in (Service { rate: |_| 2000.0, ..PLAIN }).seeds() {
        let run = service.serve(Limiter::fixed(500), 70_000);
        assert!(run.seconds < 35.0 * 1.05, "{}", run.tale());
        assert!(run.refused < 500 + 700, "{}", run.tale());
        assert!(run.limits.iter().all(|limit| *limit == 500), "{}", run.tale());
    }
}

/// A pause of two seconds for each attempt to go faster: few are made.
#[test]
fn requested_pauses_are_kept_and_seldom_provoked() {
    for service in (Service { rate: |_| 500.0, retry_after: Some(2.0), ..PLAIN }).seeds() {
        let run = service.run(1024, 10_000);
        assert!(run.seconds < 20.0 * 1.5, "{}", run.tale());
        assert!(run.refused < 100, "{}", run.tale());
    }
}

/// Two minutes for each attempt to go faster: two are made, not one for each halving of the rate.
#[test]
fn pauses_of_minutes_are_provoked_twice() {
    let quick = Service { latency: |_, _| 0.003, rate: |_| 100.0, ..PLAIN };
    for service in (Service { retry_after: Some(120.0), ..quick }).seeds() {
        let run = service.run(1024, 2000);
        assert!(run.seconds < (2.0 * 120.0 + 2000.0 / 100.0) * 1.2, "{}", run.tale());
    }
}

#[test]
fn bursts_of_errors_pass() {
    let errors = |time| if (5.0..6.0).contains(&time) { 0.5 } else { 0.0 };
    for service in (Service { errors, ..PLAIN }).seeds() {
        let run = service.run(256, 70_000);
        assert!(run.per_second(11) > 256.0 / 0.05 * 0.9, "{}", run.tale());
    }
}

#[test]
fn errors_that_come_anyway_are_no_reason_to_slow_down() {
    let shares: [fn(f64) -> f64; 3] = [|_| 0.01, |_| 0.05, |_| 0.15];
    for errors in shares {
        for service in (Service { errors, ..PLAIN }).seeds() {
            let run = service.run(256, 70_000);
            assert!(run.per_second(8) > 256.0 / 0.05 * 0.75, "{}", run.tale());
        }
    }
}

/// What fails four times in five is broken, and is asked for as little as can be, to the end.
#[test]
fn a_service_that_fails_most_requests_is_not_flooded() {
    for service in (Service { errors: |_| 0.8, ..PLAIN }).seeds() {
        let run = service.run(256, 70_000);
        assert!(run.refused < 2500, "in ten minutes: {}", run.tale());
    }
}

#[test]
fn a_slow_start_is_no_verdict() {
    let latency = |time, _| if time < 2.0 { 0.5 } else { 0.05 };
    for service in (Service { latency, ..PLAIN }).seeds() {
        let run = service.run(256, 50_000);
        assert!(run.per_second(8) > 256.0 / 0.05 * 0.9, "{}", run.tale());
    }
}

#[test]
fn a_bound_is_a_bound() {
    for most in [1, 7, 32, 33] {
        let run = PLAIN.run(most, 2000);
        assert!(run.limits.iter().all(|limit| *limit <= most), "{}", run.tale());
    }
}

proptest! {
    /// Whatever a service does: the limit stays within its bounds, the rate can be kept to, and no pause
    /// is longer than the service asks for.
    #[test]
    fn nothing_a_service_answers_breaks_the_bounds(
        most in 1_u32..2000,
        fixed: bool,
        answers in prop::collection::vec(
            (0_u64..2_000_000, 0_usize..3, 0_u64..60_000_000, prop::option::of(0_u64..120)),
            1..400,
        ),
    ) {
        let mut limiter = if fixed { Limiter::fixed(most) } else { Limiter::new(most) };
        let (mut now, mut longest) = (Duration::ZERO, PAUSE);
        for (later, answer, latency, pause) in answers {
            now += Duration::from_micros(later);
            let pause = pause.map(Duration::from_secs);
            longest = longest.max(pause.unwrap_or_default());
            limiter.observe(now, ANSWERS[answer], Duration::from_micros(latency), pause);
            let limit = limiter.limit();
            prop_assert!((1..=most).contains(&limit), "{limit} of {most}");
            prop_assert!(!fixed || limit == most);
            let rate = limiter.rate();
            prop_assert!(rate.is_none_or(|rate| rate.is_finite() && rate >= 1.0), "{rate:?}");
            prop_assert!(limiter.paused_until() <= now + longest);
        }
    }
}
