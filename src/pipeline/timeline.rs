//! A run second by second.

use serde::Serialize;

/// So many samples are kept; then every second one is dropped, and half as many taken from then on.
const MOST: usize = 3600;

/// One second of a run.
#[derive(Debug, Clone, Copy, Default, PartialEq, Serialize)]
pub struct Sample {
    /// Its end, in seconds since the run began.
    pub t_s: f64,
    /// Images that had their end by then.
    pub ended: u32,
    /// Images that had it in this second.
    pub images_per_s: f64,
    /// Requests in flight at its end.
    pub in_flight: u32,
    /// Requests that might be.
    pub limit: u32,
    /// Writes that might begin a second, where there was a bound.
    pub rate: Option<f64>,
    /// Half of the second's successful attempts took at most so many milliseconds.
    pub p50_ms: f64,
    /// 99 out of 100.
    pub p99_ms: f64,
    /// Retries until then, all causes together.
    pub retries: u64,
    /// Requests that the service had refused by then because there were too many.
    pub limited: u64,
}

/// Samples of a run, in bounded memory.
#[derive(Debug)]
pub(super) struct Timeline {
    samples: Vec<Sample>,
    /// One second of so many is kept.
    every: u64,
    seen: u64,
    last: Sample,
}

impl Default for Timeline {
    fn default() -> Self {
        Self { samples: Vec::new(), every: 1, seen: 0, last: Sample::default() }
    }
}

impl Timeline {
    pub(super) fn add(&mut self, sample: Sample) {
        self.last = sample;
        if self.seen.is_multiple_of(self.every) {
            if self.samples.len() == MOST {
                let mut keep = false;
                self.samples.retain(|_| {
                    keep = !keep;
                    keep
                });
                self.every *= 2;
            }
            self.samples.push(sample);
        }
        self.seen += 1;
    }

    /// The last second, kept or not.
    pub(super) fn last(&self) -> &Sample {
        &self.last
    }

    pub(super) fn samples(&self) -> &[Sample] {
        &self.samples
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_long_run_is_told_in_fewer_samples() {
        let mut timeline = Timeline::default();
        for second in 1..=100_000 {
            timeline.add(Sample { t_s: f64::from(second), ..Sample::default() });
        }
        let times: Vec<_> = timeline.samples().iter().map(|sample| sample.t_s).collect();
        assert!((MOST / 2..=MOST).contains(&times.len()));
        assert!(times.is_sorted());
        assert!(times[0] < 33.0 && *times.last().unwrap() > 99_900.0);
        let steps: Vec<_> = times.windows(2).map(|pair| pair[1] - pair[0]).collect();
        assert!(steps.iter().all(|step| *step <= 64.0), "{steps:?}");
        assert!(timeline.last().t_s > 99_999.0);
    }
}
