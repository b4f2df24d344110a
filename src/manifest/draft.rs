//! A manifest's file: written under a temporary name, published once the manifest is stored.

use std::io::{self, Write};
use std::path::{Path, PathBuf};
use std::sync::Arc;

use sha2::{Digest, Sha256};

use super::{Manifest, Row, RowWriter};
use crate::classes::Classes;
use crate::files::{Complete, Partial};

/// A manifest that is complete on the disk and not published yet. Dropped, it is removed.
#[derive(Debug)]
pub(crate) struct Written {
    /// Which one it is.
    pub manifest: Manifest,
    file: Complete,
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
    /// Where the file is until it is published.
    pub(crate) fn temporary(&self) -> &Path {
        self.file.temporary()
    }

    /// Gives the file its own name, in place of what an earlier run left there.
    ///
    /// # Errors
    /// When it cannot be renamed.
    pub(crate) fn publish(self) -> io::Result<PathBuf> {
        self.file.publish()
    }
}

/// A manifest being written. Dropped, it is removed.
pub(crate) struct Draft {
    manifest: Manifest,
    writer: RowWriter<Digesting<Partial>>,
}

impl Draft {
    /// Begins a manifest in `folder`.
    ///
    /// # Errors
    /// When the folder cannot be written.
    pub(crate) fn create(
        folder: &Path,
        manifest: Manifest,
        classes: Arc<Classes>,
    ) -> io::Result<Self> {
        let out = Digesting::new(Partial::create(&folder.join(manifest.local_name()))?);
        Ok(Self { manifest, writer: RowWriter::new(out, manifest, classes)? })
    }

    /// Adds a row, if it is one of this manifest's.
    ///
    /// # Errors
    /// When the file cannot be written.
    pub(crate) fn write(&mut self, row: &Row) -> io::Result<()> {
        self.writer.write(row)
    }

    /// Ends the file, which keeps its temporary name.
    ///
    /// # Errors
    /// When the file cannot be written.
    pub(crate) fn finish(self) -> io::Result<Written> {
        let (out, rows) = self.writer.finish()?;
        Ok(Written {
            manifest: self.manifest,
            file: out.out.complete()?,
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
    use std::fs;

    use super::*;
    use crate::manifest::Content;
    use crate::manifest::ManifestFormat;
    use crate::model::Partition;

    fn draft(folder: &Path, format: ManifestFormat) -> Draft {
        Draft::create(folder, Manifest { format, only: None }, Arc::default()).unwrap()
    }

    #[test]
    fn a_manifest_appears_when_it_is_published() {
        for format in ManifestFormat::built() {
            let dir = tempfile::tempdir().unwrap();
            let path = dir.path().join(format.file_name());
            fs::write(&path, "of an earlier run").unwrap();
            let mut draft = draft(dir.path(), format);
            for index in 0..1000 {
                let (name, partition) = (index.to_string(), Partition::Test);
                let url = format!("gs://b/{name}");
                let content = Some(Content { crc32c: index, size: 1 });
                draft.write(&Row { index, name, url, partition, label: Some(1), content }).unwrap();
            }
            assert_eq!(fs::read_to_string(&path).unwrap(), "of an earlier run");
            let written = draft.finish().unwrap();
            assert_eq!(fs::read_to_string(&path).unwrap(), "of an earlier run");
            let (rows, size, crc32c) = (written.rows, written.size, written.crc32c);
            let sha256 = written.sha256.clone();
            assert_eq!(written.publish().unwrap(), path);
            let bytes = fs::read(&path).unwrap();
            assert_eq!((rows, size), (1000, bytes.len() as u64));
            assert_eq!(crc32c, crc32c::crc32c(&bytes));
            assert_eq!(sha256, data_encoding::HEXLOWER.encode(&Sha256::digest(&bytes)));
            assert_eq!(fs::read_dir(dir.path()).unwrap().count(), 1);
        }
    }

    #[test]
    fn what_is_not_published_is_gone() {
        let dir = tempfile::tempdir().unwrap();
        drop(draft(dir.path(), ManifestFormat::Vertex));
        drop(draft(dir.path(), ManifestFormat::Vertex).finish().unwrap());
        assert_eq!(fs::read_dir(dir.path()).unwrap().count(), 0);
    }
}
