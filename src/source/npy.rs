//! numpy's `.npy` format: a header in Python's notation, then the values
//! (<https://numpy.org/doc/stable/reference/generated/numpy.lib.format.html>).

use std::io::Read;
use std::panic::catch_unwind;

use npyz::{DType, Endianness, NpyHeader, Order, TypeChar};

use super::array::{ArrayError, Dtype, Endian, Header, Shape};

/// What a `.npy` array begins with, up to four bytes.
pub(super) const MAGIC: [u8; 4] = *b"\x93NUM";

/// The longest header text that is read, in bytes: numpy itself reads no more than 10,000.
const LONGEST_TEXT: usize = 10_000;

fn refused(why: impl Into<String>) -> ArrayError {
    ArrayError::Npy(why.into())
}

/// Reads a header whose first four bytes, [`MAGIC`], are read already.
///
/// # Errors
/// No such header; values that are no numbers, Python objects above all, which are pickles; Fortran's
/// order of several dimensions.
pub(super) fn header(reader: &mut impl Read) -> Result<Header, ArrayError> {
    let mut bytes = MAGIC.to_vec();
    let mut more = |bytes: &mut Vec<u8>, wanted: usize| {
        let read = reader.take(wanted as u64).read_to_end(bytes)?;
        if read < wanted { Err(ArrayError::HeaderCutOff(bytes.len() as u64)) } else { Ok(()) }
    };
    more(&mut bytes, 6)?;
    // The length of the text takes two bytes in version 1 and four later, the lowest first.
    if bytes.get(6) != Some(&1) {
        more(&mut bytes, 2)?;
    }
    let length = bytes.get(8..).unwrap_or(&[]).iter().rev();
    let length = length.fold(0, |length, &byte| length << 8 | usize::from(byte));
    if length > LONGEST_TEXT {
        return Err(refused(format!("its header has {length} bytes; numpy reads {LONGEST_TEXT}")));
    }
    more(&mut bytes, length)?;
    // The crate multiplies dimensions without looking, which panics where overflow is checked.
    let parsed = catch_unwind(|| NpyHeader::from_reader(bytes.as_slice()))
        .map_err(|_| refused("its dimensions multiply to more than any file can hold"))?;
    let parsed = parsed.map_err(|e| refused(e.to_string()))?;
    let (dtype, endian) = dtype(&parsed.dtype())?;
    if parsed.order() == Order::Fortran && parsed.shape().len() > 1 {
        return Err(refused(
            "it is in Fortran's order; save numpy.ascontiguousarray(…) of it instead",
        ));
    }
    let dims = parsed.shape().iter().map(|&dim| u32::try_from(dim)).collect::<Result<_, _>>();
    let shape = Shape(dims.map_err(|_| refused("a dimension is above 4,294,967,295"))?);
    Header { dtype, endian, shape, len: bytes.len() as u64 }.checked()
}

fn dtype(dtype: &DType) -> Result<(Dtype, Endian), ArrayError> {
    if dtype.uses_pickled_array() {
        return Err(refused("it holds Python objects, a pickle, which is never read"));
    }
    let unknown = || refused(format!("it holds {}; numbers are wanted", dtype.descr()));
    let DType::Plain(plain) = dtype else { return Err(unknown()) };
    let of = match (plain.type_char(), plain.size_field()) {
        (TypeChar::Bool | TypeChar::Uint, 1) => Dtype::U8,
        (TypeChar::Uint, 2) => Dtype::U16,
        (TypeChar::Uint, 4) => Dtype::U32,
        (TypeChar::Uint, 8) => Dtype::U64,
        (TypeChar::Int, 1) => Dtype::I8,
        (TypeChar::Int, 2) => Dtype::I16,
        (TypeChar::Int, 4) => Dtype::I32,
        (TypeChar::Int, 8) => Dtype::I64,
        (TypeChar::Float, 4) => Dtype::F32,
        (TypeChar::Float, 8) => Dtype::F64,
        _ => return Err(unknown()),
    };
    let endian = if plain.endianness() == Endianness::Big { Endian::Big } else { Endian::Little };
    Ok((of, endian))
}

#[cfg(test)]
mod tests {
    use super::super::array::Records;
    use super::*;
    use proptest::prelude::*;

