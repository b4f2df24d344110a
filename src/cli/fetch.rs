//! `idx2gcs fetch`, and the way from `--source` to an opened data set.

use std::io::{self, Write};
use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::time::Duration;

use clap::{Arg, ArgAction, ArgMatches, Command};
use indicatif::{ProgressBar, ProgressStyle};

use super::error::Error;
use super::say;
use crate::config::{ConfigError, Layers, Settings};
use crate::exit::Exit;
use crate::source::{
    Catalogue, DataSet, Entry, FetchProgress, ReadOptions, SourceError, cache_folder, entry_files,
    fetch, find, folder_files, single_file,
};
use crate::source::{SourceOptions, Transposed};
use crate::text::thousands;

pub(super) fn command() -> Command {
    super::verbosity(
        Command::new("fetch")
            .about("Downloads a named data set and checks it; without a name, lists them")
            .arg(Arg::new("name").value_name("NAME").help("The data set"))
            .arg(
                Arg::new("list")
                    .long("list")
                    .action(ArgAction::SetTrue)
                    .conflicts_with_all(["name", "dir", "mirror"])
                    .help("List the named data sets, and which are on this machine"),
            )
            .arg(
                Arg::new("config")
                    .long("config")
                    .value_name("FILE")
                    .value_parser(clap::value_parser!(PathBuf))
                    .help("A config file with data sets of one's own, [dataset.NAME]"),
            )
            .arg(
                Arg::new("dir")
                    .long("dir")
                    .value_name("DIR")
                    .requires("name")
                    .value_parser(clap::value_parser!(PathBuf))
                    .help("Where to put it [default: the user's cache, where `load` looks]"),
            )
            .arg(
                Arg::new("mirror")
                    .long("mirror")
                    .value_name("URL")
                    .requires("name")
                    .action(ArgAction::Append)
                    .help(
                        "Ask here instead of the catalogue's mirrors; may be given more than once",
                    ),
            ),
    )
}

pub(super) fn run(args: &ArgMatches) -> Result<ExitCode, Error> {
    let mut layers = Layers::default();
    if let Some(path) = args.get_one::<PathBuf>("config") {
        layers.add_file(path)?;
    }
    let catalogue = layers.catalogue();
    let Some(name) = args.get_one::<String>("name") else {
        say(list(catalogue))?;
        return Ok(Exit::Complete.into());
    };
    let entry = catalogue.get(name).ok_or_else(|| unknown(name, catalogue))?;
    let folder = match args.get_one::<PathBuf>("dir") {
        Some(dir) => dir.clone(),
        None => cache_folder(name).ok_or_else(no_cache)?,
    };
    let mirrors: Vec<String> = match args.get_many::<String>("mirror") {
        Some(mirrors) => mirrors.cloned().collect(),
        None => entry.mirrors.clone(),
    };
    let quiet = args.get_flag("quiet");
    super::block_on(download(entry, &mirrors, &folder, quiet))?;
    if !quiet {
        say(format_args!("{name} is complete in {}", folder.display()))?;
    }
    Ok(Exit::Complete.into())
}

/// A table of all entries: name, images, classes, where it lies, title.
fn list(catalogue: &Catalogue) -> String {
    let mut rows = vec![["NAME", "IMAGES", "CLASSES", "HERE", "TITLE"].map(str::to_owned)];
    rows.extend(catalogue.entries().map(|entry| {
        [
            entry.name.clone(),
            entry.images().map_or_else(|| "?".to_owned(), thousands),
            entry.classes.len().to_string(),
            if find(entry).is_some() { "yes" } else { "no" }.to_owned(),
            entry.title.clone(),
        ]
    }));
    let width = |column: fn(&[String; 5]) -> &String| {
        rows.iter().map(|row| column(row).chars().count()).max().unwrap_or(0)
    };
    let (names, images) = (width(|row| &row[0]), width(|row| &row[1]));
    let lines: Vec<_> = rows
        .iter()
        .map(|[name, count, classes, here, title]| {
            let line = format!("{name:names$}  {count:>images$}  {classes:>7}  {here:4}  {title}");
            line.trim_end().to_owned()
        })
        .collect();
    lines.join("\n")
}

