//! One member of a zip archive, as `.npz` files are.

use std::fs::File;
use std::io::{self, BufReader, Read, Seek, SeekFrom};
use std::path::Path;

use flate2::CrcReader;
use flate2::bufread::DeflateDecoder;
use zip::{CompressionMethod, ZipArchive};

use super::header::ArrayError;
use super::records::{Payload, READ_BUFFER};

fn damaged(e: zip::result::ZipError) -> ArrayError {
    match e {
        zip::result::ZipError::Io(e) => e.into(),
        other => ArrayError::Archive(format!("a damaged zip archive: {other}")),
    }
}

/// The names of an archive's arrays, without `.npy`.
///
/// # Errors
/// An archive that cannot be read.
pub(super) fn names(path: &Path) -> Result<Vec<String>, ArrayError> {
    let archive = ZipArchive::new(BufReader::new(File::open(path)?)).map_err(damaged)?;
    let names = archive.file_names().map(|name| name.map(std::borrow::Cow::into_owned));
    let names = names.collect::<Result<Vec<_>, _>>().map_err(damaged)?;
    Ok(names.iter().filter_map(|name| name.strip_suffix(".npy")).map(str::to_owned).collect())
}

/// The unpacked bytes of an archive's array; without a name, of the only one that it holds. Reaching
/// their end compares their checksum.
///
/// # Errors
/// An archive that cannot be read, or that does not hold that array.
pub(super) fn payload(path: &Path, name: Option<&str>) -> Result<Payload, ArrayError> {
    let name = match name {
        Some(name) => name.to_owned(),
        None => only(names(path)?)?,
    };
    let mut archive = ZipArchive::new(BufReader::new(File::open(path)?)).map_err(damaged)?;
    let entry = match archive.by_name(&format!("{name}.npy")) {
        Err(zip::result::ZipError::FileNotFound) => {
            let existing = names(path)?.join(", ");
            let missing = format!("holds no array {name:?}; its arrays are: {existing}");
            return Err(ArrayError::Archive(missing));
        }
        entry => entry.map_err(damaged)?,
    };
    let start = entry.data_start().filter(|_| !entry.encrypted());
    let start =
        start.ok_or_else(|| ArrayError::Archive(format!("the array {name:?} is encrypted")))?;
    let mut file = File::open(path)?;
    file.seek(SeekFrom::Start(start))?;
    let packed = BufReader::with_capacity(READ_BUFFER, file.take(entry.compressed_size()));
    let unpacked: Payload = match entry.compression() {
        CompressionMethod::Stored => Box::new(packed),
        CompressionMethod::Deflated => Box::new(DeflateDecoder::new(packed)),
        other => {
            let unknown = format!("the array {name:?} is packed by {other}; deflate is supported");
            return Err(ArrayError::Archive(unknown));
        }
    };
    let checked = Checked { reader: CrcReader::new(unpacked), crc32: entry.crc32() };
    Ok(Box::new(BufReader::with_capacity(READ_BUFFER, checked)))
}

fn only(mut names: Vec<String>) -> Result<String, ArrayError> {
    match names.len() {
        0 => Err(ArrayError::Archive("a zip archive without a .npy array".to_owned())),
        1 => Ok(names.remove(0)),
        _ => Err(ArrayError::Archive(format!(
            "holds several arrays; name one as in FILE#{}: {}",
            names[0],
            names.join(", ")
        ))),
    }
}

/// Compares the checksum once all is read.
struct Checked {
    reader: CrcReader<Payload>,
    crc32: u32,
}

impl Read for Checked {
    fn read(&mut self, into: &mut [u8]) -> io::Result<usize> {
        let read = self.reader.read(into)?;
        if read == 0 && !into.is_empty() && self.reader.crc().sum() != self.crc32 {
            return Err(io::Error::new(io::ErrorKind::InvalidData, "its checksum is wrong"));
        }
        Ok(read)
    }
}
