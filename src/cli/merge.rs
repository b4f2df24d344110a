//! `idx2gcs merge`.

use std::process::ExitCode;

use clap::{Arg, ArgAction, ArgMatches, Command};

use super::error::Error;
use super::invocation::Invocation;
use super::signals::Signals;
use super::{destination, say, settings};
use crate::config::ConfigError;
use crate::exit::Exit;
use crate::load::Merge;
use crate::sink::{Place, Purpose};
use crate::text::thousands;

pub(super) fn command() -> Command {
    let command = Command::new("merge")
        .about("Publishes the manifests of a load that was done in slices (--shard)")
        .after_help(
            "Takes the settings of `load`. Reads the source and the records that slices have left at \
             the destination; if they cover every image, the manifests are published, else the missing \
             ranges are named and the exit code is 1. In a bucket the last slice has published \
             already; merging again changes nothing.",
        );
    let flag = |name, help| Arg::new(name).long(name).action(ArgAction::SetTrue).help(help);
    super::verbosity(settings::add_flags(command))
        .arg(flag("verify", "List the objects, too: none may be missing or of another size"))
        .arg(flag("clean", "Delete the records afterwards"))
}

pub(super) fn run(args: &ArgMatches) -> Result<ExitCode, Error> {
    let invocation = Invocation::begin(args)?;
    let settings = &invocation.settings;
    let refused = if matches!(settings.place, Place::Zip(_)) {
        Some("a zip is written by one process: there are no slices to merge")
    } else if settings.prune {
        Some("merge deletes nothing but records: --prune with the load as a whole, afterwards")
    } else {
        None
    };
    if let Some(problem) = refused {
        return Err(ConfigError::Unfit(problem.to_owned()).into());
    }
    let with = Merge { verify: args.get_flag("verify"), clean: args.get_flag("clean") };
    let output = invocation.output()?;
    super::block_on(async {
        let signals = Signals::watch();
        let load = invocation.open(&signals).await?.merging();
        let destination = destination::open(settings, Purpose::Write).await?;
        let (sink, transfer) = (destination.sink.clone(), invocation.transfer());
        let prepared = load.prepare(sink, output, transfer, Purpose::Write, &signals.stop).await?;
        let merged = prepared.merge(with, &signals.stop).await?;
        let summary = &merged.summary;
        if !invocation.quiet {
            say(format_args!(
                "{} images of {} slices, which took {:.1} s together: {} uploaded, {} already present",
                thousands(summary.images.into()),
                merged.slices,
                summary.elapsed_s,
                thousands(summary.uploaded.into()),
                thousands(summary.already_present.into()),
            ))?;
            for manifest in &summary.manifests {
                say(format_args!("  {manifest}"))?;
            }
        }
        Ok(Exit::Complete.into())
    })
}
