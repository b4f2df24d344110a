//! The program: arguments, one file a subcommand, and the exit code.

mod check;
mod config;
mod deploy;
mod destination;
#[cfg_attr(not(feature = "emulator"), path = "no_emulator.rs")]
mod emulate;
mod error;
mod fetch;
mod generate;
mod inspect;
mod invocation;
mod limits;
mod live;
mod load;
mod merge;
mod prune;
mod report;
mod settings;
mod signals;
mod tune;

use std::ffi::OsString;
use std::io::{self, IsTerminal, Write};
use std::process::ExitCode;
use std::sync::atomic::{AtomicBool, Ordering};

use clap::{ArgAction, ArgMatches, Command};

use self::error::Error;
use crate::text::{shown, shown_json};

/// Prints to stdout. A pipe that was closed has had enough, which is no error.
fn say(text: impl std::fmt::Display) -> Result<(), Error> {
    match writeln!(io::stdout().lock(), "{text}") {
        Err(e) if e.kind() != io::ErrorKind::BrokenPipe => {
            Err(Error::output("standard output".as_ref(), e))
        }
        _ => Ok(()),
    }
}

/// Whether a program reads stderr, once the settings are known: an error is a line of JSON then.
static READ_BY_PROGRAMS: AtomicBool = AtomicBool::new(false);

/// Prints `error: …` and the causes below it to stderr, a line each. Errors repeat what services and
/// archives say, so they are escaped.
fn complain(error: &dyn std::error::Error) {
    let mut err = io::stderr().lock();
    if READ_BY_PROGRAMS.load(Ordering::Relaxed) {
        let causes = std::iter::successors(error.source(), |cause| cause.source());
        let causes: Vec<_> = causes.map(ToString::to_string).collect();
        let line = serde_json::json!({ "error": error.to_string(), "causes": causes }).to_string();
        let _ = writeln!(err, "{}", shown_json(&line));
        return;
    }
    let red = colour_on_stderr();
    let word = if red { "\x1b[1;31merror:\x1b[0m" } else { "error:" };
    let _ = writeln!(err, "{word} {}", shown(&error.to_string()));
    let mut cause = error.source();
    while let Some(error) = cause {
        let _ = writeln!(err, "  caused by: {}", shown(&error.to_string()));
        cause = error.source();
    }
}

/// Colour where a person looks and has not asked for none (<https://no-color.org>).
fn colour_on_stderr() -> bool {
    io::stderr().is_terminal() && colour_is_welcome()
}

/// Prints a value as JSON to stdout.
fn say_json(value: &impl serde::Serialize) -> Result<(), Error> {
    say(shown_json(&serde_json::to_string_pretty(value).map_err(Error::internal)?))
}

fn colour_is_welcome() -> bool {
    std::env::var_os("NO_COLOR").is_none_or(|value| value.is_empty())
}

/// The whole command line.
fn command() -> Command {
    Command::new("idx2gcs")
        .version(env!("CARGO_PKG_VERSION"))
        .about("Loads packed image data sets (IDX, the MNIST family) into Google Cloud Storage")
        .after_help(
            "Exit codes: 0 all stored and the manifests published, 1 some images failed (a rerun \
             finishes the rest), 2 usage or configuration, 3 the source is bad, 4 the destination \
             refused, 70 a defect of the program, 130 interrupted, 143 terminated",
        )
        .subcommand_required(true)
        .arg_required_else_help(true)
        .subcommand(load::command())
        .subcommand(load::verify_command())
        .subcommand(merge::command())
        .subcommand(deploy::command())
        .subcommand(check::command())
        .subcommand(tune::command())
        .subcommand(inspect::command())
        .subcommand(fetch::command())
        .subcommand(emulate::command())
        .subcommand(config::command())
        .subcommands(generate::commands())
}

/// `-v` and `-q`, which every long-running command has.
fn verbosity(command: Command) -> Command {
    command
        .arg(
            clap::Arg::new("verbose")
                .short('v')
                .long("verbose")
                .action(ArgAction::Count)
                .help("Say more: -v information, -vv details, -vvv everything"),
        )
        .arg(
            clap::Arg::new("quiet")
                .short('q')
                .long("quiet")
                .action(ArgAction::SetTrue)
                .help("Say nothing but errors"),
        )
}

/// Runs the program on its arguments (the program's name first) and returns how it ends.
pub fn main(arguments: impl IntoIterator<Item = OsString>) -> ExitCode {
    let matches = match command().try_get_matches_from(arguments) {
        Ok(matches) => matches,
        Err(e) => {
            // Help and version are no errors, and go to stdout; clap knows.
            let _ = e.print();
            return ExitCode::from(u8::try_from(e.exit_code()).unwrap_or(2));
        }
    };
    match run(&matches) {
        Ok(code) => code,
        Err(error) => {
            complain(&error);
            error.exit().into()
        }
    }
}

fn run(matches: &ArgMatches) -> Result<ExitCode, Error> {
    match matches.subcommand() {
        Some(("load", args)) => load::run(args),
        Some(("verify", args)) => load::run_verify(args),
        Some(("merge", args)) => merge::run(args),
        Some(("deploy", args)) => deploy::run(args),
        Some(("check", args)) => check::run(args),
        Some(("tune", args)) => tune::run(args),
        Some(("inspect", args)) => inspect::run(args),
        Some(("fetch", args)) => fetch::run(args),
        Some(("emulate", args)) => emulate::run(args),
        Some(("config", args)) => config::run(args),
        Some((name, args)) => generate::run(name, args, command()),
        None => Ok(ExitCode::from(2)),
    }
}

/// A runtime for a command that talks over the network.
fn block_on<T>(work: impl Future<Output = Result<T, Error>>) -> Result<T, Error> {
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .enable_all()
        .build()
        .map_err(|e| Error::output("the runtime".as_ref(), e))?;
    let done = runtime.block_on(work);
    // A thread may still be reading a file that nobody waits for any more.
    runtime.shutdown_background();
    done
}
