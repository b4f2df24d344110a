//! Import files: one row an image, in index order, no header, LF, UTF-8.

use std::borrow::Cow;
use std::fs::{self, File};
use std::io::{self, BufWriter, Write};
use std::path::{Path, PathBuf};
use std::sync::Arc;

use sha2::{Digest, Sha256};

use crate::classes::Classes;
use crate::config::ManifestFormat;
use crate::split::Partition;

/// One row before it takes a format.
#[derive(Debug, Clone)]
pub struct Row {
    /// The object's full address.
    pub url: String,
    /// The image's partition.
    pub partition: Partition,
    /// The image's label.
    pub label: Option<u32>,
}

impl ManifestFormat {
    /// The name as settings and the summary have it.
    pub fn name(self) -> &'static str {
        match self {
            Self::Automl => "automl",
            Self::Vertex => "vertex",
        }
    }

    /// The name of the file, locally and below the prefix.
    pub fn file_name(self) -> &'static str {
        match self {
            Self::Automl => "automl.csv",
            Self::Vertex => "vertex.csv",
        }
    }

    /// The fields of a row: `TRAIN,gs://…,9` for AutoML Vision, `training,gs://…,Ankle_boot` for
    /// Vertex AI, without the last where images have no labels
    /// (<https://cloud.google.com/vertex-ai/docs/image-data/classification/prepare-data>).
    pub fn fields<'a>(self, row: &'a Row, classes: &'a Classes) -> Vec<Cow<'a, str>> {
        let part = match (self, row.partition) {
            (Self::Automl, Partition::Train) => "TRAIN",
            (Self::Automl, Partition::Validation) => "VALIDATION",
            (Self::Automl, Partition::Test) => "TEST",
            (Self::Vertex, Partition::Train) => "training",
            (Self::Vertex, Partition::Validation) => "validation",
            (Self::Vertex, Partition::Test) => "test",
        };
        let label = row.label.map(|label| match self {
            Self::Automl => label.to_string().into(),
            Self::Vertex => classes.label(label),
        });
        [part.into(), row.url.as_str().into()].into_iter().chain(label).collect()
    }
}

/// A manifest that lies whole on disk, not yet under its own name. Dropped, it is removed.
#[derive(Debug)]
pub struct Written {
    partial: Partial,
    /// Where it belongs.
    path: PathBuf,
    /// Rows.
    pub rows: u64,
    /// Bytes.
    pub size: u64,
    /// CRC32C of the file.
    pub crc32c: u32,
    /// SHA-256 of the file, in lower-case hex.
    pub sha256: String,
}

impl Written {
    /// Where it lies now.
    pub fn partial(&self) -> &Path {
        &self.partial.0
    }

    /// Gives the file its own name, in place of what an earlier run left there.
    ///
    /// # Errors
    /// When it cannot be renamed.
    pub fn publish(&self) -> io::Result<&Path> {
        fs::rename(&self.partial.0, &self.path)?;
        Ok(&self.path)
    }
}

/// Where a manifest is written before it is whole.
pub(crate) fn partial_path(folder: &Path, format: ManifestFormat) -> PathBuf {
    folder.join(format!("{}.partial", format.file_name()))
}

/// A file under a name that is not its own. Dropped, it is removed.
#[derive(Debug)]
struct Partial(PathBuf);

impl Drop for Partial {
    fn drop(&mut self) {
        // After a publication there is nothing left to remove.
        let _ = fs::remove_file(&self.0);
    }
}

/// Writes rows as CSV, quoting where RFC 4180 asks for it.
pub struct CsvWriter<W: Write> {
    csv: csv::Writer<W>,
    format: ManifestFormat,
    classes: Arc<Classes>,
    rows: u64,
}

impl<W: Write> CsvWriter<W> {
    /// Begins a manifest.
    pub fn new(out: W, format: ManifestFormat, classes: Arc<Classes>) -> Self {
        let csv = csv::WriterBuilder::new().has_headers(false).from_writer(out);
        Self { csv, format, classes, rows: 0 }
    }

    /// Adds a row.
    ///
    /// # Errors
    /// When the writer below fails.
    pub fn write(&mut self, row: &Row) -> io::Result<()> {
        self.rows += 1;
        let fields = self.format.fields(row, &self.classes);
        Ok(self.csv.write_record(fields.iter().map(|field| field.as_bytes()))?)
    }

    /// Ends the manifest: the writer below, and the number of rows.
    ///
    /// # Errors
    /// When the writer below fails.
    pub fn finish(self) -> io::Result<(W, u64)> {
        let out = self.csv.into_inner().map_err(csv::IntoInnerError::into_error)?;
        Ok((out, self.rows))
    }
}

/// A manifest being written beside its final place, which it takes only when it is whole.
pub struct Draft {
    writer: CsvWriter<Digesting<BufWriter<File>>>,
    partial: Partial,
    path: PathBuf,
}

