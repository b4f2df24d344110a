//! Where values come from, and which one counts: flags, then environment variables, then the config
//! file, then `STORAGE_EMULATOR_HOST`, then defaults.

use std::collections::BTreeMap;
use std::ffi::OsString;
use std::path::{Path, PathBuf};

use toml::de::{DeTable, DeValue};

use super::key::{About, Key};
use super::keys::{
    CLASSES, DATASET, ENDPOINT, FILES, FIRST_LABEL, KEYS, LABEL_COLUMN, LABEL_ENCODING, PATH,
    RANGE, TRANSPOSED,
};
use super::value::{Origin, Value, one_line};
use crate::source::Catalogue;

/// What is wrong with the settings. Exit code 2.
#[derive(Debug, thiserror::Error)]
pub(crate) enum ConfigError {
    /// The config file cannot be read.
    #[error("{}: cannot be read: {error}", path.display())]
    Unreadable {
        /// The file.
        path: PathBuf,
        /// Why.
        error: std::io::Error,
    },
    /// A config file that is not TOML or has a key that does not exist, or such a variable.
    #[error("{place}: {problem}")]
    Unknown {
        /// File and line, or the variable.
        place: String,
        /// What is wrong.
        problem: String,
    },
    /// A value that cannot be used.
    #[error("{}: {problem}", written(.key, .value))]
    Value {
        /// The setting.
        key: &'static str,
        /// The value and its origin.
        value: Value,
        /// What is wrong with it: `must be …`.
        problem: String,
    },
    /// Settings that are missing or do not go together.
    #[error("{0}")]
    Unfit(String),
}

/// The value as the user wrote it.
fn written(key: &str, value: &Value) -> String {
    let text = value.shown();
    match &value.origin {
        Origin::Default => format!("default of {key} = {text:?}"),
        Origin::File(path, line) => format!("{}:{line}: {key} = {text:?}", path.display()),
        Origin::Variable(name) => format!("environment variable {name}={text:?}"),
        Origin::Flag(flag) => format!("--{flag} {text:?}"),
    }
}

/// The value that counts for each key, and the data sets that can be named.
#[derive(Debug, Clone)]
pub(crate) struct Layers {
    values: BTreeMap<&'static str, Value>,
    catalogue: Catalogue,
}

impl Default for Layers {
    /// The defaults alone.
    fn default() -> Self {
        let defaults = KEYS.iter().filter_map(|key| default(key).map(|value| (key.path, value)));
        Self { values: defaults.collect(), catalogue: Catalogue::builtin() }
    }
}

fn default(key: &About) -> Option<Value> {
    key.default.map(|text| Value::text(text, Origin::Default))
}

impl Layers {
    /// Puts the values of a config file above what is known.
    ///
    /// # Errors
    /// A file that cannot be read, is not TOML, or has unknown keys.
    pub(crate) fn add_file(&mut self, path: &Path) -> Result<(), ConfigError> {
        let text = std::fs::read_to_string(path)
            .map_err(|error| ConfigError::Unreadable { path: path.to_owned(), error })?;
        let in_file = |(offset, problem): Located| {
            let place = format!("{}:{}", path.display(), line_at(&text, offset));
            ConfigError::Unknown { place, problem }
        };
        let ParsedFile { values, datasets } = parse(&text).map_err(in_file)?;
        for (offset, name, table) in datasets {
            let catalogue = std::mem::take(&mut self.catalogue);
            let added = catalogue.with(&name, table);
            self.catalogue = added.map_err(|problem| in_file((offset, problem)))?;
        }
        self.values.extend(values.into_iter().map(|(offset, key, value)| {
            let origin = Origin::File(path.to_owned(), line_at(&text, offset));
            (key.path, Value::toml(value, origin))
        }));
        Ok(())
    }

    /// `STORAGE_EMULATOR_HOST`, as Google's client libraries read it: with or without a scheme.
    pub(crate) fn add_emulator_host(&mut self, host: &str) {
        let text = if host.contains("://") { host.to_owned() } else { format!("http://{host}") };
        self.set(&ENDPOINT.about, text, Origin::Variable("STORAGE_EMULATOR_HOST".to_owned()));
    }

