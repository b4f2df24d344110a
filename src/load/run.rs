//! The run itself: images first, then the manifests that name them.

use std::ops::Range;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Weak};
use std::time::{Duration, SystemTime};

use parking_lot::Mutex;
use tokio_util::sync::CancellationToken;

use super::blocking::blocking;
use super::earlier;
use super::error::Error;
use super::job::Job;
use super::leftovers::{self, Leftovers};
use super::output::{self, FAILURES};
use super::resume::before_the_work;
use super::slices::Records;
use super::{Output, Prepared, Surveyed, Transfer, publish, report};
use crate::check::Finding;
use crate::exit::Exit;
use crate::files;
use crate::model::Selected;
use crate::pace::Bounds;
use crate::page;
use crate::pipeline::{
    self, Counts, Observer, Pipeline, RunResult, State, Stats, Stop, Storing, Unencodable, drained,
    observed,
};
use crate::report::{JsonLog, ManifestEntry, Summary};
use crate::retry::Retry;
use crate::shard::Ended;
use crate::sink::{IfExists, TimedSink};

/// How a load ended.
#[derive(Debug)]
pub struct Outcome {
    /// What was done.
    pub summary: Summary,
    /// Why the load is not complete, if it is not.
    pub error: Option<Error>,
    /// The page about the load, if one was written.
    pub page: Option<PathBuf>,
    /// Why the summary or the page could not be written, if so.
    pub unwritten: Option<Error>,
}

impl Outcome {
    /// The summary of a complete load.
    ///
    /// # Errors
    /// Why it is not complete, or why its files could not be written.
    pub fn into_result(self) -> Result<Summary, Error> {
        match self.error.or(self.unwritten) {
            None => Ok(self.summary),
            Some(error) => Err(error),
        }
    }
}

/// A load that has started.
pub struct Run {
    job: Arc<Job>,
    findings: Vec<Finding>,
    leftovers: Leftovers,
    sink: Arc<TimedSink>,
    output: Arc<Output>,
    transfer: Transfer,
    stats: Arc<Stats>,
    /// Whether the process is leaving: its summary is the last.
    left: Arc<Mutex<bool>>,
}

/// What another thread may do to a run while it goes on. It keeps neither the sink nor the output
/// folder, with its lock, alive.
#[derive(Clone)]
pub struct Control {
    sink: Weak<TimedSink>,
    output: PathBuf,
    stats: Arc<Stats>,
    selected: Option<Selected>,
    encoder: Option<String>,
    left: Arc<Mutex<bool>>,
}

impl Control {
    /// Puts other bounds on requests in flight and writes a second in force, at once.
    pub fn set_bounds(&self, bounds: Bounds) {
        self.stats.pace().set_bounds(bounds);
    }

    /// Leaves a truthful summary and removes what is not whole, for a process that ends now with that
    /// exit code.
    pub fn leave(&self, exit: Exit) {
        let mut summary = Summary::new(&self.stats);
        summary.selection = self.selected;
        summary.encoder.clone_from(&self.encoder);
        summary.exit_code = exit as u8;
        *self.left.lock() = true;
        // The process is leaving: there is nobody to report to that this failed.
        let _ = output::write_summary(&self.output, &summary);
        files::remove_partials(&self.output);
        if let Some(sink) = self.sink.upgrade() {
            sink.abandon();
        }
    }
}

/// What was done once the images were stored.
#[derive(Default)]
struct Done {
    manifests: Vec<ManifestEntry>,
    /// Objects of an earlier load that were deleted.
    pruned: u64,
    /// Images that other slices have not stored yet, by position.
    missing: Vec<Range<u32>>,
    /// All slices are stored, and somebody has to put them together.
    to_merge: bool,
}

impl Run {
    pub(super) fn new(prepared: Prepared) -> Self {
        let Prepared { surveyed, leftovers, sink, output, transfer } = prepared;
        let Surveyed { mut job, findings } = surveyed;
        let sink = Arc::new(sink.limited_to(transfer.retry.attempt_timeout));
        if output.report {
            let samples = report::samples(&job);
            // Nobody else has the job yet; if somebody had, the page would show no images.
            if let Some(job) = Arc::get_mut(&mut job) {
                job.images.samples = Some(samples);
            }
        }
        let stats = Arc::new(Stats::within(job.count_here(), transfer.pace));
        Self {
            job,
            findings,
            leftovers,
            sink,
            output: Arc::new(output),
            transfer,
            stats,
            left: Arc::default(),
        }
    }

