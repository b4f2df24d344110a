//! Small data sets in the form of IDX files.

use std::fs;
use std::path::Path;

use tempfile::TempDir;

/// Rows and columns of the small images.
pub const SIDE: u32 = 28;

/// The bytes of an IDX file.
pub fn idx(dtype: u8, dims: &[u32], data: &[u8]) -> Vec<u8> {
    let mut bytes = vec![0, 0, dtype, u8::try_from(dims.len()).unwrap()];
    for dim in dims {
        bytes.extend(dim.to_be_bytes());
    }
    bytes.extend(data);
    bytes
}

/// A gzip member.
pub fn gzip(bytes: &[u8]) -> Vec<u8> {
    use std::io::Write;
    let mut out = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::fast());
    out.write_all(bytes).unwrap();
    out.finish().unwrap()
}

/// A data set of four files in a folder of its own: different images, labels that go round 0..=9.
pub struct Set {
    dir: TempDir,
}

impl Set {
    pub fn new(train: u32, test: u32) -> Self {
        let set = Self { dir: tempfile::tempdir().unwrap() };
        for (stem, from, count) in [("train", 0, train), ("t10k", train, test)] {
            let pixels: Vec<u8> = (from..from + count).flat_map(Self::pixels).collect();
            let labels: Vec<u8> = (from..from + count).map(Self::label).collect();
            set.write(&format!("{stem}-images-idx3-ubyte"), &idx(8, &[count, SIDE, SIDE], &pixels));
            set.write(&format!("{stem}-labels-idx1-ubyte"), &idx(8, &[count], &labels));
        }
        set
    }

    pub fn label(index: u32) -> u8 {
        u8::try_from(index % 10).unwrap()
    }

    pub fn pixels(index: u32) -> Vec<u8> {
        // A ramp that begins elsewhere and is steeper in each image.
        let step = 1 + index / 256;
        let value = |i: u32| u8::try_from((index + i * step / 4) % 256).unwrap();
        (0..SIDE * SIDE).map(value).collect()
    }

    pub fn path(&self) -> &Path {
        self.dir.path()
    }

    pub fn write(&self, name: &str, bytes: &[u8]) {
        fs::write(self.dir.path().join(name), bytes).unwrap();
    }

    pub fn read(&self, name: &str) -> Vec<u8> {
        fs::read(self.dir.path().join(name)).unwrap()
    }
}
