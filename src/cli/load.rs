//! `idx2gcs load` and `idx2gcs verify`, which take the same settings.

use std::io::IsTerminal;
use std::process::ExitCode;
use std::sync::Arc;

use clap::{Arg, ArgAction, ArgMatches, Command};
use tokio_util::sync::CancellationToken;

use super::signals::{self, Signalled};
use super::{complain, say, settings};
use crate::config::{Endpoint, Place, Progress, Settings};
use crate::error::{Error, Exit};
use crate::limits::fit_open_files;
use crate::load::{Destination, Job, Plan, load, open_destination, prepare_output};
use crate::load::{verify, write_summary};
use crate::report::{
    Bar, JsonLines, LogWriter, PlainLines, Reporter, Silent, Stats, Summary, start_logging,
    thousands,
};
use crate::split::Partition;

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
    let (mut settings, log, quiet) = begin(args)?;
    if args.get_flag("dry-run") {
        let data = super::runtime()?.block_on(super::fetch::open(&settings.source, quiet))?;
        say(Plan::draw(&settings, &Job::new(&settings, data)?)?);
        return Ok(Exit::Complete.into());
    }
    prepare_output(&settings.out)?;
    super::runtime()?.block_on(async {
        let (job, destination) = match open(&settings, quiet).await {
            Ok(opened) => opened,
            Err((error, images)) => {
                // There is always a summary, also of a run that could not begin.
                let none = Stats::new(images).snapshot();
                let mut summary = Summary::new(none, settings.concurrency);
                summary.exit_code = error.exit() as u8;
                write_summary(&settings.out, &summary)?;
                return Err(error);
            }
        };
        let watch = Watch::begin(&mut settings, &job, "loading", "into", &log, quiet);
        let Watch { reporter, stop, signalled } = watch;
        let outcome = load(&settings, job, destination.sink, reporter, stop).await?;
        // A run that was refused before it began has its error, and no figures.
        if !quiet && (outcome.error.is_none() || outcome.summary.has_begun()) {
            say(&outcome.summary);
        }
        let Some(error) = outcome.error else { return Ok(Exit::Complete.into()) };
        complain(&error);
        let Some(exit) = signalled.exit() else { return Ok(error.exit().into()) };
        let mut summary = outcome.summary;
        summary.exit_code = exit as u8;
        write_summary(&settings.out, &summary)?;
        Ok(exit.into())
    })
}

pub(super) fn run_verify(args: &ArgMatches) -> Result<ExitCode, Error> {
    let (mut settings, log, quiet) = begin(args)?;
    prepare_output(&settings.out)?;
    super::runtime()?.block_on(async {
        let (job, destination) = open(&settings, quiet).await.map_err(|(error, _)| error)?;
        let watch = Watch::begin(&mut settings, &job, "verifying", "in", &log, quiet);
        let Watch { reporter, stop, signalled } = watch;
        let verdict = match verify(&settings, job, destination.sink, reporter, stop).await {
            Ok(verdict) => verdict,
            Err(error) => {
                complain(&error);
                return Ok(signalled.exit().unwrap_or(error.exit()).into());
            }
        };
        if verdict.is_exact() {
            if !quiet {
                say(&verdict);
            }
            return Ok(Exit::Complete.into());
        }
        Err(Error::Incomplete(format!("{}: {verdict}", settings.url)))
    })
}

/// Settings and logging.
fn begin(args: &ArgMatches) -> Result<(Settings, LogWriter, bool), Error> {
    let settings = Settings::validate(&settings::layers(args)?)?;
    let log = LogWriter::default();
    start_logging(&log, settings.log_format, args.get_count("verbose"), super::colour_on_stderr());
    Ok((settings, log, args.get_flag("quiet")))
}

/// The source and the destination; an error comes with the number of images that are known.
async fn open(settings: &Settings, quiet: bool) -> Result<(Job, Destination), (Error, u32)> {
    let data = super::fetch::open(&settings.source, quiet).await.map_err(|e| (e, 0))?;
    let job = Job::new(settings, data).map_err(|e| (e, 0))?;
    let destination = open_destination(settings).await.map_err(|e| (e, job.count))?;
    Ok((job, destination))
}

/// Whoever watches a run: the person at the terminal, and their signals.
struct Watch {
    reporter: Arc<dyn Reporter>,
    stop: CancellationToken,
    signalled: Signalled,
}

impl Watch {
    /// Says what is about to happen, and makes the settings fit the system.
    fn begin(
        settings: &mut Settings,
        job: &Job,
        doing: &str,
        preposition: &str,
        log: &LogWriter,
        quiet: bool,
    ) -> Self {
        let reporter = reporter(settings, job, log, quiet);
        let counts = Partition::ALL.into_iter().zip(job.partitions()).filter(|(_, n)| *n > 0);
        let counts = counts.map(|(partition, n)| format!("{} {partition}", thousands(n.into())));
        reporter.note(&format!(
            "{doing} {} images ({}) {preposition} {}",
            thousands(job.count.into()),
            counts.collect::<Vec<_>>().join(", "),
            settings.url
        ));
        if matches!(settings.place, Place::Bucket { .. }) {
            let ends = if matches!(settings.endpoint, Endpoint::Embedded(_)) { 2 } else { 1 };
            let fits = fit_open_files(settings.concurrency.limit, ends);
            if fits < settings.concurrency.limit {
                reporter.note(&format!(
                    "the system's limit of open files leaves room for {fits} requests in flight \
                     instead of {}; raise it with: ulimit -n",
                    settings.concurrency.limit
                ));
                settings.concurrency.limit = fits;
            }
        }
        let stop = CancellationToken::new();
        let signalled = signals::watch(&stop, &reporter);
        Self { reporter, stop, signalled }
    }
}

fn reporter(settings: &Settings, job: &Job, log: &LogWriter, quiet: bool) -> Arc<dyn Reporter> {
    let terminal = std::io::stderr().is_terminal();
    match settings.progress {
        _ if quiet => Arc::new(Silent),
        Progress::None => Arc::new(Silent),
        Progress::Json => Arc::new(JsonLines),
        Progress::Auto | Progress::Bar if terminal => {
            let bar = Bar::new(job.count);
            log.step_around(&bar);
            Arc::new(bar)
        }
        // A bar needs a terminal to draw on.
        Progress::Auto | Progress::Bar | Progress::Plain => Arc::new(PlainLines),
    }
}