    /// A handle for other threads.
    pub fn control(&self) -> Control {
        Control {
            sink: Arc::downgrade(&self.sink),
            output: self.output.folder().to_owned(),
            stats: Arc::clone(&self.stats),
            selected: self.job.selected(),
            encoder: self.job.encoders(),
            left: Arc::clone(&self.left),
        }
    }

    /// See [`Prepared::run`].
    pub async fn finish(self, observer: Arc<dyn Observer>, stop: &CancellationToken) -> Outcome {
        let mut done = Done::default();
        let work = self.store_and_publish(&mut done, stop);
        let ended = observed(&observer, &self.stats, work).await;

        let mut summary = Summary::new(&self.stats);
        summary.selection = self.job.selected();
        summary.encoder = self.job.encoders();
        let (counts, error) = match ended {
            Ok(counts) => (Some(counts), None),
            Err((counts, error)) => (counts, Some(error)),
        };
        summary
            .count(counts.unwrap_or(Counts { images: self.job.count_here(), ..Counts::default() }));
        summary.manifests = done.manifests;
        summary.pruned = done.pruned;
        summary.slice = self.job.slice_summary(&done.missing, done.to_merge);
        summary.exit_code = error.as_ref().map_or(Exit::Complete, Error::exit) as u8;
        let written = {
            let left = self.left.lock();
            if *left { Ok(()) } else { self.output.write_summary(&summary) }
        };
        let why = error.as_ref().map(Error::to_string);
        let page = match written {
            Ok(()) => self.write_page(&summary, why).await,
            Err(error) => Err(error),
        };
        let (page, unwritten) = page.map_or_else(|error| (None, Some(error)), |page| (page, None));
        Outcome { summary, error, page, unwritten }
    }

    async fn write_page(
        &self,
        summary: &Summary,
        error: Option<String>,
    ) -> Result<Option<PathBuf>, Error> {
        if !summary.has_begun() || self.job.images.samples.is_none() {
            return Ok(None);
        }
        let (job, output, summary) =
            (Arc::clone(&self.job), Arc::clone(&self.output), summary.clone());
        let (findings, url) = (self.findings.clone(), self.sink.url().to_owned());
        let when = when(SystemTime::now());
        let never = CancellationToken::new();
        let writing = blocking("the page", &never, move |_| {
            let page = report::report(&job, findings, &url, &summary, error, when);
            let path = output.folder().join(page::HTML);
            page.write(output.folder()).map_err(|e| Error::unwritten(&path, e))?;
            Ok(Some(path))
        });
        writing.await
    }

    async fn store_and_publish(
        &self,
        done: &mut Done,
        stop: &CancellationToken,
    ) -> Result<Counts, (Option<Counts>, Error)> {
        let before = |error| (None, error);
        let path = self.output.folder().join(FAILURES);
        let failures = JsonLog::new(path.clone());
        let failures = Arc::new(failures.map_err(|e| before(Error::output(&path, e)))?);
        let retry = Arc::new(Retry::new(self.transfer.retry, stop.clone()));
        let (job, sink, stats) = (&self.job, &*self.sink, &self.stats);
        let records = Records::of(job, sink, &retry, stats);
        if let Some(records) = &records
            && records.cover_slice(&records.list().await.map_err(before)?)
        {
            // Records are written last: what they cover is stored.
            let images = job.count_here();
            let counts = Counts { images, already_present: images, ..Counts::default() };
            (0..images).for_each(|_| stats.ended(State::AlreadyPresent));
            let storing = self.storing(Arc::clone(&retry));
            self.complete(Some(records), &storing, done, stop)
                .await
                .map_err(|error| (Some(counts), error))?;
            return Ok(counts);
        }
        let (left, listed) = (&self.leftovers, leftovers::existing_without_others);
        let existing = listed(job, sink, &retry, stats, left).await.map_err(before)?;
        if self.transfer.if_exists == IfExists::Fail {
            let refusing = self.refuse_existing(existing.count().into(), &retry);
            bounded(refusing, stop, self.transfer.drain, "the work began").await.map_err(before)?;
        }
        if self.transfer.if_exists == IfExists::Skip {
            let refusing = earlier::refuse_others(job, &self.sink, &retry, stats);
            bounded(refusing, stop, self.transfer.drain, "the work began").await.map_err(before)?;
        }

        self.output.forget_page().map_err(before)?;
        let log = Arc::clone(&failures);
        let pace = Arc::clone(stats.pace());
        let run = Arc::new(Pipeline {
            images: job.count_here(),
            objects: Arc::new(job.images.clone()),
            work: self.storing(Arc::clone(&retry)),
            existing,
            pace,
            memory: self.transfer.memory,
            queue: self.transfer.queue,
            stats: Arc::clone(stats),
            stop: stop.clone(),
            drain: self.transfer.drain,
            on_failure: Box::new(move |failure| log.add(failure)),
        });
        let result = pipeline::run(Arc::clone(&run), job.records()).await;
        let counts = result.counts;
        let after = |error| (Some(counts), error);
        let logged = failures.finish();
        let listed = logged.as_ref().ok().copied().flatten().map(std::path::PathBuf::as_path);
        let encoder = || job.encoders();
        let (metadata, max_outage) = (job.load.metadata, self.transfer.retry.max_outage);
        judge(result, sink.url(), max_outage, metadata, listed, encoder).map_err(after)?;
        logged.map_err(|e| after(Error::unwritten(&path, e)))?;
        if let Some(records) = &records {
            let ended = Ended {
                uploaded: counts.uploaded,
                already_present: counts.already_present,
                retries: stats.snapshot().retries.values().sum(),
            };
            let recording = records.write(ended, stats.snapshot().elapsed_s);
            bounded(recording, stop, self.transfer.drain, "the slice was recorded")
                .await
                .map_err(after)?;
        }
        self.complete(records.as_ref(), &run.work, done, stop).await.map_err(after)?;
        Ok(counts)
    }

