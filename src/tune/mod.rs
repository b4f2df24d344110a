//! Measures a destination: what it takes at a ladder of requests in flight.
//!
//! Real images are written under names of their own below the prefix, and removed again after each
//! step, whatever happened.

mod table;

use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering::Relaxed};
use std::time::Duration;

use futures::StreamExt;
use tokio::task::JoinSet;
use tokio::time::Instant;
use tokio_util::sync::CancellationToken;

use crate::histogram::Histogram;
use crate::retry::Retry;
use crate::retry::policy::is_refusal;
use crate::sink::{Fault, FaultKind, NewObject, Precondition, TimedSink};

/// The first rung; each has twice as many in flight as the one before.
const FIRST: u32 = 8;

/// A step lasts so long, or until it has written so many objects: some, or some for each place.
const LASTS: Duration = Duration::from_secs(1);
const FEWEST: u32 = 500;
const EACH_PLACE: u32 = 4;

/// Different images that are written, again and again.
pub const IMAGES: usize = 256;

/// Removals in flight.
const REMOVING: usize = 64;

/// The ladder ends with a rung that refuses more than this share, or that is so much slower than the
/// best.
const TOO_MANY_ERRORS: f64 = 0.05;
const MUCH_SLOWER: f64 = 0.8;

/// As good as the best.
const AS_GOOD: f64 = 0.95;

/// A rung is recommended with no more errors than this share.
const FEW_ERRORS: f64 = 0.01;

/// What a rung of the ladder has shown.
#[derive(Debug, Clone, PartialEq)]
pub struct Step {
    /// Requests in flight.
    pub concurrency: u32,
    /// Objects written.
    pub written: u32,
    /// Attempts that failed, whatever the cause.
    pub errors: u32,
    /// Of these, those that the service refused because there were too many.
    pub limited: u32,
    /// From the first attempt to the last answer.
    pub lasted: Duration,
    /// Half of the successful attempts took at most this.
    pub p50: Duration,
    /// 99 out of 100.
    pub p99: Duration,
}

impl Step {
    /// Objects written a second.
    pub fn per_second(&self) -> f64 {
        f64::from(self.written) / self.lasted.as_secs_f64().max(1e-3)
    }

    fn error_share(&self) -> f64 {
        f64::from(self.errors) / f64::from((self.written + self.errors).max(1))
    }
}

/// What to set.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Advice {
    /// Requests in flight.
    pub concurrency: u32,
    /// Writes a second, where the service has shown a limit; 0 is no bound.
    pub max_rate: u32,
}

/// All that was measured.
#[derive(Debug, Clone)]
pub struct Ladder {
    /// The rungs, from the fewest in flight on.
    pub steps: Vec<Step>,
    /// Objects that could not be removed again, and why.
    pub left: Option<(u32, Fault)>,
}

impl Ladder {
    /// The fewest in flight that are about as fast as the fastest, among the rungs with hardly any
    /// errors; nothing if nothing was written.
    pub fn advice(&self) -> Option<Advice> {
        let written = self.steps.iter().filter(|step| step.written > 0);
        let clean: Vec<_> = written.clone().filter(|s| s.error_share() <= FEW_ERRORS).collect();
        let usable = if clean.is_empty() { written.collect() } else { clean };
        let best = usable.iter().map(|step| step.per_second()).fold(0.0, f64::max);
        let chosen = usable.iter().find(|step| step.per_second() >= best * AS_GOOD)?;
        let limited = self.steps.iter().any(|step| step.limited > 0);
        #[allow(clippy::cast_possible_truncation, clippy::cast_sign_loss)]
        let max_rate = if limited { (best * AS_GOOD).max(1.0) as u32 } else { 0 };
        Some(Advice { concurrency: chosen.concurrency, max_rate })
    }

