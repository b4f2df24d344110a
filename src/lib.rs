//! idx2gcs loads packed image data sets into Google Cloud Storage.
//!
//! ```text
//!  source ──► producer ══ bounded channel ══► uploaders ──► sink ──► manifests
//!  unpack     one thread    `queue` records     tasks: split,   GCS, a    published last,
//!  decode                                       name, encode,   folder,   complete or absent
//!                                               store, retry;   a zip
//!                                               as many as help
//! ```
//!
//! The modules are in the order in which data flows: [`config`] says what to do, [`source`] decodes,
//! [`check`] looks for what is wrong, [`split`] and [`naming`] say what an image is for and is called,
//! [`encode`] makes JPEG or PNG bytes, [`pipeline`] moves records through, with [`pace`] and [`retry`] between it and the [`sink`];
//! [`manifest`] lists what is stored, [`report`] tells how it went and [`page`] shows both.
//! [`load`] is the whole job, [`tune`] measures a destination and [`cli`] is the program around
//! it.
//!
//! Nothing but [`cli`] knows a terminal, a signal or an environment variable.

mod check;
mod classes;
#[doc(hidden)]
pub mod cli;
mod config;
pub mod encode;
mod exit;
mod files;
mod http;
mod limits;
pub mod load;
mod manifest;
mod model;
mod naming;
mod pace;
mod page;
mod pipeline;
mod report;
mod retry;
pub mod sink;
pub mod source;
pub mod split;
mod text;
mod tune;

pub use check::{Duplicates, Finding, Frequencies, Severity};
pub use encode::{Encoding, Scale};
pub use exit::Exit;
pub use load::{Error, Load, Outcome, Output, Prepared, Transfer, Verdict};
pub use manifest::ManifestFormat;
pub use model::{Image, ImageFormat, Partition, Size};
pub use naming::{NameError, Template};
pub use pace::{Bounds, Concurrency, Ramp};
pub use pipeline::{Observer, OnError, Silent, Snapshot};
pub use report::Summary;
pub use retry::{Limits, backoff::Backoff};
pub use sink::{IfExists, Purpose, Sink};
pub use source::DataSet;
pub use split::{HeldOut, SplitMethod, SplitSettings};

/// What the project's own tests and benchmarks use. Nothing of it is stable.
#[doc(hidden)]
#[allow(missing_docs)]
pub mod internals {
    pub mod check {
        pub use crate::check::*;
    }
    pub mod classes {
        pub use crate::classes::*;
    }
    pub mod config {
        pub use crate::config::*;
    }
    pub mod files {
        pub use crate::files::*;
    }
    pub mod manifest {
        pub use crate::manifest::*;
    }
    pub mod model {
        pub use crate::model::*;
    }
    pub mod naming {
        pub use crate::naming::*;
    }
    pub mod pace {
        pub use crate::pace::*;
    }
    pub mod page {
        pub use crate::page::*;
    }
    pub mod pipeline {
        pub use crate::pipeline::*;
    }
    pub mod report {
        pub use crate::report::*;
    }
    pub mod retry {
        pub use crate::retry::*;
    }
    pub mod tune {
        pub use crate::tune::*;
    }
}
