//! What a page shows, as plain data.

use serde::{Serialize, Serializer};

use crate::check::Finding;
use crate::model::{Partition, Size};
use crate::report::Summary;

/// The page's file name.
pub(crate) const HTML: &str = "report.html";
/// The file name of the same for programs.
pub(crate) const JSON: &str = "report.json";

/// What the page shows.
#[derive(Debug, Clone, Default, Serialize)]
pub struct Report {
    /// The data set's title, the page's heading.
    pub title: String,
    /// Where the data set came from: a name, a folder, an address.
    pub source: Option<String>,
    /// Where the objects are.
    pub destination: Option<String>,
    /// When this was, as text.
    pub when: Option<String>,
    /// How the images were divided.
    pub split: Option<SplitUsed>,
    /// Images by partition, with a label or without.
    pub partitions: ByPartition,
    /// Class frequencies by partition, in the order of the class numbers. Empty: no labels.
    pub classes: Vec<Class>,
    /// Images to look at. A [`Sampler`](super::Sampler) chooses them.
    pub samples: Vec<SampleImage>,
    /// Sizes and quality.
    pub figures: Option<Figures>,
    /// How the run ended. Absent: nothing has been loaded.
    pub outcome: Option<Outcome>,
    /// What is wrong or worth knowing. Absent: nothing was looked for.
    pub findings: Option<Vec<Finding>>,
}

/// How images were divided into partitions.
#[derive(Debug, Clone, Serialize)]
pub struct SplitUsed {
    /// As settings name it: `random`, `stratified`, …
    pub method: String,
    /// Of the random numbers, where there were any.
    pub seed: Option<u32>,
}

/// Numbers of images by partition.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize)]
pub struct ByPartition {
    /// To train on.
    pub train: u64,
    /// To choose between models.
    pub validation: u64,
    /// To test with.
    pub test: u64,
}

impl From<[u32; 3]> for ByPartition {
    /// In the order of [`Partition::ALL`].
    fn from([train, validation, test]: [u32; 3]) -> Self {
        Self { train: train.into(), validation: validation.into(), test: test.into() }
    }
}

impl ByPartition {
    /// One partition's number.
    pub fn get(&self, partition: Partition) -> u64 {
        match partition {
            Partition::Train => self.train,
            Partition::Validation => self.validation,
            Partition::Test => self.test,
        }
    }

    /// The partitions together.
    pub fn total(&self) -> u64 {
        self.train + self.validation + self.test
    }
}

/// One class and how often it occurs.
#[derive(Debug, Clone, Serialize)]
pub struct Class {
    /// Its number in the source.
    pub number: u32,
    /// Its name, where it has one.
    pub name: Option<String>,
    /// What manifests call it.
    pub label: String,
    /// Its images.
    pub images: ByPartition,
}

impl Class {
    /// Its name, or else what manifests call it.
    pub(super) fn title(&self) -> &str {
        self.name.as_deref().filter(|name| !name.trim().is_empty()).unwrap_or(&self.label)
    }
}

/// One image, encoded as it was stored.
#[derive(Debug, Clone, Serialize)]
pub struct SampleImage {
    /// Position in source order, from 0.
    pub index: u32,
    /// Its class, where it has one.
    pub label: Option<u32>,
    /// Its partition.
    #[serde(serialize_with = "partition_name")]
    pub partition: Partition,
    /// `image/jpeg`, `image/png`, …: one that browsers draw.
    pub media_type: String,
    /// The file; in JSON as Base64.
    #[serde(serialize_with = "base64")]
    pub bytes: Vec<u8>,
}

/// Sizes and quality of the images.
#[derive(Debug, Clone, Serialize)]
pub struct Figures {
    /// The size of the images, where all have the same.
    #[serde(flatten)]
    pub size: Option<Size>,
    /// `JPEG`, `PNG`, …
    pub format: String,
    /// On the format's own scale, where it has one.
    pub quality: Option<u8>,
    /// Bytes of all encoded images.
    pub bytes: u64,
    /// Bytes of an encoded image.
    pub image_bytes: Option<Spread>,
    /// What encoding left of the images.
    pub psnr_db: Option<Psnr>,
}

/// How a quantity is spread over the images.
#[derive(Debug, Clone, Copy, Serialize)]
pub struct Spread {
    /// The smallest.
    pub min: u64,
    /// Half of the images have at most this.
    pub median: u64,
    /// The mean.
    pub mean: f64,
    /// The largest.
    pub max: u64,
}

/// Peak signal-to-noise ratio of encoded images against their sources, in decibels.
#[derive(Debug, Clone, Copy, Serialize)]
pub struct Psnr {
    /// Over the images measured.
    pub mean: f64,
    /// Of the image that lost most.
    pub worst: f64,
    /// So many images were measured.
    pub images: u64,
}

/// How a run ended.
#[derive(Debug, Clone, Serialize)]
pub struct Outcome {
    /// What was done.
    #[serde(flatten)]
    pub summary: Summary,
    /// Why the run is not complete, if it is not: the line that the terminal got.
    pub error: Option<String>,
}

impl Outcome {
    /// Every image is stored, and nothing else went wrong.
    pub(super) fn is_complete(&self) -> bool {
        let Summary { failed, not_attempted, .. } = self.summary;
        self.error.is_none() && failed == 0 && not_attempted == 0
    }
}

impl Report {
    /// The class of that number, where one is known.
    pub(super) fn class(&self, number: u32) -> Option<&Class> {
        let found = self.classes.binary_search_by_key(&number, |class| class.number);
        found.ok().and_then(|at| self.classes.get(at))
    }
}

// serde passes what it serializes by reference.
#[allow(clippy::trivially_copy_pass_by_ref)]
fn partition_name<S: Serializer>(partition: &Partition, to: S) -> Result<S::Ok, S::Error> {
    to.serialize_str(partition.name())
}

fn base64<S: Serializer>(bytes: &[u8], to: S) -> Result<S::Ok, S::Error> {
    to.collect_str(&data_encoding::BASE64.encode_display(bytes))
}
