//! `idx2gcs load` and `idx2gcs verify`, which take the same settings.

use std::cell::Cell;
use std::io::IsTerminal;
use std::process::ExitCode;
use std::sync::Arc;
use std::sync::atomic::Ordering;

use clap::{Arg, ArgAction, ArgMatches, Command};
use tokio::task::JoinHandle;
use tokio_util::sync::CancellationToken;

use super::signals::{Hooks, Signals};
use super::{complain, say, settings};
use crate::check::{self, Survey};
use crate::config::{Layers, Settings};
use crate::error::{Error, Exit};
use crate::limits::fit_open_files;
use crate::load::{
    Destination, Job, Outcome, Plan, about, forget_last_run, load, open_destination,
    prepare_output, reach, remove_drafts, survey, verify, write_summary,
};
use crate::model::Partition;
use crate::pace::{Bounds, Pace};
use crate::report::{
    Bar, JsonLines, LogWriter, PlainLines, Reporter, Silent, Stats, Summary, start_logging,
    thousands,
};
use crate::report::{LogFormat, Progress};
use crate::sink::Purpose;
use crate::sink::{Endpoint, Place};

pub(super) fn command() -> Command {
    let command = Command::new("load")
        .about("Loads a data set: source, split, JPEG, destination, manifests")
        .after_help(
            "Each flag is also a key of the config file and an environment variable \
             IDX2GCS_<SECTION>_<KEY>; `idx2gcs config show` says what is in force and why.",
        );
    super::verbosity(settings::add_flags(command)).arg(
        Arg::new("dry-run").long("dry-run").action(ArgAction::SetTrue).help(
            "Do everything but the writes: counts, bytes, classes by partition, cost, first rows",
        ),
    )
}

pub(super) fn verify_command() -> Command {
    let command = Command::new("verify")
        .about("Proves that the destination holds exactly what the source says")
        .after_help(
            "Takes the settings of `load`. Encodes every image again, lists the destination and \
             compares names, sizes and CRC32C, the manifests' too; downloads nothing, writes \
             nothing there. What is missing, different or unexpected is listed in verify.jsonl \
             in the output folder. Exit code 0 only if all is exact, 1 if it is not.",
        );
    super::verbosity(settings::add_flags(command))
}

pub(super) fn run(args: &ArgMatches) -> Result<ExitCode, Error> {
    let invocation = Invocation::begin(args)?;
    if args.get_flag("dry-run") {
        let Invocation { settings, .. } = &invocation;
        let job = super::block_on(invocation.look())?;
        say(Plan::draw(settings, &job)?)?;
        for finding in &job.findings {
            say(format_args!("{}: {finding}", finding.severity))?;
        }
        return match check::errors(&job.findings) {
            None => Ok(Exit::Complete.into()),
            Some(errors) => Err(Error::Findings(errors)),
        };
    }
    let _lock = prepare_output(&invocation.settings)?;
    forget_last_run(&invocation.settings.out)?;
    super::block_on(invocation.load())
}

pub(super) fn run_verify(args: &ArgMatches) -> Result<ExitCode, Error> {
    let invocation = Invocation::begin(args)?;
    let _lock = prepare_output(&invocation.settings)?;
    super::block_on(invocation.verify())
}

/// One run of the program for one person.
pub(super) struct Invocation {
    pub(super) settings: Settings,
    log: LogWriter,
    quiet: bool,
    /// The command line, to which a changed config file is added again.
    args: ArgMatches,
    /// The settings as they were said.
    layers: Layers,
}

impl Invocation {
    fn begin(args: &ArgMatches) -> Result<Self, Error> {
        Self::with(args, &settings::layers(args)?)
    }

    pub(super) fn with(args: &ArgMatches, layers: &Layers) -> Result<Self, Error> {
        let settings = Settings::validate(layers)?;
        let json = settings.progress == Progress::Json || settings.log_format == LogFormat::Json;
        super::READ_BY_PROGRAMS.store(json, Ordering::Relaxed);
        let log = LogWriter::default();
        let verbosity = args.get_count("verbose");
        start_logging(&log, settings.log_format, verbosity, super::colour_on_stderr());
        Ok(Self {
            settings,
            log,
            quiet: args.get_flag("quiet"),
            args: args.clone(),
            layers: layers.clone(),
        })
    }

