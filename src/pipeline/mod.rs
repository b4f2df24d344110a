//! One producer decodes records into a bounded channel; a pool of workers takes them out, makes an
//! object of each in memory and does one thing with it: stores it, or verifies it.
//!
//! Memory is bounded in bytes: all records and bodies between the decoder and the end of their upload
//! share one [`Budget`]; the channel holds at most `queue` records of it. One more record is in the
//! producer's hands. At most 1,024 images wait between two attempts.

mod budget;
mod counts;
mod decision;
mod existing;
mod failure;
mod observer;
mod refusals;
mod state;
mod stats;
mod store;
mod timeline;

use std::collections::HashMap;
use std::future::Future;
use std::panic::AssertUnwindSafe;
use std::sync::Arc;
use std::time::Duration;

use futures::FutureExt;
use parking_lot::Mutex;
use tokio::runtime::Handle;
use tokio::sync::Semaphore;
use tokio::task::JoinSet;
use tokio_util::sync::CancellationToken;

use self::budget::{Budget, Share, Taker};
pub(crate) use self::counts::{Counts, RunResult, Stop, Unencodable};
pub(crate) use self::existing::{Existing, Pages, list_all, with_checksum};
pub(crate) use self::failure::ImageFailure;
pub use self::failure::NotStored;
pub(crate) use self::observer::observed;
pub use self::observer::{Observer, Silent};
pub(crate) use self::refusals::Refusals;
pub(crate) use self::state::State;
pub(crate) use self::stats::Stats;
pub use self::stats::{Latency, Snapshot};
pub use self::store::OnError;
pub(crate) use self::store::Storing;
pub use self::timeline::Sample;
use crate::pace::Pace;
use crate::sink::{NewObject, Stored};
use crate::source::{Record, SourceError};

/// Default of [`Pipeline::drain`].
pub(crate) const DRAIN: Duration = Duration::from_secs(10);

/// Images that cost at most so many bytes, such as 16 KiB of pixels, are encoded where the network waits:
/// JPEG takes 2.7 µs a KiB of pixels, 45 µs in all, and a hop to another thread some 10 µs. Larger ones
/// go to a thread that may compute.
const ENCODED_IN_PLACE: u64 = 32 * 1024;

/// Makes the objects of a run.
pub(crate) trait Objects: Send + Sync + 'static {
    /// The name of a record's object.
    fn name(&self, record: &Record) -> String;

    /// Bytes that a record and the object made of it take at the most, from here to the object's end.
    fn cost(&self, record: &Record) -> u64;

    /// Encodes one record into the object of that name.
    ///
    /// # Errors
    /// Why it cannot be encoded.
    fn object(&self, record: Record, name: String) -> Result<NewObject, NotStored>;
}

/// What is done with each object.
pub(crate) trait Work: Send + Sync + 'static {
    /// Processes one object. `existing` is the object already stored under its name, if any. Errors
    /// carry the number of upload attempts.
    fn object(
        &self,
        object: NewObject,
        existing: Option<Stored>,
    ) -> impl Future<Output = Result<State, (NotStored, u32)>> + Send;

    /// Whether the run is pointless after this failure, and why.
    fn stops_at(&self, failure: &ImageFailure) -> Option<Stop>;
}

/// A run over all records: its work, its limits, and what its tasks share.
pub(crate) struct Pipeline<W> {
    /// The number of images that the records are; what has no end counts as not attempted.
    pub images: u32,
    /// How a record becomes an object.
    pub objects: Arc<dyn Objects>,
    /// What is done with it.
    pub work: W,
    /// The objects that existed before.
    pub existing: Existing,
    /// How many images are under work at a time, without those that wait for another attempt.
    pub pace: Arc<Pace>,
    /// Bytes that records and bodies may take together.
    pub memory: u64,
    /// Records that may wait for a worker.
    pub queue: u32,
    /// What is displayed.
    pub stats: Arc<Stats>,
    /// Stops the producer; requests in flight are finished, within bounds.
    pub stop: CancellationToken,
    /// Time that requests in flight get after a stop; then they are abandoned.
    pub drain: Duration,
    /// Receives each image that failed.
    pub on_failure: Box<dyn Fn(&ImageFailure) + Send + Sync>,
}

/// The images that workers have in their hands: index and name.
type Held = Arc<Mutex<HashMap<u32, String>>>;

