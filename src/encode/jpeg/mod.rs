//! Baseline JPEG (ITU-T T.81) of grey and colour pictures. Its bytes are those that libjpeg-turbo writes
//! at the same quality with its defaults, and so those of Pillow: transform, rounding, tables, the order of
//! segments and what is beyond the picture's edges are the same.
//!
//! The arithmetic is built for several generations of processors, and the newest that this one knows is
//! chosen when the program runs. All give the same bytes.

#![expect(
    clippy::inline_always,
    reason = "what is not inlined is not built for the processor that was detected"
)]

mod bits;
mod dct;
mod planes;
mod tables;

use fearless_simd::{Level, Simd, dispatch};

use self::bits::{Bits, CODES};
use self::dct::Block;
pub(super) use self::planes::Layout;
use self::planes::{Plane, Strip};
use self::tables::ZIGZAG;

/// The bytes up to the picture's height and width, which follow the three segments of JFIF, steps of
/// brightness, and steps of colour where there are any.
const SIZE_AT_GREY: usize = 2 + 18 + 69 + 5;
const SIZE_AT_COLOUR: usize = SIZE_AT_GREY + 69;

/// Bits of fraction of the reciprocals that stand for a division.
const RECIPROCAL: u32 = 20;

/// Encodes pictures to JPEG of one quality.
#[derive(Debug)]
pub(super) struct Jpeg {
    /// What the processor can do.
    level: Level,
    /// Of brightness and of colours.
    steps: [Steps; 2],
    /// All bytes before the first block of each layout, for a picture without a size.
    headers: [Vec<u8>; 3],
}

/// The steps that coefficients are divided by, row by row.
#[derive(Debug)]
struct Steps {
    divisors: [u8; 64],
    /// What is added to round: half of eight steps.
    halves: [u32; 64],
    reciprocals: [u32; 64],
}

impl Steps {
    /// Of brightness (0) or of colours (1), on the scale of the Independent JPEG Group.
    fn new(kind: usize, quality: u8) -> Self {
        let quality = u32::from(quality);
        let percent = if quality < 50 { 5000 / quality.max(1) } else { 200 - 2 * quality.min(100) };
        let scaled = |step: u8| ((u32::from(step) * percent + 50) / 100).clamp(1, 255);
        let steps = tables::STEPS[kind].map(scaled);
        Self {
            divisors: steps.map(|step| step.to_le_bytes()[0]),
            halves: steps.map(|step| 4 * step),
            // Exact for the coefficients there are: at most 2,176, by steps of at most 255.
            reciprocals: steps.map(|step| (1 << RECIPROCAL) / step + 1),
        }
    }

    /// Coefficients, which are eight times too large, divided by their steps: halves away from zero.
    #[inline(always)]
    fn quantised(&self, block: &Block) -> [i32; 64] {
        let coefficients = block.as_flattened();
        let mut quantised = [0; 64];
        for i in 0..64 {
            let size = (coefficients[i].unsigned_abs() + self.halves[i]) >> 3;
            let size = ((size * self.reciprocals[i]) >> RECIPROCAL).cast_signed();
            quantised[i] = if coefficients[i] < 0 { -size } else { size };
        }
        quantised
    }
}

impl Jpeg {
    pub(super) fn new(quality: u8) -> Self {
        Self::on(Level::new(), quality)
    }

    fn on(level: Level, quality: u8) -> Self {
        let steps = [Steps::new(0, quality), Steps::new(1, quality)];
        let headers = [Layout::Grey, Layout::Full, Layout::Halved].map(|of| header(&steps, of));
        Self { level, steps, headers }
    }

    /// Encodes `rows × cols` pixels of the layout's channels, of which there is at least one, and no more
    /// than 65,535 each way.
    pub(super) fn encode(
        &self,
        pixels: &[u8],
        rows: usize,
        cols: usize,
        layout: Layout,
    ) -> Vec<u8> {
        dispatch!(self.level, simd => self.encode_on(simd, pixels, [rows, cols], layout))
    }

