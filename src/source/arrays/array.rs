//! One array: in a file (IDX, plain or gzip, `.npy`, or an array of a `.npz` archive; the content tells
//! which), in memory, or behind any reader that can be opened again.

use std::fmt;
use std::io::{self, Cursor, Read};
use std::path::{Path, PathBuf};
use std::sync::Arc;

use bytes::Bytes;

use super::header::{ArrayError, Dtype, Endian, Header, Shape};
use super::records::{ArrayRecords, Payload};
use super::{stream, values};
use crate::source::error::SourceError;
use crate::source::options::Range;

/// An array whose header has been read; its values are read when they are asked for.
#[derive(Debug, Clone)]
pub struct Array {
    /// What messages call it: for a file its path as it was given.
    pub path: PathBuf,
    /// The type and the shape.
    pub header: Header,
    /// Whether only reading to the end shows that the values are whole.
    unproved: bool,
    data: Data,
}

#[derive(Clone)]
enum Data {
    /// At the array's path.
    File,
    /// Values without a header.
    Memory(Bytes),
    /// A stream of a format that [`stream::records`] knows.
    Reader(Arc<dyn Fn() -> io::Result<Payload> + Send + Sync>),
}

impl fmt::Debug for Data {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::File => "File",
            Self::Memory(_) => "Memory",
            Self::Reader(_) => "Reader",
        })
    }
}

impl Array {
    /// Opens a file and reads its header; `archive.npz#name` is an array of an archive. A plain file's
    /// size must be what the header promises; a packed one shows that only in [`Array::prove`].
    ///
    /// # Errors
    /// A missing file, no array, and a plain file of another length.
    pub fn open(path: &Path) -> Result<Self, SourceError> {
        let wrong = |e: ArrayError| SourceError::file(path, e);
        let (payload, size) = stream::open(path).map_err(wrong)?;
        let records = stream::records(payload).map_err(wrong)?;
        let header = records.header().clone();
        if size.is_some_and(|size| size != header.len + header.data_len()) {
            records.check(&|| false).map_err(wrong)?;
        }
        Ok(Self { path: path.to_owned(), header, unproved: size.is_none(), data: Data::File })
    }

    /// An array of bytes in memory, row-major: `[n, rows, cols]` or `[n, rows, cols, channels]` pixels,
    /// or `[n]` labels. Taking a `Vec` or [`Bytes`] copies nothing.
    ///
    /// # Errors
    /// Another number of bytes than the shape says.
    pub fn new(shape: &[u32], values: impl Into<Bytes>) -> Result<Self, SourceError> {
        Self::of_type(Dtype::U8, shape, values.into())
    }

    /// An array behind readers, each of which yields the same IDX or `.npy` bytes from their start: it
    /// is read two or three times. `name` is what messages call it.
    ///
    /// # Errors
    /// A reader that cannot be opened, and bytes that begin with no header of an array.
    pub fn read<R: Read + Send + 'static>(
        name: &str,
        open: impl Fn() -> io::Result<R> + Send + Sync + 'static,
    ) -> Result<Self, SourceError> {
        let open = move || open().map(|reader| Box::new(reader) as Payload);
        let path = PathBuf::from(name);
        let records = open().map_err(ArrayError::from).and_then(stream::records);
        let header = records.map_err(|e| SourceError::file(&path, e))?.header().clone();
        Ok(Self { path, header, unproved: true, data: Data::Reader(Arc::new(open)) })
    }

    fn of_type(dtype: Dtype, shape: &[u32], values: Bytes) -> Result<Self, SourceError> {
        let path = PathBuf::from("array in memory");
        let header = Header { dtype, endian: Endian::Little, shape: Shape(shape.to_vec()), len: 0 };
        let header = header.checked().map_err(|e| SourceError::file(&path, e))?;
        if header.data_len() != values.len() as u64 {
            let (shape, wanted, found) = (&header.shape, header.data_len(), values.len());
            let problem = format!("the shape {shape} takes {wanted} bytes, and there are {found}");
            return Err(SourceError::unfit(&path, problem));
        }
        Ok(Self { path, header, unproved: false, data: Data::Memory(values) })
    }

    /// Proves that the array holds exactly what its header promises, where opening has not: unpacks it
    /// once, keeping nothing, because only its end tells that it is whole (for gzip RFC 1952, CRC32 and
    /// ISIZE of each member). Ends early, proving nothing, once `stopped` returns true.
    ///
    /// # Errors
    /// Damage, and every disagreement of header and length.
    pub fn prove(&self, stopped: &dyn Fn() -> bool) -> Result<(), SourceError> {
        if !self.unproved {
            return Ok(());
        }
        self.records()?.check(stopped).map_err(|e| SourceError::file(&self.path, e))
    }

    /// The records, from the first.
    ///
    /// # Errors
    /// An array that can no longer be opened, or that has another header now.
    pub fn records(&self) -> Result<ArrayRecords<Payload>, SourceError> {
        let payload = match &self.data {
            Data::Memory(values) => {
                let payload: Payload = Box::new(Cursor::new(values.clone()));
                return Ok(ArrayRecords::new(payload, self.header.clone()));
            }
            Data::File => stream::open(&self.path).map(|(payload, _)| payload),
            Data::Reader(open) => open().map_err(ArrayError::from),
        };
        let records = payload.and_then(stream::records);
        let records = records.map_err(|e| SourceError::file(&self.path, e))?;
        if *records.header() == self.header {
            Ok(records)
        } else {
            Err(SourceError::unfit(&self.path, "has changed since it was opened"))
        }
    }
}

