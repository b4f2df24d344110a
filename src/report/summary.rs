//! `summary.json`, and the same for a person.

use std::collections::BTreeMap;
use std::fmt;
use std::io;
use std::path::Path;

use serde::Serialize;

use crate::files;
use crate::model::Selected;
use crate::pipeline::{Counts, Latency, Sample, Stats};
use crate::text::{bytes, rounded, shown, thousands};

/// What a run did. The four states add up to `images`.
#[derive(Debug, Clone, Default, Serialize)]
pub struct Summary {
    /// Images of the run.
    pub images: u32,
    /// Which of the data set's images these are; `null` for all.
    pub selection: Option<Selected>,
    /// Where the load is done in slices: which one this is; `null` for a whole load.
    pub slice: Option<SliceSummary>,
    /// The versions of the encoders that make the images, such as `jpeg/1`; `null` where all are image
    /// files that are stored unchanged, or where it is not known yet.
    pub encoder: Option<String>,
    /// Written in this run.
    pub uploaded: u32,
    /// Found there with the same content.
    pub already_present: u32,
    /// Not stored, after all attempts.
    pub failed: u32,
    /// Not tried, because the run ended before.
    pub not_attempted: u32,
    /// Bytes of images written.
    pub bytes: u64,
    /// Seconds from start to end.
    pub elapsed_s: f64,
    /// Images with an end, a second.
    pub images_per_s: f64,
    /// Upload attempts.
    pub attempts: u64,
    /// Retries by cause.
    pub retries: BTreeMap<String, u64>,
    /// Time of successful upload attempts, in milliseconds.
    pub latency_ms: Latency,
    /// Requests in flight.
    pub concurrency: ConcurrencyUsed,
    /// The most memory the process held, in bytes; `null` where the system does not tell.
    pub peak_rss_bytes: Option<u64>,
    /// The import files published.
    pub manifests: Vec<ManifestEntry>,
    /// Objects of an earlier load that were deleted.
    pub pruned: u64,
    /// The run second by second.
    pub timeline: Vec<Sample>,
    /// How the process ends.
    pub exit_code: u8,
}

/// Which slice of a load a run was about, and what became of the others.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize)]
pub struct SliceSummary {
    /// Which, from 0; `null` where all slices were put together.
    pub index: Option<u32>,
    /// Of how many.
    pub count: Option<u32>,
    /// The first image, by position in the load.
    pub start: u32,
    /// The one after the last.
    pub end: u32,
    /// Images of the whole load.
    pub of: u32,
    /// Ranges of images, each from its first to before its end, that no record covers yet: while there
    /// is one, the manifests are not published.
    pub missing: Vec<(u32, u32)>,
    /// All slices are stored, and `merge` has to publish the manifests.
    pub to_merge: bool,
}

/// How many requests were in flight.
#[derive(Debug, Clone, Default, Serialize)]
pub struct ConcurrencyUsed {
    /// `auto` or `fixed`.
    pub mode: &'static str,
    /// The limit at the end.
    pub r#final: u32,
    /// The most there were at one time.
    pub max: u32,
}

/// One published import file.
#[derive(Debug, Clone, Default, Serialize)]
pub struct ManifestEntry {
    /// Its format, as the settings name it.
    pub format: &'static str,
    /// Where it lies locally.
    pub path: String,
    /// Rows.
    pub rows: u64,
    /// SHA-256, in lower-case hex.
    pub sha256: String,
    /// Where it lies at the destination.
    pub url: String,
}

impl fmt::Display for ManifestEntry {
    /// `70,000 rows in out/automl.csv and gs://bucket/fm/automl.csv`
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (path, url) = (shown(&self.path), shown(&self.url));
        write!(f, "{} rows in {path} and {url}", thousands(self.rows))
    }
}

impl Summary {
    /// From the last counters.
    pub fn new(stats: &Stats) -> Self {
        let now = stats.snapshot();
        let auto = stats.pace().bounds().concurrency.auto;
        Self {
            images: now.images,
            selection: None,
            slice: None,
            encoder: None,
            uploaded: now.uploaded,
            already_present: now.already_present,
            failed: now.failed,
            not_attempted: now.not_attempted,
            bytes: now.bytes,
            elapsed_s: now.elapsed_s,
            images_per_s: now.images_per_s,
            attempts: now.attempts,
            retries: now.retries,
            latency_ms: now.latency_ms,
            concurrency: ConcurrencyUsed {
                mode: if auto { "auto" } else { "fixed" },
                r#final: now.limit,
                max: now.most_in_flight,
            },
            peak_rss_bytes: peak_rss_bytes(),
            manifests: Vec::new(),
            pruned: 0,
            timeline: stats.timeline(),
            exit_code: 0,
        }
    }

