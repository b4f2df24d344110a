//! What can be known of a data set before the work begins, and what is wrong with it: imports fail
//! late and say little, so what would make them fail is looked for first.

mod findings;
mod frequencies;
mod survey;

pub(crate) use findings::{CheckInput, errors, findings, of_bucket};
pub use findings::{Duplicates, Finding, Severity};
pub use frequencies::Frequencies;
pub(crate) use survey::{Survey, survey};
