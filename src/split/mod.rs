//! Which partition an image belongs to.
//!
//! A data set comes in parts. What is to be trained on can be split further: some of it is held
//! out for validation, by one of the ways of [`Split`]. The other parts stay what they are.

mod file;
mod numpy;

use std::path::PathBuf;

pub use self::file::{SplitFileError, read as read_file};
use self::numpy::RandomState;
use crate::model::Partition;

/// How images are held out of the training part.
#[derive(
    Debug,
    Clone,
    Copy,
    PartialEq,
    Eq,
    strum::Display,
    strum::EnumString,
    strum::IntoStaticStr,
    strum::VariantNames,
)]
#[strum(serialize_all = "kebab-case")]
pub enum SplitMethod {
    /// At random, as scikit-learn's `train_test_split`.
    Random,
    /// At random, with its share of each class, as with `stratify`.
    Stratified,
    /// By a hash of the pixels: stable as data grows.
    Hash,
    /// As a file says.
    File,
    /// Not at all.
    None,
}

/// How images are held out of the training part.
#[derive(Debug, Clone, PartialEq)]
pub struct SplitSettings {
    /// The way.
    pub method: SplitMethod,
    /// How many; `None` is as the data set says.
    pub validation: Option<HeldOut>,
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
    pub fn stratified(validation: HeldOut, seed: u32) -> Self {
        Self { method: SplitMethod::Stratified, validation: Some(validation), seed, file: None }
    }
}

/// A number of images, or a share of them.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum HeldOut {
    /// So many images.
    Count(u32),
    /// A share above 0 and below 1; the number is rounded up, as scikit-learn does.
    Share(f64),
}

impl HeldOut {
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

/// A split. One bit an image of the training part, or a byte where a file says it; four to eight
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
        Self { parts: parts.collect(), drawn: Drawn::HeldOut(Vec::new()) }
    }

    /// Holds images out at random, as scikit-learn's `train_test_split(range(n), test_size=held_out,
    /// random_state=seed)`: the first of a permutation of the `n` images to train on.
    ///
    /// # Errors
    /// When no image would be left to train on.
    pub fn random(
        parts: &[(Partition, u32)],
        held_out: HeldOut,
        seed: u32,
    ) -> Result<Self, SplitError> {
        let mut split = Self::none(parts);
        let training = split.training();
        let validation = some_left(held_out, training.len)?;
        if validation > 0 {
            let drawn = RandomState::new(seed).permutation(training.len);
            split.hold_out(drawn.iter().take(validation as usize).map(|&at| training.index(at)));
        }
        Ok(split)
    }

    /// Holds images out so that each class has its share, as scikit-learn's `train_test_split(…,
    /// test_size=held_out, stratify=labels, random_state=seed)`. `label` tells that of an index.
    ///
    /// # Errors
    /// When no image would be left to train on, or a class cannot be in both partitions.
    pub fn stratified(
        parts: &[(Partition, u32)],
        held_out: HeldOut,
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
    /// tells that of an index; all its values must be as likely.
    ///
    /// # Errors
    /// When a number of images is asked for.
    pub fn by_content(
        parts: &[(Partition, u32)],
        held_out: HeldOut,
        hash: impl Fn(u32) -> u64,
    ) -> Result<Self, SplitError> {
        let mut split = Self::none(parts);
        let share = match held_out {
            HeldOut::Count(0) => return Ok(split),
            HeldOut::Count(_) => return Err(SplitError::NoShare),
            HeldOut::Share(share) => share,
        };
        let training = split.training();
        // 53 bits are what a float holds exactly.
        let lot = |index| (hash(index) >> 11) as f64 / (1_u64 << 53) as f64;
        let indices = (0..training.len).map(|at| training.index(at));
        split.hold_out(indices.filter(|&index| lot(index) < share));
        Ok(split)
    }

    /// What a list says; images that it leaves out stay what their part is.
    pub fn listed(parts: &[(Partition, u32)], list: Vec<Option<Partition>>) -> Self {
        Self { drawn: Drawn::Listed(list), ..Self::none(parts) }
    }

    /// The partition of the image at `index` in source order.
    pub fn partition(&self, index: u32) -> Partition {
        match &self.drawn {
            Drawn::HeldOut(bits) => {
                let word = bits.get(index as usize / 64).copied().unwrap_or(0);
                if word >> (index % 64) & 1 == 1 { Partition::Validation } else { self.part(index) }
            }
            Drawn::Listed(list) => {
                list.get(index as usize).copied().flatten().unwrap_or_else(|| self.part(index))
            }
        }
    }

    /// The part that an image comes in.
    fn part(&self, index: u32) -> Partition {
        let part = self.parts.iter().find(|(end, _)| index < *end);
        part.map_or(Partition::Test, |(_, part)| *part)
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
            if let Some(word) = bits.get_mut(index as usize / 64) {
                *word |= 1 << (index % 64);
            }
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
        u32::MAX
    }
}

