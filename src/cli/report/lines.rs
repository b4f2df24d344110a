//! Progress as lines on stderr, for logs and programs.

use std::io::Write;
use std::time::Duration;

use crate::pipeline::{Observer, Snapshot};
use crate::text::{rounded, short, shown, shown_json, thousands};

/// A line every few seconds.
#[derive(Debug, Clone, Copy)]
pub(crate) struct PlainLines;

/// A JSON object a line, every second.
#[derive(Debug, Clone, Copy)]
pub(crate) struct JsonLines;

/// Writes a line to stderr; a closed stderr is nobody to tell.
fn line(text: &str) {
    let _ = writeln!(std::io::stderr().lock(), "{text}");
}

impl Observer for PlainLines {
    fn interval(&self) -> Duration {
        Duration::from_secs(2)
    }

    fn progress(&self, now: &Snapshot) {
        let percent = f64::from(now.ended()) * 100.0 / f64::from(now.images.max(1));
        line(&format!(
            "{} of {} images ({percent:.0} %), {} images/s, {} of {} in flight, \
             {} ms (99 %: {} ms), {} × 429, {} retries, {} failed",
            thousands(now.ended().into()),
            thousands(now.images.into()),
            rounded(now.current_per_s()),
            now.in_flight,
            now.limit,
            short(now.current_latency().0),
            short(now.current_latency().1),
            thousands(now.limited),
            thousands(now.retries_total()),
            thousands(now.failed.into()),
        ));
    }

    fn note(&self, message: &str) {
        message.lines().for_each(|text| line(&shown(text)));
    }

    fn end(&self, now: &Snapshot) {
        if now.ended() > 0 {
            self.progress(now);
        }
    }
}

impl Observer for JsonLines {
    fn interval(&self) -> Duration {
        Duration::from_secs(1)
    }

    fn progress(&self, now: &Snapshot) {
        if let Ok(text) = serde_json::to_string(now) {
            line(&text);
        }
    }

    fn note(&self, message: &str) {
        line(&shown_json(&serde_json::json!({ "note": message }).to_string()));
    }

    fn end(&self, now: &Snapshot) {
        self.progress(now);
    }
}
