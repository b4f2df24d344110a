//! Where values come from, and which one counts: defaults < `STORAGE_EMULATOR_HOST` < file <
//! environment < flags.

use std::borrow::Cow;
use std::collections::BTreeMap;
use std::fmt;
use std::path::{Path, PathBuf};

use toml::de::{DeTable, DeValue};

use super::keys::{KEYS, Key, default_file};
use crate::source::Catalogue;

/// Where a value was said.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Origin {
    /// In the program.
    Default,
    /// In a config file, at a line (from 1).
    File(PathBuf, usize),
    /// In an environment variable.
    Variable(String),
    /// With a flag.
    Flag(String),
}

impl fmt::Display for Origin {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Default => f.write_str("default"),
            Self::File(path, line) => write!(f, "{}:{line}", path.display()),
            Self::Variable(name) => write!(f, "environment: {name}"),
            Self::Flag(flag) => write!(f, "flag: --{flag}"),
        }
    }
}

/// A value as text, whichever way it was written; a list is joined by commas, a list of tables is
/// JSON.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Value {
    /// The text.
    pub text: String,
    /// Where it was said.
    pub origin: Origin,
}

/// What is wrong with the settings. Exit code 2.
#[derive(Debug, thiserror::Error)]
pub enum ConfigError {
    /// The config file cannot be read.
    #[error("{}: cannot be read: {error}", path.display())]
    Unreadable {
        /// The file.
        path: PathBuf,
        /// Why.
        error: std::io::Error,
    },
    /// The config file is no TOML, or has a key or a kind of value that there is not.
    #[error("{}:{line}: {problem}", path.display())]
    File {
        /// The file.
        path: PathBuf,
        /// The line, from 1.
        line: usize,
        /// What is wrong.
        problem: String,
    },
    /// An environment variable with the program's prefix and a section's name means nothing.
    #[error("environment variable {name}: {problem}")]
    Variable {
        /// Its name.
        name: String,
        /// What is wrong.
        problem: String,
    },
    /// A value that cannot be used.
    #[error("{}: must be {allowed}", said(.key, .value))]
    Value {
        /// The setting.
        key: &'static str,
        /// The value and its origin.
        value: Value,
        /// What is allowed.
        allowed: String,
    },
    /// Settings that are missing or do not go together.
    #[error("{0}")]
    Unfit(String),
}

impl Value {
    /// The text without a password: what stands between `://` and `@` is left out.
    pub fn shown(&self) -> Cow<'_, str> {
        let Some((scheme, rest)) = self.text.split_once("://") else {
            return self.text.as_str().into();
        };
        match rest.rsplit_once('@') {
            Some((_, host)) => format!("{scheme}://…@{host}").into(),
            None => self.text.as_str().into(),
        }
    }
}

