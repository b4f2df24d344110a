//! A source of arrays: each part is an array of images and, where images have labels, an array of labels
//! read in step.

mod array;
mod discover;
pub(super) mod header;
mod idx;
mod npy;
mod npz;
mod python;
mod records;
mod stream;
mod values;

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use self::array::ArrayReader;
use self::header::{Dtype, Header, Shape};
use super::error::SourceError;
use super::labels::Labels;
use super::options::{Files, LabelEncoding, Range, ReadOptions};
use super::{Images, Part, Source};
use crate::model::{Image, ImageFormat, Partition, Size};

pub use self::array::Array;
pub use self::discover::{array_names, array_of, folder_files, single_file};
pub(super) use self::discover::{complete, find_file, must_be_folder};
pub use self::records::{ArrayRecords, Payload};
pub use self::stream::records;

/// The unpacked bytes of a file, gzip (any number of members) or not.
///
/// # Errors
/// A file that cannot be opened or read.
pub fn payload(path: &Path) -> Result<Payload, SourceError> {
    stream::open(path).map(|(payload, _)| payload).map_err(|e| SourceError::file(path, e))
}

/// The arrays of one part.
#[derive(Debug, Clone)]
pub(super) struct ArrayPart {
    /// What the images are for.
    pub(super) partition: Partition,
    /// `n × rows × cols` or `n × rows × cols × channels` values.
    pub(super) images: Array,
    /// `n` or `n × columns` whole numbers.
    pub(super) labels: Option<Array>,
}

/// Arrays of images of one size, with their labels.
#[derive(Debug)]
pub(super) struct Arrays {
    parts: Vec<(Part, Array)>,
    labels: Arc<Labels>,
    options: ReadOptions,
    /// The size of the stored images, before rows and columns are exchanged.
    stored: Size,
}

impl Arrays {
    /// Opens the files of each part and checks all that can be checked without unpacking images.
    ///
    /// # Errors
    /// The first file that is missing, damaged or does not fit the others.
    pub(super) fn open(files: &[Files], options: &ReadOptions) -> Result<Self, SourceError> {
        let parts = files.iter().map(|Files { partition, images, labels }| {
            let images = Array::open(images)?;
            let labels = labels.as_deref().map(Array::open).transpose()?;
            Ok(ArrayPart { partition: *partition, images, labels })
        });
        Self::new(parts.collect::<Result<_, SourceError>>()?, options)
    }

    /// Checks that the arrays fit each other, and reads the labels.
    ///
    /// # Errors
    /// The first array that does not fit the others, or holds no images or labels.
    pub(super) fn new(arrays: Vec<ArrayPart>, options: &ReadOptions) -> Result<Self, SourceError> {
        let mut parts: Vec<(Part, Array)> = Vec::with_capacity(arrays.len());
        let mut all_labels = Labels::None;
        let mut first: Option<(Size, PathBuf)> = None;
        for ArrayPart { partition, images, labels } in arrays {
            let size = size_of(&images, options)?;
            let (expected, path) = first.get_or_insert_with(|| (size, images.path.clone()));
            if size != *expected {
                let path = path.display();
                let problem = format!("its images are {size}, those of {path} are {expected}");
                return Err(SourceError::unfit(&images.path, problem));
            }
            let path = labels.as_ref().map_or_else(|| &images.path, |labels| &labels.path).clone();
            if let Some(labels) = labels {
                if !parts.is_empty() && all_labels == Labels::None {
                    let problem =
                        "the parts before it have no labels; give all parts labels, or none";
                    return Err(SourceError::unfit(&path, problem));
                }
                read_labels(labels, &images, options, &mut all_labels)?;
            } else if all_labels != Labels::None {
                let problem = "it has no labels, but the parts before it have some; give all parts \
                               labels, or none";
                return Err(SourceError::unfit(&path, problem));
            } else {
                // No label vouches for the number of images, and memory follows from it.
                images.prove(&|| false)?;
            }
            parts.push((Part { partition, images: images.header.records(), path }, images));
        }
        let (stored, _) = first.ok_or(SourceError::Empty)?;
        Ok(Self { parts, labels: Arc::new(all_labels), options: options.clone(), stored })
    }

    fn transposed(&self) -> bool {
        self.options.transposed.unwrap_or(false)
    }

    fn upright(&self) -> Size {
        let Size { rows, cols, channels } = self.stored;
        if self.transposed() { Size { rows: cols, cols: rows, channels } } else { self.stored }
    }
}

impl Source for Arrays {
    fn parts(&self) -> Vec<Part> {
        self.parts.iter().map(|(part, _)| part.clone()).collect()
    }

    fn labels(&self) -> &Arc<Labels> {
        &self.labels
    }

    fn size(&self) -> Option<Size> {
        Some(self.upright())
    }

    fn format(&self, _: u32) -> Option<ImageFormat> {
        None
    }

    fn largest_image(&self) -> u64 {
        self.stored.bytes()
    }

    fn images(&self) -> Images {
        let (stored, size, options) = (self.stored, self.upright(), &self.options);
        let (transposed, range) = (self.transposed(), options.range);
        let arrays: Vec<_> = self.parts.iter().map(|(_, array)| array.clone()).collect();
        Box::new(arrays.into_iter().flat_map(move |array| {
            let range = range.or_else(|| own_range(array.header.dtype));
            let mut reader = ArrayReader::new(array);
            std::iter::from_fn(move || {
                let pixels = reader.next_pixels(range).transpose()?;
                Some(pixels.map(|pixels| {
                    let pixels =
                        if transposed { values::transpose(&pixels, stored) } else { pixels };
                    Image::Raw { size, pixels }
                }))
            })
        }))
    }

