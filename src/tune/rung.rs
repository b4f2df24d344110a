//! One rung of the ladder: so many requests in flight, for a while.

use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering::Relaxed};
use std::time::Duration;

use tokio::task::JoinSet;
use tokio::time::Instant;
use tokio_util::sync::CancellationToken;

use super::Step;
use crate::histogram::Histogram;
use crate::retry::policy::is_refusal;
use crate::sink::{Fault, NewObject, Precondition, TimedSink};

/// A rung lasts so long, or until it has written so many objects: some, or some for each request in
/// flight.
const LASTS: Duration = Duration::from_secs(1);
const FEWEST: u32 = 500;
const EACH_REQUEST: u32 = 4;

/// A write that takes longer is an error, whatever the time for an attempt is: nobody waits for the
/// slowest of thousands.
const SLOWEST: Duration = Duration::from_secs(10);

/// What the tasks of a rung share.
pub(super) struct Rung {
    sink: Arc<TimedSink>,
    images: Vec<NewObject>,
    folder: String,
    concurrency: u32,
    most: u32,
    began: Instant,
    stop: CancellationToken,
    begun: AtomicU32,
}

/// What a rung has shown.
pub(super) struct Shown {
    pub(super) step: Step,
    /// What may have been written.
    pub(super) names: Vec<String>,
    /// A refusal that other objects may meet too.
    pub(super) refusal: Option<Fault>,
}

/// What one task has seen.
struct Seen {
    /// Microseconds, one per cent exact.
    latency: Histogram,
    errors: u32,
    limited: u32,
    refusal: Option<Fault>,
}

impl Seen {
    fn nothing() -> Self {
        Self { latency: Histogram::new(7), errors: 0, limited: 0, refusal: None }
    }

    fn add(&mut self, other: Self) {
        self.latency.add(&other.latency);
        self.errors += other.errors;
        self.limited += other.limited;
        self.refusal = self.refusal.take().or(other.refusal);
    }
}

impl Rung {
    pub(super) fn new(
        sink: &Arc<TimedSink>,
        images: &[NewObject],
        folder: String,
        concurrency: u32,
        stop: &CancellationToken,
    ) -> Arc<Self> {
        Arc::new(Self {
            sink: Arc::clone(sink),
            images: images.to_vec(),
            folder,
            concurrency,
            most: FEWEST.max(concurrency * EACH_REQUEST),
            began: Instant::now(),
            stop: stop.clone(),
            begun: AtomicU32::new(0),
        })
    }

    /// Writes with so many requests in flight. A stop abandons them.
    pub(super) async fn climb(self: Arc<Self>) -> Shown {
        let mut tasks = JoinSet::new();
        for _ in 0..self.concurrency {
            tasks.spawn(Arc::clone(&self).write());
        }
        let mut all = Seen::nothing();
        while let Some(seen) = tasks.join_next().await {
            if let Ok(seen) = seen {
                all.add(seen);
            }
        }
        let at = |quantile| Duration::from_micros(all.latency.quantile(quantile));
        let step = Step {
            concurrency: self.concurrency,
            written: u32::try_from(all.latency.count()).unwrap_or(u32::MAX),
            errors: all.errors,
            limited: all.limited,
            lasted: self.began.elapsed(),
            p50: at(0.5),
            p99: at(0.99),
        };
        let begun = self.begun.load(Relaxed).min(self.most);
        let names = (0..begun).map(|number| self.name(number)).collect();
        Shown { step, names, refusal: all.refusal }
    }

    fn name(&self, number: u32) -> String {
        format!("{}/{number}", self.folder)
    }

    async fn write(self: Arc<Self>) -> Seen {
        let mut seen = Seen::nothing();
        while self.began.elapsed() < LASTS && !self.stop.is_cancelled() && seen.refusal.is_none() {
            let number = self.begun.fetch_add(1, Relaxed);
            let image = self.images.get(number as usize % self.images.len().max(1));
            let Some(image) = image.filter(|_| number < self.most) else { break };
            let object = NewObject { name: self.name(number), ..image.clone() };
            let began = Instant::now();
            let put = self.sink.put(&object, Precondition::Absent, SLOWEST);
            let ended = tokio::select! {
                ended = put => ended,
                () = self.stop.cancelled() => break,
            };
            match ended {
                Ok(_) => {
                    let micros = u64::try_from(began.elapsed().as_micros()).unwrap_or(u64::MAX);
                    seen.latency.record(micros);
                }
                Err(fault) => {
                    seen.errors += 1;
                    seen.limited += u32::from(fault.kind.is_rate_limit());
                    seen.refusal = is_refusal(fault.kind).then_some(fault);
                }
            }
        }
        seen
    }
}