fn some_left(held_out: HeldOut, training: u32) -> Result<u32, SplitError> {
    let validation = held_out.of(training);
    if validation > 0 && validation >= training {
        return Err(SplitError::TooFew { validation, training });
    }
    Ok(validation)
}

#[cfg(test)]
mod tests {
    use super::Partition::{Test, Train, Validation};
    use super::*;
    use proptest::prelude::*;

    fn held_out(split: &Split, images: u32) -> Vec<u32> {
        (0..images).filter(|&i| split.partition(i) == Validation).collect()
    }

    #[test]
    fn parts_stay_what_they_are() {
        let parts = [(Test, 2), (Train, 3), (Validation, 1), (Train, 2)];
        let stays = [Test, Test, Train, Train, Train, Validation, Train, Train];
        let none = Split::none(&parts);
        assert!((0..8).map(|i| none.partition(i)).eq(stays));
        // Five to train on, of which four are held out, whichever part they are in.
        let split = Split::random(&parts, HeldOut::Count(4), 7).unwrap();
        assert_eq!(held_out(&split, 8).len(), 5);
        assert_eq!((split.partition(0), split.partition(1)), (Test, Test));
    }

    #[test]
    fn leaves_something_to_train_on() {
        let parts = [(Train, 10), (Test, 5)];
        let draw = |count| Split::random(&parts, HeldOut::Count(count), 0);
        assert!(draw(9).is_ok());
        let too_few = SplitError::TooFew { validation: 10, training: 10 };
        assert_eq!(draw(10).unwrap_err(), too_few);
        assert!(held_out(&draw(0).unwrap(), 15).is_empty());
        assert_eq!(draw(0).unwrap().partition(10), Test);
    }

    #[test]
    fn a_share_is_rounded_up() {
        for (share, n, count) in [(0.2, 10, 2), (0.15, 10, 2), (0.1, 101, 11), (0.5, 1, 1)] {
            assert_eq!(HeldOut::Share(share).of(n), count, "{share} of {n}");
        }
    }

    #[test]
    fn content_keeps_its_partition() {
        let hash = |index: u32| u64::from(index).wrapping_mul(0x9e37_79b9_7f4a_7c15);
        let draw = |n| Split::by_content(&[(Train, n)], HeldOut::Share(0.2), hash).unwrap();
        let (few, many) = (draw(500), draw(1000));
        assert!((0..500).all(|i| few.partition(i) == many.partition(i)));
        let count = held_out(&many, 1000).len();
        assert!((150..250).contains(&count), "{count}");
        let counted = Split::by_content(&[(Train, 9)], HeldOut::Count(2), hash);
        assert_eq!(counted.unwrap_err(), SplitError::NoShare);
    }

    #[test]
    fn a_list_stands_over_the_parts() {
        let list = vec![Some(Test), None, Some(Validation)];
        let split = Split::listed(&[(Train, 2), (Test, 2)], list);
        assert!((0..4).map(|i| split.partition(i)).eq([Test, Train, Validation, Test]));
    }

    proptest! {
        #[test]
        fn holds_out_exactly_what_was_asked(n in 2_u32..500, part: u32, seed: u32) {
            let validation = HeldOut::Count(part % n);
            let split = Split::random(&[(Train, n)], validation, seed).unwrap();
            prop_assert_eq!(held_out(&split, n).len(), (part % n) as usize);
        }

        #[test]
        fn each_class_has_its_share(
            labels in prop::collection::vec(0_u32..5, 20..300), share in 0.1..0.5, seed: u32,
        ) {
            let n = u32::try_from(labels.len()).unwrap();
            let label = |index: u32| labels.get(index as usize).copied();
            let held = HeldOut::Share(share);
            match Split::stratified(&[(Train, n)], held, seed, label) {
                Ok(split) => {
                    let held_out = held_out(&split, n);
                    prop_assert_eq!(held_out.len(), held.of(n) as usize);
                    for class in 0..5 {
                        let of = |all: &[u32]| all.iter().filter(|&&i| label(i) == Some(class)).count();
                        let all: Vec<u32> = (0..n).collect();
                        let wanted = of(&all) as f64 * f64::from(held.of(n)) / f64::from(n);
                        let is = of(&held_out) as f64;
                        prop_assert!((is - wanted).abs() < 2.0, "{} of {}", is, wanted);
                    }
                }
                Err(e) => prop_assert!(
                    matches!(e, SplitError::SmallClass { .. } | SplitError::ManyClasses { .. }), "{}", e
                ),
            }
        }
    }
}
