//! What a run has done so far and at which pace, counted without locks where it is hot.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicU32, AtomicU64, Ordering::Relaxed};
use std::time::Duration;

use parking_lot::Mutex;
use serde::Serialize;
use tokio::time::Instant;

use super::State;
use super::timeline::{Sample, Timeline};
use crate::histogram::Histogram;
use crate::pace::{Bounds, Pace, PaceNow};
use crate::sink::Fault;

/// Counters of one run, shared by its tasks.
#[derive(Debug)]
pub struct Stats {
    images: u32,
    started: Instant,
    pace: Arc<Pace>,
    uploaded: AtomicU32,
    already_present: AtomicU32,
    failed: AtomicU32,
    in_flight: AtomicU32,
    most_in_flight: AtomicU32,
    attempts: AtomicU64,
    bytes: AtomicU64,
    retries: Mutex<BTreeMap<String, u64>>,
    latency: Mutex<Latencies>,
    timeline: Mutex<Timeline>,
}

/// In microseconds.
#[derive(Debug)]
struct Latencies {
    whole: Histogram,
    this_second: Histogram,
}

/// The counters at one moment.
#[derive(Debug, Clone, Serialize)]
pub struct Snapshot {
    /// Images of the run.
    pub images: u32,
    /// Written in this run.
    pub uploaded: u32,
    /// Found there with the same content.
    pub already_present: u32,
    /// Not stored, after all attempts.
    pub failed: u32,
    /// Without an end yet.
    pub not_attempted: u32,
    /// Requests in flight now.
    pub in_flight: u32,
    /// The most there were at one time.
    pub most_in_flight: u32,
    /// Requests that may be in flight.
    pub limit: u32,
    /// Object writes that may begin a second, where there is a bound.
    pub rate: Option<f64>,
    /// Requests that the service refused because there were too many.
    pub limited: u64,
    /// Upload attempts.
    pub attempts: u64,
    /// Retries by cause.
    pub retries: BTreeMap<String, u64>,
    /// Bytes of images written.
    pub bytes: u64,
    /// Since the run began, in seconds.
    pub elapsed_s: f64,
    /// Images with an end, a second, on average.
    pub images_per_s: f64,
    /// Time of successful upload attempts.
    pub latency_ms: Latency,
    /// The last whole second.
    pub last_second: Sample,
}

/// Percentiles in milliseconds; zero where nothing was measured.
#[derive(Debug, Clone, Copy, Default, Serialize)]
pub struct Latency {
    /// Half of the attempts took at most this.
    pub p50: f64,
    /// Nine out of ten.
    pub p90: f64,
    /// 99 out of 100.
    pub p99: f64,
    /// The longest.
    pub max: f64,
}

/// A request in flight until it is dropped.
pub(crate) struct InFlight<'a>(&'a Stats);

impl Drop for InFlight<'_> {
    fn drop(&mut self) {
        self.0.in_flight.fetch_sub(1, Relaxed);
    }
}

impl Stats {
    /// For so many images, with a pace of its own within bounds that begins now.
    pub fn within(images: u32, bounds: Bounds) -> Self {
        Self::new(images, Arc::new(Pace::new(bounds)))
    }

    /// For a run of so many images at that pace, beginning now.
    pub fn new(images: u32, pace: Arc<Pace>) -> Self {
        // One per cent exact; some ten KiB for latencies up to a minute.
        let histogram = Histogram::new(7);
        Self {
            images,
            started: Instant::now(),
            pace,
            uploaded: AtomicU32::new(0),
            already_present: AtomicU32::new(0),
            failed: AtomicU32::new(0),
            in_flight: AtomicU32::new(0),
            most_in_flight: AtomicU32::new(0),
            attempts: AtomicU64::new(0),
            bytes: AtomicU64::new(0),
            retries: Mutex::default(),
            latency: Mutex::new(Latencies { whole: histogram.clone(), this_second: histogram }),
            timeline: Mutex::default(),
        }
    }

    /// The pace of the run.
    pub fn pace(&self) -> &Arc<Pace> {
        &self.pace
    }

