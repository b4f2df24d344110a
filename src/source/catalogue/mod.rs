//! The named data sets: those that come with the program, as data, and the user's own.

mod entry;
mod rules;

use std::collections::BTreeMap;

use serde::Deserialize;

pub use self::entry::{Archive, Entry, EntryFile, EntryPart, WholeFile};

/// The entries that come with the program, a family a file.
const BUILTIN: [&str; 3] =
    [include_str!("mnist.toml"), include_str!("cifar.toml"), include_str!("medmnist.toml")];

/// All named data sets, by name.
#[derive(Debug, Clone, Default)]
pub struct Catalogue(BTreeMap<String, Entry>);

impl Catalogue {
    /// The catalogue that comes with the program.
    #[allow(clippy::missing_panics_doc)] // the text is compiled in, and a test reads it
    pub fn builtin() -> Self {
        BUILTIN.iter().fold(Self::default(), |catalogue, text| {
            #[allow(clippy::expect_used)]
            catalogue.with_text(text).expect("the built-in catalogue parses")
        })
    }

    /// This catalogue with one more entry, or another of a name that it has. The table holds what
    /// stands below `[NAME]` in the built-in catalogue.
    ///
    /// # Errors
    /// One line that names the entry, the key, and what is wrong.
    pub fn with(mut self, name: &str, table: toml::Table) -> Result<Self, String> {
        let mut entry = Entry::deserialize(table).map_err(|e| {
            // Where it went wrong stands on a second line.
            let problem = e.to_string();
            let lines: Vec<_> = problem.lines().map(str::trim).filter(|l| !l.is_empty()).collect();
            format!("data set {name:?}: {}", lines.join(" "))
        })?;
        name.clone_into(&mut entry.name);
        rules::check(&mut entry).map_err(|problem| format!("data set {name:?}: {problem}"))?;
        for of_size in entry.take_sizes() {
            self.0.insert(of_size.name.clone(), of_size);
        }
        self.0.insert(name.to_owned(), entry);
        Ok(self)
    }

    /// This catalogue with the entries of a TOML text, a table each.
    ///
    /// # Errors
    /// As [`Catalogue::with`]; a text that is no TOML, and a value where a table should be.
    pub fn with_text(self, text: &str) -> Result<Self, String> {
        let entries: toml::Table =
            toml::from_str(text).map_err(|e: toml::de::Error| e.message().to_owned())?;
        entries.into_iter().try_fold(self, |catalogue, (name, value)| match value {
            toml::Value::Table(table) => catalogue.with(&name, table),
            _ => Err(format!("data set {name:?}: must be a table")),
        })
    }

    /// The entry of that name.
    pub fn get(&self, name: &str) -> Option<&Entry> {
        self.0.get(name)
    }

    /// The entry of that name, or the one whose name has the same letters and digits: `FashionMNIST` and
    /// `fashion_mnist` are `fashion-mnist`.
    pub fn find(&self, name: &str) -> Option<&Entry> {
        self.get(name).or_else(|| {
            let wanted = letters(name)?;
            self.entries().find(|entry| letters(&entry.name).as_ref() == Some(&wanted))
        })
    }

    /// The name that was probably meant by one that no entry has.
    pub fn nearest(&self, name: &str) -> Option<&str> {
        let wanted = letters(name).filter(|name| name.len() > 3)?;
        let distance = |entry: &Entry| {
            let known = letters(&entry.name)?;
            Some(strsim::osa_distance(&wanted, &known)).filter(|edits| *edits <= 2)
        };
        let near = self.entries().filter_map(|entry| Some((distance(entry)?, &*entry.name)));
        near.min().map(|(_, name)| name)
    }

    /// All entries, in the order of their names.
    pub fn entries(&self) -> impl Iterator<Item = &Entry> {
        self.0.values()
    }

    /// All names in order, but for those of other sizes of the same images.
    pub fn names(&self) -> impl Iterator<Item = &str> {
        self.entries().filter(|entry| !entry.is_size).map(|entry| entry.name.as_str())
    }
}

