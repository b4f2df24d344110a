//! `idx2gcs emulate` in a build without the emulator.

use std::process::ExitCode;

use clap::{Arg, ArgMatches, Command};

use super::error::Error;

pub(super) fn command() -> Command {
    let anything = Arg::new("anything").num_args(0..).trailing_var_arg(true);
    Command::new("emulate")
        .about("Serves an embedded Google Cloud Storage: not in this build")
        .arg(anything.allow_hyphen_values(true).hide(true))
}

pub(super) fn run(_: &ArgMatches) -> Result<ExitCode, Error> {
    Err(Error::NoEmulator)
}
