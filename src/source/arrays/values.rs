//! From a record's bytes to pixels or to a label, whatever the type of their values.

use super::header::{Dtype, Endian, Header};
use crate::model::Size;
use crate::source::options::Range;

/// One value as a float: exact for all integers of up to 53 bits.
fn float(dtype: Dtype, endian: Endian, bytes: &[u8]) -> Option<f64> {
    macro_rules! number {
        ($type:ty) => {{
            let bytes = bytes.try_into().ok()?;
            match endian {
                Endian::Big => <$type>::from_be_bytes(bytes),
                Endian::Little => <$type>::from_le_bytes(bytes),
            }
        }};
    }
    Some(match dtype {
        Dtype::U8 | Dtype::Bool => number!(u8).into(),
        Dtype::I8 => number!(i8).into(),
        Dtype::U16 => number!(u16).into(),
        Dtype::I16 => number!(i16).into(),
        Dtype::U32 => number!(u32).into(),
        Dtype::I32 => number!(i32).into(),
        Dtype::U64 => number!(u64) as f64,
        Dtype::I64 => number!(i64) as f64,
        Dtype::F32 => number!(f32).into(),
        Dtype::F64 => number!(f64),
    })
}

fn floats(dtype: Dtype, endian: Endian, values: &[u8]) -> impl Iterator<Item = f64> {
    let size = usize::try_from(dtype.size()).unwrap_or(1);
    values.chunks_exact(size).filter_map(move |bytes| float(dtype, endian, bytes))
}

/// Adds the pixels of whole values, a byte each: from black to white they are spread over 0 to 255 and
/// rounded.
///
/// # Errors
/// A value that is not a number, or outside of the range.
pub(super) fn pixels(
    dtype: Dtype,
    endian: Endian,
    values: &[u8],
    Range { black, white }: Range,
    into: &mut Vec<u8>,
) -> Result<(), String> {
    let (low, high) = (black.min(white), black.max(white));
    for value in floats(dtype, endian, values) {
        if value.is_nan() {
            return Err("holds a value that is not a number (NaN)".to_owned());
        }
        if !(low..=high).contains(&value) {
            return Err(format!("holds {value}, outside of source.range = [{black}, {white}]"));
        }
        #[allow(clippy::cast_possible_truncation, clippy::cast_sign_loss)] // 0 to 255
        into.push(((value - black) / (white - black) * 255.0).round() as u8);
    }
    Ok(())
}

/// The label in a record of labels: its value number `column`.
///
/// # Errors
/// A label below zero or above 4,294,967,294.
pub(super) fn label(header: &Header, record: &[u8], column: u32) -> Result<u32, String> {
    let size = usize::try_from(header.dtype.size()).unwrap_or(1);
    let at = column as usize * size;
    let value = float(header.dtype, header.endian, &record[at..at + size]).unwrap_or(-1.0);
    // The highest value stands for no label.
    if !(0.0..f64::from(u32::MAX)).contains(&value) {
        return Err(format!("has the label {value}; labels are whole numbers from 0"));
    }
    #[allow(clippy::cast_possible_truncation, clippy::cast_sign_loss)] // in range, and whole
    Ok(value as u32)
}

/// The label in a record of one value a class: which of them is 1, where all others are 0.
///
/// # Errors
/// Other values, or not exactly one 1.
pub(super) fn one_hot(header: &Header, record: &[u8]) -> Result<u32, String> {
    let mut label = None;
    for (class, value) in (0..).zip(floats(header.dtype, header.endian, record)) {
        #[allow(clippy::float_cmp)] // 0 and 1 are exact
        match label {
            None if value == 1.0 => label = Some(class),
            _ if value == 0.0 => {}
            _ => return Err("is not one-hot: one value is 1 and all others are 0".to_owned()),
        }
    }
    label.ok_or_else(|| "is not one-hot: no value is 1".to_owned())
}

