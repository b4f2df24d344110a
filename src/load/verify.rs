//! Proves that the destination holds exactly what the source says: names, sizes, CRC32C. Encodes
//! again and lists; downloads nothing, writes nothing there.

use std::fmt;
use std::io;
use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use serde::Serialize;
use tokio_util::sync::CancellationToken;

use super::job::{self, Job};
use crate::config::Settings;
use crate::error::Error;
use crate::manifest::{Digesting, Manifest, RowWriter};
use crate::pipeline::{self, ImageFailure, Refusal, Run, Stop, Work};
use crate::report::{JsonLog, Reporter, State, Stats, keep_reporting, thousands};
use crate::retry::{Chance, Retry};
use crate::sink::{Body, NewObject, Purpose, Sink, Stored};

/// The file of what is not as it should be, in the output folder.
pub(super) const FINDINGS: &str = "verify.jsonl";

/// What the destination holds against what it should.
#[derive(Debug, Clone, Serialize)]
pub struct Verdict {
    /// Objects that should be there: images and manifests.
    pub expected: u64,
    /// Of those, there with the right size and CRC32C.
    pub exact: u64,
    /// Not there.
    pub missing: u64,
    /// There with other content.
    pub different: u64,
    /// Below the prefix, but of no image and no manifest.
    pub unexpected: u64,
    /// A line for each that is not exact; nothing if all are.
    pub findings: Option<PathBuf>,
}

impl Verdict {
    /// Everything is there, as it should be, and nothing else.
    pub fn is_exact(&self) -> bool {
        self.exact == self.expected && self.unexpected == 0
    }
}

impl fmt::Display for Verdict {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (expected, exact) = (thousands(self.expected), thousands(self.exact));
        write!(f, "{exact} of {expected} objects are exact")?;
        for (count, what) in [
            (self.missing, "missing"),
            (self.different, "different"),
            (self.unexpected, "unexpected"),
        ] {
            write!(f, ", {} {what}", thousands(count))?;
        }
        match &self.findings {
            Some(path) => write!(f, "; see {}", path.display()),
            None => Ok(()),
        }
    }
}

/// A line of `verify.jsonl`.
#[derive(Serialize)]
struct Line<'a> {
    finding: &'static str,
    object: &'a str,
    #[serde(skip_serializing_if = "Option::is_none")]
    index: Option<u32>,
    #[serde(skip_serializing_if = "Option::is_none")]
    detail: Option<String>,
}

/// The findings so far.
struct Findings {
    log: JsonLog,
    missing: AtomicU64,
    different: AtomicU64,
    unexpected: AtomicU64,
    exact_manifests: AtomicU64,
}

impl Findings {
    fn missing(&self, object: &str, index: Option<u32>) {
        self.missing.fetch_add(1, Ordering::Relaxed);
        self.log.add(&Line { finding: "missing", object, index, detail: None });
    }

    fn different(&self, object: &str, index: Option<u32>, detail: String) {
        self.different.fetch_add(1, Ordering::Relaxed);
        self.log.add(&Line { finding: "different", object, index, detail: Some(detail) });
    }

    fn unexpected(&self, object: &str) {
        self.unexpected.fetch_add(1, Ordering::Relaxed);
        self.log.add(&Line { finding: "unexpected", object, index: None, detail: None });
    }
}

/// Compares an object with what the listing said of it.
struct Comparing {
    sink: Arc<dyn Sink>,
    retry: Retry,
}

impl Work for Comparing {
    async fn object(
        &self,
        object: NewObject,
        seen: Option<Stored>,
    ) -> Result<State, (Refusal, u32)> {
        let seen = match seen {
            // The listing told no checksum; asked for this one object the destination may.
            Some(Stored { crc32c: None, .. }) => {
                let asked = self.retry.run(|_| (), || self.sink.stat(&object.name)).await;
                asked.result.map_err(|fault| (fault.into(), 0))?
            }
            seen => seen,
        };
        match seen {
            Some(seen) if seen.holds(&object) => Ok(State::AlreadyPresent),
            Some(seen) => Err((Refusal::Conflict(seen.unlike(&object)), 0)),
            None => Err((Refusal::Missing, 0)),
        }
    }

    fn stops_at(&self, failure: &ImageFailure) -> Option<Stop> {
        // What could not be asked for is neither missing nor different.
        match &failure.refusal {
            Refusal::Fault(fault) => Some(Stop::Refused(fault.clone())),
            _ => None,
        }
    }
}

