//! numpy's `.npy` format: a header in Python's notation, then the values
//! (<https://numpy.org/doc/stable/reference/generated/numpy.lib.format.html>).

use std::io::Read;

use super::header::{ArrayError, Dtype, Endian, Header, Shape};
use super::python::{Value, parse};

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
pub(super) fn header(magic: &[u8], reader: &mut dyn Read) -> Result<Header, ArrayError> {
    let mut bytes = magic.to_vec();
    let mut more = |bytes: &mut Vec<u8>, wanted: usize| {
        let read = reader.take(wanted as u64).read_to_end(bytes)?;
        if read < wanted { Err(ArrayError::HeaderCutOff(bytes.len() as u64)) } else { Ok(()) }
    };
    more(&mut bytes, 6)?;
    // The length of the text takes two bytes in version 1 and four later, the lowest first.
    if bytes[6] != 1 {
        more(&mut bytes, 2)?;
    }
    let start = bytes.len();
    let length = bytes[8..].iter().rev();
    let length = length.fold(0, |length, &byte| length << 8 | usize::from(byte));
    if length > LONGEST_TEXT {
        return Err(refused(format!("its header has {length} bytes; numpy reads {LONGEST_TEXT}")));
    }
    more(&mut bytes, length)?;
    let text = String::from_utf8_lossy(&bytes[start..]);
    let value = parse(text.trim_end()).map_err(|e| refused(format!("its header {e}")))?;
    let item =
        |key: &str| value.item(key).ok_or_else(|| refused(format!("its header has no {key:?}")));
    let (dtype, endian) = dtype(item("descr")?)?;
    let shape = shape(item("shape")?)?;
    match item("fortran_order")? {
        Value::Bool(true) if shape.0.len() > 1 => {
            return Err(refused(
                "it is in Fortran's order; save numpy.ascontiguousarray(…) of it instead",
            ));
        }
        Value::Bool(_) => {}
        _ => return Err(refused("fortran_order in its header is not True or False")),
    }
    Header { dtype, endian, shape, len: bytes.len() as u64 }.checked()
}

fn shape(value: &Value) -> Result<Shape, ArrayError> {
    let Value::Sequence(dims) = value else { return Err(refused("its shape is not a tuple")) };
    let dim = |value: &Value| match value {
        Value::Integer(dim) if dim.is_negative() => Err(refused("a dimension is negative")),
        Value::Integer(dim) => {
            u32::try_from(*dim).map_err(|_| refused("a dimension is above 4,294,967,295"))
        }
        _ => Err(refused("its shape has a dimension that is not a whole number")),
    };
    Ok(Shape(dims.iter().map(dim).collect::<Result<_, _>>()?))
}

/// The type in numpy's notation: the order of the bytes, a letter, and the bytes of a value
/// (<https://numpy.org/doc/stable/reference/arrays.interface.html>).
fn dtype(descr: &Value) -> Result<(Dtype, Endian), ArrayError> {
    let Value::String(text) = descr else {
        return Err(refused("it holds records of several fields; numbers are wanted"));
    };
    let (endian, of) = match text.split_at_checked(1) {
        Some((">", of)) => (Endian::Big, of),
        Some(("<" | "|" | "=", of)) => (Endian::Little, of),
        _ => (Endian::Little, &**text),
    };
    let dtype = match of {
        "b1" | "?" => Dtype::Bool,
        "u1" => Dtype::U8,
        "u2" => Dtype::U16,
        "u4" => Dtype::U32,
        "u8" => Dtype::U64,
        "i1" => Dtype::I8,
        "i2" => Dtype::I16,
        "i4" => Dtype::I32,
        "i8" => Dtype::I64,
        "f4" => Dtype::F32,
        "f8" => Dtype::F64,
        "f2" => {
            return Err(refused("it holds float16; save it as float32: array.astype('float32')"));
        }
        of if of.starts_with('O') => {
            return Err(refused("it holds Python objects, a pickle, which is never read"));
        }
        _ => return Err(refused(format!("it holds {text:?}; numbers are wanted"))),
    };
    Ok((dtype, endian))
}

#[cfg(test)]
mod tests {
    use super::super::records::ArrayRecords;
    use super::super::stream;
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

    fn open(bytes: &[u8]) -> Result<ArrayRecords<&[u8]>, ArrayError> {
        stream::records(bytes)
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
            ("'|b1'", Dtype::Bool, Endian::Little),
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
        for descr in ["'<c8'", "'<U3'", "'<M8[s]'", "[('a', '<i4')]", "'é'"] {
            assert!(says(&npy(descr, "False", "(7,)", &[])).contains("numbers are wanted"));
        }
        assert!(says(&npy("'<f2'", "False", "(7,)", &[])).contains("save it as float32"));
        assert!(says(&npy("'|u1'", "True", "(7, 2)", &[])).contains("Fortran"));
        assert!(says(&npy("'|u1'", "1", "(7,)", &[])).contains("fortran_order"));
        assert!(says(&npy("'|u1'", "False", "7", &[])).contains("its shape is not a tuple"));
        assert!(says(&npy("'|u1'", "False", "(7.5,)", &[])).contains("its header"));
        assert!(says(&npy("'|u1'", "False", "(-7,)", &[])).contains("negative"));
        assert!(says(&npy("'|u1'", "False", "(4294967296,)", &[])).contains("4,294,967,295"));
        let huge = "(4294967295, 4294967295, 4294967295)";
        assert!(says(&npy("'|u1'", "False", huge, &[])).contains("more than any file can hold"));
        assert!(says(b"\x93NUMPY\x02\x00\xff\xff\xff\xff").contains("4294967295 bytes"));
        assert!(says(b"\x93NUMPY\x01\x00\x76\x00{'descr'").contains("cut off"));
        assert!(says(b"\x93NUMPY\x01\x00\x03\x00{}\n").contains("has no \"descr\""));
        assert!(says(&npy(&"(".repeat(9_000), "", "", &[])).contains("not a usable .npy array"));
    }

    proptest! {
        #[test]
        fn any_text_ends_well(text in "[0-9a-z'(),:{}\\[\\]|<> _]{0,80}") {
            let mut bytes = b"\x93NUMPY\x01\x00".to_vec();
            bytes.extend(u16::try_from(text.len()).unwrap().to_le_bytes());
            bytes.extend(text.as_bytes());
            // An error, not a panic: this is hardly ever a header.
            prop_assert!(open(&bytes).is_err() || text.contains("descr"));
        }

        /// Small dimensions are taken, and those whose product fits no file are refused.
        #[test]
        fn any_shape_ends_well(dims in prop::collection::vec(any::<u64>(), 0..5)) {
            let text: Vec<_> = dims.iter().map(|dim| format!("{dim},")).collect();
            let file = npy("'<f8'", "False", &format!("({})", text.concat()), &[]);
            let opened = open(&file);
            let fits = dims.iter().all(|dim| u32::try_from(*dim).is_ok());
            let bytes = dims.iter().fold(1_u128, |n, &dim| n.saturating_mul(dim.into()));
            if !fits {
                prop_assert!(opened.is_err());
            } else if bytes > 0 {
                prop_assert_eq!(opened.is_ok(), bytes < u128::from(u64::MAX) / 8 - 128);
            }
        }
    }
}
