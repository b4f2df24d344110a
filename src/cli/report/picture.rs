//! Images drawn with characters, side by side.

use std::fmt::Write;

/// Columns between two images.
const GAP: usize = 2;
/// No image is drawn wider or, two rows of pixels a line, higher than so many columns.
const MOST: usize = 40;
/// Shades from black to white, as they look on a dark terminal.
const SHADES: &[u8; 10] = b" .:-=+*#%@";

/// How a terminal can be drawn on.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Style {
    /// Characters of ten shades, for files and terminals without colour.
    Ascii,
    /// Half blocks in the 256 colours of xterm.
    Colours256,
    /// Half blocks in 24-bit colours.
    TrueColour,
}

/// One image.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Picture<'a> {
    /// Height in pixels, at least 1.
    pub rows: usize,
    /// Width in pixels, at least 1.
    pub cols: usize,
    /// Bytes a pixel: 3 or more begin with red, green and blue, fewer with grey.
    pub channels: usize,
    /// `rows × cols × channels` bytes, row-major; what is missing is black.
    pub pixels: &'a [u8],
    /// What stands below it, in ASCII.
    pub caption: &'a str,
}

/// Lines that show the pictures, as many beside each other as `width` columns hold. Larger images are
/// shrunk to fit, pixels averaged.
pub(crate) fn draw(pictures: &[Picture<'_>], style: Style, width: usize) -> String {
    let most = MOST.min(width.max(1));
    let drawn: Vec<_> = pictures.iter().map(|picture| Drawn::new(picture, most)).collect();
    let mut text = String::new();
    let mut rest = drawn.as_slice();
    while !rest.is_empty() {
        let mut used = 0;
        let fit = rest.iter().take_while(|picture| {
            used += picture.width + if used == 0 { 0 } else { GAP };
            used <= width
        });
        let (row, after) = rest.split_at(fit.count().clamp(1, rest.len()));
        rest = after;
        draw_row(&mut text, row, style);
    }
    text
}

fn draw_row(text: &mut String, row: &[Drawn<'_>], style: Style) {
    let lines = row.iter().map(|picture| picture.rows.div_ceil(2)).max().unwrap_or(0);
    for line in 0..lines {
        let cells = row.iter().map(|picture| {
            let cells: String = (0..picture.width)
                .map(|col| match (picture.at(2 * line, col), picture.at(2 * line + 1, col)) {
                    (Some(upper), lower) => cell(upper, lower, style),
                    (None, _) => " ".to_owned(),
                })
                .collect();
            if style == Style::Ascii { cells } else { cells + "\x1b[0m" }
        });
        end_line(text, &cells.collect::<Vec<_>>());
    }
    let captions =
        row.iter().map(|Drawn { caption, width, .. }| format!("{caption:<width$.width$}"));
    end_line(text, &captions.collect::<Vec<_>>());
}

fn end_line(text: &mut String, cells: &[String]) {
    text.push_str(cells.join(&" ".repeat(GAP)).trim_end_matches(' '));
    text.push('\n');
}

type Rgb = [u8; 3];

/// Two pixels, one above the other; below the last row of an image there may be none.
fn cell(upper: Rgb, lower: Option<Rgb>, style: Style) -> String {
    let mut text = String::new();
    // Writing to a string cannot fail.
    let _ = match style {
        Style::Ascii => {
            let lower = usize::from(grey(lower.unwrap_or(upper)));
            let grey = usize::midpoint(grey(upper).into(), lower);
            let shade = SHADES.get(grey * SHADES.len() / 256).copied().unwrap_or(b' ');
            write!(text, "{}", char::from(shade))
        }
        Style::Colours256 => {
            let below = lower.map_or("49".to_owned(), |lower| format!("48;5;{}", colour256(lower)));
            write!(text, "\x1b[38;5;{};{below}m▀", colour256(upper))
        }
        Style::TrueColour => {
            let below = lower.map_or("49".to_owned(), |[r, g, b]| format!("48;2;{r};{g};{b}"));
            let [r, g, b] = upper;
            write!(text, "\x1b[38;2;{r};{g};{b};{below}m▀")
        }
    };
    text
}

/// Luma after ITU-R BT.601.
fn grey([r, g, b]: Rgb) -> u8 {
    let luma = (299 * u32::from(r) + 587 * u32::from(g) + 114 * u32::from(b)) / 1000;
    u8::try_from(luma).unwrap_or(u8::MAX)
}

/// xterm's palette: a cube of 6 × 6 × 6 from 16 on, 24 greys from 232 on.
fn colour256([r, g, b]: Rgb) -> u8 {
    if r == g && g == b {
        return match r {
            0..4 => 16,
            247.. => 231,
            // The greys are 8, 18, … 238.
            _ => 232 + (u16::from(r).saturating_sub(3) / 10).min(23) as u8,
        };
    }
    // The cube's sides are 0, 95, 135, 175, 215 and 255.
    let side = |v: u8| match v {
        0..48 => 0,
        48..115 => 1,
        _ => (v - 35) / 40,
    };
    16 + 36 * side(r) + 6 * side(g) + side(b)
}

/// A picture at the size at which it is drawn.
struct Drawn<'a> {
    rows: usize,
    cols: usize,
    /// Columns with the caption.
    width: usize,
    caption: &'a str,
    pixels: Vec<Rgb>,
}

impl<'a> Drawn<'a> {
    fn new(picture: &Picture<'a>, most: usize) -> Self {
        let times = picture.rows.max(picture.cols).div_ceil(most).max(1);
        let (rows, cols) = (picture.rows.div_ceil(times), picture.cols.div_ceil(times));
        let pixels = (0..rows * cols)
            .map(|at| average(picture, at / cols * times, at % cols * times, times))
            .collect();
        let width = cols.max(picture.caption.len()).min(most);
        Self { rows, cols, width, caption: picture.caption, pixels }
    }

    /// Nothing outside.
    fn at(&self, row: usize, col: usize) -> Option<Rgb> {
        let inside = row < self.rows && col < self.cols;
        inside.then(|| self.pixels.get(row * self.cols + col).copied()).flatten()
    }
}

/// The mean of a square of pixels, as much of it as there is.
fn average(picture: &Picture<'_>, row: usize, col: usize, side: usize) -> Rgb {
    let (mut sums, mut count) = ([0_u64; 3], 0);
    for row in row..(row + side).min(picture.rows) {
        for col in col..(col + side).min(picture.cols) {
            let at = (row * picture.cols + col) * picture.channels;
            for (channel, sum) in sums.iter_mut().enumerate() {
                let channel = if picture.channels >= 3 { channel } else { 0 };
                *sum += u64::from(picture.pixels.get(at + channel).copied().unwrap_or(0));
            }
            count += 1;
        }
    }
    sums.map(|sum| u8::try_from(sum / count.max(1)).unwrap_or(u8::MAX))
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn picture<'a>(rows: usize, cols: usize, pixels: &'a [u8], caption: &'a str) -> Picture<'a> {
        Picture { rows, cols, channels: 1, pixels, caption }
    }

    #[test]
    fn shades_are_those_of_two_pixels_each() {
        let pixels = [0, 255, 128, 0, 255, 128, 255, 0, 0];
        let text = draw(&[picture(3, 3, &pixels, "0: 9")], Style::Ascii, 80);
        assert_eq!(text, " @+\n@\n0: 9\n");
    }

    #[test]
    fn half_blocks_hold_two_pixels() {
        let pixels = [10, 255, 200, 0];
        let text = draw(&[picture(2, 2, &pixels, "a")], Style::TrueColour, 80);
        assert_eq!(
            text,
            "\x1b[38;2;10;10;10;48;2;200;200;200m▀\x1b[38;2;255;255;255;48;2;0;0;0m▀\x1b[0m\na\n"
        );
        let text = draw(&[picture(2, 2, &pixels, "a")], Style::Colours256, 80);
        assert_eq!(text, "\x1b[38;5;232;48;5;251m▀\x1b[38;5;231;48;5;16m▀\x1b[0m\na\n");
    }

    #[test]
    fn colours_are_the_nearest_of_the_palette() {
        let found = [[255, 0, 0], [0, 95, 175], [8, 8, 8], [238, 238, 238], [1, 2, 3]];
        assert_eq!(found.map(colour256), [196, 25, 232, 255, 16]);
        let red = Picture { channels: 3, pixels: &[255, 0, 0], ..picture(1, 1, &[], "") };
        let text = draw(&[red], Style::TrueColour, 80);
        assert_eq!(text, "\x1b[38;2;255;0;0;49m▀\x1b[0m\n\n");
    }

    #[test]
    fn as_many_stand_side_by_side_as_fit() {
        let pixels = vec![255; 28 * 28];
        let three = [picture(28, 28, &pixels, "one"); 3];
        let lines = |width| draw(&three, Style::Ascii, width).lines().count();
        assert_eq!([88, 87, 58, 57, 10].map(lines), [15, 30, 30, 45, 18]);
        let first = draw(&three, Style::Ascii, 88).lines().next().unwrap().to_owned();
        let image = "@".repeat(28);
        assert_eq!(first, format!("{image}  {image}  {image}"));
    }

    proptest! {
        #[test]
        fn no_line_is_longer_than_the_terminal(
            rows in 1_usize..100, cols in 1_usize..100, count in 0_usize..6, width in 1_usize..200,
            channels in 1_usize..5, caption in "[ -~]{0,60}",
        ) {
            let pixels = vec![200; rows * cols * channels];
            let one = Picture { rows, cols, channels, pixels: &pixels, caption: &caption };
            let text = draw(&vec![one; count], Style::Ascii, width);
            prop_assert!(text.lines().all(|line| line.chars().count() <= width), "{text}");
        }
    }
}
