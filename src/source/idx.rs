//! The IDX format: a header that names a type and a shape, then the data.
//!
//! Layout, as described at <http://yann.lecun.com/exdb/mnist/>:
//! two zero bytes, one byte for the type, one for the number of dimensions, each
//! dimension as a big-endian `u32`, then the values, row-major and big-endian.
//! The first dimension counts the records.
//!
//! Nothing here trusts a header: no allocation follows from a promised size alone.

use std::fmt;
use std::io::{self, Read};

/// Bytes that are checked between two looks at whether to go on.
const CHECKED_AT_A_TIME: u64 = 1 << 20;

/// The type of one value.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Dtype {
    /// Unsigned byte (`0x08`), the one that images and labels of the MNIST family use.
    U8,
    /// Signed byte (`0x09`).
    I8,
    /// 16-bit integer (`0x0B`).
    I16,
    /// 32-bit integer (`0x0C`).
    I32,
    /// 32-bit float (`0x0D`).
    F32,
    /// 64-bit float (`0x0E`).
    F64,
}

impl Dtype {
    fn from_code(code: u8) -> Option<Self> {
        Some(match code {
            0x08 => Self::U8,
            0x09 => Self::I8,
            0x0B => Self::I16,
            0x0C => Self::I32,
            0x0D => Self::F32,
            0x0E => Self::F64,
            _ => return None,
        })
    }

    /// Bytes of one value.
    pub fn size(self) -> u64 {
        match self {
            Self::U8 | Self::I8 => 1,
            Self::I16 => 2,
            Self::I32 | Self::F32 => 4,
            Self::F64 => 8,
        }
    }
}

impl fmt::Display for Dtype {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::U8 => "u8",
            Self::I8 => "i8",
            Self::I16 => "i16",
            Self::I32 => "i32",
            Self::F32 => "f32",
            Self::F64 => "f64",
        })
    }
}

/// What is wrong with an IDX stream.
#[derive(Debug, thiserror::Error)]
pub enum IdxError {
    /// The first four bytes are no IDX magic.
    #[error("not an IDX file: it begins with {}{}", hex(.0), what_it_may_be(.0))]
    NotIdx(Vec<u8>),
    /// The type byte is none of the six that the format knows.
    #[error("not an IDX file: type code 0x{0:02x} is none of 08, 09, 0b, 0c, 0d, 0e")]
    UnknownType(u8),
    /// The stream ends inside the header.
    #[error("the header is cut off after {0} bytes")]
    HeaderCutOff(u64),
    /// The product of the dimensions does not fit 64 bits.
    #[error("the header's dimensions {0} multiply to more than any file can hold")]
    Overflow(Shape),
    /// The data ends before the header's promise is kept.
    #[error("truncated: the header promises {promised} bytes of data, the file holds {found}")]
    Truncated {
        /// Bytes of data after the header's word.
        promised: u64,
        /// Bytes of data found.
        found: u64,
    },
    /// There is more data than the header says.
    #[error(
        "trailing bytes: the header promises {promised} bytes of data, the file goes on after them"
    )]
    Trailing {
        /// Bytes of data after the header's word.
        promised: u64,
    },
    /// A packed file ends before its end.
    #[error("cut off: the packed file ends before its own end mark")]
    CutOff,
    /// The bytes could not be read or unpacked.
    #[error("cannot be read: {0}")]
    Io(io::Error),
}

impl From<io::Error> for IdxError {
    fn from(e: io::Error) -> Self {
        // A plain reader that has no more says so with no bytes; only a decoder complains.
        if e.kind() == io::ErrorKind::UnexpectedEof { Self::CutOff } else { Self::Io(e) }
    }
}

/// Dimensions, printed as `60000 × 28 × 28`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Shape(pub Vec<u32>);

impl fmt::Display for Shape {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (i, dim) in self.0.iter().enumerate() {
            write!(f, "{}{dim}", if i == 0 { "" } else { " × " })?;
        }
        Ok(())
    }
}

fn hex(bytes: &[u8]) -> String {
    let pairs: Vec<String> = bytes.iter().map(|b| format!("{b:02x}")).collect();
    if pairs.is_empty() { "nothing, it is empty".to_owned() } else { pairs.join(" ") }
}

fn what_it_may_be(bytes: &[u8]) -> &'static str {
    match bytes {
        [b'<', ..] => " (an HTML or XML page saved under this name?)",
        [b'P', b'K', ..] => " (a zip archive: unpack it first)",
        [0xFD, b'7', b'z', ..] => " (an xz archive: unpack it first)",
        [0x1F, 0x8B, ..] => " (gzip inside gzip: unpack it once)",
        _ => "",
    }
}

/// The header of an IDX file.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Header {
    /// The type of each value.
    pub dtype: Dtype,
    /// The dimensions, records first: `n × rows × cols` for images, `n` for labels.
    pub shape: Shape,
}

