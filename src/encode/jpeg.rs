//! Baseline JPEG (ITU-T T.81) of one grey component, made for many small pictures: what is the same
//! for all of one quality is made once, by the `image` crate.
//!
//! The bytes are those of that crate's encoder, for any picture.

use image::ExtendedColorType;
use image::codecs::jpeg::JpegEncoder;

use super::dct::{self, Block};
use super::tables::{self, Code, ZIGZAG};

const DC: [Code; 256] = tables::DC.codes();
const AC: [Code; 256] = tables::AC.codes();

/// Markers of segments (T.81, table B.1): a quantisation table, the frame with the picture's size, and
/// the scan's own, the last before the first block.
const QUANTISATION: u8 = 0xDB;
const FRAME: u8 = 0xC0;
const SCAN: u8 = 0xDA;

/// The symbol for 16 zeros that are followed by another coefficient.
const ZEROS: usize = 0xF0;

/// The symbol for nothing but zeros until the block's end.
const END: usize = 0x00;

/// Bits of fraction of the reciprocals that stand for a division.
const RECIPROCAL: u32 = 20;

/// Encodes pictures to JPEG of one quality.
#[derive(Debug)]
pub(super) struct Jpeg {
    /// All bytes before the first block, for a picture of 8 × 8.
    header: Vec<u8>,
    /// Where in it the height stands, two bytes, and after it the width, two bytes.
    size_at: usize,
    /// For each coefficient, row by row: what is added to round, and by what it is multiplied.
    steps: [(u32, u32); 64],
}

impl Jpeg {
    pub(super) fn new(quality: u8) -> Self {
        let (header, table, size_at) = header(quality);
        let mut steps = [(0, 0); 64];
        for (&i, step) in ZIGZAG.iter().zip(table.map(u32::from)) {
            // Exact for the coefficients there are: at most 1,024, by steps of at most 255.
            steps[usize::from(i)] = (step / 2, (1 << RECIPROCAL) / step.max(1) + 1);
        }
        Self { header, size_at, steps }
    }

    /// Encodes `rows × cols` pixels, of which there is at least one, and no more than 65,535 each way.
    pub(super) fn encode(&self, pixels: &[u8], rows: usize, cols: usize) -> Vec<u8> {
        // Half a byte a pixel is plenty for most pictures.
        let mut bits = Bits::after(&self.header, pixels.len() / 2 + 64);
        let size = (rows << 16 | cols).to_be_bytes();
        bits.bytes[self.size_at..self.size_at + 4].copy_from_slice(&size[size.len() - 4..]);
        let mut mean = 0;
        for top in (0..rows).step_by(8) {
            for left in (0..cols).step_by(8) {
                let block = block(pixels, rows, cols, top, left);
                let coefficients = self.quantised(&dct::forward(&block));
                bits.block(&coefficients, mean);
                mean = coefficients[0];
            }
        }
        bits.finish()
    }

    /// Coefficients divided by their steps, halves away from zero.
    fn quantised(&self, block: &Block) -> [i32; 64] {
        let coefficients = block.as_flattened();
        let mut quantised = [0; 64];
        for i in 0..64 {
            let (half, reciprocal) = self.steps[i];
            // The transform's factor of eight goes first, and what it leaves is cut off.
            let size = (coefficients[i].unsigned_abs() >> 3) + half;
            let size = ((size * reciprocal) >> RECIPROCAL).cast_signed();
            quantised[i] = if coefficients[i] < 0 { -size } else { size };
        }
        quantised
    }
}

/// The samples of a block, columns as rows. Beyond the picture's edges its last pixels go on.
fn block(pixels: &[u8], rows: usize, cols: usize, top: usize, left: usize) -> Block {
    let mut block = [[0; 8]; 8];
    for row in 0..8_usize {
        let start = (top + row).min(rows - 1) * cols;
        let line = &pixels[start..start + cols];
        let samples: [u8; 8] = line[left..]
            .first_chunk()
            .copied()
            .unwrap_or_else(|| std::array::from_fn(|column| line[(left + column).min(cols - 1)]));
        for (column, sample) in block.iter_mut().zip(samples) {
            column[row] = i32::from(sample) - 128;
        }
    }
    block
}

