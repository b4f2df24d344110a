//! From a record's bytes to pixels or to a label, whatever the type of their values.

use super::array::{Dtype, Endian, Header};
use crate::model::Size;

/// Which values are black and white.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Range {
    /// The value that becomes 0.
    pub black: f64,
    /// The value that becomes 255.
    pub white: f64,
}

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
        Dtype::U8 => number!(u8).into(),
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

fn floats<'a>(header: &'a Header, record: &'a [u8]) -> impl Iterator<Item = f64> + 'a {
    let size = usize::try_from(header.dtype.size()).unwrap_or(1);
    record.chunks_exact(size).filter_map(|bytes| float(header.dtype, header.endian, bytes))
}

/// The pixels of a record, a byte each. Values from black to white are spread over 0 to 255 and
/// rounded; without a range bytes stay what they are.
///
/// # Errors
/// A value that is not a number, or outside of the range.
pub(super) fn pixels(
    header: &Header,
    record: Vec<u8>,
    range: Option<Range>,
) -> Result<Vec<u8>, String> {
    let Some(Range { black, white }) = range else { return Ok(record) };
    let (low, high) = (black.min(white), black.max(white));
    floats(header, &record)
        .map(|value| {
            if value.is_nan() {
                return Err("holds a value that is not a number (NaN)".to_owned());
            }
            if !(low..=high).contains(&value) {
                return Err(format!("holds {value}, outside of source.range = [{black}, {white}]"));
            }
            #[allow(clippy::cast_possible_truncation, clippy::cast_sign_loss)] // 0 to 255
            Ok(((value - black) / (white - black) * 255.0).round() as u8)
        })
        .collect()
}

/// The label in a record of labels: its value number `column`.
///
/// # Errors
/// A label below zero or above 4,294,967,294.
pub(super) fn label(header: &Header, record: &[u8], column: u32) -> Result<u32, String> {
    let value = floats(header, record).nth(column as usize).unwrap_or(-1.0);
    // The highest value stands for no label.
    if !(0.0..f64::from(u32::MAX)).contains(&value) {
        return Err(format!("has the label {value}; labels are whole numbers from 0"));
    }
    #[allow(clippy::cast_possible_truncation, clippy::cast_sign_loss)] // in range, and whole
    Ok(value as u32)
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
    use super::super::array::Shape;
    use super::*;

    fn header(dtype: Dtype, endian: Endian) -> Header {
        Header { dtype, endian, shape: Shape(vec![1, 3]), len: 0 }
    }

    #[test]
    fn values_are_spread_between_black_and_white() {
        let range = |black, white| Some(Range { black, white });
        let halves: Vec<u8> = [0.0_f32, 0.5, 1.0].iter().flat_map(|v| v.to_be_bytes()).collect();
        let floats = header(Dtype::F32, Endian::Big);
        assert_eq!(pixels(&floats, halves.clone(), range(0.0, 1.0)).unwrap(), [0, 128, 255]);
        assert_eq!(pixels(&floats, halves.clone(), range(1.0, 0.0)).unwrap(), [255, 128, 0]);
        let outside = pixels(&floats, halves, range(0.0, 0.5)).unwrap_err();
        assert_eq!(outside, "holds 1, outside of source.range = [0, 0.5]");
        let nan = pixels(&floats, f32::NAN.to_be_bytes().to_vec(), range(0.0, 1.0)).unwrap_err();
        assert!(nan.contains("NaN"), "{nan}");
        let wide: Vec<u8> = [0_u16, 4095, 2048].iter().flat_map(|v| v.to_le_bytes()).collect();
        let wide = pixels(&header(Dtype::U16, Endian::Little), wide, range(0.0, 4095.0));
        assert_eq!(wide.unwrap(), [0, 255, 128]);
        assert_eq!(pixels(&header(Dtype::U8, Endian::Big), vec![3, 4], None).unwrap(), [3, 4]);
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
