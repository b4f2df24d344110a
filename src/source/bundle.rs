//! The files of a data set that are in a folder, or in a `.tar.gz` that is read without unpacking it to
//! disk.

use std::collections::BTreeMap;
use std::fs::File;
use std::io::{self, BufReader, Read};
use std::path::{Path, PathBuf};

use tar::Archive;

use super::candidate::{Candidate, open_file};
use super::error::SourceError;
use super::gzip::Gunzip;

/// Bytes read from disk at a time.
const READ_BUFFER: usize = 64 * 1024;

/// Files that belong together, each known by the last part of its path.
pub(super) enum Bundle {
    /// The paths of a folder's files.
    Folder(BTreeMap<String, PathBuf>),
    /// A `.tar.gz`.
    Archive(PathBuf),
}

/// A file of a bundle.
#[derive(Debug, Clone)]
pub(super) struct Member {
    /// What messages call it.
    pub(super) path: PathBuf,
    archived: Option<Archived>,
}

/// Where the bytes of a file are in an unpacked archive.
#[derive(Debug, Clone)]
struct Archived {
    archive: PathBuf,
    start: u64,
    bytes: u64,
}

impl Bundle {
    /// The bundle that a folder or a file is; `None` for a file that is no `.tar.gz`.
    pub(super) fn at(candidate: &Candidate) -> Option<Self> {
        match candidate {
            Candidate::Folder { path, files } => {
                let files = files.iter().filter_map(|file| Some((name_of(file)?, path.join(file))));
                Some(Self::Folder(files.collect()))
            }
            Candidate::File { path, head } => is_tar(head).then(|| Self::Archive(path.clone())),
        }
    }

    /// Reads the bundle once: `each` gets the name and the bytes of every file that is wanted, of which
    /// it need not read all. An archive is proved whole by that.
    ///
    /// # Errors
    /// A file that cannot be read, a damaged archive, and the errors of `each`.
    pub(super) fn visit(
        &self,
        wanted: impl Fn(&str) -> bool,
        mut each: impl FnMut(&str, &Path, &mut dyn Read) -> Result<(), SourceError>,
    ) -> Result<BTreeMap<String, Member>, SourceError> {
        let mut members = BTreeMap::new();
        match self {
            Self::Folder(files) => {
                for (name, path) in files.iter().filter(|(name, _)| wanted(name)) {
                    let member = Member { path: path.clone(), archived: None };
                    let mut reader = member.open().map_err(|e| SourceError::unreadable(path, e))?;
                    each(name, path, &mut reader)?;
                    members.insert(name.clone(), member);
                }
            }
            Self::Archive(path) => {
                let mut archive =
                    Archive::new(unpacked(path).map_err(|e| SourceError::unreadable(path, e))?);
                for entry in archive.entries().map_err(|e| SourceError::unreadable(path, e))? {
                    let mut entry = entry.map_err(|e| SourceError::unreadable(path, e))?;
                    let inside = String::from_utf8_lossy(&entry.path_bytes()).into_owned();
                    let Some(name) = name_of(inside.as_ref()).filter(|name| wanted(name)) else {
                        continue;
                    };
                    let shown = PathBuf::from(format!("{}#{name}", path.display()));
                    let archived = Archived {
                        archive: path.clone(),
                        start: entry.raw_file_position(),
                        bytes: entry.size(),
                    };
                    each(&name, &shown, &mut entry)?;
                    members.insert(name, Member { path: shown, archived: Some(archived) });
                }
                // The checksum stands at the end.
                let rest = io::copy(&mut archive.into_inner(), &mut io::sink());
                rest.map_err(|e| SourceError::unreadable(path, e))?;
            }
        }
        Ok(members)
    }
}

impl Member {
    /// The bytes of the file from its start.
    ///
    /// # Errors
    /// A file that cannot be opened, and an archive that has changed.
    pub(super) fn open(&self) -> io::Result<Box<dyn Read + Send>> {
        let Some(Archived { archive, start, bytes }) = &self.archived else {
            let file = open_file(&self.path)?;
            return Ok(Box::new(BufReader::with_capacity(READ_BUFFER, file)));
        };
        let mut reader = unpacked(archive)?;
        if io::copy(&mut (&mut reader).take(*start), &mut io::sink())? < *start {
            return Err(io::Error::new(io::ErrorKind::UnexpectedEof, "is shorter than it was"));
        }
        Ok(Box::new(reader.take(*bytes)))
    }
}

fn unpacked(path: &Path) -> io::Result<BufReader<Gunzip<BufReader<File>>>> {
    let packed = BufReader::with_capacity(READ_BUFFER, open_file(path)?);
    Ok(BufReader::with_capacity(READ_BUFFER, Gunzip::new(packed)))
}

/// The last part of a path, where it is text.
fn name_of(path: &Path) -> Option<String> {
    path.file_name()?.to_str().map(str::to_owned)
}

/// Whether a file that begins so is a packed tar archive, as POSIX has them since 1988.
fn is_tar(head: &[u8]) -> bool {
    let mut block = Vec::new();
    // The head is a part of the file, so that unpacking it ends with an error.
    let _ = Gunzip::new(head).take(512).read_to_end(&mut block);
    block.get(257..262) == Some(b"ustar")
}
