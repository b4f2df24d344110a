//! How fast objects are written.

mod rate;

pub use rate::Rate;
