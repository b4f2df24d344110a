//! The main job: a source is decoded, split, named, encoded, stored, and listed in manifests.

mod destination;
mod job;
mod plan;
mod publish;
mod report;
mod verify;

use std::fs;
use std::io;
use std::path::Path;
use std::sync::Arc;
use std::time::SystemTime;

use tokio_util::sync::CancellationToken;

pub use self::destination::{Destination, about, open as open_destination, reach};
pub use self::job::{Job, survey};
pub use self::plan::{Plan, RequestCost};
pub use self::verify::{Verdict, verify};
use crate::config::Settings;
use crate::error::{Error, Exit};
use crate::files::{self, FolderLock};
use crate::manifest::Manifest;
use crate::page;
use crate::pipeline::{self, Cut, Existing, Run, Stop, Storing};
use crate::report::{JsonLog, ManifestEntry, Reporter, Stats, Summary, keep_reporting, thousands};
use crate::retry::{Chance, Retry};
use crate::sink::{Fault, IfExists, Purpose, Sink};

/// The files that a run leaves in the output folder, beside the manifests.
const SUMMARY: &str = "summary.json";
const FAILURES: &str = "failures.jsonl";

/// How a load ended.
pub struct Outcome {
    /// What was done.
    pub summary: Summary,
    /// Why it is not complete, if it is not.
    pub error: Option<Error>,
    /// Why the summary could not be written, if so.
    pub unwritten: Option<Error>,
}

/// Loads a data set into a sink. `stats` are counted while it runs; `stop` ends the run early: what
/// is in flight is finished, within bounds.
///
/// Writes `summary.json` (always), `failures.jsonl` (if an image failed), the report page (if the work
/// has begun) and the manifests (if and only if every image is stored) into the output folder.
///
/// The outcome tells every error; the summary's own, where there is none before it.
pub async fn load(
    settings: &Settings,
    job: Job,
    sink: Arc<dyn Sink>,
    reporter: Arc<dyn Reporter>,
    stats: Arc<Stats>,
    stop: CancellationToken,
) -> Outcome {
    let samples = settings.report.then(|| report::samples(&job));
    let mut work = Work { settings, job, sink, stats, stop };
    work.job.images.samples.clone_from(&samples);
    let reporting = tokio::spawn(keep_reporting(Arc::clone(&reporter), Arc::clone(&work.stats)));
    let mut manifests = Vec::new();
    let ended = work.run(&mut manifests).await;
    reporting.abort();
    reporter.end(&work.stats.snapshot());

    let mut summary = Summary::new(&work.stats);
    summary.manifests = manifests;
    let error = ended.err();
    summary.exit_code = error.as_ref().map_or(Exit::Complete, Error::exit) as u8;
    let written = write_summary(&settings.out, &summary).and_then(|()| {
        let Some(samples) = samples.filter(|_| summary.has_begun()) else { return Ok(()) };
        let (when, why) = (httpdate::fmt_http_date(SystemTime::now()), error.as_ref());
        let page = report::report(
            settings,
            &work.job,
            &samples,
            &summary,
            why.map(Error::to_string),
            when,
        );
        let path = settings.out.join(page::HTML);
        page.write(&settings.out).map_err(|e| Error::unwritten(&path, &e))
    });
    Outcome { summary, error, unwritten: written.err() }
}

/// Writes `summary.json`.
///
/// # Errors
/// When the output folder cannot be written.
pub fn write_summary(out: &Path, summary: &Summary) -> Result<(), Error> {
    let path = out.join(SUMMARY);
    summary.write(&path).map_err(|e| Error::unwritten(&path, &e))
}

/// Makes and locks the output folder, and sees that files can be written there before any work is done.
///
/// # Errors
/// When they cannot, or another process holds the lock.
pub fn prepare_output(settings: &Settings) -> Result<FolderLock, Error> {
    let out = &settings.out;
    let lock = files::lock_folder(out)?;
    let manifests = Manifest::all(&settings.manifests, &settings.name);
    let ours = [SUMMARY, FAILURES, verify::FINDINGS, page::HTML, page::JSON];
    let manifests = manifests.iter().map(|manifest| manifest.local_name());
    for name in manifests.chain(ours.map(str::to_owned)) {
        let path = out.join(name);
        if path.is_dir() {
            return Err(Error::output(&path, io::ErrorKind::IsADirectory.into()));
        }
    }
    Ok(lock)
}

/// Removes what an earlier run said of itself: whatever happens now, it speaks of another.
///
/// # Errors
/// When it cannot be removed.
pub fn forget_last_run(out: &Path) -> Result<(), Error> {
    for name in [SUMMARY, FAILURES, page::HTML, page::JSON] {
        let path = out.join(name);
        match fs::remove_file(&path) {
            Err(e) if e.kind() != io::ErrorKind::NotFound => return Err(Error::output(&path, e)),
            _ => {}
        }
    }
    Ok(())
}

/// Removes files that are not complete, for a process that exits at once.
pub fn remove_drafts(settings: &Settings) {
    files::remove_partials(&settings.out);
}

