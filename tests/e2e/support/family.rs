//! The MNIST family in small: for each data set of the catalogue, files with its names, types and
//! dimensions, and the user's entry that describes them.

use std::fs;
use std::io::{Cursor, Write};
use std::path::Path;

use data_encoding::HEXLOWER;
use md5::Md5;
use sha2::{Digest, Sha256};

use crate::support::{SIDE, Set, gzip, idx};

/// How labels are stored.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Labels {
    /// `n` of u8.
    Plain,
    /// `n × 8` of i32, of which column 0 is the class.
    Extended,
}

/// One data set as its authors publish it.
#[derive(Debug)]
pub struct Kind {
    pub name: &'static str,
    /// Names of images and labels, of the training part and of the test part.
    pub files: [[&'static str; 2]; 2],
    pub labels: Labels,
    pub classes: u32,
    pub first_label: u32,
    pub transposed: bool,
    /// The zip with its files, and the folder in it.
    pub archive: Option<(&'static str, &'static str)>,
}

const USUAL: Kind = Kind {
    name: "",
    files: [
        ["train-images-idx3-ubyte", "train-labels-idx1-ubyte"],
        ["t10k-images-idx3-ubyte", "t10k-labels-idx1-ubyte"],
    ],
    labels: Labels::Plain,
    classes: 10,
    first_label: 0,
    transposed: false,
    archive: None,
};

macro_rules! emnist {
    ($split:literal, $classes:literal, $first_label:literal) => {
        Kind {
            name: concat!("emnist-", $split),
            files: [
                [
                    concat!("emnist-", $split, "-train-images-idx3-ubyte"),
                    concat!("emnist-", $split, "-train-labels-idx1-ubyte"),
                ],
                [
                    concat!("emnist-", $split, "-test-images-idx3-ubyte"),
                    concat!("emnist-", $split, "-test-labels-idx1-ubyte"),
                ],
            ],
            classes: $classes,
            first_label: $first_label,
            transposed: true,
            archive: Some(("gzip.zip", "gzip")),
            ..USUAL
        }
    };
}

/// All data sets of the built-in catalogue.
pub const FAMILY: [Kind; 11] = [
    Kind { name: "fashion-mnist", ..USUAL },
    Kind { name: "mnist", ..USUAL },
    Kind { name: "kmnist", ..USUAL },
    emnist!("byclass", 62, 0),
    emnist!("bymerge", 47, 0),
    emnist!("balanced", 47, 0),
    emnist!("letters", 26, 1),
    emnist!("digits", 10, 0),
    emnist!("mnist", 10, 0),
    Kind {
        name: "qmnist",
        files: [
            ["qmnist-train-images-idx3-ubyte", "qmnist-train-labels-idx2-int"],
            ["qmnist-test-images-idx3-ubyte", "qmnist-test-labels-idx2-int"],
        ],
        labels: Labels::Extended,
        ..USUAL
    },
    Kind {
        name: "kannada-mnist",
        files: [
            ["X_kannada_MNIST_train-idx3-ubyte", "y_kannada_MNIST_train-idx1-ubyte"],
            ["X_kannada_MNIST_test-idx3-ubyte", "y_kannada_MNIST_test-idx1-ubyte"],
        ],
        ..USUAL
    },
];

/// The data set of that name.
pub fn kind(name: &str) -> &'static Kind {
    FAMILY.iter().find(|kind| kind.name == name).unwrap()
}

impl Kind {
    /// Images in each part: every class comes up in both.
    pub fn records(&self) -> [u32; 2] {
        [2 * self.classes + 5, self.classes + 3]
    }

    /// The label of an image in source order, as the files have it.
    pub fn label(&self, index: u32) -> u32 {
        self.first_label + index % self.classes
    }

    /// An image in source order as a person should see it, row by row.
    pub fn pixels(index: u32) -> Vec<u8> {
        Set::pixels(index)
    }