    async fn load(mut self) -> Result<ExitCode, Error> {
        let signals = Signals::watch();
        let (job, destination) = match self.open(&signals, Purpose::Write).await {
            Ok(opened) => opened,
            Err((error, images)) => {
                // There is always a summary, also of a run that could not begin.
                let exit = signals.exit().unwrap_or(error.exit());
                complain(&error);
                self.summarise(&self.stats(images), exit)?;
                return Ok(exit.into());
            }
        };
        let (reporter, stats) = self.announce(&job, &destination, "loading", "into", &signals);
        reporter.note(&job.frequencies().to_string());
        for finding in &job.findings {
            reporter.note(&format!("{}: {finding}", finding.severity));
        }
        let following = self.follow_config(&reporter, &stats);
        let stop = signals.stop.clone();
        let Outcome { mut summary, error, unwritten } =
            load(&self.settings, job, destination.sink, reporter, stats, stop).await;
        following.abort();
        // A run that was refused before it began has its error, and no figures.
        let said = if !self.quiet && (error.is_none() || summary.has_begun()) {
            say(&summary)
        } else {
            Ok(())
        };
        let mut exit = error.as_ref().or(unwritten.as_ref()).map_or(Exit::Complete, Error::exit);
        // What became of the images comes first; that it could not be said comes after it.
        for error in [error.as_ref(), unwritten.as_ref(), said.as_ref().err()].into_iter().flatten()
        {
            complain(error);
        }
        if let Some(signalled) = signals.exit().filter(|_| error.is_some()) {
            exit = signalled;
            summary.exit_code = exit as u8;
            write_summary(&self.settings.out, &summary)?;
        }
        Ok(exit.into())
    }

    async fn verify(mut self) -> Result<ExitCode, Error> {
        let signals = Signals::watch();
        let verdict = match self.open(&signals, Purpose::Read).await {
            Ok((job, destination)) => {
                let (reporter, stats) =
                    self.announce(&job, &destination, "verifying", "in", &signals);
                let stop = signals.stop.clone();
                verify(&self.settings, job, destination.sink, reporter, stats, stop).await
            }
            Err((error, _)) => Err(error),
        };
        let error = match verdict {
            Ok(verdict) if verdict.is_exact() => {
                if !self.quiet {
                    say(&verdict)?;
                }
                return Ok(Exit::Complete.into());
            }
            Ok(verdict) => Error::Incomplete(format!("{}: {verdict}", self.settings.url)),
            Err(error) => error,
        };
        complain(&error);
        Ok(signals.exit().unwrap_or(error.exit()).into())
    }

    /// The source and the destination; an error comes with the number of images that are known.
    async fn open(
        &self,
        signals: &Signals,
        purpose: Purpose,
    ) -> Result<(Job, Destination), (Error, u32)> {
        let (settings, stop) = (&self.settings, &signals.stop);
        let known = Cell::new(0);
        let opening = async {
            let data = super::fetch::open(settings, self.quiet).await?;
            known.set(settings.source.limit.unwrap_or(u32::MAX).min(data.images()));
            // Settings that do not fit the data set are said before anybody is asked, if possible.
            let early = (!Job::needs_hashes(settings))
                .then(|| Job::new(settings, data.clone(), &Survey::default()))
                .transpose()?;
            let looking = async {
                let survey = survey(settings, &data, stop).await?;
                let mut job = early.map_or_else(|| Job::new(settings, data, &survey), Ok)?;
                job.look_into(&survey, settings.duplicates);
                match check::errors(&job.findings) {
                    Some(errors) if purpose == Purpose::Write => Err(Error::Findings(errors)),
                    _ => Ok(job),
                }
            };
            let reaching = async {
                let destination = open_destination(settings).await?;
                reach(settings, &*destination.sink, purpose, stop).await?;
                Ok(destination)
            };
            if let Place::Bucket { .. } = settings.place {
                // While the source is read through, the service is asked.
                let (mut job, destination) = futures::try_join!(looking, reaching)?;
                job.findings.extend(about(settings, &destination).await);
                return Ok((job, destination));
            }
            // A folder is made when it is asked.
            let job = looking.await?;
            Ok((job, reaching.await?))
        };
        tokio::select! {
            opened = opening => opened.map_err(|error| (error, known.get())),
            () = stop.cancelled() => Err((Error::stopped_early(), known.get())),
        }
    }

    /// The source alone.
    pub(super) async fn look(&self) -> Result<Job, Error> {
        let settings = &self.settings;
        let data = super::fetch::open(settings, self.quiet).await?;
        let survey = survey(settings, &data, &CancellationToken::new()).await?;
        let mut job = Job::new(settings, data, &survey)?;
        job.look_into(&survey, settings.duplicates);
        Ok(job)
    }

