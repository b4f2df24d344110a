//! Data sets: where their files lie, what they hold, and their records in order.
//!
//! A data set is a list of parts, each an array of images and, where images have labels, an array of
//! labels read in step. `index` counts through all parts in their order: as a rule the training part
//! first, then the test part.

pub mod array;
mod bundle;
mod catalogue;
mod fetch;
mod file;
mod idx;
mod labels;
mod locate;
mod member;
mod npy;
mod options;
mod values;

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use array::{ArrayError, Header, Records, Shape};
pub use bundle::single_file;
pub use catalogue::{Archive, Catalogue, Entry, EntryFile, EntryPart};
pub use fetch::{FetchProgress, fetch};
pub use file::{ArrayFile, Payload, arrays, payload};
pub use labels::Labels;
pub use locate::{cache_folder, entry_files, find, folder_files};
pub use options::{Source, Transposed};
pub use values::Range;

use crate::classes::Classes;
use crate::model::Partition;

/// What is wrong with a source. Exit code 3.
#[derive(Debug, thiserror::Error)]
pub enum SourceError {
    /// One file is not what it should be.
    #[error("{}: {problem}", path.display())]
    File {
        /// The file.
        path: PathBuf,
        /// What is wrong with it.
        problem: ArrayError,
    },
    /// A file is sound but does not fit its place.
    #[error("{}: {problem}", path.display())]
    Unfit {
        /// The file.
        path: PathBuf,
        /// What was expected and what it holds.
        problem: String,
    },
    /// The files of a data set cannot be found.
    #[error("{0}")]
    NotFound(String),
    /// A download failed.
    #[error("{0}")]
    Fetch(String),
}

impl SourceError {
    fn file(path: &Path, problem: ArrayError) -> Self {
        Self::File { path: path.to_owned(), problem }
    }

    /// A file that does not fit its place.
    pub(crate) fn unfit(path: &Path, problem: impl Into<String>) -> Self {
        Self::Unfit { path: path.to_owned(), problem: problem.into() }
    }
}

/// One image with its label.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Record {
    /// Position in source order, from 0.
    pub index: u32,
    /// The label, where images have labels.
    pub label: Option<u32>,
    /// `rows × cols × channels` bytes, row-major, 0 black.
    pub pixels: Vec<u8>,
}

impl Record {
    /// A hash of the pixels, the same on every machine (XXH3, 64 bits).
    pub fn hash(&self) -> u64 {
        twox_hash::XxHash3_64::oneshot(&self.pixels)
    }
}

/// The files of one part.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Files {
    /// What the part is for. Of a training part some is held out by the split.
    pub partition: Partition,
    /// `n × rows × cols` or `n × rows × cols × channels` values.
    pub images: PathBuf,
    /// `n` or `n × columns` whole numbers.
    pub labels: Option<PathBuf>,
}

/// How values are read.
#[derive(Debug, Clone, Default)]
pub struct Reading {
    /// The classes that labels may name.
    pub classes: Classes,
    /// Whether the last of the classes must occur: a list that was written for these labels.
    pub classes_end: bool,
    /// Which values are black and white; bytes need none.
    pub range: Option<Range>,
    /// Rows and columns are exchanged, as EMNIST's are.
    pub transposed: bool,
    /// Which column of labels with several is the class, from 0.
    pub label_column: Option<u32>,
    /// Images of the training part that are held out where nothing else is asked for.
    pub validation: Option<u32>,
}

/// A data set that has been opened: headers, lengths of plain files, counts and labels agree.
#[derive(Debug, Clone)]
pub struct DataSet {
    parts: Vec<(Partition, ArrayFile)>,
    labels: Arc<Labels>,
    reading: Reading,
    stored: Pixels,
    /// The classes that labels may name.
    pub classes: Arc<Classes>,
    /// Height of every image in pixels.
    pub rows: u16,
    /// Width of every image in pixels.
    pub cols: u16,
    /// 1 for grey images, 3 for red, green and blue.
    pub channels: u8,
}