/// Opens the data set that the settings name; one that is nowhere on the machine is downloaded.
pub(super) async fn open(settings: &Settings, quiet: bool) -> Result<DataSet, Error> {
    let Settings { source, catalogue, .. } = settings;
    let entry = source.dataset.as_deref().and_then(|name| catalogue.get(name));
    let reading = reading(source, entry);
    let files = match (&source.path, entry) {
        (Some(folder), Some(entry)) => entry_files(entry, folder)?,
        (None, Some(entry)) => entry_files(entry, &here(entry, quiet).await?)?,
        (Some(path), None) if path.is_dir() || !path.exists() && !is_member(path) => {
            folder_files(path)?
        }
        (Some(file), None) => single_file(file)?,
        (None, None) => source.files.clone(),
    };
    let data = tokio::task::spawn_blocking(move || DataSet::open(&files, &reading));
    let data = data.await.map_err(Error::internal)??;
    if let Some(entry) = entry {
        fits(entry, &data)?;
    }
    Ok(data)
}

/// Files that lie where those of a named data set should be are not always those.
fn fits(entry: &Entry, data: &DataSet) -> Result<(), SourceError> {
    for (part, (_, count)) in entry.parts.iter().zip(data.parts()) {
        if part.records.is_some_and(|records| records != count) {
            return Err(SourceError::NotFound(format!(
                "{}: holds {} images, but {} has {}",
                part.images.name,
                thousands(count.into()),
                entry.name,
                thousands(part.records.unwrap_or_default().into())
            )));
        }
    }
    Ok(())
}

/// Whether a path names an array of an archive.
fn is_member(path: &Path) -> bool {
    path.to_string_lossy().contains('#')
}

/// What the settings say of the values, over what the data set's entry says.
fn reading(source: &SourceOptions, entry: Option<&Entry>) -> ReadOptions {
    let names = source.classes.clone().or_else(|| entry.map(|entry| entry.classes.clone()));
    let first = source.first_label.or_else(|| entry.map(|entry| entry.first_label));
    let transposed = match source.transposed {
        Transposed::Yes => true,
        Transposed::No => false,
        Transposed::Auto => entry.is_some_and(|entry| entry.transposed),
    };
    ReadOptions {
        classes: names,
        first_label: first.unwrap_or(0),
        require_last_class: source.classes.is_some(),
        range: source.range,
        transposed,
        label_column: source.label_column.or_else(|| entry?.label_column),
        validation: entry.and_then(|entry| entry.validation),
    }
}

/// The folder of a named data set, which is downloaded where there is none.
async fn here(entry: &Entry, quiet: bool) -> Result<PathBuf, Error> {
    if let Some(folder) = find(entry) {
        return Ok(folder);
    }
    let folder = cache_folder(&entry.name).ok_or_else(no_cache)?;
    download(entry, &entry.mirrors, &folder, quiet).await?;
    Ok(folder)
}

async fn download(
    entry: &Entry,
    mirrors: &[String],
    folder: &Path,
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
        FetchProgress::Failed(url, why) if !quiet => bar.suspend(|| {
            // What cannot be told is no reason to stop.
            let _ = writeln!(io::stderr().lock(), "{url}: {why}; asking the next address");
        }),
        FetchProgress::Failed(..) | FetchProgress::Done(_) => {}
    })
    .await;
    bar.finish_and_clear();
    Ok(fetched?)
}

fn unknown(name: &str, catalogue: &Catalogue) -> Error {
    let names = catalogue.names().collect::<Vec<_>>().join(", ");
    ConfigError::Unfit(format!("there is no data set named {name:?}; there are {names}")).into()
}

fn no_cache() -> SourceError {
    SourceError::NotFound("this system has no cache folder; name one with --dir".to_owned())
}