/// What the `image` crate writes before the first block of a picture of 8 × 8, the quantisation table
/// in it in zigzag order, and where in it the picture's height and width stand.
fn header(quality: u8) -> (Vec<u8>, [u8; 64], usize) {
    let mut file = Vec::new();
    // A `Vec` takes all that is written.
    let _ = JpegEncoder::new_with_quality(&mut file, quality).encode(
        &[0; 64],
        8,
        8,
        ExtendedColorType::L8,
    );
    let (mut table, mut size_at) = ([1; 64], 0);
    // The start of the image is two bytes; each segment has a marker of two and its length in two.
    let mut at = 2;
    while let Some(&[0xFF, marker, high, low]) = file.get(at..).and_then(<[u8]>::first_chunk) {
        let content = at + 4;
        at += 2 + usize::from(u16::from_be_bytes([high, low]));
        match marker {
            QUANTISATION => {
                // Its first byte is the table's number.
                if let Some(steps) = file[content + 1..].first_chunk() {
                    table = *steps;
                }
            }
            // Its first byte is the bits of a sample.
            FRAME => size_at = content + 1,
            SCAN => break,
            _ => {}
        }
    }
    file.truncate(at);
    (file, table, size_at)
}

/// The bits of one block: at most 64 codes of 16 bits, each with a value of 11, and what is written
/// beyond the end of the last.
const LONGEST_BLOCK: usize = 64 * 27 / 8 + 16;

/// Writes bits, the highest first.
struct Bits {
    bytes: Vec<u8>,
    /// Bits that wait, from the highest one down.
    waiting: u64,
    /// How many; fewer than 8 between two calls.
    count: u32,
    /// Bytes of the block that is being written.
    block: [u8; LONGEST_BLOCK],
    length: usize,
}

impl Bits {
    fn after(header: &[u8], room: usize) -> Self {
        let mut bytes = Vec::with_capacity(header.len() + room);
        bytes.extend_from_slice(header);
        Self { bytes, waiting: 0, count: 0, block: [0; LONGEST_BLOCK], length: 0 }
    }

    /// Up to 32 bits. All that wait are written every time, and those of an unfinished byte once
    /// more: that is faster than to look whether there is a byte.
    #[inline]
    fn put(&mut self, bits: u32, count: u32) {
        self.waiting |= u64::from(bits) << (64 - self.count - count);
        self.count += count;
        if let Some(place) = self.block.get_mut(self.length..self.length + 8) {
            place.copy_from_slice(&self.waiting.to_be_bytes());
        }
        let whole = self.count / 8;
        self.length += whole as usize;
        self.waiting <<= 8 * whole;
        self.count %= 8;
    }

    /// Appends the block. A zero byte goes behind each of only ones, which would be a marker.
    fn flush(&mut self) {
        let mut rest = &self.block[..self.length];
        while let Some(ones) = rest.iter().position(|&byte| byte == 0xFF) {
            self.bytes.extend_from_slice(&rest[..=ones]);
            self.bytes.push(0);
            rest = &rest[ones + 1..];
        }
        self.bytes.extend_from_slice(rest);
        self.length = 0;
    }

    /// A symbol whose low four bits are the value's size, and the value (T.81, F.1.2): of a negative
    /// one the low bits of the number before it.
    #[inline]
    fn coefficient(&mut self, codes: &[Code; 256], zeros: usize, value: i32) {
        let size = 32 - value.unsigned_abs().leading_zeros();
        let (code, length) = codes[(zeros << 4 | size as usize) & 0xFF];
        let low = (value + (value >> 31)).cast_unsigned() & ((1 << size) - 1);
        self.put(u32::from(code) << size | low, u32::from(length) + size);
    }

    fn symbol(&mut self, codes: &[Code; 256], symbol: usize) {
        let (code, length) = codes[symbol];
        self.put(code.into(), length.into());
    }

