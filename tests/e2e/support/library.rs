//! Loads through the library's face.

use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use idx2gcs::Backoff;
use idx2gcs::DataSet;
use idx2gcs::Silent;
use idx2gcs::encode::Encoding;
use idx2gcs::load::{Load, Outcome, Output, Transfer};
use idx2gcs::sink::{Purpose, Sink};
use idx2gcs::split::{SplitSettings, ValidationSize};
use tokio_util::sync::CancellationToken;

use super::Set;

/// The default but for short waits, which tests have time for.
pub fn transfer() -> Transfer {
    let mut transfer = Transfer::default();
    transfer.retry.backoff =
        Backoff { initial: Duration::from_millis(1), max: Duration::from_millis(5) };
    transfer
}

/// Loads a small set into a sink, 10 images of it for validation.
pub async fn load_into(
    sink: Arc<dyn Sink>,
    set: &Set,
    out: &Path,
    transfer: Transfer,
    quality: u8,
) -> Outcome {
    load_until(CancellationToken::new(), sink, set, out, transfer, quality).await
}

/// The same until it is stopped.
pub async fn load_until(
    stop: CancellationToken,
    sink: Arc<dyn Sink>,
    set: &Set,
    out: &Path,
    transfer: Transfer,
    quality: u8,
) -> Outcome {
    let data = DataSet::folder(set.path()).open_blocking().unwrap();
    let validation = Some(ValidationSize::Count(10));
    let load = Load::of(data)
        .split(SplitSettings { validation, ..SplitSettings::default() })
        .encode(Encoding { quality, ..Encoding::default() });
    let output = Output::open(out).unwrap();
    let prepared = load.prepare(sink, output, transfer, Purpose::Write, &stop).await.unwrap();
    prepared.run(Arc::new(Silent), &stop).await
}
