//! One producer decodes records into a bounded channel; a pool of uploaders takes them out,
//! encodes each in memory and stores it.
//!
//! Memory: `queue × record + concurrency × (record + body)`, plus one record in the producer's
//! hands. A record is `rows × cols` bytes, a body a JPEG and some 500 bytes of request.

mod existing;
mod image;
mod store;

use std::panic::AssertUnwindSafe;
use std::sync::{Arc, Mutex, PoisonError};

use futures::FutureExt;
use tokio::task::JoinSet;
use tokio_util::sync::CancellationToken;

pub use self::existing::{Existing, Seen};
pub use self::image::{ImageFailure, Images};
pub use self::store::{Ending, Refusal, Storing};
use crate::config::OnError;
use crate::report::{State, Stats};
use crate::retry::policy::refuses_all;
use crate::sink::{Fault, FaultKind};
use crate::source::{Record, SourceError};

/// What every task of a run shares.
pub struct Run {
    /// How a record becomes an object.
    pub images: Images,
    /// How an object is stored.
    pub storing: Storing,
    /// What was there before.
    pub existing: Existing,
    /// What follows a failed image.
    pub on_error: OnError,
    /// Requests in flight.
    pub concurrency: u32,
    /// Records that may wait.
    pub queue: u32,
    /// The counters.
    pub stats: Arc<Stats>,
    /// Stops the producer; what is in flight is finished.
    pub stop: CancellationToken,
    /// Hears of each image that failed.
    pub on_failure: Box<dyn Fn(&ImageFailure) + Send + Sync>,
}

/// Why a run ended before its last image. Nothing, if it did not.
#[derive(Debug, Default)]
pub struct Cut {
    /// The source turned bad on the way.
    pub source: Option<SourceError>,
    /// The destination refuses every object.
    pub refused: Option<Fault>,
    /// Images whose object is there with another content, or is there at all where none may be.
    pub conflicts: u32,
}

/// Uploads the records, and returns when each has its end or the run was stopped.
pub async fn run(
    run: Arc<Run>,
    records: impl Iterator<Item = Result<Record, SourceError>> + Send + 'static,
) -> Cut {
    let (to_uploaders, queue) = async_channel::bounded(run.queue as usize);
    let cut = Arc::new(Mutex::new(Cut::default()));

    let producer = {
        let (run, cut) = (Arc::clone(&run), Arc::clone(&cut));
        // Decoding is computation and reading from disk: a thread of its own.
        tokio::task::spawn_blocking(move || produce(&run, records, &to_uploaders, &cut))
    };
    let mut uploaders = JoinSet::new();
    for _ in 0..run.concurrency {
        uploaders.spawn(upload(Arc::clone(&run), queue.clone(), Arc::clone(&cut)));
    }
    drop(queue);
    while uploaders.join_next().await.is_some() {}
    // The uploaders have gone, so a producer that waits for room finds the channel closed.
    if let Err(panic) = producer.await {
        tracing::error!(%panic, "the decoder panicked");
    }
    std::mem::take(&mut *cut.lock().unwrap_or_else(PoisonError::into_inner))
}

fn produce(
    run: &Run,
    records: impl Iterator<Item = Result<Record, SourceError>>,
    to_uploaders: &async_channel::Sender<Record>,
    cut: &Mutex<Cut>,
) {
    for record in records {
        if run.stop.is_cancelled() {
            return;
        }
        match record {
            Ok(record) => {
                if to_uploaders.send_blocking(record).is_err() {
                    return;
                }
            }
            Err(error) => {
                cut.lock().unwrap_or_else(PoisonError::into_inner).source = Some(error);
                run.stop.cancel();
                return;
            }
        }
    }
}

async fn upload(run: Arc<Run>, queue: async_channel::Receiver<Record>, cut: Arc<Mutex<Cut>>) {
    // Records that wait when the run is stopped are left: they count as not attempted.
    while !run.stop.is_cancelled()
        && let Ok(record) = queue.recv().await
    {
        let index = record.index;
        let ended = AssertUnwindSafe(run.images.store(record, &run.existing, &run.storing))
            .catch_unwind()
            .await
            .unwrap_or_else(|_| Err(ImageFailure::panicked(index)));
        match ended {
            Ok(state) => run.stats.ended(state),
            Err(failure) => {
                run.stats.ended(State::Failed);
                note(&run, &failure, &cut);
            }
        }
    }
}

/// Keeps a failure, and stops the run if it must not go on.
fn note(run: &Run, failure: &ImageFailure, cut: &Mutex<Cut>) {
    (run.on_failure)(failure);
    let mut cut = cut.lock().unwrap_or_else(PoisonError::into_inner);
    match &failure.refusal {
        Refusal::Conflict(_) => cut.conflicts += 1,
        Refusal::Fault(fault) if refuses_all(fault.kind) => {
            // A folder that is full or gone refuses all as well, but says so image by image.
            cut.refused.get_or_insert_with(|| fault.clone());
            run.stop.cancel();
        }
        Refusal::Fault(Fault { kind: FaultKind::Local, .. }) => {
            cut.refused.get_or_insert_with(|| failure.fault());
            run.stop.cancel();
        }
        Refusal::Fault(_) => {}
    }
    if run.on_error == OnError::Abort {
        run.stop.cancel();
    }
}