/// The form of a record as it is stored.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Pixels {
    rows: u16,
    cols: u16,
    channels: u8,
}

impl DataSet {
    /// Opens the files of each part and checks all that can be checked without unpacking images.
    ///
    /// # Errors
    /// The first file that is missing, damaged or does not fit the others; labels that are not of the
    /// classes.
    pub fn open(files: &[Files], reading: Reading) -> Result<Self, SourceError> {
        let mut parts: Vec<(Partition, ArrayFile)> = Vec::with_capacity(files.len());
        let mut labels = Labels::None;
        let mut stored = None;
        let mut total = 0_u64;
        for Files { partition, images, labels: of } in files {
            let images = ArrayFile::open(images)?;
            let this = pixels(&images, &reading)?;
            let first = *stored.get_or_insert(this);
            if this != first {
                let problem = format!("its images are {this}, those of the part before {first}");
                return Err(SourceError::unfit(&images.path, problem));
            }
            let before = u32::try_from(total).unwrap_or(u32::MAX);
            total += u64::from(images.header.records());
            if total > u64::from(u32::MAX) {
                let problem = "the data set holds more than 4,294,967,295 images";
                return Err(SourceError::unfit(&images.path, problem));
            }
            if let Some(of) = of {
                if before > 0 && labels == Labels::None {
                    let problem = "labels, but the parts before have none";
                    return Err(SourceError::unfit(of, problem));
                }
                read_labels(of, &images, before, &reading, &mut labels)?;
            } else if labels != Labels::None {
                let problem = "no labels are named for it, but the parts before have some";
                return Err(SourceError::unfit(&images.path, problem));
            } else {
                // No label speaks for the number of images, and memory follows from it.
                images.prove(&|| false)?;
            }
            parts.push((*partition, images));
        }
        let stored =
            stored.ok_or_else(|| SourceError::NotFound("the data set has no files".to_owned()))?;
        check_end(&reading, &labels, total, files)?;
        let Pixels { rows, cols, channels } = stored;
        let (rows, cols) = if reading.transposed { (cols, rows) } else { (rows, cols) };
        let (labels, classes) = (Arc::new(labels), Arc::new(reading.classes.clone()));
        Ok(Self { parts, labels, reading, stored, classes, rows, cols, channels })
    }

    /// Proves that packed images are whole, which takes unpacking them once. Ends early, proving
    /// nothing, once `stopped` says so.
    ///
    /// # Errors
    /// The first file that is damaged, or shorter or longer than it says.
    pub fn prove(&self, stopped: &dyn Fn() -> bool) -> Result<(), SourceError> {
        self.parts.iter().try_for_each(|(_, images)| images.prove(stopped))
    }

    /// Partition and number of images of each part, in source order.
    pub fn parts(&self) -> Vec<(Partition, u32)> {
        self.parts.iter().map(|(part, images)| (*part, images.header.records())).collect()
    }

    /// Images in all parts.
    pub fn images(&self) -> u32 {
        self.parts.iter().map(|(_, images)| images.header.records()).sum()
    }

    /// Bytes of one record's pixels.
    pub fn record_len(&self) -> usize {
        usize::from(self.rows) * usize::from(self.cols) * usize::from(self.channels)
    }

    /// Images of the training part that are held out where nothing else is asked for: as the data set
    /// has it, and none where it has a validation part.
    pub fn validation(&self) -> Option<u32> {
        let has_validation = self.parts.iter().any(|(part, _)| *part == Partition::Validation);
        if has_validation { Some(0) } else { self.reading.validation }
    }

    /// The labels of all images.
    pub fn labels(&self) -> &Arc<Labels> {
        &self.labels
    }

