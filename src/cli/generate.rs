//! `idx2gcs completions` and `idx2gcs man`, for packagers.

use std::process::ExitCode;

use clap::{Arg, ArgMatches, Command, value_parser};
use clap_complete::Shell;

use super::error::Error;
use crate::exit::Exit;

pub(super) fn commands() -> [Command; 2] {
    [
        Command::new("completions").about("Prints completions for a shell").arg(
            Arg::new("shell")
                .value_name("SHELL")
                .required(true)
                .value_parser(value_parser!(Shell))
                .help("The shell"),
        ),
        Command::new("man").about("Prints the manual page"),
    ]
}

pub(super) fn run(name: &str, args: &ArgMatches, mut command: Command) -> Result<ExitCode, Error> {
    let mut text = Vec::new();
    if name == "man" {
        // Writing into memory cannot fail.
        let _ = clap_mangen::Man::new(command).render(&mut text);
    } else if let Some(shell) = args.get_one::<Shell>("shell") {
        clap_complete::generate(*shell, &mut command, "idx2gcs", &mut text);
    }
    super::say(String::from_utf8_lossy(&text))?;
    Ok(Exit::Complete.into())
}