    /// Says what is about to happen, makes the settings fit the system, and what a signal does.
    fn announce(
        &mut self,
        job: &Job,
        destination: &Destination,
        doing: &str,
        preposition: &str,
        signals: &Signals,
    ) -> (Arc<dyn Reporter>, Arc<Stats>) {
        let reporter = self.reporter(job);
        let counts = Partition::ALL.into_iter().zip(job.partitions()).filter(|(_, n)| *n > 0);
        let counts = counts.map(|(partition, n)| format!("{} {partition}", thousands(n.into())));
        reporter.note(&format!(
            "{doing} {} images ({}) {preposition} {}",
            thousands(job.count.into()),
            counts.collect::<Vec<_>>().join(", "),
            self.settings.url
        ));
        self.fit_open_files(&*reporter);

        let stats = Arc::new(self.stats(job.count));
        let (told, counted) = (Arc::clone(&reporter), Arc::clone(&stats));
        let settings = self.settings.clone();
        // The hooks outlive the run, and the sink must not.
        let sink = Arc::downgrade(&destination.sink);
        signals.set_hooks(Hooks {
            stopping: Box::new(move || {
                told.note("stopping: finishing what is in flight; once more to leave at once");
            }),
            leaving: Box::new(move |exit| {
                let mut summary = Summary::new(&counted);
                summary.exit_code = exit as u8;
                // The process is leaving: there is nobody to tell that this failed.
                let _ = write_summary(&settings.out, &summary);
                remove_drafts(&settings);
                if let Some(sink) = sink.upgrade() {
                    sink.abandon();
                }
            }),
        });
        (reporter, stats)
    }

    /// The counters of a run that begins now, and its pace.
    fn stats(&self, images: u32) -> Stats {
        Stats::new(images, Arc::new(Pace::new(self.settings.pace)))
    }

    /// Lets changes of the config file take effect while the run goes on.
    fn follow_config(&self, reporter: &Arc<dyn Reporter>, stats: &Arc<Stats>) -> JoinHandle<()> {
        let (reporter, pace) = (Arc::clone(reporter), Arc::clone(stats.pace()));
        let ends = self.files_a_request();
        let fit = move |mut bounds: Bounds| {
            let limit = &mut bounds.concurrency.limit;
            *limit = ends.map_or(*limit, |ends| fit_open_files(*limit, ends));
            bounds
        };
        let (args, layers) = (self.args.clone(), self.layers.clone());
        tokio::spawn(super::live::follow(args, layers, fit, reporter, pace))
    }

    /// Open files that a request in flight takes; nothing where they do not add up.
    fn files_a_request(&self) -> Option<u32> {
        let Settings { place, endpoint, .. } = &self.settings;
        let embedded = matches!(endpoint, Endpoint::Embedded(_));
        matches!(place, Place::Bucket { .. }).then_some(if embedded { 2 } else { 1 })
    }

    fn fit_open_files(&mut self, reporter: &dyn Reporter) {
        let Some(ends) = self.files_a_request() else { return };
        let limit = &mut self.settings.pace.concurrency.limit;
        let (wanted, fits) = (*limit, fit_open_files(*limit, ends));
        if fits < wanted {
            *limit = fits;
            reporter.note(&format!(
                "the system's limit of open files leaves room for {fits} requests in flight \
                 instead of {wanted}; raise it with: ulimit -n"
            ));
        }
    }

    fn reporter(&self, job: &Job) -> Arc<dyn Reporter> {
        let terminal = std::io::stderr().is_terminal();
        match self.settings.progress {
            _ if self.quiet => Arc::new(Silent),
            Progress::None => Arc::new(Silent),
            Progress::Json => Arc::new(JsonLines),
            Progress::Auto | Progress::Bar if terminal => {
                let bar = Bar::new(job.count);
                self.log.step_around(&bar);
                Arc::new(bar)
            }
            // A bar needs a terminal to draw on.
            Progress::Auto | Progress::Bar | Progress::Plain => Arc::new(PlainLines),
        }
    }

    fn summarise(&self, stats: &Stats, exit: Exit) -> Result<(), Error> {
        let mut summary = Summary::new(stats);
        summary.exit_code = exit as u8;
        write_summary(&self.settings.out, &summary)
    }
}
