//! `images.parquet`: the columns of `images.csv`, each of its own type. The same rows make the same
//! bytes.

use std::io::{self, Write};
use std::sync::Arc;

use parquet::basic::{Compression, GzipLevel};
use parquet::data_type::{ByteArray, ByteArrayType, DataType, Int32Type, Int64Type};
use parquet::errors::ParquetError;
use parquet::file::properties::WriterProperties;
use parquet::file::writer::{SerializedFileWriter, SerializedRowGroupWriter};
use parquet::schema::parser::parse_message_type;
use parquet::schema::types::ColumnPath;

use super::{Content, Row};
use crate::classes::Classes;

/// Columns as in `images.csv`; a label and a class may be unknown.
const SCHEMA: &str = "message images {
    required int32 index (integer(32, false));
    required binary url (string);
    required binary partition (string);
    optional int32 label (integer(32, false));
    optional binary class (string);
    required binary crc32c (string);
    required int64 size (integer(64, true));
}";

/// Rows that are gathered before they are written: some 2 MB.
const GROUP: usize = 16_384;

/// Writes rows as a Parquet file.
pub(super) struct Table<W: Write + Send> {
    file: SerializedFileWriter<W>,
    group: Group,
}

/// The columns of a row group. A column that may lack values has a level a row: 1 for a value, 0 for
/// none.
#[derive(Default)]
struct Group {
    index: Vec<i32>,
    url: Vec<ByteArray>,
    partition: Vec<ByteArray>,
    label: Vec<i32>,
    label_levels: Vec<i16>,
    class: Vec<ByteArray>,
    class_levels: Vec<i16>,
    crc32c: Vec<ByteArray>,
    size: Vec<i64>,
}

impl<W: Write + Send> Table<W> {
    /// Begins a file.
    pub(super) fn new(out: W) -> io::Result<Self> {
        let mut properties = WriterProperties::builder()
            // Not the library's version: the bytes would change with it.
            .set_created_by("idx2gcs".to_owned())
            .set_compression(Compression::GZIP(GzipLevel::default()));
        // Values that hardly repeat need no dictionary.
        for column in ["index", "url", "crc32c", "size"] {
            properties = properties.set_column_dictionary_enabled(ColumnPath::from(column), false);
        }
        let schema = Arc::new(parse_message_type(SCHEMA).map_err(plain)?);
        let file = SerializedFileWriter::new(out, schema, Arc::new(properties.build()));
        Ok(Self { file: file.map_err(plain)?, group: Group::default() })
    }

    /// Adds a row.
    pub(super) fn write(
        &mut self,
        row: &Row,
        content: Content,
        classes: &Classes,
    ) -> io::Result<()> {
        let text = |text: &str| ByteArray::from(text.as_bytes().to_vec());
        let group = &mut self.group;
        let class = row.class(classes);
        group.index.push(row.index.cast_signed());
        group.url.push(text(&row.url));
        group.partition.push(text(row.partition.name()));
        group.label.extend(row.label.map(u32::cast_signed));
        group.label_levels.push(row.label.is_some().into());
        group.class.extend(class.map(text));
        group.class_levels.push(class.is_some().into());
        group.crc32c.push(text(&content.crc32c_text()));
        group.size.push(content.size.into());
        if group.index.len() == GROUP { self.write_group() } else { Ok(()) }
    }

    fn write_group(&mut self) -> io::Result<()> {
        let group = std::mem::take(&mut self.group);
        let mut out = self.file.next_row_group().map_err(plain)?;
        column::<Int32Type, W>(&mut out, &group.index, None)?;
        column::<ByteArrayType, W>(&mut out, &group.url, None)?;
        column::<ByteArrayType, W>(&mut out, &group.partition, None)?;
        column::<Int32Type, W>(&mut out, &group.label, Some(&group.label_levels))?;
        column::<ByteArrayType, W>(&mut out, &group.class, Some(&group.class_levels))?;
        column::<ByteArrayType, W>(&mut out, &group.crc32c, None)?;
        column::<Int64Type, W>(&mut out, &group.size, None)?;
        out.close().map(drop).map_err(plain)
    }

    /// Ends the file.
    pub(super) fn finish(mut self) -> io::Result<W> {
        if !self.group.index.is_empty() {
            self.write_group()?;
        }
        self.file.into_inner().map_err(plain)
    }
}

fn column<T: DataType, W: Write + Send>(
    group: &mut SerializedRowGroupWriter<'_, W>,
    values: &[T::T],
    levels: Option<&[i16]>,
) -> io::Result<()> {
    let column = group.next_column().map_err(plain)?;
    let mut column = column.ok_or_else(|| io::Error::other("a column more than the schema has"))?;
    column.typed::<T>().write_batch(values, levels, None).map_err(plain)?;
    column.close().map_err(plain)
}

/// The error of the writer below, if it is one, without the library's words around it.
fn plain(error: ParquetError) -> io::Error {
    match error {
        ParquetError::External(inner) => match inner.downcast::<io::Error>() {
            Ok(error) => *error,
            Err(other) => io::Error::other(other),
        },
        other => io::Error::other(other),
    }
}