impl Draft {
    /// Begins a manifest in `folder`.
    ///
    /// # Errors
    /// When the folder cannot be written.
    pub fn create(
        folder: &Path,
        format: ManifestFormat,
        classes: Arc<Classes>,
    ) -> io::Result<Self> {
        let path = folder.join(format.file_name());
        let partial = Partial(partial_path(folder, format));
        let out = Digesting::new(BufWriter::new(File::create(&partial.0)?));
        Ok(Self { writer: CsvWriter::new(out, format, classes), partial, path })
    }

    /// Adds a row.
    ///
    /// # Errors
    /// When the file cannot be written.
    pub fn write(&mut self, row: &Row) -> io::Result<()> {
        self.writer.write(row)
    }

    /// Ends the file, which keeps its partial name.
    ///
    /// # Errors
    /// When the file cannot be written.
    pub fn finish(self) -> io::Result<Written> {
        let (mut out, rows) = self.writer.finish()?;
        out.flush()?;
        Ok(Written {
            partial: self.partial,
            path: self.path,
            rows,
            size: out.size,
            crc32c: out.crc32c,
            sha256: data_encoding::HEXLOWER.encode(&out.sha256.finalize()),
        })
    }
}

/// Passes bytes on and keeps their checksums.
pub(crate) struct Digesting<W> {
    out: W,
    /// Bytes so far.
    pub(crate) size: u64,
    /// Their CRC32C.
    pub(crate) crc32c: u32,
    sha256: Sha256,
}

impl<W> Digesting<W> {
    pub(crate) fn new(out: W) -> Self {
        Self { out, size: 0, crc32c: 0, sha256: Sha256::new() }
    }
}

impl<W: Write> Write for Digesting<W> {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        let n = self.out.write(bytes)?;
        let written = bytes.get(..n).unwrap_or_default();
        self.size += n as u64;
        self.crc32c = crc32c::crc32c_append(self.crc32c, written);
        self.sha256.update(written);
        Ok(n)
    }

    fn flush(&mut self) -> io::Result<()> {
        self.out.flush()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn classes() -> Arc<Classes> {
        let names = ["T-shirt/top", "Trouser"].map(str::to_owned);
        Arc::new(Classes::new(names.into(), 0).unwrap())
    }

    fn row(url: &str, partition: Partition, label: u32) -> Row {
        Row { url: url.to_owned(), partition, label: Some(label) }
    }

    #[test]
    fn rows_are_as_each_importer_reads_them() {
        for (format, text) in [
            (
                ManifestFormat::Automl,
                "TRAIN,gs://b/0.jpg,0\nVALIDATION,\"gs://b/a,b.jpg\",1\nTEST,gs://b/2.jpg,7\n",
            ),
            (
                ManifestFormat::Vertex,
                "training,gs://b/0.jpg,T_shirt_top\nvalidation,\"gs://b/a,b.jpg\",Trouser\n\
                 test,gs://b/2.jpg,class_7\n",
            ),
        ] {
            let mut writer = CsvWriter::new(Vec::new(), format, classes());
            writer.write(&row("gs://b/0.jpg", Partition::Train, 0)).unwrap();
            writer.write(&row("gs://b/a,b.jpg", Partition::Validation, 1)).unwrap();
            writer.write(&row("gs://b/2.jpg", Partition::Test, 7)).unwrap();
            let (bytes, rows) = writer.finish().unwrap();
            assert_eq!((String::from_utf8(bytes).unwrap().as_str(), rows), (text, 3));
        }
    }

    #[test]
    fn a_draft_takes_its_place_when_whole() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("automl.csv");
        fs::write(&path, "of an earlier run").unwrap();
        let mut draft = Draft::create(dir.path(), ManifestFormat::Automl, classes()).unwrap();
        for i in 0..1000 {
            draft.write(&row(&format!("gs://b/{i}"), Partition::Test, 1)).unwrap();
        }
        assert_eq!(fs::read_to_string(&path).unwrap(), "of an earlier run");
        let written = draft.finish().unwrap();
        assert_eq!(fs::read_to_string(&path).unwrap(), "of an earlier run");
        assert_eq!(written.publish().unwrap(), path);
        let bytes = fs::read(&path).unwrap();
        assert_eq!((written.rows, written.size), (1000, bytes.len() as u64));
        assert_eq!(written.crc32c, crc32c::crc32c(&bytes));
        assert_eq!(written.sha256, data_encoding::HEXLOWER.encode(&Sha256::digest(&bytes)));
        drop(written);
        assert_eq!(fs::read_dir(dir.path()).unwrap().count(), 1);
        drop(Draft::create(dir.path(), ManifestFormat::Vertex, classes()).unwrap());
        drop(Draft::create(dir.path(), ManifestFormat::Vertex, classes()).unwrap().finish());
        assert_eq!(fs::read_dir(dir.path()).unwrap().count(), 1, "unpublished, it is gone");
    }
}
