//! The options that say where images come from and how their values are read.

use std::path::PathBuf;

use crate::model::Partition;

/// The files of one part.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Files {
    /// What the images are for. Of a training part some are held out by the split.
    pub partition: Partition,
    /// `n × rows × cols` or `n × rows × cols × channels` values.
    pub images: PathBuf,
    /// `n` or `n × columns` whole numbers.
    pub labels: Option<PathBuf>,
}

/// Which values are black and white.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Range {
    /// The value that becomes 0.
    pub black: f64,
    /// The value that becomes 255.
    pub white: f64,
}

/// Where images come from.
#[derive(Debug, Clone, PartialEq)]
pub struct SourceOptions {
    /// The named data set.
    pub dataset: Option<String>,
    /// The folder or file to read it from, over the usual places.
    pub path: Option<PathBuf>,
    /// The parts, where they are listed.
    pub files: Vec<Files>,
    /// Names of the classes, over the data set's own.
    pub classes: Option<Vec<String>>,
    /// The label of the first class, over the data set's own.
    pub first_label: Option<u32>,
    /// Which column of labels is the class, over the data set's own.
    pub label_column: Option<u32>,
    /// Which values are black and white.
    pub range: Option<Range>,
    /// Whether rows and columns are exchanged.
    pub transposed: Transposed,
    /// Only the first so many images.
    pub limit: Option<u32>,
}

/// How the files of a data set are read.
#[derive(Debug, Clone, Default)]
pub struct ReadOptions {
    /// Names of the classes, over those that the source carries; without any, every label is a class.
    pub classes: Option<Vec<String>>,
    /// The label of the first class.
    pub first_label: u32,
    /// Whether a label of the last class must occur: a list of classes that was written for these labels.
    pub require_last_class: bool,
    /// Which values are black and white; bytes need none.
    pub range: Option<Range>,
    /// Whether rows and columns are exchanged, as EMNIST's are.
    pub transposed: bool,
    /// Which column of labels with several is the class, from 0.
    pub label_column: Option<u32>,
    /// Images of the training part that are held out where nothing else is asked for.
    pub validation: Option<u32>,
}

/// Whether rows and columns are exchanged in the file.
#[derive(
    Debug,
    Clone,
    Copy,
    PartialEq,
    Eq,
    strum::Display,
    strum::EnumString,
    strum::IntoStaticStr,
    strum::VariantNames,
)]
#[strum(serialize_all = "kebab-case")]
pub enum Transposed {
    /// As the data set's entry in the catalogue says.
    Auto,
    /// They are.
    #[strum(serialize = "true")]
    Yes,
    /// They are not.
    #[strum(serialize = "false")]
    No,
}
