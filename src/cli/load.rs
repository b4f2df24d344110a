//! `idx2gcs load` and `idx2gcs verify`, which take the same settings.

use std::process::ExitCode;
use std::sync::Arc;

use clap::{Arg, ArgAction, ArgMatches, Command};

use super::error::Error;
use super::invocation::Invocation;
use super::signals::{Hooks, Signals};
use super::{complain, destination, prune, say, settings};
use crate::check;
use crate::exit::Exit;
use crate::load::{self, Load, Outcome, Output, Prepared};
use crate::model::{Partition, images};
use crate::pipeline::{Observer, Stats};
use crate::report::Summary;
use crate::sink::{Place, Purpose};
use crate::text::{shown, thousands};

pub(super) fn command() -> Command {
    let command = Command::new("load")
        .about("Loads a data set: source, split, JPEG, destination, manifests")
        .after_help(
            "Each flag is also a key of the config file and an environment variable \
             IDX2GCS_<SECTION>_<KEY>; `idx2gcs config show` says what is in force and why.",
        );
    super::verbosity(settings::add_flags(command))
        .arg(Arg::new("dry-run").long("dry-run").action(ArgAction::SetTrue).help(
            "Do everything but the writes: counts, bytes, classes by partition, cost, first rows",
        ))
        .arg(
            Arg::new("yes")
                .short('y')
                .long("yes")
                .action(ArgAction::SetTrue)
                .help("With --prune: delete without asking"),
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
    let invocation = Invocation::begin_slice(args)?;
    if args.get_flag("dry-run") {
        return super::block_on(dry_run(&invocation));
    }
    let yes = args.get_flag("yes");
    prune::check(&invocation, yes)?;
    let output = invocation.output()?;
    output.forget_last_run()?;
    super::block_on(load(invocation, output, yes))
}

pub(super) fn run_verify(args: &ArgMatches) -> Result<ExitCode, Error> {
    let invocation = Invocation::begin(args)?;
    let output = invocation.output()?;
    super::block_on(verify(invocation, output))
}

async fn dry_run(invocation: &Invocation) -> Result<ExitCode, Error> {
    let settings = &invocation.settings;
    let surveyed = invocation.survey().await?;
    let priced = matches!(settings.place, Place::Bucket { .. });
    let addressed = settings.clone();
    if let Some(line) = invocation.recognised(surveyed.data()) {
        say(line)?;
    }
    let plan = surveyed.plan(&settings.url, move |name| addressed.address(name), priced).await?;
    say(plan)?;
    for finding in &surveyed.findings {
        say(format_args!("{}: {finding}", finding.severity))?;
    }
    let errors = check::errors(&surveyed.findings);
    if errors.is_empty() {
        Ok(Exit::Complete.into())
    } else {
        Err(load::Error::Findings(errors).into())
    }
}

async fn load(invocation: Invocation, output: Output, yes: bool) -> Result<ExitCode, Error> {
    let signals = Signals::watch();
    let opened = invocation.open(&signals).await;
    let images = opened.as_ref().map_or(0, Load::images);
    let written = output.clone();
    let prepared = match opened {
        Ok(load) => begin(&invocation, load, output, yes, &signals).await,
        Err(error) => Err(error),
    };
    let (prepared, _destination, observer) = match prepared {
        Ok(prepared) => prepared,
        Err(error) => {
            // There is always a summary, also of a run that could not begin.
            let exit = signals.exit().unwrap_or(error.exit());
            complain(&error);
            let mut summary = Summary::new(&Stats::within(images, invocation.settings.pace));
            summary.exit_code = exit as u8;
            if let Err(error) = written.write_summary(&summary) {
                complain(&error);
            }
            return Ok(exit.into());
        }
    };
    let run = prepared.start();
    let (noting, leaving) = (Arc::clone(&observer), run.control());
    signals.set_hooks(Hooks {
        stopping: Box::new(move || noting.note(STOPPING)),
        leaving: Box::new(move |exit| leaving.leave(exit)),
    });
    let following = invocation.follow_config(&observer, run.control());
    let Outcome { mut summary, error, page, unwritten } = run.finish(observer, &signals.stop).await;
    following.abort();
    // A run that was refused before it began has its error, and no figures.
    let printed = if !invocation.quiet && (error.is_none() || summary.has_begun()) {
        let page = page
            .map(|page| format!("\n  a page about it in {}", shown(&page.display().to_string())));
        say(format!("{summary}{}", page.unwrap_or_default()))
    } else {
        Ok(())
    };
    // What became of the images comes first; that it could not be written comes after it.
    let all = [error.as_ref(), unwritten.as_ref()].into_iter().flatten();
    for error in all {
        complain(error);
    }
    if let Err(error) = &printed {
        complain(error);
    }
    let mut exit = error.as_ref().or(unwritten.as_ref()).map_or(Exit::Complete, load::Error::exit);
    if let Some(signalled) = signals.exit().filter(|_| error.is_some()) {
        exit = signalled;
        summary.exit_code = exit as u8;
        if let Err(error) = written.write_summary(&summary) {
            complain(&error);
        }
    }
    Ok(exit.into())
}

/// Everything before the run: what will be done is shown, and deleting is agreed to.
async fn begin(
    invocation: &Invocation,
    load: Load,
    output: Output,
    yes: bool,
    signals: &Signals,
) -> Result<(Prepared, destination::Destination, Arc<dyn Observer>), Error> {
    let (mut prepared, destination) =
        prepare(invocation, load, output, Purpose::Write, signals).await?;
    let observer = announce(invocation, &mut prepared, "loading", "into");
    observer.note(&prepared.surveyed.frequencies().to_string());
    for finding in &prepared.surveyed.findings {
        observer.note(&format!("{}: {finding}", finding.severity));
    }
    if invocation.settings.prune {
        prune::consent(invocation, &prepared, &*observer, yes, signals).await?;
    }
    Ok((prepared, destination, observer))
}

async fn verify(invocation: Invocation, output: Output) -> Result<ExitCode, Error> {
    let signals = Signals::watch();
    let url = invocation.settings.url.clone();
    let verifying = async {
        let load = invocation.open(&signals).await?;
        let prepared = prepare(&invocation, load, output, Purpose::Read, &signals).await?;
        let (mut prepared, _destination) = prepared;
        let observer = announce(&invocation, &mut prepared, "verifying", "in");
        let noting = Arc::clone(&observer);
        signals.set_hooks(Hooks {
            stopping: Box::new(move || noting.note(STOPPING)),
            leaving: Box::new(|_| {}),
        });
        let verdict = prepared.verify(observer, &signals.stop).await?;
        if verdict.is_exact() {
            return Ok(verdict);
        }
        Err(Error::from(load::Error::Inexact { url, verdict }))
    };
    match verifying.await {
        Ok(verdict) => {
            if !invocation.quiet {
                say(&verdict)?;
            }
            Ok(Exit::Complete.into())
        }
        Err(error) => {
            complain(&error);
            Ok(signals.exit().unwrap_or(error.exit()).into())
        }
    }
}

const STOPPING: &str = "stopping: finishing uploads in flight (again to quit now)";

async fn prepare(
    invocation: &Invocation,
    load: Load,
    output: Output,
    purpose: Purpose,
    signals: &Signals,
) -> Result<(Prepared, destination::Destination), Error> {
    let settings = &invocation.settings;
    let destination = destination::open(settings, purpose).await?;
    // What a check makes is removed by a second signal, too. The hooks outlive the run, and the sink must
    // not.
    let sink = Arc::downgrade(&destination.sink);
    let (written, images, pace) = (output.folder().to_owned(), load.images(), settings.pace);
    signals.set_hooks(Hooks {
        stopping: Box::new(|| {}),
        leaving: Box::new(move |exit| {
            if purpose == Purpose::Write {
                let mut summary = Summary::new(&Stats::within(images, pace));
                summary.exit_code = exit as u8;
                // The process is leaving: there is nobody to report to that this failed.
                let _ = summary.write(&written.join(crate::load::SUMMARY));
            }
            if let Some(sink) = sink.upgrade() {
                sink.abandon();
            }
        }),
    });
    let (sink, transfer) = (Arc::clone(&destination.sink), invocation.transfer());
    let prepared = load.prepare(sink, output, transfer, purpose, &signals.stop).await?;
    Ok((prepared, destination))
}

/// Prints the start line, and fits the number of requests in flight to the limit of open files.
fn announce(
    invocation: &Invocation,
    prepared: &mut Prepared,
    doing: &str,
    preposition: &str,
) -> Arc<dyn Observer> {
    let surveyed = &prepared.surveyed;
    let observer = invocation.observer(prepared.images());
    if let Some(line) = invocation.recognised(surveyed.data()) {
        observer.note(&line);
    }
    let counts = Partition::ALL.into_iter().zip(surveyed.frequencies().totals());
    let counts = counts.filter(|(_, n)| *n > 0);
    let counts = counts.map(|(partition, n)| format!("{} {partition}", thousands(n.into())));
    let of = match prepared.slice() {
        Some(slice) => slice.to_string(),
        None => images(surveyed.images(), surveyed.selected()),
    };
    observer.note(&format!(
        "{doing} {of} ({}) {preposition} {}",
        counts.collect::<Vec<_>>().join(", "),
        invocation.settings.url
    ));
    invocation.fit_open_files(&mut prepared.transfer_mut().pace, &*observer);
    observer
}