    /// A `.npy` file of version 1 as numpy writes it.
    fn npy(descr: &str, order: &str, shape: &str, data: &[u8]) -> Vec<u8> {
        let text = format!("{{'descr': {descr}, 'fortran_order': {order}, 'shape': {shape}, }}");
        let mut bytes = b"\x93NUMPY\x01\x00".to_vec();
        let padded = (10 + text.len() + 1).next_multiple_of(64) - 10;
        bytes.extend(u16::try_from(padded).unwrap().to_le_bytes());
        bytes.extend(text.as_bytes());
        bytes.resize(10 + padded - 1, b' ');
        bytes.push(b'\n');
        bytes.extend(data);
        bytes
    }

    fn open(bytes: &[u8]) -> Result<Records<&[u8]>, ArrayError> {
        Records::open(bytes)
    }

    fn says(bytes: &[u8]) -> String {
        open(bytes).unwrap_err().to_string()
    }

    #[test]
    fn reads_records_in_order() {
        let bytes = npy("'|u1'", "False", "(2, 1, 3)", &[1, 2, 3, 4, 5, 6]);
        let mut records = open(&bytes).unwrap();
        assert_eq!(records.next_record().unwrap().unwrap(), [1, 2, 3]);
        assert_eq!(records.next_record().unwrap().unwrap(), [4, 5, 6]);
        assert_eq!(records.next_record().unwrap(), None);
        let long = open(&[&*bytes, &[0]].concat()).unwrap().check(&|| false);
        assert!(matches!(long, Err(ArrayError::Trailing { promised: 6 })));
        let short = open(&bytes[..bytes.len() - 1]).unwrap().check(&|| false);
        assert!(matches!(short, Err(ArrayError::Truncated { promised: 6, found: 5 })));
    }

    #[test]
    fn knows_the_types_of_numbers() {
        for (descr, dtype, endian) in [
            ("'<i8'", Dtype::I64, Endian::Little),
            ("'>u2'", Dtype::U16, Endian::Big),
            ("'|b1'", Dtype::U8, Endian::Little),
            ("'<f4'", Dtype::F32, Endian::Little),
        ] {
            let bytes = npy(descr, "True", "(7,)", &[]);
            let records = open(&bytes).unwrap();
            assert_eq!((records.header().dtype, records.header().endian), (dtype, endian));
        }
    }

    #[test]
    fn refuses_what_is_no_array_of_numbers() {
        assert!(says(&npy("'|O'", "False", "(7,)", &[])).contains("a pickle, which is never read"));
        for descr in ["'<c8'", "'<U3'", "'<M8[s]'", "[('a', '<i4')]", "'<f2'"] {
            assert!(says(&npy(descr, "False", "(7,)", &[])).contains("numbers are wanted"));
        }
        assert!(says(&npy("'|u1'", "True", "(7, 2)", &[])).contains("Fortran"));
        assert!(says(&npy("'|u1'", "False", "(-7,)", &[])).contains("negative"));
        assert!(says(&npy("'|u1'", "False", "(4294967296,)", &[])).contains("4,294,967,295"));
        let huge = "(4294967295, 4294967295, 4294967295)";
        assert!(says(&npy("'|u1'", "False", huge, &[])).contains("more than any file can hold"));
        assert!(says(b"\x93NUMPY\x02\x00\xff\xff\xff\xff").contains("4294967295 bytes"));
        assert!(says(b"\x93NUMPY\x01\x00\x76\x00{'descr'").contains("cut off"));
        assert!(says(b"\x93NUMPY\x01\x00\x03\x00{}\n").contains("not a usable .npy array"));
        assert!(says(&npy(&"(".repeat(9_000), "", "", &[])).contains("not a usable .npy array"));
    }

    proptest! {
        #[test]
        fn any_text_ends_well(text in "[0-9a-z'(),:{}\\[\\]|<> _]{0,80}") {
            let mut bytes = b"\x93NUMPY\x01\x00".to_vec();
            bytes.extend(u16::try_from(text.len()).unwrap().to_le_bytes());
            bytes.extend(text.as_bytes());
            let _ = open(&bytes);
        }

        #[test]
        fn any_shape_ends_well(dims in prop::collection::vec(any::<u64>(), 0..5)) {
            let dims: Vec<_> = dims.iter().map(|dim| format!("{dim},")).collect();
            let _ = open(&npy("'<f8'", "False", &format!("({})", dims.concat()), &[]));
        }
    }
}
