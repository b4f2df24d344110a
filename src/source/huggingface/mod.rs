//! Parquet files of images as Hugging Face's `datasets` writes them: each image a struct of the `bytes` of
//! a file and its `path`, each label a whole number, and the names of the classes in the file's metadata
//! (<https://huggingface.co/docs/hub/datasets-image>). JPEG and PNG files are passed on unchanged.

mod columns;

use std::fs::File;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use bytes::Bytes;
use parquet::column::reader::{ColumnReader, ColumnReaderImpl, get_typed_column_reader};
use parquet::data_type::{ByteArray, ByteArrayType, DataType};
use parquet::file::reader::{FileReader, SerializedFileReader};
use serde_json::Value;

use self::columns::{image_column, label_column};
use super::candidate::{Candidate, open_file};
use super::error::SourceError;
use super::labels::Labels;
use super::options::ReadOptions;
use super::{Images, Part, Source};
use crate::model::{Image, ImageFormat, Partition, Size};

/// The bytes that a Parquet file begins with.
const MAGIC: &[u8] = b"PAR1";

/// Values that are taken out of a page at a time.
const BATCH: usize = 64;

/// A data set in Parquet files.
#[derive(Debug)]
struct Parquet {
    parts: Vec<(Part, Table)>,
    labels: Arc<Labels>,
    class_names: Option<Vec<String>>,
    seen: Seen,
}

/// What reading all images has shown.
#[derive(Debug, Default)]
struct Seen {
    formats: Vec<ImageFormat>,
    /// The size of the first image.
    size: Option<Size>,
    /// Whether another one has another size.
    sizes_differ: bool,
    largest: u64,
}

/// A file, and which of its columns hold what.
#[derive(Clone)]
struct Table {
    path: PathBuf,
    file: Arc<SerializedFileReader<File>>,
    images: usize,
    labels: Option<usize>,
}

impl std::fmt::Debug for Table {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Table").field("path", &self.path).finish_non_exhaustive()
    }
}

/// Opens a Parquet file or a folder of them, which are read through: the format of each image decides its
/// name.
pub(super) fn open(
    candidate: &Candidate,
    options: &ReadOptions,
) -> Result<Option<Arc<dyn Source>>, SourceError> {
    let mut files = match candidate {
        Candidate::File { path, head } if head.starts_with(MAGIC) => {
            let name = path.file_name().map_or(path.as_path(), Path::new);
            vec![(partition(name).unwrap_or(Partition::Train), path.clone())]
        }
        Candidate::File { .. } => return Ok(None),
        Candidate::Folder { path, files } => {
            let tables =
                files.iter().filter(|file| file.extension().is_some_and(|e| e == "parquet"));
            let tables: Vec<_> = tables.collect();
            let only = tables.len() == 1;
            let named = tables.into_iter().map(|file| match partition(file) {
                Some(partition) => Ok((partition, path.join(file))),
                None if only => Ok((Partition::Train, path.join(file))),
                None => Err(SourceError::unfit(
                    &path.join(file),
                    "its name says no partition; begin it with train, validation or test",
                )),
            });
            named.collect::<Result<_, _>>()?
        }
    };
    if files.is_empty() {
        return Ok(None);
    }
    options.must_be_bytes(candidate.path())?;
    files.sort();
    let mut data = Parquet {
        parts: Vec::new(),
        labels: Arc::new(Labels::None),
        class_names: None,
        seen: Seen::default(),
    };
    let mut labels = Labels::None;
    for (partition, path) in files {
        let (table, names) = Table::open(path, options)?;
        let before = data.parts.last().map(|(_, before): &(Part, Table)| before);
        if before.is_some() && names != data.class_names {
            let problem = "its classes are not those of the file before it";
            return Err(SourceError::unfit(&table.path, problem));
        }
        if before.is_some_and(|before| before.labels.is_some() != table.labels.is_some()) {
            let problem = "of it and the file before it, only one has labels";
            return Err(SourceError::unfit(&table.path, problem));
        }
        data.class_names = names;
        let images = data.seen.read(&table)?;
        table.read_labels(&mut labels)?;
        data.parts.push((Part { partition, images, path: table.path.clone() }, table));
    }
    data.labels = Arc::new(labels);
    Ok(Some(Arc::new(data)))
}