    /// All records in order, decoded as they are asked for; nothing follows an error.
    pub fn records(&self) -> impl Iterator<Item = Result<Record, SourceError>> + use<> {
        let Self { parts, labels, reading, stored, .. } = self.clone();
        let range = reading.range;
        let decoded = parts.into_iter().flat_map(move |(_, file)| {
            let mut records = InStep::new(file);
            std::iter::from_fn(move || records.next_pixels(range).transpose())
        });
        let mut failed = false;
        (0..)
            .zip(decoded)
            .take_while(move |(_, item)| !std::mem::replace(&mut failed, item.is_err()))
            .map(move |(index, item)| {
                let pixels = item?;
                let pixels = if reading.transposed { stored.transpose(&pixels) } else { pixels };
                Ok(Record { index, label: labels.get(index), pixels })
            })
    }
}

impl Pixels {
    fn transpose(self, pixels: &[u8]) -> Vec<u8> {
        values::transpose(pixels, self.rows.into(), self.cols.into(), self.channels.into())
    }
}

impl std::fmt::Display for Pixels {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{} × {}", self.rows, self.cols)?;
        if self.channels == 1 { Ok(()) } else { write!(f, " × {}", self.channels) }
    }
}

/// The records of one file, opened when the first is asked for.
struct InStep {
    file: ArrayFile,
    records: Option<Records<Payload>>,
    read: u32,
}

impl InStep {
    fn new(file: ArrayFile) -> Self {
        Self { file, records: None, read: 0 }
    }

    fn open(&mut self) -> Result<&mut Records<Payload>, SourceError> {
        let records = if let Some(records) = self.records.take() {
            records
        } else {
            let records = self.file.records()?;
            if *records.header() != self.file.header {
                return Err(SourceError::unfit(&self.file.path, "has changed since it was opened"));
            }
            records
        };
        Ok(self.records.insert(records))
    }

    fn next_record(&mut self) -> Result<Option<Vec<u8>>, SourceError> {
        let record = self.open()?.next_record();
        self.read += 1;
        record.map_err(|e| SourceError::file(&self.file.path, e))
    }

    fn next_pixels(&mut self, range: Option<Range>) -> Result<Option<Vec<u8>>, SourceError> {
        let Some(record) = self.next_record()? else { return Ok(None) };
        let pixels = values::pixels(&self.file.header, record, range);
        pixels.map(Some).map_err(|problem| self.unfit(&problem))
    }

    /// What is wrong with the record that was read last.
    fn unfit(&self, problem: &str) -> SourceError {
        let record = format!("record {} {problem}", self.read - 1);
        SourceError::unfit(&self.file.path, record)
    }
}

/// The form of the images in a file, or why it holds none.
fn pixels(file: &ArrayFile, reading: &Reading) -> Result<Pixels, SourceError> {
    let Header { dtype, shape: Shape(dims), .. } = &file.header;
    let unfit = |problem: String| Err(SourceError::unfit(&file.path, problem));
    let (records, rows, cols, channels) = match *dims.as_slice() {
        [records, rows, cols] => (records, rows, cols, 1),
        [records, rows, cols, channels @ (1 | 3)] => (records, rows, cols, channels),
        [_] => {
            return unfit(
                "holds labels (1 dimension), but images are wanted (records × rows × columns): \
                 are the two files swapped?"
                    .to_owned(),
            );
        }
        _ => {
            return unfit(format!(
                "has {} dimensions ({}), but images have 3 (records × rows × columns), or 4 with 1 or \
                 3 channels",
                dims.len(),
                file.header.shape
            ));
        }
    };
    if file.header.dtype != array::Dtype::U8 && reading.range.is_none() {
        return unfit(format!(
            "holds {dtype} values; say which of them are black and white: source.range = [0, 1]"
        ));
    }
    if records == 0 {
        return unfit("holds no images".to_owned());
    }
    // JPEG (ITU-T T.81) counts rows and columns in 16 bits, from 1.
    match (u16::try_from(rows), u16::try_from(cols)) {
        (Ok(rows), Ok(cols)) if rows > 0 && cols > 0 => {
            Ok(Pixels { rows, cols, channels: if channels == 3 { 3 } else { 1 } })
        }
        _ => unfit(format!("its images are {rows} × {cols}; JPEG holds 1 to 65,535 each way")),
    }
}