    fn block(&mut self, coefficients: &[i32; 64], mean_before: i32) {
        self.coefficient(&DC, 0, coefficients[0] - mean_before);
        // Which ones are not zero, the first of the zigzag in the lowest bit: few are.
        let mut left: u64 = 0;
        for (place, &i) in ZIGZAG.iter().enumerate().skip(1) {
            left |= u64::from(coefficients[usize::from(i)] != 0) << place;
        }
        let mut last = 0;
        while left != 0 {
            let place = left.trailing_zeros() as usize;
            left &= left - 1;
            let mut zeros = place - last - 1;
            while zeros > 15 {
                self.symbol(&AC, ZEROS);
                zeros -= 16;
            }
            self.coefficient(&AC, zeros, coefficients[usize::from(ZIGZAG[place])]);
            last = place;
        }
        if last < 63 {
            self.symbol(&AC, END);
        }
        self.flush();
    }

    /// Fills the last byte with ones, and ends the file.
    fn finish(mut self) -> Vec<u8> {
        self.put(0x7F, 7);
        self.flush();
        self.bytes.extend([0xFF, 0xD9]);
        self.bytes
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use image::ExtendedColorType;
    use proptest::prelude::*;

    /// What the `image` crate makes of it.
    fn reference(quality: u8, rows: u16, cols: u16, pixels: &[u8]) -> Vec<u8> {
        let mut jpeg = Vec::new();
        JpegEncoder::new_with_quality(&mut jpeg, quality)
            .encode(pixels, cols.into(), rows.into(), ExtendedColorType::L8)
            .unwrap();
        jpeg
    }

    /// Any size with pixels of all values, of the two extremes, or smooth.
    fn pictures() -> impl Strategy<Value = (u16, u16, Vec<u8>)> {
        (1..41_u16, 1..41_u16).prop_flat_map(|(rows, cols)| {
            let count = usize::from(rows) * usize::from(cols);
            let any_value = prop::collection::vec(any::<u8>(), count);
            let extremes = prop::collection::vec(prop_oneof![Just(0), Just(255)], count);
            let ramp = (any::<u8>(), 0..9_u8).prop_map(move |(start, step)| {
                (0..count)
                    .scan(start, |v, _| {
                        *v = v.wrapping_add(step);
                        Some(*v)
                    })
                    .collect::<Vec<_>>()
            });
            (Just(rows), Just(cols), prop_oneof![any_value, extremes, ramp])
        })
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(2000))]
        #[test]
        fn the_bytes_are_those_of_the_image_crate(
            (rows, cols, pixels) in pictures(), quality in 1..=100_u8,
        ) {
            let jpeg = Jpeg::new(quality).encode(&pixels, rows.into(), cols.into());
            prop_assert_eq!(jpeg, reference(quality, rows, cols, &pixels));
        }
    }

    /// Patterns that give the largest coefficients there are, at the finest and the coarsest steps.
    #[test]
    fn the_extremes_are_those_of_the_image_crate() {
        let patterns: [fn(usize, usize) -> bool; 6] = [
            |_, _| false,
            |_, _| true,
            |x, y| (x + y) % 2 == 0,
            |x, _| x % 8 < 4,
            |x, y| [0, 3, 4, 7].contains(&(x % 8)) == [0, 3, 4, 7].contains(&(y % 8)),
            |x, y| (x / 8 + y / 8) % 2 == 0,
        ];
        for pattern in patterns {
            let pixels: Vec<u8> =
                (0..28 * 28).map(|i| if pattern(i % 28, i / 28) { 255 } else { 0 }).collect();
            for quality in 1..=100 {
                let jpeg = Jpeg::new(quality).encode(&pixels, 28, 28);
                assert!(jpeg == reference(quality, 28, 28, &pixels), "quality {quality}");
            }
        }
    }

    /// Nothing is made for a size before there are pixels of it.
    #[test]
    fn the_largest_size_fits_the_header() {
        let pixels = vec![9; 65_535];
        let jpeg = Jpeg::new(75).encode(&pixels, 65_535, 1);
        assert_eq!(jpeg, reference(75, 65_535, 1, &pixels));
    }
}
