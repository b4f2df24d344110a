//! numpy's legacy random numbers, and what scikit-learn draws with them.
//!
//! `RandomState(S).permutation(n)` is a Fisher–Yates shuffle from the end on MT19937, each position
//! drawn from 32-bit outputs by masked rejection (numpy, `legacy_seeding` and `random_interval`).

use rand_mt::Mt;

use super::SplitError;

/// numpy's `RandomState`.
pub(super) struct RandomState(Mt);

impl RandomState {
    pub(super) fn new(seed: u32) -> Self {
        Self(Mt::new(seed))
    }

    /// The numbers below `n` in a random order. Four bytes each.
    pub(super) fn permutation(&mut self, n: u32) -> Vec<u32> {
        let mut items: Vec<u32> = (0..n).collect();
        for i in (1..n).rev() {
            // The smallest mask of ones that covers i; outputs above i are drawn again.
            let mask = u32::MAX >> i.leading_zeros();
            let j = loop {
                let drawn = self.0.next_u32() & mask;
                if drawn <= i {
                    break drawn;
                }
            };
            items.swap(i as usize, j as usize);
        }
        items
    }

    /// How many of each class are in a draw of `draws` images, where `counts` are all there are: its
    /// share rounded down, and the missing ones to the classes that lost most by that; among equals,
    /// by lot (scikit-learn, `_approximate_mode`).
    #[allow(clippy::cast_possible_truncation, clippy::cast_sign_loss)]
    fn mode(&mut self, counts: &[u32], draws: u32) -> Vec<u32> {
        let all: f64 = counts.iter().copied().map(f64::from).sum();
        let shares = counts.iter().map(|&count| f64::from(count) / all * f64::from(draws));
        let (mut floored, remainders): (Vec<u32>, Vec<f64>) =
            shares.map(|share| (share.floor() as u32, share - share.floor())).unzip();
        let mut missing = draws - floored.iter().sum::<u32>();
        let mut values = remainders.clone();
        values.sort_by(|a, b| b.total_cmp(a));
        values.dedup();
        for value in values {
            if missing == 0 {
                break;
            }
            #[allow(clippy::float_cmp)] // the very same numbers
            let equals: Vec<usize> =
                (0..counts.len()).filter(|&class| remainders[class] == value).collect();
            let equal = equals.len() as u32;
            let now = equal.min(missing);
            for drawn in self.permutation(equal).into_iter().take(now as usize) {
                floored[equals[drawn as usize]] += 1;
            }
            missing -= now;
        }
        floored
    }
}

/// The images that `StratifiedShuffleSplit` holds out, in no particular order. Eight bytes an image
/// meanwhile.
pub(super) fn stratified(
    labels: &[u32],
    validation: u32,
    seed: u32,
) -> Result<Vec<u32>, SplitError> {
    let mut by_class: Vec<u32> = (0..).take(labels.len()).collect();
    let label = |index: u32| labels[index as usize];
    // Stable: within a class in the order of the source.
    by_class.sort_by_key(|&index| label(index));
    let classes: Vec<&[u32]> = by_class.chunk_by(|&a, &b| label(a) == label(b)).collect();
    let counts: Vec<u32> = classes.iter().map(|class| length(class.len())).collect();
    for (class, &count) in classes.iter().zip(&counts) {
        if count < 2 {
            return Err(SplitError::SmallClass { class: label(class[0]), count });
        }
    }
    let training = length(labels.len()) - validation;
    for count in [training, validation] {
        if (count as usize) < classes.len() {
            return Err(SplitError::ManyClasses { count, classes: length(classes.len()) });
        }
    }
    let mut random = RandomState::new(seed);
    let trained = random.mode(&counts, training);
    let left: Vec<u32> = counts.iter().zip(&trained).map(|(all, trained)| all - trained).collect();
    let held_out = random.mode(&left, validation);
    let mut drawn = Vec::with_capacity(validation as usize);
    for ((class, trained), held_out) in classes.into_iter().zip(trained).zip(held_out) {
        let order = random.permutation(length(class.len()));
        let order = order.into_iter().skip(trained as usize).take(held_out as usize);
        drawn.extend(order.map(|at| class[at as usize]));
    }
    Ok(drawn)
}

fn length(len: usize) -> u32 {
    u32::try_from(len).expect("no more images than an index can count")
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;
    use sha2::{Digest, Sha256};

    fn sha256(mut indices: Vec<u32>) -> String {
        indices.sort_unstable();
        let mut digest = Sha256::new();
        for index in indices {
            digest.update(index.to_le_bytes());
        }
        data_encoding::HEXLOWER.encode(&digest.finalize())
    }

    /// Values that scikit-learn 1.x gives for `train_test_split(range(60000), test_size=10000,
    /// random_state=42)`.
    #[test]
    fn equals_scikit_learn() {
        let mut drawn = RandomState::new(42).permutation(60_000);
        assert_eq!(drawn.get(..4).unwrap(), [12_628, 37_730, 39_991, 8_525]);
        drawn.truncate(10_000);
        assert_eq!(
            sha256(drawn),
            "adb6e48229a2469c226e09fac72d6757236265b80dd9f31c1bc0afd01159bd18"
        );
    }

    /// Values that scikit-learn gives with `stratify`, for classes of unequal size.
    #[test]
    fn stratified_equals_scikit_learn() {
        let class: [fn(u32) -> u32; 3] = [
            |i| (i * i) % 7,
            |i| i % 11 * (i % 11) * (i % 11) % 11,
            |i| if i < 200 { 0 } else { 1 + i % 9 },
        ];
        for (class, n, validation, seed, digest) in [
            (
                class[0],
                1000,
                137,
                0,
                "48e1912e098ca7e66604f7c34300f309536cd3f06bd083c4d06649ffa198f805",
            ),
            (
                class[1],
                5003,
                1001,
                7,
                "9dec8aef9c54deeb80c3ae1245a0ee64f3fb6df7f0097462ff9eaa979b0270d2",
            ),
            (
                class[2],
                300,
                100,
                u32::MAX,
                "fd11d4e4b6d8a878ba14baf0376eb11ff6efc7993fa468d7781d26ba89131cf1",
            ),
        ] {
            let labels: Vec<u32> = (0..n).map(|i: u32| class(i)).collect();
            let drawn = stratified(&labels, validation, seed).unwrap();
            assert_eq!(sha256(drawn), digest, "{n} images");
        }
    }

    proptest! {
        #[test]
        fn a_permutation_holds_each_index_once(n in 0_u32..500, seed: u32) {
            let mut items = RandomState::new(seed).permutation(n);
            items.sort_unstable();
            prop_assert!(items.into_iter().eq(0..n));
        }
    }
}