/// Verifies a destination. `stop` ends it early, with an error.
///
/// # Errors
/// A source that is bad, a destination that refuses, findings that cannot be written.
pub async fn verify(
    settings: &Settings,
    job: Job,
    sink: Arc<dyn Sink>,
    reporter: Arc<dyn Reporter>,
    stats: Arc<Stats>,
    stop: CancellationToken,
) -> Result<Verdict, Error> {
    let path = settings.out.join(FINDINGS);
    let log = JsonLog::new(path.clone()).map_err(|e| Error::output(&path, e))?;
    let counter = AtomicU64::default;
    let findings = Arc::new(Findings {
        log,
        missing: counter(),
        different: counter(),
        unexpected: counter(),
        exact_manifests: counter(),
    });
    let reporting = tokio::spawn(keep_reporting(Arc::clone(&reporter), Arc::clone(&stats)));
    let compared = compare(settings, &job, &sink, &stats, &stop, &findings).await;
    reporting.abort();
    reporter.end(&stats.snapshot());
    compared?;

    let count = |counter: &AtomicU64| counter.load(Ordering::Relaxed);
    let (missing, different) = (count(&findings.missing), count(&findings.different));
    let expected = u64::from(job.count) + job.manifests.len() as u64;
    Ok(Verdict {
        expected,
        // What was found to be so, not what is left when the rest is taken away.
        exact: u64::from(stats.snapshot().already_present) + count(&findings.exact_manifests),
        missing,
        different,
        unexpected: count(&findings.unexpected),
        findings: findings.log.finish().map_err(|e| Error::output(&path, e))?.cloned(),
    })
}

async fn compare(
    settings: &Settings,
    job: &Job,
    sink: &Arc<dyn Sink>,
    stats: &Arc<Stats>,
    stop: &CancellationToken,
    findings: &Arc<Findings>,
) -> Result<(), Error> {
    let names: Vec<String> = job.manifests.iter().map(|manifest| manifest.object_name()).collect();
    let mut manifests: Vec<Option<Stored>> = vec![None; names.len()];
    let on_other = |stored: Stored| match names.iter().position(|name| *name == stored.name) {
        Some(position) => {
            if let Some(slot) = manifests.get_mut(position) {
                *slot = Some(stored);
            }
        }
        None => findings.unexpected(&stored.name),
    };
    let retry = Retry::new(settings.retry, Chance::default(), stop.clone());
    let existing =
        job::look(settings, job, &**sink, &retry, stats, Purpose::Read, on_other).await?;
    let into = Arc::clone(findings);
    let run = Arc::new(Run {
        images: job.images.clone(),
        work: Comparing { sink: Arc::clone(sink), retry },
        existing,
        pace: Arc::clone(stats.pace()),
        queue: settings.queue,
        stats: Arc::clone(stats),
        stop: stop.clone(),
        on_failure: Box::new(move |failure| match &failure.refusal {
            Refusal::Missing => into.missing(&failure.object, Some(failure.index)),
            Refusal::Fault(_) => {}
            Refusal::Conflict(how) => {
                into.different(&failure.object, Some(failure.index), how.clone());
            }
        }),
    });
    let cut = pipeline::run(Arc::clone(&run), job.data.records().take(job.count as usize)).await;
    if let Some(error) = cut.source {
        return Err(error.into());
    }
    if let Some(Stop::Refused(fault) | Stop::Dead(fault)) = cut.stop {
        return Err(Error::Destination { url: settings.url.clone(), fault });
    }
    if stop.is_cancelled() || stats.snapshot().not_attempted > 0 {
        return Err(Error::Incomplete("stopped before everything was compared".to_owned()));
    }

    // Last: some tell of each object's checksum, which is known now that all have been made again.
    let should = expected(settings, job).map_err(|e| Error::Incomplete(e.to_string()))?;
    for (should, there) in should.iter().zip(manifests) {
        let there = match there {
            Some(Stored { crc32c: None, .. }) => {
                let asked = run.work.retry.run(|_| (), || sink.stat(&should.name)).await.result;
                asked.map_err(|fault| Error::Destination { url: settings.url.clone(), fault })?
            }
            there => there,
        };
        match there {
            None => findings.missing(&should.name, None),
            Some(there) if there.holds(should) => {
                findings.exact_manifests.fetch_add(1, Ordering::Relaxed);
            }
            Some(there) => findings.different(&should.name, None, there.unlike(should)),
        }
    }
    Ok(())
}

/// The manifests that should be there, by size and checksum; their bytes are kept nowhere.
fn expected(settings: &Settings, job: &Job) -> io::Result<Vec<NewObject>> {
    let begin = |manifest| {
        RowWriter::new(Digesting::new(io::sink()), manifest, Arc::clone(job.data.classes()))
    };
    let mut writers = job.manifests.iter().map(|it| begin(*it)).collect::<io::Result<Vec<_>>>()?;
    for row in job.rows(settings) {
        writers.iter_mut().try_for_each(|writer| writer.write(&row))?;
    }
    let end = |(manifest, writer): (&Manifest, RowWriter<Digesting<io::Sink>>)| {
        let (out, _) = writer.finish()?;
        Ok(NewObject {
            name: manifest.object_name(),
            body: Body::File(PathBuf::new(), out.size),
            crc32c: out.crc32c,
            content_type: manifest.format.content_type(),
            metadata: Vec::new(),
        })
    };
    job.manifests.iter().zip(writers).map(end).collect()
}