impl Header {
    /// Reads a header: `4 + 4 × ndim` bytes.
    ///
    /// # Errors
    /// Anything that is not an IDX header, and a shape whose size overflows 64 bits.
    pub fn read(reader: &mut impl Read) -> Result<Self, IdxError> {
        let mut magic = Vec::with_capacity(4);
        reader.take(4).read_to_end(&mut magic)?;
        let &[0, 0, code, ndim] = magic.as_slice() else {
            return Err(IdxError::NotIdx(magic));
        };
        let dtype = Dtype::from_code(code).ok_or(IdxError::UnknownType(code))?;
        let mut dims = Vec::with_capacity(ndim.into());
        for read in 0..u64::from(ndim) {
            let mut dim = [0; 4];
            reader.read_exact(&mut dim).map_err(|e| match e.kind() {
                io::ErrorKind::UnexpectedEof => IdxError::HeaderCutOff(4 + 4 * read),
                _ => IdxError::Io(e),
            })?;
            dims.push(u32::from_be_bytes(dim));
        }
        let header = Self { dtype, shape: Shape(dims) };
        header.checked_data_len().ok_or_else(|| IdxError::Overflow(header.shape.clone()))?;
        Ok(header)
    }

    /// How many records follow; a file without dimensions holds none.
    pub fn records(&self) -> u32 {
        self.shape.0.first().copied().unwrap_or(0)
    }

    /// Bytes of one record.
    pub fn record_len(&self) -> u64 {
        // Within range: `read` has checked the product.
        self.shape.0.iter().skip(1).map(|&d| u64::from(d)).product::<u64>() * self.dtype.size()
    }

    /// Bytes of the header itself.
    pub fn header_len(&self) -> u64 {
        4 + 4 * self.shape.0.len() as u64
    }

    /// Bytes of all records.
    pub fn data_len(&self) -> u64 {
        u64::from(self.records()) * self.record_len()
    }

    fn checked_data_len(&self) -> Option<u64> {
        // A zero among the dimensions must not hide that the others overflow:
        // `record_len` multiplies them without the first.
        let of =
            |dims: &[u32]| dims.iter().try_fold(self.dtype.size(), |n, &d| n.checked_mul(d.into()));
        of(self.shape.0.get(1..).unwrap_or(&[]))?;
        // The header's own bytes count too: the file's length must fit as well.
        of(&self.shape.0)?.checked_add(self.header_len())
    }
}

/// Reads the records after a header, one at a time and nothing ahead of them.
#[derive(Debug)]
pub struct Records<R> {
    reader: R,
    header: Header,
    read: u32,
}

impl<R: Read> Records<R> {
    /// Takes a reader that stands at the start of an IDX stream.
    ///
    /// # Errors
    /// As [`Header::read`].
    pub fn new(mut reader: R) -> Result<Self, IdxError> {
        let header = Header::read(&mut reader)?;
        Ok(Self { reader, header, read: 0 })
    }

    /// The header.
    pub fn header(&self) -> &Header {
        &self.header
    }

    /// The next record's bytes, or `None` after the last. The last record is given out only once
    /// the stream has ended well behind it.
    ///
    /// # Errors
    /// Truncated or trailing data, or a reader that fails.
    pub fn next_record(&mut self) -> Result<Option<Vec<u8>>, IdxError> {
        if self.read == self.header.records() {
            return self.expect_end().map(|()| None);
        }
        let wanted = self.header.record_len();
        // Grows with what arrives: a promised size is no reason to allocate it.
        let mut record = Vec::with_capacity(usize::try_from(wanted.min(1 << 16)).unwrap_or(0));
        (&mut self.reader).take(wanted).read_to_end(&mut record)?;
        if (record.len() as u64) < wanted {
            return Err(IdxError::Truncated {
                promised: self.header.data_len(),
                found: u64::from(self.read) * wanted + record.len() as u64,
            });
        }
        self.read += 1;
        if self.read == self.header.records() {
            self.expect_end()?;
        }
        Ok(Some(record))
    }

    /// Nothing may follow the data. Reaching the end is also what makes a gzip decoder compare its
    /// checksum.
    fn expect_end(&mut self) -> Result<(), IdxError> {
        let mut probe = [0];
        match self.reader.read(&mut probe)? {
            0 => Ok(()),
            _ => Err(IdxError::Trailing { promised: self.header.data_len() }),
        }
    }

