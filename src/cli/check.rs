//! `idx2gcs check`.

use std::process::ExitCode;

use clap::{Arg, ArgAction, ArgMatches, Command};
use serde::Serialize;

use super::error::Error;
use super::invocation::Invocation;
use super::{destination, say, say_json, settings};
use crate::check::{self, Finding, Severity};
use crate::config::keys::URL;
use crate::exit::Exit;
use crate::load::{ABOUT_TIMEOUT, Surveyed, about};
use crate::model::Selected;
use crate::sink::{Endpoint, Purpose, TimedSink};

pub(super) fn command() -> Command {
    let command = Command::new("check")
        .about("Looks for what would make an import fail, or a model worse")
        .after_help(
            "Takes the settings of `load`, which makes the same checks first; a destination need not \
             be named. Reads the source once and writes nothing. Exit code 0 if nothing is an error, \
             3 if something is.",
        );
    super::verbosity(settings::add_flags(command))
        .arg(Arg::new("json").long("json").action(ArgAction::SetTrue).help("For programs"))
}

pub(super) fn run(args: &ArgMatches) -> Result<ExitCode, Error> {
    let mut layers = settings::layers(args)?;
    let named = layers.get(URL.about.path).is_some();
    if !named {
        layers.assume(&URL.about, "gs://bucket");
    }
    let invocation = Invocation::with(args, &layers)?;
    let surveyed = super::block_on(async {
        let mut surveyed = invocation.survey().await?;
        if named && invocation.settings.endpoint == Endpoint::Google {
            // What a bucket does not tell is no finding: it is not what is checked here.
            if let Ok(destination) = destination::open(&invocation.settings, Purpose::Read).await {
                surveyed
                    .findings
                    .extend(about(&TimedSink::new(destination.sink, ABOUT_TIMEOUT)).await);
            }
        }
        Ok(surveyed)
    })?;
    let findings = &surveyed.findings;
    if args.get_flag("json") {
        say_json(&CheckReport::new(&surveyed))?;
    } else {
        if let Some(line) = invocation.recognised(surveyed.data()) {
            say(format_args!("{line}\n"))?;
        }
        if let Some(selected) = surveyed.selected() {
            say(format_args!("{selected}\n"))?;
        }
        say(format_args!("{}\n", surveyed.frequencies()))?;
        for finding in findings {
            say(format_args!("{}: {finding}", finding.severity))?;
        }
        let errors = findings.iter().filter(|finding| finding.severity == Severity::Error).count();
        let noun = if errors == 1 { "error" } else { "errors" };
        let (all, plural) = (findings.len(), if findings.len() == 1 { "" } else { "s" });
        say(format_args!("{all} finding{plural}, {errors} {noun}"))?;
    }
    let exit = if check::errors(findings).is_empty() { Exit::Complete } else { Exit::Source };
    Ok(exit.into())
}

/// What `check --json` prints.
#[derive(Serialize)]
struct CheckReport<'a> {
    images: u32,
    selection: Option<Selected>,
    train: u32,
    validation: u32,
    test: u32,
    classes: Vec<ClassReport>,
    findings: &'a [Finding],
}

#[derive(Serialize)]
struct ClassReport {
    number: u32,
    name: Option<String>,
    label: String,
    train: u32,
    validation: u32,
    test: u32,
}

impl<'a> CheckReport<'a> {
    fn new(surveyed: &'a Surveyed) -> Self {
        let frequencies = surveyed.frequencies();
        let [train, validation, test] = frequencies.totals();
        let classes = frequencies.labelled().map(|(number, [train, validation, test])| {
            let name = frequencies.classes.name(number).map(str::to_owned);
            let label = frequencies.classes.label(number).into_owned();
            ClassReport { number, name, label, train, validation, test }
        });
        Self {
            images: surveyed.images(),
            selection: surveyed.selected(),
            train,
            validation,
            test,
            classes: classes.collect(),
            findings: &surveyed.findings,
        }
    }
}
