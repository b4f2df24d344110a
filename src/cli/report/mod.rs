//! What is drawn on a terminal: progress as a bar or as lines, log lines around it, and images.

mod bar;
mod lines;
mod log;
mod picture;

pub(super) use bar::Bar;
pub(super) use lines::{JsonLines, PlainLines};
pub(super) use log::{LogWriter, start_logging};
pub(super) use picture::{Picture, Style, draw};
