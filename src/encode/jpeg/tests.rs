use image::{ColorType, DynamicImage};
use md5::{Digest, Md5};
use proptest::prelude::*;

use super::*;

const LAYOUTS: [Layout; 3] = [Layout::Grey, Layout::Full, Layout::Halved];

/// Slopes, edges and some noise, the same on every machine.
fn picture(rows: usize, cols: usize, layout: Layout) -> Vec<u8> {
    let channels = layout.channels();
    let sample = |i: usize| {
        let (y, x, c) = (i / channels / cols, i / channels % cols, i % channels);
        let noise = (i * i * 31 + i * 17) % 13;
        let edge = if (x / 11 + y / 7) % 3 == c { 90 } else { 0 };
        ((x * (3 + c) + y * (2 + 2 * c)) % 300 / 2 + edge + noise).to_le_bytes()[0]
    };
    (0..rows * cols * channels).map(sample).collect()
}

fn decoded(file: &[u8]) -> DynamicImage {
    image::load_from_memory(file).unwrap()
}

/// The largest and the mean squared difference.
fn difference(a: &[u8], b: &[u8]) -> (u8, f64) {
    assert_eq!(a.len(), b.len());
    let each = || a.iter().zip(b).map(|(a, b)| a.abs_diff(*b));
    let squares: f64 = each().map(|d| f64::from(d).powi(2)).sum();
    (each().max().unwrap(), squares / a.len() as f64)
}

/// Digests of what Pillow 13 writes, with `subsampling` 0 for all but the last layout and 2 for that.
#[test]
fn the_bytes_are_those_of_pillow() {
    let cases = [
        (
            28,
            28,
            75,
            [
                "d6dce05c7400b9af57d3e67c4e949438",
                "f006d72b4e03ecfa02afbe6397d8178d",
                "3feca7156c1b599d5787df953a4cf555",
            ],
        ),
        (
            17,
            31,
            1,
            [
                "9a124d9e1d1bf92e88a0afde4a104746",
                "5e6dc4af2d71fffa8fe905cfb3428e00",
                "0d81078f695a187ba2b3bc61db971497",
            ],
        ),
        (
            31,
            17,
            50,
            [
                "21e9112016c860cccf5bd8e769247402",
                "299874032be02d8861ef0a1225e5600d",
                "f006e0bb951af7bb7ee8f2a793513f63",
            ],
        ),
        (
            1,
            1,
            90,
            [
                "dc98866f41838c856a99b9aae86e1c1f",
                "23a77f0270d35a82adca19b3aa4168e8",
                "d280f5d042f05b2a7e5218e1cb178b1c",
            ],
        ),
        (
            130,
            129,
            100,
            [
                "3b6f1547e5e32efbdd38974ef2870fe0",
                "b0e90dac33623edcba41a32ea6d4eadd",
                "0a0b3482c8caa89644b8aa424c4ea916",
            ],
        ),
    ];
    for (rows, cols, quality, expected) in cases {
        let jpeg = Jpeg::new(quality);
        let digests = LAYOUTS.map(|layout| {
            let file = jpeg.encode(&picture(rows, cols, layout), rows, cols, layout);
            data_encoding::HEXLOWER.encode(&Md5::digest(file))
        });
        assert_eq!(digests, expected, "{rows} × {cols}, quality {quality}");
    }
}

/// Every generation of processors that this one can stand for, the oldest first.
fn levels() -> Vec<Level> {
    let newest = Level::new();
    let mut levels = vec![Level::baseline()];
    #[cfg(target_arch = "x86_64")]
    levels.extend(
        [newest.as_sse4_2().map(Level::Sse4_2), newest.as_avx2().map(Level::Avx2)]
            .into_iter()
            .flatten(),
    );
    levels.push(newest);
    levels
}

