//! Data sets: where their files are, what they hold, and their images in order.
//!
//! A [`Source`] yields images, pixels or image files, and their labels; [`DataSet`] is an opened one
//! whose labels and classes agree. It has parts, such as the training part and then the test part, and
//! `index` counts the images through all of them.

pub mod array;
mod arrays;
mod catalogue;
mod dataset;
mod discover;
mod error;
mod fetch;
mod file;
mod idx;
mod labels;
mod locate;
mod npy;
mod npz;
mod options;
mod values;

pub use arrays::{Files, label_counts};
pub use catalogue::{Archive, Catalogue, Entry, EntryFile, EntryPart};
pub use dataset::{DataSet, Images, Part, Record, Records, Source};
pub use discover::single_file;
pub use error::SourceError;
pub use fetch::{FetchProgress, fetch};
pub use file::{ArrayFile, Payload, arrays, payload};
pub use labels::Labels;
pub use locate::{cache_folder, entry_files, find, folder_files};
pub use options::{ReadOptions, SourceOptions, Transposed};
pub use values::Range;
