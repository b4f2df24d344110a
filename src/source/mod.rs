//! Data sets: where their files lie, what they hold, and their records in order.
//!
//! A data set is a list of parts, each a file of images and a file of labels read in step.
//! `index` counts through all parts: the training part first, then the test part.

mod catalogue;
mod fetch;
mod file;
pub mod idx;
mod locate;

use std::path::{Path, PathBuf};

pub use catalogue::{Archive, Catalogue, Entry, EntryFile, EntryPart};
pub use fetch::{FetchProgress, fetch};
pub use file::{IdxFile, Payload, payload};
use idx::{Dtype, IdxError, Records, Shape};
pub use locate::{cache_folder, entry_files, find, folder_files};

/// Which part of the original data set a file belongs to.
#[derive(Debug, Clone, Copy, PartialEq, Eq, serde::Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Part {
    /// The part that is split into train and validation.
    Training,
    /// The part that stays the test partition.
    Test,
}

/// What is wrong with a source. Exit code 3.
#[derive(Debug, thiserror::Error)]
pub enum SourceError {
    /// One file is not what it should be.
    #[error("{}: {problem}", path.display())]
    File {
        /// The file.
        path: PathBuf,
        /// What is wrong with it.
        problem: IdxError,
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
    fn file(path: &Path, problem: IdxError) -> Self {
        Self::File { path: path.to_owned(), problem }
    }

    fn unfit(path: &Path, problem: impl Into<String>) -> Self {
        Self::Unfit { path: path.to_owned(), problem: problem.into() }
    }
}

/// One image with its label.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Record {
    /// Position in source order, from 0.
    pub index: u32,
    /// The label as the file has it.
    pub label: u8,
    /// `rows × cols` bytes, row-major, 0 black.
    pub pixels: Vec<u8>,
}

/// The two files of a part, images and labels of the same count.
#[derive(Debug, Clone)]
struct Pair {
    part: Part,
    images: IdxFile,
    labels: IdxFile,
}

/// A data set that has been opened: headers, lengths of plain files, and counts agree.
#[derive(Debug, Clone)]
pub struct DataSet {
    pairs: Vec<Pair>,
    /// Height of every image in pixels.
    pub rows: u16,
    /// Width of every image in pixels.
    pub cols: u16,
    /// Names of the classes by label, where known.
    pub classes: Vec<String>,
}

impl DataSet {
    /// Opens the files of each part and checks all that can be checked without unpacking them, the
    /// labels excepted, which are small.
    ///
    /// # Errors
    /// The first file that is missing, damaged or does not fit the others.
    pub fn open(
        files: &[(Part, PathBuf, PathBuf)],
        classes: Vec<String>,
    ) -> Result<Self, SourceError> {
        let mut pairs = Vec::with_capacity(files.len());
        let mut size = None;
        let mut total = 0_u64;
        for (part, images, labels) in files {
            let images = IdxFile::open(images)?;
            let this = image_size(&images)?;
            let first = *size.get_or_insert(this);
            if this != first {
                return Err(SourceError::unfit(
                    &images.path,
                    format!(
                        "its images are {} × {}, those of the part before {} × {}",
                        this.0, this.1, first.0, first.1
                    ),
                ));
            }
            let labels = IdxFile::open(labels)?;
            check_labels(&labels)?;
            labels.prove(&|| false)?;
            let (n, m) = (images.header.records(), labels.header.records());
            if n != m {
                return Err(SourceError::unfit(
                    &labels.path,
                    format!("holds {m} labels, but {} holds {n} images", images.path.display()),
                ));
            }
            total += u64::from(n);
            if total > u64::from(u32::MAX) {
                return Err(SourceError::unfit(
                    &images.path,
                    "the data set holds more than 4,294,967,295 images",
                ));
            }
            pairs.push(Pair { part: *part, images, labels });
        }
        let (rows, cols) =
            size.ok_or_else(|| SourceError::NotFound("the data set has no files".to_owned()))?;
        Ok(Self { pairs, rows, cols, classes })
    }

    /// Proves that packed images are whole, which takes unpacking them once. Ends early, proving
    /// nothing, once `stopped` says so.
    ///
    /// # Errors
    /// The first file that is damaged, or shorter or longer than it says.
    pub fn prove(&self, stopped: &dyn Fn() -> bool) -> Result<(), SourceError> {
        self.pairs.iter().try_for_each(|pair| pair.images.prove(stopped))
    }

    /// Images in the training part.
    pub fn training(&self) -> u32 {
        self.count(Part::Training)
    }

    /// Images in the test part.
    pub fn test(&self) -> u32 {
        self.count(Part::Test)
    }

    /// Images in all parts.
    pub fn images(&self) -> u32 {
        self.training() + self.test()
    }

