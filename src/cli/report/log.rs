//! Log lines on stderr that never break the bar.

use std::io::{self, Write};
use std::sync::{Arc, Mutex, PoisonError};

use indicatif::ProgressBar;
use tracing_subscriber::filter::{LevelFilter, Targets};
use tracing_subscriber::fmt::MakeWriter;
use tracing_subscriber::layer::SubscriberExt;
use tracing_subscriber::util::SubscriberInitExt;

use super::Bar;
use crate::config::LogFormat;

/// Writes to stderr, with the bar out of the way where there is one.
#[derive(Debug, Clone, Default)]
pub(crate) struct LogWriter(Arc<Mutex<Option<ProgressBar>>>);

impl LogWriter {
    /// From now on lines step around this bar.
    pub(crate) fn step_around(&self, bar: &Bar) {
        *self.0.lock().unwrap_or_else(PoisonError::into_inner) = Some(bar.inner());
    }
}

impl Write for LogWriter {
    fn write(&mut self, line: &[u8]) -> io::Result<usize> {
        let bar = self.0.lock().unwrap_or_else(PoisonError::into_inner).clone();
        let write = || io::stderr().lock().write_all(line);
        match bar {
            Some(bar) => bar.suspend(write)?,
            None => write()?,
        }
        Ok(line.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        io::stderr().flush()
    }
}

impl<'a> MakeWriter<'a> for LogWriter {
    type Writer = Self;

    fn make_writer(&'a self) -> Self {
        self.clone()
    }
}

/// Starts logging for the process. `verbosity` is the number of `-v`: warnings, then information,
/// details and everything; libraries only warn. Credentials are never logged: no request header is.
pub(crate) fn start_logging(writer: &LogWriter, format: LogFormat, verbosity: u8, colour: bool) {
    let level = match verbosity {
        0 => LevelFilter::WARN,
        1 => LevelFilter::INFO,
        2 => LevelFilter::DEBUG,
        _ => LevelFilter::TRACE,
    };
    let filter = Targets::new().with_default(LevelFilter::WARN).with_target("idx2gcs", level);
    let lines = tracing_subscriber::fmt::layer().with_writer(writer.clone());
    let registry = tracing_subscriber::registry().with(filter);
    // A second start in one process changes nothing; tests do that.
    let _ = match format {
        LogFormat::Text => registry.with(lines.with_ansi(colour).with_target(false)).try_init(),
        LogFormat::Json => registry.with(lines.json()).try_init(),
    };
}
