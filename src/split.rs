//! Which partition an image belongs to.
//!
//! The random split equals scikit-learn's `train_test_split(range(n), test_size=V,
//! random_state=S)`: the held-out set is the first `V` of numpy's legacy
//! `RandomState(S).permutation(n)`, a Fisher–Yates shuffle from the end on MT19937, each position
//! drawn from 32-bit outputs by masked rejection (numpy, `legacy_seeding` and `random_interval`).

use std::fmt;

use rand_mt::Mt;

/// What an image is for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
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
}

impl fmt::Display for Partition {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.name())
    }
}

/// A split of `training` + any number of test images. One bit an image of the training part; four
/// bytes an image while it is drawn.
#[derive(Debug, Clone)]
pub struct Split {
    training: u32,
    held_out: Vec<u64>,
}

/// The training part is too small for the split that was asked for.
#[derive(Debug, thiserror::Error, PartialEq, Eq)]
#[error("{validation} images cannot be held out of a training part of {training}: at most {}", training.saturating_sub(1))]
pub struct TooFew {
    /// Images asked for.
    pub validation: u32,
    /// Images in the training part.
    pub training: u32,
}

impl Split {
    /// Draws `validation` of the `training` images at random.
    ///
    /// # Errors
    /// When no image would be left to train on.
    pub fn random(training: u32, validation: u32, seed: u32) -> Result<Self, TooFew> {
        if validation > 0 && validation >= training {
            return Err(TooFew { validation, training });
        }
        let mut held_out = vec![0_u64; training.div_ceil(64) as usize];
        if validation > 0 {
            let drawn = permutation(training, seed);
            for &index in drawn.iter().take(validation as usize) {
                if let Some(word) = held_out.get_mut(index as usize / 64) {
                    *word |= 1 << (index % 64);
                }
            }
        }
        Ok(Self { training, held_out })
    }

    /// The partition of the image at `index` in source order.
    pub fn partition(&self, index: u32) -> Partition {
        if index >= self.training {
            return Partition::Test;
        }
        let word = self.held_out.get(index as usize / 64).copied().unwrap_or(0);
        if word >> (index % 64) & 1 == 1 { Partition::Validation } else { Partition::Train }
    }
}

/// numpy's `RandomState(seed).permutation(n)`.
fn permutation(n: u32, seed: u32) -> Vec<u32> {
    let mut random = Mt::new(seed);
    let mut items: Vec<u32> = (0..n).collect();
    for i in (1..n).rev() {
        // The smallest mask of ones that covers i; outputs above i are drawn again.
        let mask = u32::MAX >> i.leading_zeros();
        let j = loop {
            let drawn = random.next_u32() & mask;
            if drawn <= i {
                break drawn;
            }
        };
        items.swap(i as usize, j as usize);
    }
    items
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;
    use sha2::{Digest, Sha256};

    /// Values that scikit-learn 1.x gives for `train_test_split(range(60000), test_size=10000,
    /// random_state=42)`.
    #[test]
    fn equals_scikit_learn() {
        assert_eq!(permutation(60_000, 42).get(..4).unwrap(), [12_628, 37_730, 39_991, 8_525]);

        let split = Split::random(60_000, 10_000, 42).unwrap();
        let mut digest = Sha256::new();
        let mut count = 0;
        for index in (0..60_000).filter(|&i| split.partition(i) == Partition::Validation) {
            digest.update(index.to_le_bytes());
            count += 1;
        }
        assert_eq!(count, 10_000);
        assert_eq!(
            data_encoding::HEXLOWER.encode(&digest.finalize()),
            "adb6e48229a2469c226e09fac72d6757236265b80dd9f31c1bc0afd01159bd18"
        );
    }

    #[test]
    fn leaves_something_to_train_on() {
        assert!(Split::random(10, 9, 0).is_ok());
        assert_eq!(Split::random(10, 10, 0).unwrap_err(), TooFew { validation: 10, training: 10 });
        let none = Split::random(10, 0, 0).unwrap();
        assert!((0..10).all(|i| none.partition(i) == Partition::Train));
        assert_eq!(none.partition(10), Partition::Test);
    }

    proptest! {
        #[test]
        fn holds_out_exactly_what_was_asked(n in 2_u32..500, part: u32, seed: u32) {
            let validation = part % n;
            let split = Split::random(n, validation, seed).unwrap();
            let held = (0..n).filter(|&i| split.partition(i) == Partition::Validation).count();
            prop_assert_eq!(held, validation as usize);
        }

        #[test]
        fn a_permutation_holds_each_index_once(n in 0_u32..500, seed: u32) {
            let mut items = permutation(n, seed);
            items.sort_unstable();
            prop_assert!(items.into_iter().eq(0..n));
        }
    }
}
