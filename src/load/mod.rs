//! The whole job in three stages, each a type, so that none can be left out:
//!
//! 1. [`Load`]: an opened data set and what is to be made of it.
//! 2. [`Prepared`]: the source is proved whole, its images are checked, the destination works.
//! 3. [`Run`]: the images are stored; then, and only then, the manifests are published.
//!
//! [`Prepared::verify`] proves instead that the destination holds exactly what the source says;
//! [`Surveyed`] is the source alone, for a dry run or a check.

mod blocking;
mod digest;
mod earlier;
mod error;
mod images;
mod job;
mod leftovers;
mod merge;
mod output;
mod plan;
mod prepare;
mod publish;
mod report;
mod resume;
mod run;
mod samples;
mod slices;
mod transfer;
mod verify;

use std::sync::Arc;

pub use self::error::Error;
use self::job::Job;
pub use self::leftovers::Leftovers;
pub use self::merge::{Merge, Merged};
pub use self::output::Output;
pub use self::output::SUMMARY;

pub use self::plan::{Plan, RequestCost};
pub use self::prepare::{ABOUT_TIMEOUT, Prepared, Surveyed, about, check_destination};
pub use self::run::{Control, Outcome, Run};
pub use self::transfer::Transfer;
pub use self::verify::Verdict;
use crate::check::Duplicates;
use crate::encode::{Encoder, Encoding};
use crate::manifest::ManifestFormat;
use crate::naming::{NameError, Template};
use crate::shard::Shard;
use crate::sink::NewObject;
use crate::source::DataSet;
use crate::split::{SplitMethod, SplitSettings};

/// The names of images, unless others are asked for.
pub const DEFAULT_NAME: &str = "image_{index}.{ext}";

/// A data set and what is to be made of it.
#[derive(Debug, Clone)]
pub struct Load {
    data: DataSet,
    split: SplitSettings,
    encoding: Encoding,
    name: Option<Template>,
    default_name: &'static str,
    metadata: bool,
    limit: Option<u32>,
    sample: Option<u32>,
    duplicates: Duplicates,
    manifests: Vec<ManifestFormat>,
    /// The data set's title and where it was read from, for the page.
    title: String,
    origin: Option<String>,
    /// Whether the destination is asked for what is only worth knowing.
    courtesies: bool,
    part: Part,
}

/// Which part of a load a process does.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Part {
    /// All of it.
    Whole,
    /// The images of one slice; the manifests too, where its record completes the others'.
    Slice(Shard),
    /// The manifests, once records show that every slice is done.
    Merge,
}

impl Load {
    /// A load of all images with the program's defaults: a tenth of the training part (or as the data
    /// set says) held out at random with seed 42, JPEG of quality 75, names
    /// `image_{index}.{ext}`, manifests for `AutoML` and Vertex AI.
    pub fn of(data: DataSet) -> Self {
        Self {
            data,
            split: SplitSettings::default(),
            encoding: Encoding::default(),
            name: None,
            default_name: DEFAULT_NAME,
            metadata: false,
            limit: None,
            sample: None,
            duplicates: Duplicates::Error,
            manifests: vec![ManifestFormat::Automl, ManifestFormat::Vertex],
            title: String::new(),
            origin: None,
            courtesies: true,
            part: Part::Whole,
        }
    }

    /// Holds images out of the training part in this way.
    #[must_use]
    pub fn split(mut self, split: SplitSettings) -> Self {
        self.split = split;
        self
    }

    /// Encodes the images so.
    #[must_use]
    pub fn encode(mut self, encoding: Encoding) -> Self {
        self.encoding = encoding;
        self
    }

    /// Names the objects after a template such as `{class}/{index:05}.{ext}`.
    ///
    /// # Errors
    /// A template that is no name, or does not give each image a name of its own.
    pub fn name(self, template: &str) -> Result<Self, NameError> {
        Ok(self.named(Some(Template::parse(template, "")?)))
    }

    /// Names the objects after a template; `None` is the default.
    #[must_use]
    pub fn named(mut self, template: Option<Template>) -> Self {
        self.name = template;
        self
    }

    /// Uses another default for names, where the images have labels.
    #[must_use]
    pub fn default_name(mut self, template: &'static str) -> Self {
        self.default_name = template;
        self
    }

    /// Gives each object its label, class, partition and encoder as custom metadata.
    #[must_use]
    pub fn metadata(mut self, metadata: bool) -> Self {
        self.metadata = metadata;
        self
    }

    /// Loads only the first so many images; the partition of each stays what it is without a limit.
    #[must_use]
    pub fn limit(mut self, limit: Option<u32>) -> Self {
        self.limit = limit;
        self
    }

    /// Loads only so many images, each partition and class its share, chosen by the seed of the split.
    /// A larger sample contains a smaller one; index and partition of each stay what they are in the
    /// whole set. There is no sample of a limit.
    #[must_use]
    pub fn sample(mut self, sample: Option<u32>) -> Self {
        self.sample = sample;
        self
    }

    /// Treats images of the same pixels so.
    #[must_use]
    pub fn duplicates(mut self, duplicates: Duplicates) -> Self {
        self.duplicates = duplicates;
        self
    }

    /// Publishes these manifests.
    #[must_use]
    pub fn manifests(mut self, formats: Vec<ManifestFormat>) -> Self {
        self.manifests = formats;
        self
    }

    /// Gives the page a title, and says where the data set was read from.
    #[must_use]
    pub fn described(mut self, title: String, origin: Option<String>) -> Self {
        self.title = title;
        self.origin = origin;
        self
    }

    /// Asks the destination for what is only worth knowing, such as a bucket's location, or not.
    #[must_use]
    pub fn courtesies(mut self, ask: bool) -> Self {
        self.courtesies = ask;
        self
    }

    /// Loads one slice of the images, as one of several processes. Its images end in a record below
    /// `.idx2gcs/` at the destination, and the process whose record completes the others' publishes the
    /// manifests; into a folder only [`Prepared::merge`] does.
    #[must_use]
    pub fn slice(mut self, shard: Shard) -> Self {
        self.part = Part::Slice(shard);
        self
    }

    /// Prepares for [`Prepared::merge`], which publishes what slices have stored.
    #[must_use]
    pub fn merging(mut self) -> Self {
        self.part = Part::Merge;
        self
    }

    /// Images of the load: the data set's, or the limit, or the sample.
    pub fn images(&self) -> u32 {
        self.limit.or(self.sample).unwrap_or(u32::MAX).min(self.data.images())
    }

    /// The objects of the first images, at most so many, without names: something to measure a
    /// destination with.
    ///
    /// # Errors
    /// A source that is bad, images that cannot be encoded.
    pub fn first_objects(&self, most: usize) -> Result<Vec<NewObject>, Error> {
        let encoder = Encoder::new(self.encoding);
        let records = self.data.records().take(most.min(self.images() as usize));
        let objects = records.map(|record| {
            let image = record?.image;
            let body = encoder.encode(&image);
            let body = body.map_err(|e| Error::Internal(e.to_string()))?;
            let content_type = encoder.format(image.format()).media_type();
            Ok(NewObject::of_bytes(String::new(), body, content_type))
        });
        objects.collect()
    }

    /// Whether the pixels must be hashed before split and names are known.
    fn needs_hashes(&self) -> bool {
        self.split.method == SplitMethod::Hash
            || self.name.as_ref().is_some_and(Template::uses_hash)
    }

    fn job(&self, names_are_files: bool, hashes: Option<Vec<u64>>) -> Result<Arc<Job>, Error> {
        Job::new(self, names_are_files, hashes).map(Arc::new)
    }
}
