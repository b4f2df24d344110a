//! Futures of the library that are dropped: their threads and tasks end.

use std::sync::Arc;
use std::sync::atomic::Ordering;

use idx2gcs::{CancellationToken, DataSet, Duplicates, Load, Output, Purpose, Silent, Transfer};

use crate::support::pictures::{Gate, Pictures, Silence, prepared, until};

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