    fn prove(&self, stopped: &dyn Fn() -> bool) -> Result<(), SourceError> {
        self.parts.iter().try_for_each(|(_, images)| images.prove(stopped))
    }
}

/// Opens a folder with the files of MNIST, or a file of arrays.
///
/// # Errors
/// A folder without them, a file that holds no arrays, and arrays that do not fit each other.
pub(super) fn open(path: &Path, options: &ReadOptions) -> Result<Arc<dyn Source>, SourceError> {
    let is_array = stream::member_of(path).1.is_some();
    let files = if path.is_file() || is_array { single_file(path)? } else { folder_files(path)? };
    Ok(Arc::new(Arrays::open(&files, options)?))
}

/// The values that are black and white in arrays of this type, where that needs no saying.
fn own_range(dtype: Dtype) -> Option<Range> {
    (dtype == Dtype::Bool).then_some(Range { black: 0.0, white: 1.0 })
}

/// The size of the images in an array, or why it holds none.
fn size_of(file: &Array, options: &ReadOptions) -> Result<Size, SourceError> {
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
                 3 channels{}",
                dims.len(),
                file.header.shape,
                remedy(dims)
            ));
        }
    };
    if ![Dtype::U8, Dtype::Bool].contains(dtype) && options.range.is_none() {
        return unfit(format!(
            "holds {dtype} values; say which of them are black and white: source.range = [0, 1]"
        ));
    }
    if records == 0 {
        return unfit("holds no images".to_owned());
    }
    // JPEG (ITU-T T.81) counts rows and columns in 16 bits, from 1.
    if [rows, cols].iter().any(|side| !(1..=u16::MAX.into()).contains(side)) {
        return unfit(format!("its images are {rows} × {cols}; JPEG holds 1 to 65,535 each way"));
    }
    Ok(Size { rows, cols, channels: if channels == 3 { 3 } else { 1 } })
}

/// What makes images of an array of these dimensions, if anything does.
fn remedy(dims: &[u32]) -> String {
    let squares = |pixels: u32| pixels.isqrt().pow(2) == pixels;
    match *dims {
        [_, pixels] if squares(pixels) => {
            let side = pixels.isqrt();
            format!(
                "; a row for each image becomes {side} × {side} pixels by reshape(-1, {side}, {side})"
            )
        }
        [_, values] if values % 3 == 0 && squares(values / 3) => {
            let side = (values / 3).isqrt();
            format!(
                "; a row for each image in colour becomes one by reshape(-1, {side}, {side}, 3)"
            )
        }
        [_, _] => "; a row for each image becomes one by reshape(-1, rows, columns)".to_owned(),
        [_, 1 | 3, _, _] => {
            "; channels come last: transpose(0, 2, 3, 1) puts them there".to_owned()
        }
        [_, _, _, 4] => "; without transparency they have 3: array[..., :3]".to_owned(),
        [_, _, _, 2] => "; one of the two is array[..., 0]".to_owned(),
        [_, _, _, _] | [_, _, _, _, 1] => {
            "; the slices of volumes become images by reshape(-1, rows, columns)".to_owned()
        }
        _ => String::new(),
    }
}

/// Reads all labels of a part.
fn read_labels(
    file: Array,
    images: &Array,
    options: &ReadOptions,
    into: &mut Labels,
) -> Result<(), SourceError> {
    let Header { dtype, shape: Shape(dims), .. } = &file.header;
    let unfit = |problem: String| Err(SourceError::unfit(&file.path, problem));
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
    let one_hot = options.label_encoding == LabelEncoding::OneHot;
    if !one_hot && options.label_column.is_none() && columns > 2 && is_one_hot(&file)? {
        return unfit(format!(
            "looks one-hot ({}): source.label_encoding = \"one-hot\" reads it",
            file.header.shape
        ));
    }
    if !dtype.is_integer() && !one_hot {
        return unfit(format!("holds {dtype} values; labels are whole numbers"));
    }
    let column = match options.label_column {
        _ if one_hot => 0,
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
    let mut reader = ArrayReader::new(file);
    let mut next = || if one_hot { reader.next_one_hot() } else { reader.next_label(column) };
    while let Some(label) = next()? {
        into.push(label);
    }
    Ok(())
}

/// Whether each record of an array has one 1 among zeros.
fn is_one_hot(file: &Array) -> Result<bool, SourceError> {
    let mut reader = ArrayReader::new(file.clone());
    while let Some(record) = reader.next_record()? {
        if values::one_hot(&file.header, &record).is_err() {
            return Ok(false);
        }
    }
    Ok(file.header.records() > 0)
}

/// How often each label occurs in a file of labels, `n` or `n × 1` whole numbers; nothing for any other
/// file, nor for labels below zero.
///
/// # Errors
/// A file that cannot be read.
pub fn label_counts(file: &Array) -> Result<Option<BTreeMap<u32, u32>>, SourceError> {
    let Header { dtype, shape: Shape(dims), .. } = &file.header;
    if !dtype.is_integer() || !matches!(dims.as_slice(), [_] | [_, 1]) {
        return Ok(None);
    }
    let mut counts = BTreeMap::new();
    let mut reader = ArrayReader::new(file.clone());
    while let Some(record) = reader.next_record()? {
        let Ok(label) = values::label(&file.header, &record, 0) else { return Ok(None) };
        *counts.entry(label).or_default() += 1;
    }
    Ok(Some(counts))
}

#[cfg(test)]
mod tests;