fn pictures() -> impl Strategy<Value = (usize, usize, Layout, Vec<u8>)> {
    (1..41_usize, 1..41_usize, prop::sample::select(&LAYOUTS)).prop_flat_map(
        |(rows, cols, layout)| {
            let count = rows * cols * layout.channels();
            let any_value = prop::collection::vec(any::<u8>(), count);
            let extremes = prop::collection::vec(prop_oneof![Just(0), Just(255)], count);
            let smooth = Just(picture(rows, cols, layout));
            (Just(rows), Just(cols), Just(layout), prop_oneof![any_value, extremes, smooth])
        },
    )
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(500))]

    #[test]
    fn every_processor_gives_the_same_bytes(
        (rows, cols, layout, pixels) in pictures(), quality in 1..=100_u8,
    ) {
        let mut files = levels()
            .into_iter()
            .map(|level| Jpeg::on(level, quality).encode(&pixels, rows, cols, layout));
        let oldest = files.next().unwrap();
        for file in files {
            prop_assert!(file == oldest);
        }
    }

    /// At steps of one nothing is lost but by rounding, whatever the pixels are.
    #[test]
    fn the_best_quality_keeps_every_pixel((rows, cols, layout, pixels) in pictures()) {
        prop_assume!(layout != Layout::Halved);
        let image = decoded(&Jpeg::new(100).encode(&pixels, rows, cols, layout));
        prop_assert_eq!((image.width() as usize, image.height() as usize), (cols, rows));
        let (most, mean) = difference(&pixels, image.as_bytes());
        prop_assert!(most <= 6, "{}", most);
        // Of a few pixels the mean says little more than the largest.
        prop_assert!(mean <= 1.1 || pixels.len() < 500, "{}", mean);
    }

    /// Against the formula of T.81, A.3.3; the transform's results are eight times as large.
    #[test]
    fn the_transform_is_that_of_the_standard(samples in prop::collection::vec(any::<u8>(), 64)) {
        let block: Block =
            std::array::from_fn(|x| std::array::from_fn(|y| i32::from(samples[y * 8 + x]) - 128));
        let found = dct::forward(&block);
        for (v, row) in found.iter().enumerate() {
            for (u, &found) in row.iter().enumerate() {
                let exact = coefficient(&block, u, v);
                prop_assert!((f64::from(found) / 8.0 - exact).abs() < 0.5, "{} {}", u, v);
            }
        }
    }
}

fn coefficient(block: &Block, u: usize, v: usize) -> f64 {
    let factor = |i: usize| if i == 0 { 0.5_f64.sqrt() } else { 1.0 };
    let wave =
        |at: usize, i: usize| ((2 * at + 1) as f64 * i as f64 * std::f64::consts::PI / 16.0).cos();
    let mut sum = 0.0;
    for (x, column) in block.iter().enumerate() {
        for (y, &sample) in column.iter().enumerate() {
            sum += f64::from(sample) * wave(x, u) * wave(y, v);
        }
    }
    sum * factor(u) * factor(v) / 4.0
}

/// Colours that change slowly are the same with a sample for four pixels, at sizes of no whole blocks too.
#[test]
fn halved_colours_are_in_their_place() {
    for (rows, cols) in [(61, 83), (16, 16), (17, 33)] {
        let sample = |i: usize| {
            let (y, x, c) = (i / 3 / cols, i / 3 % cols, i % 3);
            (20 + [x + y, 2 * x, y][c]).to_le_bytes()[0]
        };
        let pixels: Vec<u8> = (0..rows * cols * 3).map(sample).collect();
        let image = decoded(&Jpeg::new(95).encode(&pixels, rows, cols, Layout::Halved));
        assert_eq!((image.width() as usize, image.height() as usize), (cols, rows));
        assert_eq!(image.color(), ColorType::Rgb8);
        let (most, mean) = difference(&pixels, image.as_bytes());
        assert!(most <= 8 && mean < 3.0, "{rows} × {cols}: {most} {mean}");
    }
}

#[test]
fn the_largest_size_fits_the_header() {
    for (rows, cols) in [(1, 65_535), (65_535, 1)] {
        let image = decoded(&Jpeg::new(75).encode(&vec![9; 65_535], rows, cols, Layout::Grey));
        assert_eq!((image.width() as usize, image.height() as usize), (cols, rows));
        assert!(image.as_bytes().iter().all(|&v| v == 9));
    }
}
