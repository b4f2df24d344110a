//! An archive that is there.

use std::fs::File;
use std::io::{self, BufReader, Read};
use std::path::Path;

use zip::ZipArchive;
use zip::result::ZipError;

use super::super::{NameRange, Stored};

/// An archive that is there, opened for reading.
pub(super) struct Archive {
    zip: ZipArchive<BufReader<File>>,
    /// Which entries were asked for.
    asked: Vec<bool>,
}

impl Archive {
    /// Reads the directory of an archive.
    ///
    /// # Errors
    /// When there is no such file or it is no archive.
    pub(super) fn open(path: &Path) -> io::Result<Self> {
        let zip = ZipArchive::new(BufReader::new(File::open(path)?))?;
        if zip.has_duplicate_names() {
            return Err(io::Error::other("it has two entries of one name"));
        }
        let asked = vec![false; zip.len()];
        Ok(Self { zip, asked })
    }

    /// The entry of a name, which is read; one that is damaged, encrypted or packed in an unknown way
    /// has no checksum.
    ///
    /// # Errors
    /// When the file cannot be read.
    pub(super) fn stat(&mut self, name: &str) -> io::Result<Option<Stored>> {
        let Some(index) = self.zip.index_for_name_raw(name.as_bytes()) else { return Ok(None) };
        if let Some(asked) = self.asked.get_mut(index) {
            *asked = true;
        }
        let size = self.zip.by_index_data(index)?.size();
        let crc32c = match self.zip.by_index(index) {
            Ok(entry) => checksum(entry),
            Err(ZipError::Io(e)) => Err(e),
            Err(_) => Ok((size, None)),
        };
        let (size, crc32c) = match crc32c {
            Ok(read) => read,
            Err(e) if is_damage(&e) => (size, None),
            Err(e) => return Err(e),
        };
        Ok(Some(Stored::new(name.to_owned(), size, crc32c, 1)))
    }

    /// Entries in a range, in no order, by name and size; folders are none.
    ///
    /// # Errors
    /// A name that is no text.
    pub(super) fn within(&self, range: &NameRange) -> io::Result<Vec<Stored>> {
        let mut entries = Vec::new();
        for index in 0..self.zip.len() {
            let entry = self.zip.by_index_data(index)?;
            let name = entry.name()?;
            if !entry.is_dir() && range.contains(&name) {
                let (name, size) = (name.into_owned(), entry.size());
                entries.push(Stored::new(name, size, None, 1));
            }
        }
        Ok(entries)
    }

    /// How many entries nobody has asked for, and one of them; folders are none.
    pub(super) fn others(&self) -> Option<(usize, String)> {
        let is_file =
            |index: &usize| self.zip.by_index_data(*index).is_ok_and(|entry| !entry.is_dir());
        let unasked = self.asked.iter().enumerate().filter(|(_, asked)| !**asked);
        let others: Vec<_> = unasked.map(|(index, _)| index).filter(is_file).collect();
        let first = self.zip.name_for_index(*others.first()?);
        let name = first.and_then(Result::ok).unwrap_or_default();
        Some((others.len(), name.into_owned()))
    }
}

/// Bytes and CRC32C of what a reader gives.
fn checksum(mut from: impl Read) -> io::Result<(u64, Option<u32>)> {
    let mut chunk = [0; 8 * 1024];
    let (mut size, mut crc32c) = (0, 0);
    loop {
        match from.read(&mut chunk) {
            Ok(0) => return Ok((size, Some(crc32c))),
            Ok(n) => {
                size += n as u64;
                crc32c = crc32c::crc32c_append(crc32c, chunk.get(..n).unwrap_or_default());
            }
            Err(e) if e.kind() == io::ErrorKind::Interrupted => {}
            Err(e) => return Err(e),
        }
    }
}

/// Whether it is the entry that is wrong, and not the disk.
fn is_damage(e: &io::Error) -> bool {
    use io::ErrorKind::{InvalidData, InvalidInput, Other, UnexpectedEof};
    matches!(e.kind(), InvalidData | InvalidInput | Other | UnexpectedEof)
}
