//! The bytes of an array, plain or packed, and the format that they begin with.

use std::borrow::Cow;
use std::fs::File;
use std::io::{BufReader, Read, Seek, SeekFrom};
use std::path::Path;

use super::header::{ArrayError, Header};
use super::records::{ArrayRecords, Payload, READ_BUFFER};
use super::{idx, npy, npz};
use crate::source::candidate::open_file;
use crate::source::gzip::Gunzip;

/// Reads a header; the first up to four bytes have been read.
type ReadHeader = fn(&[u8], &mut dyn Read) -> Result<Header, ArrayError>;

/// The formats of arrays, by the bytes that they begin with. Another one is a line here.
const FORMATS: [(&[u8], ReadHeader); 2] = [(&npy::MAGIC, npy::header), (&idx::MAGIC, idx::header)];

/// Bytes of what is no array that tell what it is: a tar archive has its mark in the first 512.
const TELLING: u64 = 512;

/// The records of an array of any format.
///
/// # Errors
/// A reader that stands at the start of no array, or of one that cannot be used.
pub fn records<R: Read>(mut reader: R) -> Result<ArrayRecords<R>, ArrayError> {
    let mut magic = Vec::with_capacity(4);
    (&mut reader).take(4).read_to_end(&mut magic)?;
    let Some((_, header)) = FORMATS.iter().find(|(begins, _)| magic.starts_with(begins)) else {
        // More of it tells what else it is; what cannot be read tells nothing.
        let _ = (&mut reader).take(TELLING).read_to_end(&mut magic);
        return Err(ArrayError::NotIdx(magic));
    };
    let header = header(&magic, &mut reader)?;
    Ok(ArrayRecords::new(reader, header))
}

/// The unpacked bytes of a file, and their number where the file is plain. `archive.npz#name` is an array
/// of an archive.
///
/// # Errors
/// A file that cannot be opened, and an archive that cannot be read.
pub(super) fn open(path: &Path) -> Result<(Payload, Option<u64>), ArrayError> {
    let (path, member) = member_of(path);
    let mut file = open_file(&path)?;
    if begins_with(&mut file, b"PK")? || member.is_some() {
        return Ok((npz::payload(&path, member)?, None));
    }
    let gzip = begins_with(&mut file, &[0x1F, 0x8B])?;
    let size = file.metadata()?.len();
    let reader = BufReader::with_capacity(READ_BUFFER, file);
    if !gzip {
        return Ok((Box::new(reader), Some(size)));
    }
    // The decoder hands out what the caller asks for; a record is less than a window, so a buffer
    // between them saves a call into the inflater for each.
    let unpacked = Gunzip::new(reader);
    Ok((Box::new(BufReader::with_capacity(READ_BUFFER, unpacked)), None))
}

/// `archive.npz` and `name` of `archive.npz#name`, unless a file has that very name.
pub(super) fn member_of(path: &Path) -> (Cow<'_, Path>, Option<&str>) {
    // The folders before a name may be of any bytes; the names of arrays may have slashes.
    let name = path.file_name().and_then(|name| name.to_str()?.rsplit_once('#'));
    let whole = || path.to_str().and_then(|path| path.rsplit_once('#'));
    match name.map(|(archive, array)| (path.with_file_name(archive).into(), array)) {
        _ if path.exists() => (path.into(), None),
        Some((archive, array)) => (archive, Some(array)),
        None => match whole() {
            Some((archive, array)) => (Path::new(archive).into(), Some(array)),
            None => (path.into(), None),
        },
    }
}

/// Whether a file begins so. Leaves it at its start.
pub(super) fn begins_with(file: &mut File, wanted: &[u8]) -> std::io::Result<bool> {
    let mut magic = Vec::with_capacity(wanted.len());
    file.seek(SeekFrom::Start(0))?;
    file.take(wanted.len() as u64).read_to_end(&mut magic)?;
    file.seek(SeekFrom::Start(0))?;
    Ok(magic == wanted)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_tar_archive_is_named() {
        let mut tar = b"./train-images-idx3-ubyte".to_vec();
        tar.resize(257, 0);
        tar.extend(b"ustar");
        let error = records(&*tar).unwrap_err().to_string();
        assert!(
            error.ends_with("begins with 2e 2f 74 72 (a tar archive: unpack it first)"),
            "{error}"
        );
    }

    #[test]
    fn arrays_are_named_behind_their_archive() {
        let archive = |path: &'static str| {
            let (archive, array) = member_of(Path::new(path));
            (archive.into_owned(), array)
        };
        assert_eq!(archive("a#b/c.npz#d"), ("a#b/c.npz".into(), Some("d")));
        assert_eq!(archive("b/c.npz#d/e"), ("b/c.npz".into(), Some("d/e")));
        assert_eq!(archive("c.npz"), ("c.npz".into(), None));
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("c.npz#d");
        std::fs::write(&path, "").unwrap();
        assert_eq!(member_of(&path).1, None, "a file of that very name");
    }

    /// A folder's name need not be text.
    #[cfg(unix)]
    #[test]
    fn folders_may_have_names_of_any_bytes() {
        use std::os::unix::ffi::OsStrExt;
        let folder = Path::new(std::ffi::OsStr::from_bytes(b"\xFF"));
        let path = super::super::array_of(&folder.join("c.npz"), "d");
        assert_eq!(member_of(&path), (folder.join("c.npz").into(), Some("d")));
    }
}
