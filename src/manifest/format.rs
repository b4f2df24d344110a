//! The formats of manifests: their files' names, what they need, and their rows.

use std::borrow::Cow;

use serde::Serialize;
use strum::{Display, EnumString, IntoStaticStr, VariantNames};

use super::{Content, Row};
use crate::classes::Classes;
use crate::model::Partition;

/// The columns of `images.csv` and `images.parquet`.
pub(super) const COLUMNS: [&str; 7] =
    ["index", "url", "partition", "label", "class", "crc32c", "size"];

/// A format of manifests.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Display, EnumString, IntoStaticStr, VariantNames)]
#[strum(serialize_all = "kebab-case")]
pub enum ManifestFormat {
    /// `automl.csv`: `TRAIN,gs://…,9`, for AutoML Vision.
    Automl,
    /// `vertex.csv`: `training,gs://…,Ankle_boot`, for Vertex AI.
    Vertex,
    /// `vertex.jsonl`: the same as JSON lines.
    VertexJsonl,
    /// `metadata.jsonl`, for `imagefolder` of Hugging Face's `datasets`.
    #[strum(serialize = "huggingface")]
    HuggingFace,
    /// `images.csv`: with a header, and each object's checksum and size.
    Csv,
    /// `images.parquet`: the same, each column of its type. Only in a build that has it.
    Parquet,
}

impl ManifestFormat {
    /// All of them, also where this build cannot write one.
    pub const ALL: [Self; 6] = [
        Self::Automl,
        Self::Vertex,
        Self::VertexJsonl,
        Self::HuggingFace,
        Self::Csv,
        Self::Parquet,
    ];

    /// The name of the file.
    pub fn file_name(self) -> &'static str {
        match self {
            Self::Automl => "automl.csv",
            Self::Vertex => "vertex.csv",
            Self::VertexJsonl => "vertex.jsonl",
            Self::HuggingFace => "metadata.jsonl",
            Self::Csv => "images.csv",
            Self::Parquet => "images.parquet",
        }
    }

    /// The media type of the file. JSON lines have none that is registered; this one is the most used.
    pub fn content_type(self) -> &'static str {
        match self {
            Self::Automl | Self::Vertex | Self::Csv => "text/csv",
            Self::VertexJsonl | Self::HuggingFace => "application/x-ndjson",
            Self::Parquet => "application/vnd.apache.parquet",
        }
    }

    /// Whether rows have each object's CRC32C and size.
    pub fn lists_content(self) -> bool {
        matches!(self, Self::Csv | Self::Parquet)
    }

    /// Whether this build can write it.
    pub fn is_built(self) -> bool {
        self != Self::Parquet || cfg!(feature = "parquet")
    }

    /// The format in which people are shown what rows of this one say.
    #[must_use]
    pub fn shown_as(self) -> Self {
        match self {
            Self::Parquet => Self::Csv,
            text => text,
        }
    }

    #[cfg(test)]
    pub(crate) fn built() -> Vec<Self> {
        Self::ALL.into_iter().filter(|format| format.is_built()).collect()
    }
}

/// A partition as Vertex AI calls it (`ml_use`).
fn ml_use(partition: Partition) -> &'static str {
    match partition {
        Partition::Train => "training",
        Partition::Validation => "validation",
        Partition::Test => "test",
    }
}

/// `TRAIN,gs://…,9`, the last only where the image has a label.
pub(super) fn automl(row: &Row) -> Vec<Cow<'_, str>> {
    let partition = match row.partition {
        Partition::Train => "TRAIN",
        Partition::Validation => "VALIDATION",
        Partition::Test => "TEST",
    };
    let label = row.label.map(|label| label.to_string().into());
    [partition.into(), row.url.as_str().into()].into_iter().chain(label).collect()
}

/// `training,gs://…,Ankle_boot`, the last only where the image has a label
/// (<https://cloud.google.com/vertex-ai/docs/image-data/classification/prepare-data>).
pub(super) fn vertex<'a>(row: &'a Row, classes: &'a Classes) -> Vec<Cow<'a, str>> {
    let label = row.label.map(|label| classes.label(label));
    [ml_use(row.partition).into(), row.url.as_str().into()].into_iter().chain(label).collect()
}

/// A row of [`COLUMNS`]. What is not known is empty: the label where there is none, the class where
/// the data set does not name it.
pub(super) fn columns<'a>(
    row: &'a Row,
    content: Content,
    classes: &'a Classes,
) -> [Cow<'a, str>; 7] {
    let label = row.label.map(|label| label.to_string());
    [
        row.index.to_string().into(),
        row.url.as_str().into(),
        row.partition.name().into(),
        label.unwrap_or_default().into(),
        row.class(classes).unwrap_or_default().into(),
        content.crc32c_text().into(),
        content.size.to_string().into(),
    ]
}

/// A line of `vertex.jsonl`: what Google's import schema for single-label classification has
/// (<https://cloud.google.com/vertex-ai/docs/image-data/classification/prepare-data>).
#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct VertexLine<'a> {
    image_gcs_uri: &'a str,
    #[serde(skip_serializing_if = "Option::is_none")]
    classification_annotation: Option<Annotation<'a>>,
    data_item_resource_labels: ResourceLabels,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Annotation<'a> {
    display_name: Cow<'a, str>,
}

#[derive(Serialize)]
struct ResourceLabels {
    #[serde(rename = "aiplatform.googleapis.com/ml_use")]
    ml_use: &'static str,
}

impl<'a> VertexLine<'a> {
    pub(super) fn new(row: &'a Row, classes: &'a Classes) -> Self {
        let annotation = |label| Annotation { display_name: classes.label(label) };
        Self {
            image_gcs_uri: &row.url,
            classification_annotation: row.label.map(annotation),
            data_item_resource_labels: ResourceLabels { ml_use: ml_use(row.partition) },
        }
    }
}

/// A line of `metadata.jsonl`, in which `imagefolder` finds the image by `file_name`, relative to the
/// file's own folder; every other key becomes a column
/// (<https://huggingface.co/docs/datasets/image_dataset#imagefolder>).
#[derive(Serialize)]
pub(super) struct HuggingFaceLine<'a> {
    pub(super) file_name: &'a str,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) label: Option<u32>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) class: Option<&'a str>,
    pub(super) partition: &'static str,
}
