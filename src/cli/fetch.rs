//! `idx2gcs fetch`, and the way from `--source` to an opened data set.

use std::io::{self, Write};
use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::time::Duration;

use clap::{Arg, ArgAction, ArgMatches, Command};
use etcetera::BaseStrategy;
use indicatif::{ProgressBar, ProgressStyle};

use super::error::Error;
use super::say;
use crate::config::{ConfigError, Layers, Settings};
use crate::exit::Exit;
use crate::source::{
    Catalogue, DataSet, DataSetBuilder, FetchProgress, Folders, Found, fetch, files_in, find,
};
use crate::text::{shown, thousands};

/// Where Linux distributions put packaged data sets, a folder each.
const SYSTEM_FOLDER: &str = "/usr/share/datasets";

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
    let entry = catalogue.find(name).ok_or_else(|| unknown(name, catalogue))?;
    let name = &entry.name;
    let folder = match args.get_one::<PathBuf>("dir") {
        Some(dir) => dir.clone(),
        None => folders().cache_of(name).ok_or(Error::NoCache)?,
    };
    let mirrors: Vec<String> = match args.get_many::<String>("mirror") {
        Some(mirrors) => mirrors.cloned().collect(),
        None => entry.mirrors.clone(),
    };
    let quiet = args.get_flag("quiet");
    let progress = Bar::new(quiet);
    let show = |event: FetchProgress<'_>| progress.show(event);
    let fetched = super::block_on(async { Ok(fetch(entry, &mirrors, &folder, &show).await?) });
    progress.bar.finish_and_clear();
    fetched?;
    if !quiet {
        say(format_args!("{name} is complete in {}", shown(&folder.display().to_string())))?;
    }
    Ok(Exit::Complete.into())
}

/// A table of all entries: name, images, classes, where it lies, title.
fn list(catalogue: &Catalogue) -> String {
    let folders = folders();
    let mut rows = vec![["NAME", "IMAGES", "CLASSES", "HERE", "TITLE"].map(str::to_owned)];
    rows.extend(catalogue.entries().map(|entry| {
        [
            entry.name.clone(),
            entry.images().map_or_else(|| "?".to_owned(), thousands),
            entry.classes.len().to_string(),
            if find(entry, &folders).is_some() { "yes" } else { "no" }.to_owned(),
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
    let progress = Bar::new(quiet);
    let bar = progress.bar.clone();
    let data = DataSetBuilder::from(&settings.source)
        .catalogue(settings.catalogue.clone())
        .folders(folders())
        .on_progress(move |event| progress.show(event))
        .open()
        .await;
    bar.finish_and_clear();
    Ok(data?)
}

/// Where the files of a named data set are; they are downloaded where they are nowhere on the machine.
/// `None` for a path that exists, and for what is no name of a data set.
pub(super) fn named(path: &Path) -> Result<Option<Found>, Error> {
    let catalogue = Catalogue::builtin();
    let name = path.to_str().filter(|_| !path.exists());
    let Some(entry) = name.and_then(|name| catalogue.find(name)) else { return Ok(None) };
    let folders = folders();
    if let Some(found) = find(entry, &folders) {
        return Ok(Some(found));
    }
    let folder = folders.cache_of(&entry.name).ok_or(Error::NoCache)?;
    let progress = Bar::new(false);
    let show = |event: FetchProgress<'_>| progress.show(event);
    let fetched =
        super::block_on(async { Ok(fetch(entry, &entry.mirrors, &folder, &show).await?) });
    progress.bar.finish_and_clear();
    fetched?;
    Ok(Some(files_in(entry, &folder)?))
}

/// Where named data sets are on this system.
fn folders() -> Folders {
    let cache = etcetera::choose_base_strategy().ok();
    Folders {
        system: vec![SYSTEM_FOLDER.into()],
        cache: cache.map(|base| base.cache_dir().join("idx2gcs")),
    }
}

/// The progress of a download, on stderr.
#[derive(Clone)]
struct Bar {
    bar: ProgressBar,
    quiet: bool,
}

impl Bar {
    fn new(quiet: bool) -> Self {
        let bar = if quiet { ProgressBar::hidden() } else { ProgressBar::no_length() };
        if let Ok(style) = ProgressStyle::with_template(
            "{prefix} {wide_bar:.cyan/dim} {decimal_bytes}/{decimal_total_bytes}",
        ) {
            bar.set_style(style.progress_chars("━╸─"));
        }
        Self { bar, quiet }
    }

    fn show(&self, progress: FetchProgress<'_>) {
        match progress {
            FetchProgress::File(name, size) => {
                self.bar.enable_steady_tick(Duration::from_millis(200));
                self.bar.set_prefix(name.to_owned());
                self.bar.set_position(0);
                self.bar.set_length(size.unwrap_or(0));
            }
            FetchProgress::Bytes(more) => self.bar.inc(more),
            FetchProgress::Failed(url, why) => {
                self.say(&format!("{url}: {why}; asking the next address"));
            }
            FetchProgress::Waiting(time) => {
                let time = humantime::format_duration(time);
                self.say(&format!("no address works now; asking again in {time}"));
            }
            FetchProgress::Locked(holder) => {
                self.say(&format!("waiting for {holder}, which downloads the same data set"));
            }
            FetchProgress::Done(_) => {}
        }
    }

    fn say(&self, line: &str) {
        if !self.quiet {
            // A line that cannot be written is no reason to stop.
            self.bar.suspend(|| drop(writeln!(io::stderr().lock(), "{}", shown(line))));
        }
    }
}

fn unknown(name: &str, catalogue: &Catalogue) -> Error {
    let names = catalogue.names().collect::<Vec<_>>().join(", ");
    let nearest = catalogue.nearest(name).map(|name| format!(", did you mean {name}?"));
    let nearest = nearest.unwrap_or_default();
    ConfigError::Unfit(format!("there is no data set named {name:?}{nearest}; there are {names}"))
        .into()
}