    fn count(&self, part: Part) -> u32 {
        self.pairs.iter().filter(|p| p.part == part).map(|p| p.images.header.records()).sum()
    }

    /// Bytes of one record's pixels.
    pub fn record_len(&self) -> usize {
        usize::from(self.rows) * usize::from(self.cols)
    }

    /// All records in order, decoded as they are asked for.
    pub fn records(&self) -> impl Iterator<Item = Result<Record, SourceError>> + use<> {
        let pairs = self.pairs.clone();
        numbered(pairs.into_iter().flat_map(|pair| {
            let mut images = InStep::new(pair.images);
            let mut labels = InStep::new(pair.labels);
            std::iter::from_fn(move || match (images.next(), labels.next()) {
                (None, None) => None,
                (Some(Err(e)), _) | (_, Some(Err(e))) => Some(Err(e)),
                (Some(Ok(pixels)), Some(Ok(label))) => Some(Ok((label, pixels))),
                // Counts were compared at the start: one of the files has changed since.
                (None, Some(Ok(_))) => Some(Err(images.changed())),
                (Some(Ok(_)), None) => Some(Err(labels.changed())),
            })
        }))
        .map(|item| {
            item.map(|(index, (label, pixels))| Record {
                index,
                label: label.first().copied().unwrap_or_default(),
                pixels,
            })
        })
    }

    /// All labels in order, without decoding an image.
    pub fn labels(&self) -> impl Iterator<Item = Result<(u32, u8), SourceError>> + use<> {
        let pairs = self.pairs.clone();
        numbered(pairs.into_iter().flat_map(|pair| InStep::new(pair.labels)))
            .map(|item| item.map(|(index, label)| (index, label.first().copied().unwrap_or(0))))
    }
}

/// Counts items from 0; nothing follows an error.
fn numbered<T>(
    items: impl Iterator<Item = Result<T, SourceError>>,
) -> impl Iterator<Item = Result<(u32, T), SourceError>> {
    let mut failed = false;
    (0..)
        .zip(items)
        .take_while(move |(_, item)| !std::mem::replace(&mut failed, item.is_err()))
        .map(|(index, item)| item.map(|value| (index, value)))
}

/// The records of one file, opened when the first is asked for.
struct InStep {
    file: IdxFile,
    records: Option<Records<Payload>>,
}

impl InStep {
    fn new(file: IdxFile) -> Self {
        Self { file, records: None }
    }

    fn changed(&self) -> SourceError {
        SourceError::unfit(&self.file.path, "has become shorter since it was opened")
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
}

impl Iterator for InStep {
    type Item = Result<Vec<u8>, SourceError>;

    fn next(&mut self) -> Option<Self::Item> {
        let next = match self.open() {
            Ok(records) => records.next_record(),
            Err(e) => return Some(Err(e)),
        };
        next.map_err(|e| SourceError::file(&self.file.path, e)).transpose()
    }
}

/// `(rows, cols)` of an image file, or why it is none.
fn image_size(file: &IdxFile) -> Result<(u16, u16), SourceError> {
    let Shape(dims) = &file.header.shape;
    let unfit = |problem: String| Err(SourceError::unfit(&file.path, problem));
    let &[records, rows, cols] = dims.as_slice() else {
        return unfit(match dims.len() {
            1 => "holds labels (1 dimension), but images are wanted (records × rows × columns): \
                  are the two files swapped?"
                .to_owned(),
            n => format!(
                "has {n} dimensions ({}), but images have 3 (records × rows × columns)",
                file.header.shape
            ),
        });
    };
    if file.header.dtype != Dtype::U8 {
        return unfit(format!("holds {} values; images of u8 are supported", file.header.dtype));
    }
    if records == 0 {
        return unfit("holds no images".to_owned());
    }
    // JPEG (ITU-T T.81) counts rows and columns in 16 bits, from 1.
    match (u16::try_from(rows), u16::try_from(cols)) {
        (Ok(rows), Ok(cols)) if rows > 0 && cols > 0 => Ok((rows, cols)),
        _ => unfit(format!("its images are {rows} × {cols}; JPEG holds 1 to 65,535 each way")),
    }
}

fn check_labels(file: &IdxFile) -> Result<(), SourceError> {
    let unfit = |problem: String| Err(SourceError::unfit(&file.path, problem));
    match file.header.shape.0.len() {
        1 if file.header.dtype == Dtype::U8 => Ok(()),
        1 => unfit(format!("holds {} values; labels of u8 are supported", file.header.dtype)),
        3 => unfit(
            "holds images (3 dimensions), but labels are wanted: are the two files swapped?"
                .to_owned(),
        ),
        n => unfit(format!("has {n} dimensions ({}), but labels have 1", file.header.shape)),
    }
}
