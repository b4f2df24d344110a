//! What a load would do, without doing it (`--dry-run`).

use std::fmt;
use std::sync::Arc;

use super::Job;
use crate::check::Frequencies;
use crate::config::{ManifestFormat, Place, Settings};
use crate::error::Error;
use crate::manifest::{CsvWriter, Row};
use crate::report::thousands;

/// Rows of each manifest that are shown.
const SHOWN_ROWS: u32 = 3;

/// A Class A operation (a write, a list) in a single region, in dollars
/// (<https://cloud.google.com/storage/pricing#operations-by-class>).
const CLASS_A: f64 = 0.005 / 1000.0;

/// Requests that a fresh load makes, and what they cost.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct RequestCost {
    /// Writes and lists.
    pub class_a: u64,
    /// Dollars, single region, standard class.
    pub dollars: f64,
}

/// What a load would write.
#[derive(Debug)]
pub struct Plan {
    /// Images of the run.
    pub images: u32,
    /// Bytes of all their JPEGs.
    pub bytes: u64,
    /// Images by class and partition.
    pub frequencies: Frequencies,
    /// Nothing for a folder or a zip.
    pub requests: Option<RequestCost>,
    /// The first rows of each manifest.
    pub manifests: Vec<(ManifestFormat, String)>,
    url: String,
}

impl Plan {
    /// Decodes, splits, names and encodes every image; writes nothing and asks nobody.
    ///
    /// # Errors
    /// A source that is bad.
    pub fn draw(settings: &Settings, job: &Job) -> Result<Self, Error> {
        let mut manifests: Vec<_> = settings
            .manifests
            .iter()
            .map(|format| CsvWriter::new(Vec::new(), *format, Arc::clone(&job.data.classes)))
            .collect();
        let mut bytes = 0;
        for record in job.data.records().take(job.count as usize) {
            let record = record?;
            let partition = job.images.split.partition(record.index);
            let jpeg = job.images.encoder.encode(&record.pixels);
            bytes += jpeg.map_err(|e| Error::Incomplete(e.to_string()))?.len() as u64;
            if record.index < SHOWN_ROWS {
                let name = job.images.name(&record);
                let url = settings.address(&name);
                let row = Row { url, partition, label: record.label };
                for manifest in &mut manifests {
                    manifest.write(&row).map_err(|e| Error::Incomplete(e.to_string()))?;
                }
            }
        }
        let manifests = settings.manifests.iter().zip(manifests).map(|(format, manifest)| {
            let (rows, _) = manifest.finish().unwrap_or_default();
            (*format, String::from_utf8_lossy(&rows).into_owned())
        });
        Ok(Self {
            images: job.count,
            bytes,
            frequencies: job.frequencies(),
            requests: matches!(settings.place, Place::Bucket { .. }).then(|| cost(settings, job)),
            manifests: manifests.collect(),
            url: settings.url.clone(),
        })
    }
}

/// One list to see what is there, one write an object, no reads.
fn cost(settings: &Settings, job: &Job) -> RequestCost {
    let class_a = 1 + u64::from(job.count) + settings.manifests.len() as u64;
    #[allow(clippy::cast_precision_loss)]
    RequestCost { class_a, dollars: class_a as f64 * CLASS_A }
}

impl fmt::Display for Plan {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(
            f,
            "would load {} images ({}) into {}; nothing was written, the destination was not asked",
            thousands(self.images.into()),
            indicatif::DecimalBytes(self.bytes),
            self.url
        )?;
        if let Some(RequestCost { class_a, dollars }) = self.requests {
            writeln!(
                f,
                "  {} Class A requests, about ${dollars:.2} in a single region",
                thousands(class_a)
            )?;
        }
        writeln!(f)?;
        writeln!(f, "{}", self.frequencies)?;
        for (format, rows) in &self.manifests {
            writeln!(f, "\n  {} begins", format.file_name())?;
            rows.lines().try_for_each(|row| writeln!(f, "  {row}"))?;
        }
        Ok(())
    }
}
