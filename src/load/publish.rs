//! Manifests: written and published last, when every object they name is stored.

use crate::config::Settings;
use crate::error::Error;
use crate::manifest::{Draft, Row, Written};
use crate::pipeline::Storing;
use crate::report::ManifestEntry;
use crate::sink::{Body, NewObject};

use super::Job;

/// Writes each manifest locally, then below the prefix, where it replaces one of an earlier run.
pub(super) async fn publish(
    settings: &Settings,
    job: &Job,
    storing: &Storing,
    published: &mut Vec<ManifestEntry>,
) -> Result<(), Error> {
    let written = tokio::task::block_in_place(|| write(settings, job, storing.sink.url()))?;
    for (format, file) in settings.manifests.iter().zip(written) {
        let object = NewObject {
            name: format.file_name().to_owned(),
            body: Body::File(file.path.clone(), file.size),
            crc32c: file.crc32c,
            content_type: "text/csv",
        };
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

/// One pass over the labels writes all manifests: no row is kept in memory.
fn write(settings: &Settings, job: &Job, url: &str) -> Result<Vec<Written>, Error> {
    let failed = |e| Error::output(&settings.out, e);
    let mut drafts = settings
        .manifests
        .iter()
        .map(|format| Draft::create(&settings.out, *format, job.labels.clone()))
        .collect::<Result<Vec<_>, _>>()
        .map_err(failed)?;
    for item in job.data.labels().take(job.count as usize) {
        let (index, label) = item?;
        let row = Row {
            url: format!("{url}/{}", job.images.name(index, label)),
            partition: job.images.split.partition(index),
            label,
        };
        for draft in &mut drafts {
            draft.write(row.clone()).map_err(failed)?;
        }
    }
    drafts.into_iter().map(|draft| draft.finish().map_err(failed)).collect()
}
