//! Many loads at once into one bucket, each with a limiter of its own, that know nothing of each other.

use std::num::NonZeroU32;

use super::*;
use crate::pace::{Bounds, Concurrency, Ramp};

/// Writes a second that the bucket takes from all of them together.
const RATE: u32 = 1000;

/// Images of all of them together.
const IMAGES: u32 = 100_000;

/// Seconds that one image may take, and after which a load without any success ends (`retry.max_elapsed`
/// and `retry.max_outage`).
const MAX_ELAPSED: f64 = 300.0;
const MAX_OUTAGE: f64 = 45.0;

/// An image: when its first attempt began, in microseconds, and how often it was refused.
type Image = (u64, u32);

/// What happens next, at a time in microseconds.
#[derive(PartialEq, Eq, PartialOrd, Ord)]
enum Event {
    /// An answer for a load, with the request's beginning.
    Answered { load: usize, began: u64, refused: bool, image: Image },
    /// A load may begin another request.
    Due { load: usize },
}

/// One load: a slice.
struct OneLoad {
    limiter: Limiter,
    max_rate: f64,
    in_flight: u32,
    /// When the next write may begin, in seconds.
    turn: f64,
    fresh: u32,
    /// Images that wait for another attempt, by the time it may begin.
    waiting: BinaryHeap<Reverse<(u64, Image)>>,
    /// The next event that is planned for it, so that it is planned once.
    due: u64,
    last_success: f64,
}

/// How all of them ended.
struct Fleet {
    seconds: f64,
    accepted: u32,
    refused: u32,
    /// Images whose time was used up.
    lost: u32,
    /// Refusals of loads that would have taken the bucket for dead.
    given_up: u32,
}

impl Fleet {
    fn refused_share(&self) -> f64 {
        f64::from(self.refused) / f64::from(self.refused + self.accepted)
    }
}

/// Runs so many loads, each with these bounds and its share of the images.
fn run(loads: u32, bounds: Bounds, seed: u64) -> Fleet {
    let mut random = fastrand::Rng::with_seed(seed);
    let share = |index: u32| IMAGES * (index + 1) / loads - IMAGES * index / loads;
    let mut all: Vec<_> = (0..loads)
        .map(|index| OneLoad {
            limiter: Limiter::new(bounds.concurrency.limit),
            max_rate: if bounds.max_rate == 0 { f64::INFINITY } else { bounds.max_rate.into() },
            in_flight: 0,
            turn: 0.0,
            fresh: share(index),
            waiting: BinaryHeap::new(),
            due: u64::MAX,
            last_success: 0.0,
        })
        .collect();
    // They start within a second.
    let mut events: BinaryHeap<_> = (0..all.len())
        .map(|load| Reverse((random.u64(0..1_000_000), Event::Due { load })))
        .collect();
    let (rate, burst) = (f64::from(RATE), f64::from(RATE) * BURST);
    let (mut tokens, mut filled) = (burst, 0.0);
    let mut fleet = Fleet { seconds: 0.0, accepted: 0, refused: 0, lost: 0, given_up: 0 };
    while let Some(Reverse((at, event))) = events.pop() {
        let now = at as f64 / 1e6;
        let load = match event {
            Event::Due { load } => {
                all[load].due = u64::MAX;
                load
            }
            Event::Answered { load, began, refused, image: (first, refusals) } => {
                let one = &mut all[load];
                one.in_flight -= 1;
                let answer = if refused { Answer::Limited } else { Answer::Accepted };
                let latency = Duration::from_micros(at - began);
                one.limiter.observe(Duration::from_micros(at), answer, latency, None);
                if refused {
                    fleet.refused += 1;
                    let most = 2_f64.powi(refusals.min(5).cast_signed()).min(32.0);
                    let again = now + random.f64() * most;
                    let elapsed = again - first as f64 / 1e6;
                    fleet.given_up += u32::from(now - one.last_success > MAX_OUTAGE);
                    if elapsed > MAX_ELAPSED {
                        fleet.lost += 1;
                    } else {
                        one.waiting.push(Reverse((micros(again), (first, refusals + 1))));
                    }
                } else {
                    fleet.accepted += 1;
                    fleet.seconds = now;
                    one.last_success = now;
                }
                load
            }
        };
        let one = &mut all[load];
        while one.in_flight < one.limiter.limit() {
            let ready = match one.waiting.peek() {
                Some(Reverse((again, _))) if one.fresh == 0 || *again <= at => *again,
                _ if one.fresh > 0 => 0,
                _ => break,
            };
            let start = now.max(one.limiter.paused_until().as_secs_f64()).max(one.turn);
            let start = micros(start).max(ready).max(at);
            if start > at {
                if start < one.due {
                    one.due = start;
                    events.push(Reverse((start, Event::Due { load })));
                }
                break;
            }
            let pace = one.limiter.rate().unwrap_or(f64::INFINITY).min(one.max_rate);
            one.turn = one.turn.max(now - REFUSING) + 1.0 / pace;
            let image = if ready == 0 {
                one.fresh -= 1;
                (at, 0)
            } else {
                one.waiting.pop().unwrap().0.1
            };
            tokens = (tokens + (now - filled) * rate).min(burst);
            filled = now;
            let refused = tokens < 1.0;
            if !refused {
                tokens -= 1.0;
            }
            let takes = 0.05 * (1.0 + 0.1 * (random.f64() - 0.5));
            one.in_flight += 1;
            let answered = Event::Answered { load, began: at, refused, image };
            events.push(Reverse((micros(now + takes).max(at + 1), answered)));
        }
    }
    fleet
}

