//! What can be known of a data set before the work begins, and what is wrong with it: imports fail
//! late and say little, so what would make them fail is looked for first.

mod findings;
mod frequencies;
mod survey;

pub use findings::{CheckInput, Duplicates, Finding, Severity, errors, findings, of_bucket};
pub use frequencies::Frequencies;
pub use survey::{Survey, survey};
