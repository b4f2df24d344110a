//! Data sets: where their files are, what they hold, and their images in order.
//!
//! A [`Source`] yields images, pixels or image files, and their labels; [`DataSet`] is an opened one
//! whose labels and classes agree. It has parts, such as the training part and then the test part, and
//! `index` counts the images through all of them.

mod arrays;
mod builder;
mod bundle;
mod candidate;
mod catalogue;
mod cifar;
mod dataset;
mod error;
mod fetch;
mod formats;
mod gzip;
#[cfg(feature = "parquet")]
mod huggingface;
mod labels;
mod locate;
mod options;
mod recognise;

use std::fmt;
use std::path::PathBuf;
use std::sync::Arc;

use crate::model::{Image, ImageFormat, Partition, Size};

pub use arrays::header::{ArrayError, Dtype, Endian, Header, Shape};
pub use arrays::{
    Array, ArrayRecords, Payload, array_names, array_of, folder_files, label_counts, payload,
    records, single_file,
};
pub use builder::{DataSetBuilder, open_images};
pub use catalogue::{Archive, Catalogue, Entry, EntryFile, EntryPart, WholeFile};
pub use dataset::{DataSet, Record, Records};
pub use error::SourceError;
pub use fetch::{FetchProgress, fetch};
pub use labels::Labels;
pub use locate::{Folders, Found, files_in, find};
pub use options::{Files, LabelEncoding, Range, SourceOptions, Transposed};

/// The images of a source in order. No image follows an error.
pub type Images = Box<dyn Iterator<Item = Result<Image, SourceError>> + Send>;

/// A source of images, such as files of one format, that has been opened: its number of images and
/// their labels are known, and no image has to be in memory.
pub trait Source: fmt::Debug + Send + Sync + 'static {
    /// The parts in the order of their images.
    fn parts(&self) -> Vec<Part>;

    /// The labels of all images, by index.
    fn labels(&self) -> &Arc<Labels>;

    /// The names of the classes from label 0 on, where the source carries them.
    fn class_names(&self) -> Option<Vec<String>> {
        None
    }

    /// The size of the images, where all have the same and it is known before they are read.
    fn size(&self) -> Option<Size>;

    /// The format of image number `index` where it is an image file; `None` for pixels.
    fn format(&self, index: u32) -> Option<ImageFormat>;

    /// The most bytes that one image takes in memory.
    fn largest_image(&self) -> u64;

    /// Reads all images from the first, each when it is asked for.
    fn images(&self) -> Images;

    /// Proves that the images are whole without keeping them, where opening has not. Ends early, proving
    /// nothing, once `stopped` returns true.
    ///
    /// # Errors
    /// The first file that is damaged, or shorter or longer than it says.
    fn prove(&self, stopped: &dyn Fn() -> bool) -> Result<(), SourceError>;
}

/// A run of images of one partition.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Part {
    /// What the images are for. Of a training part some are held out by the split.
    pub partition: Partition,
    /// How many there are.
    pub images: u32,
    /// The file that messages about the part's labels name.
    pub path: PathBuf,
}
