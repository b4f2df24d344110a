//! The named data sets, compiled in as data.

use std::collections::BTreeMap;

use serde::Deserialize;

/// All named data sets, by name.
#[derive(Debug, Clone, Deserialize)]
#[serde(transparent)]
pub struct Catalogue(BTreeMap<String, Entry>);

/// One named data set.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Entry {
    /// Its name as `--source` takes it.
    #[serde(skip)]
    pub name: String,
    /// One line for people.
    pub title: String,
    /// Class names by label.
    pub classes: Vec<String>,
    /// Base addresses; a file lies at `<mirror>/<file name>.gz`.
    pub mirrors: Vec<String>,
    /// The files it consists of.
    pub files: Vec<EntryFile>,
}

/// One file of a named data set.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct EntryFile {
    /// Its name without `.gz`.
    pub name: String,
    /// Bytes when unpacked.
    pub bytes: u64,
    /// SHA-256 of the unpacked bytes, in lower-case hex.
    pub sha256: String,
}

impl Catalogue {
    /// The catalogue that comes with the program.
    #[allow(clippy::missing_panics_doc)] // the text is compiled in, and a test reads it
    pub fn builtin() -> Self {
        #[allow(clippy::expect_used)]
        let mut catalogue: Self =
            toml::from_str(include_str!("catalogue.toml")).expect("the built-in catalogue parses");
        for (name, entry) in &mut catalogue.0 {
            entry.name.clone_from(name);
        }
        catalogue
    }

    /// The entry of that name.
    pub fn get(&self, name: &str) -> Option<&Entry> {
        self.0.get(name)
    }

    /// All names, in order.
    pub fn names(&self) -> impl Iterator<Item = &str> {
        self.0.keys().map(String::as_str)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_builtin_catalogue_is_sound() {
        let catalogue = Catalogue::builtin();
        let entry = catalogue.get("fashion-mnist").unwrap();
        assert_eq!(entry.name, "fashion-mnist");
        assert_eq!(entry.classes.len(), 10);
        assert_eq!(entry.files.len(), 4);
        for file in &entry.files {
            assert_eq!(data_encoding::HEXLOWER.decode(file.sha256.as_bytes()).unwrap().len(), 32);
        }
    }
}
