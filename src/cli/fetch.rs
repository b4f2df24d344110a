//! `idx2gcs fetch`, and the way from `--source` to an opened data set.

use std::path::PathBuf;
use std::process::ExitCode;
use std::time::Duration;

use clap::{Arg, ArgAction, ArgMatches, Command};
use indicatif::{ProgressBar, ProgressStyle};

use super::say;
use crate::classes::Classes;
use crate::config::{Source, Transposed};
use crate::error::{Error, Exit};
use crate::source::{
    Catalogue, DataSet, Entry, FetchProgress, Reading, SourceError, cache_folder, fetch, find,
    folder_files, single_file,
};

pub(super) fn command() -> Command {
    let names = Catalogue::builtin().names().map(str::to_owned).collect::<Vec<_>>();
    super::verbosity(
        Command::new("fetch")
            .about("Downloads a named data set and checks it by its SHA-256")
            .arg(
                Arg::new("name")
                    .value_name("NAME")
                    .required(true)
                    .value_parser(clap::builder::PossibleValuesParser::new(names))
                    .help("The data set"),
            )
            .arg(
                Arg::new("dir")
                    .long("dir")
                    .value_name("DIR")
                    .value_parser(clap::value_parser!(PathBuf))
                    .help("Where to put it [default: the user's cache, where `load` looks]"),
            )
            .arg(
                Arg::new("mirror").long("mirror").value_name("URL").action(ArgAction::Append).help(
                    "Ask here instead of the catalogue's mirrors; may be given more than once",
                ),
            ),
    )
}

pub(super) fn run(args: &ArgMatches) -> Result<ExitCode, Error> {
    let catalogue = Catalogue::builtin();
    let name = args.get_one::<String>("name").map_or("", String::as_str);
    let entry = catalogue.get(name).ok_or_else(|| unknown(name))?;
    let folder = match args.get_one::<PathBuf>("dir") {
        Some(dir) => dir.clone(),
        None => cache_folder(name).ok_or_else(no_cache)?,
    };
    let mirrors: Vec<String> = match args.get_many::<String>("mirror") {
        Some(mirrors) => mirrors.cloned().collect(),
        None => entry.mirrors.clone(),
    };
    let quiet = args.get_flag("quiet");
    super::runtime()?.block_on(download(entry, &mirrors, &folder, quiet))?;
    if !quiet {
        say(format_args!("{name} is complete in {}", folder.display()))?;
    }
    Ok(Exit::Complete.into())
}

/// Opens the data set that the settings name; one that is nowhere on the machine is downloaded.
pub(super) async fn open(source: &Source, quiet: bool) -> Result<DataSet, Error> {
    let catalogue = Catalogue::builtin();
    let entry = source.dataset.as_deref().and_then(|name| catalogue.get(name));
    let reading = reading(source, entry)?;
    if !source.files.is_empty() {
        return Ok(DataSet::open(&source.files, reading)?);
    }
    let folder = match (&source.path, entry) {
        (Some(path), _) => path.clone(),
        (None, Some(entry)) => {
            if let Some(folder) = find(&entry.name) {
                folder
            } else {
                let folder = cache_folder(&entry.name).ok_or_else(no_cache)?;
                download(entry, &entry.mirrors, &folder, quiet).await?;
                folder
            }
        }
        // Settings without either are refused when they are validated.
        (None, None) => return Err(unknown("").into()),
    };
    let files = if folder.is_file() || folder.to_string_lossy().contains('#') {
        single_file(&folder)?
    } else {
        folder_files(&folder)?
    };
    Ok(DataSet::open(&files, reading)?)
}

/// What the settings say of the values, over what the data set's entry says.
fn reading(source: &Source, entry: Option<&Entry>) -> Result<Reading, Error> {
    let classes = source.classes.clone().or_else(|| entry.map(|entry| entry.classes.clone()));
    let classes = Classes::new(classes.unwrap_or_default(), source.first_label.unwrap_or(0))?;
    let transposed = source.transposed == Transposed::Yes;
    Ok(Reading { classes, range: source.range, transposed, label_column: source.label_column })
}

async fn download(
    entry: &Entry,
    mirrors: &[String],
    folder: &std::path::Path,
    quiet: bool,
) -> Result<(), Error> {
    let bar = if quiet { ProgressBar::hidden() } else { ProgressBar::no_length() };
    if let Ok(style) = ProgressStyle::with_template(
        "{prefix} {wide_bar:.cyan/dim} {decimal_bytes}/{decimal_total_bytes}",
    ) {
        bar.set_style(style.progress_chars("━╸─"));
    }
    bar.enable_steady_tick(Duration::from_millis(200));
    let fetched = fetch(entry, mirrors, folder, &|progress| match progress {
        FetchProgress::File(name, size) => {
            bar.set_prefix(name.to_owned());
            bar.set_position(0);
            bar.set_length(size.unwrap_or(0));
        }
        FetchProgress::Bytes(more) => bar.inc(more),
        FetchProgress::Done(_) => {}
    })
    .await;
    bar.finish_and_clear();
    Ok(fetched?)
}

fn unknown(name: &str) -> SourceError {
    SourceError::NotFound(format!("there is no data set named {name:?}"))
}

fn no_cache() -> SourceError {
    SourceError::NotFound("this system has no cache folder; name one with --dir".to_owned())
}
