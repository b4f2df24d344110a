//! A strip of a picture as planes of one component each, as wide and as high as whole blocks.

use super::dct::Block;

/// The components of a picture, and how many samples they have.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(in crate::encode) enum Layout {
    /// Brightness alone.
    Grey,
    /// Brightness and two colours, a sample of each for every pixel (4:4:4).
    Full,
    /// A sample of each colour for 2 × 2 pixels (4:2:0).
    Halved,
}

impl Layout {
    /// Bytes of a pixel, which are also the components.
    pub(super) fn channels(self) -> usize {
        if self == Self::Grey { 1 } else { 3 }
    }

    /// Blocks of brightness for one of a colour, each way.
    pub(super) fn factor(self) -> usize {
        if self == Self::Halved { 2 } else { 1 }
    }
}

/// Lines of samples.
pub(super) struct Plane {
    samples: Vec<u8>,
    stride: usize,
}

impl Plane {
    fn new(lines: usize, stride: usize) -> Self {
        Self { samples: vec![0; lines * stride], stride }
    }

    #[inline(always)]
    fn line(&mut self, line: usize) -> &mut [u8] {
        &mut self.samples[line * self.stride..][..self.stride]
    }

    /// Repeats a line until the plane's end.
    #[inline(always)]
    fn repeat(&mut self, line: usize) {
        let (start, end) = (line * self.stride, (line + 1) * self.stride);
        for later in (end..self.samples.len()).step_by(self.stride.max(1)) {
            self.samples.copy_within(start..end, later);
        }
    }

    /// The samples of a block less 128, columns as rows.
    #[inline(always)]
    pub(super) fn block(&self, top: usize, left: usize) -> Block {
        let mut block = [[0; 8]; 8];
        for row in 0..8 {
            let samples = &self.samples[(top + row) * self.stride + left..][..8];
            for (column, &sample) in block.iter_mut().zip(samples) {
                column[row] = i32::from(sample) - 128;
            }
        }
        block
    }
}

/// As many lines of a picture as a block of each component covers. Beyond the picture's edges its last
/// samples go on, as libjpeg has it.
pub(super) struct Strip {
    layout: Layout,
    /// The picture's width.
    cols: usize,
    pub(super) brightness: Plane,
    /// Blue and red.
    pub(super) colours: [Plane; 2],
    /// The colours before they are halved.
    whole: [Plane; 2],
}

impl Strip {
    pub(super) fn new(layout: Layout, cols: usize) -> Self {
        let factor = layout.factor();
        let width = cols.next_multiple_of(8 * factor);
        let plane = |needed: bool, lines: usize, width: usize| {
            if needed { Plane::new(lines, width) } else { Plane::new(0, 0) }
        };
        let colours = || plane(layout != Layout::Grey, 8, width / factor);
        let whole = || plane(layout == Layout::Halved, 16, width);
        Self {
            layout,
            cols,
            brightness: Plane::new(8 * factor, width),
            colours: [colours(), colours()],
            whole: [whole(), whole()],
        }
    }

    /// The width in samples of brightness.
    pub(super) fn width(&self) -> usize {
        self.brightness.stride
    }

    /// Takes the pixels of a strip's lines, which are fewer at the picture's end.
    #[inline(always)]
    pub(super) fn fill(&mut self, pixels: &[u8]) {
        let Self { layout, cols, brightness, colours, whole } = self;
        let cols = *cols;
        let last = pixels.len() / (cols * layout.channels()) - 1;
        if *layout == Layout::Grey {
            for (number, pixels) in pixels.chunks_exact(cols).enumerate() {
                let line = brightness.line(number);
                line[..cols].copy_from_slice(pixels);
                extend(line, cols);
            }
            return brightness.repeat(last);
        }
        let [blue, red] = if *layout == Layout::Full { &mut *colours } else { &mut *whole };
        for (number, pixels) in pixels.chunks_exact(3 * cols).enumerate() {
            let lines = [brightness.line(number), blue.line(number), red.line(number)];
            convert(pixels, lines);
        }
        brightness.repeat(last);
        blue.repeat(last);
        red.repeat(last);
        if *layout == Layout::Halved {
            for (whole, halved) in whole.iter().zip(colours) {
                for (number, two) in whole.samples.chunks_exact(2 * whole.stride).enumerate() {
                    let (upper, lower) = two.split_at(whole.stride);
                    halve(upper, lower, halved.line(number));
                }
                // What repeats below the picture is its last line of means.
                halved.repeat(last / 2);
            }
        }
    }
}

/// Repeats the sample before `from` until the line's end.
#[inline(always)]
fn extend(line: &mut [u8], from: usize) {
    let last = line[from - 1];
    line[from..].fill(last);
}

/// Red, green and blue → brightness, blue and red (JFIF 1.02), with 16 bits of fraction. Halves go up in
/// brightness and down in colours, as in libjpeg.
#[inline(always)]
fn convert(pixels: &[u8], [y, cb, cr]: [&mut [u8]; 3]) {
    const HALF: i32 = 1 << 15;
    const MIDDLE: i32 = (128 << 16) + HALF - 1;
    let (pixels, _) = pixels.as_chunks::<3>();
    let of = |sum: i32| (sum >> 16).to_le_bytes()[0];
    for (((&[r, g, b], y), cb), cr) in pixels.iter().zip(&mut *y).zip(&mut *cb).zip(&mut *cr) {
        let (r, g, b) = (i32::from(r), i32::from(g), i32::from(b));
        *y = of(19_595 * r + 38_470 * g + 7_471 * b + HALF);
        *cb = of(-11_059 * r - 21_709 * g + 32_768 * b + MIDDLE);
        *cr = of(32_768 * r - 27_439 * g - 5_329 * b + MIDDLE);
    }
    for line in [y, cb, cr] {
        extend(line, pixels.len());
    }
}

/// The means of 2 × 2 samples, whose halves go down and up in turns, as in libjpeg.
#[inline(always)]
fn halve(upper: &[u8], lower: &[u8], means: &mut [u8]) {
    let (upper, lower) = (upper.as_chunks::<4>().0, lower.as_chunks::<4>().0);
    for ((a, b), two) in upper.iter().zip(lower).zip(means.as_chunks_mut().0) {
        let [a, b] = [a, b].map(|four| four.map(u16::from));
        let sums = [a[0] + a[1] + b[0] + b[1] + 1, a[2] + a[3] + b[2] + b[3] + 2];
        *two = sums.map(|sum| (sum >> 2).to_le_bytes()[0]);
    }
}
