//! One producer decodes records into a bounded channel; a pool of workers takes them out, encodes
//! each in memory and does one thing with the object: stores it, or verifies it.
//!
//! Memory: `queue × record + (in flight + waiting) × (record + body)`, plus one record in the
//! producer's hands; at most 1,024 images wait between two attempts. A record is `rows × cols` bytes,
//! a body twice a JPEG and some 500 bytes of request.

mod existing;
mod image;
mod samples;
mod store;

use std::collections::HashMap;
use std::future::Future;
use std::panic::AssertUnwindSafe;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use futures::FutureExt;
use tokio::runtime::Handle;
use tokio::sync::Semaphore;
use tokio::task::JoinSet;
use tokio_util::sync::CancellationToken;

pub use self::existing::{Existing, Seen, list_all};
pub use self::image::{ImageFailure, Images};
pub use self::samples::{Sample, Samples, Sizes};
pub use self::store::{OnError, Refusal, Storing};
use crate::pace::Pace;
use crate::report::{State, Stats};
use crate::sink::{Fault, FaultKind, NewObject, Stored};
use crate::source::{Record, SourceError};

/// After a stop, what is in flight may take so long to finish; then it is abandoned.
pub(crate) const DRAIN: Duration = Duration::from_secs(10);

/// What is done with each object.
pub trait Work: Send + Sync + 'static {
    /// Does it. `seen` is what is known to be there. A failure comes with the upload attempts made.
    fn object(
        &self,
        object: NewObject,
        seen: Option<Stored>,
    ) -> impl Future<Output = Result<State, (Refusal, u32)>> + Send;

    /// Whether the run makes no sense any more after this failure, and why.
    fn stops_at(&self, failure: &ImageFailure) -> Option<Stop>;
}

/// Why a run is stopped by a failure.
#[derive(Debug, Clone)]
pub enum Stop {
    /// The destination refuses every object.
    Refused(Fault),
    /// The destination does not work: the last thing it said.
    Dead(Fault),
    /// The settings say so.
    OnError,
}

/// What every task of a run shares.
pub struct Run<W> {
    /// How a record becomes an object.
    pub images: Images,
    /// What is done with it.
    pub work: W,
    /// What was there before.
    pub existing: Existing,
    /// How many are under work at a time, those aside that wait for another attempt.
    pub pace: Arc<Pace>,
    /// Records that may wait.
    pub queue: u32,
    /// The counters.
    pub stats: Arc<Stats>,
    /// Stops the producer; what is in flight is finished, within bounds.
    pub stop: CancellationToken,
    /// Hears of each image that failed.
    pub on_failure: Box<dyn Fn(&ImageFailure) + Send + Sync>,
}

/// What ended a run before its last image, and what failed on the way.
#[derive(Debug, Default)]
pub struct Cut {
    /// The source turned bad on the way.
    pub source: Option<SourceError>,
    /// The first failure that stopped the run.
    pub stop: Option<Stop>,
    /// Images whose object is there with another content, or is there at all where none may be.
    pub conflicts: u32,
    /// Images that failed, conflicts included.
    pub failed: u32,
}

/// The images that workers have in their hands: index and name.
type Held = Arc<Mutex<HashMap<u32, String>>>;

/// Works through the records, and returns when each has its end or the run was stopped. Dropping
/// the future stops the workers where they stand.
pub async fn run<W: Work>(
    run: Arc<Run<W>>,
    records: impl Iterator<Item = Result<Record, SourceError>> + Send + 'static,
) -> Cut {
    let (to_workers, queue) = async_channel::unbounded();
    let room = Arc::new(Semaphore::new(run.queue as usize));
    let cut = Arc::new(Mutex::new(Cut::default()));

    let producer = {
        let (run, cut, room) = (Arc::clone(&run), Arc::clone(&cut), Arc::clone(&room));
        // Decoding is computation and reading from disk: a thread of its own.
        tokio::task::spawn_blocking(move || produce(&run, records, &to_workers, &room, &cut))
    };
    let held = Held::default();
    let shared = Shared { run: Arc::clone(&run), queue, room, cut: Arc::clone(&cut), held };
    let worker = || work(shared.clone());
    keep_working(worker, &run).await;
    let abandoned = std::mem::take(&mut *lock(&shared.held));
    for (index, object) in abandoned {
        run.end(Err(ImageFailure::abandoned(index, object)), &cut);
    }
    // The workers have gone: a producer that waits for room is told so.
    shared.room.close();
    if let Err(panic) = producer.await {
        tracing::error!(%panic, "the decoder panicked");
    }
    std::mem::take(&mut *lock(&cut))
}

