//! idx2gcs loads packed image data sets into Google Cloud Storage.

pub mod emulator;
