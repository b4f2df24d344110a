//! One run of the program for one person: settings, log, progress, and the load that they describe.

use std::io::IsTerminal;
use std::num::NonZeroU32;
use std::sync::Arc;
use std::sync::atomic::Ordering;

use clap::ArgMatches;
use tokio::task::JoinHandle;
use tokio_util::sync::CancellationToken;

use super::error::Error;
use super::limits::fit_open_files;
use super::report::{Bar, JsonLines, LogWriter, PlainLines, start_logging};
use super::settings;
use super::signals::Signals;
use crate::config::{ConfigError, Layers, LogFormat, Progress, Settings};
use crate::load::{self, Control, Load, Output, Surveyed, Transfer};
use crate::pace::Bounds;
use crate::pipeline::{DRAIN, Observer, Silent};
use crate::shard::Shard;
use crate::sink::{Endpoint, Place};
use crate::source::DataSet;
use crate::text::shown;

/// One run of the program.
pub(super) struct Invocation {
    pub(super) settings: Settings,
    log: LogWriter,
    pub(super) quiet: bool,
    /// The command line, to which a changed config file is added again.
    args: ArgMatches,
    /// The settings with their origins.
    layers: Layers,
    /// The slice that is loaded, where that is not all.
    shard: Option<Shard>,
    /// Loads that run at the same time, this one included.
    parallel: NonZeroU32,
}

impl Invocation {
    pub(super) fn begin(args: &ArgMatches) -> Result<Self, Error> {
        Self::with(args, &settings::layers(args)?)
    }

    pub(super) fn with(args: &ArgMatches, layers: &Layers) -> Result<Self, Error> {
        let settings = Settings::validate(layers)?;
        let json = settings.progress == Progress::Json || settings.log_format == LogFormat::Json;
        super::READ_BY_PROGRAMS.store(json, Ordering::Relaxed);
        let log = LogWriter::default();
        let verbosity = args.get_count("verbose");
        start_logging(&log, settings.log_format, verbosity, super::colour_on_stderr());
        Ok(Self {
            settings,
            log,
            quiet: args.get_flag("quiet"),
            args: args.clone(),
            layers: layers.clone(),
            shard: None,
            parallel: NonZeroU32::MIN,
        })
    }

    /// The same for one slice of a load, where the settings ask for one: which one is found out, its
    /// files go into a folder of its own, and it takes its share of the bounds.
    pub(super) fn begin_slice(args: &ArgMatches) -> Result<Self, Error> {
        let mut invocation = Self::begin(args)?;
        let Some(slicing) = invocation.settings.shard else { return Ok(invocation) };
        let shard = slicing.of.resolve(slicing.count, |name| std::env::var(name).ok());
        let shard = shard
            .map_err(|error| ConfigError::Unfit(format!("shard.of = {}: {error}", slicing.of)))?;
        let parallel = slicing.parallel.unwrap_or(shard.count()).min(shard.count());
        let settings = &mut invocation.settings;
        invocation.parallel = NonZeroU32::new(parallel).unwrap_or(NonZeroU32::MIN);
        settings.pace = settings.pace.shared_by(invocation.parallel);
        settings.out = settings.out.join(shard.folder());
        // A page about a part of the images would tell of no load.
        settings.report = false;
        invocation.shard = Some(shard);
        Ok(invocation)
    }

    /// The output folder, made and proved writable.
    pub(super) fn output(&self) -> Result<Output, Error> {
        let mut output = Output::open(&self.settings.out)?;
        output.report = self.settings.report;
        Ok(output)
    }

    /// The data set, opened, and what is to be made of it. A stop ends it at once.
    pub(super) async fn open(&self, signals: &Signals) -> Result<Load, Error> {
        tokio::select! {
            load = self.load() => load,
            () = signals.stop.cancelled() => Err(load::Error::StoppedBefore("the work began").into()),
        }
    }

