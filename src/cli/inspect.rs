//! `idx2gcs inspect`.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::process::ExitCode;

use clap::{Arg, ArgAction, ArgMatches, Command};
use serde::Serialize;

use super::say;
use crate::error::{Error, Exit};
use crate::report::thousands;
use crate::source::array::Dtype;
use crate::source::{ArrayFile, SourceError, folder_files};

pub(super) fn command() -> Command {
    Command::new("inspect")
        .about("Says what an IDX file or a data set folder holds")
        .arg(
            Arg::new("path")
                .value_name("PATH")
                .required(true)
                .action(ArgAction::Append)
                .value_parser(clap::value_parser!(PathBuf))
                .help("IDX files, packed or not, or folders with the four usual files"),
        )
        .arg(Arg::new("json").long("json").action(ArgAction::SetTrue).help("For programs"))
}

/// What a file holds.
#[derive(Serialize)]
struct Finding {
    path: PathBuf,
    r#type: String,
    shape: Vec<u32>,
    records: u32,
    /// Records by label; absent for anything but u8 labels.
    #[serde(skip_serializing_if = "Option::is_none")]
    labels: Option<BTreeMap<u8, u32>>,
}

pub(super) fn run(args: &ArgMatches) -> Result<ExitCode, Error> {
    let mut findings = Vec::new();
    for path in args.get_many::<PathBuf>("path").into_iter().flatten() {
        if path.is_dir() {
            for files in folder_files(path)? {
                findings.push(inspect(&files.images)?);
                if let Some(labels) = &files.labels {
                    findings.push(inspect(labels)?);
                }
            }
        } else {
            findings.push(inspect(path)?);
        }
    }
    if args.get_flag("json") {
        let text = serde_json::to_string_pretty(&findings);
        say(text.map_err(|e| Error::Incomplete(e.to_string()))?)?;
        return Ok(Exit::Complete.into());
    }
    for finding in &findings {
        let shape: Vec<_> = finding.shape.iter().map(u32::to_string).collect();
        say(format_args!(
            "{}: {} {} records ({})",
            finding.path.display(),
            thousands(finding.records.into()),
            finding.r#type,
            shape.join(" × ")
        ))?;
        for (label, count) in finding.labels.iter().flatten() {
            say(format_args!("  label {label:>3}: {}", thousands((*count).into())))?;
        }
    }
    Ok(Exit::Complete.into())
}

fn inspect(path: &Path) -> Result<Finding, SourceError> {
    let file = ArrayFile::open(path)?;
    file.prove(&|| false)?;
    let header = &file.header;
    let labels = if header.dtype == Dtype::U8 && header.shape.0.len() == 1 {
        let mut counts = BTreeMap::new();
        let mut records = file.records()?;
        while let Some(record) = records
            .next_record()
            .map_err(|problem| SourceError::File { path: path.to_owned(), problem })?
        {
            for label in record {
                *counts.entry(label).or_default() += 1;
            }
        }
        Some(counts)
    } else {
        None
    };
    Ok(Finding {
        path: path.to_owned(),
        r#type: header.dtype.to_string(),
        shape: header.shape.0.clone(),
        records: header.records(),
        labels,
    })
}