/// The partition that a file's name begins with, as in `train-00000-of-00001.parquet`, or else that of
/// its folder, as in `train/0000.parquet`.
fn partition(file: &Path) -> Option<Partition> {
    let word = |name: &std::ffi::OsStr| {
        let name = name.to_str()?;
        Partition::from_word(name.split(['-', '_', '.']).next()?)
    };
    file.file_name().and_then(word).or_else(|| file.parent()?.file_name().and_then(word))
}

impl Seen {
    /// Reads all images of a file; how many there are.
    fn read(&mut self, table: &Table) -> Result<u32, SourceError> {
        let mut images = 0_u32;
        for image in TableImages::new(table.clone()) {
            let image = image?;
            let Image::Encoded { format, bytes } = &image else { continue };
            let size = format.size(bytes).map_err(|e| {
                table.unfit(images, &format!("has a {format} header that cannot be read: {e}"))
            })?;
            self.sizes_differ |= *self.size.get_or_insert(size) != size;
            self.largest = self.largest.max(bytes.len() as u64);
            self.formats.push(*format);
            images += 1;
        }
        Ok(images)
    }
}

impl Table {
    /// Opens a file and finds its columns; also the names of the classes, where it has them.
    fn open(
        path: PathBuf,
        options: &ReadOptions,
    ) -> Result<(Self, Option<Vec<String>>), SourceError> {
        let file = open_file(&path).map_err(|e| SourceError::unreadable(&path, e))?;
        let file =
            SerializedFileReader::new(file).map_err(|e| SourceError::unreadable(&path, e))?;
        let metadata = file.metadata().file_metadata();
        let pairs = metadata.key_value_metadata().into_iter().flatten();
        let text =
            pairs.filter(|pair| pair.key == "huggingface").find_map(|pair| pair.value.clone());
        let described: Option<Value> = text.and_then(|text| serde_json::from_str(&text).ok());
        let features = described.as_ref().and_then(|value| value.pointer("/info/features"));
        let schema = metadata.schema_descr();
        let images = image_column(schema, features, &path)?;
        let labels = label_column(schema, features, options, &path)?;
        let names =
            labels.as_ref().and_then(|(name, _)| features?.get(name)?.get("names")?.as_array());
        let names = names.map(|names| class_names(names, &path)).transpose()?;
        let labels = labels.map(|(_, column)| column);
        Ok((Self { path, file: Arc::new(file), images, labels }, names))
    }

    fn read_labels(&self, into: &mut Labels) -> Result<(), SourceError> {
        let Some(column) = self.labels else { return Ok(()) };
        let mut record = 0;
        for group in 0..self.file.num_row_groups() {
            match self.column(group, column)? {
                ColumnReader::Int32ColumnReader(mut reader) => {
                    self.each_label(column, &mut reader, &mut record, into)?;
                }
                ColumnReader::Int64ColumnReader(mut reader) => {
                    self.each_label(column, &mut reader, &mut record, into)?;
                }
                _ => unreachable!("the column was chosen for its type"),
            }
        }
        Ok(())
    }

    fn each_label<T: DataType>(
        &self,
        column: usize,
        reader: &mut ColumnReaderImpl<T>,
        record: &mut u32,
        into: &mut Labels,
    ) -> Result<(), SourceError>
    where
        T::T: Into<i64>,
    {
        loop {
            let batch = self.next_batch(column, reader, *record)?;
            if batch.is_empty() {
                return Ok(());
            }
            for label in batch {
                let label: i64 = label.into();
                // The highest value stands for no label.
                let Some(usable) = u32::try_from(label).ok().filter(|label| *label < u32::MAX)
                else {
                    let problem = format!("has the label {label}; labels are whole numbers from 0");
                    return Err(self.unfit(*record, &problem));
                };
                into.push(usable);
                *record += 1;
            }
        }
    }

    fn column(&self, group: usize, column: usize) -> Result<ColumnReader, SourceError> {
        let group = self.file.get_row_group(group);
        let reader = group.and_then(|group| group.get_column_reader(column));
        reader.map_err(|e| SourceError::unreadable(&self.path, e))
    }