    /// Puts environment variables above what is known; those of other programs are left alone.
    ///
    /// # Errors
    /// A variable that begins with `IDX2GCS_` and a section's name but is no setting.
    pub(crate) fn add_environment(
        &mut self,
        variables: impl Iterator<Item = (OsString, OsString)>,
    ) -> Result<(), ConfigError> {
        for (name, text) in variables {
            let Ok(name) = name.into_string() else { continue };
            let Some(rest) = name.strip_prefix("IDX2GCS_") else { continue };
            let section = |key: &&&About| rest.starts_with(&(key.section().to_uppercase() + "_"));
            if let Some(key) = KEYS.iter().find(|key| key.variable() == name) {
                self.set(key, text, Origin::Variable(name));
            } else if let Some(near) = KEYS.iter().find(section) {
                let known = names_in(near.section(), About::variable);
                let problem = format!("there is no such setting; there are {known}");
                let place = format!("environment variable {name}");
                return Err(ConfigError::Unknown { place, problem });
            }
        }
        Ok(())
    }

    /// Puts a flag above what is known.
    pub(crate) fn add_flag(&mut self, key: &'static About, text: impl Into<OsString>) {
        self.set(key, text, Origin::Flag(key.flag.unwrap_or_default()));
    }

    /// Puts `--source` above what is known: a data set of the catalogue, or else a path (`./mnist`
    /// always is one). It replaces the source of a config file together with the file's description of its
    /// values, unless it names the same source.
    pub(crate) fn add_source(&mut self, source: OsString) {
        let entry = source.to_str().and_then(|name| self.catalogue.find(name));
        // Another spelling of a name may be that of a folder.
        let entry = entry.filter(|entry| source == *entry.name || !Path::new(&source).exists());
        let key = if entry.is_some() { &DATASET.about } else { &PATH.about };
        let source = entry.map_or(source, |entry| entry.name.clone().into());
        let source = Value::text(source, Origin::Flag("source"));
        let others = [&DATASET.about, &PATH.about, &FILES.about];
        let others = others.map(|key| (key, self.values.remove(key.path)));
        let is_another = |(other, value): &(&About, Option<Value>)| {
            let same = *other.path == *key.path
                && value.as_ref().is_some_and(|value| value.shown() == source.shown());
            value.is_some() && !same
        };
        if others.iter().any(is_another) {
            let described = [
                &CLASSES.about,
                &FIRST_LABEL.about,
                &LABEL_COLUMN.about,
                &LABEL_ENCODING.about,
                &RANGE.about,
                &TRANSPOSED.about,
            ];
            for key in described {
                if matches!(self.get(key.path), Some(Value { origin: Origin::File(..), .. })) {
                    self.values.remove(key.path);
                    self.values.extend(default(key).map(|value| (key.path, value)));
                }
            }
        }
        self.values.insert(key.path, source);
    }

    /// Sets a default where the key has none.
    pub(crate) fn assume(&mut self, key: &'static About, text: &str) {
        self.set(key, text, Origin::Default);
    }

    fn set(&mut self, key: &'static About, text: impl Into<OsString>, origin: Origin) {
        self.values.insert(key.path, Value::text(text, origin));
    }

    /// The named data sets.
    pub(crate) fn catalogue(&self) -> &Catalogue {
        &self.catalogue
    }

    /// The value of a key by its path, if there is one.
    pub(crate) fn get(&self, path: &str) -> Option<&Value> {
        self.values.get(path)
    }

    /// All keys in the order of the config file, with their values.
    pub(crate) fn all(&self) -> impl Iterator<Item = (&'static About, Option<&Value>)> {
        KEYS.iter().map(|key| (*key, self.get(key.path)))
    }

    /// The value of a key that has a default.
    pub(super) fn need<T>(&self, key: &Key<T>) -> Result<T, ConfigError> {
        let missing = || {
            let Key { about, .. } = key;
            ConfigError::Unfit(format!("{} is not set; it {}", about.path, about.refusal()))
        };
        self.find(key)?.ok_or_else(missing)
    }