/// One load under way.
struct Work<'a> {
    settings: &'a Settings,
    job: Job,
    sink: Arc<dyn Sink>,
    stats: Arc<Stats>,
    stop: CancellationToken,
}

impl Work<'_> {
    async fn run(&self, manifests: &mut Vec<ManifestEntry>) -> Result<(), Error> {
        let failures = self.settings.out.join(FAILURES);
        let failures =
            Arc::new(JsonLog::new(failures.clone()).map_err(|e| Error::output(&failures, e))?);
        let retry = Retry::new(self.settings.retry, Chance::default(), self.stop.clone());
        let (settings, stats) = (self.settings, &self.stats);
        let write = Purpose::Write;
        let existing =
            job::look(settings, &self.job, &*self.sink, &retry, stats, write, drop).await?;
        self.bounded(self.refuse_existing(&existing, &retry)).await?;

        let log = Arc::clone(&failures);
        let pace = stats.pace();
        let run = Arc::new(Run {
            images: self.job.images.clone(),
            work: Storing {
                sink: Arc::clone(&self.sink),
                if_exists: settings.if_exists,
                last_wins: false,
                on_error: settings.on_error,
                retry: Arc::new(retry),
                pace: Some(Arc::clone(pace)),
                stats: Arc::clone(stats),
            },
            existing,
            pace: Arc::clone(pace),
            queue: settings.queue,
            stats: Arc::clone(stats),
            stop: self.stop.clone(),
            on_failure: Box::new(move |failure| log.add(failure)),
        });
        let records = self.job.data.records().take(self.job.count as usize);
        let cut = pipeline::run(Arc::clone(&run), records).await;
        let written = failures.finish();
        self.judge(cut, written.as_ref().ok().copied().flatten().map(std::path::PathBuf::as_path))?;
        written.map_err(|e| Error::unwritten(&settings.out.join(FAILURES), &e))?;
        self.bounded(publish::publish(settings, &self.job, &run.work, manifests)).await
    }

    /// Once the run is stopped, work of a few requests may take as long as those in flight.
    async fn bounded(&self, work: impl Future<Output = Result<(), Error>>) -> Result<(), Error> {
        let drained = async {
            self.stop.cancelled().await;
            tokio::time::sleep(pipeline::DRAIN).await;
        };
        tokio::select! {
            done = work => done,
            () = drained => Err(Error::Incomplete(
                "stopped before the manifests were published; run the same command again to finish"
                    .to_owned(),
            )),
        }
    }

    /// With `--if-exists fail` nothing is written where anything is there, the manifests included.
    async fn refuse_existing(&self, existing: &Existing, retry: &Retry) -> Result<(), Error> {
        if self.settings.if_exists != IfExists::Fail {
            return Ok(());
        }
        let mut count = u64::from(existing.count());
        for manifest in &self.job.manifests {
            let name = manifest.object_name();
            let stat = || self.sink.stat(&name);
            let there = retry.run(|fault| self.stats.retried(fault.kind), stat).await.result;
            let refused = |fault| Error::Destination { url: self.settings.url.clone(), fault };
            count += u64::from(there.map_err(refused)?.is_some());
        }
        if count == 0 {
            return Ok(());
        }
        Err(self.conflict(format!(
            "{} of the objects are there already; nothing was written (--if-exists skip keeps \
             those with the same content)",
            thousands(count)
        )))
    }

    fn conflict(&self, message: String) -> Error {
        Error::Conflict { url: self.settings.url.clone(), message }
    }

    /// Why the run is not complete, if it is not.
    fn judge(&self, cut: Cut, failures: Option<&Path>) -> Result<(), Error> {
        let now = self.stats.snapshot();
        let left = thousands(now.not_attempted.into());
        let see = failures.map_or(String::new(), |path| format!(", see {}", path.display()));
        if let Some(error) = cut.source {
            return Err(error.into());
        }
        match cut.stop {
            Some(Stop::Refused(fault)) => {
                return Err(Error::Destination { url: self.settings.url.clone(), fault });
            }
            Some(Stop::Dead(Fault { message, .. })) => {
                return Err(Error::Incomplete(format!(
                    "{} has stored nothing for {} (last: {message}): given up with {left} of {} \
                     images not attempted{see}; run the same command again when it works",
                    self.settings.url,
                    humantime::format_duration(self.settings.retry.max_outage),
                    thousands(now.images.into()),
                )));
            }
            Some(Stop::OnError) | None => {}
        }
        if cut.conflicts > 0 {
            return Err(self.conflict(format!(
                "{} objects are there with other content{see}; --if-exists overwrite replaces them",
                thousands(cut.conflicts.into()),
            )));
        }
        if cut.failed > 0 {
            return Err(Error::Incomplete(format!(
                "{} of {} images failed{see}; run the same command again to finish",
                thousands(cut.failed.into()),
                thousands(now.images.into()),
            )));
        }
        if now.not_attempted > 0 {
            return Err(Error::Incomplete(format!(
                "stopped with {left} of {} images not attempted; run the same command again to \
                 finish",
                thousands(now.images.into())
            )));
        }
        Ok(())
    }
}
