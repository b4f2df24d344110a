//! The library as another program uses it: sources and sinks of its own, and what holds whatever they
//! do.

use std::path::PathBuf;
use std::sync::atomic::{AtomicBool, AtomicU32, Ordering};
use std::sync::{Arc, Condvar, Mutex};
use std::time::Duration;

use idx2gcs::encode::OutputFormat;
use idx2gcs::sink::{
    Auth, BoxFuture, Fault, FaultKind, Folder, Gcs, NameRange, NewObject, Page, Precondition,
    Stored, Zip,
};
use idx2gcs::source::{Images, Labels, Part, Source, SourceError};
use idx2gcs::{
    Concurrency, DataSet, Duplicates, Encoding, Error, Exit, IfExists, Image, ImageFormat, Load,
    Output, Partition, Prepared, Purpose, Silent, Sink, Size, Transfer,
};
use tokio_util::sync::CancellationToken;

/// Bytes of a picture.
const BYTES: usize = 500_000;

/// Counts those who pass, and holds them up while it is closed.
#[derive(Debug, Default)]
struct Gate {
    closed: Mutex<bool>,
    opened: Condvar,
    passing: AtomicU32,
}

impl Gate {
    fn closed() -> Arc<Self> {
        Arc::new(Self { closed: Mutex::new(true), ..Self::default() })
    }

    fn pass(&self) {
        self.passing.fetch_add(1, Ordering::SeqCst);
        let closed = self.closed.lock().unwrap();
        drop(self.opened.wait_while(closed, |closed| *closed).unwrap());
    }

    fn open(&self) {
        *self.closed.lock().unwrap() = false;
        self.opened.notify_all();
    }

    fn passed(&self) -> u32 {
        self.passing.load(Ordering::SeqCst)
    }
}

/// Image files made when they are asked for; nothing here decodes them.
#[derive(Debug, Default)]
struct Pictures {
    images: u32,
    /// Pictures that were asked for.
    asked: Arc<AtomicU32>,
    /// Whether nobody reads any more.
    dropped: Arc<AtomicBool>,
    labels: Arc<Labels>,
    /// Every picture that is asked for passes it.
    gate: Arc<Gate>,
}

struct Reading {
    next: u32,
    end: u32,
    asked: Arc<AtomicU32>,
    dropped: Arc<AtomicBool>,
    gate: Arc<Gate>,
}

impl Iterator for Reading {
    type Item = Result<Image, SourceError>;

    fn next(&mut self) -> Option<Self::Item> {
        if self.next == self.end {
            return None;
        }
        self.next += 1;
        self.asked.store(self.next, Ordering::SeqCst);
        self.gate.pass();
        let mut file = vec![0; BYTES];
        file[..4].copy_from_slice(&self.next.to_be_bytes());
        Some(Ok(Image::Encoded { format: ImageFormat::Jpeg, bytes: file.into() }))
    }
}

impl Drop for Reading {
    fn drop(&mut self) {
        self.dropped.store(true, Ordering::SeqCst);
    }
}

impl Source for Pictures {
    fn parts(&self) -> Vec<Part> {
        let (partition, path) = (Partition::Train, PathBuf::from("pictures"));
        vec![Part { partition, images: self.images, path }]
    }

    fn labels(&self) -> &Arc<Labels> {
        &self.labels
    }

    fn size(&self) -> Option<Size> {
        None
    }

    fn format(&self, _: u32) -> Option<ImageFormat> {
        Some(ImageFormat::Jpeg)
    }

    fn largest_image(&self) -> u64 {
        BYTES as u64
    }

    fn images(&self) -> Images {
        self.dropped.store(false, Ordering::SeqCst);
        let (asked, dropped) = (Arc::clone(&self.asked), Arc::clone(&self.dropped));
        let gate = Arc::clone(&self.gate);
        Box::new(Reading { next: 0, end: self.images, asked, dropped, gate })
    }

    fn prove(&self, _: &dyn Fn() -> bool) -> Result<(), SourceError> {
        Ok(())
    }
}

/// A sink that takes objects and never answers, or fails to list.
#[derive(Default)]
struct Silence {
    listing: Option<FaultKind>,
    puts: AtomicU32,
    /// Whether what it takes counts as stored at once.
    stores: bool,
    /// Every address that it gives passes it.
    addresses: Arc<Gate>,
}

