//! A load through the library, into a sink of the test's own.

use std::path::Path;
use std::sync::Arc;

use idx2gcs::check::Survey;
use idx2gcs::config::{KEYS, Layers, Settings};
use idx2gcs::load::{Job, Outcome, load, prepare_output, reach};
use idx2gcs::pace::Pace;
use idx2gcs::report::{Silent, Stats};
use idx2gcs::sink::{Purpose, Sink};
use idx2gcs::source::{DataSet, ReadOptions, folder_files};
use tokio_util::sync::CancellationToken;

use super::set::Set;

/// Settings with these values, as flags.
fn settings(values: &[(&str, &str)]) -> Settings {
    let mut layers = Layers::defaults().unwrap();
    let key = |path: &str| KEYS.iter().find(|key| key.path == path).unwrap();
    layers.add_flags(values.iter().map(|(path, text)| (key(path), "test", (*text).to_owned())));
    Settings::validate(&layers).unwrap()
}

/// Loads a small set into a sink.
pub async fn load_into(
    sink: Arc<dyn Sink>,
    set: &Set,
    out: &Path,
    more: &[(&str, &str)],
) -> Outcome {
    let source = set.path().to_str().unwrap();
    let mut values = vec![
        ("source.path", source),
        ("destination.url", "gs://demo/fm"),
        ("split.validation", "10"),
        ("retry.initial_backoff", "1ms"),
        ("retry.max_backoff", "5ms"),
        ("output.dir", out.to_str().unwrap()),
    ];
    values.extend(more);
    let settings = settings(&values);
    prepare_output(&settings).unwrap();
    let files = folder_files(set.path()).unwrap();
    let data = DataSet::open(&files, &ReadOptions::default()).unwrap();
    let job = Job::new(&settings, data, &Survey::default()).unwrap();
    let stop = CancellationToken::new();
    reach(&settings, &*sink, Purpose::Write, &stop).await.unwrap();
    let stats = Arc::new(Stats::new(job.count, Arc::new(Pace::new(settings.pace))));
    load(&settings, job, sink, Arc::new(Silent), stats, stop).await
}
