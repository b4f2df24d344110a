//! One IDX file on disk: plain or gzip, told apart by content.

use std::fs::File;
use std::io::{BufReader, Read, Seek, SeekFrom};
use std::path::{Path, PathBuf};

use flate2::bufread::MultiGzDecoder;

use super::SourceError;
use super::idx::{Header, IdxError, Records};

/// Bytes read from disk at a time.
const READ_BUFFER: usize = 64 * 1024;

/// A file's bytes, unpacked where they were packed.
pub type Payload = Box<dyn Read + Send>;

/// An IDX file whose header has been read.
#[derive(Debug, Clone)]
pub struct IdxFile {
    /// Where it lies.
    pub path: PathBuf,
    /// Its header.
    pub header: Header,
    packed: bool,
}

impl IdxFile {
    /// Opens a file and reads its header. A plain file's size must be what the header promises; a
    /// packed one tells only in [`IdxFile::prove`].
    ///
    /// # Errors
    /// A missing file, no IDX file, and a plain file of another length.
    pub fn open(path: &Path) -> Result<Self, SourceError> {
        let wrong = |e: IdxError| SourceError::file(path, e);
        let mut raw = File::open(path).map_err(|e| wrong(e.into()))?;
        let size = raw.metadata().map_err(|e| wrong(e.into()))?.len();
        let gzip = is_gzip(&mut raw).map_err(|e| wrong(e.into()))?;
        let records = Records::new(payload(path)?).map_err(wrong)?;
        let header = records.header().clone();
        if !gzip && size != header.header_len() + header.data_len() {
            records.check(&|| false).map_err(wrong)?;
        }
        Ok(Self { path: path.to_owned(), header, packed: gzip })
    }

    /// Proves that a packed file holds exactly what its header promises: unpacks it once, keeping
    /// nothing, because only its end tells that it is whole (RFC 1952, CRC32 and ISIZE of each
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
        Records::new(payload(&self.path)?).map_err(|e| SourceError::file(&self.path, e))
    }
}

/// The unpacked bytes of a file, gzip (any number of members) or not.
///
/// # Errors
/// A file that cannot be opened or read.
pub fn payload(path: &Path) -> Result<Payload, SourceError> {
    let open = || {
        let mut file = File::open(path)?;
        let gzip = is_gzip(&mut file)?;
        let reader = BufReader::with_capacity(READ_BUFFER, file);
        Ok(if gzip {
            // The decoder hands out what the caller asks for; a record is less than a window,
            // so a buffer between them saves a call into the inflater for each.
            let unpacked = MultiGzDecoder::new(reader);
            Box::new(BufReader::with_capacity(READ_BUFFER, unpacked)) as Payload
        } else {
            Box::new(reader)
        })
    };
    open().map_err(|e: std::io::Error| SourceError::file(path, e.into()))
}

/// Whether the content begins as gzip does; the name says nothing. Leaves the file at its start.
fn is_gzip(file: &mut File) -> std::io::Result<bool> {
    let mut magic = Vec::with_capacity(2);
    file.seek(SeekFrom::Start(0))?;
    file.take(2).read_to_end(&mut magic)?;
    file.seek(SeekFrom::Start(0))?;
    Ok(magic == [0x1F, 0x8B])
}