/// Works through the records, and returns when each has its end or the run was stopped.
///
/// Dropping the future stops the workers where they stand, and ends the producer's thread with the
/// record that it is reading.
pub(crate) async fn run<W: Work>(
    run: Arc<Pipeline<W>>,
    records: impl Iterator<Item = Result<Record, SourceError>> + Send + 'static,
) -> RunResult {
    let queue = run.queue.max(1);
    let (to_workers, from_producer) = async_channel::bounded(queue as usize);
    let shared = Shared {
        queue: from_producer,
        room: Arc::new(Semaphore::new(queue as usize)),
        encoders: Arc::new(Semaphore::new(cores())),
        held: Held::default(),
        counts: Arc::new(counts::Tally::new(run.images)),
        run,
    };
    let budget = Budget::new(shared.run.memory);
    // Dropped with this future: a producer that waits for room learns that nobody needs it.
    let closing = Closing(budget.clone(), Arc::clone(&shared.room));
    let producer = Producer {
        to_workers,
        objects: Arc::clone(&shared.run.objects),
        budget: budget.taker(),
        room: Arc::clone(&shared.room),
        part: (queue / 8).max(1),
        stop: shared.run.stop.clone(),
        counts: Arc::clone(&shared.counts),
    };
    // Decoding is computation and reading from disk: a thread of its own.
    let producing = tokio::task::spawn_blocking(move || producer.produce(records));
    keep_working(&shared).await;
    let abandoned = std::mem::take(&mut *shared.held.lock());
    for (index, object) in abandoned {
        shared.end(Err(ImageFailure::abandoned(index, object)));
    }
    drop(closing);
    if let Err(panic) = producing.await {
        shared.counts.decoder_panicked(&panic);
    }
    shared.counts.result()
}

/// Ends the producer's waits when it is dropped.
struct Closing(Budget, Arc<Semaphore>);

impl Drop for Closing {
    fn drop(&mut self) {
        self.0.close();
        self.1.close();
    }
}

/// Threads that may encode at a time.
fn cores() -> usize {
    std::thread::available_parallelism().map_or(1, usize::from)
}

/// Waits for a stop, and then for the time that requests in flight get after it.
pub(crate) async fn drained(stop: &CancellationToken, drain: Duration) {
    stop.cancelled().await;
    tokio::time::sleep(drain).await;
}

/// Starts a worker for each permit, from the first on, until all have ended; once the run is stopped,
/// waits no longer than its drain.
async fn keep_working<W: Work>(shared: &Shared<W>) {
    let run = &shared.run;
    let drained = drained(&run.stop, run.drain);
    tokio::pin!(drained);
    let mut workers = JoinSet::new();
    loop {
        tokio::select! {
            biased;
            () = run.pace.vacancy() => drop(workers.spawn(work(shared.clone()))),
            joined = workers.join_next() => match joined {
                None => return,
                // Everything that may panic is caught within.
                Some(Err(panic)) => tracing::error!(%panic, "a worker ended"),
                Some(Ok(())) => {}
            },
            () = &mut drained => break,
        }
    }
    tracing::warn!(workers = workers.len(), "abandoning requests in flight");
    workers.shutdown().await;
}

/// Reads records, and hands them to the workers as room and budget permit.
struct Producer {
    to_workers: async_channel::Sender<(Record, Share)>,
    objects: Arc<dyn Objects>,
    budget: Taker,
    /// Records that the channel has room for.
    room: Arc<Semaphore>,
    /// Room is waited for in parts of so many records: the thread sleeps and wakes once for many.
    part: u32,
    stop: CancellationToken,
    counts: Arc<counts::Tally>,
}

impl Producer {
    fn produce(mut self, records: impl Iterator<Item = Result<Record, SourceError>>) {
        let runtime = Handle::current();
        let mut left = 0;
        for record in records {
            if self.stop.is_cancelled() {
                return;
            }
            let record = match record {
                Ok(record) => record,
                Err(error) => {
                    self.counts.source_failed(error);
                    self.stop.cancel();
                    return;
                }
            };
            if left == 0 {
                let Ok(part) = runtime.block_on(self.room.acquire_many(self.part)) else { return };
                part.forget();
                left = self.part;
            }
            left -= 1;
            let cost = self.objects.cost(&record);
            let Some(share) = self.budget.take(cost, &runtime) else { return };
            if self.to_workers.send_blocking((record, share)).is_err() {
                return;
            }
        }
    }
}

