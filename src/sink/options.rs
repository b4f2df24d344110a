//! The options that name a destination and say how it is written.

use std::path::PathBuf;

use strum::{Display, EnumString, IntoStaticStr, VariantNames};

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
    Url(reqwest::Url),
    /// An emulator in this process, in memory or in a folder.
    Embedded(Option<PathBuf>),
}

/// What to do with an object that is there before it is written.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Display, EnumString, IntoStaticStr, VariantNames)]
#[strum(serialize_all = "kebab-case")]
pub enum IfExists {
    /// The same content counts as stored; another is a conflict.
    Skip,
    /// Another content is replaced, but only the generation that was seen.
    Overwrite,
    /// Nothing is written if any of the objects is there.
    Fail,
}
