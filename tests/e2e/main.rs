//! End to end: the program as its users run it, against real HTTP.
//!
//! Some tests need programs and data that `scripts/test.sh` installs; without them they fail.

// Clippy knows `#[test]` functions, not their helpers; and nobody uses a test from outside.
#![allow(clippy::unwrap_used, unreachable_pub)]

mod bad_input;
mod browser;
mod bucket;
mod chaos;
mod conformance;
mod consumers;
mod credentials;
mod fake_gcs;
mod family;
mod faults;
mod fetch;
mod fetch_archive;
mod full;
mod load;
mod manifests;
mod mirror;
mod outage;
mod pace;
mod page;
mod refusals;
mod reports;
mod settings;
mod sinks;
mod small;
mod sources;
mod support;
mod transport;
mod verify;
mod zip;
