//! What a run tells: counters, progress, the summary, the failures.

mod json_log;
mod summary;

pub(crate) use json_log::JsonLog;
pub(crate) use summary::ranges;
pub use summary::{ConcurrencyUsed, ManifestEntry, SliceSummary, Summary};
