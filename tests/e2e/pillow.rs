//! What Pillow makes of the same pixels.

use std::fs;
use std::path::Path;
use std::process::{Command, Stdio};

use idx2gcs::encode::{Encoder, Encoding, Filter, Fit, OutputFormat, Resize, Subsampling};
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

/// Reads a line for each picture: file, rows, columns, channels, then the size, the filter and the fit.
const RESIZE: &str = r#"
import sys
from PIL import Image, ImageOps
for line in sys.stdin:
    path, *words = line.split()
    rows, cols, channels, width, height = map(int, words[:5])
    method = {"nearest": Image.NEAREST, "bilinear": Image.BILINEAR, "lanczos3": Image.LANCZOS}[words[5]]
    pixels = open(path, "rb").read()
    image = Image.frombytes("L" if channels == 1 else "RGB", (cols, rows), pixels)
    size = (width, height)
    if words[6] == "stretch":
        image = image.resize(size, method)
    elif words[6] == "pad":
        image = ImageOps.pad(image, size, method)
    else:
        image = ImageOps.fit(image, size, method)
    open(path + ".pixels", "wb").write(image.tobytes())
"#;

/// `Image.resize`, `ImageOps.pad` and `ImageOps.fit` give nearly the same pixels.
#[test]
#[ignore = "needs Python; scripts/test.sh runs it"]
fn resized_images_are_close_to_those_of_pillow() {
    let dir = tempfile::tempdir().unwrap();
    let (mut lines, mut made) = (String::new(), Vec::new());
    let sizes = [(28, 28), (17, 31), (97, 40), (224, 224), (300, 451), (1, 9)];
    let targets = [(224, 224), (32, 32), (64, 48), (33, 70), (41, 37)];
    for ((rows, cols), channels) in sizes.into_iter().flat_map(|size| [(size, 1), (size, 3)]) {
        let size = Size { rows, cols, channels };
        let pixels = photograph(size, u64::from(rows * cols));
        let image = Image::Raw { size, pixels: pixels.clone() };
        for (cols, rows) in targets {
            for filter in [Filter::Nearest, Filter::Bilinear, Filter::Lanczos3] {
                for fit in [Fit::Stretch, Fit::Pad, Fit::Crop] {
                    let path = dir.path().join(made.len().to_string());
                    fs::write(&path, &pixels).unwrap();
                    let path = path.display().to_string();
                    let Size { rows: was_rows, cols: was_cols, .. } = size;
                    lines += &format!(
                        "{path} {was_rows} {was_cols} {channels} {cols} {rows} {filter} {fit}\n"
                    );
                    let resize = Some(Resize { cols, rows, filter, fit });
                    let format = OutputFormat::Png;
                    let encoder = Encoder::new(Encoding { resize, format, ..Encoding::default() });
                    let file = encoder.encode(&image).unwrap();
                    let ours = image::load_from_memory(&file).unwrap();
                    assert_eq!((ours.width(), ours.height()), (cols.into(), rows.into()));
                    let about = format!("{size} to {cols}x{rows}, {filter}, {fit}");
                    made.push((path + ".pixels", filter, about, ours.into_bytes()));
                }
            }
        }
    }
    run_python(RESIZE, &lines, dir.path());
    for (path, filter, about, ours) in &made {
        let pillow = fs::read(path).unwrap();
        assert_eq!(pillow.len(), ours.len(), "{about}");
        let above = |most: u8| {
            let apart = ours.iter().zip(&pillow).filter(|(a, b)| a.abs_diff(**b) > most);
            apart.count() as f64 / ours.len() as f64
        };
        match filter {
            // Where a centre lies between two pixels, each takes another.
            Filter::Nearest => assert!(above(0) <= 0.1, "{about}: {}", above(0)),
            Filter::Bilinear => assert!(above(1) <= 0.0, "{about}: {}", above(1)),
            // Lines and columns are made in another order, and what overshoots is cut off in between.
            Filter::Lanczos3 => assert!(above(1) <= 0.01, "{about}: {}", above(1)),
        }
    }
}