    /// How images are stored.
    fn storing(&self, retry: Arc<Retry>) -> Storing {
        Storing {
            sink: Arc::clone(&self.sink),
            if_exists: self.transfer.if_exists,
            // What a slice does not list is from before the start as far as it knows.
            last_wins: self.job.is_slice() && self.job.names_here().is_none(),
            on_error: self.transfer.on_error,
            retry,
            pace: Some(Arc::clone(self.stats.pace())),
            stats: Arc::clone(&self.stats),
            refusals: pipeline::Refusals::default(),
        }
    }

    /// What is done once every image of this process is stored: the manifests, unless another slice is
    /// not, and after them what they no longer name.
    async fn complete(
        &self,
        records: Option<&Records<'_>>,
        storing: &Storing,
        done: &mut Done,
        stop: &CancellationToken,
    ) -> Result<(), Error> {
        let Done { manifests, pruned, missing, to_merge } = done;
        let publishing = async {
            if let Some(records) = records {
                let entries = records.list().await?;
                *missing = records.missing(&entries);
                // What a shared folder lists may be old: a person says when all slices are done.
                *to_merge = missing.is_empty() && !self.sink.lists_what_was_written();
                if !missing.is_empty() || *to_merge {
                    return Ok(());
                }
                if self.job.images.contents.is_some() {
                    records.read(&entries).await?;
                }
            }
            publish::publish(&self.job, &self.output, storing, manifests).await
        };
        bounded(publishing, stop, self.transfer.drain, "the manifests were published").await?;
        // Last: no manifest may name an object that is gone, and an earlier load's does until it is
        // replaced.
        let deleting = leftovers::delete(&self.leftovers, storing, pruned);
        bounded(deleting, stop, self.transfer.drain, "the earlier load's objects were deleted")
            .await
    }

    /// With `if_exists = "fail"` nothing is written where any object exists, manifests included.
    async fn refuse_existing(&self, images: u64, retry: &Retry) -> Result<(), Error> {
        let url = self.sink.url();
        let mut count = images;
        for manifest in &self.job.manifests {
            let name = manifest.object_name();
            let stat = |within| self.sink.stat(&name, within);
            let stored = retry.run(|fault| self.stats.note_retry(&name, fault), stat).await.result;
            let stored = stored.map_err(|fault| before_the_work(url, fault))?;
            count += u64::from(stored.is_some());
        }
        if count == 0 { Ok(()) } else { Err(Error::Exist { url: url.to_owned(), count }) }
    }
}

/// A time as people read it; the nearest that can be written where a clock is far from right.
fn when(now: SystemTime) -> String {
    let last = SystemTime::UNIX_EPOCH + Duration::from_secs(253_402_300_799); // the end of the year 9999
    httpdate::fmt_http_date(now.clamp(SystemTime::UNIX_EPOCH, last))
}

/// Once the run is stopped, work of a few requests may take as long as those in flight.
async fn bounded(
    work: impl Future<Output = Result<(), Error>>,
    stop: &CancellationToken,
    drain: Duration,
    before: &'static str,
) -> Result<(), Error> {
    tokio::select! {
        done = work => done,
        () = drained(stop, drain) => Err(Error::StoppedBefore(before)),
    }
}