    /// The next values of a column, none after the last of a row group. `record` is the number of the
    /// first in the file.
    fn next_batch<T: DataType>(
        &self,
        column: usize,
        reader: &mut ColumnReaderImpl<T>,
        record: u32,
    ) -> Result<Vec<T::T>, SourceError> {
        let defined = self.file.metadata().file_metadata().schema_descr().column(column);
        let (mut levels, mut values) = (Vec::new(), Vec::new());
        let read = reader.read_records(BATCH, Some(&mut levels), None, &mut values);
        read.map_err(|e| SourceError::unreadable(&self.path, e))?;
        // Below the highest level a value, or a struct around it, is null.
        let nulls = (record..).zip(&levels).filter(|(_, level)| **level < defined.max_def_level());
        match nulls.map(|(record, _)| record).next() {
            Some(record) => {
                let column = defined.path().string();
                Err(self.unfit(record, &format!("has no value in the column {column}")))
            }
            None => Ok(values),
        }
    }

    fn unfit(&self, record: u32, problem: &str) -> SourceError {
        SourceError::unfit_record(&self.path, record, problem)
    }
}

/// The images of a file in order.
struct TableImages {
    table: Table,
    /// The row group that is read next.
    group: usize,
    reader: Option<ColumnReaderImpl<ByteArrayType>>,
    /// Images that have been taken out of a page.
    batch: std::vec::IntoIter<ByteArray>,
    /// Images that have been handed out.
    read: u32,
}

impl TableImages {
    fn new(table: Table) -> Self {
        Self { table, group: 0, reader: None, batch: Vec::new().into_iter(), read: 0 }
    }

    /// The file of the next image; `None` after the last.
    fn next_file(&mut self) -> Result<Option<ByteArray>, SourceError> {
        loop {
            if let Some(file) = self.batch.next() {
                return Ok(Some(file));
            }
            if let Some(reader) = &mut self.reader {
                let batch = self.table.next_batch(self.table.images, reader, self.read)?;
                if !batch.is_empty() {
                    self.batch = batch.into_iter();
                    continue;
                }
            }
            if self.group == self.table.file.num_row_groups() {
                return Ok(None);
            }
            let reader = self.table.column(self.group, self.table.images)?;
            self.reader = Some(get_typed_column_reader(reader));
            self.group += 1;
        }
    }
}

impl Iterator for TableImages {
    type Item = Result<Image, SourceError>;

    fn next(&mut self) -> Option<Self::Item> {
        let file = match self.next_file() {
            Ok(file) => file?,
            Err(error) => return Some(Err(error)),
        };
        let record = self.read;
        self.read += 1;
        let Some(format) = ImageFormat::of(file.data()) else {
            let begins: Vec<_> = file.data().iter().take(4).map(|b| format!("{b:02x}")).collect();
            let problem = format!("is neither JPEG nor PNG: it begins with {}", begins.join(" "));
            return Some(Err(self.table.unfit(record, &problem)));
        };
        // A copy of its own, for the value is a slice of a page that would stay in memory with it.
        Some(Ok(Image::Encoded { format, bytes: Bytes::copy_from_slice(file.data()) }))
    }
}

impl Source for Parquet {
    fn parts(&self) -> Vec<Part> {
        self.parts.iter().map(|(part, _)| part.clone()).collect()
    }

    fn labels(&self) -> &Arc<Labels> {
        &self.labels
    }

    fn class_names(&self) -> Option<Vec<String>> {
        self.class_names.clone()
    }

    fn size(&self) -> Option<Size> {
        self.seen.size.filter(|_| !self.seen.sizes_differ)
    }

    fn format(&self, index: u32) -> Option<ImageFormat> {
        self.seen.formats.get(index as usize).copied()
    }

    fn largest_image(&self) -> u64 {
        self.seen.largest
    }

    fn images(&self) -> Images {
        let tables: Vec<_> = self.parts.iter().map(|(_, table)| table.clone()).collect();
        Box::new(tables.into_iter().flat_map(TableImages::new))
    }

    /// Opening has read all.
    fn prove(&self, _: &dyn Fn() -> bool) -> Result<(), SourceError> {
        Ok(())
    }
}

/// The names of the classes from label 0 on.
fn class_names(names: &[Value], path: &Path) -> Result<Vec<String>, SourceError> {
    let names = names.iter().enumerate().map(|(label, name)| match name {
        Value::String(name) => Ok(name.clone()),
        other => {
            let problem = format!("its class {label} has the name {other}, which is no text");
            Err(SourceError::unfit(path, problem))
        }
    });
    names.collect()
}

#[cfg(test)]
mod tests;
