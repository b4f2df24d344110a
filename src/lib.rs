//! Loads packed image data sets (IDX and the MNIST family, `.npz`, CIFAR, Parquet, arrays in memory) into
//! Google Cloud Storage, a folder or a zip archive: decoded, split, encoded and stored concurrently in
//! bounded memory, with manifests that are complete or absent.
//!
//! A load has stages, each a type, so that none can be left out:
//!
//! ```no_run
//! use std::sync::Arc;
//!
//! use idx2gcs::sink::{Auth, GOOGLE, Gcs};
//! use idx2gcs::{
//!     CancellationToken, DataSet, Encoding, ValidationSize, Load, Output, Purpose, Silent, SplitSettings,
//!     Transfer,
//! };
//!
//! # async fn load() -> Result<(), Box<dyn std::error::Error>> {
//! let data = DataSet::named("fashion-mnist").cache("/var/cache/data").open().await?;
//! let bucket = Gcs::new(GOOGLE, "my-bucket", "fashion", Auth::application_default()?)?;
//! let stop = CancellationToken::new();
//! let prepared = Load::of(data)
//!     .split(SplitSettings::stratified(ValidationSize::Share(0.15), 7))
//!     .encode(Encoding { quality: 90, ..Encoding::default() })
//!     .name("{class}/{index:05}.{ext}")?
//!     .prepare(Arc::new(bucket), Output::open("out")?, Transfer::default(), Purpose::Write, &stop)
//!     .await?; // a bad source, findings and a destination that refuses end here, before any write
//! let summary = prepared.run(Arc::new(Silent), &stop).await.into_result()?;
//! assert_eq!(summary.uploaded + summary.already_present, summary.images);
//! # Ok(())
//! # }
//! ```
//!
//! Whatever happens on the way: an object is never written twice, what exists with other content is never
//! replaced unless that is asked for, and the manifests are published if and only if every image that they
//! list is stored. Cancelling the token ends a run in order; dropping its future abandons what is in flight.
//!
//! The crate's public items are its interface; `docs/library.md` says which of them are stable.

mod check;
mod classes;
#[cfg(feature = "cli")]
mod cli;
#[cfg(feature = "cli")]
mod config;
pub mod encode;
mod exit;
mod files;
mod histogram;
mod http;
pub mod load;
mod manifest;
mod model;
mod naming;
mod pace;
mod page;
mod pipeline;
mod report;
mod retry;
mod shard;
pub mod sink;
pub mod source;
pub mod split;
mod text;
#[cfg(feature = "cli")]
mod tune;

pub use check::{Duplicates, Finding, Frequencies, Severity};
pub use classes::LabelClash;
#[cfg(feature = "cli")]
pub use cli::main;
pub use encode::{Encoding, Filter, Fit, Resize, Scale, Subsampling};
pub use exit::Exit;
pub use files::LockError;
pub use load::{Error, Load, Merge, Merged, Outcome, Output, Prepared, Transfer, Verdict};
pub use manifest::ManifestFormat;
pub use model::{BadImage, How, Image, ImageFormat, Partition, Selected, Size};
pub use naming::{NameError, Template};
pub use pace::{Bounds, Concurrency, Ramp};
pub use pipeline::{Latency, NotStored, Observer, OnError, Sample, Silent, Snapshot};
pub use report::{ConcurrencyUsed, ManifestEntry, SliceSummary, Summary};
pub use retry::{Limits, backoff::Backoff};
pub use shard::{Shard, ShardError, ShardSpec};
pub use sink::{IfExists, Purpose, Sink};
pub use source::DataSet;
pub use split::{SplitMethod, SplitSettings, ValidationSize};
/// Ends a run in order when it is cancelled.
pub use tokio_util::sync::CancellationToken;

/// What the tests of this project use beside the interface: the page with data that no run gives, and
/// the retry loop around a single request. Nothing of it is stable.
#[doc(hidden)]
pub mod internals {
    pub use crate::page::{
        ByPartition, Class, Figures, Outcome, Psnr, Report, SampleImage, Sampler, SplitUsed, Spread,
    };
    pub use crate::retry::{Retry, Tried};
}
