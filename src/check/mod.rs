//! What can be known of a data set before the work begins, and what is wrong with it.

mod survey;

pub use survey::{Survey, survey};
