//! Puts slices together: proves that all are stored, and publishes the manifests.

use std::sync::Arc;

use tokio_util::sync::CancellationToken;

use super::error::Error;
use super::resume::list_existing;
use super::slices::Records;
use super::{Prepared, Surveyed, publish};
use crate::exit::Exit;
use crate::pipeline::{Counts, OnError, Refusals, Stats, Storing};
use crate::report::Summary;
use crate::retry::Retry;
use crate::sink::{IfExists, Purpose};

/// What is done beside publishing.
#[derive(Debug, Clone, Copy, Default)]
pub struct Merge {
    /// Lists the objects, and compares those whose checksum and size a record holds.
    pub verify: bool,
    /// Deletes the records afterwards; slices that run again then store everything again.
    pub clean: bool,
}

/// What slices did together.
#[derive(Debug)]
pub struct Merged {
    /// The sum of what they did; its seconds are those of all slices.
    pub summary: Summary,
    /// Their number.
    pub slices: usize,
}

impl Prepared {
    /// Publishes the manifests of a load whose slices are all stored, and writes a summary of them all
    /// into the output folder. The load must have been prepared for it: see [`super::Load::merging`].
    ///
    /// # Errors
    /// Slices that are missing, records that cannot be used, a destination that refuses or does not
    /// work.
    pub async fn merge(self, with: Merge, stop: &CancellationToken) -> Result<Merged, Error> {
        let Self { surveyed: Surveyed { job, .. }, sink, output, transfer, .. } = self;
        let retry = Arc::new(Retry::new(transfer.retry, stop.clone()));
        let images = job.selection.count();
        let stats = Arc::new(Stats::within(images, transfer.pace));
        let Some(records) = Records::of(&job, &sink, &retry, &stats) else {
            return Err(Error::Internal("the load was not prepared for merging".to_owned()));
        };
        let entries = records.list().await?;
        let missing = records.missing(&entries);
        if !missing.is_empty() {
            let missing = missing.into_iter().map(|gap| (gap.start, gap.end)).collect();
            return Err(Error::SlicesMissing { url: sink.url().to_owned(), missing, of: images });
        }
        let figures = records.read(&entries).await?;
        if with.verify {
            let existing =
                list_existing(&job, &sink, &retry, &stats, Purpose::Read, |_| ()).await?;
            let exact = |index| {
                let Some(stored) = existing.get(index, "") else { return false };
                let contents = job.images.contents.as_ref();
                contents.and_then(|contents| contents.get(index)).is_none_or(|content| {
                    let size = u64::from(content.size);
                    stored.size == size
                        && stored.crc32c.is_none_or(|crc32c| crc32c == content.crc32c)
                })
            };
            let lacking = job.selection.indices().filter(|index| !exact(*index)).count() as u64;
            if lacking > 0 {
                return Err(Error::SlicesGone { url: sink.url().to_owned(), lacking, of: images });
            }
        }
        let storing = Storing {
            sink: Arc::clone(&sink),
            if_exists: IfExists::Overwrite,
            last_wins: true,
            on_error: OnError::Continue,
            retry: Arc::clone(&retry),
            pace: None,
            stats: Arc::clone(&stats),
            refusals: Refusals::default(),
        };
        let mut manifests = Vec::new();
        let output = Arc::new(output);
        publish::publish(&job, &output, &storing, &mut manifests).await?;
        if with.clean {
            records.delete(&entries).await?;
        }
        let mut summary = Summary::new(&stats);
        // An image that two slices have had was stored once, and found by the other.
        let uploaded = figures.ended.uploaded.min(images);
        summary.count(Counts {
            images,
            uploaded,
            already_present: images - uploaded,
            ..Counts::default()
        });
        summary.selection = job.selected();
        summary.slice = job.slice_summary(&[], false);
        summary.manifests = manifests;
        summary.elapsed_s = figures.seconds;
        summary.exit_code = Exit::Complete as u8;
        output.write_summary(&summary)?;
        Ok(Merged { summary, slices: entries.len() })
    }
}