    /// The value of a key, if there is one.
    pub(super) fn find<T>(&self, key: &Key<T>) -> Result<Option<T>, ConfigError> {
        let about = &key.about;
        let Some(value) = self.get(about.path) else { return Ok(None) };
        let read = (key.read)(value, about.kind);
        read.map(Some).map_err(|problem| ConfigError::Value {
            key: about.path,
            value: value.clone(),
            problem: problem.unwrap_or_else(|| about.refusal()),
        })
    }

    /// The value of a key that was not left at its default.
    pub(super) fn chosen<T>(&self, key: &Key<T>) -> Result<Option<T>, ConfigError> {
        match self.get(key.about.path) {
            Some(Value { origin: Origin::Default, .. }) => Ok(None),
            _ => self.find(key),
        }
    }

    /// The error for a value that does not fit others.
    pub(super) fn refuse<T>(&self, key: &Key<T>, problem: &str) -> ConfigError {
        let key = key.about.path;
        match self.get(key) {
            Some(value) => {
                ConfigError::Value { key, value: value.clone(), problem: problem.to_owned() }
            }
            None => ConfigError::Unfit(format!("{key} {problem}")),
        }
    }
}

fn names_in(section: &str, name: impl Fn(&About) -> String) -> String {
    let keys = KEYS.iter().filter(|key| key.section() == section);
    keys.map(|key| name(key)).collect::<Vec<_>>().join(", ")
}

/// The section whose tables are data sets.
const DATASETS: &str = "dataset";

/// What a config file has, each with its place in the text.
#[derive(Default)]
struct ParsedFile {
    values: Vec<(usize, &'static About, toml::Value)>,
    /// Data sets of the user's own.
    datasets: Vec<(usize, String, toml::Table)>,
}

/// A problem and its place in the text.
type Located = (usize, String);

fn line_at(text: &str, offset: usize) -> usize {
    1 + text.bytes().take(offset).filter(|b| *b == b'\n').count()
}

/// Reads the text of a config file twice: for its values, and for their places.
fn parse(text: &str) -> Result<ParsedFile, Located> {
    let error = |e: toml::de::Error| (e.span().map_or(0, |span| span.start), one_line(e.message()));
    let places = DeTable::parse(text).map_err(error)?;
    let mut sections: toml::Table = toml::from_str(text).map_err(error)?;
    let mut parsed = ParsedFile::default();
    for (section, content) in places.get_ref() {
        let (at, name) = (section.span().start, section.get_ref().as_ref());
        if name != DATASETS && !KEYS.iter().any(|key| key.section() == name) {
            let mut known: Vec<_> = KEYS.iter().map(|key| key.section()).collect();
            known.dedup();
            known.push("dataset.NAME");
            let known = known.join(", ");
            return Err((at, format!("there is no section {name:?}; there are {known}")));
        }
        let DeValue::Table(places) = content.get_ref() else {
            return Err((at, format!("{name} is a section: write [{name}]")));
        };
        let Some(toml::Value::Table(mut content)) = sections.remove(name) else { continue };
        for key in places.keys() {
            let (at, word) = (key.span().start, key.get_ref().as_ref());
            let Some(value) = content.remove(word) else { continue };
            if name == DATASETS {
                let toml::Value::Table(table) = value else {
                    return Err((at, format!("{word} is a data set: write [dataset.{word}]")));
                };
                parsed.datasets.push((at, word.to_owned(), table));
                continue;
            }
            let Some(known) = KEYS.iter().find(|k| k.section() == name && k.name() == word) else {
                let known = names_in(name, |key| key.name().to_owned());
                let problem = format!("there is no key {word:?} in [{name}]; there are {known}");
                return Err((at, problem));
            };
            if value.is_table() || value.is_datetime() {
                return Err((
                    at,
                    format!("{}.{word} cannot be a table or a date", known.section()),
                ));
            }
            parsed.values.push((at, known, value));
        }
    }
    Ok(parsed)
}
