//! Settings: read from the command line, environment variables and a config file, checked once, and
//! from then on known to work.

mod data;
mod destination;
mod display;
mod key;
pub(crate) mod keys;
mod layers;
mod shard;
mod value;
mod variables;

use std::path::PathBuf;

pub(crate) use self::display::{LogFormat, Progress};
pub(crate) use self::key::{About, Kind};
pub(crate) use self::keys::KEYS;
pub(crate) use self::layers::{ConfigError, Layers};
pub(crate) use self::shard::Slicing;
pub(crate) use self::value::Value;
use crate::check::Duplicates;
use crate::encode::Encoding;
use crate::manifest::ManifestFormat;
use crate::naming::Template;
use crate::pace::Bounds;
use crate::pipeline::OnError;
use crate::retry::Limits;
use crate::sink::{Endpoint, IfExists, Place};
use crate::source::{Catalogue, SourceOptions};
use crate::split::SplitSettings;

/// All settings, each within its bounds and fitting the others.
#[derive(Debug, Clone)]
pub(crate) struct Settings {
    /// The named data sets: the program's own, and those of the config file.
    pub catalogue: Catalogue,
    /// Where images come from.
    pub source: SourceOptions,
    /// How images are held out.
    pub split: SplitSettings,
    /// What images with identical pixels are.
    pub duplicates: Duplicates,
    /// What is made of pixels.
    pub encoding: Encoding,
    /// Where objects go.
    pub place: Place,
    /// The destination as the user wrote it, without a slash at its end.
    pub url: String,
    /// The service for `gs://`.
    pub endpoint: Endpoint,
    /// Names below the prefix, where the user chose them.
    pub name: Option<Template>,
    /// The default template for names below the prefix.
    pub default_name: &'static str,
    /// Whether objects carry label, class and partition as custom metadata.
    pub metadata: bool,
    /// The project that pays for requests, where it is not the bucket's own.
    pub user_project: Option<String>,
    /// What to do with existing objects.
    pub if_exists: IfExists,
    /// Whether what an earlier load left is deleted.
    pub prune: bool,
    /// Requests in flight and writes a second.
    pub pace: Bounds,
    /// Bytes that decoded images and bodies in flight may take together.
    pub memory: u64,
    /// Records that may wait for an uploader.
    pub queue: u32,
    /// What follows a failed image.
    pub on_error: OnError,
    /// Which slice is loaded, where that is not all.
    pub shard: Option<Slicing>,
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
    /// Checks every value, and that they go together.
    ///
    /// # Errors
    /// The first that cannot work, with where it was set and what is allowed.
    pub(crate) fn validate(layers: &Layers) -> Result<Self, ConfigError> {
        let Some(location) = layers.find(&keys::URL)? else {
            let forms = destination::URL_FORMS;
            return Err(ConfigError::Unfit(format!("no destination: give --to with {forms}")));
        };
        let endpoint = destination::endpoint(layers)?;
        let out = destination::out(layers, &location.place)?;
        let (name, default_name) = destination::name(layers, &location.place, &endpoint)?;
        Ok(Self {
            catalogue: layers.catalogue().clone(),
            manifests: destination::manifests(layers, name.as_ref())?,
            source: data::source(layers)?,
            split: data::split(layers)?,
            duplicates: layers.need(&keys::DUPLICATES)?,
            encoding: data::encoding(layers)?,
            prune: destination::prune(layers, &location.place)?,
            shard: shard::slicing(layers, &location.place)?,
            place: location.place,
            url: location.url,
            endpoint,
            name,
            default_name,
            metadata: layers.need(&keys::METADATA)?,
            user_project: layers.find(&keys::USER_PROJECT)?,
            if_exists: layers.need(&keys::IF_EXISTS)?,
            pace: destination::pace(layers)?,
            memory: layers.need(&keys::MEMORY)?,
            queue: layers.need(&keys::QUEUE)?,
            on_error: layers.need(&keys::ON_ERROR)?,
            retry: destination::limits(layers)?,
            out,
            report: layers.need(&keys::REPORT)?,
            progress: layers.need(&keys::PROGRESS)?,
            log_format: layers.need(&keys::LOG_FORMAT)?,
        })
    }

    /// Whether names of objects become those of files.
    pub(crate) fn names_are_files(&self) -> bool {
        destination::names_are_files(&self.place, &self.endpoint)
    }

    /// The address of an object, as manifests give it: below the destination as the user wrote it; in
    /// an archive the entry's own name, which is a path beside the manifest once it is unpacked.
    pub(crate) fn address(&self, name: &str) -> String {
        match self.place {
            Place::Bucket { .. } | Place::Folder(_) => format!("{}/{name}", self.url),
            Place::Zip(_) => name.to_owned(),
        }
    }
}

#[cfg(test)]
mod tests;