/// What each worker has.
struct Shared<W> {
    run: Arc<Pipeline<W>>,
    queue: async_channel::Receiver<(Record, Share)>,
    room: Arc<Semaphore>,
    /// One permit for each image that is encoded on a thread of its own.
    encoders: Arc<Semaphore>,
    counts: Arc<counts::Tally>,
    held: Held,
}

impl<W> Clone for Shared<W> {
    fn clone(&self) -> Self {
        Self {
            run: Arc::clone(&self.run),
            queue: self.queue.clone(),
            room: Arc::clone(&self.room),
            encoders: Arc::clone(&self.encoders),
            counts: Arc::clone(&self.counts),
            held: Arc::clone(&self.held),
        }
    }
}

/// A worker's permit, which it gives back however it ends.
struct WorkersPermit<'a>(&'a Pace);

impl Drop for WorkersPermit<'_> {
    fn drop(&mut self) {
        self.0.leave();
    }
}

async fn work<W: Work>(shared: Shared<W>) {
    let run = &shared.run;
    let permit = WorkersPermit(&run.pace);
    // Records that wait when the run is stopped are left: they count as not attempted.
    while !run.stop.is_cancelled() {
        if run.pace.must_leave() {
            // It is taken already.
            return std::mem::forget(permit);
        }
        let received = tokio::select! {
            biased;
            received = shared.queue.recv() => received,
            () = run.pace.wanted() => continue,
        };
        let Ok((record, share)) = received else { break };
        shared.room.add_permits(1);
        let index = record.index;
        // Whatever panics costs this image, not the worker.
        let done = AssertUnwindSafe(async {
            let name = run.objects.name(&record);
            shared.held.lock().insert(index, name.clone());
            shared.image(record, share, name).await
        });
        let ended = done.catch_unwind().await;
        let name = shared.held.lock().remove(&index).unwrap_or_default();
        shared.end(ended.unwrap_or_else(|_| Err(ImageFailure::panicked(index, name))));
    }
}

impl<W: Work> Shared<W> {
    async fn image(
        &self,
        record: Record,
        mut share: Share,
        name: String,
    ) -> Result<State, ImageFailure> {
        let index = record.index;
        let existing = self.run.existing.get(index, &name);
        let object = match self.encode(record, name.clone(), share.cost).await {
            Ok(object) => object,
            Err(error) => return Err(ImageFailure { index, object: name, attempts: 0, error }),
        };
        share.shrink_to(object.body.size());
        let done = self.run.work.object(object, existing).await;
        done.map_err(|(error, attempts)| ImageFailure { index, object: name, attempts, error })
    }

    async fn encode(
        &self,
        record: Record,
        name: String,
        cost: u64,
    ) -> Result<NewObject, NotStored> {
        let objects = &self.run.objects;
        if cost <= ENCODED_IN_PLACE {
            return objects.object(record, name);
        }
        let _one_of_a_few = self.encoders.acquire().await;
        let objects = Arc::clone(objects);
        let encoding = tokio::task::spawn_blocking(move || objects.object(record, name));
        encoding.await.unwrap_or_else(|panic| {
            if panic.is_panic() {
                std::panic::resume_unwind(panic.into_panic());
            }
            Err(NotStored::stopped())
        })
    }

    /// Counts an image's end, and stops the run if it must not go on. A callback that panics is a
    /// defect, and the image's failure.
    fn end(&self, ended: Result<State, ImageFailure>) {
        let failure = match ended {
            Ok(state) => {
                self.run.stats.ended(state);
                return self.counts.ended(state);
            }
            // Stopped before its first attempt: it counts as not attempted.
            Err(failure) if failure.error.is_stopped() => return,
            Err(failure) => failure,
        };
        self.run.stats.ended(State::Failed);
        let noted = caught(|| (self.run.on_failure)(&failure));
        let stops = caught(|| self.run.work.stops_at(&failure));
        let panicked = noted.and(stops.as_ref()).is_none();
        let stop = stops.flatten();
        if stop.is_some() {
            self.run.stop.cancel();
        }
        let ImageFailure { index, object, .. } = &failure;
        let defect = panicked.then(|| ImageFailure::panicked(*index, object.clone()));
        self.counts.failed(defect.as_ref().unwrap_or(&failure), stop);
    }
}

/// What a call returns, unless it panics.
fn caught<T>(call: impl FnOnce() -> T) -> Option<T> {
    std::panic::catch_unwind(AssertUnwindSafe(call)).ok()
}

#[cfg(test)]
mod tests;
