//! Manifests: one row an image, in index order, LF, UTF-8. What each format has and who reads it
//! is in docs/manifests.md; `format.rs` has the fields of its rows.

mod content;
mod draft;
mod format;
mod recognise;
#[cfg(feature = "parquet")]
mod table;

use std::io::{self, Write};
use std::sync::Arc;

pub(crate) use self::content::{Content, Contents};
pub(crate) use self::draft::Digesting;
pub(crate) use self::draft::{Draft, Written};
pub use self::format::ManifestFormat;
use self::format::{COLUMNS, HuggingFaceLine, VertexLine};
use crate::classes::Classes;
use crate::model::Partition;
use crate::naming::Template;

/// One row before it takes a format.
#[derive(Debug, Clone)]
pub(crate) struct Row {
    /// The image's position in source order.
    pub index: u32,
    /// The object's name below the prefix.
    pub name: String,
    /// The object's full address.
    pub url: String,
    /// The image's partition.
    pub partition: Partition,
    /// The image's label.
    pub label: Option<u32>,
    /// Checksum and size of the object, where a format asks for them.
    pub content: Option<Content>,
}

impl Row {
    /// The name of the image's class as the data set has it.
    fn class<'a>(&self, classes: &'a Classes) -> Option<&'a str> {
        classes.name(self.label?)
    }

    fn content(&self) -> io::Result<Content> {
        let unknown = || io::Error::other(format!("{} has not been made", self.name));
        self.content.ok_or_else(unknown)
    }
}

/// One file with rows.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Manifest {
    /// Its format.
    pub format: ManifestFormat,
    /// It holds the rows of this partition alone, and lies in the folder of its images.
    pub only: Option<Partition>,
}

impl Manifest {
    /// The files that these formats take where images are named by `template`: one each, but for
    /// `imagefolder`. That takes folders called `train`, `validation` and `test` for splits, and then
    /// sees no `metadata.jsonl` but the one in each of them.
    ///
    /// # Errors
    /// What the template must be instead: one without a folder where a manifest goes; and for
    /// `imagefolder`, which takes what is called after a partition for a split and loses its labels, one
    /// with the partition first of all or not at all.
    pub fn all(formats: &[ManifestFormat], template: &Template) -> Result<Vec<Self>, String> {
        let files = formats.iter().map(|format| format.file_name());
        if let Some(file) = files.into_iter().find(|file| template.has_folder(file)) {
            return Err(format!("must be one without the folder {file:?}, a manifest's name"));
        }
        if formats.contains(&ManifestFormat::HuggingFace)
            && template.uses_partition()
            && !template.begins_with_partition()
        {
            return Err(
                "must be one that begins with {partition}/ or has no {partition}, for the \
                        manifest \"huggingface\""
                    .to_owned(),
            );
        }
        let parts = |format: &ManifestFormat| match format {
            ManifestFormat::HuggingFace if template.begins_with_partition() => {
                Partition::ALL.map(Some).to_vec()
            }
            _ => vec![None],
        };
        let files = |format| parts(format).into_iter().map(|only| Self { format: *format, only });
        Ok(formats.iter().flat_map(files).collect())
    }

    /// The files that any load may write.
    pub fn every() -> impl Iterator<Item = Self> {
        let split = Partition::ALL.map(Some).into_iter();
        let split = split.map(|only| Self { format: ManifestFormat::HuggingFace, only });
        ManifestFormat::ALL.into_iter().map(|format| Self { format, only: None }).chain(split)
    }

    /// The name below the prefix.
    pub fn object_name(self) -> String {
        let file = self.format.file_name();
        self.only.map_or_else(|| file.to_owned(), |partition| format!("{partition}/{file}"))
    }

    /// The name in the output folder.
    pub fn local_name(self) -> String {
        let file = self.format.file_name();
        self.only.map_or_else(|| file.to_owned(), |partition| format!("{partition}-{file}"))
    }

    /// Whether images of that partition are listed in it.
    pub fn lists(self, partition: Partition) -> bool {
        self.only.is_none_or(|only| only == partition)
    }
}

/// Writes rows in one format.
pub(crate) struct RowWriter<W: Write + Send> {
    out: Out<W>,
    manifest: Manifest,
    classes: Arc<Classes>,
    rows: u64,
}

