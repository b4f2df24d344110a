//! How many requests are in flight, and how fast objects are written.

mod rate;
mod slots;

pub use rate::Rate;
pub use slots::Slots;

/// What an attempt passes before it begins. The default lets everything through.
#[derive(Debug, Clone, Copy, Default)]
pub struct Gate<'a> {
    /// Whoever waits between attempts gives its place up meanwhile.
    pub slots: Option<&'a Slots>,
    /// Each attempt waits for its turn.
    pub rate: Option<&'a Rate>,
}
