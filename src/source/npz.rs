//! One member of a zip archive, as `.npz` files are.

use std::fs::File;
use std::io::{self, BufReader, Read, Seek, SeekFrom};
use std::path::Path;

use flate2::CrcReader;
use flate2::bufread::DeflateDecoder;
use zip::{CompressionMethod, ZipArchive};

use super::array::ArrayError;
use super::file::{Payload, READ_BUFFER};

/// More than so many bytes out of so many times fewer are no images: Fashion-MNIST packs to a half.
const BOMB: u64 = 16 << 20;
const BOMB_RATIO: u64 = 400;

fn damaged(e: zip::result::ZipError) -> ArrayError {
    match e {
        zip::result::ZipError::Io(e) => e.into(),
        other => ArrayError::Member(format!("a damaged zip archive: {other}")),
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
            let there = names(path)?.join(", ");
            let missing = format!("holds no array {name:?}; there are: {there}");
            return Err(ArrayError::Member(missing));
        }
        entry => entry.map_err(damaged)?,
    };
    if entry.size() > BOMB && entry.size() / BOMB_RATIO > entry.compressed_size() {
        return Err(ArrayError::Member(format!(
            "the array {name:?} unpacks to more than {BOMB_RATIO} times its size, as images do not: a \
             zip bomb?"
        )));
    }
    let start = entry.data_start().filter(|_| !entry.encrypted());
    let start =
        start.ok_or_else(|| ArrayError::Member(format!("the array {name:?} is encrypted")))?;
    let mut file = File::open(path)?;
    file.seek(SeekFrom::Start(start))?;
    let packed = BufReader::with_capacity(READ_BUFFER, file.take(entry.compressed_size()));
    let unpacked: Payload = match entry.compression() {
        CompressionMethod::Stored => Box::new(packed),
        CompressionMethod::Deflated => Box::new(DeflateDecoder::new(packed)),
        other => {
            let unknown = format!("the array {name:?} is packed by {other}; deflate is supported");
            return Err(ArrayError::Member(unknown));
        }
    };
    let checked = Checked { reader: CrcReader::new(unpacked), crc32: entry.crc32() };
    Ok(Box::new(BufReader::with_capacity(READ_BUFFER, checked)))
}

fn only(names: Vec<String>) -> Result<String, ArrayError> {
    match <[String; 1]>::try_from(names) {
        Ok([name]) => Ok(name),
        Err(names) if names.is_empty() => {
            Err(ArrayError::Member("a zip archive without a .npy array".to_owned()))
        }
        Err(names) => Err(ArrayError::Member(format!(
            "holds several arrays; name one as in FILE#{}: {}",
            names.first().map_or("", String::as_str),
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
