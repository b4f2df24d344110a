//! One array on disk: an IDX file, plain or gzip, a `.npy` file, or an array of a `.npz` archive. The
//! content tells which; the name says nothing.

use std::fs::File;
use std::io::{BufReader, Read, Seek, SeekFrom};
use std::path::{Path, PathBuf};

use flate2::bufread::MultiGzDecoder;

use super::array::{ArrayError, Header, Records};
use super::{Range, SourceError, npz, values};

/// Bytes read from disk at a time.
pub(super) const READ_BUFFER: usize = 64 * 1024;

/// A file's bytes, unpacked where they were packed.
pub type Payload = Box<dyn Read + Send>;

/// An array whose header has been read.
#[derive(Debug, Clone)]
pub struct ArrayFile {
    /// Where it lies, as it was asked for.
    pub path: PathBuf,
    /// Its header.
    pub header: Header,
    packed: bool,
}

impl ArrayFile {
    /// Opens a file and reads its header; `archive.npz#name` is an array of an archive. A plain file's
    /// size must be what the header promises; a packed one tells only in [`ArrayFile::prove`].
    ///
    /// # Errors
    /// A missing file, no array, and a plain file of another length.
    pub fn open(path: &Path) -> Result<Self, SourceError> {
        let wrong = |e: ArrayError| SourceError::file(path, e);
        let (payload, size) = unpack(path).map_err(wrong)?;
        let records = Records::open(payload).map_err(wrong)?;
        let header = records.header().clone();
        if size.is_some_and(|size| size != header.len + header.data_len()) {
            records.check(&|| false).map_err(wrong)?;
        }
        Ok(Self { path: path.to_owned(), header, packed: size.is_none() })
    }

    /// Proves that a packed file holds exactly what its header promises: unpacks it once, keeping
    /// nothing, because only its end tells that it is whole (for gzip RFC 1952, CRC32 and ISIZE of each
    /// member). Ends early, proving nothing, once `stopped` says so.
    ///
    /// # Errors
    /// Damage, and every disagreement of header and length.
    pub fn prove(&self, stopped: &dyn Fn() -> bool) -> Result<(), SourceError> {
        if !self.packed {
            return Ok(());
        }
        self.records()?.check(stopped).map_err(|e| SourceError::file(&self.path, e))
    }

    /// The records, from the first.
    ///
    /// # Errors
    /// A file that can no longer be opened.
    pub fn records(&self) -> Result<Records<Payload>, SourceError> {
        unpack(&self.path)
            .and_then(|(payload, _)| Records::open(payload))
            .map_err(|e| SourceError::file(&self.path, e))
    }
}

/// Reads the records of one file, which is opened when the first is asked for.
pub(super) struct ArrayReader {
    file: ArrayFile,
    records: Option<Records<Payload>>,
    read: u32,
}

impl ArrayReader {
    pub(super) fn new(file: ArrayFile) -> Self {
        Self { file, records: None, read: 0 }
    }

    fn open(&mut self) -> Result<&mut Records<Payload>, SourceError> {
        let records = if let Some(records) = self.records.take() {
            records
        } else {
            let records = self.file.records()?;
            if *records.header() != self.file.header {
                return Err(SourceError::unfit(&self.file.path, "has changed since it was opened"));
            }
            records
        };
        Ok(self.records.insert(records))
    }

    /// The bytes of the next record; `None` after the last.
    ///
    /// # Errors
    /// A file that has changed, is damaged, or cannot be read.
    pub(super) fn next_record(&mut self) -> Result<Option<Vec<u8>>, SourceError> {
        let record = self.open()?.next_record();
        self.read += 1;
        record.map_err(|e| SourceError::file(&self.file.path, e))
    }

    /// The pixels of the next record; `None` after the last.
    ///
    /// # Errors
    /// Also values outside of the range.
    pub(super) fn next_pixels(
        &mut self,
        range: Option<Range>,
    ) -> Result<Option<Vec<u8>>, SourceError> {
        let Some(record) = self.next_record()? else { return Ok(None) };
        let pixels = values::pixels(&self.file.header, record, range);
        pixels.map(Some).map_err(|problem| self.unfit(&problem))
    }

    /// The label of the next record, its value number `column`; `None` after the last.
    ///
    /// # Errors
    /// Also a value that is no label.
    pub(super) fn next_label(&mut self, column: u32) -> Result<Option<u32>, SourceError> {
        let Some(record) = self.next_record()? else { return Ok(None) };
        let label = values::label(&self.file.header, &record, column);
        label.map(Some).map_err(|problem| self.unfit(&problem))
    }

    /// What is wrong with the record that was read last.
    fn unfit(&self, problem: &str) -> SourceError {
        let record = format!("record {} {problem}", self.read - 1);
        SourceError::unfit(&self.file.path, record)
    }
}

/// The unpacked bytes of a file, gzip (any number of members) or not.
///
/// # Errors
/// A file that cannot be opened or read.
pub fn payload(path: &Path) -> Result<Payload, SourceError> {
    unpack(path).map(|(payload, _)| payload).map_err(|e| SourceError::file(path, e))
}

/// The names of the arrays in a `.npz` archive; nothing for any other file, nor for one of them.
///
/// # Errors
/// A file that cannot be read.
pub fn arrays(path: &Path) -> Result<Option<Vec<String>>, SourceError> {
    if let (_, Some(_)) = member_of(path) {
        return Ok(None);
    }
    let is_archive = File::open(path).and_then(|mut file| begins_as(&mut file, *b"PK"));
    match is_archive {
        Ok(true) => npz::names(path).map(Some),
        Ok(false) => Ok(None),
        Err(e) => Err(e.into()),
    }
    .map_err(|e: ArrayError| SourceError::file(path, e))
}

/// The unpacked bytes, and their number where the file is plain.
fn unpack(path: &Path) -> Result<(Payload, Option<u64>), ArrayError> {
    let (path, member) = member_of(path);
    let mut file = File::open(path)?;
    if begins_as(&mut file, *b"PK")? || member.is_some() {
        return Ok((npz::payload(path, member)?, None));
    }
    let gzip = begins_as(&mut file, [0x1F, 0x8B])?;
    let size = file.metadata()?.len();
    let reader = BufReader::with_capacity(READ_BUFFER, file);
    if !gzip {
        return Ok((Box::new(reader), Some(size)));
    }
    // The decoder hands out what the caller asks for; a record is less than a window, so a buffer
    // between them saves a call into the inflater for each.
    let unpacked = MultiGzDecoder::new(reader);
    Ok((Box::new(BufReader::with_capacity(READ_BUFFER, unpacked)), None))
}

/// `archive.npz` and `name` of `archive.npz#name`, unless a file has that very name.
fn member_of(path: &Path) -> (&Path, Option<&str>) {
    match path.to_str().and_then(|text| text.rsplit_once('#')) {
        Some((archive, member)) if !path.exists() => (Path::new(archive), Some(member)),
        _ => (path, None),
    }
}

/// Whether the content begins so. Leaves the file at its start.
fn begins_as(file: &mut File, wanted: [u8; 2]) -> std::io::Result<bool> {
    let mut magic = Vec::with_capacity(2);
    file.seek(SeekFrom::Start(0))?;
    file.take(2).read_to_end(&mut magic)?;
    file.seek(SeekFrom::Start(0))?;
    Ok(magic == wanted)
}