/// Why a run over all images is not complete, if it is not; the counts decide.
pub(super) fn judge(
    result: RunResult,
    url: &str,
    max_outage: Duration,
    metadata: bool,
    failures: Option<&Path>,
    encoder: impl FnOnce() -> Option<String>,
) -> Result<(), Error> {
    let RunResult { counts, source, stop, unencodable, decoder_panic } = result;
    let (url, failures) = (url.to_owned(), failures.map(Path::to_owned));
    let Counts { images, failed, conflicts, defects, .. } = counts;
    let not_attempted = counts.not_attempted();
    if let Some(error) = source {
        return Err(error.into());
    }
    if let Some(panic) = decoder_panic {
        return Err(Error::panicked("the decoder", &panic));
    }
    match stop {
        Some(Stop::Refused(fault)) => return Err(Error::Refused { url, fault }),
        Some(Stop::Dead(fault)) => {
            return Err(Error::Outage { url, fault, max_outage, not_attempted, images, failures });
        }
        Some(Stop::OnError) | None => {}
    }
    if defects > 0 {
        return Err(Error::Defects { defects, images, failures });
    }
    if let Some(Unencodable { count, index, why }) = unencodable {
        return Err(Error::Unencodable { index, why, count, failures });
    }
    if conflicts > 0 {
        let encoder = encoder();
        return Err(Error::Conflicts { url, count: conflicts, encoder, metadata, failures });
    }
    if failed > 0 {
        return Err(Error::Failed { failed, images, failures });
    }
    if not_attempted > 0 {
        return Err(Error::Stopped { not_attempted, images });
    }
    if counts.is_complete() {
        Ok(())
    } else {
        Err(Error::Internal(format!("the images of the run do not add up: {counts:?}")))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::sink::{Fault, FaultKind};

    fn counts(uploaded: u32, failed: u32, conflicts: u32, defects: u32) -> Counts {
        Counts { images: 9, uploaded, failed, conflicts, defects, ..Counts::default() }
    }

    fn exit(counts: Counts, stop: Option<Stop>) -> Exit {
        let result = RunResult { counts, stop, ..RunResult::default() };
        let judged = judge(result, "gs://b", Duration::from_secs(45), false, None, || None);
        judged.map_or_else(|e| e.exit(), |()| Exit::Complete)
    }

    #[test]
    fn only_counts_that_add_up_are_complete() {
        assert_eq!(exit(counts(9, 0, 0, 0), None), Exit::Complete);
        assert_eq!(exit(counts(8, 0, 0, 0), None), Exit::Incomplete, "one without an end");
        assert_eq!(exit(counts(10, 0, 0, 0), None), Exit::Internal, "more than there are");
        assert_eq!(exit(counts(8, 1, 0, 0), None), Exit::Incomplete);
        assert_eq!(exit(counts(7, 2, 1, 0), None), Exit::Destination, "a conflict");
        assert_eq!(exit(counts(6, 3, 1, 1), None), Exit::Internal, "a defect comes first");
        let fault = Fault::new(FaultKind::Status(403), "");
        assert_eq!(exit(counts(0, 1, 0, 0), Some(Stop::Refused(fault.clone()))), Exit::Destination);
        assert_eq!(exit(counts(0, 9, 0, 0), Some(Stop::Dead(fault))), Exit::Incomplete);
        assert_eq!(exit(counts(0, 1, 0, 0), Some(Stop::OnError)), Exit::Incomplete);
    }

    #[test]
    fn any_clock_has_a_time() {
        let (epoch, long) = (SystemTime::UNIX_EPOCH, Duration::from_secs(400_000_000_000));
        assert_eq!(when(epoch - Duration::from_secs(1)), "Thu, 01 Jan 1970 00:00:00 GMT");
        assert_eq!(when(epoch + long), "Fri, 31 Dec 9999 23:59:59 GMT");
    }

    #[test]
    fn a_panic_of_the_decoder_is_a_defect_and_no_rerun_is_advised() {
        let decoder_panic = Some("index out of bounds".to_owned());
        let result =
            RunResult { counts: counts(3, 0, 0, 0), decoder_panic, ..RunResult::default() };
        let error = judge(result, "gs://b", Duration::ZERO, false, None, || None).unwrap_err();
        assert_eq!((error.exit(), error.rerun_helps()), (Exit::Internal, false));
        assert!(error.to_string().contains("the decoder panicked: index out of bounds"));
        assert!(!error.to_string().contains("again"), "{error}");
    }
}
