//! A folder or a file that may hold a data set.

use std::fs::{self, File};
use std::io::{self, Read};
use std::path::{Path, PathBuf};

/// Bytes of a file that tell its format: a block of a tar archive.
const HEAD: u64 = 512;

/// Opens a file that can be read more than once; opening a pipe would wait for whoever writes into it.
///
/// # Errors
/// A file that cannot be opened, and what is no regular file.
pub(super) fn open_file(path: &Path) -> io::Result<File> {
    if fs::metadata(path)?.is_file() {
        return File::open(path);
    }
    Err(io::Error::other("it is no regular file; save its content as one first"))
}

/// What a format needs to know of a path in order to recognise it.
#[derive(Debug)]
pub(super) enum Candidate {
    /// A folder.
    Folder {
        /// Its path.
        path: PathBuf,
        /// The files in it and in the folders in it, as paths relative to it, in order.
        files: Vec<PathBuf>,
    },
    /// A file, or a path that does not exist.
    File {
        /// Its path.
        path: PathBuf,
        /// Its first bytes.
        head: Vec<u8>,
    },
}

impl Candidate {
    /// Lists a folder, or reads the beginning of a file.
    ///
    /// # Errors
    /// A path that exists and cannot be read.
    pub(super) fn of(path: &Path) -> io::Result<Self> {
        if path.is_dir() {
            let mut files = Vec::new();
            for entry in fs::read_dir(path)? {
                let entry = entry?;
                let name = PathBuf::from(entry.file_name());
                // Data sets are links as often as files.
                if entry.path().is_dir() {
                    let inner = fs::read_dir(entry.path()).into_iter().flatten().flatten();
                    let inner = inner.filter(|file| file.path().is_file());
                    files.extend(inner.map(|file| name.join(file.file_name())));
                } else {
                    files.push(name);
                }
            }
            files.sort();
            return Ok(Self::Folder { path: path.to_owned(), files });
        }
        let mut head = Vec::new();
        // One that does not exist may be an array of an archive.
        if path.exists() {
            open_file(path)?.take(HEAD).read_to_end(&mut head)?;
        }
        Ok(Self::File { path: path.to_owned(), head })
    }

    /// Its path.
    pub(super) fn path(&self) -> &Path {
        match self {
            Self::Folder { path, .. } | Self::File { path, .. } => path,
        }
    }
}
