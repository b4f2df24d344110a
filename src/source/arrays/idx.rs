//! The IDX format: a header that names a type and a shape, then the data.
//!
//! Layout, as described at <http://yann.lecun.com/exdb/mnist/>:
//! two zero bytes, one byte for the type, one for the number of dimensions, each
//! dimension as a big-endian `u32`, then the values, row-major and big-endian.
//! The first dimension counts the records.

use std::io::{self, Read};

use super::header::{ArrayError, Dtype, Endian, Header, Shape};

/// The bytes that an IDX file begins with.
pub(super) const MAGIC: [u8; 2] = [0, 0];

fn dtype(code: u8) -> Option<Dtype> {
    Some(match code {
        0x08 => Dtype::U8,
        0x09 => Dtype::I8,
        0x0B => Dtype::I16,
        0x0C => Dtype::I32,
        0x0D => Dtype::F32,
        0x0E => Dtype::F64,
        _ => return None,
    })
}

/// Reads a header of `4 + 4 × ndim` bytes, of which the first up to four are `magic`.
///
/// # Errors
/// Anything that is not an IDX header, and a shape whose size overflows 64 bits.
pub(super) fn header(magic: &[u8], reader: &mut dyn Read) -> Result<Header, ArrayError> {
    let &[0, 0, code, ndim] = magic else {
        return Err(ArrayError::NotIdx(magic.to_owned()));
    };
    let dtype = dtype(code).ok_or(ArrayError::UnknownType(code))?;
    let mut dims = Vec::with_capacity(ndim.into());
    for read in 0..u64::from(ndim) {
        let mut dim = [0; 4];
        reader.read_exact(&mut dim).map_err(|e| match e.kind() {
            io::ErrorKind::UnexpectedEof => ArrayError::HeaderCutOff(4 + 4 * read),
            _ => ArrayError::Io(e),
        })?;
        dims.push(u32::from_be_bytes(dim));
    }
    let len = 4 + 4 * u64::from(ndim);
    Header { dtype, endian: Endian::Big, shape: Shape(dims), len }.checked()
}

#[cfg(test)]
mod tests {
    use super::super::records::ArrayRecords;
    use super::super::stream;
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

    fn open(bytes: &[u8]) -> Result<ArrayRecords<&[u8]>, ArrayError> {
        stream::records(bytes)
    }

    fn all(bytes: &[u8]) -> Result<Vec<Vec<u8>>, ArrayError> {
        let mut records = open(bytes)?;
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
            let bytes = idx(code, &[1, 3], &[]);
            let records = open(&bytes).unwrap();
            let header = records.header();
            assert_eq!((header.dtype.to_string().as_str(), header.record_len()), (name, 3 * size));
        }
        let bytes = idx(0xA, &[1], &[]);
        let odd = open(&bytes);
        assert!(matches!(odd, Err(ArrayError::UnknownType(0xA))));
    }

    #[test]
    fn names_what_it_found_instead() {
        let says = |bytes: &[u8]| open(bytes).unwrap_err().to_string();
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
            let got = open(&bytes);
            assert!(matches!(got, Err(ArrayError::Overflow(_))), "{dims:?}");
        }
    }

    #[test]
    fn a_promise_of_four_billion_records_costs_nothing() {
        let bytes = idx(8, &[u32::MAX, 28, 28], &[0; 20]);
        let got = open(&bytes).unwrap().next_record();
        assert!(matches!(got, Err(ArrayError::Truncated { found: 20, .. })), "{got:?}");
        let bytes = idx(8, &[1, 65_535, 65_535], &[0; 20]);
        let got = open(&bytes).unwrap().next_record();
        assert!(matches!(got, Err(ArrayError::Truncated { found: 20, .. })), "{got:?}");
    }

    #[test]
    fn trailing_bytes_are_an_error() {
        let bytes = idx(8, &[1, 2], &[1, 2, 3]);
        assert!(matches!(all(&bytes), Err(ArrayError::Trailing { promised: 2 })));
        let checked = open(&bytes).unwrap().check(&|| false);
        assert!(matches!(checked, Err(ArrayError::Trailing { promised: 2 })));
    }

    proptest! {
        /// Whatever the bytes, the decoder ends with records or an error.
        #[test]
        fn any_bytes_end_well(bytes in prop::collection::vec(any::<u8>(), 0..200)) {
            if let Ok(records) = all(&bytes) {
                prop_assert!(records.iter().map(Vec::len).sum::<usize>() < bytes.len());
            }
        }

        /// Whatever the header says, no more is read than the data that follows.
        #[test]
        fn any_header_ends_well(
            code in 7u8..16,
            dims in prop::collection::vec(any::<u32>(), 0..6),
            data in prop::collection::vec(any::<u8>(), 0..100),
        ) {
            let bytes = idx(code, &dims, &data);
            if let Ok(mut records) = open(&bytes) {
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
            prop_assert!(open(short).and_then(|records| records.check(&|| false)).is_err());
        }
    }
}