/// Reads all labels of a part whose first image has index `first`.
fn read_labels(
    path: &Path,
    images: &ArrayFile,
    first: u32,
    reading: &Reading,
    into: &mut Labels,
) -> Result<(), SourceError> {
    let file = ArrayFile::open(path)?;
    let Header { dtype, shape: Shape(dims), .. } = &file.header;
    let unfit = |problem: String| Err(SourceError::unfit(path, problem));
    let columns = match *dims.as_slice() {
        [_] => 1,
        [_, columns] => columns,
        [_, _, _] => {
            return unfit(
                "holds images (3 dimensions), but labels are wanted: are the two files swapped?"
                    .to_owned(),
            );
        }
        _ => {
            let shape = &file.header.shape;
            return unfit(format!("has {} dimensions ({shape}), but labels have 1", dims.len()));
        }
    };
    if !dtype.is_integer() {
        return unfit(format!("holds {dtype} values; labels are whole numbers"));
    }
    let column = match reading.label_column {
        Some(column) if column < columns => column,
        None if columns == 1 => 0,
        _ => {
            return unfit(format!(
                "has {columns} columns ({}); say which is the class, from 0: source.label_column",
                file.header.shape
            ));
        }
    };
    let (n, m) = (images.header.records(), file.header.records());
    if n != m {
        let images = images.path.display();
        return unfit(format!("holds {m} labels, but {images} holds {n} images"));
    }
    let mut records = InStep::new(file);
    for index in first.. {
        let Some(record) = records.next_record()? else { break };
        let label = values::label(&records.file.header, &record, column)
            .map_err(|problem| records.unfit(&problem))?;
        if !reading.classes.allow(label) {
            return unfit(outside(index, label, &reading.classes));
        }
        into.push(label);
    }
    Ok(())
}

/// How often each label occurs in a file of labels, `n` or `n × 1` whole numbers; nothing for any other
/// file, nor for labels below zero.
///
/// # Errors
/// A file that cannot be read.
pub fn label_counts(file: &ArrayFile) -> Result<Option<BTreeMap<u32, u32>>, SourceError> {
    let Header { dtype, shape: Shape(dims), .. } = &file.header;
    if !dtype.is_integer() || !matches!(dims.as_slice(), [_] | [_, 1]) {
        return Ok(None);
    }
    let mut counts = BTreeMap::new();
    let mut records = InStep::new(file.clone());
    while let Some(record) = records.next_record()? {
        let Ok(label) = values::label(&file.header, &record, 0) else { return Ok(None) };
        *counts.entry(label).or_default() += 1;
    }
    Ok(Some(counts))
}

/// A list of classes that goes on after the highest label was written for other labels.
fn check_end(
    reading: &Reading,
    labels: &Labels,
    images: u64,
    files: &[Files],
) -> Result<(), SourceError> {
    let indices = 0..u32::try_from(images).unwrap_or(u32::MAX);
    let highest = indices.filter_map(|index| labels.get(index)).max();
    let wanted = reading.classes.numbers().last().filter(|_| reading.classes_end);
    let path = files.iter().find_map(|files| files.labels.as_deref());
    match (highest, wanted, path) {
        (Some(highest), Some(wanted), Some(path)) if highest < wanted => {
            let named = reading.classes.len();
            let problem = format!(
                "its highest label is {highest}, but source.classes names {named} classes, up to {wanted}"
            );
            Err(SourceError::unfit(path, problem))
        }
        _ => Ok(()),
    }
}

fn outside(index: u32, label: u32, classes: &Classes) -> String {
    let mut numbers = classes.numbers();
    let first = numbers.next().unwrap_or(0);
    let last = numbers.last().unwrap_or(first);
    format!("image {index} has the label {label}, but the classes are {first} to {last}")
}
