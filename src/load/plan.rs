//! What a load would do, without doing it (`--dry-run`).

use std::fmt;
use std::io;
use std::sync::Arc;

use tokio_util::sync::CancellationToken;

use super::error::Error;
use super::job::Job;
use super::resume::stopped_early;
use crate::check::Frequencies;
use crate::manifest::{Manifest, RowWriter};
use crate::model::{Selected, images};
use crate::pipeline::Objects;
use crate::text::{bytes, shown, thousands};

/// Rows of each manifest that are shown.
const SHOWN_ROWS: usize = 3;

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
    /// Which of the data set's images these are; `None` for all.
    pub selection: Option<Selected>,
    /// Bytes of all their JPEGs.
    pub bytes: u64,
    /// Images by class and partition.
    pub frequencies: Frequencies,
    /// Nothing for a folder or a zip.
    pub requests: Option<RequestCost>,
    /// The first rows of each manifest, as text.
    pub manifests: Vec<(Manifest, String)>,
    url: String,
}

impl Plan {
    /// Decodes, splits, names and encodes every image; writes nothing and asks nobody.
    pub(super) fn draw(
        job: &Job,
        url: String,
        address: &dyn Fn(&str) -> String,
        priced: bool,
        stop: &CancellationToken,
    ) -> Result<Self, Error> {
        let mut bytes = 0;
        for record in job.records() {
            if stop.is_cancelled() {
                return Err(stopped_early());
            }
            let object = job.images.object(record?, String::new());
            bytes += object.map_err(|e| Error::Internal(e.to_string()))?.body.size();
        }
        let first = |manifest: &Manifest| {
            let rows = first_rows(*manifest, job, address);
            rows.map(|rows| (*manifest, rows)).map_err(|e| Error::Internal(e.to_string()))
        };
        Ok(Self {
            images: job.selection.count(),
            selection: job.selected(),
            bytes,
            frequencies: job.frequencies.clone(),
            requests: priced.then(|| cost(job)),
            manifests: job.manifests.iter().map(first).collect::<Result<_, _>>()?,
            url,
        })
    }
}

/// The first rows of a manifest, as people can read them.
fn first_rows(
    manifest: Manifest,
    job: &Job,
    address: &dyn Fn(&str) -> String,
) -> io::Result<String> {
    let shown = Manifest { format: manifest.format.shown_as(), ..manifest };
    let mut writer = RowWriter::new(Vec::new(), shown, Arc::clone(job.data().classes()))?;
    let rows = job.rows(address).filter(|row| manifest.lists(row.partition));
    rows.take(SHOWN_ROWS).try_for_each(|row| writer.write(&row))?;
    Ok(String::from_utf8_lossy(&writer.finish()?.0).into_owned())
}

/// One list to see what is there, one write an object, no reads.
fn cost(job: &Job) -> RequestCost {
    let class_a = 1 + u64::from(job.selection.count()) + job.manifests.len() as u64;
    #[allow(clippy::cast_precision_loss)]
    RequestCost { class_a, dollars: class_a as f64 * CLASS_A }
}

impl fmt::Display for Plan {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(
            f,
            "would load {} ({}) into {}; nothing was written, the destination was not asked",
            images(self.images, self.selection),
            bytes(self.bytes),
            shown(&self.url)
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
        for (manifest, rows) in &self.manifests {
            writeln!(f, "\n  {} begins", manifest.object_name())?;
            rows.lines().try_for_each(|row| writeln!(f, "  {}", shown(row)))?;
        }
        Ok(())
    }
}
