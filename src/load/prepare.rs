//! Before the first write: the source is read through and checked, the destination is asked whether it
//! works. What would make an import fail is refused here.

use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::Duration;

use tokio_util::sync::CancellationToken;

use super::blocking::blocking;
use super::error::Error;
use super::job::Job;
use super::leftovers::{self, Leftovers};
use super::resume::{before_the_work, stopped_early};
use super::run::Run;
use super::{Load, Output, Part, Plan, Transfer, digest};
use crate::check::{self, Duplicates, Finding, Frequencies, Survey};
use crate::model::{Selected, Selection};
use crate::pipeline::{Observer, Stats};
use crate::report::SliceSummary;
use crate::retry::{Limits, Retry};
use crate::sink::{Fault, FaultKind, IfExists, Purpose, Sink, TimedSink};
use crate::source::DataSet;
use crate::split::SplitMethod;

/// Before the work begins a destination that cannot be connected to is given up after so many attempts.
const CHECK_ATTEMPTS: u32 = 4;

/// Time for the questions about a bucket whose answers are only worth knowing.
pub const ABOUT_TIMEOUT: Duration = Duration::from_secs(3);

/// A data set that was read through: split, names and findings are known. No destination is.
#[derive(Debug)]
pub struct Surveyed {
    pub(super) job: Arc<Job>,
    /// What is wrong with the images, or worth knowing, the worst first.
    pub findings: Vec<Finding>,
}

impl Load {
    /// Reads the source once: proves packed files whole, checks the pixels, draws the split. Says what
    /// is wrong with names that become those of files, if they do: see [`Sink::names_are_files`]. A stop
    /// ends it early, with an error.
    ///
    /// # Errors
    /// A source that is bad, options that do not fit it.
    pub async fn survey(
        self,
        names_are_files: bool,
        stop: &CancellationToken,
    ) -> Result<Surveyed, Error> {
        let early = self.early(names_are_files)?;
        self.survey_after(early, names_are_files, stop).await
    }

    /// Everything before the first write. The destination is asked while the source is read, unless
    /// asking would make something there.
    ///
    /// # Errors
    /// As [`Load::survey`]; findings that are errors, unless `purpose` is to read; a destination that
    /// refuses or does not work; an output folder that cannot take the manifests.
    pub async fn prepare(
        self,
        sink: Arc<dyn Sink>,
        output: Output,
        transfer: Transfer,
        purpose: Purpose,
        stop: &CancellationToken,
    ) -> Result<Prepared, Error> {
        // Options that do not fit the data set are reported before anybody is asked, if possible.
        let names_are_files = sink.names_are_files();
        let early = self.early(names_are_files)?;
        if let Some(job) = &early {
            output.check_manifests(&job.manifests)?;
        }
        let sink = Arc::new(TimedSink::new(sink, transfer.retry.attempt_timeout));
        let courtesies = self.courtesies && purpose.writes();
        let surveying = async {
            let surveyed = self.survey_after(early, names_are_files, stop).await?;
            output.check_manifests(&surveyed.job.manifests)?;
            let errors = check::errors(&surveyed.findings);
            if errors.is_empty() || !purpose.writes() {
                Ok(surveyed)
            } else {
                Err(Error::Findings(errors))
            }
        };
        let checked = match purpose {
            Purpose::Write => match transfer.if_exists {
                IfExists::Overwrite => Purpose::Replace,
                // Nothing is deleted from an archive.
                _ if transfer.prune && !sink.counts_as_a_whole() => Purpose::Replace,
                IfExists::Skip => Purpose::Write,
                IfExists::Fail => Purpose::Create,
            },
            purpose => purpose,
        };
        let asking = async {
            check_destination(&sink, &transfer, checked, stop).await?;
            Ok(if courtesies { about(&sink).await } else { Vec::new() })
        };
        let (mut surveyed, about) = if sink.check_makes_something() {
            let surveyed = surveying.await?;
            (surveyed, asking.await?)
        } else {
            futures::try_join!(surveying, asking)?
        };
        surveyed.findings.extend(about);
        let leftovers = if purpose.writes() && transfer.prune && !sink.counts_as_a_whole() {
            let retry = Retry::new(transfer.retry, stop.clone());
            let stats = Stats::within(surveyed.images(), transfer.pace);
            leftovers::find(&surveyed.job, &sink, &retry, &stats).await?
        } else {
            Leftovers::default()
        };
        Ok(Prepared { surveyed, leftovers, sink, output, transfer })
    }

    /// The job, if it can be made without the pixels.
    fn early(&self, names_are_files: bool) -> Result<Option<Arc<Job>>, Error> {
        (!self.needs_hashes()).then(|| self.job(names_are_files, None)).transpose()
    }

    async fn survey_after(
        self,
        early: Option<Arc<Job>>,
        names_are_files: bool,
        stop: &CancellationToken,
    ) -> Result<Surveyed, Error> {
        let load = self;
        let surveyed = blocking("the survey", stop, move |stop| {
            let selection = match &early {
                Some(job) => job.selection.clone(),
                None => load.before_the_split(),
            };
            let mut survey = load.survey_pixels(&selection, &|| stop.is_cancelled())?;
            if stop.is_cancelled() {
                // What was seen of the pixels is not enough for a split by them.
                return Err(stopped_early());
            }
            let mut job = if let Some(job) = early {
                job
            } else {
                let job = load.job(names_are_files, Some(survey.hashes.clone()))?;
                survey.keep(&job.selection);
                job
            };
            if load.part != Part::Whole {
                let digest = digest::of(&job, &survey.hashes);
                let job = Arc::get_mut(&mut job);
                job.ok_or_else(|| Error::Internal("the job is shared".to_owned()))?.digest =
                    Some(digest);
            }
            let findings = job.findings(&survey);
            survey.hashes = Vec::new();
            Ok(Surveyed { job, findings })
        });
        let surveyed = surveyed.await;
        if stop.is_cancelled() { Err(stopped_early()) } else { surveyed }
    }

