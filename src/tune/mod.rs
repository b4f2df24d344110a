//! Measures a destination: what it takes at a ladder of requests in flight.
//!
//! Real images are written under names of their own below the prefix, and removed again after each
//! step, whatever happened.

mod rung;
mod table;

use std::sync::Arc;
use std::time::Duration;

use futures::StreamExt;
use tokio_util::sync::CancellationToken;

use self::rung::{Rung, Shown};
use crate::retry::{Limits, Retry};
use crate::sink::{Fault, FaultKind, NewObject, Precondition, TimedSink};

/// The first rung; each has twice as many in flight as the one before.
const FIRST: u32 = 8;

/// Different images that are written, again and again.
pub(crate) const IMAGES: usize = 256;

/// Removals in flight.
const REMOVING: usize = 64;

/// Time for the removal of one object.
const REMOVING_TIME: Duration = Duration::from_secs(30);

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
pub(crate) struct Step {
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
    pub(crate) fn per_second(&self) -> f64 {
        f64::from(self.written) / self.lasted.as_secs_f64().max(1e-3)
    }

    fn error_share(&self) -> f64 {
        f64::from(self.errors) / f64::from((self.written + self.errors).max(1))
    }
}

/// What to set.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Advice {
    /// Requests in flight.
    pub concurrency: u32,
    /// Writes a second, where the service has shown a limit; 0 is no bound.
    pub max_rate: u32,
}

/// All that was measured.
#[derive(Debug, Clone)]
pub(crate) struct Ladder {
    /// The rungs, from the fewest in flight on.
    pub steps: Vec<Step>,
    /// Objects that could not be removed again.
    pub left: Option<Left>,
}

/// Objects that could not be removed again.
#[derive(Debug, Clone)]
pub(crate) struct Left {
    /// How many there may be.
    pub count: u32,
    /// Why the first of them stays.
    pub fault: Fault,
}

impl Left {
    fn and(self, more: Option<Self>) -> Self {
        Self { count: self.count + more.map_or(0, |more| more.count), ..self }
    }
}

impl Ladder {
    /// The fewest in flight that are about as fast as the fastest, among the rungs with hardly any
    /// errors; nothing if nothing was written.
    pub(crate) fn advice(&self) -> Option<Advice> {
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

    /// Whether another rung would show anything new.
    fn goes_on(&self) -> bool {
        let best = self.steps.iter().map(Step::per_second).fold(0.0, f64::max);
        self.steps.last().is_none_or(|last| {
            last.written > 0
                && last.error_share() <= TOO_MANY_ERRORS
                && last.per_second() >= best * MUCH_SLOWER
        })
    }
}

/// Why nothing was measured.
#[derive(Debug)]
pub(crate) enum TuneError {
    /// The destination stores nothing, or refuses all objects.
    Refused(Fault),
    /// What is written cannot be removed again.
    NotRemoved(Left),
}

/// Measures one destination. Its objects are in a folder of their own, and are removed on every way
/// out; one that is dropped leaves them.
pub(crate) struct Tuner {
    sink: Arc<TimedSink>,
    folder: String,
    /// Trying again; it goes on after a stop, so that what was written is removed.
    retry: Retry,
    stop: CancellationToken,
}

impl Tuner {
    /// For a destination. A first object and removals are tried within `limits`, each measured write
    /// once. A `stop` abandons writes in flight; what may have been written is removed all the same.
    pub(crate) fn new(sink: Arc<TimedSink>, limits: Limits, stop: CancellationToken) -> Self {
        let limits = Limits { max_elapsed: limits.max_elapsed.min(REMOVING_TIME), ..limits };
        let retry = Retry::new(limits, CancellationToken::new());
        let folder = format!("idx2gcs-tune-{:016x}", fastrand::u64(..));
        Self { sink, folder, retry, stop }
    }

    /// The address that all its objects begin with.
    pub(crate) fn url(&self) -> String {
        format!("{}/", self.sink.address(&self.folder))
    }

    /// Climbs the ladder up to `most` in flight; `on_step` hears of each rung. One object is written and
    /// removed first: where that does not work nothing is measured.
    ///
    /// # Errors
    /// A destination that does not store objects, or does not remove them.
    pub(crate) async fn climb(
        &self,
        images: &[NewObject],
        most: u32,
        mut on_step: impl FnMut(&Step),
    ) -> Result<Ladder, TuneError> {
        let mut ladder = Ladder { steps: Vec::new(), left: None };
        let Some(image) = images.first() else { return Ok(ladder) };
        self.try_one(image).await?;
        let rungs = std::iter::successors(Some(FIRST.min(most)), |n| Some(n * 2));
        for concurrency in rungs.take_while(|n| *n <= most) {
            if !ladder.goes_on() || self.stop.is_cancelled() {
                break;
            }
            let folder = format!("{}/{concurrency}", self.folder);
            let rung = Rung::new(&self.sink, images, folder, concurrency, &self.stop);
            let Shown { step, names, refusal } = rung.climb().await;
            if let Some(left) = self.remove(names).await {
                ladder.left = Some(left.and(ladder.left.take()));
            }
            if let Some(fault) = refusal.filter(|_| step.written == 0) {
                return Err(TuneError::Refused(fault));
            }
            if self.stop.is_cancelled() {
                break;
            }
            on_step(&step);
            ladder.steps.push(step);
        }
        Ok(ladder)
    }

    async fn try_one(&self, image: &NewObject) -> Result<(), TuneError> {
        let name = format!("{}/first", self.folder);
        let object = NewObject { name: name.clone(), ..image.clone() };
        let put = |within| self.sink.put(&object, Precondition::Absent, within);
        let putting = self.retry.run(|_| (), put);
        let stored = tokio::select! {
            tried = putting => tried.result.map(drop),
            () = self.stop.cancelled() => Ok(()),
        };
        let left = self.remove(vec![name]).await;
        match (stored, left) {
            // A write that got no answer is found by the next attempt.
            (Err(fault), _) if fault.kind != FaultKind::Precondition => {
                Err(TuneError::Refused(fault))
            }
            (_, Some(left)) => Err(TuneError::NotRemoved(left)),
            (_, None) => Ok(()),
        }
    }

    /// Removes what may have been written; what stays, if anything.
    async fn remove(&self, names: Vec<String>) -> Option<Left> {
        let removals = names.into_iter().map(|name| async move {
            let delete = |within| self.sink.delete(&name, within);
            self.retry.run(|_| (), delete).await.result.err()
        });
        let failed = futures::stream::iter(removals).buffer_unordered(REMOVING);
        let failed: Vec<_> = failed.filter_map(std::future::ready).collect().await;
        let count = u32::try_from(failed.len()).unwrap_or(u32::MAX);
        failed.into_iter().next().map(|fault| Left { count, fault })
    }
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