/// The program's own bounds, with a rate where it is known.
fn bounds(max_rate: u32) -> Bounds {
    let concurrency = Concurrency { auto: true, limit: 1024 };
    Bounds { concurrency, max_rate, ramp: Ramp::None, parallel: NonZeroU32::MIN }
}

fn each(loads: u32, bounds: Bounds, seeds: u64) -> impl Iterator<Item = (f64, f64, u32)> {
    let best = f64::from(IMAGES) / f64::from(RATE);
    (1..=seeds).map(move |seed| {
        let fleet = run(loads, bounds, seed);
        assert_eq!((fleet.accepted, fleet.lost), (IMAGES, 0), "{loads} loads, seed {seed}");
        (fleet.seconds / best, fleet.refused_share(), fleet.given_up)
    })
}

#[test]
fn a_hundred_loads_share_a_bucket_without_talking() {
    for (time, refused, given_up) in each(100, bounds(0), 10) {
        assert!(time < 1.15 && refused < 0.12, "{time:.3} of the best, {refused:.3} refused");
        assert_eq!(given_up, 0);
    }
}

#[test]
fn loads_with_their_shares_of_a_known_rate_are_hardly_ever_refused() {
    for (loads, seeds) in [(100, 10), (1000, 2)] {
        let shared = bounds(RATE).shared_by(NonZeroU32::new(loads).unwrap());
        for (time, refused, given_up) in each(loads, shared, seeds) {
            assert!(time < 1.10 && refused <= 0.01, "{time:.3} of the best, {refused:.3} refused");
            assert_eq!(given_up, 0);
        }
    }
}

/// Where the rate is not known, each tries once a second at the least, which is all that the bucket takes:
/// many are refused, and some so often that they end and have to be started again. No image is lost.
#[test]
fn a_thousand_loads_lose_no_image() {
    let shared = bounds(0).shared_by(NonZeroU32::new(1000).unwrap());
    for (bounds, most) in [(bounds(0), 0.60), (shared, 0.30)] {
        for (time, refused, _) in each(1000, bounds, 2) {
            assert!(time < 1.25 && refused < most, "{time:.3} of the best, {refused:.3} refused");
        }
    }
}
