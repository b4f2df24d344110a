//! What the pipeline does when what it calls panics.

use std::sync::atomic::{AtomicU32, Ordering};

use bytes::Bytes;

use super::*;
use crate::model::{Image, Selection, Size};
use crate::sink::Body;

const IMAGES: u32 = 20;

/// What panics, if anything.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Panics {
    Name,
    Object,
    Work,
    OnFailure,
    StopsAt,
}

struct Made(Panics);

impl Objects for Made {
    fn name(&self, record: &Record) -> String {
        assert_ne!(self.0, Panics::Name);
        record.index.to_string()
    }

    fn cost(&self, _: &Record) -> u64 {
        1
    }

    fn object(&self, _: Record, name: String) -> Result<NewObject, NotStored> {
        assert_ne!(self.0, Panics::Object);
        let body = Body::Bytes(Bytes::new());
        Ok(NewObject { name, body, crc32c: 0, content_type: "image/png", metadata: Vec::new() })
    }
}

/// Fails at every other image.
struct Failing(Panics);

impl Work for Failing {
    async fn object(
        &self,
        object: NewObject,
        _: Option<Stored>,
    ) -> Result<State, (NotStored, u32)> {
        if object.name.parse::<u32>().unwrap().is_multiple_of(2) {
            return Ok(State::AlreadyPresent);
        }
        assert_ne!(self.0, Panics::Work);
        Err((NotStored::Missing, 1))
    }

    fn stops_at(&self, _: &ImageFailure) -> Option<Stop> {
        assert_ne!(self.0, Panics::StopsAt);
        None
    }
}

fn records() -> impl Iterator<Item = Result<Record, SourceError>> + Send + 'static {
    (0..IMAGES).map(|index| {
        let size = Size { rows: 1, cols: 1, channels: 1 };
        Ok(Record { index, label: None, image: Image::Raw { size, pixels: vec![0] } })
    })
}

fn run_with(panics: Panics, failures: &Arc<AtomicU32>) -> Pipeline<Failing> {
    let stats = Arc::new(Stats::new(IMAGES, Arc::new(Pace::fixed(2))));
    let failures = Arc::clone(failures);
    Pipeline {
        images: IMAGES,
        objects: Arc::new(Made(panics)),
        work: Failing(panics),
        existing: Existing::none(Selection::First(IMAGES)),
        pace: Arc::clone(stats.pace()),
        memory: 1_000_000,
        queue: 4,
        stats,
        stop: CancellationToken::new(),
        drain: DRAIN,
        on_failure: Box::new(move |_| {
            failures.fetch_add(1, Ordering::SeqCst);
            assert_ne!(panics, Panics::OnFailure);
        }),
    }
}

/// Each image has its one end, in what decides and in what is displayed, and the workers go on.
#[tokio::test]
async fn a_panic_costs_its_image_alone() {
    for (panics, failed) in [
        (Panics::Name, IMAGES),
        (Panics::Object, IMAGES),
        (Panics::Work, IMAGES / 2),
        (Panics::OnFailure, IMAGES / 2),
        (Panics::StopsAt, IMAGES / 2),
    ] {
        let failures = Arc::default();
        let ours = Arc::new(run_with(panics, &failures));
        let RunResult { counts, stop, source, decoder_panic, .. } =
            run(Arc::clone(&ours), records()).await;
        let expected = Counts {
            images: IMAGES,
            already_present: IMAGES - failed,
            failed,
            defects: failed,
            ..Counts::default()
        };
        assert_eq!(counts, expected, "{panics:?}");
        assert_eq!(failures.load(Ordering::SeqCst), failed, "{panics:?}");
        assert!(stop.is_none() && source.is_none() && decoder_panic.is_none());
        let displayed = ours.stats.snapshot();
        assert_eq!((displayed.failed, displayed.already_present), (failed, IMAGES - failed));
    }
}

/// A worker that is dropped gives its permit to the one that waits for it.
#[tokio::test]
async fn a_worker_gives_its_permit_back_however_it_ends() {
    let ours = Arc::new(run_with(Panics::Name, &Arc::default()));
    let pace = Arc::clone(&ours.pace);
    let (to_workers, queue) = async_channel::bounded(1);
    let shared = Shared {
        run: ours,
        queue,
        room: Arc::new(Semaphore::new(1)),
        encoders: Arc::new(Semaphore::new(1)),
        held: Held::default(),
        counts: Arc::new(counts::Tally::new(IMAGES)),
    };
    pace.vacancy().await;
    let mut worker = Box::pin(work(shared));
    assert!(worker.as_mut().now_or_never().is_none(), "it waits for a record");
    assert!(pace.reacquire().now_or_never().is_none(), "nobody has given one back");
    drop(worker);
    assert!(pace.reacquire().now_or_never().is_some());
    drop(to_workers);
}
