//! Proves that the destination holds exactly what the source says: names, sizes, CRC32C. Encodes
//! again and lists; downloads nothing, writes nothing there.

use std::fmt;
use std::io;
use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use serde::Serialize;
use tokio_util::sync::CancellationToken;

use super::Prepared;
use super::blocking::blocking;
use super::earlier::{is_marked, is_of_another_load};
use super::error::Error;
use super::job::Job;
use super::resume::{before_the_work, list_existing};
use crate::manifest::{Digesting, Manifest, RowWriter};
use crate::pipeline::{
    self, Counts, ImageFailure, NotStored, Observer, Pipeline, RunResult, State, Stats, Stop, Work,
    observed, with_checksum,
};
use crate::report::JsonLog;
use crate::retry::Retry;
use crate::sink::{Body, Fault, NewObject, Purpose, Stored, TimedSink};
use crate::text::thousands;

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
    /// There with other content, or with other custom metadata where the load gives some.
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
    fn image(&self, failure: &ImageFailure) {
        let index = Some(failure.index);
        match &failure.error {
            NotStored::Missing => self.missing(&failure.object, index),
            NotStored::Conflict(how) => self.different(&failure.object, index, how.clone()),
            // The source does not make it, whatever the destination holds.
            NotStored::Encoding(why) => self.different(&failure.object, index, why.to_string()),
            // It ends the run, or is counted as a defect.
            NotStored::Fault(_) | NotStored::Panicked => {}
        }
    }

    fn missing(&self, object: &str, index: Option<u32>) {
        self.missing.fetch_add(1, Ordering::Relaxed);
        self.log.add(&Line { finding: "missing", object, index, detail: None });
    }

    fn different(&self, object: &str, index: Option<u32>, detail: String) {
        self.different.fetch_add(1, Ordering::Relaxed);
        self.log.add(&Line { finding: "different", object, index, detail: Some(detail) });
    }

    fn unexpected(&self, object: &str, left: bool) {
        self.unexpected.fetch_add(1, Ordering::Relaxed);
        let detail = left.then(|| "left by an earlier load; load --prune deletes it".to_owned());
        self.log.add(&Line { finding: "unexpected", object, index: None, detail });
    }
}

/// Compares an object with what the listing said of it.
struct Comparing {
    sink: Arc<TimedSink>,
    retry: Retry,
}

impl Comparing {
    async fn stat(&self, name: &str) -> Result<Option<Stored>, Fault> {
        self.retry.run(|_| (), |within| self.sink.stat(name, within)).await.result
    }
}

impl Work for Comparing {
    async fn object(
        &self,
        object: NewObject,
        seen: Option<Stored>,
    ) -> Result<State, (NotStored, u32)> {
        let known = with_checksum(seen, || self.stat(&object.name)).await;
        match known.map_err(|fault| (fault.into(), 0))? {
            Some(seen) if seen.holds(&object) && seen.carries(&object.metadata) => {
                Ok(State::AlreadyPresent)
            }
            Some(seen) => Err((NotStored::Conflict(seen.diff(&object)), 0)),
            None => Err((NotStored::Missing, 0)),
        }
    }

    fn stops_at(&self, failure: &ImageFailure) -> Option<Stop> {
        // An object whose state could not be learned is neither missing nor different.
        match &failure.error {
            NotStored::Fault(fault) => Some(Stop::Refused(fault.clone())),
            _ => None,
        }
    }
}

impl Prepared {
    /// Proves that the destination holds exactly what the source says: names, sizes, CRC32C, the
    /// manifests' too. Encodes every image again and lists; downloads nothing, writes nothing there.
    /// A stop ends it early, with an error.
    ///
    /// # Errors
    /// A source that is bad, a destination that refuses or does not work, findings that cannot be
    /// written.
    pub async fn verify(
        self,
        observer: Arc<dyn Observer>,
        stop: &CancellationToken,
    ) -> Result<Verdict, Error> {
        let path = self.output.folder().join(FINDINGS);
        let log = JsonLog::new(path.clone()).map_err(|e| Error::output(&path, e))?;
        let counter = AtomicU64::default;
        let findings = Arc::new(Findings {
            log,
            missing: counter(),
            different: counter(),
            unexpected: counter(),
            exact_manifests: counter(),
        });
        let stats = Arc::new(Stats::within(self.surveyed.images(), self.transfer.pace));
        let comparing = self.compare(&stats, stop, &findings);
        let counts = observed(&observer, &stats, comparing).await?;

        let count = |counter: &AtomicU64| counter.load(Ordering::Relaxed);
        Ok(Verdict {
            expected: u64::from(self.surveyed.images()) + self.surveyed.job.manifests.len() as u64,
            // Counted one by one, not the rest when all others are taken away.
            exact: u64::from(counts.already_present) + count(&findings.exact_manifests),
            missing: count(&findings.missing),
            different: count(&findings.different),
            unexpected: count(&findings.unexpected),
            findings: findings.log.finish().map_err(|e| Error::output(&path, e))?.cloned(),
        })
    }