    async fn load(&self) -> Result<Load, Error> {
        let settings = &self.settings;
        let data = super::fetch::open(settings, self.quiet).await?;
        let source = &settings.source;
        if let Some(line) = self.recognised(&data) {
            tracing::info!("{line}");
        }
        let title = data.entry().map(|entry| entry.title.clone()).unwrap_or_default();
        let name = data.entry().map(|entry| entry.name.clone());
        let path = source.path.as_ref().map(|path| path.display().to_string());
        let place = [name.clone(), path].into_iter().flatten().collect::<Vec<_>>().join(", ");
        let listed = source.files.first().map(|files| files.images.display().to_string());
        let load = Load::of(data)
            .split(settings.split.clone())
            .encode(settings.encoding)
            .named(settings.name.clone())
            .default_name(settings.default_name)
            .metadata(settings.metadata)
            .courtesies(settings.endpoint == Endpoint::Google)
            .limit(source.limit)
            .sample(source.sample)
            .duplicates(settings.duplicates)
            .manifests(settings.manifests.clone())
            .described(title, Some(place).filter(|place| !place.is_empty()).or(listed));
        Ok(match self.shard {
            Some(shard) => load.slice(shard),
            None => load,
        })
    }

    /// A line about a source that was given by its path and is a named data set by its content.
    pub(super) fn recognised(&self, data: &DataSet) -> Option<String> {
        let source = &self.settings.source;
        let (path, entry) = (source.path.as_ref()?, data.entry()?);
        source.dataset.is_none().then(|| {
            let (path, name) = (shown(&path.display().to_string()).into_owned(), &entry.name);
            format!("source: {path} is {name} by its checksums: {}", entry.title)
        })
    }

    /// The source alone, read through and checked.
    pub(super) async fn survey(&self) -> Result<Surveyed, Error> {
        let names_are_files = self.settings.names_are_files();
        Ok(self.load().await?.survey(names_are_files, &CancellationToken::new()).await?)
    }

    /// How objects are sent.
    pub(super) fn transfer(&self) -> Transfer {
        let settings = &self.settings;
        Transfer {
            if_exists: settings.if_exists,
            prune: settings.prune,
            on_error: settings.on_error,
            pace: settings.pace,
            retry: settings.retry,
            memory: settings.memory,
            queue: settings.queue,
            drain: DRAIN,
        }
    }

    /// Lets changes of the config file take effect while the run goes on.
    pub(super) fn follow_config(
        &self,
        observer: &Arc<dyn Observer>,
        control: Control,
    ) -> JoinHandle<()> {
        let observer = Arc::clone(observer);
        let (ends, parallel) = (self.files_a_request(), self.parallel);
        let apply = move |bounds: Bounds| {
            let mut bounds = bounds.shared_by(parallel);
            let limit = &mut bounds.concurrency.limit;
            *limit = ends.map_or(*limit, |ends| fit_open_files(*limit, ends));
            control.set_bounds(bounds);
        };
        let (args, layers) = (self.args.clone(), self.layers.clone());
        tokio::spawn(super::live::follow(args, layers, apply, observer))
    }

    /// Open files that a request in flight takes; `None` where they do not add up.
    fn files_a_request(&self) -> Option<u32> {
        let Settings { place, endpoint, .. } = &self.settings;
        let embedded = matches!(endpoint, Endpoint::Embedded(_));
        matches!(place, Place::Bucket { .. }).then_some(if embedded { 2 } else { 1 })
    }

    /// Lowers the number of requests in flight to what the limit of open files permits, and notes it.
    pub(super) fn fit_open_files(&self, bounds: &mut Bounds, observer: &dyn Observer) {
        let Some(ends) = self.files_a_request() else { return };
        let limit = &mut bounds.concurrency.limit;
        let (wanted, fits) = (*limit, fit_open_files(*limit, ends));
        if fits < wanted {
            *limit = fits;
            observer.note(&format!(
                "the hard limit of open files leaves room for {fits} requests in flight instead of \
                 {wanted}; an administrator can raise it (ulimit -Hn)"
            ));
        }
    }

    /// What shows the progress of a run of so many images.
    pub(super) fn observer(&self, images: u32) -> Arc<dyn Observer> {
        let terminal = std::io::stderr().is_terminal();
        match self.settings.progress {
            _ if self.quiet => Arc::new(Silent),
            Progress::None => Arc::new(Silent),
            Progress::Json => Arc::new(JsonLines),
            Progress::Auto | Progress::Bar if terminal => {
                let bar = Bar::new(images);
                self.log.step_around(&bar);
                Arc::new(bar)
            }
            // A bar needs a terminal to draw on.
            Progress::Auto | Progress::Bar | Progress::Plain => Arc::new(PlainLines),
        }
    }
}