impl Sink for Silence {
    fn url(&self) -> &'static str {
        "test://silence"
    }

    fn address(&self, name: &str) -> String {
        self.addresses.pass();
        name.to_owned()
    }

    fn check(&self, _: Purpose) -> BoxFuture<'_, Result<(), Fault>> {
        Box::pin(async { Ok(()) })
    }

    fn put<'a>(
        &'a self,
        object: &'a NewObject,
        _: Precondition,
    ) -> BoxFuture<'a, Result<Stored, Fault>> {
        self.puts.fetch_add(1, Ordering::SeqCst);
        if !self.stores {
            return Box::pin(std::future::pending());
        }
        let NewObject { name, body, crc32c, .. } = object;
        let (name, size, crc32c) = (name.clone(), body.size(), Some(*crc32c));
        Box::pin(async move { Ok(Stored { name, size, crc32c, generation: 1 }) })
    }

    fn stat<'a>(&'a self, _: &'a str) -> BoxFuture<'a, Result<Option<Stored>, Fault>> {
        Box::pin(async { Ok(None) })
    }

    fn delete<'a>(&'a self, _: &'a str) -> BoxFuture<'a, Result<(), Fault>> {
        Box::pin(async { Ok(()) })
    }

    fn list<'a>(
        &'a self,
        _: &'a NameRange,
        _: Option<String>,
    ) -> BoxFuture<'a, Result<Page, Fault>> {
        Box::pin(async {
            match self.listing {
                None => Ok(Page::default()),
                Some(kind) => Err(Fault::new(kind, "as scripted")),
            }
        })
    }
}

async fn prepared(
    pictures: Pictures,
    sink: Arc<Silence>,
    out: &std::path::Path,
    transfer: Transfer,
) -> idx2gcs::Prepared {
    let data = DataSet::of(pictures).open_blocking().unwrap();
    let (output, stop) = (Output::open(out).unwrap(), CancellationToken::new());
    let purpose = Purpose::Write;
    Load::of(data).prepare(sink, output, transfer, purpose, &stop).await.unwrap()
}

/// Prepares a load of cats and Cats under names of that template.
async fn prepare_named(template: &str, sink: Arc<dyn Sink>) -> Result<Prepared, Error> {
    let labels = Arc::new(Labels::Narrow((0..20).map(|index| index % 2).collect()));
    let pictures = Pictures { images: 20, labels, ..Pictures::default() };
    let data = DataSet::of(pictures).classes(["cat", "Cat"]).open_blocking().unwrap();
    let (out, stop) = (tempfile::tempdir().unwrap(), CancellationToken::new());
    let (output, transfer) = (Output::open(out.path()).unwrap(), Transfer::default());
    let load = Load::of(data).name(template).unwrap();
    load.prepare(sink, output, transfer, Purpose::Write, &stop).await
}

/// Waits, for a few seconds at most, until something holds.
async fn until(what: impl Fn() -> bool) -> bool {
    until_for(5000, what).await
}

/// Waits so many milliseconds at most.
async fn until_for(ms: u64, what: impl Fn() -> bool) -> bool {
    for _ in 0..ms / 10 {
        if what() {
            return true;
        }
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
    false
}

/// Requests in flight would permit a thousand records; memory permits ten, and one more is in the
/// reader's hands.
#[tokio::test(flavor = "multi_thread")]
async fn records_and_bodies_stay_within_the_budget() {
    let dir = tempfile::tempdir().unwrap();
    let pictures = Pictures { images: 200, ..Pictures::default() };
    let (asked, sink) = (Arc::clone(&pictures.asked), Arc::new(Silence::default()));
    let mut transfer = Transfer { memory: 10_050_000, ..Transfer::default() };
    transfer.pace.concurrency = Concurrency { auto: false, limit: 1000 };
    let prepared = prepared(pictures, Arc::clone(&sink), dir.path(), transfer).await;
    asked.store(0, Ordering::SeqCst);
    let stop = CancellationToken::new();
    let running = tokio::spawn(async move { prepared.run(Arc::new(Silent), &stop).await });
    // A picture of half a megabyte counts twice: itself, and the body made of it.
    assert!(until(|| sink.puts.load(Ordering::SeqCst) == 10).await, "as many as fit");
    assert!(until(|| asked.load(Ordering::SeqCst) == 11).await, "one waits in the reader's hands");
    assert!(!until_for(200, || asked.load(Ordering::SeqCst) > 11).await, "and no more");
    running.abort();
}

/// A dropped load leaves no thread that reads, and no task that sends.
#[tokio::test(flavor = "multi_thread")]
async fn dropping_a_load_ends_its_threads() {
    let dir = tempfile::tempdir().unwrap();
    let pictures = Pictures { images: 1000, ..Pictures::default() };
    let (dropped, sink) = (Arc::clone(&pictures.dropped), Arc::new(Silence::default()));
    let transfer = Transfer { memory: 5_000_000, queue: 2, ..Transfer::default() };
    let prepared = prepared(pictures, Arc::clone(&sink), dir.path(), transfer).await;
    let stop = CancellationToken::new();
    let running = tokio::spawn(async move { prepared.run(Arc::new(Silent), &stop).await });
    assert!(until(|| sink.puts.load(Ordering::SeqCst) >= 2).await);
    assert!(!dropped.load(Ordering::SeqCst), "the reader waits for room");
    running.abort();
    assert!(until(|| dropped.load(Ordering::SeqCst)).await, "the reader has ended");
    assert!(until(|| Arc::strong_count(&sink) == 1).await, "nobody holds the sink");
    Output::open(dir.path()).expect("the output folder is free again");
}

/// Drops what runs once the first has come to the gate, opens it, and returns how many have passed when
/// `ended` holds.
async fn passed_when_dropped<T: Send + 'static>(
    running: impl Future<Output = T> + Send + 'static,
    gate: &Gate,
    ended: impl Fn() -> bool,
) -> u32 {
    let running = tokio::spawn(running);
    assert!(until(|| gate.passed() > 0).await, "it comes to the gate");
    running.abort();
    assert!(running.await.is_err(), "it was dropped");
    gate.open();
    assert!(until(ended).await, "its thread has ended");
    gate.passed()
}

