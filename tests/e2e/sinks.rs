//! The library with sinks that misbehave: each fault at each attempt, before and after the write
//! took place, in a bucket, in a folder and in a zip.

use std::ops::RangeInclusive;
use std::panic::AssertUnwindSafe;
use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::Duration;

use futures::FutureExt;
use idx2gcs::Backoff;
use idx2gcs::Concurrency;
use idx2gcs::load::Transfer;
use idx2gcs::sink::folder::Folder;
use idx2gcs::sink::{
    BoxFuture, Fault, FaultKind, NameRange, NewObject, Page, Precondition, Purpose, Sink, Stored,
};
use idx2gcs::{Error, Exit};
use idx2gcs_emulator::{Emulator, Options};
use tokio::sync::Semaphore;
use tokio::task::JoinSet;

use crate::support::destinations::{Destination, Kind};
use crate::support::{Set, load_into, transfer};

/// What happens to one object's writes.
#[derive(Debug, Clone)]
enum Mishap {
    /// A fault, before the write or after it took place.
    Fault {
        kind: FaultKind,
        after: bool,
    },
    Panic,
}

/// A sink in which the writes of `image_7.jpg` go wrong at these attempts.
struct Faulty {
    inner: Arc<dyn Sink>,
    mishap: Mishap,
    attempts: RangeInclusive<u32>,
    seen: AtomicU32,
}

impl Sink for Faulty {
    fn url(&self) -> &str {
        self.inner.url()
    }

    fn address(&self, name: &str) -> String {
        self.inner.address(name)
    }

    fn check_makes_something(&self) -> bool {
        self.inner.check_makes_something()
    }

    fn check(&self, purpose: Purpose) -> BoxFuture<'_, Result<(), Fault>> {
        self.inner.check(purpose)
    }

    fn put<'a>(
        &'a self,
        object: &'a NewObject,
        condition: Precondition,
    ) -> BoxFuture<'a, Result<Stored, Fault>> {
        if object.name != "image_7.jpg" {
            return self.inner.put(object, condition);
        }
        let attempt = self.seen.fetch_add(1, Ordering::Relaxed) + 1;
        Box::pin(async move {
            if !self.attempts.contains(&attempt) {
                return self.inner.put(object, condition).await;
            }
            match self.mishap {
                Mishap::Panic => panic!("a sink that panics"),
                Mishap::Fault { kind, after } => {
                    if after {
                        self.inner.put(object, condition).await?;
                    }
                    Err(Fault::new(kind, "injected"))
                }
            }
        })
    }

    fn stat<'a>(&'a self, name: &'a str) -> BoxFuture<'a, Result<Option<Stored>, Fault>> {
        self.inner.stat(name)
    }

    fn delete<'a>(&'a self, name: &'a str) -> BoxFuture<'a, Result<(), Fault>> {
        self.inner.delete(name)
    }

    fn list<'a>(
        &'a self,
        range: &'a NameRange,
        page: Option<String>,
    ) -> BoxFuture<'a, Result<Page, Fault>> {
        self.inner.list(range, page)
    }

    fn counts_as_a_whole(&self) -> bool {
        self.inner.counts_as_a_whole()
    }

    fn finish(&self) -> BoxFuture<'_, Result<(), Fault>> {
        self.inner.finish()
    }
}

const PASSING: [FaultKind; 11] = [
    FaultKind::Connect,
    FaultKind::Closed,
    FaultKind::Idle,
    FaultKind::CutOff,
    FaultKind::Timeout,
    FaultKind::Unparsable,
    FaultKind::RateLimited,
    FaultKind::Credentials { transient: true },
    FaultKind::Status(408),
    FaultKind::Status(429),
    FaultKind::Status(503),
];

/// One fault: its kind, whether it comes after the write, and up to which attempt, of at most four.
#[derive(Debug, Clone, Copy)]
struct Case {
    kind: FaultKind,
    after: bool,
    last: u32,
    place: Kind,
}