    /// Whether another rung would say anything new.
    fn goes_on(&self) -> bool {
        let best = self.steps.iter().map(Step::per_second).fold(0.0, f64::max);
        self.steps.last().is_none_or(|last| {
            last.written > 0
                && last.error_share() <= TOO_MANY_ERRORS
                && last.per_second() >= best * MUCH_SLOWER
        })
    }
}

/// Climbs the ladder up to `most` in flight; `on_step` hears of each rung. A stop ends it after the
/// objects of the rung under way are removed.
///
/// # Errors
/// A destination that refuses all objects.
pub async fn climb(
    images: &[NewObject],
    sink: &Arc<TimedSink>,
    retry: &Retry,
    most: u32,
    mut on_step: impl FnMut(&Step),
) -> Result<Ladder, Fault> {
    let mut ladder = Ladder { steps: Vec::new(), left: None };
    let rungs = std::iter::successors(Some(FIRST.min(most)), |n| Some(n * 2));
    for concurrency in rungs.take_while(|n| *n <= most) {
        if !ladder.goes_on() || retry.stop().is_cancelled() {
            break;
        }
        let folder = format!("idx2gcs-tune-{:016x}", fastrand::u64(..));
        let (step, begun, refusal) =
            measure(sink, images, &folder, concurrency, retry.stop()).await;
        let left = remove(sink, &folder, begun).await;
        if let Some((count, fault)) = left {
            let before = ladder.left.take().map_or(0, |(count, _)| count);
            ladder.left = Some((before + count, fault));
        }
        if let Some(fault) = refusal.filter(|_| step.written == 0) {
            return Err(fault);
        }
        on_step(&step);
        ladder.steps.push(step);
    }
    Ok(ladder)
}

/// What the tasks of a rung share.
struct Rung {
    sink: Arc<TimedSink>,
    images: Vec<NewObject>,
    folder: String,
    most: u32,
    until: Instant,
    stop: CancellationToken,
    begun: AtomicU32,
}

/// What one task of a rung has met.
struct Met {
    latency: Histogram,
    errors: u32,
    limited: u32,
    refusal: Option<Fault>,
}

/// Latencies in microseconds, one per cent exact.
fn histogram() -> Histogram {
    Histogram::new(7)
}

fn name(folder: &str, number: u32) -> String {
    format!("{folder}/{number}.jpg")
}

impl Rung {
    async fn write(self: Arc<Self>) -> Met {
        let mut met = Met { latency: histogram(), errors: 0, limited: 0, refusal: None };
        while Instant::now() < self.until && !self.stop.is_cancelled() && met.refusal.is_none() {
            let number = self.begun.fetch_add(1, Relaxed);
            let image = self.images.get(number as usize % self.images.len().max(1));
            let Some(image) = image.filter(|_| number < self.most) else { break };
            let object = NewObject { name: name(&self.folder, number), ..image.clone() };
            let began = Instant::now();
            match self.sink.put(&object, Precondition::Absent, Duration::MAX).await {
                Ok(_) => {
                    let micros = u64::try_from(began.elapsed().as_micros()).unwrap_or(u64::MAX);
                    met.latency.record(micros);
                }
                Err(fault) => {
                    met.errors += 1;
                    let limited = [FaultKind::RateLimited, FaultKind::Status(429)];
                    met.limited += u32::from(limited.contains(&fault.kind));
                    met.refusal = is_refusal(fault.kind).then_some(fault);
                }
            }
        }
        met
    }
}

