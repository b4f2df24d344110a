//! `idx2gcs load`.

use std::io::IsTerminal;
use std::process::ExitCode;
use std::sync::Arc;

use clap::{Arg, ArgAction, ArgMatches, Command};
use tokio_util::sync::CancellationToken;

use super::{complain, say, settings, signals};
use crate::config::{Progress, Settings};
use crate::error::{Error, Exit};
use crate::load::{Job, Plan, load, prepare_output, write_summary};
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

pub(super) fn run(args: &ArgMatches) -> Result<ExitCode, Error> {
    let settings = Settings::validate(&settings::layers(args)?)?;
    let quiet = args.get_flag("quiet");
    let log = LogWriter::default();
    start_logging(&log, settings.log_format, args.get_count("verbose"), super::colour_on_stderr());
    if args.get_flag("dry-run") {
        let data = super::runtime()?.block_on(super::fetch::open(&settings.source, quiet))?;
        say(Plan::draw(&settings, &Job::new(&settings, data)?)?);
        return Ok(Exit::Complete.into());
    }
    prepare_output(&settings.out)?;
    super::runtime()?.block_on(async {
        let opened = super::fetch::open(&settings.source, quiet).await;
        let job = match opened.and_then(|data| Job::new(&settings, data)) {
            Ok(job) => job,
            Err(error) => {
                // There is always a summary, also of a run that has nothing to load.
                let none = Stats::new(0).snapshot();
                let used = settings.concurrency;
                let mut summary = Summary::new(none, used.auto, used.limit);
                summary.exit_code = error.exit() as u8;
                write_summary(&settings.out, &summary)?;
                return Err(error);
            }
        };
        let reporter = reporter(&settings, &job, &log, quiet);
        let stop = CancellationToken::new();
        reporter.note(&headline(&settings, &job));
        let signalled = signals::watch(&stop, &reporter);
        let outcome = load(&settings, job, reporter, stop).await?;
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

/// What is about to happen.
fn headline(settings: &Settings, job: &Job) -> String {
    let counts = Partition::ALL.into_iter().zip(job.partitions()).filter(|(_, n)| *n > 0);
    let counts = counts.map(|(partition, n)| format!("{} {partition}", thousands(n.into())));
    format!(
        "loading {} images ({}) into {}",
        thousands(job.count.into()),
        counts.collect::<Vec<_>>().join(", "),
        settings.url
    )
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