#[tokio::test(flavor = "multi_thread")]
async fn every_fault_at_every_attempt_in_every_sink() {
    let mut cases = Vec::new();
    for kind in PASSING {
        for after in [false, true] {
            // The first attempt, the first two, all but the last, and all.
            for last in 1..=4 {
                cases.extend(Kind::ALL.map(|place| Case { kind, after, last, place }));
            }
        }
    }
    let set = Arc::new(Set::new(20, 5));
    let buckets = vec!["demo".to_owned()];
    let emulator = Emulator::start(Options { buckets, ..Options::default() }).await.unwrap();
    let emulator = Arc::new(emulator);
    let (some, mut runs) = (Arc::new(Semaphore::new(8)), JoinSet::new());
    for case in cases {
        let (set, emulator, some) = (Arc::clone(&set), Arc::clone(&emulator), Arc::clone(&some));
        runs.spawn(async move {
            let _one_of_some = some.acquire().await.unwrap();
            AssertUnwindSafe(ends_as_it_should(case, &set, &emulator))
                .catch_unwind()
                .await
                .map_err(|_| case)
        });
    }
    let failed: Vec<_> = runs.join_all().await.into_iter().filter_map(Result::err).collect();
    assert!(failed.is_empty(), "{} cases failed, see above: {failed:#?}", failed.len());
    assert_eq!(emulator.counters().overwrites, 0);
}

async fn ends_as_it_should(case: Case, set: &Set, emulator: &Emulator) {
    let Case { kind, after, last, place } = case;
    let dir = tempfile::tempdir().unwrap();
    // The folder's name is one that no other case has.
    let name = dir.path().file_name().unwrap().to_str().unwrap().trim_start_matches('.');
    let to = Destination::new(place, emulator, dir.path(), name);
    let mishap = Mishap::Fault { kind, after };
    // All means all: an idle connection that closes is one attempt more, and refusals because of too
    // many requests end with the time.
    let attempts = 1..=if last == 4 { u32::MAX } else { last };
    let (inner, seen) = (Arc::clone(&to.sink), AtomicU32::new(0));
    let faulty = Faulty { inner, mishap, attempts, seen };
    let mut more = transfer();
    more.retry.max_attempts = 4;
    if kind.is_rate_limit() && last == 4 {
        let pause = Duration::from_millis(200);
        more.retry.max_elapsed = 3 * pause;
        more.retry.backoff = Backoff { initial: pause, max: pause };
    }
    let out = dir.path().join("out");
    let outcome = load_into(Arc::new(faulty), set, &out, more, 75).await;

    // A write that took place is found by the next attempt.
    let stored = last < 4 || after;
    let summary = outcome.summary;
    assert_eq!(summary.uploaded, 24 + u32::from(stored), "{case:?}");
    assert_eq!(summary.failed, u32::from(!stored), "{case:?}");
    assert_eq!(outcome.error.is_none(), stored, "{case:?}");
    assert_eq!(out.join("automl.csv").exists(), stored, "{case:?}");
    let there = to.sink.stat("image_7.jpg").await.unwrap();
    assert_eq!(there.is_some(), stored, "{case:?}");
    if place == Kind::Zip {
        // There is an archive only if it has each entry, and it has each once.
        let path = to.path();
        drop(to);
        assert_eq!(path.exists(), stored, "{case:?}");
        assert!(!path.with_added_extension("partial").exists(), "{case:?}");
        if stored {
            let archive = zip::ZipArchive::new(std::fs::File::open(path).unwrap()).unwrap();
            assert_eq!((archive.len(), archive.has_duplicate_names()), (27, false), "{case:?}");
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_panic_costs_one_image() {
    let (set, dir) = (Set::new(20, 5), tempfile::tempdir().unwrap());
    let inner: Arc<dyn Sink> = Arc::new(Folder::new("d", dir.path().join("d")));
    let faulty = Faulty { inner, mishap: Mishap::Panic, attempts: 1..=9, seen: AtomicU32::new(0) };
    let out = dir.path().join("out");
    let outcome = load_into(Arc::new(faulty), &set, &out, transfer(), 75).await;
    assert_eq!((outcome.summary.uploaded, outcome.summary.failed), (24, 1));
    assert_eq!(outcome.error.as_ref().map(Error::exit), Some(Exit::Internal), "it is a defect");
    let failures = std::fs::read_to_string(out.join("failures.jsonl")).unwrap();
    assert!(failures.contains("\"object\":\"image_7.jpg\""), "{failures}");
    assert!(failures.contains("panicked"), "{failures}");
}

/// What would meet every other object as well, such as a full disk, ends the run; what is wrong with
/// one file costs one image.
#[tokio::test(flavor = "multi_thread")]
async fn a_disk_that_refuses_ends_the_run() {
    let (set, dir) = (Set::new(20, 5), tempfile::tempdir().unwrap());
    let inner: Arc<dyn Sink> = Arc::new(Folder::new("d", dir.path().join("d")));
    let mishap = Mishap::Fault { kind: FaultKind::Local, after: false };
    let faulty = Faulty { inner, mishap, attempts: 1..=9, seen: AtomicU32::new(0) };
    let out = dir.path().join("out");
    let mut more = transfer();
    more.pace.concurrency = Concurrency { auto: false, limit: 1 };
    let outcome = load_into(Arc::new(faulty), &set, &out, more, 75).await;
    assert_eq!(outcome.error.as_ref().map(Error::exit), Some(Exit::Destination));
    let summary = outcome.summary;
    assert_eq!((summary.uploaded, summary.failed, summary.not_attempted), (7, 1, 17));
}

#[tokio::test(flavor = "multi_thread")]
async fn one_bad_file_costs_one_image() {
    let (set, dir) = (Set::new(20, 5), tempfile::tempdir().unwrap());
    for name in ["image_3.jpg", "image_4.jpg/below"] {
        std::fs::create_dir_all(dir.path().join("d").join(name)).unwrap();
    }
    let sink: Arc<dyn Sink> = Arc::new(Folder::new("d", dir.path().join("d")));
    let outcome = load_into(sink, &set, &dir.path().join("out"), transfer(), 75).await;
    assert_eq!(outcome.error.as_ref().map(Error::exit), Some(Exit::Incomplete));
    assert_eq!((outcome.summary.uploaded, outcome.summary.failed), (23, 2));
}

/// An object of which somebody else writes a new generation between our look and our write.
struct Contested(Folder);

impl Sink for Contested {
    fn url(&self) -> &str {
        self.0.url()
    }

    fn check(&self, purpose: Purpose) -> BoxFuture<'_, Result<(), Fault>> {
        self.0.check(purpose)
    }

    fn put<'a>(
        &'a self,
        object: &'a NewObject,
        condition: Precondition,
    ) -> BoxFuture<'a, Result<Stored, Fault>> {
        // What is listed as generation 1 is generation 2 by now.
        match condition {
            Precondition::Generation(1) if object.name == "image_7.jpg" => {
                Box::pin(async { Err(Fault::new(FaultKind::Precondition, "not generation 1")) })
            }
            _ => self.0.put(object, condition),
        }
    }

    fn stat<'a>(&'a self, name: &'a str) -> BoxFuture<'a, Result<Option<Stored>, Fault>> {
        Box::pin(async move {
            let stored = self.0.stat(name).await?;
            Ok(stored.map(|stored| Stored { generation: 1, ..stored }))
        })
    }

    fn delete<'a>(&'a self, name: &'a str) -> BoxFuture<'a, Result<(), Fault>> {
        self.0.delete(name)
    }

    fn list<'a>(
        &'a self,
        range: &'a NameRange,
        page: Option<String>,
    ) -> BoxFuture<'a, Result<Page, Fault>> {
        self.0.list(range, page)
    }
}

