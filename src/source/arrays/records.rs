//! Reads the records behind a header, whatever the format.
//!
//! Nothing here trusts a header: no allocation follows from a promised size alone.

use std::io::{self, Read};

use super::header::{ArrayError, Header};

/// Bytes read from disk at a time.
pub(super) const READ_BUFFER: usize = 64 * 1024;

/// Bytes of an array, unpacked where they were packed.
pub type Payload = Box<dyn Read + Send>;

/// Bytes that are checked between two questions whether to go on.
const CHECKED_AT_A_TIME: u64 = 1 << 20;

/// Bytes of a record that are handed over at a time: a multiple of the size of every type.
const PIECE: u64 = 1 << 16;

/// Reads the records of an array in order, and nothing ahead of them.
#[derive(Debug)]
pub struct ArrayRecords<R> {
    reader: R,
    header: Header,
    read: u32,
}

impl<R: Read> ArrayRecords<R> {
    /// Takes a reader that stands behind the header of an array.
    pub(super) fn new(reader: R, header: Header) -> Self {
        Self { reader, header, read: 0 }
    }

    /// The header.
    pub fn header(&self) -> &Header {
        &self.header
    }

    /// The bytes of the next record; `None` after the last. The last record is given out only once the
    /// stream has ended well behind it.
    ///
    /// # Errors
    /// Truncated or trailing data, or a reader that fails.
    pub fn next_record(&mut self) -> Result<Option<Vec<u8>>, ArrayError> {
        if self.read == self.header.records() {
            return self.expect_end().map(|()| None);
        }
        let wanted = self.header.record_len();
        // Grows with what arrives: a promised size is no reason to allocate it.
        let mut record = Vec::with_capacity(usize::try_from(wanted.min(1 << 16)).unwrap_or(0));
        (&mut self.reader).take(wanted).read_to_end(&mut record)?;
        self.end_record(record.len() as u64)?;
        Ok(Some(record))
    }

    /// Hands the bytes of the next record to `each`, some whole values at a time, so that a record never
    /// is in memory; `false` after the last record.
    ///
    /// # Errors
    /// As [`Self::next_record`].
    pub(super) fn next_in_pieces(
        &mut self,
        mut each: impl FnMut(&[u8]),
    ) -> Result<bool, ArrayError> {
        if self.read == self.header.records() {
            return self.expect_end().map(|()| false);
        }
        let (wanted, mut found) = (self.header.record_len(), 0);
        let mut piece = Vec::new();
        while found < wanted {
            piece.clear();
            let length = (wanted - found).min(PIECE);
            (&mut self.reader).take(length).read_to_end(&mut piece)?;
            found += piece.len() as u64;
            each(&piece);
            if (piece.len() as u64) < length {
                break;
            }
        }
        self.end_record(found)?;
        Ok(true)
    }

    fn end_record(&mut self, found: u64) -> Result<(), ArrayError> {
        let wanted = self.header.record_len();
        if found < wanted {
            return Err(ArrayError::Truncated {
                promised: self.header.data_len(),
                found: u64::from(self.read) * wanted + found,
            });
        }
        self.read += 1;
        if self.read == self.header.records() { self.expect_end() } else { Ok(()) }
    }

    /// Nothing may follow the data. Reaching the end is also what makes a decoder compare its
    /// checksum.
    fn expect_end(&mut self) -> Result<(), ArrayError> {
        let mut probe = [0];
        match self.reader.read(&mut probe)? {
            0 => Ok(()),
            _ => Err(ArrayError::Trailing { promised: self.header.data_len() }),
        }
    }

    /// Reads to the end without keeping anything, and checks that the data is whole and has exactly
    /// the promised length. Reads at most one byte more than promised, so a decompression bomb stops
    /// here. Ends early, saying nothing, once `stopped` does.
    ///
    /// # Errors
    /// Truncated or trailing data, or a reader that fails.
    pub fn check(mut self, stopped: &dyn Fn() -> bool) -> Result<(), ArrayError> {
        let promised = self.header.data_len();
        let mut found = 0;
        while found < promised {
            if stopped() {
                return Ok(());
            }
            let part = (promised - found).min(CHECKED_AT_A_TIME);
            match io::copy(&mut (&mut self.reader).take(part), &mut io::sink())? {
                0 => return Err(ArrayError::Truncated { promised, found }),
                more => found += more,
            }
        }
        self.expect_end()
    }
}