/// One rung: what it has shown, how many objects were begun, and a refusal of all objects.
async fn measure(
    sink: &Arc<TimedSink>,
    images: &[NewObject],
    folder: &str,
    concurrency: u32,
    stop: &CancellationToken,
) -> (Step, u32, Option<Fault>) {
    let began = Instant::now();
    let rung = Arc::new(Rung {
        sink: Arc::clone(sink),
        images: images.to_vec(),
        folder: folder.to_owned(),
        most: FEWEST.max(concurrency * EACH_PLACE),
        until: began + LASTS,
        stop: stop.clone(),
        begun: AtomicU32::new(0),
    });
    let mut tasks = JoinSet::new();
    for _ in 0..concurrency {
        tasks.spawn(Arc::clone(&rung).write());
    }
    let mut latency = histogram();
    let (mut errors, mut limited, mut refusal) = (0, 0, None);
    while let Some(met) = tasks.join_next().await {
        let Ok(met) = met else { continue };
        latency.add(&met.latency);
        errors += met.errors;
        limited += met.limited;
        refusal = refusal.or(met.refusal);
    }
    let at = |quantile| Duration::from_micros(latency.quantile(quantile));
    let shown = Step {
        concurrency,
        written: u32::try_from(latency.count()).unwrap_or(u32::MAX),
        errors,
        limited,
        lasted: began.elapsed(),
        p50: at(0.5),
        p99: at(0.99),
    };
    (shown, rung.begun.load(Relaxed).min(rung.most), refusal)
}

/// Removes what may have been written; how many objects stay, and why.
async fn remove(sink: &Arc<TimedSink>, folder: &str, begun: u32) -> Option<(u32, Fault)> {
    let removals = (0..begun).map(|number| {
        let name = name(folder, number);
        async move {
            // An answer that was lost, or one of many at a limit: a few attempts are enough.
            let mut last = sink.delete(&name, Duration::MAX).await;
            for wait in [1, 2, 4] {
                let Err(fault) = &last else { break };
                if is_refusal(fault.kind) {
                    break;
                }
                let pause = fault.retry_after().unwrap_or(Duration::from_secs(wait));
                tokio::time::sleep(pause.min(Duration::from_secs(10))).await;
                last = sink.delete(&name, Duration::MAX).await;
            }
            last.err()
        }
    });
    let failed = futures::stream::iter(removals).buffer_unordered(REMOVING);
    let failed: Vec<_> = failed.filter_map(std::future::ready).collect().await;
    let count = u32::try_from(failed.len()).unwrap_or(u32::MAX);
    failed.into_iter().next().map(|fault| (count, fault))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn step(concurrency: u32, per_second: u32, limited: u32) -> Step {
        let second = Duration::from_secs(1);
        let (p50, p99) = (second, second);
        Step {
            concurrency,
            written: per_second,
            errors: limited,
            limited,
            lasted: second,
            p50,
            p99,
        }
    }

    fn ladder(steps: &[(u32, u32, u32)]) -> Ladder {
        let steps = steps.iter().map(|(c, n, limited)| step(*c, *n, *limited)).collect();
        Ladder { steps, left: None }
    }

    #[test]
    fn the_fewest_that_are_as_good_are_recommended() {
        let ladder =
            ladder(&[(8, 100, 0), (16, 200, 0), (32, 391, 0), (64, 400, 0), (128, 398, 0)]);
        assert_eq!(ladder.advice(), Some(Advice { concurrency: 32, max_rate: 0 }));
    }

    #[test]
    fn a_limit_is_kept_away_from() {
        let ladder = ladder(&[(8, 400, 0), (16, 800, 0), (32, 1000, 500)]);
        assert_eq!(ladder.advice(), Some(Advice { concurrency: 16, max_rate: 760 }));
        assert!(!ladder.goes_on());
    }

    #[test]
    fn a_limit_below_the_first_rung_still_gives_advice() {
        let ladder = ladder(&[(8, 200, 900)]);
        assert_eq!(ladder.advice(), Some(Advice { concurrency: 8, max_rate: 190 }));
    }

    #[test]
    fn the_ladder_ends_where_more_is_slower() {
        assert!(ladder(&[]).goes_on());
        assert!(ladder(&[(8, 100, 0), (16, 90, 0)]).goes_on(), "that may be chance");
        assert!(!ladder(&[(8, 100, 0), (16, 70, 0)]).goes_on());
        assert_eq!(ladder(&[(8, 0, 0)]).advice(), None);
    }
}