/// Exchanges rows and columns of an image of this size.
pub(super) fn transpose(pixels: &[u8], size: Size) -> Vec<u8> {
    let (rows, cols) = (size.rows as usize, size.cols as usize);
    let channels = usize::from(size.channels);
    let mut turned = Vec::with_capacity(pixels.len());
    for col in 0..cols {
        for row in 0..rows {
            let at = (row * cols + col) * channels;
            turned.extend_from_slice(&pixels[at..at + channels]);
        }
    }
    turned
}

#[cfg(test)]
mod tests {
    use super::super::header::Shape;
    use super::*;

    fn header(dtype: Dtype, endian: Endian) -> Header {
        Header { dtype, endian, shape: Shape(vec![1, 3]), len: 0 }
    }

    #[test]
    fn a_one_among_zeros_is_a_label() {
        let bytes = header(Dtype::U8, Endian::Big);
        assert_eq!(one_hot(&bytes, &[0, 0, 1]), Ok(2));
        assert_eq!(one_hot(&bytes, &[1, 0, 0]), Ok(0));
        for wrong in [[0, 0, 0], [1, 0, 1], [0, 2, 0], [1, 2, 0]] {
            assert!(one_hot(&bytes, &wrong).is_err(), "{wrong:?}");
        }
        let halves: Vec<u8> = [0.0_f32, 1.0, 0.0].iter().flat_map(|v| v.to_le_bytes()).collect();
        assert_eq!(one_hot(&header(Dtype::F32, Endian::Little), &halves), Ok(1));
    }

    #[test]
    fn values_are_spread_between_black_and_white() {
        let pixels = |dtype, endian, values: &[u8], black, white| {
            let mut into = Vec::new();
            pixels(dtype, endian, values, Range { black, white }, &mut into).map(|()| into)
        };
        let halves: Vec<u8> = [0.0_f32, 0.5, 1.0].iter().flat_map(|v| v.to_be_bytes()).collect();
        let floats = |black, white| pixels(Dtype::F32, Endian::Big, &halves, black, white);
        assert_eq!(floats(0.0, 1.0).unwrap(), [0, 128, 255]);
        assert_eq!(floats(1.0, 0.0).unwrap(), [255, 128, 0]);
        let outside = floats(0.0, 0.5).unwrap_err();
        assert_eq!(outside, "holds 1, outside of source.range = [0, 0.5]");
        let nan = pixels(Dtype::F32, Endian::Big, &f32::NAN.to_be_bytes(), 0.0, 1.0).unwrap_err();
        assert!(nan.contains("NaN"), "{nan}");
        let wide: Vec<u8> = [0_u16, 4095, 2048].iter().flat_map(|v| v.to_le_bytes()).collect();
        let wide = pixels(Dtype::U16, Endian::Little, &wide, 0.0, 4095.0);
        assert_eq!(wide.unwrap(), [0, 255, 128]);
        let bools = pixels(Dtype::Bool, Endian::Little, &[0, 1], 0.0, 1.0);
        assert_eq!(bools.unwrap(), [0, 255]);
    }

    #[test]
    fn labels_are_whole_numbers_from_zero() {
        let row: Vec<u8> = [7_i32, -1, 70_000].iter().flat_map(|v| v.to_be_bytes()).collect();
        let header = header(Dtype::I32, Endian::Big);
        assert_eq!(label(&header, &row, 0), Ok(7));
        assert_eq!(label(&header, &row, 2), Ok(70_000));
        assert!(label(&header, &row, 1).unwrap_err().contains("has the label -1"));
    }

    #[test]
    fn rows_become_columns() {
        let size = |rows, cols, channels| Size { rows, cols, channels };
        assert_eq!(transpose(&[1, 2, 3, 4, 5, 6], size(2, 3, 1)), [1, 4, 2, 5, 3, 6]);
        assert_eq!(transpose(&[1, 1, 2, 2], size(1, 2, 2)), [1, 1, 2, 2]);
        assert_eq!(transpose(&[1, 1, 2, 2, 3, 3, 4, 4], size(2, 2, 2)), [1, 1, 3, 3, 2, 2, 4, 4]);
    }
}
