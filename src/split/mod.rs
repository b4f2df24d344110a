//! Which partition an image belongs to.
//!
//! A data set comes in parts. What is to be trained on can be split further: some of it is held
//! out for validation, by one of the ways of [`Split`]. The other parts stay what they are.

mod file;
mod numpy;
mod sample;

use std::path::PathBuf;

use strum::{Display, EnumString, IntoStaticStr, VariantNames};

pub use self::file::{SplitFileError, read as read_file};
use self::numpy::RandomState;
pub use self::sample::sample;
use crate::model::Partition;

/// How images are held out of the training part.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Display, EnumString, IntoStaticStr, VariantNames)]
#[strum(serialize_all = "kebab-case")]
pub enum SplitMethod {
    /// At random, equal to scikit-learn's `train_test_split`.
    Random,
    /// At random, with its share of each class, as with `stratify`.
    Stratified,
    /// By a hash of the pixels: stable as data grows.
    Hash,
    /// By a list in a file.
    File,
    /// Not at all.
    None,
}

/// How images are held out of the training part.
#[derive(Debug, Clone, PartialEq)]
pub struct SplitSettings {
    /// The way.
    pub method: SplitMethod,
    /// How many; `None` is the default of the data set.
    pub validation: Option<ValidationSize>,
    /// Seed.
    pub seed: u32,
    /// The list, with [`SplitMethod::File`].
    pub file: Option<PathBuf>,
}

impl Default for SplitSettings {
    fn default() -> Self {
        Self { method: SplitMethod::Random, validation: None, seed: 42, file: None }
    }
}

impl SplitSettings {
    /// Holds images out at random, with each class its share.
    pub fn stratified(validation: ValidationSize, seed: u32) -> Self {
        Self { method: SplitMethod::Stratified, validation: Some(validation), seed, file: None }
    }
}

/// A number of images, or a share of them.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum ValidationSize {
    /// So many images.
    Count(u32),
    /// A share above 0 and below 1; the number is rounded up, as scikit-learn does.
    Share(f64),
}

impl ValidationSize {
    /// How many of `n` images that are.
    #[allow(clippy::cast_possible_truncation, clippy::cast_sign_loss)]
    pub fn of(self, n: u32) -> u32 {
        match self {
            Self::Count(count) => count,
            Self::Share(share) => (f64::from(n) * share).ceil() as u32,
        }
    }
}

/// Why a split cannot be drawn.
#[derive(Debug, thiserror::Error, PartialEq, Eq)]
pub enum SplitError {
    /// No image would be left to train on.
    #[error("{validation} images cannot be held out of a training part of {training}: at most {}", training.saturating_sub(1))]
    TooFew {
        /// Images asked for.
        validation: u32,
        /// Images in the training part.
        training: u32,
    },
    /// A class is too small to be in both partitions.
    #[error(
        "a stratified split needs two images of each class in the training part, class {class} has {count}"
    )]
    SmallClass {
        /// The class.
        class: u32,
        /// Its images.
        count: u32,
    },
    /// There are more classes than images to be held out, or to be left.
    #[error("a stratified split of {count} images cannot hold each of {classes} classes")]
    ManyClasses {
        /// The images.
        count: u32,
        /// The classes.
        classes: u32,
    },
    /// Images have no labels to go by.
    #[error("a stratified split needs labels, and these images have none")]
    Unlabelled,
    /// The share is of a number of images that grows.
    #[error("a split by content needs a share such as 0.15, not a number of images")]
    NoShare,
}

/// A split. One bit an image of the training part, or a byte where a file lists it; four to eight
/// bytes an image while it is drawn.
#[derive(Debug, Clone)]
pub struct Split {
    /// Where each part ends, and what it is.
    parts: Vec<(u32, Partition)>,
    drawn: Drawn,
}

/// What is known beyond the parts, by index.
#[derive(Debug, Clone)]
enum Drawn {
    None,
    HeldOut(Vec<u64>),
    Listed(Vec<Option<Partition>>),
}

impl Split {
    /// Every part stays what it is. `parts` are numbers of images, in source order.
    pub fn none(parts: &[(Partition, u32)]) -> Self {
        let mut end = 0;
        let parts = parts.iter().map(|&(part, count)| {
            end += count;
            (end, part)
        });
        Self { parts: parts.collect(), drawn: Drawn::None }
    }

    /// Holds images out at random, as scikit-learn's `train_test_split(range(n), test_size=held_out,
    /// random_state=seed)`: the first of a permutation of the `n` images to train on.
    ///
    /// # Errors
    /// When no image would be left to train on.
    pub fn random(
        parts: &[(Partition, u32)],
        held_out: ValidationSize,
        seed: u32,
    ) -> Result<Self, SplitError> {
        let mut split = Self::none(parts);
        let training = split.training();
        let validation = some_left(held_out, training.len)? as usize;
        let drawn = RandomState::new(seed).permutation(training.len);
        split.hold_out(drawn.iter().take(validation).map(|&at| training.index(at)));
        Ok(split)
    }

