//! `idx2gcs tune`.

use std::fs;
use std::io::{self, Write};
use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::sync::Arc;

use clap::{Arg, ArgMatches, Command};

use super::destination;
use super::error::Error;
use super::limits::fit_open_files;
use super::report::{LogWriter, start_logging};
use super::signals::{Hooks, Signals};
use super::{complain, say, settings};
use crate::config::{ConfigError, Settings};
use crate::exit::Exit;
use crate::files;
use crate::load::{self, Load, Transfer, check_destination};
use crate::sink::{Place, Purpose, TimedSink};
use crate::text::{shown, thousands};
use crate::tune::{Advice, IMAGES, Ladder, Left, Step, TuneError, Tuner};

pub(super) fn command() -> Command {
    let command = Command::new("tune")
        .about("Measures the destination and recommends a concurrency")
        .after_help(
            "Takes the settings of `load`. Writes images below the prefix, under names of its own, \
             with 8, 16, 32 … requests in flight up to --max-concurrency, for a second each, and \
             removes them again: some thousand writes and removals, which needs the permission \
             storage.objects.delete. `--concurrency auto` needs none of this.",
        );
    super::verbosity(settings::add_flags(command)).arg(
        Arg::new("write")
            .long("write")
            .value_name("FILE")
            .value_parser(clap::value_parser!(PathBuf))
            .help("Put the result into this config file, whose comments stay"),
    )
}

pub(super) fn run(args: &ArgMatches) -> Result<ExitCode, Error> {
    let settings = Settings::validate(&settings::layers(args)?)?;
    if let Place::Zip(_) = settings.place {
        let why = "a zip takes one entry at a time: tune measures buckets and folders";
        return Err(ConfigError::Unfit(format!("{}: {why}", settings.url)).into());
    }
    if settings.shard.is_some() {
        let why = "tune measures with one process: leave --shard out";
        return Err(ConfigError::Unfit(why.to_owned()).into());
    }
    let verbosity = args.get_count("verbose");
    start_logging(&LogWriter::default(), settings.log_format, verbosity, super::colour_on_stderr());
    let write = args.get_one::<PathBuf>("write");
    // A file that cannot be understood is reported before the work, not after it.
    let document = write.map(|path| read(path)).transpose()?;
    let signals = Signals::watch();
    let measured = super::block_on(measure(&settings, args.get_flag("quiet"), &signals));
    if let Some(exit) = signals.exit() {
        // What stays is worth a word, also of a run that was stopped.
        if let Err(error) | Ok(Some(Measured { left: Some(error), .. })) = measured {
            complain(&error);
        }
        return Ok(exit.into());
    }
    let Some(Measured { ladder, left }) = measured? else { return Ok(Exit::Interrupted.into()) };
    say(&ladder)?;
    let advice = ladder.advice().ok_or_else(|| {
        Error::Tune(format!("{} has stored nothing; nothing is recommended", settings.url))
    })?;
    let rate = match advice.max_rate {
        0 => String::new(),
        rate => format!(", max_rate = {rate}: the service refuses more"),
    };
    say(format_args!("recommended: concurrency = {}{rate}", advice.concurrency))?;
    if let (Some(path), Some(document)) = (write, document) {
        put(path, &with_advice(document, advice).to_string())?;
    }
    left.map_or_else(|| Ok(Exit::Complete.into()), Err)
}

fn put(path: &Path, text: &str) -> Result<(), Error> {
    // A link stays one: the file that it names is replaced.
    let file = fs::canonicalize(path).unwrap_or_else(|_| path.to_owned());
    files::write(&file, text).map_err(|error| Error::Unwritten { path: path.to_owned(), error })?;
    say(format_args!("written to {}", shown(&path.display().to_string())))
}

/// The error for objects that stay below an address.
fn left_behind(url: &str, left: &Left) -> Error {
    let Left { count, fault } = left;
    Error::Tune(format!(
        "{} objects could not be removed again ({fault}); their names begin with {url}",
        thousands((*count).into())
    ))
}

/// What `tune` found out.
struct Measured {
    ladder: Ladder,
    /// Objects that stay.
    left: Option<Error>,
}

