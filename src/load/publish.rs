//! Manifests: written and published last, when every object they name is stored.

use super::Job;
use crate::config::{ManifestFormat, Settings};
use crate::error::Error;
use crate::manifest::{Draft, Written};
use crate::pipeline::Storing;
use crate::report::ManifestEntry;
use crate::sink::{Body, NewObject};

/// Writes each manifest locally, then below the prefix, where it replaces one of an earlier run.
pub(super) async fn publish(
    settings: &Settings,
    job: &Job,
    storing: &Storing,
    published: &mut Vec<ManifestEntry>,
) -> Result<(), Error> {
    let written = write(settings, job, storing.sink.url())?;
    for (format, file) in settings.manifests.iter().zip(written) {
        let object = object(*format, &file);
        let url = format!("{}/{}", storing.sink.url(), object.name);
        storing.replace(&object).await.map_err(|refusal| {
            Error::Incomplete(format!(
                "all images are stored, but {url} is not: {refusal}; run the same command again"
            ))
        })?;
        published.push(ManifestEntry {
            format: format.name(),
            path: file.path.display().to_string(),
            rows: file.rows,
            sha256: file.sha256,
            url,
        });
    }
    Ok(())
}

fn object(format: ManifestFormat, file: &Written) -> NewObject {
    NewObject {
        name: format.file_name().to_owned(),
        body: Body::File(file.path.clone(), file.size),
        crc32c: file.crc32c,
        content_type: "text/csv",
    }
}

/// One pass over the labels writes all manifests: no row is kept in memory.
fn write(settings: &Settings, job: &Job, url: &str) -> Result<Vec<Written>, Error> {
    let failed = |e| Error::output(&settings.out, e);
    let mut drafts = settings
        .manifests
        .iter()
        .map(|format| Draft::create(&settings.out, *format, job.labels.clone()))
        .collect::<Result<Vec<_>, _>>()
        .map_err(failed)?;
    for row in job.rows(url) {
        let row = row?;
        for draft in &mut drafts {
            draft.write(&row).map_err(failed)?;
        }
    }
    drafts.into_iter().map(|draft| draft.finish().map_err(failed)).collect()
}
