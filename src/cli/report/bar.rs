//! The progress bar, on stderr. The only place that draws on a terminal while a run goes on.

use std::time::Duration;

use indicatif::{ProgressBar, ProgressDrawTarget, ProgressStyle};

use crate::pipeline::{Observer, Snapshot};
use crate::text::{rounded, short, shown, thousands};

/// The bar above, the pace below: fits 80 columns, and grows with the terminal.
const TEMPLATE: &str =
    "{percent:>3} % {wide_bar:.cyan/dim} {human_pos}/{human_len}  ETA {eta}\n      {msg}";

/// A bar over the images of a run.
#[derive(Debug, Clone)]
pub(crate) struct Bar(ProgressBar);

impl Bar {
    /// A bar over so many images. Where stderr is no terminal nothing is drawn.
    pub(crate) fn new(images: u32) -> Self {
        let target = ProgressDrawTarget::stderr_with_hz(10);
        let bar = ProgressBar::with_draw_target(Some(images.into()), target);
        let style = ProgressStyle::with_template(TEMPLATE)
            .unwrap_or_else(|_| ProgressStyle::default_bar())
            .progress_chars("━╸─");
        bar.set_style(style);
        Self(bar)
    }

    /// The bar itself, for log lines to step around.
    pub(super) fn inner(&self) -> ProgressBar {
        self.0.clone()
    }
}

impl Observer for Bar {
    fn interval(&self) -> Duration {
        Duration::from_millis(100)
    }

    fn progress(&self, now: &Snapshot) {
        let mut message = format!(
            "{} images/s · {} of {} in flight · {} ms, 99 % {} ms",
            rounded(now.current_per_s()),
            now.in_flight,
            now.limit,
            short(now.current_latency().0),
            short(now.current_latency().1),
        );
        if now.limited > 0 {
            message.push_str(&format!(" · {} × 429", thousands(now.limited)));
        }
        let others = now.retries_total().saturating_sub(now.limited);
        if others > 0 {
            message.push_str(&format!(" · {} retries", thousands(others)));
        }
        if now.failed > 0 {
            message.push_str(&format!(" · {} failed", thousands(now.failed.into())));
        }
        self.0.set_message(message);
        self.0.set_position(now.ended().into());
    }

    fn note(&self, message: &str) {
        message.lines().for_each(|line| self.0.println(shown(line)));
    }

    fn end(&self, now: &Snapshot) {
        self.progress(now);
        // The last picture stays; a run that was cut short keeps its place on it.
        self.0.abandon();
    }
}
