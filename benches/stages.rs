//! How long each stage takes that works on pixels: decoding, encoding, the checksum, the split.
//!
//! `cargo bench` runs all in about a minute, `cargo bench -- encode` one. For whole loads there is
//! `scripts/bench.sh`.

use std::hint::black_box;
use std::io::{BufReader, Read, Write};
use std::time::Duration;

use criterion::{Criterion, Throughput};
use flate2::Compression;
use flate2::bufread::MultiGzDecoder;
use flate2::write::GzEncoder;
use idx2gcs::encode::Scale;
use idx2gcs::encode::{Encoder, Encoding};
use idx2gcs::source::records;
use idx2gcs::split::{Split, ValidationSize};
use idx2gcs::{Image, Partition, Size};

const ROWS: u16 = 28;
const COLS: u16 = 28;
const IMAGES: u32 = 5_000;

/// Pictures that cost about what real ones do: a soft blob on black, with some noise, each another.
fn pictures(count: u32) -> Vec<Vec<u8>> {
    let mut random = fastrand::Rng::with_seed(42);
    let mut picture = || {
        let (x0, y0, radius) = (random.i32(8..20), random.i32(8..20), random.i32(5..12));
        let mut pixel = |at: i32| {
            let (x, y) = (at % i32::from(COLS) - x0, at / i32::from(COLS) - y0);
            let inside = (radius * radius - x * x - y * y).max(0) * 255 / (radius * radius);
            let noise = if inside > 0 { random.i32(-20..=20) } else { 0 };
            u8::try_from((inside + noise).clamp(0, 255)).unwrap_or_default()
        };
        (0..i32::from(ROWS) * i32::from(COLS)).map(&mut pixel).collect()
    };
    (0..count).map(|_| picture()).collect()
}

/// The pictures as an IDX file.
fn idx(pictures: &[Vec<u8>]) -> Vec<u8> {
    let mut file = vec![0, 0, 8, 3];
    file.extend(IMAGES.to_be_bytes());
    file.extend(u32::from(ROWS).to_be_bytes());
    file.extend(u32::from(COLS).to_be_bytes());
    file.extend(pictures.iter().flatten());
    file
}

fn read_all(reader: impl Read) -> u32 {
    let mut records = records(reader).expect("is an IDX file");
    let mut count = 0;
    while let Some(record) = records.next_record().expect("is whole") {
        black_box(record);
        count += 1;
    }
    count
}

fn decode(criterion: &mut Criterion) {
    let plain = idx(&pictures(IMAGES));
    let mut packed = GzEncoder::new(Vec::new(), Compression::default());
    let packed = packed.write_all(&plain).and_then(|()| packed.finish()).expect("stays in memory");

    let mut group = criterion.benchmark_group("decode");
    group.throughput(Throughput::Elements(IMAGES.into()));
    group.bench_function("plain", |b| b.iter(|| read_all(plain.as_slice())));
    group.bench_function("gzip", |b| {
        b.iter(|| read_all(BufReader::with_capacity(64 * 1024, MultiGzDecoder::new(&*packed))));
    });
    group.finish();
}

fn encode(criterion: &mut Criterion) {
    let pictures = pictures(1_000);
    let mut group = criterion.benchmark_group("encode");
    group.throughput(Throughput::Elements(1));
    for (name, scale) in [("as it is", Scale::None), ("keras", Scale::Keras)] {
        let encoding = Encoding { scale, ..Encoding::default() };
        let encoder = Encoder::new(encoding);
        let size = Size { rows: ROWS.into(), cols: COLS.into(), channels: 1 };
        let images: Vec<_> =
            pictures.iter().map(|pixels| Image::Raw { size, pixels: pixels.clone() }).collect();
        let mut next = images.iter().cycle();
        group.bench_function(name, |b| {
            b.iter(|| next.next().map(|image| encoder.encode(image)));
        });
    }
    group.finish();
}

fn checksum(criterion: &mut Criterion) {
    let mut group = criterion.benchmark_group("crc32c");
    // One image of Fashion-MNIST, and a large one.
    for size in [602, 1 << 20] {
        let bytes = vec![0xA5; size];
        group.throughput(Throughput::Bytes(size as u64));
        group.bench_function(format!("{size} bytes"), |b| {
            b.iter(|| crc32c::crc32c(black_box(&bytes)));
        });
    }
    group.finish();
}

fn split(criterion: &mut Criterion) {
    let mut group = criterion.benchmark_group("split");
    group.throughput(Throughput::Elements(60_000));
    group.bench_function("random", |b| {
        let parts = [(Partition::Train, 60_000), (Partition::Test, 10_000)];
        b.iter(|| Split::random(&parts, ValidationSize::Count(10_000), black_box(42)));
    });
    group.finish();
}

fn main() {
    let mut criterion = Criterion::default()
        .warm_up_time(Duration::from_secs(1))
        .measurement_time(Duration::from_secs(3))
        .sample_size(50)
        .configure_from_args();
    for stage in [decode, encode, checksum, split] {
        stage(&mut criterion);
    }
    criterion.final_summary();
}
