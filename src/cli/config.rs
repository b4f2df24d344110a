//! `idx2gcs config show` and `idx2gcs config check`.

use std::process::ExitCode;

use clap::{ArgMatches, Command};

use super::error::Error;
use super::{say, settings};
use crate::config::Settings;
use crate::exit::Exit;
use crate::text::shown;

pub(super) fn command() -> Command {
    Command::new("config")
        .about("Shows or checks the settings in force")
        .subcommand_required(true)
        .arg_required_else_help(true)
        .subcommand(settings::add_flags(
            Command::new("show").about("Every setting with its value and where it came from"),
        ))
        .subcommand(settings::add_flags(
            Command::new("check").about("Checks the settings as `load` would, and does nothing"),
        ))
}

pub(super) fn run(args: &ArgMatches) -> Result<ExitCode, Error> {
    let Some((name, args)) = args.subcommand() else { return Ok(Exit::Usage.into()) };
    let layers = settings::layers(args)?;
    if name == "check" {
        Settings::validate(&layers)?;
        say("the settings can be used")?;
        return Ok(Exit::Complete.into());
    }
    let rows: Vec<(String, String)> = layers
        .all()
        .map(|(key, value)| match value {
            Some(value) => (format!("{} = {}", key.path, value.shown()), value.origin.to_string()),
            None => (format!("{} is not set", key.path), "no default".to_owned()),
        })
        .collect();
    let width = rows.iter().map(|(row, _)| row.chars().count()).max().unwrap_or(0);
    for (row, origin) in rows {
        say(shown(&format!("{row:<width$}  # {origin}")))?;
    }
    Ok(Exit::Complete.into())
}