/// A survey, preparing and a dry run read images: their threads end with the image that they read.
#[tokio::test(flavor = "multi_thread")]
async fn dropping_what_reads_ends_its_thread() {
    for stage in ["survey", "prepare", "plan"] {
        let dir = tempfile::tempdir().unwrap();
        let (gate, images) = (Gate::closed(), 50);
        let pictures = Pictures { images, gate: Arc::clone(&gate), ..Pictures::default() };
        let dropped = Arc::clone(&pictures.dropped);
        let load = Load::of(DataSet::of(pictures).open_blocking().unwrap());
        let output = Output::open(dir.path()).unwrap();
        let stop = CancellationToken::new();
        let running = async move {
            match stage {
                "survey" => drop(load.survey(false, &stop).await),
                "prepare" => {
                    let (sink, transfer) = (Arc::new(Silence::default()), Transfer::default());
                    drop(load.prepare(sink, output, transfer, Purpose::Write, &stop).await);
                }
                _ => {
                    let load = load.duplicates(Duplicates::Off);
                    let surveyed = load.survey(false, &stop).await.unwrap();
                    drop(surveyed.plan("a", str::to_owned, false).await);
                }
            }
        };
        let ended = || dropped.load(Ordering::SeqCst);
        let passed = passed_when_dropped(running, &gate, ended).await;
        assert!(passed <= 2, "{stage} read {passed} images");
    }
}

/// The rows of manifests are written, or compared, on a thread: it ends with the row that it is at.
#[tokio::test(flavor = "multi_thread")]
async fn dropping_what_makes_manifests_ends_its_thread() {
    for verifies in [false, true] {
        let dir = tempfile::tempdir().unwrap();
        let (addresses, images) = (Gate::closed(), 50);
        let gate = Arc::clone(&addresses);
        let sink = Arc::new(Silence { stores: true, addresses, ..Silence::default() });
        let pictures = Pictures { images, ..Pictures::default() };
        let held = Arc::clone(&sink);
        let prepared = prepared(pictures, held, dir.path(), Transfer::default()).await;
        let stop = CancellationToken::new();
        let running = async move {
            if verifies {
                drop(prepared.verify(Arc::new(Silent), &stop).await);
            } else {
                prepared.run(Arc::new(Silent), &stop).await;
            }
        };
        let ended = || Arc::strong_count(&sink) == 1;
        let passed = passed_when_dropped(running, &gate, ended).await;
        assert!(passed <= 2, "verifies {verifies}: {passed} rows were made");
    }
}

/// A sink says whether names become those of files, and its caller needs not know that.
#[tokio::test]
async fn names_are_checked_as_their_sink_needs_it() {
    let dir = tempfile::tempdir().unwrap();
    let folder = || -> Arc<dyn Sink> { Arc::new(Folder::new("a", dir.path().join("a"))) };
    let zip = || -> Arc<dyn Sink> { Arc::new(Zip::new("a.zip", dir.path().join("a.zip"))) };
    let emulator = Gcs::new("http://127.0.0.1:9", "bucket", "", Auth::Anonymous).unwrap();
    let bucket = || -> Arc<dyn Sink> { Arc::new(Silence::default()) };

    for sink in [folder(), zip(), Arc::new(emulator.keeping_files())] {
        let error = prepare_named("aux/{index}.{ext}", sink).await.err().unwrap();
        assert_eq!(error.exit(), Exit::Usage);
        assert!(error.to_string().contains("the name of a device on Windows"), "{error}");
    }
    for sink in [folder(), zip()] {
        let error = prepare_named("{class}/{index}.{ext}", sink).await.err().unwrap();
        assert!(matches!(&error, Error::Findings(_)), "{error}");
        assert!(error.to_string().contains("cat = Cat"), "{error}");
    }
    for sink in [folder(), zip(), bucket()] {
        let error = prepare_named("automl.csv/{index}.{ext}", sink).await.err().unwrap();
        assert_eq!(error.exit(), Exit::Usage);
        assert!(error.to_string().contains("without the folder \"automl.csv\""), "{error}");
    }
    for template in ["aux/{index}.{ext}", "{class}/{index}.{ext}"] {
        assert!(prepare_named(template, bucket()).await.is_ok(), "{template}");
    }
    assert!(!dir.path().join("a").exists() && !dir.path().join("a.zip").exists());
}