    #[inline(always)]
    fn encode_on<S: Simd>(
        &self,
        simd: S,
        pixels: &[u8],
        size: [usize; 2],
        layout: Layout,
    ) -> Vec<u8> {
        let header = &self.headers[layout as usize];
        // A sixth of the bytes is plenty for most pictures, and less than it for few.
        let mut file = Vec::with_capacity(header.len() + pixels.len() / 6 + 64);
        file.extend_from_slice(header);
        let at = if layout == Layout::Grey { SIZE_AT_GREY } else { SIZE_AT_COLOUR };
        for (bytes, length) in file[at..at + 4].chunks_exact_mut(2).zip(size) {
            let [.., high, low] = length.to_be_bytes();
            bytes.copy_from_slice(&[high, low]);
        }
        let mut bits = Bits::after(file);
        simd.vectorize(
            #[inline(always)]
            || self.scan(&mut bits, pixels, size[1], layout),
        );
        bits.finish()
    }

    #[inline(always)]
    fn scan(&self, bits: &mut Bits, pixels: &[u8], cols: usize, layout: Layout) {
        let factor = layout.factor();
        let line = layout.channels() * cols;
        let mut strip = Strip::new(layout, cols);
        let mut before = [0; 3];
        for pixels in pixels.chunks(8 * factor * line) {
            strip.fill(pixels);
            let rows = pixels.len() / line;
            for left in (0..strip.width()).step_by(8 * factor) {
                for down in (0..8 * factor).step_by(8) {
                    for across in (left..left + 8 * factor).step_by(8) {
                        if down < rows && across < cols {
                            let plane = &strip.brightness;
                            self.block(bits, 0, plane, [down, across], &mut before[0]);
                        } else {
                            bits.repeated(&CODES[0]);
                        }
                    }
                }
                if layout != Layout::Grey {
                    for (plane, before) in strip.colours.iter().zip(&mut before[1..]) {
                        self.block(bits, 1, plane, [0, left / factor], before);
                    }
                }
            }
        }
    }

    /// One block; `before` is the first coefficient of the component's last one.
    #[inline(always)]
    fn block(
        &self,
        bits: &mut Bits,
        kind: usize,
        plane: &Plane,
        [top, left]: [usize; 2],
        before: &mut i32,
    ) {
        let coefficients = self.steps[kind].quantised(&dct::forward(&plane.block(top, left)));
        bits.block(&CODES[kind], &coefficients, *before);
        *before = coefficients[0];
    }
}

/// All bytes before the first block, with zeros for height and width.
fn header(steps: &[Steps; 2], layout: Layout) -> Vec<u8> {
    // The start of the image, and JFIF 1.01 with square pixels.
    let mut file = b"\xFF\xD8\xFF\xE0\x00\x10JFIF\x00\x01\x01\x00\x00\x01\x00\x01\x00\x00".to_vec();
    let mut segment = |marker: u8, content: &[u8]| {
        file.extend([0xFF, marker]);
        let [.., high, low] = (content.len() + 2).to_be_bytes();
        file.extend([high, low]);
        file.extend(content);
    };
    let kinds: &[u8] = if layout == Layout::Grey { &[0] } else { &[0, 1] };
    let components: &[u8] = if layout == Layout::Grey { &[1] } else { &[1, 2, 3] };
    let count = if layout == Layout::Grey { 1 } else { 3 };
    for (&kind, steps) in kinds.iter().zip(steps) {
        let zigzag = ZIGZAG.map(|i| steps.divisors[usize::from(i)]);
        segment(0xDB, &[&[kind][..], &zigzag].concat());
    }
    // Eight bits a sample, no height and width yet; of each component how many blocks and which steps.
    let mut frame = vec![8, 0, 0, 0, 0, count];
    let mut scan = vec![count];
    for &component in components {
        let kind = component.min(2) - 1;
        let factor = if kind == 0 && layout == Layout::Halved { 2 } else { 1 };
        frame.extend([component, factor << 4 | factor, kind]);
        scan.extend([component, kind << 4 | kind]);
    }
    segment(0xC0, &frame);
    for (&kind, (dc, ac)) in kinds.iter().zip(tables::DC.iter().zip(&tables::AC)) {
        for (class, table) in [(0, dc), (0x10, ac)] {
            segment(0xC4, &[&[class | kind][..], &table.lengths, table.symbols].concat());
        }
    }
    // All 64 coefficients at once.
    scan.extend([0, 63, 0]);
    segment(0xDA, &scan);
    file
}

#[cfg(test)]
mod tests;