    /// The images whose pixels are needed before it is known which are selected.
    fn before_the_split(&self) -> Selection {
        let images = self.data.images();
        // A split by content is drawn for all images, whatever the limit; a sample after the split.
        let limit = self.limit.filter(|_| self.split.method != SplitMethod::Hash);
        Selection::First(limit.unwrap_or(images).min(images))
    }

    fn survey_pixels(
        &self,
        selection: &Selection,
        stopped: &dyn Fn() -> bool,
    ) -> Result<Survey, Error> {
        let hash =
            self.needs_hashes() || self.duplicates != Duplicates::Off || self.part != Part::Whole;
        if !hash {
            // Nobody asks for the pixels: it is enough that they are whole.
            self.data.prove(stopped)?;
            return Ok(Survey::default());
        }
        Ok(check::survey(&self.data, selection, stopped)?)
    }
}

impl Surveyed {
    /// The data set.
    pub fn data(&self) -> &DataSet {
        self.job.data()
    }

    /// Images of the load.
    pub fn images(&self) -> u32 {
        self.job.selection.count()
    }

    /// Which of the data set's images these are; `None` for all.
    pub fn selected(&self) -> Option<Selected> {
        self.job.selected()
    }

    /// Images by class and partition.
    pub fn frequencies(&self) -> &Frequencies {
        &self.job.frequencies
    }

    /// What a load into `url` would do; `address` makes an object's address of its name, `priced` says
    /// whether requests cost something there. Encodes every image, writes nothing, asks nobody.
    ///
    /// # Errors
    /// A source that is bad.
    pub async fn plan(
        &self,
        url: &str,
        address: impl Fn(&str) -> String + Send + 'static,
        priced: bool,
    ) -> Result<Plan, Error> {
        let (job, url) = (Arc::clone(&self.job), url.to_owned());
        let never = CancellationToken::new();
        blocking("the dry run", &never, move |stop| Plan::draw(&job, url, &address, priced, stop))
            .await
    }
}

/// A load of which everything is known, into a destination that works.
pub struct Prepared {
    /// The source; its findings are also those of the destination.
    pub surveyed: Surveyed,
    /// Where the transfer prunes: what an earlier load left, which the run deletes when it is complete.
    /// The run is refused where anything else is left.
    pub leftovers: Leftovers,
    pub(super) sink: Arc<TimedSink>,
    pub(super) output: Output,
    pub(super) transfer: Transfer,
}

impl Prepared {
    /// Images that this process stores: those of the load, or of its slice.
    pub fn images(&self) -> u32 {
        self.surveyed.job.count_here()
    }

    /// Which slice of the load this process stores, where that is not all of it.
    pub fn slice(&self) -> Option<SliceSummary> {
        self.surveyed.job.slice_summary(&[], false)
    }

    /// The options of the transfer, which may be changed until the run starts.
    pub fn transfer_mut(&mut self) -> &mut Transfer {
        &mut self.transfer
    }

    /// Begins the run: its clock starts.
    pub fn start(self) -> Run {
        Run::new(self)
    }

    /// Stores every image and publishes the manifests. Writes `summary.json` (always),
    /// `failures.jsonl` (if an image failed), the page (if the work began) and the manifests (if and
    /// only if every image is stored) into the output folder. A stop ends the run early: requests in
    /// flight are finished, within bounds. Dropping the future abandons them.
    pub async fn run(
        self,
        observer: Arc<dyn Observer>,
        stop: &CancellationToken,
    ) -> super::Outcome {
        self.start().finish(observer, stop).await
    }
}

/// Asks the destination whether it exists and may be used so. A service that answers is waited for as
/// in an outage, one that cannot be connected to only for a moment. A stop ends it at once.
///
/// # Errors
/// A destination that refuses or does not work.
pub async fn check_destination(
    sink: &TimedSink,
    transfer: &Transfer,
    purpose: Purpose,
    stop: &CancellationToken,
) -> Result<(), Error> {
    let limits = transfer.retry;
    let limits = Limits { max_elapsed: limits.max_elapsed.min(limits.max_outage), ..limits };
    let retry = Retry::new(limits, stop.clone());
    let unreachable = AtomicU32::new(0);
    let unreachable = &unreachable;
    let attempt = |within| async move {
        let checked = sink.check(purpose, within).await;
        checked.map_err(|mut fault| {
            if fault.kind == FaultKind::Connect
                && unreachable.fetch_add(1, Ordering::Relaxed) + 1 >= CHECK_ATTEMPTS
            {
                fault.kind = FaultKind::Unreachable;
            }
            fault
        })
    };
    let on_retry = |fault: &Fault| tracing::debug!(%fault, cause = %fault.kind, "trying again");
    tokio::select! {
        checked = retry.run(on_retry, attempt) => {
            checked.result.map_err(|fault| before_the_work(sink.url(), fault))
        }
        () = stop.cancelled() => Err(stopped_early()),
    }
}

/// What is worth knowing of a bucket before it is imported from. What cannot be learned soon is no
/// finding.
pub async fn about(sink: &TimedSink) -> Vec<Finding> {
    match sink.about(ABOUT_TIMEOUT).await {
        Ok(about) => check::of_bucket(&about),
        Err(fault) => {
            tracing::debug!(%fault, "the bucket's metadata cannot be read");
            Vec::new()
        }
    }
}
