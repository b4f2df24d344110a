//! One value, where it was set, and how it becomes a value of the key's type.

use std::ffi::OsString;
use std::fmt;
use std::path::{Path, PathBuf};
use std::str::FromStr;
use std::time::Duration;

/// Where a value was set.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Origin {
    /// In the program.
    Default,
    /// In a config file, at a line (from 1).
    File(PathBuf, usize),
    /// In an environment variable.
    Variable(String),
    /// With a flag.
    Flag(&'static str),
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

/// A value and where it was set.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Value {
    content: Content,
    /// Where it was set.
    pub origin: Origin,
}

#[derive(Debug, Clone, PartialEq)]
enum Content {
    /// What a config file has; what flags and variables have is text.
    Toml(toml::Value),
    /// A flag or a variable that is no text: only paths can be that.
    NotText(OsString),
}

impl Value {
    /// A value as a config file has it.
    pub(super) fn toml(value: toml::Value, origin: Origin) -> Self {
        Self { content: Content::Toml(value), origin }
    }

    /// A value as flags and variables have it.
    pub(super) fn text(text: impl Into<OsString>, origin: Origin) -> Self {
        let content = match text.into().into_string() {
            Ok(text) => Content::Toml(toml::Value::String(text)),
            Err(not_text) => Content::NotText(not_text),
        };
        Self { content, origin }
    }

    fn as_toml(&self) -> Option<&toml::Value> {
        match &self.content {
            Content::Toml(value) => Some(value),
            Content::NotText(_) => None,
        }
    }

    /// The text, where it is one.
    pub(super) fn as_str(&self) -> Option<&str> {
        self.as_toml()?.as_str()
    }

    /// A path that the value names. In a config file it is relative to the file's folder.
    pub(super) fn relative(&self, path: impl AsRef<Path>) -> PathBuf {
        match &self.origin {
            Origin::File(file, _) => file.parent().unwrap_or(Path::new("")).join(path),
            _ => path.as_ref().to_owned(),
        }
    }

    /// The value as people read it, on one line: a list with commas, an address without a password.
    pub(crate) fn shown(&self) -> String {
        match &self.content {
            Content::Toml(value) => shown(value),
            Content::NotText(text) => text.to_string_lossy().into_owned(),
        }
    }

    /// The value as an environment variable has it; `None` for one that is no text.
    pub(super) fn text_of_variable(&self) -> Option<String> {
        Some(match self.as_toml()? {
            toml::Value::String(text) => text.clone(),
            value => value.to_string(),
        })
    }

    /// The value as a whole number.
    pub(super) fn number(&self) -> Option<i64> {
        match self.as_toml()? {
            toml::Value::Integer(number) => Some(*number),
            _ => self.word(),
        }
    }

    /// The value as a word or a number, as their types read it from text.
    pub(super) fn word<T: FromStr>(&self) -> Option<T> {
        let text = match self.as_toml()? {
            toml::Value::String(text) => text.trim().to_owned(),
            toml::Value::Array(_) | toml::Value::Table(_) | toml::Value::Datetime(_) => {
                return None;
            }
            plain => plain.to_string(),
        };
        Some(text).filter(|text| !text.is_empty())?.parse().ok()
    }

    /// The items of a list: one of TOML, or texts with commas between them.
    pub(super) fn list(&self) -> Option<Vec<Self>> {
        let item = |value| Self::toml(value, self.origin.clone());
        match self.as_toml()? {
            toml::Value::Array(items) => Some(items.iter().cloned().map(item).collect()),
            // In a flag or a variable, where the items themselves have commas.
            toml::Value::String(text) if text.trim_start().starts_with('[') => {
                item(text.trim().parse().ok().filter(toml::Value::is_array)?).list()
            }
            toml::Value::String(text) => {
                Some(text.split(',').map(|text| item(text.trim().into())).collect())
            }
            _ => None,
        }
    }

    /// The value as a path, which a file has relative to its folder.
    pub(super) fn path(&self) -> Option<PathBuf> {
        match &self.content {
            Content::NotText(path) => Some(self.relative(path)),
            Content::Toml(value) => {
                value.as_str().filter(|path| !path.is_empty()).map(|path| self.relative(path))
            }
        }
    }

    /// The value as a time above zero and up to a day, such as `30s`.
    pub(super) fn duration(&self) -> Option<Duration> {
        let time = humantime::parse_duration(self.as_str()?.trim()).ok()?;
        (!time.is_zero() && time <= Duration::from_hours(24)).then_some(time)
    }

    /// The value as a number of bytes above zero, such as `64MB` or `256 MiB`.
    pub(super) fn bytes(&self) -> Option<u64> {
        let text: String = self.word()?;
        let end = text.find(|c: char| !c.is_ascii_digit()).unwrap_or(text.len());
        let (number, unit) = text.split_at(end);
        let factor = match unit.trim_start() {
            "" | "B" => 1,
            "kB" => 1000,
            "MB" => 1000_u64.pow(2),
            "GB" => 1000_u64.pow(3),
            "KiB" => 1024,
            "MiB" => 1024_u64.pow(2),
            "GiB" => 1024_u64.pow(3),
            _ => return None,
        };
        number.parse::<u64>().ok()?.checked_mul(factor).filter(|bytes| *bytes > 0)
    }

    /// The value as a type that serde reads. The error is serde's message.
    pub(super) fn deserialize<T: serde::de::DeserializeOwned>(&self) -> Result<T, String> {
        let value = match self.as_toml() {
            // A flag or a variable has it as TOML writes it.
            Some(toml::Value::String(text)) => text.parse().ok(),
            value => value.cloned(),
        };
        let value = value.ok_or("is not a value of TOML")?;
        value.try_into().map_err(|e: toml::de::Error| one_line(e.message()))
    }
}

/// A message of the TOML reader without its line ends.
pub(super) fn one_line(message: &str) -> String {
    message.lines().collect::<Vec<_>>().join(", ")
}

fn shown(value: &toml::Value) -> String {
    match value {
        toml::Value::String(text) => {
            match text.split_once("://").map(|(a, b)| (a, b.rsplit_once('@'))) {
                Some((scheme, Some((_, host)))) => format!("{scheme}://…@{host}"),
                _ => text.clone(),
            }
        }
        toml::Value::Array(items) => items.iter().map(shown).collect::<Vec<_>>().join(","),
        other => other.to_string(),
    }
}
