//! What the catalogue says of one named data set.

use std::collections::BTreeMap;

use serde::Deserialize;

use crate::model::Partition;

/// One named data set.
#[derive(Debug, Clone, PartialEq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Entry {
    /// Its name as `--source` takes it, and that of its folder.
    #[serde(skip)]
    pub name: String,
    /// One line for people.
    #[serde(default)]
    pub title: String,
    /// Class names, unless the files carry them; the first is that of label `first_label`.
    pub classes: Vec<String>,
    /// Images of the training part that are held out where nothing else is asked for.
    pub validation: Option<u32>,
    /// Whether each image is stored column by column, so that it lies on its side when read as rows.
    #[serde(default)]
    pub transposed: bool,
    /// The smallest label in the files.
    #[serde(default)]
    pub first_label: u32,
    /// The column that holds the class, where labels have two dimensions (records × columns).
    pub label_column: Option<u32>,
    /// Base addresses; a file lies at `<mirror>/<file name><suffix>`.
    #[serde(default)]
    pub mirrors: Vec<String>,
    /// What the mirrors put behind a file's name: `.gz`, or nothing for files that are not packed.
    #[serde(default = "gz")]
    pub suffix: String,
    /// The zip that holds the files, where they are not to be had singly.
    pub archive: Option<Archive>,
    /// Its parts in source order, where the files are arrays that do not say what they are.
    #[serde(default)]
    pub parts: Vec<EntryPart>,
    /// Instead of parts: files of a format that says by itself what they hold.
    #[serde(default)]
    pub files: Vec<WholeFile>,
    /// With `files`: how many images of each partition there are.
    #[serde(default)]
    pub records: BTreeMap<Partition, u32>,
    /// The same images in other sizes, by their pixels a side: each is an entry of its own with this
    /// file, called `NAME-SIZE`.
    #[serde(default)]
    pub sizes: BTreeMap<String, WholeFile>,
    /// Whether it holds the images of another entry in another size.
    #[serde(skip)]
    pub is_size: bool,
}

/// A file of a named data set as it is downloaded and stays. Sums are in lower-case hex.
#[derive(Debug, Clone, PartialEq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct WholeFile {
    /// Its name; it is at `<mirror>/<name>`.
    pub name: String,
    /// Bytes of it.
    pub bytes: Option<u64>,
    /// SHA-256 of it.
    pub sha256: Option<String>,
    /// MD5 of it.
    pub md5: Option<String>,
}

/// A file of images and the file of their labels.
#[derive(Debug, Clone, PartialEq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct EntryPart {
    /// Which part of the data set they are.
    pub partition: Partition,
    /// How many images there are, where known.
    pub records: Option<u32>,
    /// The images.
    pub images: EntryFile,
    /// Their labels.
    pub labels: EntryFile,
}

/// One file of a named data set. Sums are in lower-case hex.
#[derive(Debug, Clone, PartialEq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct EntryFile {
    /// Its name when unpacked, without `.gz`.
    pub name: String,
    /// Bytes when unpacked.
    pub bytes: Option<u64>,
    /// SHA-256 of the unpacked bytes.
    pub sha256: Option<String>,
    /// SHA-256 of the file as it is downloaded.
    pub packed_sha256: Option<String>,
    /// MD5 of the file as it is downloaded.
    pub packed_md5: Option<String>,
}

impl Entry {
    /// The entries for the same images in other sizes.
    pub(super) fn take_sizes(&mut self) -> Vec<Self> {
        let sizes = std::mem::take(&mut self.sizes);
        let of_size = |(size, file): (String, WholeFile)| Self {
            name: format!("{}-{size}", self.name),
            title: format!("{}, {size} × {size}", self.title),
            files: vec![file],
            is_size: true,
            ..self.clone()
        };
        sizes.into_iter().map(of_size).collect()
    }
}

/// A zip with the files of a data set, and often of others.
#[derive(Debug, Clone, PartialEq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Archive {
    /// Its name; it lies at `<mirror>/<name>`.
    pub name: String,
    /// The folder in it that holds the files; empty where they lie at its top.
    #[serde(default)]
    pub folder: String,
    /// Bytes of the zip.
    pub bytes: Option<u64>,
    /// SHA-256 of the zip, in lower-case hex.
    pub sha256: Option<String>,
    /// MD5 of the zip, in lower-case hex.
    pub md5: Option<String>,
}

fn gz() -> String {
    ".gz".to_owned()
}

impl Entry {
    /// All its files, each with the number of records that it should hold, where known.
    pub fn files(&self) -> impl Iterator<Item = (&EntryFile, Option<u32>)> {
        self.parts.iter().flat_map(|part| {
            [&part.images, &part.labels].into_iter().map(|file| (file, part.records))
        })
    }

    /// Images of a partition, where that is known.
    pub fn records(&self, partition: Partition) -> Option<u64> {
        if !self.records.is_empty() {
            return Some(self.records.get(&partition).copied().unwrap_or(0).into());
        }
        if self.parts.is_empty() {
            return None;
        }
        let parts = self.parts.iter().filter(|part| part.partition == partition);
        parts.map(|part| part.records.map(u64::from)).sum()
    }

    /// Images in all parts, where that is known.
    pub fn images(&self) -> Option<u64> {
        Partition::ALL.into_iter().map(|partition| self.records(partition)).sum()
    }
}
