//! Settings: read in layers, checked once, and from then on known to work.

mod choices;
mod keys;
mod layers;
mod validate;

use std::path::PathBuf;

pub use choices::{
    Duplicates, Http, IfExists, ImageFormat, LogFormat, ManifestFormat, OnError, Progress, Ramp,
    Scale, SplitMethod, Transposed,
};
pub use keys::{KEYS, Key};
pub use layers::{ConfigError, Layers, Origin, Value};

use crate::encode::Encoding;
use crate::naming::Template;
use crate::pace::Bounds;
use crate::retry::Limits;
use crate::source::{Catalogue, Files, Range};
use crate::split::HeldOut;

/// Where images come from.
#[derive(Debug, Clone, PartialEq)]
pub struct Source {
    /// The named data set.
    pub dataset: Option<String>,
    /// The folder or file to read it from, over the usual places.
    pub path: Option<PathBuf>,
    /// The parts, where they are listed.
    pub files: Vec<Files>,
    /// Names of the classes, over the data set's own.
    pub classes: Option<Vec<String>>,
    /// The label of the first class, over the data set's own.
    pub first_label: Option<u32>,
    /// Which column of labels is the class, over the data set's own.
    pub label_column: Option<u32>,
    /// Which values are black and white.
    pub range: Option<Range>,
    /// Whether rows and columns are exchanged.
    pub transposed: Transposed,
    /// Only the first so many images.
    pub limit: Option<u32>,
}

/// How images are held out of the training part.
#[derive(Debug, Clone, PartialEq)]
pub struct SplitSettings {
    /// The way.
    pub method: SplitMethod,
    /// How many.
    pub validation: HeldOut,
    /// Whether the user said how many; if not, a data set may know better.
    pub validation_said: bool,
    /// Seed.
    pub seed: u32,
    /// The list, with [`SplitMethod::File`].
    pub file: Option<PathBuf>,
}

/// Where objects go.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Place {
    /// A bucket, and a prefix without slashes at its ends, maybe empty.
    Bucket {
        /// The bucket's name.
        bucket: String,
        /// The prefix.
        prefix: String,
    },
    /// A folder.
    Folder(PathBuf),
    /// A zip archive.
    Zip(PathBuf),
}

/// Which service answers for `gs://`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Endpoint {
    /// Google's, with credentials.
    Google,
    /// Another address, without credentials unless it is one of Google's own.
    Url(String),
    /// An emulator in this process, in memory or in a folder.
    Embedded(Option<PathBuf>),
}

/// How many requests are in flight.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Concurrency {
    /// Whether the program finds it by itself.
    pub auto: bool,
    /// The number, or the bound of what is found.
    pub limit: u32,
}

/// All settings, each within its bounds and fitting the others.
#[derive(Debug, Clone)]
pub struct Settings {
    /// The named data sets: the program's own, and those of the config file.
    pub catalogue: Catalogue,
    /// Where images come from.
    pub source: Source,
    /// How images are held out.
    pub split: SplitSettings,
    /// What images of the same pixels are taken for.
    pub duplicates: Duplicates,
    /// What is made of pixels.
    pub encoding: Encoding,
    /// Where objects go.
    pub place: Place,
    /// The destination as the user wrote it, without a slash at its end.
    pub url: String,
    /// The service for `gs://`.
    pub endpoint: Endpoint,
    /// Names below the prefix.
    pub name: Template,
    /// Whether the user chose them.
    pub name_said: bool,
    /// Whether objects carry label, class and partition as custom metadata.
    pub metadata: bool,
    /// What to do with objects that are there.
    pub if_exists: IfExists,
    /// Requests in flight and writes a second.
    pub pace: Bounds,
    /// Records that may wait for an uploader.
    pub queue: u32,
    /// The version of HTTP for uploads.
    pub http: Http,
    /// With HTTP/2: the connections.
    pub connections: u32,
    /// What follows a failed image.
    pub on_error: OnError,
    /// Bounds of trying again.
    pub retry: Limits,
    /// Import files.
    pub manifests: Vec<ManifestFormat>,
    /// Where local files go.
    pub out: PathBuf,
    /// Whether a page about the load is written.
    pub report: bool,
    /// How progress is shown.
    pub progress: Progress,
    /// How log lines are written.
    pub log_format: LogFormat,
}

impl Settings {
    /// The address of an object, as manifests give it: below the destination as the user wrote it; in
    /// an archive the entry's own name, which is a path beside the manifest once it is unpacked.
    pub fn address(&self, name: &str) -> String {
        match self.place {
            Place::Bucket { .. } | Place::Folder(_) => format!("{}/{name}", self.url),
            Place::Zip(_) => name.to_owned(),
        }
    }
}
