//! The few words that every room uses: what an image is, what it is for, and what is known of it.

mod image;
mod selection;

use std::fmt;

pub use self::image::{BadImage, Image, ImageFormat, Size};
pub use self::selection::{How, Selected};
pub(crate) use self::selection::{Selection, images};

use serde::de::{Error as _, Unexpected};
use serde::{Deserialize, Deserializer};

/// What an image is for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Partition {
    /// Trains the model.
    Train,
    /// Held out of the training part to choose between models.
    Validation,
    /// The data set's own test part.
    Test,
}

impl Partition {
    /// All partitions in the order in which people list them.
    pub const ALL: [Self; 3] = [Self::Train, Self::Validation, Self::Test];

    /// `train`, `validation` or `test`, as object names have it.
    pub fn name(self) -> &'static str {
        match self {
            Self::Train => "train",
            Self::Validation => "validation",
            Self::Test => "test",
        }
    }

    /// The partition of a word: its name, or what others call it.
    pub fn from_word(word: &str) -> Option<Self> {
        match word.to_ascii_lowercase().as_str() {
            "train" | "training" => Some(Self::Train),
            "validation" | "valid" | "val" | "validate" => Some(Self::Validation),
            "test" | "testing" => Some(Self::Test),
            _ => None,
        }
    }
}

impl<'de> Deserialize<'de> for Partition {
    fn deserialize<D: Deserializer<'de>>(from: D) -> Result<Self, D::Error> {
        let word = String::deserialize(from)?;
        let allowed = "one of train, validation, test";
        Self::from_word(&word)
            .ok_or_else(|| D::Error::invalid_value(Unexpected::Str(&word), &allowed))
    }
}

impl fmt::Display for Partition {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.name())
    }
}

/// What is known of one image without its pixels.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Item {
    /// Position in source order, from 0.
    pub index: u32,
    /// Its class, where images have labels.
    pub label: Option<u32>,
    /// What it is for.
    pub partition: Partition,
    /// The format of its file in the destination.
    pub format: ImageFormat,
    /// Hash of its pixels; of any value where the template does not ask for it.
    pub hash: u64,
}