    pub(crate) fn begin_attempt(&self) -> InFlight<'_> {
        self.attempts.fetch_add(1, Relaxed);
        let now = self.in_flight.fetch_add(1, Relaxed) + 1;
        self.most_in_flight.fetch_max(now, Relaxed);
        InFlight(self)
    }

    pub(crate) fn answered(&self, took: Duration) {
        let micros = u64::try_from(took.as_micros()).unwrap_or(u64::MAX);
        let mut latency = self.latency.lock();
        latency.whole.record(micros);
        latency.this_second.record(micros);
    }

    /// Notes that something is tried again with an object, or a listing, after a fault.
    pub(crate) fn note_retry(&self, what: &str, fault: &Fault) {
        tracing::debug!(object = what, %fault, cause = %fault.kind, "trying again");
        *self.retries.lock().entry(fault.kind.to_string()).or_default() += 1;
    }

    pub(crate) fn ended(&self, state: State) {
        match state {
            State::Uploaded(bytes) => {
                self.bytes.fetch_add(bytes, Relaxed);
                &self.uploaded
            }
            State::AlreadyPresent => &self.already_present,
            State::Failed => &self.failed,
        }
        .fetch_add(1, Relaxed);
    }

    /// The counters now.
    pub fn snapshot(&self) -> Snapshot {
        let (uploaded, already_present, failed) = (
            self.uploaded.load(Relaxed),
            self.already_present.load(Relaxed),
            self.failed.load(Relaxed),
        );
        let ended = uploaded + already_present + failed;
        let elapsed_s = self.started.elapsed().as_secs_f64();
        let PaceNow { limit, rate, limited } = self.pace.now();
        Snapshot {
            images: self.images,
            uploaded,
            already_present,
            failed,
            not_attempted: self.images.saturating_sub(ended),
            in_flight: self.in_flight.load(Relaxed),
            most_in_flight: self.most_in_flight.load(Relaxed),
            limit,
            rate,
            limited,
            attempts: self.attempts.load(Relaxed),
            retries: self.retries.lock().clone(),
            bytes: self.bytes.load(Relaxed),
            elapsed_s,
            images_per_s: if elapsed_s > 0.0 { f64::from(ended) / elapsed_s } else { 0.0 },
            latency_ms: Latency::of(&self.latency.lock().whole),
            last_second: *self.timeline.lock().last(),
        }
    }

    /// Notes the second that has passed since the last call.
    pub(super) fn sample(&self) {
        let now = self.snapshot();
        let latency = {
            let mut latency = self.latency.lock();
            let of_second = Latency::of(&latency.this_second);
            latency.this_second.clear();
            of_second
        };
        let before = now.last_second;
        let lasted = (now.elapsed_s - before.t_s).max(0.001);
        self.timeline.lock().add(Sample {
            t_s: now.elapsed_s,
            ended: now.ended(),
            images_per_s: f64::from(now.ended() - before.ended) / lasted,
            in_flight: now.in_flight,
            limit: now.limit,
            rate: now.rate,
            p50_ms: latency.p50,
            p99_ms: latency.p99,
            retries: now.retries_total(),
            limited: now.limited,
        });
    }

    /// The run second by second.
    pub fn timeline(&self) -> Vec<Sample> {
        self.timeline.lock().samples().to_vec()
    }
}

impl Latency {
    fn of(histogram: &Histogram) -> Self {
        let ms = |micros: u64| Duration::from_micros(micros).as_secs_f64() * 1000.0;
        let at = |quantile| ms(histogram.quantile(quantile));
        let (_, max) = histogram.range().unwrap_or_default();
        Self { p50: at(0.5), p90: at(0.9), p99: at(0.99), max: ms(max) }
    }
}

impl Snapshot {
    /// Images that have ended, well or not.
    pub fn ended(&self) -> u32 {
        self.images - self.not_attempted
    }

    /// Images that had their end in the last second; in the first, on average.
    pub fn current_per_s(&self) -> f64 {
        if self.last_second.ended > 0 { self.last_second.images_per_s } else { self.images_per_s }
    }

    /// The median of the last second's attempts, and 99 % of them, in milliseconds.
    pub fn current_latency(&self) -> (f64, f64) {
        if self.last_second.p50_ms > 0.0 {
            (self.last_second.p50_ms, self.last_second.p99_ms)
        } else {
            (self.latency_ms.p50, self.latency_ms.p99)
        }
    }

    /// All retries, whatever the cause.
    pub fn retries_total(&self) -> u64 {
        self.retries.values().sum()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test(start_paused = true)]
    async fn states_add_up() {
        let stats = Stats::new(10, Arc::new(Pace::fixed(7)));
        stats.ended(State::Uploaded(600));
        stats.ended(State::Uploaded(5));
        stats.ended(State::AlreadyPresent);
        stats.ended(State::Failed);
        {
            let _first = stats.begin_attempt();
            let _second = stats.begin_attempt();
        }
        stats.note_retry("a", &Fault::new(crate::sink::FaultKind::Status(503), ""));
        stats.answered(Duration::from_millis(50));
        tokio::time::advance(Duration::from_secs(2)).await;
        let s = stats.snapshot();
        assert_eq!((s.uploaded, s.already_present, s.failed, s.not_attempted), (2, 1, 1, 6));
        assert_eq!((s.in_flight, s.most_in_flight, s.attempts, s.bytes), (0, 2, 2, 605));
        assert_eq!(s.retries.get("http_503"), Some(&1));
        assert!((s.images_per_s - 2.0).abs() < 0.01);
        assert!((s.latency_ms.p99 / 50.0 - 1.0).abs() < 0.02);
        assert_eq!((s.limit, s.rate, s.limited), (7, None, 0));
    }

    #[tokio::test(start_paused = true)]
    async fn a_second_tells_of_itself_alone() {
        let stats = Stats::new(10, Arc::new(Pace::fixed(7)));
        for (images, latency) in [(4, 100), (2, 10)] {
            for _ in 0..images {
                stats.ended(State::Uploaded(1));
                stats.answered(Duration::from_millis(latency));
            }
            tokio::time::advance(Duration::from_secs(1)).await;
            stats.sample();
        }
        let timeline = stats.timeline();
        let rates: Vec<_> = timeline.iter().map(|s| s.images_per_s.round()).collect();
        assert_eq!(rates, [4.0, 2.0]);
        assert!((timeline[1].p99_ms / 10.0 - 1.0).abs() < 0.02);
        assert_eq!(timeline[1].ended, 6);
        assert_eq!(stats.snapshot().last_second, timeline[1]);
    }
}