/// What happens to an archive that exists is said in one place. Nothing is deleted from one.
#[tokio::test]
async fn an_archive_is_treated_as_the_transfer_says() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("a.zip");
    let load = async |transfer: Transfer| {
        let pictures = Pictures { images: 3, ..Pictures::default() };
        let data = DataSet::of(pictures).open_blocking().unwrap();
        let output = Output::open(dir.path().join("out")).unwrap();
        let (sink, stop) = (Arc::new(Zip::new("a.zip", path.clone())), CancellationToken::new());
        let prepared =
            Load::of(data).prepare(sink, output, transfer, Purpose::Write, &stop).await?;
        let summary = prepared.run(Arc::new(Silent), &stop).await.into_result()?;
        Ok::<_, Error>((summary.uploaded, summary.already_present))
    };
    let with = |if_exists, prune| Transfer { if_exists, prune, ..Transfer::default() };
    assert_eq!(load(with(IfExists::Fail, false)).await.unwrap(), (3, 0));
    for prune in [false, true] {
        assert_eq!(load(with(IfExists::Skip, prune)).await.unwrap(), (0, 3), "prune {prune}");
    }
    assert_eq!(load(with(IfExists::Overwrite, false)).await.unwrap(), (3, 0));
    let error = load(with(IfExists::Fail, false)).await.unwrap_err();
    assert_eq!(error.exit(), Exit::Destination);
    assert!(error.to_string().contains("exists already; --if-exists overwrite"), "{error}");
}

/// A second run into a folder that is in use is refused at once.
#[tokio::test]
async fn an_output_folder_takes_one_run_at_a_time() {
    let dir = tempfile::tempdir().unwrap();
    let first = Output::open(dir.path()).unwrap();
    let second = Output::open(dir.path()).unwrap_err();
    assert_eq!(second.exit(), Exit::Usage);
    assert!(second.to_string().contains("in use by process "), "{second}");
    drop(first);
    Output::open(dir.path()).unwrap();
}

/// What only another source or another setting changes is no matter for a rerun.
#[tokio::test]
async fn images_that_cannot_be_encoded_are_the_sources_fault() {
    let dir = tempfile::tempdir().unwrap();
    let pictures = Pictures { images: 3, ..Pictures::default() };
    let data = DataSet::of(pictures).open_blocking().unwrap();
    let (output, stop) = (Output::open(dir.path()).unwrap(), CancellationToken::new());
    let encoding = Encoding { format: OutputFormat::Png, ..Encoding::default() };
    let (sink, transfer) = (Arc::new(Silence::default()), Transfer::default());
    let load = Load::of(data).encode(encoding);
    let prepared = load.prepare(sink, output, transfer, Purpose::Write, &stop).await.unwrap();
    let outcome = prepared.run(Arc::new(Silent), &stop).await;
    let error = outcome.error.unwrap();
    assert_eq!((error.exit(), error.rerun_helps()), (Exit::Source, false));
    assert_eq!((outcome.summary.failed, outcome.summary.exit_code), (3, 3));
    assert!(matches!(error, Error::Unencodable { index: 0, count: 3, .. }), "{error:?}");
    let says = error.to_string();
    assert!(says.starts_with("image 0 cannot be encoded: "), "{says}");
    let advice = "; change the source or the settings of [image]";
    assert!(says.ends_with(advice) && says.contains("failures.jsonl"), "{says}");
}

/// Whether a rerun helps decides the exit code, for loading and verifying alike.
#[tokio::test(start_paused = true)]
async fn a_listing_that_fails_is_no_refusal() {
    for (kind, exit) in
        [(FaultKind::Status(503), Exit::Incomplete), (FaultKind::Status(403), Exit::Destination)]
    {
        let dir = tempfile::tempdir().unwrap();
        for verify in [false, true] {
            let pictures = Pictures { images: 20, ..Pictures::default() };
            let sink = Arc::new(Silence { listing: Some(kind), ..Silence::default() });
            let prepared = prepared(pictures, sink, dir.path(), Transfer::default()).await;
            let (silent, stop) = (Arc::new(Silent), CancellationToken::new());
            let error = if verify {
                prepared.verify(silent, &stop).await.unwrap_err()
            } else {
                prepared.run(silent, &stop).await.into_result().unwrap_err()
            };
            assert_eq!(error.exit(), exit, "{kind}, verify {verify}: {error}");
        }
    }
}