enum Out<W: Write + Send> {
    /// Values between commas, quoted where RFC 4180 asks for it.
    Csv(Box<csv::Writer<W>>),
    /// A JSON object a line.
    Lines(W),
    #[cfg(feature = "parquet")]
    Parquet(Box<table::Table<W>>),
}

impl<W: Write + Send> RowWriter<W> {
    /// Begins a manifest.
    ///
    /// # Errors
    /// When the writer below fails, or this build cannot write the format.
    pub(crate) fn new(out: W, manifest: Manifest, classes: Arc<Classes>) -> io::Result<Self> {
        use ManifestFormat::{Automl, Csv, HuggingFace, Parquet, Vertex, VertexJsonl};
        let out = match manifest.format {
            Automl | Vertex | Csv => {
                let mut csv = csv::WriterBuilder::new().has_headers(false).from_writer(out);
                if manifest.format == Csv {
                    csv.write_record(COLUMNS)?;
                }
                Out::Csv(Box::new(csv))
            }
            VertexJsonl | HuggingFace => Out::Lines(out),
            #[cfg(feature = "parquet")]
            Parquet => Out::Parquet(Box::new(table::Table::new(out)?)),
            #[cfg(not(feature = "parquet"))]
            Parquet => return Err(io::ErrorKind::Unsupported.into()), // settings refuse it before
        };
        Ok(Self { out, manifest, classes, rows: 0 })
    }

    /// Adds a row, if it is one of this manifest's.
    ///
    /// # Errors
    /// When the writer below fails.
    pub(crate) fn write(&mut self, row: &Row) -> io::Result<()> {
        use ManifestFormat::{Automl, HuggingFace, Parquet, Vertex, VertexJsonl};
        if !self.manifest.lists(row.partition) {
            return Ok(());
        }
        self.rows += 1;
        let classes = &*self.classes;
        let format = self.manifest.format;
        match &mut self.out {
            Out::Csv(csv) => {
                match format {
                    Automl => record(csv, &format::automl(row)),
                    Vertex => record(csv, &format::vertex(row, classes)),
                    ManifestFormat::Csv => {
                        record(csv, &format::columns(row, row.content()?, classes))
                    }
                    VertexJsonl | HuggingFace | Parquet => unreachable!("{format} is no CSV"),
                }?;
            }
            Out::Lines(out) => {
                match format {
                    VertexJsonl => {
                        serde_json::to_writer(&mut *out, &VertexLine::new(row, classes))?;
                    }
                    HuggingFace => {
                        let line = self.manifest.hugging_face(row, classes);
                        serde_json::to_writer(&mut *out, &line)?;
                    }
                    Automl | Vertex | ManifestFormat::Csv | Parquet => {
                        unreachable!("{format} has no lines of JSON")
                    }
                }
                out.write_all(b"\n")?;
            }
            #[cfg(feature = "parquet")]
            Out::Parquet(table) => table.write(row, row.content()?, classes)?,
        }
        Ok(())
    }

    /// Ends the manifest: the writer below, and the number of rows.
    ///
    /// # Errors
    /// When the writer below fails.
    pub(crate) fn finish(self) -> io::Result<(W, u64)> {
        let out = match self.out {
            Out::Csv(csv) => csv.into_inner().map_err(csv::IntoInnerError::into_error)?,
            Out::Lines(out) => out,
            #[cfg(feature = "parquet")]
            Out::Parquet(table) => table.finish()?,
        };
        Ok((out, self.rows))
    }
}

impl Manifest {
    fn hugging_face<'a>(self, row: &'a Row, classes: &'a Classes) -> HuggingFaceLine<'a> {
        // From the file's own folder.
        let inside = self.only.and_then(|partition| {
            row.name.strip_prefix(partition.name()).and_then(|rest| rest.strip_prefix('/'))
        });
        HuggingFaceLine {
            file_name: inside.unwrap_or(&row.name),
            label: row.label,
            class: row.class(classes),
            partition: row.partition.name(),
        }
    }
}

fn record<W: Write, T: AsRef<str>>(csv: &mut csv::Writer<W>, fields: &[T]) -> csv::Result<()> {
    csv.write_record(fields.iter().map(|field| field.as_ref().as_bytes()))
}

#[cfg(test)]
mod tests;