/// Labels in memory.
impl From<Vec<u8>> for Array {
    fn from(labels: Vec<u8>) -> Self {
        Self::labels(Dtype::U8, labels.into())
    }
}

/// Labels in memory.
impl From<Vec<u32>> for Array {
    fn from(labels: Vec<u32>) -> Self {
        Self::labels(Dtype::U32, labels.into_iter().flat_map(u32::to_le_bytes).collect())
    }
}

impl Array {
    fn labels(dtype: Dtype, values: Bytes) -> Self {
        let count = values.len() as u64 / dtype.size();
        // One that does not fit cannot be the number of any images.
        let shape = Shape(vec![u32::try_from(count).unwrap_or(u32::MAX)]);
        let header = Header { dtype, endian: Endian::Little, shape, len: 0 };
        let path = PathBuf::from("labels in memory");
        Self { path, header, unproved: false, data: Data::Memory(values) }
    }
}

/// Reads the records of an array, which is opened when the first is asked for.
pub(super) struct ArrayReader {
    array: Array,
    records: Option<ArrayRecords<Payload>>,
    read: u32,
}

impl ArrayReader {
    pub(super) fn new(array: Array) -> Self {
        Self { array, records: None, read: 0 }
    }

    fn open(&mut self) -> Result<&mut ArrayRecords<Payload>, SourceError> {
        let records = match self.records.take() {
            Some(records) => records,
            None => self.array.records()?,
        };
        Ok(self.records.insert(records))
    }

    /// The bytes of the next record; `None` after the last.
    ///
    /// # Errors
    /// An array that has changed, is damaged, or cannot be read.
    pub(super) fn next_record(&mut self) -> Result<Option<Vec<u8>>, SourceError> {
        let record = self.open()?.next_record();
        self.read += 1;
        record.map_err(|e| SourceError::file(&self.array.path, e))
    }

    /// The pixels of the next record, a byte each: bytes unchanged where there is no range, else values
    /// from black to white spread over 0 to 255; `None` after the last.
    ///
    /// # Errors
    /// Also values outside of the range.
    pub(super) fn next_pixels(
        &mut self,
        range: Option<Range>,
    ) -> Result<Option<Vec<u8>>, SourceError> {
        let Some(range) = range else { return self.next_record() };
        let (dtype, endian) = (self.array.header.dtype, self.array.header.endian);
        let (mut pixels, mut problem) = (Vec::new(), None);
        let more = self.open()?.next_in_pieces(|piece| {
            if problem.is_none() {
                problem = values::pixels(dtype, endian, piece, range, &mut pixels).err();
            }
        });
        self.read += 1;
        let more = more.map_err(|e| SourceError::file(&self.array.path, e))?;
        match problem {
            Some(problem) => Err(self.unfit(&problem)),
            None => Ok(more.then_some(pixels)),
        }
    }

    /// The label of the next record, its value number `column`; `None` after the last.
    ///
    /// # Errors
    /// Also a value that is no label.
    pub(super) fn next_label(&mut self, column: u32) -> Result<Option<u32>, SourceError> {
        let Some(record) = self.next_record()? else { return Ok(None) };
        let label = values::label(&self.array.header, &record, column);
        label.map(Some).map_err(|problem| self.unfit(&problem))
    }

    /// The next label of an array with a column for each class.
    ///
    /// # Errors
    /// Also a record that is not one-hot.
    pub(super) fn next_one_hot(&mut self) -> Result<Option<u32>, SourceError> {
        let Some(record) = self.next_record()? else { return Ok(None) };
        let label = values::one_hot(&self.array.header, &record);
        label.map(Some).map_err(|problem| self.unfit(&problem))
    }

    /// What is wrong with the record that was read last.
    fn unfit(&self, problem: &str) -> SourceError {
        SourceError::unfit_record(&self.array.path, self.read - 1, problem)
    }
}
