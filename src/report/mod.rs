//! What a run tells: counters, progress, the summary, the failures.

mod bar;
mod json_log;
mod lines;
mod log;
mod options;
pub mod picture;
mod summary;

pub use bar::Bar;
pub use json_log::JsonLog;
pub use lines::{JsonLines, PlainLines};
pub use log::{LogWriter, start_logging};
pub use options::{LogFormat, Progress};
pub use summary::{ConcurrencyUsed, ManifestEntry, Summary};