/// Starts a worker for each place, from the first on, until all have ended; once the run is stopped,
/// waits no longer than [`DRAIN`].
async fn keep_working<W, F>(worker: impl Fn() -> F, run: &Run<W>)
where
    F: Future<Output = ()> + Send + 'static,
{
    let drained = async {
        run.stop.cancelled().await;
        tokio::time::sleep(DRAIN).await;
    };
    tokio::pin!(drained);
    let mut workers = JoinSet::new();
    loop {
        tokio::select! {
            biased;
            () = run.pace.vacancy() => drop(workers.spawn(worker())),
            joined = workers.join_next() => if joined.is_none() { return },
            () = &mut drained => break,
        }
    }
    tracing::warn!(workers = workers.len(), "abandoning what is still in flight");
    workers.shutdown().await;
}

fn produce<W: Work>(
    run: &Run<W>,
    records: impl Iterator<Item = Result<Record, SourceError>>,
    to_workers: &async_channel::Sender<Record>,
    room: &Semaphore,
    cut: &Mutex<Cut>,
) {
    let runtime = Handle::current();
    // Room is waited for in parts, so that the thread sleeps and wakes once for many records.
    let part = (run.queue / 8).max(1);
    let mut left = 0;
    for record in records {
        if left == 0 {
            let Ok(permits) = runtime.block_on(room.acquire_many(part)) else { return };
            permits.forget();
            left = part;
        }
        left -= 1;
        if run.stop.is_cancelled() {
            return;
        }
        match record {
            Ok(record) => {
                if to_workers.try_send(record).is_err() {
                    return;
                }
            }
            Err(error) => {
                lock(cut).source = Some(error);
                run.stop.cancel();
                return;
            }
        }
    }
}

/// What each worker has.
struct Shared<W> {
    run: Arc<Run<W>>,
    queue: async_channel::Receiver<Record>,
    /// Records that may still be put into the queue.
    room: Arc<Semaphore>,
    cut: Arc<Mutex<Cut>>,
    held: Held,
}

impl<W> Clone for Shared<W> {
    fn clone(&self) -> Self {
        Self {
            run: Arc::clone(&self.run),
            queue: self.queue.clone(),
            room: Arc::clone(&self.room),
            cut: Arc::clone(&self.cut),
            held: Arc::clone(&self.held),
        }
    }
}

async fn work<W: Work>(shared: Shared<W>) {
    let Shared { run, queue, room, cut, held } = shared;
    // Records that wait when the run is stopped are left: they count as not attempted.
    while !run.stop.is_cancelled() {
        if run.pace.must_leave() {
            return;
        }
        let record = tokio::select! {
            biased;
            record = queue.recv() => record,
            () = run.pace.wanted() => continue,
        };
        let Ok(record) = record else { break };
        room.add_permits(1);
        let (index, name) = (record.index, run.images.name(&record));
        lock(&held).insert(index, name.clone());
        let ended = AssertUnwindSafe(run.image(record, &name)).catch_unwind().await;
        let ended = ended.unwrap_or_else(|_| Err(ImageFailure::panicked(index, name)));
        run.end(ended, &cut);
        lock(&held).remove(&index);
    }
    run.pace.leave();
}

impl<W: Work> Run<W> {
    async fn image(&self, record: Record, name: &str) -> Result<State, ImageFailure> {
        let index = record.index;
        let failed =
            |refusal, attempts| ImageFailure { index, object: name.to_owned(), attempts, refusal };
        let object = self
            .images
            .object(&record, name.to_owned())
            .map_err(|e| failed(Fault::new(FaultKind::Internal, e.to_string()).into(), 0))?;
        drop(record);
        let seen = self.existing.get(index, name);
        self.work
            .object(object, seen)
            .await
            .map_err(|(refusal, attempts)| failed(refusal, attempts))
    }

    /// Counts an image's end, and stops the run if it must not go on.
    fn end(&self, ended: Result<State, ImageFailure>, cut: &Mutex<Cut>) {
        let failure = match ended {
            Ok(state) => return self.stats.ended(state),
            // Stopped before its first attempt: it counts as not attempted.
            Err(ImageFailure { refusal: Refusal::Fault(fault), .. })
                if fault.kind == FaultKind::Stopped =>
            {
                return;
            }
            Err(failure) => failure,
        };
        self.stats.ended(State::Failed);
        (self.on_failure)(&failure);
        let mut cut = lock(cut);
        cut.failed += 1;
        cut.conflicts += u32::from(matches!(failure.refusal, Refusal::Conflict(_)));
        if let Some(stop) = self.work.stops_at(&failure) {
            cut.stop.get_or_insert(stop);
            self.stop.cancel();
        }
    }
}

fn lock<T>(mutex: &Mutex<T>) -> std::sync::MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