    /// Takes the images' ends from the pipeline's counts, which decide.
    pub fn count(&mut self, counts: Counts) {
        self.images = counts.images;
        self.uploaded = counts.uploaded;
        self.already_present = counts.already_present;
        self.failed = counts.failed;
        self.not_attempted = counts.not_attempted();
    }

    /// Writes it as `path`, whole or not at all.
    ///
    /// # Errors
    /// When the folder cannot be written.
    pub fn write(&self, path: &Path) -> io::Result<()> {
        files::write(path, serde_json::to_string_pretty(self)? + "\n")
    }

    /// Some image has its end.
    pub fn has_begun(&self) -> bool {
        self.not_attempted < self.images
    }
}

impl fmt::Display for Summary {
    /// A few lines for a person.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.not_attempted > 0 {
            write!(f, "{} of ", thousands((self.images - self.not_attempted).into()))?;
        }
        write!(
            f,
            "{} images in {:.1} s, {} images/s\n  {} uploaded ({})",
            thousands(self.images.into()),
            self.elapsed_s,
            rounded(self.images_per_s),
            thousands(self.uploaded.into()),
            bytes(self.bytes),
        )?;
        for (count, what) in [
            (self.already_present, "already present"),
            (self.failed, "failed"),
            (self.not_attempted, "not attempted"),
        ] {
            if count > 0 {
                write!(f, ", {} {what}", thousands(count.into()))?;
            }
        }
        let retries: u64 = self.retries.values().sum();
        write!(f, "\n  {} retries", thousands(retries))?;
        if retries > 0 {
            let causes: Vec<_> =
                self.retries.iter().map(|(cause, n)| format!("{cause} {n}")).collect();
            write!(f, " ({})", causes.join(", "))?;
        }
        let Latency { p50, p99, .. } = self.latency_ms;
        if self.uploaded > 0 {
            write!(f, ", an upload took {p50:.1} ms (median), {p99:.1} ms (99 %)")?;
        }
        if let Some(slice) = &self.slice {
            write!(f, "\n  {slice}")?;
        }
        for manifest in &self.manifests {
            write!(f, "\n  {manifest}")?;
        }
        if self.pruned > 0 {
            write!(f, "\n  {} objects of an earlier load deleted", thousands(self.pruned))?;
        }
        Ok(())
    }
}

impl fmt::Display for SliceSummary {
    /// `slice 3 of 0 to 7, images 26,250 to 34,999 of 70,000; 1 range is missing: 0 to 8,749`
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if let (Some(index), Some(count)) = (self.index, self.count) {
            write!(f, "slice {index}/{count}, ")?;
        }
        write!(
            f,
            "{} of {} images",
            thousands((self.end - self.start).into()),
            thousands(self.of.into())
        )?;
        if self.to_merge {
            return f.write_str("; all slices are stored: idx2gcs merge publishes the manifests");
        }
        if self.missing.is_empty() {
            return Ok(());
        }
        write!(f, "; not stored yet: images {}", ranges(&self.missing))
    }
}

/// Ranges of images for people: the first and the last of each, at most five of them.
pub(crate) fn ranges(ranges: &[(u32, u32)]) -> String {
    const MOST: usize = 5;
    let one = |(start, end): &(u32, u32)| {
        format!("{} to {}", thousands((*start).into()), thousands((end - 1).into()))
    };
    let mut text = ranges.iter().take(MOST).map(one).collect::<Vec<_>>().join(", ");
    if let Some(more) = ranges.len().checked_sub(MOST).filter(|more| *more > 0) {
        text.push_str(&format!(" and {more} more ranges"));
    }
    text
}

/// The most memory that this process has held: `VmHWM`.
#[cfg(target_os = "linux")]
fn peak_rss_bytes() -> Option<u64> {
    let status = std::fs::read_to_string("/proc/self/status").ok()?;
    let line = status.lines().find_map(|line| line.strip_prefix("VmHWM:"))?;
    line.trim().strip_suffix(" kB")?.parse::<u64>().ok().map(|kib| kib * 1024)
}

/// Only Linux says so in a file.
#[cfg(not(target_os = "linux"))]
fn peak_rss_bytes() -> Option<u64> {
    None
}
