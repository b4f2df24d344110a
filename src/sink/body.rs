//! What an object consists of.

use std::fs::File;
use std::io::{self, Read, Seek, SeekFrom};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering::Relaxed};

use bytes::Bytes;

/// The content of an object.
#[derive(Debug, Clone)]
pub enum Body {
    /// Bytes in memory: an image.
    Bytes(Bytes),
    /// A file on disk: a manifest.
    File(FileBody),
}

impl Body {
    /// The file at a path, of so many bytes.
    pub fn file(path: PathBuf, size: u64) -> Self {
        Self::File(FileBody { path, size, progress: Arc::default() })
    }

    /// Bytes of the body.
    pub fn size(&self) -> u64 {
        match self {
            Self::Bytes(bytes) => bytes.len() as u64,
            Self::File(file) => file.size,
        }
    }
}

/// A file of a known size, and how far it has been stored. Clones share that, so that whoever waits for
/// a file to be stored sees whether anything still moves.
#[derive(Debug, Clone)]
pub struct FileBody {
    path: PathBuf,
    size: u64,
    progress: Arc<Progress>,
}

#[derive(Debug, Default)]
struct Progress {
    steps: AtomicU64,
    furthest: AtomicU64,
}

impl FileBody {
    /// Where it is.
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// Its bytes.
    pub fn size(&self) -> u64 {
        self.size
    }

    /// Notes that so many bytes, from the first on, are where they belong.
    pub fn stored(&self, bytes: u64) {
        self.progress.steps.fetch_add(1, Relaxed);
        self.progress.furthest.fetch_max(bytes, Relaxed);
    }

    /// How often progress was noted.
    pub(super) fn steps(&self) -> u64 {
        self.progress.steps.load(Relaxed)
    }

    /// The most bytes that any attempt has stored.
    pub(super) fn furthest(&self) -> u64 {
        self.progress.furthest.load(Relaxed)
    }

    /// Opens it. Blocks.
    ///
    /// # Errors
    /// When it cannot be read.
    pub fn open(&self) -> io::Result<FileReader> {
        Ok(FileReader { file: File::open(&self.path)?, body: self.clone(), read: 0 })
    }

    /// So many bytes from `at` on. Blocks.
    ///
    /// # Errors
    /// When they cannot be read, or the file has another size.
    pub fn chunk(&self, at: u64, length: usize) -> io::Result<Bytes> {
        let mut file = File::open(&self.path)?;
        if file.metadata()?.len() != self.size {
            return Err(io::Error::new(io::ErrorKind::InvalidData, "its size has changed"));
        }
        file.seek(SeekFrom::Start(at))?;
        let mut chunk = vec![0; length];
        file.read_exact(&mut chunk)?;
        Ok(chunk.into())
    }
}

/// Reads a file from its start; what was read counts as stored.
#[derive(Debug)]
pub struct FileReader {
    file: File,
    body: FileBody,
    read: u64,
}

impl Read for FileReader {
    fn read(&mut self, into: &mut [u8]) -> io::Result<usize> {
        let n = self.file.read(into)?;
        self.read += n as u64;
        self.body.stored(self.read);
        Ok(n)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn clones_share_how_far_a_file_is_stored() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("a");
        std::fs::write(&path, b"0123456789").unwrap();
        let Body::File(file) = Body::file(path.clone(), 10) else { unreachable!() };
        assert_eq!(&*file.chunk(4, 3).unwrap(), b"456");
        assert!(file.chunk(8, 3).is_err());
        let other = file.clone();
        let mut reader = other.open().unwrap();
        assert_eq!(io::copy(&mut reader, &mut io::sink()).unwrap(), 10);
        assert_eq!(file.furthest(), 10);
        let steps = file.steps();
        file.stored(3);
        assert_eq!((other.steps(), other.furthest()), (steps + 1, 10), "the furthest stays");
        std::fs::write(&path, b"012345678").unwrap();
        assert!(file.chunk(0, 1).is_err(), "its size has changed");
    }
}