/// The value the way the user wrote it.
fn said(key: &str, value: &Value) -> String {
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
pub struct Layers {
    values: BTreeMap<&'static str, Value>,
    catalogue: Catalogue,
}

impl Layers {
    /// The defaults alone.
    ///
    /// # Errors
    /// None in practice: the defaults are compiled in and tested.
    pub fn defaults() -> Result<Self, ConfigError> {
        let mut layers = Self { values: BTreeMap::new(), catalogue: Catalogue::builtin() };
        for (key, text, _) in read(Path::new("defaults"), &default_file())?.values {
            layers.values.insert(key.path, Value { text, origin: Origin::Default });
        }
        Ok(layers)
    }

    /// Puts a config file over what is there.
    ///
    /// # Errors
    /// A file that cannot be read, is no TOML, or has unknown keys.
    pub fn add_file(&mut self, path: &Path) -> Result<(), ConfigError> {
        let text = std::fs::read_to_string(path)
            .map_err(|error| ConfigError::Unreadable { path: path.to_owned(), error })?;
        let Said { values, datasets } = read(path, &text)?;
        for (name, table, line) in datasets {
            let catalogue = std::mem::take(&mut self.catalogue);
            self.catalogue = catalogue.with(&name, table).map_err(|problem| ConfigError::File {
                path: path.to_owned(),
                line,
                problem,
            })?;
        }
        self.add(values.into_iter().map(|(key, text, line)| {
            (key, Value { text, origin: Origin::File(path.to_owned(), line) })
        }));
        Ok(())
    }

    /// `STORAGE_EMULATOR_HOST`, as Google's client libraries read it: with or without a scheme.
    pub fn add_emulator_host(&mut self, host: &str) {
        let text = if host.contains("://") { host.to_owned() } else { format!("http://{host}") };
        let origin = Origin::Variable("STORAGE_EMULATOR_HOST".to_owned());
        self.values.insert("destination.endpoint", Value { text, origin });
    }

    /// Puts environment variables over what is there; those of others are left alone.
    ///
    /// # Errors
    /// A variable that begins with `IDX2GCS_` and a section's name but is no setting.
    pub fn add_environment(
        &mut self,
        variables: impl Iterator<Item = (String, String)>,
    ) -> Result<(), ConfigError> {
        let mut values = Vec::new();
        for (name, text) in variables {
            let Some(rest) = name.strip_prefix("IDX2GCS_") else { continue };
            if let Some(key) = KEYS.iter().find(|key| key.variable() == name) {
                values.push((key, Value { text, origin: Origin::Variable(name) }));
            } else if let Some(section) = KEYS
                .iter()
                .map(|key| key.section().to_uppercase() + "_")
                .find(|section| rest.starts_with(section))
            {
                let known = names_in(&section.to_lowercase().replace('_', ""), Key::variable);
                return Err(ConfigError::Variable {
                    name,
                    problem: format!("there is no such setting; there are {known}"),
                });
            }
        }
        self.add(values.into_iter());
        Ok(())
    }

    /// Puts flags over what is there. `--source` is one flag for both ways to name a source, so it
    /// replaces them, and a list of files.
    pub fn add_flags(&mut self, flags: impl Iterator<Item = (&'static Key, &'static str, String)>) {
        let flags: Vec<_> = flags.collect();
        if flags.iter().any(|(key, _, _)| SOURCE.contains(&key.path)) {
            self.values.retain(|path, _| !SOURCE.contains(path));
        }
        self.add(
            flags.into_iter().map(|(key, flag, text)| {
                (key, Value { text, origin: Origin::Flag(flag.to_owned()) })
            }),
        );
    }

    /// Sets a default where there is none.
    pub fn assume(&mut self, path: &'static str, text: &str) {
        self.values.insert(path, Value { text: text.to_owned(), origin: Origin::Default });
    }

    fn add(&mut self, values: impl Iterator<Item = (&'static Key, Value)>) {
        for (key, value) in values {
            self.values.insert(key.path, value);
        }
    }

    /// The named data sets.
    pub fn catalogue(&self) -> &Catalogue {
        &self.catalogue
    }

    /// The value of a key, if there is one.
    pub fn get(&self, path: &str) -> Option<&Value> {
        self.values.get(path)
    }

    /// All keys in the order of the config file, with their values.
    pub fn all(&self) -> impl Iterator<Item = (&'static Key, Option<&Value>)> {
        KEYS.iter().map(|key| (key, self.get(key.path)))
    }

    /// Reads a value that must be there.
    pub(super) fn need<T>(
        &self,
        key: &'static str,
        allowed: &str,
        parse: impl FnOnce(&str) -> Option<T>,
    ) -> Result<T, ConfigError> {
        self.maybe(key, allowed, parse)?
            .ok_or_else(|| ConfigError::Unfit(format!("{key} is not set; it must be {allowed}")))
    }

    /// Reads a value that may be absent.
    pub(super) fn maybe<T>(
        &self,
        key: &'static str,
        allowed: &str,
        parse: impl FnOnce(&str) -> Option<T>,
    ) -> Result<Option<T>, ConfigError> {
        let Some(value) = self.get(key) else { return Ok(None) };
        parse(value.text.trim()).map(Some).ok_or_else(|| self.refuse(key, allowed))
    }

    /// The error for a value that cannot be used.
    pub(super) fn refuse(&self, key: &'static str, allowed: &str) -> ConfigError {
        match self.get(key) {
            Some(value) => {
                ConfigError::Value { key, value: value.clone(), allowed: allowed.to_owned() }
            }
            None => ConfigError::Unfit(format!("{key} must be {allowed}")),
        }
    }
}

/// The keys that name a source.
const SOURCE: [&str; 3] = ["source.dataset", "source.path", "source.files"];

fn names_in(section: &str, name: impl Fn(&Key) -> String) -> String {
    let names: Vec<_> = KEYS.iter().filter(|key| key.section() == section).map(name).collect();
    names.join(", ")
}

/// The section whose tables are data sets.
const DATASET: &str = "dataset";

/// What a config file says, each with its line.
struct Said {
    /// Keys, and values as text.
    values: Vec<(&'static Key, String, usize)>,
    /// Data sets of the user's own.
    datasets: Vec<(String, toml::Table, usize)>,
}

/// Reads a TOML text.
fn read(path: &Path, text: &str) -> Result<Said, ConfigError> {
    let line_at = |offset: usize| 1 + text.bytes().take(offset).filter(|b| *b == b'\n').count();
    let wrong = |offset: usize, problem: String| ConfigError::File {
        path: path.to_owned(),
        line: line_at(offset),
        problem,
    };
    let table = DeTable::parse(text).map_err(|e| {
        let message = e.message().lines().collect::<Vec<_>>().join(", ");
        wrong(e.span().map_or(0, |span| span.start), message)
    })?;
    let (mut values, mut datasets) = (Vec::new(), Vec::new());
    for (section, content) in table.get_ref() {
        let at = section.span().start;
        let name = section.get_ref().as_ref();
        if let (DATASET, DeValue::Table(entries)) = (name, content.get_ref()) {
            let whole: toml::Table =
                toml::from_str(text).map_err(|e| wrong(at, e.message().to_owned()))?;
            for entry in entries.keys() {
                let (at, name) = (entry.span().start, entry.get_ref().as_ref());
                let Some(table) = whole.get(DATASET).and_then(|all| all.get(name)?.as_table())
                else {
                    return Err(wrong(at, format!("{name} is a data set: write [dataset.{name}]")));
                };
                datasets.push((name.to_owned(), table.clone(), line_at(at)));
            }
            continue;
        }
        if !KEYS.iter().any(|key| key.section() == name) {
            let mut known: Vec<_> = KEYS.iter().map(Key::section).collect();
            known.dedup();
            known.push("dataset.NAME");
            return Err(wrong(
                at,
                format!("there is no section {name:?}; there are {}", known.join(", ")),
            ));
        }
        let DeValue::Table(content) = content.get_ref() else {
            return Err(wrong(at, format!("{name} is a section: write [{name}]")));
        };
        for (key, value) in content {
            let (at, word) = (key.span().start, key.get_ref().as_ref());
            let Some(known) = KEYS.iter().find(|k| k.section() == name && k.name() == word) else {
                let there = names_in(name, |key| key.name().to_owned());
                return Err(wrong(
                    at,
                    format!("there is no key {word:?} in [{name}]; there are {there}"),
                ));
            };
            let text = as_text(value.get_ref()).ok_or_else(|| {
                wrong(at, format!("{}.{word} cannot be a table or a date", known.section()))
            })?;
            values.push((known, text, line_at(at)));
        }
    }
    Ok(Said { values, datasets })
}

fn as_text(value: &DeValue<'_>) -> Option<String> {
    match value {
        DeValue::String(text) => Some(text.to_string()),
        DeValue::Integer(number) => Some(number.to_string()),
        DeValue::Float(number) => Some(number.to_string()),
        DeValue::Boolean(value) => Some(value.to_string()),
        DeValue::Array(items) => {
            let tables = items.iter().map(|item| as_texts(item.get_ref())).collect();
            if let Some(tables) = tables
                && !items.is_empty()
            {
                let tables: Vec<BTreeMap<String, String>> = tables;
                return serde_json::to_string(&tables).ok();
            }
            let items: Option<Vec<_>> = items.iter().map(|item| as_text(item.get_ref())).collect();
            let items = items?;
            // A comma within a text would be taken for one between two.
            if items.iter().any(|item| item.contains(',')) {
                return serde_json::to_string(&items).ok();
            }
            Some(items.join(","))
        }
        DeValue::Datetime(_) | DeValue::Table(_) => None,
    }
}

/// A table of texts.
fn as_texts(value: &DeValue<'_>) -> Option<BTreeMap<String, String>> {
    let DeValue::Table(table) = value else { return None };
    let pairs = table
        .iter()
        .map(|(key, value)| Some((key.get_ref().to_string(), as_text(value.get_ref())?)));
    pairs.collect()
}