/// The letters and digits of a name in lower case; nothing for what can only be a path.
fn letters(name: &str) -> Option<String> {
    let all = name.chars().all(|c| c.is_ascii_alphanumeric() || "-_ ".contains(c));
    let letters = || name.chars().filter(char::is_ascii_alphanumeric);
    all.then(|| letters().map(|c| c.to_ascii_lowercase()).collect())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::classes::Classes;
    use crate::model::Partition;

    #[test]
    fn sizes_follow_from_counts() {
        for entry in Catalogue::builtin().entries() {
            for part in &entry.parts {
                let n = u64::from(part.records.unwrap());
                assert_eq!(part.images.bytes, Some(16 + n * 28 * 28), "{}", entry.name);
                let labels = if entry.label_column.is_some() { 12 + n * 8 * 4 } else { 8 + n };
                assert_eq!(part.labels.bytes, Some(labels), "{}", entry.name);
            }
        }
    }

    #[test]
    fn the_builtin_entries_are_those_of_their_authors() {
        let catalogue = Catalogue::builtin();
        let facts: Vec<_> = catalogue
            .entries()
            .filter(|e| e.files.is_empty())
            .map(|e| {
                let [training, test] = e.parts.as_slice() else { panic!("{}", e.name) };
                assert_eq!(
                    (training.partition, test.partition),
                    (Partition::Train, Partition::Test)
                );
                let records = (training.records.unwrap(), test.records.unwrap());
                (e.name.as_str(), records, e.classes.len(), e.validation.unwrap(), e.transposed)
            })
            .collect();
        assert_eq!(
            facts,
            [
                ("emnist-balanced", (112_800, 18_800), 47, 18_800, true),
                ("emnist-byclass", (697_932, 116_323), 62, 116_322, true),
                ("emnist-bymerge", (697_932, 116_323), 47, 116_322, true),
                ("emnist-digits", (240_000, 40_000), 10, 40_000, true),
                ("emnist-letters", (124_800, 20_800), 26, 20_800, true),
                ("emnist-mnist", (60_000, 10_000), 10, 10_000, true),
                ("fashion-mnist", (60_000, 10_000), 10, 10_000, false),
                ("kannada-mnist", (60_000, 10_000), 10, 10_000, false),
                ("kmnist", (60_000, 10_000), 10, 10_000, false),
                ("mnist", (60_000, 10_000), 10, 10_000, false),
                ("qmnist", (60_000, 60_000), 10, 10_000, false),
            ]
        );
        let others: Vec<_> = catalogue.entries().filter(|e| !e.files.is_empty()).collect();
        let images: BTreeMap<_, _> = others
            .iter()
            .map(|e| (e.name.as_str(), (e.images().unwrap(), e.classes.len())))
            .collect();
        assert_eq!(images.len(), 2 + 11 * 4, "CIFAR's, and MedMNIST's in four sizes");
        assert_eq!((images["cifar10"], images["cifar100"]), ((60_000, 10), (60_000, 100)));
        assert_eq!((images["pathmnist"], images["pathmnist-224"]), ((107_180, 9), (107_180, 9)));
        assert_eq!(images["organsmnist-64"], (25_211, 11));
        for entry in catalogue.entries() {
            Classes::new(entry.classes.clone(), entry.first_label).unwrap();
        }
        let first_labels: Vec<_> =
            catalogue.entries().filter(|e| e.first_label != 0).map(|e| &e.name).collect();
        assert_eq!(first_labels, ["emnist-letters"]);
        assert_eq!(catalogue.get("emnist-letters").unwrap().first_label, 1);
        // Upper case before lower case, as in ASCII.
        let byclass = &catalogue.get("emnist-byclass").unwrap().classes;
        assert_eq!(
            (byclass[9].as_str(), byclass[10].as_str(), byclass[36].as_str()),
            ("9", "A", "a")
        );
        let merged = catalogue.get("emnist-bymerge").unwrap().classes[36..].concat();
        assert_eq!(merged, "abdefghnqrt");
    }

    #[test]
    fn other_spellings_of_a_name_are_known_and_near_ones_are_named() {
        let catalogue = Catalogue::builtin();
        let find = |name: &str| catalogue.find(name).map(|entry| entry.name.as_str());
        for (name, meant) in [
            ("mnist", "mnist"),
            ("MNIST", "mnist"),
            ("fashion_mnist", "fashion-mnist"),
            ("FashionMNIST", "fashion-mnist"),
            ("CIFAR-10", "cifar10"),
            ("pathmnist_64", "pathmnist-64"),
        ] {
            assert_eq!(find(name), Some(meant), "{name}");
        }
        assert_eq!(["./mnist", "mnist/", "mnist.npz", "", "data"].map(find), [None; 5]);
        assert_eq!(catalogue.nearest("fashon-mnist"), Some("fashion-mnist"));
        assert_eq!(catalogue.nearest("mnits"), Some("mnist"));
        assert_eq!(["data", "images", "../mnits"].map(|name| catalogue.nearest(name)), [None; 3]);
    }

    #[test]
    fn every_entry_can_be_had_and_checked() {
        for entry in Catalogue::builtin().entries() {
            assert!(!entry.mirrors.is_empty(), "{}", entry.name);
            let archive = entry.archive.as_ref().is_some_and(|zip| zip.sha256.is_some());
            for (file, _) in entry.files() {
                let sums = [&file.sha256, &file.packed_sha256, &file.packed_md5];
                assert!(archive || sums.iter().any(|sum| sum.is_some()), "{}", file.name);
            }
            assert!(entry.files.iter().all(|file| file.md5.is_some()), "{}", entry.name);
        }
    }
}
