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

pub mod check;
pub mod classes;
pub mod cli;
pub mod config;
pub mod encode;
mod exit;
mod files;
mod http;
mod limits;
pub mod load;
pub mod manifest;
pub mod model;
pub mod naming;
pub mod pace;
pub mod page;
pub mod pipeline;
pub mod report;
pub mod retry;
pub mod sink;
pub mod source;
pub mod split;
mod text;
pub mod tune;

pub use exit::Exit;
pub use files::{FolderLock, LockError};
pub use load::Error;
