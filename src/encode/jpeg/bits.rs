//! Quantised coefficients → the bits of a scan (T.81, F.1.2).

use super::tables::{self, ZIGZAG};

/// A code and its number of bits.
pub(super) type Code = (u16, u8);

/// The codes of one kind of component.
pub(super) struct Codes {
    dc: [Code; 256],
    ac: [Code; 256],
}

/// Of brightness and of colour.
pub(super) static CODES: [Codes; 2] = [
    Codes { dc: tables::DC[0].codes(), ac: tables::AC[0].codes() },
    Codes { dc: tables::DC[1].codes(), ac: tables::AC[1].codes() },
];

/// The symbol for 16 zeros that are followed by another coefficient.
const ZEROS: usize = 0xF0;

/// The symbol for nothing but zeros until the block's end.
const END: usize = 0x00;

/// Writes bits, the highest first.
pub(super) struct Bits {
    pub(super) bytes: Vec<u8>,
    /// Bits that wait, the last one lowest.
    waiting: u64,
    /// How many more it has room for.
    room: u32,
}

impl Bits {
    pub(super) fn after(bytes: Vec<u8>) -> Self {
        Self { bytes, waiting: 0, room: 64 }
    }

    /// Up to 32 bits.
    #[inline(always)]
    fn put(&mut self, bits: u32, count: u32) {
        if count <= self.room {
            self.waiting = (self.waiting << count) | u64::from(bits);
            self.room -= count;
            return;
        }
        let beyond = count - self.room;
        self.word((self.waiting << self.room) | u64::from(bits) >> beyond);
        self.waiting = bits.into();
        self.room = 64 - beyond;
    }

    /// Appends eight bytes. A zero byte goes behind each of only ones, which would be a marker.
    #[inline(always)]
    fn word(&mut self, word: u64) {
        const HIGHEST: u64 = 0x8080_8080_8080_8080;
        let bytes = word.to_be_bytes();
        // A byte of only ones loses its highest bit where one is added to it.
        if word & HIGHEST & !word.wrapping_add(0x0101_0101_0101_0101) == 0 {
            self.bytes.extend_from_slice(&bytes);
        } else {
            self.stuffed(&bytes);
        }
    }

    #[cold]
    fn stuffed(&mut self, bytes: &[u8]) {
        for &byte in bytes {
            self.bytes.push(byte);
            if byte == 0xFF {
                self.bytes.push(0);
            }
        }
    }

    /// A symbol whose low four bits are the value's size, and the value: of a negative one the low bits
    /// of the number before it.
    #[inline(always)]
    fn coefficient(&mut self, codes: &[Code; 256], zeros: usize, value: i32) {
        let size = 32 - value.unsigned_abs().leading_zeros();
        let (code, length) = codes[(zeros << 4 | size as usize) & 0xFF];
        let low = (value + (value >> 31)).cast_unsigned() & ((1 << size) - 1);
        self.put(u32::from(code) << size | low, u32::from(length) + size);
    }

    #[inline(always)]
    fn symbol(&mut self, codes: &[Code; 256], symbol: usize) {
        let (code, length) = codes[symbol];
        self.put(code.into(), length.into());
    }

    /// A block, given the first coefficient of the one before it.
    #[inline(always)]
    pub(super) fn block(&mut self, codes: &Codes, coefficients: &[i32; 64], mean_before: i32) {
        self.coefficient(&codes.dc, 0, coefficients[0] - mean_before);
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
                self.symbol(&codes.ac, ZEROS);
                zeros -= 16;
            }
            self.coefficient(&codes.ac, zeros, coefficients[usize::from(ZIGZAG[place])]);
            last = place;
        }
        if last < 63 {
            self.symbol(&codes.ac, END);
        }
    }

    /// A block outside of the picture, of which nothing is seen: it repeats the one before.
    pub(super) fn repeated(&mut self, codes: &Codes) {
        self.symbol(&codes.dc, 0);
        self.symbol(&codes.ac, END);
    }

    /// Fills the last byte with ones, and ends the file.
    pub(super) fn finish(mut self) -> Vec<u8> {
        self.put(0x7F, 7);
        let whole = (64 - self.room) / 8;
        if whole > 0 {
            let bytes = (self.waiting << self.room).to_be_bytes();
            self.stuffed(&bytes[..whole as usize]);
        }
        self.bytes.extend([0xFF, 0xD9]);
        self.bytes
    }
}
