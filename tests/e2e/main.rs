//! End to end: the program as its users run it, against real HTTP.
//!
//! Some tests need programs and data that `scripts/test.sh` installs; without them they fail.

// Clippy knows `#[test]` functions, not their helpers; and nobody uses a test from outside.
#![allow(clippy::unwrap_used, unreachable_pub)]

mod bad_input;
mod chaos;
mod conformance;
mod consumers;
mod credentials;
mod fake_gcs;
mod faults;
mod fetch;
mod full;
mod load;
mod manifests;
mod outage;
mod pace;
mod refusals;
mod settings;
mod sinks;
mod support;
mod transport;
mod verify;
