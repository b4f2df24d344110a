//! The library as another program uses it: sources and sinks of its own, and what holds whatever they
//! do.

use std::sync::Arc;
use std::sync::atomic::Ordering;

use idx2gcs::encode::OutputFormat;
use idx2gcs::sink::{Auth, FaultKind, Folder, Gcs, Zip};
use idx2gcs::source::Labels;
use idx2gcs::{
    CancellationToken, Concurrency, DataSet, Encoding, Error, Exit, IfExists, Load, Output,
    Prepared, Purpose, Silent, Sink, Transfer,
};

use crate::support::pictures::{Pictures, Silence, prepared, until, until_for};

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