    /// Holds images out so that each class has its share, as scikit-learn's `train_test_split(…,
    /// test_size=held_out, stratify=labels, random_state=seed)`. `label` returns that of an index.
    ///
    /// # Errors
    /// When no image would be left to train on, or a class cannot be in both partitions.
    pub fn stratified(
        parts: &[(Partition, u32)],
        held_out: ValidationSize,
        seed: u32,
        label: impl Fn(u32) -> Option<u32>,
    ) -> Result<Self, SplitError> {
        let mut split = Self::none(parts);
        let training = split.training();
        let validation = some_left(held_out, training.len)?;
        if validation > 0 {
            let labels: Option<Vec<u32>> =
                (0..training.len).map(|at| label(training.index(at))).collect();
            let labels = labels.ok_or(SplitError::Unlabelled)?;
            let drawn = numpy::stratified(&labels, validation, seed)?;
            split.hold_out(drawn.iter().map(|&at| training.index(at)));
        }
        Ok(split)
    }

    /// Holds out a share of the images by their content: whatever is added to the data set or taken from
    /// it, an image keeps its partition, and images of the same pixels are in the same one. `hash`
    /// returns that of an index; all its values must be equally likely.
    ///
    /// # Errors
    /// When a number of images is asked for.
    pub fn by_content(
        parts: &[(Partition, u32)],
        held_out: ValidationSize,
        hash: impl Fn(u32) -> u64,
    ) -> Result<Self, SplitError> {
        let mut split = Self::none(parts);
        let share = match held_out {
            ValidationSize::Count(0) => return Ok(split),
            ValidationSize::Count(_) => return Err(SplitError::NoShare),
            ValidationSize::Share(share) => share,
        };
        let training = split.training();
        // 53 bits are what a float holds exactly.
        let lot = |index| (hash(index) >> 11) as f64 / (1_u64 << 53) as f64;
        let indices = (0..training.len).map(|at| training.index(at));
        split.hold_out(indices.filter(|&index| lot(index) < share));
        Ok(split)
    }

    /// The partitions of a list of all images by index; those without an entry stay what their part is.
    pub fn listed(parts: &[(Partition, u32)], list: Vec<Option<Partition>>) -> Self {
        Self { drawn: Drawn::Listed(list), ..Self::none(parts) }
    }

    /// The partition of the image at `index` in source order.
    ///
    /// # Panics
    /// When the split has no such image.
    pub fn partition(&self, index: u32) -> Partition {
        let part = self.parts.iter().find(|(end, _)| index < *end);
        let (_, part) = *part.expect("an index of the data set");
        match &self.drawn {
            Drawn::None => part,
            Drawn::HeldOut(bits) => {
                let held_out = bits[index as usize / 64] >> (index % 64) & 1 == 1;
                if held_out { Partition::Validation } else { part }
            }
            Drawn::Listed(list) => list[index as usize].unwrap_or(part),
        }
    }

    fn training(&self) -> Training {
        let starts = std::iter::once(0).chain(self.parts.iter().map(|(end, _)| *end));
        let ranges = starts.zip(&self.parts).filter(|(_, (_, part))| *part == Partition::Train);
        let ranges: Vec<_> = ranges.map(|(start, (end, _))| (start, end - start)).collect();
        Training { len: ranges.iter().map(|(_, len)| len).sum(), ranges }
    }

    fn hold_out(&mut self, indices: impl Iterator<Item = u32>) {
        let images = self.parts.last().map_or(0, |(end, _)| *end);
        let mut bits = vec![0_u64; images.div_ceil(64) as usize];
        for index in indices {
            bits[index as usize / 64] |= 1 << (index % 64);
        }
        self.drawn = Drawn::HeldOut(bits);
    }
}

/// The images to train on, wherever among the others they are.
struct Training {
    len: u32,
    /// First index and number of images.
    ranges: Vec<(u32, u32)>,
}

impl Training {
    /// The index in source order of the n-th image to train on.
    fn index(&self, mut nth: u32) -> u32 {
        for (start, len) in &self.ranges {
            if nth < *len {
                return start + nth;
            }
            nth -= len;
        }
        unreachable!("fewer images to train on than were drawn from")
    }
}

fn some_left(held_out: ValidationSize, training: u32) -> Result<u32, SplitError> {
    let validation = held_out.of(training);
    if validation > 0 && validation >= training {
        return Err(SplitError::TooFew { validation, training });
    }
    Ok(validation)
}

#[cfg(test)]
mod tests;
