//! The options that say where images come from and how their values are read.

use std::path::{Path, PathBuf};

use strum::{Display, EnumString, IntoStaticStr, VariantNames};

use super::catalogue::Entry;
use super::error::SourceError;
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
    /// The folder or file to read it from, in place of the known folders.
    pub path: Option<PathBuf>,
    /// The parts, where they are listed.
    pub files: Vec<Files>,
    /// Names of the classes, over the data set's own.
    pub classes: Option<Vec<String>>,
    /// The label of the first class, over the data set's own.
    pub first_label: Option<u32>,
    /// Which column of labels is the class, over the data set's own.
    pub label_column: Option<u32>,
    /// How arrays hold labels.
    pub label_encoding: LabelEncoding,
    /// Which values are black and white.
    pub range: Option<Range>,
    /// Whether rows and columns are exchanged.
    pub transposed: Transposed,
    /// Only the first so many images.
    pub limit: Option<u32>,
    /// Only so many images, each partition and class its share.
    pub sample: Option<u32>,
}

impl SourceOptions {
    /// How the values are read.
    pub(super) fn read(&self) -> ReadOptions {
        ReadOptions {
            classes: self.classes.clone(),
            first_label: self.first_label,
            label_column: self.label_column,
            label_encoding: self.label_encoding,
            range: self.range,
            transposed: match self.transposed {
                Transposed::Yes => Some(true),
                Transposed::No => Some(false),
                Transposed::Auto => None,
            },
        }
    }
}

/// How the values of a data set are read; what is `None` is as the catalogue says of a named one.
#[derive(Debug, Clone, Default)]
pub(super) struct ReadOptions {
    /// Names of the classes, over those that the source carries; without any, every label is a class.
    pub(super) classes: Option<Vec<String>>,
    /// The label of the first class.
    pub(super) first_label: Option<u32>,
    /// Which column of labels with several is the class, from 0.
    pub(super) label_column: Option<u32>,
    /// How arrays hold labels.
    pub(super) label_encoding: LabelEncoding,
    /// Which values are black and white; bytes need none.
    pub(super) range: Option<Range>,
    /// Whether rows and columns are exchanged, as EMNIST's are.
    pub(super) transposed: Option<bool>,
}

impl ReadOptions {
    /// These options, and where they are `None` what the catalogue says.
    pub(super) fn over(&self, entry: Option<&Entry>) -> Self {
        let first_label = self.first_label.or_else(|| entry.map(|entry| entry.first_label));
        let label_column = self.label_column.or_else(|| entry?.label_column);
        let transposed = self.transposed.or_else(|| entry.map(|entry| entry.transposed));
        Self { first_label, label_column, transposed, ..self.clone() }
    }

    /// Refuses options that say how the values of arrays are read, for images that are no arrays.
    ///
    /// # Errors
    /// Names the option.
    pub(super) fn must_be_bytes(&self, path: &Path) -> Result<(), SourceError> {
        let one_hot = self.label_encoding == LabelEncoding::OneHot;
        let range = self.range.map(|_| "source.range");
        let range = range.or(one_hot.then_some("source.label_encoding"));
        match range.or(self.transposed.filter(|is| *is).map(|_| "source.transposed")) {
            None => Ok(()),
            Some(option) => {
                let problem = format!("{option} is for arrays, and these images are none");
                Err(SourceError::unfit(path, problem))
            }
        }
    }
}

/// How an array holds labels.
#[derive(
    Debug, Clone, Copy, Default, PartialEq, Eq, Display, EnumString, IntoStaticStr, VariantNames,
)]
#[strum(serialize_all = "kebab-case")]
pub enum LabelEncoding {
    /// As numbers, one or several an image.
    #[default]
    Number,
    /// As a column for each class, of which one holds 1 and all others 0.
    OneHot,
}

/// Whether rows and columns are exchanged in the file.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Display, EnumString, IntoStaticStr, VariantNames)]
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
