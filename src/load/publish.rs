//! Manifests: written and published last, when every object they name is stored.

use std::sync::Arc;

use super::Job;
use crate::config::{ManifestFormat, Settings};
use crate::error::Error;
use crate::manifest::{Draft, Written};
use crate::pipeline::{Refusal, Storing};
use crate::report::ManifestEntry;
use crate::retry::policy::refuses_all;
use crate::sink::{Body, NewObject};

/// Writes each manifest locally, stores it below the prefix, where it replaces one of an earlier
/// run, and then gives the local one its name; where nothing counts before everything is stored, the
/// destination is finished first.
pub(super) async fn publish(
    settings: &Settings,
    job: &Job,
    storing: &Storing,
    published: &mut Vec<ManifestEntry>,
) -> Result<(), Error> {
    let storing = storing.for_manifests();
    let written = write(settings, job)?;
    let as_a_whole = storing.sink.counts_as_a_whole();
    let address = |format: ManifestFormat| format!("{}/{}", storing.sink.url(), format.file_name());
    let mut give_name = |format: ManifestFormat, file: &Written| {
        let path = file.publish().map_err(|e| Error::unwritten(&settings.out, &e))?;
        published.push(ManifestEntry {
            format: format.name(),
            path: path.display().to_string(),
            rows: file.rows,
            sha256: file.sha256.clone(),
            url: address(format),
        });
        Ok::<_, Error>(())
    };
    for (format, file) in settings.manifests.iter().zip(&written) {
        let url = address(*format);
        store(&storing, &object(*format, file)).await.map_err(|refusal| match refusal {
            Refusal::Fault(fault) if refuses_all(fault.kind) => {
                Error::Destination { url: url.clone(), fault }
            }
            refusal => Error::Incomplete(format!(
                "all images are stored, but {url} is not: {refusal}; run the same command again"
            )),
        })?;
        if !as_a_whole {
            give_name(*format, file)?;
        }
    }
    storing.sink.finish().await.map_err(|fault| {
        let url = storing.sink.url().to_owned();
        Error::Destination { url, fault }
    })?;
    if as_a_whole {
        for (format, file) in settings.manifests.iter().zip(&written) {
            give_name(*format, file)?;
        }
    }
    Ok(())
}

/// Looked for first: a manifest is larger than an image, and is often there.
async fn store(storing: &Storing, object: &NewObject) -> Result<(), Refusal> {
    let there = storing.stat(&object.name).await?;
    storing.store(object, there).await.map(drop).map_err(|(refusal, _)| refusal)
}

fn object(format: ManifestFormat, file: &Written) -> NewObject {
    NewObject {
        name: format.file_name().to_owned(),
        body: Body::File(file.partial().to_owned(), file.size),
        crc32c: file.crc32c,
        content_type: "text/csv",
        metadata: Vec::new(),
    }
}

/// One pass over the labels writes all manifests: no row is kept in memory.
fn write(settings: &Settings, job: &Job) -> Result<Vec<Written>, Error> {
    let failed = |e: std::io::Error| Error::unwritten(&settings.out, &e);
    let mut drafts = settings
        .manifests
        .iter()
        .map(|format| Draft::create(&settings.out, *format, Arc::clone(&job.data.classes)))
        .collect::<Result<Vec<_>, _>>()
        .map_err(failed)?;
    for row in job.rows(settings) {
        for draft in &mut drafts {
            draft.write(&row).map_err(failed)?;
        }
    }
    drafts.into_iter().map(|draft| draft.finish().map_err(failed)).collect()
}
