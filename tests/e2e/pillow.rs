//! What Pillow makes of the same pixels.

use std::fs;
use std::path::Path;
use std::process::{Command, Stdio};

use idx2gcs::encode::{Encoder, Encoding, Subsampling};
use idx2gcs::{Image, Size};

use crate::support::python;

/// Slopes of light, shapes with hard edges and some noise, as in photographs.
fn photograph(size: Size, seed: u64) -> Vec<u8> {
    let mut random = fastrand::Rng::with_seed(seed);
    let mut waves: Vec<[f64; 4]> = Vec::new();
    for octave in 0..5 {
        let frequency = f64::from(1 << octave) * 6.0 / f64::from(size.rows.max(size.cols).max(20));
        let wave = |scale: f64, random: &mut fastrand::Rng| scale * (random.f64() - 0.5);
        waves.push([
            wave(2.0 * frequency, &mut random),
            wave(2.0 * frequency, &mut random),
            random.f64() * 6.0,
            60.0 / f64::from(1 << octave),
        ]);
    }
    let (cy, cx) = (random.u32(0..size.rows), random.u32(0..size.cols));
    let radius = size.rows.min(size.cols) / 3;
    let tint = [random.f64() * 60.0, random.f64() * 60.0, random.f64() * 60.0];
    let mut pixels = Vec::new();
    for y in 0..size.rows {
        for x in 0..size.cols {
            let light: f64 = waves
                .iter()
                .map(|[fy, fx, phase, size]| {
                    size * (f64::from(y) * fy + f64::from(x) * fx + phase).sin()
                })
                .sum();
            let inside = y.abs_diff(cy).pow(2) + x.abs_diff(cx).pow(2) < radius.pow(2);
            for tint in &tint[..size.channels.into()] {
                let noise = 4.0 * (random.f64() - 0.5);
                let value = 110.0 + light + noise + if inside { 1.5 * tint } else { -tint };
                pixels.push(value.clamp(0.0, 255.0).round().to_string().parse().unwrap());
            }
        }
    }
    pixels
}

/// Reads a line for each picture: file, rows, columns, channels, quality, subsampling.
const WRITE_JPEGS: &str = r#"
import sys
from PIL import Image
for line in sys.stdin:
    path, *numbers = line.split()
    rows, cols, channels, quality, subsampling = map(int, numbers)
    pixels = open(path, "rb").read()
    image = Image.frombytes("L" if channels == 1 else "RGB", (cols, rows), pixels)
    image.save(path + ".jpg", quality=quality, subsampling=subsampling)
"#;

fn run_python(script: &str, lines: &str, dir: &Path) {
    let input = dir.join("lines");
    fs::write(&input, lines).unwrap();
    let mut command = Command::new(python());
    command.args(["-c", script]).stdin(Stdio::from(fs::File::open(input).unwrap()));
    let output = command.output().unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
}

/// Quality and subsampling mean what they mean there, to the byte; so no more is lost of a picture.
#[test]
#[ignore = "needs Python; scripts/test.sh runs it"]
fn jpegs_are_those_of_pillow() {
    let dir = tempfile::tempdir().unwrap();
    let (mut lines, mut made) = (String::new(), Vec::new());
    let sizes = [(1, 1), (17, 31), (28, 28), (32, 32), (129, 100), (128, 128), (224, 224)];
    for (rows, cols) in sizes {
        for (channels, subsampling) in [
            (1, Subsampling::Auto),
            (3, Subsampling::Auto),
            (3, Subsampling::Full),
            (3, Subsampling::Halved),
        ] {
            let size = Size { rows, cols, channels };
            let pixels = photograph(size, u64::from(rows * cols));
            for quality in [1, 30, 50, 75, 90, 95, 100] {
                let encoding = Encoding { quality, subsampling, ..Encoding::default() };
                let image = Image::Raw { size, pixels: pixels.clone() };
                let path = dir.path().join(made.len().to_string());
                fs::write(&path, &pixels).unwrap();
                let halved = match subsampling {
                    Subsampling::Auto => rows >= 128 && cols >= 128,
                    Subsampling::Full => false,
                    Subsampling::Halved => true,
                };
                let factor = if halved && channels == 3 { 2 } else { 0 };
                let path = path.display().to_string();
                lines += &format!("{path} {rows} {cols} {channels} {quality} {factor}\n");
                let about = format!("{size}, {subsampling}, quality {quality}");
                made.push((path + ".jpg", about, Encoder::new(encoding).encode(&image).unwrap()));
            }
        }
    }
    run_python(WRITE_JPEGS, &lines, dir.path());
    for (path, about, ours) in &made {
        assert!(fs::read(path).unwrap() == *ours, "{about}: other bytes than Pillow's");
    }
    assert_eq!(made.len(), sizes.len() * 4 * 7);
}