    async fn compare(
        &self,
        stats: &Arc<Stats>,
        stop: &CancellationToken,
        findings: &Arc<Findings>,
    ) -> Result<Counts, Error> {
        let (job, sink) = (&self.surveyed.job, &self.sink);
        let names: Vec<String> =
            job.manifests.iter().map(|manifest| manifest.object_name()).collect();
        let mut manifests: Vec<Option<Stored>> = vec![None; names.len()];
        let on_other = |stored: Stored| {
            if let Some(position) = names.iter().position(|name| *name == stored.name) {
                manifests[position] = Some(stored);
            } else {
                let left = job.images.names.could_make(&stored.name)
                    || (is_marked(&stored) && is_of_another_load(job, &stored.name));
                findings.unexpected(&stored.name, left);
            }
        };
        let retry = Retry::new(self.transfer.retry, stop.clone());
        let existing = list_existing(job, sink, &retry, stats, Purpose::Read, on_other).await?;
        let into = Arc::clone(findings);
        let run = Arc::new(Pipeline {
            images: job.selection.count(),
            objects: Arc::new(job.images.clone()),
            work: Comparing { sink: Arc::clone(sink), retry },
            existing,
            pace: Arc::clone(stats.pace()),
            memory: self.transfer.memory,
            queue: self.transfer.queue,
            stats: Arc::clone(stats),
            stop: stop.clone(),
            drain: self.transfer.drain,
            on_failure: Box::new(move |failure| into.image(failure)),
        });
        let records = job.records();
        let counts = judge(pipeline::run(Arc::clone(&run), records).await, sink.url())?;

        // Last: some list each object's checksum, which is known now that all were made again.
        let expecting = Arc::clone(job);
        let addresses = Arc::clone(sink);
        let expected = blocking("a manifest", stop, move |stop| {
            expected(&expecting, &expecting.manifests, |name| addresses.address(name), stop)
        });
        let expected = expected.await?;
        for (object, stored) in expected.iter().zip(manifests) {
            let known = with_checksum(stored, || run.work.stat(&object.name)).await;
            match known.map_err(|fault| before_the_work(sink.url(), fault))? {
                None => findings.missing(&object.name, None),
                Some(stored) if stored.holds(object) => {
                    findings.exact_manifests.fetch_add(1, Ordering::Relaxed);
                }
                Some(stored) => findings.different(&object.name, None, stored.diff(object)),
            }
        }
        Ok(counts)
    }
}

/// Why not every image was compared, if so: images that differ are no error here.
fn judge(result: RunResult, url: &str) -> Result<Counts, Error> {
    let RunResult { counts, source, stop, decoder_panic, .. } = result;
    if let Some(error) = source {
        return Err(error.into());
    }
    if let Some(panic) = decoder_panic {
        return Err(Error::panicked("the decoder", &panic));
    }
    if counts.defects > 0 {
        return Err(Error::Internal(format!("{} images could not be compared", counts.defects)));
    }
    if let Some(Stop::Refused(fault) | Stop::Dead(fault)) = stop {
        return Err(before_the_work(url, fault));
    }
    if counts.not_attempted() > 0 {
        return Err(stopped());
    }
    Ok(counts)
}

fn stopped() -> Error {
    Error::StoppedBefore("everything was compared")
}

/// These manifests as they should be, by size and checksum; their bytes are kept nowhere.
pub(super) fn expected(
    job: &Job,
    manifests: &[Manifest],
    address: impl Fn(&str) -> String,
    stop: &CancellationToken,
) -> Result<Vec<NewObject>, Error> {
    let failed = |e: io::Error| Error::Internal(e.to_string());
    let begin = |manifest| {
        RowWriter::new(Digesting::new(io::sink()), manifest, Arc::clone(job.data().classes()))
    };
    let writers = manifests.iter().map(|it| begin(*it)).collect::<io::Result<Vec<_>>>();
    let mut writers = writers.map_err(failed)?;
    for row in job.rows(address) {
        if stop.is_cancelled() {
            return Err(stopped());
        }
        writers.iter_mut().try_for_each(|writer| writer.write(&row)).map_err(failed)?;
    }
    let end = |(manifest, writer): (&Manifest, RowWriter<Digesting<io::Sink>>)| {
        let (out, _) = writer.finish().map_err(failed)?;
        Ok(NewObject {
            name: manifest.object_name(),
            body: Body::file(PathBuf::new(), out.size),
            crc32c: out.crc32c,
            content_type: manifest.format.content_type(),
            metadata: Vec::new(),
        })
    };
    manifests.iter().zip(writers).map(end).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::encode::EncodeError;

    /// Otherwise one object would be neither exact nor anything else, and the list would be empty.
    #[test]
    fn an_image_that_cannot_be_encoded_is_a_finding() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join(FINDINGS);
        let findings = Findings {
            log: JsonLog::new(path.clone()).unwrap(),
            missing: AtomicU64::default(),
            different: AtomicU64::default(),
            unexpected: AtomicU64::default(),
            exact_manifests: AtomicU64::default(),
        };
        findings.image(&ImageFailure {
            index: 7,
            object: "7.jpg".to_owned(),
            attempts: 0,
            error: NotStored::Encoding(EncodeError("a damaged PNG".to_owned())),
        });
        findings.log.finish().unwrap();
        assert_eq!(findings.different.into_inner(), 1);
        let text = std::fs::read_to_string(&path).unwrap();
        assert!(text.contains("7.jpg") && text.contains("a damaged PNG"), "{text}");
    }
}
