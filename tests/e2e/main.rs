//! End to end: the program as its users run it, against real HTTP. One file for each subject;
//! `support/` holds the fixtures that they share.
//!
//! Tests that need Chromium, Python, fake-gcs-server or Fashion-MNIST are ignored in a plain
//! `cargo test`; `scripts/test.sh` installs what they need and runs all.

// Clippy knows `#[test]` functions, not their helpers; and nobody uses a test from outside.
#![allow(clippy::unwrap_used, unreachable_pub)]

mod support;

// What goes in: files, data sets, settings.
/// Sources that are broken, cut off, or lie about their size.
mod bad_input;
/// `deploy`, and the files of `deploy/`.
mod deploy;
/// `fetch`: mirrors that fail, downloads that continue.
mod fetch;
/// `fetch` of data sets that come in an archive.
mod fetch_archive;
/// CIFAR, Parquet, arrays in memory.
mod formats;
/// Folders that are named data sets by the content of their files.
mod recognised;
/// `config`, and which layer of settings wins.
mod settings;
/// Where a source is found, and in which forms it is read.
mod sources;

// The load itself.
/// Futures of the library that are dropped.
mod dropping;
/// All 70,000 images of Fashion-MNIST, pixel by pixel.
mod full;
/// The library with sources and sinks of a test's own: memory, names, exit codes.
mod library;
/// What a load stores, what a second one leaves, and what it prints.
mod load;
/// The manifests: formats, order, complete or absent.
mod manifests;
/// `--metadata` over objects that exist.
mod metadata;
/// The learned concurrency, `config` followed while a load runs.
mod pace;
/// What Pillow makes of the same pixels.
mod pillow;
/// What an earlier load left at the destination: refused, or deleted with `--prune`.
mod prune;
/// Answers that end a load, and their messages.
mod refusals;
/// `--sample`: whose share it is, and that it is the same everywhere.
mod sample;
/// Several runs that write into one folder.
mod shared_folder;
/// A load in slices by several processes.
mod slices;
/// What a person sees: the bar, colours, log lines.
#[cfg(unix)]
mod terminal;
/// `tune`.
mod tune;
/// `verify`.
mod verify;

// Where it goes.
/// What is asked of a bucket before a load, and what it tells of itself.
mod bucket;
/// What every sink promises: bucket, folder, archive.
mod contract;
/// Tokens: where they come from, when they are renewed, that no log has one.
mod credentials;
/// `emulate`, the emulator as a program of its own.
mod emulate;
/// fake-gcs-server as destination.
mod other_emulators;
/// Large manifests, which go in chunks.
mod resumable;
/// Sinks that misbehave, at each attempt.
mod sinks;
/// TLS, proxies, connections that close.
mod transport;
/// A zip archive as destination.
mod zip;

// Bad days.
/// Random faults of all kinds at once.
mod chaos;
/// Each fault of a service by itself.
mod faults;
/// Outages, stops, SIGKILL.
mod outage;

// Others who read or serve the same.
/// The emulator and fake-gcs-server, asked the same by Google's client.
mod conformance;
/// pandas, `datasets` and others that read what a load leaves.
mod consumers;
/// The report page in Chromium.
mod page;
