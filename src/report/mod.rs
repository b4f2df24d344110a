//! What a run tells: counters, progress, the summary, the failures.

mod bar;
mod json_log;
mod lines;
mod log;
mod options;
pub mod picture;
mod stats;
mod summary;
mod timeline;

use std::sync::Arc;
use std::time::Duration;

pub(crate) use crate::text::thousands;
pub use bar::Bar;
pub use json_log::JsonLog;
pub use lines::{JsonLines, PlainLines};
pub use log::{LogWriter, start_logging};
pub use options::{LogFormat, Progress};
pub use stats::{Latency, Snapshot, State, Stats};
pub use summary::{ConcurrencyUsed, ManifestEntry, Summary};
pub use timeline::Sample;

/// Whoever is told how a run goes. The core knows no terminal.
pub trait Reporter: Send + Sync {
    /// How often [`Reporter::progress`] wants to be called.
    fn interval(&self) -> Duration;

    /// The counters now.
    fn progress(&self, now: &Snapshot);

    /// Something worth a line.
    fn note(&self, message: &str);

    /// The last word: clears what was drawn.
    fn end(&self, now: &Snapshot);
}

/// Tells nobody.
#[derive(Debug, Clone, Copy)]
pub struct Silent;

impl Reporter for Silent {
    fn interval(&self) -> Duration {
        Duration::from_hours(1)
    }
    fn progress(&self, _: &Snapshot) {}
    fn note(&self, _: &str) {}
    fn end(&self, _: &Snapshot) {}
}

/// Calls the reporter, and notes each second, until the future is dropped.
pub(crate) async fn keep_reporting(reporter: Arc<dyn Reporter>, stats: Arc<Stats>) {
    let mut ticks = tokio::time::interval(reporter.interval());
    ticks.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Skip);
    let mut seconds = tokio::time::interval(Duration::from_secs(1));
    // The first ticks come at once, when there is nothing to tell.
    ticks.tick().await;
    seconds.tick().await;
    loop {
        tokio::select! {
            biased;
            _ = seconds.tick() => stats.sample(),
            _ = ticks.tick() => reporter.progress(&stats.snapshot()),
        }
    }
}