    /// Each file: name, bytes when unpacked.
    pub fn files(&self) -> Vec<(&'static str, Vec<u8>)> {
        let mut from = 0;
        let mut files = Vec::new();
        for ([images, labels], n) in self.files.into_iter().zip(self.records()) {
            let pixels: Vec<u8> =
                (from..from + n).flat_map(|i| self.stored(&Self::pixels(i))).collect();
            files.push((images, idx(0x08, &[n, SIDE, SIDE], &pixels)));
            let all = (from..from + n).map(|i| self.label(i));
            files.push((
                labels,
                match self.labels {
                    Labels::Plain => {
                        let all: Vec<u8> = all.map(|label| u8::try_from(label).unwrap()).collect();
                        idx(0x08, &[n], &all)
                    }
                    Labels::Extended => {
                        // The other columns hold anything but the class.
                        let all: Vec<u8> = all
                            .flat_map(|label| [label, 4, 2100, 149, 30 + label, 281_769, 0, 0])
                            .flat_map(u32::to_be_bytes)
                            .collect();
                        idx(0x0C, &[n, 8], &all)
                    }
                },
            ));
            from += n;
        }
        files
    }

    fn stored(&self, pixels: &[u8]) -> Vec<u8> {
        let side = SIDE as usize;
        if !self.transposed {
            return pixels.to_vec();
        }
        (0..side * side).map(|i| pixels[i % side * side + i / side]).collect()
    }

    /// Writes the files into a folder as its mirrors have them: packed, or all in a zip.
    pub fn publish(&self, folder: &Path) {
        let packed = self.files().into_iter().map(|(name, bytes)| (name, gzip(&bytes)));
        if let Some((archive, inner)) = self.archive {
            let members: Vec<_> = packed
                .map(|(name, bytes)| (format!("{inner}/{name}.gz"), bytes))
                // EMNIST's zip holds all six sets.
                .chain([(format!("{inner}/emnist-other-mapping.txt"), b"0 48".to_vec())])
                .collect();
            fs::write(folder.join(archive), zip(&members)).unwrap();
            return;
        }
        for (name, bytes) in packed {
            fs::write(folder.join(format!("{name}.gz")), bytes).unwrap();
        }
    }

    /// Writes the files into a folder, unpacked.
    pub fn unpack(&self, folder: &Path) {
        for (name, bytes) in self.files() {
            fs::write(folder.join(name), bytes).unwrap();
        }
    }

    /// The user's entry for the small files below `mirror`, under the data set's own name: a table of
    /// the catalogue, with sums of what [`Kind::publish`] wrote into `folder`.
    pub fn entry(&self, mirror: &str, folder: &Path) -> String {
        let name = self.name;
        let classes: Vec<_> = (0..self.classes).map(|n| format!("class {n}")).collect();
        let mut text = format!(
            "[{name}]\nclasses = {classes:?}\nvalidation = 5\nmirrors = [{mirror:?}]\n\
             transposed = {}\nfirst_label = {}\n",
            self.transposed, self.first_label
        );
        if self.labels == Labels::Extended {
            text += "label_column = 0\n";
        }
        if let Some((archive, inner)) = self.archive {
            let bytes = fs::read(folder.join(archive)).unwrap();
            text += &format!(
                "archive.name = {archive:?}\narchive.folder = {inner:?}\narchive.bytes = {}\n\
                 archive.md5 = {:?}\narchive.sha256 = {:?}\n",
                bytes.len(),
                HEXLOWER.encode(&Md5::digest(&bytes)),
                HEXLOWER.encode(&Sha256::digest(&bytes)),
            );
        }
        let files = self.files();
        for (i, (part, n)) in ["training", "test"].into_iter().zip(self.records()).enumerate() {
            text += &format!("[[{name}.parts]]\npartition = {part:?}\nrecords = {n}\n");
            for (role, (file, bytes)) in ["images", "labels"].into_iter().zip(&files[2 * i..]) {
                text += &format!("{role}.name = {file:?}\n{role}.bytes = {}\n", bytes.len());
                if self.archive.is_none() {
                    let packed = fs::read(folder.join(format!("{file}.gz"))).unwrap();
                    let md5 = HEXLOWER.encode(&Md5::digest(packed));
                    text += &format!("{role}.packed_md5 = {md5:?}\n");
                }
            }
        }
        text
    }
}

/// A zip with these members: name, bytes.
pub fn zip(members: &[(String, Vec<u8>)]) -> Vec<u8> {
    let mut out = zip::ZipWriter::new(Cursor::new(Vec::new()));
    for (name, bytes) in members {
        let options = zip::write::SimpleFileOptions::default();
        out.start_file(name.as_str(), options).unwrap();
        out.write_all(bytes).unwrap();
    }
    out.finish().unwrap().into_inner()
}
