//! Manifests: written and published last, when every object they name is stored.

use std::sync::Arc;

use tokio_util::sync::CancellationToken;

use super::Output;
use super::blocking::blocking;
use super::earlier::MARK;
use super::error::Error;
use super::job::Job;
use super::resume::before_the_work;
use crate::manifest::{Draft, Written};
use crate::pipeline::{NotStored, Storing};
use crate::report::ManifestEntry;
use crate::retry::policy::is_refusal;
use crate::sink::{Body, Fault, FaultKind, NewObject};

/// Writes each manifest locally, stores it below the prefix, where it replaces one of an earlier
/// run, and then gives the local one its name; where nothing counts before everything is stored, the
/// destination is finished first.
pub(super) async fn publish(
    job: &Arc<Job>,
    output: &Arc<Output>,
    storing: &Storing,
    published: &mut Vec<ManifestEntry>,
) -> Result<(), Error> {
    let storing = storing.for_manifests();
    let (rows_of, into) = (Arc::clone(job), Arc::clone(output));
    let sink = Arc::clone(&storing.sink);
    // A stop leaves time for the manifests.
    let never = CancellationToken::new();
    let writing = blocking("a manifest", &never, move |stop| {
        write(&rows_of, &into, |name| sink.address(name), stop)
    });
    let written = writing.await?;
    let as_a_whole = storing.sink.counts_as_a_whole();
    let address =
        |file: &Written| format!("{}/{}", storing.sink.url(), file.manifest.object_name());
    let mut give_name = |file: Written| {
        let url = address(&file);
        let Written { rows, ref sha256, .. } = file;
        let (format, sha256) = (file.manifest.format.into(), sha256.clone());
        let path = file.publish().map_err(|e| Error::unwritten(output.folder(), e))?;
        let path = path.display().to_string();
        published.push(ManifestEntry { format, path, rows, sha256, url });
        Ok::<_, Error>(())
    };
    let mut unpublished = Vec::new();
    for file in written {
        let url = address(&file);
        store(&storing, &object(&file)).await.map_err(|error| match error {
            NotStored::Fault(fault) if ends_it(&fault) => before_the_work(&url, fault),
            error => Error::NotPublished { url, error },
        })?;
        if as_a_whole {
            unpublished.push(file);
        } else {
            give_name(file)?;
        }
    }
    storing.sink.finish().await.map_err(|fault| {
        let url = storing.sink.url().to_owned();
        if fault.kind == FaultKind::Internal {
            return Error::Internal(format!("{url}: {fault}"));
        }
        Error::Refused { url, fault }
    })?;
    unpublished.into_iter().try_for_each(give_name)
}

/// Whether a fault of a manifest is more than bad luck: the service refuses, or this program is wrong.
fn ends_it(fault: &Fault) -> bool {
    is_refusal(fault.kind) || fault.kind == FaultKind::Internal
}

/// Looked for first: a manifest is larger than an image, and is often there.
async fn store(storing: &Storing, object: &NewObject) -> Result<(), NotStored> {
    let there = storing.stat(&object.name).await?;
    storing.store(object, there).await.map(drop).map_err(|(error, _)| error)
}

fn object(file: &Written) -> NewObject {
    NewObject {
        name: file.manifest.object_name(),
        body: Body::file(file.temporary().to_owned(), file.size),
        crc32c: file.crc32c,
        content_type: file.manifest.format.content_type(),
        metadata: vec![(MARK.0, MARK.1.to_owned())],
    }
}

/// One pass over the rows writes all manifests: no row is kept in memory.
fn write(
    job: &Job,
    output: &Output,
    address: impl Fn(&str) -> String,
    stop: &CancellationToken,
) -> Result<Vec<Written>, Error> {
    let failed = |e: std::io::Error| Error::unwritten(output.folder(), e);
    let mut drafts = job
        .manifests
        .iter()
        .map(|manifest| Draft::create(output.folder(), *manifest, Arc::clone(job.data().classes())))
        .collect::<Result<Vec<_>, _>>()
        .map_err(failed)?;
    for row in job.rows(address) {
        if stop.is_cancelled() {
            return Err(Error::StoppedBefore("the manifests were published"));
        }
        for draft in &mut drafts {
            draft.write(&row).map_err(failed)?;
        }
    }
    drafts.into_iter().map(|draft| draft.finish().map_err(failed)).collect()
}
