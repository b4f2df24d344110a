//! What a setting is: its name, its type, and all that follows from them.

use std::path::PathBuf;
use std::str::FromStr;
use std::time::Duration;

use strum::VariantNames;

use super::value::Value;

/// One setting of the type `T`.
#[derive(Debug)]
pub(crate) struct Key<T> {
    /// All but the type.
    pub about: About,
    pub(super) read: Read<T>,
}

/// Reads a value. The error is what is wrong with it (`must be …`), where that is more than that it is
/// none of the key's kind.
pub(super) type Read<T> = fn(&Value, Kind) -> Result<T, Option<String>>;

/// What flags, variables, the config file and its documentation need of a setting.
#[derive(Debug)]
pub(crate) struct About {
    /// `section.name` as in the config file.
    pub path: &'static str,
    /// The flag, without dashes, where there is one.
    pub flag: Option<&'static str>,
    /// The placeholder of the value in help texts.
    pub placeholder: &'static str,
    /// The default as a flag would have it; `None` where there is none.
    pub default: Option<&'static str>,
    /// What values there are.
    pub kind: Kind,
    /// What it means, in a sentence.
    pub help: &'static str,
    /// Whether a change in the config file takes effect while a load goes on.
    pub live: bool,
}

/// What values a setting can have.
#[derive(Debug, Clone, Copy)]
pub(crate) enum Kind {
    /// `true` or `false`. The flag alone means `true`.
    Switch,
    /// One of these.
    Words(&'static [&'static str]),
    /// A whole number between these, both included.
    Number(i64, i64),
    /// A list: what its items can be.
    List(&'static str),
    /// Anything else: what it can be.
    Text(&'static str),
}

impl About {
    /// The section of the config file.
    pub(crate) fn section(&self) -> &'static str {
        self.path.split_once('.').map_or("", |(section, _)| section)
    }

    /// The name within its section.
    pub(crate) fn name(&self) -> &'static str {
        self.path.split_once('.').map_or(self.path, |(_, name)| name)
    }

    /// `IDX2GCS_<SECTION>_<KEY>`.
    pub(crate) fn variable(&self) -> String {
        format!("IDX2GCS_{}_{}", self.section(), self.name()).to_uppercase()
    }

    /// What is wrong with a value that is not of the key's kind.
    pub(super) fn refusal(&self) -> String {
        match self.kind {
            Kind::Switch => "must be true or false".to_owned(),
            Kind::Words(words) => format!("must be one of {}", words.join(", ")),
            Kind::Number(least, most) => format!("must be a whole number from {least} to {most}"),
            Kind::List(items) => format!("must be a list of {items}"),
            Kind::Text(what) => format!("must be {what}"),
        }
    }
}

impl<T> Key<T> {
    /// A setting of any type.
    pub(super) const fn new(path: &'static str, kind: Kind, read: Read<T>) -> Self {
        let placeholder = match kind {
            Kind::Switch | Kind::Words(_) => "WHICH",
            Kind::Number(..) => "N",
            Kind::List(_) => "LIST",
            Kind::Text(_) => "VALUE",
        };
        let (flag, default, live) = (None, None, false);
        let about = About { path, flag, placeholder, default, kind, help: "", live };
        Self { about, read }
    }

    pub(super) const fn flag(mut self, flag: &'static str) -> Self {
        self.about.flag = Some(flag);
        self
    }

    pub(super) const fn placeholder(mut self, placeholder: &'static str) -> Self {
        self.about.placeholder = placeholder;
        self
    }

    pub(super) const fn default(mut self, default: &'static str) -> Self {
        self.about.default = Some(default);
        self
    }

    pub(super) const fn help(mut self, help: &'static str) -> Self {
        self.about.help = help;
        self
    }

    pub(super) const fn live(mut self) -> Self {
        self.about.live = true;
        self
    }
}

impl<T: TryFrom<i64>> Key<T> {
    /// A whole number from `least` to `most`.
    pub(super) const fn number(path: &'static str, least: i64, most: i64) -> Self {
        Self::new(path, Kind::Number(least, most), |value, kind| match (value.number(), kind) {
            (Some(number), Kind::Number(least, most)) if (least..=most).contains(&number) => {
                T::try_from(number).map_err(|_| None)
            }
            _ => Err(None),
        })
    }
}

impl<T: FromStr + VariantNames> Key<T> {
    /// One of the words of an enum.
    pub(super) const fn word(path: &'static str) -> Self {
        Self::new(path, Kind::Words(T::VARIANTS), |value, _| value.word().ok_or(None))
    }
}

impl Key<bool> {
    pub(super) const fn switch(path: &'static str, default: &'static str) -> Self {
        Self::new(path, Kind::Switch, |value, _| value.word().ok_or(None)).default(default)
    }
}

impl Key<String> {
    /// A text that is not empty.
    pub(super) const fn text(path: &'static str, what: &'static str) -> Self {
        Self::new(path, Kind::Text(what), |value, _| value.word().ok_or(None))
    }
}

impl Key<PathBuf> {
    /// A path; in a config file it is relative to the file's folder.
    pub(super) const fn path(path: &'static str, what: &'static str) -> Self {
        Self::new(path, Kind::Text(what), |value, _| value.path().ok_or(None))
    }
}

impl Key<Duration> {
    pub(super) const fn duration(path: &'static str) -> Self {
        let kind = "a time above zero and up to a day, such as \"30s\", \"500ms\" or \"2m\"";
        Self::new(path, Kind::Text(kind), |value, _| value.duration().ok_or(None))
            .placeholder("TIME")
    }
}

impl Key<u64> {
    pub(super) const fn bytes(path: &'static str) -> Self {
        let kind = "a number of bytes such as \"64MB\", \"256 MiB\" or 64000000";
        Self::new(path, Kind::Text(kind), |value, _| value.bytes().ok_or(None)).placeholder("BYTES")
    }
}