/// Overwriting replaces what was there at the start and nothing that came since.
#[tokio::test(flavor = "multi_thread")]
async fn overwriting_spares_what_somebody_else_writes_meanwhile() {
    let (set, dir) = (Set::new(20, 5), tempfile::tempdir().unwrap());
    let root = dir.path().join("d");
    let folder: Arc<dyn Sink> = Arc::new(Folder::new("d", root.clone()));
    assert!(load_into(folder, &set, &dir.path().join("out"), transfer(), 75).await.error.is_none());
    let before = std::fs::read(root.join("image_7.jpg")).unwrap();

    let more = Transfer { if_exists: idx2gcs::sink::IfExists::Overwrite, ..transfer() };
    let contested: Arc<dyn Sink> = Arc::new(Contested(Folder::new("d", root.clone())));
    let outcome = load_into(contested, &set, &dir.path().join("out"), more, 20).await;
    assert_eq!(outcome.error.as_ref().map(Error::exit), Some(Exit::Destination));
    assert_eq!((outcome.summary.uploaded, outcome.summary.failed), (24, 1));
    assert_eq!(std::fs::read(root.join("image_7.jpg")).unwrap(), before);
    let failures = std::fs::read_to_string(dir.path().join("out/failures.jsonl")).unwrap();
    assert!(failures.contains("was written by somebody else meanwhile"), "{failures}");
}
