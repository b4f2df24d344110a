//! Whoever watches a run: a progress bar, a log, another program.

use std::sync::Arc;
use std::time::Duration;

use tokio_util::task::AbortOnDropHandle;

use super::{Snapshot, Stats};

/// Watches a run while it goes on. It only displays: nothing that it does or counts decides how the
/// run ends.
pub trait Observer: Send + Sync {
    /// How often [`Observer::progress`] is called.
    fn interval(&self) -> Duration {
        Duration::from_secs(1)
    }

    /// Receives the counters as they are now.
    fn progress(&self, now: &Snapshot) {
        let _ = now;
    }

    /// Receives something worth a line: a long pause, a changed setting.
    fn note(&self, message: &str) {
        let _ = message;
    }

    /// Receives the last counters, once.
    fn end(&self, now: &Snapshot) {
        let _ = now;
    }
}

/// Shows nothing.
#[derive(Debug, Clone, Copy)]
pub struct Silent;

impl Observer for Silent {
    fn interval(&self) -> Duration {
        Duration::from_hours(1)
    }
}

/// Does work that an observer watches until it ends.
pub(crate) async fn observed<T>(
    observer: &Arc<dyn Observer>,
    stats: &Arc<Stats>,
    work: impl Future<Output = T>,
) -> T {
    let observing = keep_observed(Arc::clone(observer), Arc::clone(stats));
    let observing = AbortOnDropHandle::new(tokio::spawn(observing));
    let done = work.await;
    drop(observing);
    observer.end(&stats.snapshot());
    done
}

/// Calls the observer at its interval, and notes each second, until the future is dropped.
async fn keep_observed(observer: Arc<dyn Observer>, stats: Arc<Stats>) {
    let mut ticks = tokio::time::interval(observer.interval());
    ticks.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Skip);
    let mut seconds = tokio::time::interval(Duration::from_secs(1));
    // The first ticks come at once, when there is nothing to show.
    ticks.tick().await;
    seconds.tick().await;
    loop {
        tokio::select! {
            biased;
            _ = seconds.tick() => stats.sample(),
            _ = ticks.tick() => observer.progress(&stats.snapshot()),
        }
    }
}
