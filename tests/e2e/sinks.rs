//! The library with sinks that misbehave: each fault at each attempt, before and after the write
//! took place, in a bucket, in a folder and in a zip.

use std::ops::RangeInclusive;
use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::Duration;

use idx2gcs::internals::pace::Concurrency;
use idx2gcs::internals::retry::backoff::Backoff;
use idx2gcs::load::Transfer;
use idx2gcs::sink::IfExists;
use idx2gcs::sink::folder::Folder;
use idx2gcs::sink::gcs::{Auth, Gcs};
use idx2gcs::sink::zip::Zip;
use idx2gcs::sink::{
    BoxFuture, Fault, FaultKind, NameRange, NewObject, Page, Precondition, Purpose, Sink, Stored,
};
use idx2gcs::{Error, Exit};
use idx2gcs_emulator::{Emulator, Options};

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

/// The kinds of destinations.
#[derive(Debug, Clone, Copy, PartialEq)]
enum Kind {
    Bucket,
    Folder,
    Zip,
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

#[tokio::test(flavor = "multi_thread")]
async fn every_fault_at_every_attempt_in_every_sink() {
    let set = Set::new(20, 5);
    for kind in PASSING {
        for after in [false, true] {
            // The first attempt, the first two, all but the last, and all.
            for last in 1..=4 {
                for place in [Kind::Bucket, Kind::Folder, Kind::Zip] {
                    let what = format!("{kind}, after {after}, until {last}, {place:?}");
                    let dir = tempfile::tempdir().unwrap();
                    let buckets = vec!["demo".to_owned()];
                    let options = Options { buckets, ..Options::default() };
                    let emulator = if place == Kind::Bucket {
                        Some(Emulator::start(options).await.unwrap())
                    } else {
                        None
                    };
                    let zip = dir.path().join("d.zip");
                    let inner: Arc<dyn Sink> = match &emulator {
                        Some(emulator) => {
                            let auth = Auth::Anonymous;
                            Arc::new(Gcs::new(&emulator.url(), "demo", "fm", auth).unwrap())
                        }
                        None if place == Kind::Zip => {
                            Arc::new(Zip::new("d.zip", zip.clone(), IfExists::Skip))
                        }
                        None => Arc::new(Folder::new("d", dir.path().join("d"))),
                    };
                    let mishap = Mishap::Fault { kind, after };
                    // All means all: an idle connection that closes is one attempt more, and
                    // refusals because of too many requests end with the time.
                    let attempts = 1..=if last == 4 { u32::MAX } else { last };
                    let seen = AtomicU32::new(0);
                    let faulty = Faulty { inner: Arc::clone(&inner), mishap, attempts, seen };
                    let mut more = transfer();
                    more.retry.max_attempts = 4;
                    if kind.is_rate_limit() && last == 4 {
                        let pause = Duration::from_millis(20);
                        more.retry.max_elapsed = 3 * pause;
                        more.retry.backoff = Backoff { initial: pause, max: pause };
                    }
                    let out = dir.path().join("out");
                    let outcome = load_into(Arc::new(faulty), &set, &out, more, 75).await;

                    // A write that took place is found by the next attempt.
                    let stored = last < 4 || after;
                    let summary = outcome.summary;
                    assert_eq!(summary.uploaded, 24 + u32::from(stored), "{what}");
                    assert_eq!(summary.failed, u32::from(!stored), "{what}");
                    assert_eq!(outcome.error.is_none(), stored, "{what}");
                    assert_eq!(out.join("automl.csv").exists(), stored, "{what}");
                    let there = inner.stat("image_7.jpg").await.unwrap();
                    assert_eq!(there.is_some(), stored, "{what}");
                    if let Some(emulator) = emulator {
                        assert_eq!(emulator.counters().overwrites, 0, "{what}");
                    }
                    // There is an archive only if it has each entry, and it has each once.
                    drop(inner);
                    assert_eq!(zip.exists(), stored && place == Kind::Zip, "{what}");
                    assert!(!dir.path().join("d.zip.partial").exists(), "{what}");
                    if zip.exists() {
                        let file = std::fs::File::open(&zip).unwrap();
                        let archive = zip::ZipArchive::new(file).unwrap();
                        assert_eq!((archive.len(), archive.has_duplicate_names()), (27, false));
                    }
                }
            }
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

    let more = Transfer { if_exists: IfExists::Overwrite, ..transfer() };
    let contested: Arc<dyn Sink> = Arc::new(Contested(Folder::new("d", root.clone())));
    let outcome = load_into(contested, &set, &dir.path().join("out"), more, 20).await;
    assert_eq!(outcome.error.as_ref().map(Error::exit), Some(Exit::Destination));
    assert_eq!((outcome.summary.uploaded, outcome.summary.failed), (24, 1));
    assert_eq!(std::fs::read(root.join("image_7.jpg")).unwrap(), before);
    let failures = std::fs::read_to_string(dir.path().join("out/failures.jsonl")).unwrap();
    assert!(failures.contains("was written by somebody else meanwhile"), "{failures}");
}