    /// Reads to the end without keeping anything, and checks that the data is whole and has exactly
    /// the promised length. Reads at most one byte more than promised, so a decompression bomb stops
    /// here. Ends early, saying nothing, once `stopped` does.
    ///
    /// # Errors
    /// Truncated or trailing data, or a reader that fails.
    pub fn check(mut self, stopped: &dyn Fn() -> bool) -> Result<(), IdxError> {
        let promised = self.header.data_len();
        let mut found = 0;
        while found < promised {
            if stopped() {
                return Ok(());
            }
            let part = (promised - found).min(CHECKED_AT_A_TIME);
            match io::copy(&mut (&mut self.reader).take(part), &mut io::sink())? {
                0 => return Err(IdxError::Truncated { promised, found }),
                more => found += more,
            }
        }
        self.expect_end()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn idx(dtype: u8, dims: &[u32], data: &[u8]) -> Vec<u8> {
        let mut bytes = vec![0, 0, dtype, u8::try_from(dims.len()).unwrap()];
        for dim in dims {
            bytes.extend(dim.to_be_bytes());
        }
        bytes.extend(data);
        bytes
    }

    fn all(bytes: &[u8]) -> Result<Vec<Vec<u8>>, IdxError> {
        let mut records = Records::new(bytes)?;
        std::iter::from_fn(|| records.next_record().transpose()).collect()
    }

    #[test]
    fn reads_records_in_order() {
        let bytes = idx(8, &[2, 1, 3], &[1, 2, 3, 4, 5, 6]);
        assert_eq!(all(&bytes).unwrap(), [[1, 2, 3], [4, 5, 6]]);
    }

    #[test]
    fn knows_all_six_types() {
        for (code, name, size) in [
            (8, "u8", 1),
            (9, "i8", 1),
            (0xB, "i16", 2),
            (0xC, "i32", 4),
            (0xD, "f32", 4),
            (0xE, "f64", 8),
        ] {
            let header = Header::read(&mut idx(code, &[1, 3], &[]).as_slice()).unwrap();
            assert_eq!((header.dtype.to_string().as_str(), header.record_len()), (name, 3 * size));
        }
        let odd = Header::read(&mut idx(0xA, &[1], &[]).as_slice());
        assert!(matches!(odd, Err(IdxError::UnknownType(0xA))));
    }

    #[test]
    fn names_what_it_found_instead() {
        let says = |bytes: &[u8]| Records::new(bytes).unwrap_err().to_string();
        assert!(says(b"<!DOCTYPE html>").contains("HTML"));
        assert!(says(b"PK\x03\x04").contains("zip"));
        assert!(says(b"").contains("empty"));
        assert!(says(&[0, 0, 8, 3, 0, 0]).contains("cut off"));
    }

    #[test]
    fn refuses_a_product_that_overflows() {
        let huge = u32::MAX;
        for dims in [&[huge, huge, huge][..], &[0, huge, huge, huge], &[huge, huge, huge, 0]] {
            let bytes = idx(8, dims, &[]);
            let got = Records::new(bytes.as_slice());
            assert!(matches!(got, Err(IdxError::Overflow(_))), "{dims:?}");
        }
    }

    #[test]
    fn a_promise_of_four_billion_records_costs_nothing() {
        let bytes = idx(8, &[u32::MAX, 28, 28], &[0; 20]);
        let got = Records::new(bytes.as_slice()).unwrap().next_record();
        assert!(matches!(got, Err(IdxError::Truncated { found: 20, .. })), "{got:?}");
        let bytes = idx(8, &[1, 65_535, 65_535], &[0; 20]);
        let got = Records::new(bytes.as_slice()).unwrap().next_record();
        assert!(matches!(got, Err(IdxError::Truncated { found: 20, .. })), "{got:?}");
    }

    #[test]
    fn trailing_bytes_are_an_error() {
        let bytes = idx(8, &[1, 2], &[1, 2, 3]);
        assert!(matches!(all(&bytes), Err(IdxError::Trailing { promised: 2 })));
        let checked = Records::new(bytes.as_slice()).unwrap().check(&|| false);
        assert!(matches!(checked, Err(IdxError::Trailing { promised: 2 })));
    }

    proptest! {
        /// Whatever the bytes, the decoder ends with records or an error.
        #[test]
        fn any_bytes_end_well(bytes in prop::collection::vec(any::<u8>(), 0..200)) {
            let _ = all(&bytes);
        }

        /// Whatever the header says, what is read never exceeds what is there.
        #[test]
        fn any_header_ends_well(
            code in 7u8..16,
            dims in prop::collection::vec(any::<u32>(), 0..6),
            data in prop::collection::vec(any::<u8>(), 0..100),
        ) {
            let bytes = idx(code, &dims, &data);
            if let Ok(mut records) = Records::new(bytes.as_slice()) {
                // Records of no bytes cost no data, so their number is unbounded: look at a few.
                let mut total = 0;
                for _ in 0..200 {
                    match records.next_record() {
                        Ok(Some(record)) => {
                            // A vector grows by doubling; nothing else may enlarge it.
                            prop_assert!(record.capacity() <= 1 << 16);
                            total += record.len();
                        }
                        Ok(None) | Err(_) => break,
                    }
                }
                prop_assert!(total <= data.len());
            }
        }

        /// Every shorter version of a sound file is an error, both ways of reading it.
        #[test]
        fn any_truncation_is_an_error(
            records in 1u32..5, rows in 1u32..5, cols in 1u32..5, cut in 1usize..200,
        ) {
            let bytes = idx(8, &[records, rows, cols], &vec![7; (records * rows * cols) as usize]);
            prop_assert!(all(&bytes).is_ok());
            let short = &bytes[..bytes.len().saturating_sub(cut)];
            prop_assert!(all(short).is_err());
            prop_assert!(Records::new(short).and_then(|records| records.check(&|| false)).is_err());
        }
    }
}
