//! What has the name of a manifest before the first write: of an earlier load, or somebody else's.

use std::io;
use std::path::Path;
use std::sync::Arc;

use futures::{StreamExt, TryStreamExt, stream};
use tokio_util::sync::CancellationToken;

use super::blocking::blocking;
use super::error::Error;
use super::job::Job;
use super::resume::before_the_work;
use super::verify::expected;
use crate::manifest::Manifest;
use crate::pipeline::Stats;
use crate::retry::Retry;
use crate::sink::{Metadata, Stored, TimedSink};

/// The custom metadata by which a manifest of this program is known.
pub(super) const MARK: (&str, &str) = ("idx2gcs", "manifest");

/// Requests under way at a time.
const REQUESTS: usize = 8;

/// Whether an object says that it is a manifest of this program.
pub(super) fn is_marked(stored: &Stored) -> bool {
    match &stored.metadata {
        Metadata::Pairs(pairs) => pairs.get(MARK.0).is_some_and(|value| value == MARK.1),
        Metadata::Unknown | Metadata::Different => false,
    }
}

/// Whether a manifest of some load has this name, and none of this load.
pub(super) fn is_of_another_load(job: &Job, name: &str) -> bool {
    let has = |manifest: &Manifest| manifest.object_name() == name;
    Manifest::every().any(|manifest| has(&manifest)) && !job.manifests.iter().any(has)
}

/// The names of manifests in formats that this load does not write, which an earlier one left. Only a
/// destination with custom metadata tells them from others' files.
pub(super) async fn manifests(
    job: &Job,
    sink: &TimedSink,
    retry: &Retry,
    stats: &Stats,
) -> Result<Vec<String>, Error> {
    if !sink.has_metadata() {
        return Ok(Vec::new());
    }
    let names = Manifest::every().map(Manifest::object_name);
    let names: Vec<_> = names.filter(|name| is_of_another_load(job, name)).collect();
    let found = stored(names, sink, retry, stats).await?;
    Ok(found.into_iter().filter(is_marked).map(|stored| stored.name).collect())
}

/// Refuses a destination where something else has the name of one of this load's manifests.
pub(super) async fn refuse_others(
    job: &Arc<Job>,
    sink: &Arc<TimedSink>,
    retry: &Retry,
    stats: &Stats,
) -> Result<(), Error> {
    let url = |name: &str| format!("{}/{name}", sink.url());
    if sink.has_metadata() {
        let names = job.manifests.iter().map(|manifest| manifest.object_name()).collect();
        let found = stored(names, sink, retry, stats).await?;
        for stored in found.iter().filter(|stored| !is_marked(stored)) {
            if !is_this_load_s(job, sink, stored, retry.stop()).await? {
                return Err(Error::NoManifest { url: url(&stored.name) });
            }
        }
        return Ok(());
    }
    for manifest in job.manifests.iter().copied() {
        let name = manifest.object_name();
        let Some(path) = sink.file(&name) else { return Ok(()) };
        let reading = blocking("a manifest", retry.stop(), move |_| {
            may_replace(manifest, &path).map_err(|e| Error::output(&path, e))
        });
        if !reading.await? {
            return Err(Error::NoManifest { url: url(&name) });
        }
    }
    Ok(())
}

/// Whether an object without a mark is what this load will write all the same: a copy of a bucket may lose
/// metadata. Of a manifest with checksums that is not known before the images are encoded.
async fn is_this_load_s(
    job: &Arc<Job>,
    sink: &Arc<TimedSink>,
    stored: &Stored,
    stop: &CancellationToken,
) -> Result<bool, Error> {
    let is_it = |manifest: &&Manifest| manifest.object_name() == stored.name;
    let manifest = job.manifests.iter().find(is_it).copied();
    let Some(manifest) = manifest.filter(|it| !it.format.lists_content()) else { return Ok(false) };
    let (job, addresses) = (Arc::clone(job), Arc::clone(sink));
    let made = blocking("a manifest", stop, move |stop| {
        expected(&job, &[manifest], |name| addresses.address(name), stop)
    });
    Ok(made.await?.iter().all(|object| stored.holds(object)))
}

fn may_replace(manifest: Manifest, path: &Path) -> io::Result<bool> {
    match path.symlink_metadata() {
        // A program writes a manifest as a file and as nothing else.
        Ok(known) => Ok(known.is_file() && manifest.recognises(path)?),
        Err(e) if e.kind() == io::ErrorKind::NotFound => Ok(true),
        Err(e) => Err(e),
    }
}

async fn stored(
    names: Vec<String>,
    sink: &TimedSink,
    retry: &Retry,
    stats: &Stats,
) -> Result<Vec<Stored>, Error> {
    let asked = stream::iter(names).map(|name| async move {
        let asking =
            retry.run(|fault| stats.note_retry(&name, fault), |within| sink.stat(&name, within));
        asking.await.result.map_err(|fault| before_the_work(sink.url(), fault))
    });
    let found: Vec<_> = asked.buffered(REQUESTS).try_collect().await?;
    Ok(found.into_iter().flatten().collect())
}
