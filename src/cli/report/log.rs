//! Log lines on stderr that never break the bar, and never command the terminal.

use std::fmt;
use std::io::{self, Write};
use std::sync::Arc;

use indicatif::ProgressBar;
use parking_lot::Mutex;
use tracing::field::Field;
use tracing_subscriber::field::MakeExt;
use tracing_subscriber::filter::{LevelFilter, Targets};
use tracing_subscriber::fmt::MakeWriter;
use tracing_subscriber::fmt::format::{Writer, debug_fn};
use tracing_subscriber::layer::SubscriberExt;
use tracing_subscriber::util::SubscriberInitExt;

use super::Bar;
use crate::config::LogFormat;
use crate::text::{shown, shown_json};

/// Writes to stderr, with the bar out of the way where there is one.
#[derive(Debug, Clone, Default)]
pub(crate) struct LogWriter(Arc<Mutex<Option<ProgressBar>>>);

impl LogWriter {
    /// From now on lines step around this bar.
    pub(crate) fn step_around(&self, bar: &Bar) {
        *self.0.lock() = Some(bar.inner());
    }
}

impl Write for LogWriter {
    fn write(&mut self, line: &[u8]) -> io::Result<usize> {
        let bar = self.0.lock().clone();
        let text = String::from_utf8_lossy(line);
        // Lines of text are safe already.
        let safe = if text.starts_with('{') { shown_json(&text) } else { text };
        let write = || io::stderr().lock().write_all(safe.as_bytes());
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

/// The fields of a line of text: `message name=value`. What services and archives say is in values.
fn field(writer: &mut Writer<'_>, field: &Field, value: &dyn fmt::Debug) -> fmt::Result {
    let text = format!("{value:?}");
    match field.name() {
        "message" => write!(writer, "{}", shown(&text)),
        name => write!(writer, "{name}={}", shown(&text)),
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
        LogFormat::Text => {
            let lines = lines.fmt_fields(debug_fn(field).delimited(" "));
            registry.with(lines.with_ansi(colour).with_target(false)).try_init()
        }
        LogFormat::Json => registry.with(lines.json()).try_init(),
    };
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Collects what is written.
    #[derive(Clone, Default)]
    struct Lines(Arc<Mutex<Vec<u8>>>);

    impl Write for Lines {
        fn write(&mut self, line: &[u8]) -> io::Result<usize> {
            self.0.lock().extend(line);
            Ok(line.len())
        }

        fn flush(&mut self) -> io::Result<()> {
            Ok(())
        }
    }

    #[test]
    fn values_in_lines_of_text_do_not_command_the_terminal() {
        for colour in [false, true] {
            let lines = Lines::default();
            let writer = lines.clone();
            let layer = tracing_subscriber::fmt::layer().with_writer(move || writer.clone());
            let layer = layer.with_ansi(colour).fmt_fields(debug_fn(field).delimited(" "));
            tracing::subscriber::with_default(tracing_subscriber::registry().with(layer), || {
                let foreign = "\u{1b}[2J\u{9b}2J\u{202e}\nb";
                tracing::warn!(answer = %foreign, count = 7, "it says {foreign}");
            });
            let text = String::from_utf8(lines.0.lock().clone()).unwrap();
            let safe = "\\u{1b}[2J\\u{9b}2J\\u{202e}\\nb";
            let fields = format!("it says {safe} answer={safe} count=7\n");
            assert!(text.ends_with(&fields), "{text}");
            assert_eq!(text.contains('\x1b'), colour, "{text}");
        }
    }
}
