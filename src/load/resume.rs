//! What the destination holds before a run: what an earlier run stored is not stored again.

use std::sync::Arc;

use super::error::Error;
use super::job::Job;
use crate::pipeline::{Existing, Pages, Stats, list_all};
use crate::retry::Retry;
use crate::retry::policy::{Decision, decide};
use crate::shard;
use crate::sink::{Fault, FaultKind, Metadata, NameRange, Purpose, Stored, TimedSink};

/// Lists what exists: for writing, the names that can be the job's; for reading, everything below the
/// prefix. `on_other` receives every object that is none of the job's images. A stop ends it at once:
/// nothing is under way that would matter.
pub(super) async fn list_existing(
    job: &Arc<Job>,
    sink: &TimedSink,
    retry: &Retry,
    stats: &Stats,
    purpose: Purpose,
    on_other: impl FnMut(Stored) + Send,
) -> Result<Existing, Error> {
    let on_retry = |fault: &Fault| stats.note_retry("a listing", fault);
    let prefix = job.images.names.literal_prefix();
    let within = match purpose {
        Purpose::Read => NameRange::default(),
        _ if job.is_slice() => match job.names_here() {
            Some((start, end)) => NameRange { start: Some(start), end: Some(end) },
            // Other processes would list the same: what exists is found when it is written.
            None => return Ok(Existing::none(job.selection.clone())),
        },
        // A prefix may be shared, and a bucket may be large.
        _ => NameRange::beginning_with(prefix),
    };
    let existing = Existing::none(job.selection.clone());
    let mut found = Found { job, lookup: None, existing, on_other };
    tokio::select! {
        listed = list_all(sink, retry, within, prefix, on_retry, &mut found) => {
            listed.map_err(|fault| before_the_work(sink.url(), fault))?;
        }
        () = retry.stop().cancelled() => return Err(stopped_early()),
    }
    Ok(found.existing)
}

/// Sorts what is listed into objects of this run and others.
struct Found<'a, F> {
    job: &'a Arc<Job>,
    /// Made for the first object.
    lookup: Option<Lookup>,
    existing: Existing,
    on_other: F,
}

impl<F: FnMut(Stored) + Send> Pages for Found<'_, F> {
    async fn page(&mut self, mut page: Vec<Stored>) -> Result<(), Fault> {
        page.retain(|stored| !is_placeholder(stored) && !shard::is_record(&stored.name));
        if page.is_empty() {
            return Ok(());
        }
        // Each image's name is made and sorted, and the only page of a folder holds all objects.
        let (job, lookup) = (Arc::clone(self.job), self.lookup.take());
        let finding = tokio::task::spawn_blocking(move || {
            let lookup = lookup.unwrap_or_else(|| Lookup::new(&job));
            let index = |mut stored: Stored| {
                let index = lookup.index(&job, &stored.name);
                let right = |index| {
                    let (label, from) = (job.data().labels().get(index), job.data().format(index));
                    stored.carries(&job.images.metadata(index, label, from))
                };
                if index.is_some_and(right) {
                    stored.metadata = Metadata::Unknown;
                }
                (index, stored)
            };
            let found: Vec<_> = page.into_iter().map(index).collect();
            (lookup, found)
        });
        let (lookup, found) = finding.await.map_err(|panic| {
            Fault::new(FaultKind::Internal, format!("reading the listing panicked: {panic}"))
        })?;
        self.lookup = Some(lookup);
        for (index, stored) in found {
            match index {
                Some(index) => self.existing.insert(index, stored),
                None => (self.on_other)(stored),
            }
        }
        Ok(())
    }
}

/// Whether an object only stands for a folder: empty, and named like one or like the prefix itself, as
/// Google's console makes it (<https://cloud.google.com/storage/docs/folders>).
fn is_placeholder(stored: &Stored) -> bool {
    stored.size == 0 && (stored.name.is_empty() || stored.name.ends_with('/'))
}

/// A stop before anything was done.
pub(super) fn stopped_early() -> Error {
    Error::StoppedBefore("the work began")
}

/// The error of a fault that occurs before anything is written.
pub(super) fn before_the_work(url: &str, fault: Fault) -> Error {
    let url = url.to_owned();
    match decide(fault.kind) {
        _ if fault.kind == FaultKind::Internal => Error::Internal(format!("{url}: {fault}")),
        // It exists and may be used, but it does not work.
        Decision::Retry => Error::Unavailable { url, fault },
        _ => Error::Refused { url, fault },
    }
}

/// From names to indices. A name counts only if it is exactly the one that this run would write. Eight
/// bytes an image.
struct Lookup(Vec<(u32, u32)>);

impl Lookup {
    fn new(job: &Job) -> Self {
        let entry = |index| (Self::hash(&job.name(index)), index);
        let mut entries: Vec<_> = job.selection.indices().map(entry).collect();
        entries.sort_unstable();
        Self(entries)
    }

    #[allow(clippy::cast_possible_truncation)] // some of the bits are enough
    fn hash(name: &str) -> u32 {
        twox_hash::XxHash3_64::oneshot(name.as_bytes()) as u32
    }

    fn index(&self, job: &Job, name: &str) -> Option<u32> {
        let wanted = Self::hash(name);
        let from = self.0.partition_point(|(hash, _)| *hash < wanted);
        let alike = self.0.get(from..)?.iter().take_while(|(hash, _)| *hash == wanted);
        alike.map(|(_, index)| *index).find(|index| job.name(*index) == name)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::exit::Exit;

    #[test]
    fn a_defect_is_no_refusal() {
        let exit = |kind| before_the_work("gs://b", Fault::new(kind, "")).exit();
        assert_eq!(exit(FaultKind::Internal), Exit::Internal);
        assert_eq!(exit(FaultKind::Status(403)), Exit::Destination);
        assert_eq!(exit(FaultKind::Status(503)), Exit::Incomplete);
    }

    #[test]
    fn an_empty_object_named_like_a_folder_stands_for_one() {
        let is = |name: &str, size| {
            let name = name.to_owned();
            is_placeholder(&Stored::new(name, size, Some(0), 1))
        };
        assert!(is("", 0) && is("train/", 0));
        assert!(!is("", 1) && !is("train/", 1) && !is("train", 0));
    }
}