/// Climbs the ladder; nothing if it was stopped before.
async fn measure(
    settings: &Settings,
    quiet: bool,
    signals: &Signals,
) -> Result<Option<Measured>, Error> {
    let stop = &signals.stop;
    let data = tokio::select! {
        data = super::fetch::open(settings, quiet) => data?,
        () = stop.cancelled() => return Ok(None),
    };
    let load = Load::of(data)
        .encode(settings.encoding)
        .limit(settings.source.limit)
        .sample(settings.source.sample);
    let images = tokio::task::spawn_blocking(move || load.first_objects(IMAGES));
    let images = images.await.map_err(Error::internal)??;
    let destination = destination::open(settings, Purpose::Replace).await?;
    let sink = TimedSink::new(destination.sink, settings.retry.attempt_timeout);
    let transfer = Transfer { retry: settings.retry, ..Transfer::default() };
    check_destination(&sink, &transfer, Purpose::Replace, stop).await?;

    let most = settings.pace.concurrency.limit;
    let most = match settings.place {
        Place::Bucket { .. } => fit_open_files(most, 2),
        Place::Folder(_) | Place::Zip(_) => most,
    };
    let on_step = |step: &Step| {
        tracing::info!(in_flight = step.concurrency, images_per_s = step.per_second(), "measured");
    };
    let tuner = Tuner::new(Arc::new(sink), settings.retry, stop.clone());
    let url = tuner.url();
    let leaving = url.clone();
    signals.set_hooks(Hooks {
        stopping: Box::new(|| note("stopping: removing what was written (again to quit now)")),
        leaving: Box::new(move |_| note(&format!("objects below {leaving} may remain"))),
    });
    let refused = |fault| load::Error::Refused { url: settings.url.clone(), fault };
    match tuner.climb(&images, most, on_step).await {
        Ok(ladder) => {
            let left = ladder.left.as_ref().map(|left| left_behind(&url, left));
            Ok(Some(Measured { ladder, left }))
        }
        Err(TuneError::Refused(fault)) => Err(refused(fault).into()),
        Err(TuneError::NotRemoved(left)) if stop.is_cancelled() => Err(left_behind(&url, &left)),
        Err(TuneError::NotRemoved(Left { mut fault, .. })) => {
            let why = "objects cannot be removed again, so nothing was measured";
            fault.message = format!("{why} ({fault}); one object stays: {url}first");
            Err(refused(fault).into())
        }
    }
}

/// A line for the person who stops the program, on standard error.
fn note(line: &str) {
    // Whoever leaves does not wait for it to be read.
    let _ = writeln!(io::stderr().lock(), "{}", shown(line));
}

fn read(path: &Path) -> Result<toml_edit::DocumentMut, Error> {
    let text = match fs::read_to_string(path) {
        Err(e) if e.kind() == std::io::ErrorKind::NotFound => String::new(),
        text => text.map_err(|e| Error::output(path, e))?,
    };
    text.parse().map_err(|e: toml_edit::TomlError| {
        let why = e.message().lines().next().unwrap_or_default().to_owned();
        ConfigError::Unfit(format!("{}: is not valid TOML: {why}", path.display())).into()
    })
}

/// The document with the advice under `[upload]`, all else as it was.
fn with_advice(mut document: toml_edit::DocumentMut, advice: Advice) -> toml_edit::DocumentMut {
    let upload = document.entry("upload").or_insert_with(toml_edit::table);
    let mut set = |key: &str, number: u32| {
        let Some(table) = upload.as_table_like_mut() else { return };
        let mut value = toml_edit::Value::from(i64::from(number));
        if let Some(before) = table.get_mut(key).and_then(toml_edit::Item::as_value_mut) {
            // What stands around the old value, a comment behind it included, stays.
            value.decor_mut().clone_from(before.decor());
            *before = value;
        } else {
            table.insert(key, toml_edit::Item::Value(value));
        }
    };
    set("concurrency", advice.concurrency);
    set("max_rate", advice.max_rate);
    document
}

#[cfg(test)]
mod tests {
    use super::*;

    fn edited(text: &str) -> String {
        let advice = Advice { concurrency: 128, max_rate: 900 };
        with_advice(text.parse().unwrap(), advice).to_string()
    }

    #[test]
    fn comments_and_all_else_stay() {
        let text = "# mine\n[upload]\n# why\nconcurrency = \"auto\" # was 64\nqueue = 9\n\n[split]\nseed = 1 # s\n";
        let expected = "# mine\n[upload]\n# why\nconcurrency = 128 # was 64\nqueue = 9\nmax_rate = 900\n\n[split]\nseed = 1 # s\n";
        assert_eq!(edited(text), expected);
    }

    #[test]
    fn an_empty_file_gets_a_section() {
        assert_eq!(edited(""), "[upload]\nconcurrency = 128\nmax_rate = 900\n");
        assert_eq!(
            edited("upload = { queue = 9 }\n"),
            "upload = { queue = 9 , concurrency = 128, max_rate = 900 }\n"
        );
    }
}
