//! A sample: a few images of a data set, each partition and class its share.

use std::cmp::{Ordering, Reverse};
use std::collections::{BTreeMap, BinaryHeap};

use twox_hash::XxHash3_64;

use crate::model::{Partition, Selection};

/// Draws `n` of `images` images, all where there are fewer. Each partition gets its share of them, and
/// each class its share within a partition; none is left out while there is an image for it. `known`
/// returns partition and class of an index.
///
/// The same seed draws the same images, and a larger sample contains a smaller one. 12 bytes an image
/// of the sample while it is drawn.
pub fn sample(
    images: u32,
    n: u32,
    seed: u32,
    known: impl Fn(u32) -> (Partition, Option<u32>),
) -> Selection {
    if n >= images {
        return Selection::First(images);
    }
    let mut sizes = BTreeMap::<_, BTreeMap<_, u32>>::new();
    for (partition, class) in (0..images).map(&known) {
        *sizes.entry(partition).or_default().entry(class).or_default() += 1;
    }
    let parts = sizes
        .iter()
        .map(|(partition, classes)| Group { size: classes.values().sum(), lot: *partition as u64 });
    let mut strata = BTreeMap::new();
    for ((partition, classes), n) in sizes.iter().zip(shares(n, &parts.collect::<Vec<_>>())) {
        let groups = classes.iter().map(|(class, size)| Group {
            size: *size,
            lot: lot(seed, &[*partition as u32, class.map_or(0, |class| class.wrapping_add(1))]),
        });
        for (class, n) in classes.keys().zip(shares(n, &groups.collect::<Vec<_>>())) {
            strata.insert((*partition, *class), Drawn { n: n as usize, lowest: BinaryHeap::new() });
        }
    }
    for index in 0..images {
        if let Some(drawn) = strata.get_mut(&known(index)) {
            drawn.offer((lot(seed, &[index]), index));
        }
    }
    let drawn = strata.into_values().flat_map(|drawn| drawn.lowest);
    Selection::of(drawn.map(|(_, index)| index).collect())
}

/// The images of a partition and class with the lowest lots, at most `n`.
struct Drawn {
    n: usize,
    lowest: BinaryHeap<(u64, u32)>,
}

impl Drawn {
    fn offer(&mut self, image: (u64, u32)) {
        if self.lowest.len() < self.n {
            self.lowest.push(image);
        } else if let Some(mut highest) = self.lowest.peek_mut()
            && image < *highest
        {
            *highest = image;
        }
    }
}

/// A number by chance that is the same on every machine.
fn lot(seed: u32, of: &[u32]) -> u64 {
    let bytes: Vec<u8> = of.iter().flat_map(|number| number.to_le_bytes()).collect();
    XxHash3_64::oneshot_with_seed(seed.into(), &bytes)
}

/// A group of images that gets a share.
struct Group {
    size: u32,
    /// Who comes first where shares are equal.
    lot: u64,
}

/// How many of `n` images, which all groups together have, each group gives.
///
/// Images are handed out one after the other, the next always to the group whose number of images plus
/// a half is the smallest part of its size: the method of Webster and Sainte-Laguë. So no group has
/// fewer of a larger number, as it may have where remainders are rounded. The first image of a group
/// comes before all seconds.
fn shares(n: u32, groups: &[Group]) -> Vec<u32> {
    let mut counts = vec![0; groups.len()];
    let turn = |place: usize, count| Reverse(Turn { count, group: &groups[place], place });
    let mut turns: BinaryHeap<_> = (0..groups.len()).map(|place| turn(place, 0)).collect();
    for _ in 0..n {
        let Some(Reverse(Turn { place, .. })) = turns.pop() else { break };
        counts[place] += 1;
        if counts[place] < groups[place].size {
            turns.push(turn(place, counts[place]));
        }
    }
    counts
}

/// A group that would get the next image; the smallest does.
struct Turn<'a> {
    /// Images that the group has.
    count: u32,
    group: &'a Group,
    place: usize,
}

impl Turn<'_> {
    /// Twice the images with the next one taken half.
    fn doubled(&self) -> u128 {
        if self.count == 0 { 0 } else { 2 * u128::from(self.count) + 1 }
    }
}

impl Ord for Turn<'_> {
    fn cmp(&self, other: &Self) -> Ordering {
        let parts = |a: &Self, b: &Self| a.doubled() * u128::from(b.group.size);
        let larger = other.group.size.cmp(&self.group.size);
        let by_lot = (self.group.lot, self.place).cmp(&(other.group.lot, other.place));
        parts(self, other).cmp(&parts(other, self)).then(larger).then(by_lot)
    }
}

impl PartialOrd for Turn<'_> {
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

impl PartialEq for Turn<'_> {
    fn eq(&self, other: &Self) -> bool {
        self.cmp(other).is_eq()
    }
}

impl Eq for Turn<'_> {}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    type Stratum = (Partition, Option<u32>);

    /// Images of up to three partitions and some classes, a few of them large; `None` is a class, too.
    fn images() -> impl Strategy<Value = Vec<Stratum>> {
        let stratum = (0..3_usize, proptest::option::of(0..6_u32), 1..60_usize);
        let strata = proptest::collection::vec(stratum, 1..12);
        strata.prop_map(|strata| {
            let repeat = |(part, class, n)| std::iter::repeat_n((Partition::ALL[part], class), n);
            strata.into_iter().flat_map(repeat).collect()
        })
    }

    fn draw(images: &[Stratum], n: u32, seed: u32) -> Vec<u32> {
        let count = u32::try_from(images.len()).unwrap();
        sample(count, n, seed, |index| images[index as usize]).indices().collect()
    }

    /// Images drawn and all images of each group.
    fn groups<K: Ord>(
        images: &[Stratum],
        drawn: &[u32],
        of: impl Fn(&Stratum) -> Option<K>,
    ) -> Vec<(u32, u32)> {
        let mut groups = BTreeMap::<K, (u32, u32)>::new();
        for (index, image) in (0..).zip(images) {
            let Some(key) = of(image) else { continue };
            let (taken, size) = groups.entry(key).or_default();
            *taken += u32::from(drawn.binary_search(&index).is_ok());
            *size += 1;
        }
        groups.into_values().collect()
    }

    /// No group has an image that it deserves less than another group would: shares can be no closer.
    fn fair(groups: &[(u32, u32)]) -> bool {
        let left_out = groups.iter().any(|(taken, _)| *taken == 0);
        groups.iter().all(|&(taken, size)| {
            let had = |(other, of): &(u32, u32)| {
                (2 * u64::from(taken) - 1) * u64::from(*of)
                    <= (2 * u64::from(*other) + 1) * u64::from(size)
            };
            taken <= 1 || (!left_out && groups.iter().all(had))
        })
    }

    proptest! {
        #[test]
        fn a_sample_is_part_of_each_larger_one(images in images(), seed: u32) {
            let mut smaller = Vec::new();
            for n in 0..=u32::try_from(images.len()).unwrap() {
                let drawn = draw(&images, n, seed);
                prop_assert_eq!(drawn.len(), n as usize);
                prop_assert!(smaller.iter().all(|index| drawn.binary_search(index).is_ok()));
                prop_assert_eq!(&drawn, &draw(&images, n, seed), "the same again");
                smaller = drawn;
            }
        }

        #[test]
        fn partitions_and_the_classes_of_each_have_their_shares(
            images in images(), n in 0..700_u32, seed: u32,
        ) {
            let drawn = draw(&images, n, seed);
            prop_assert_eq!(drawn.len(), images.len().min(n as usize));
            let parts = groups(&images, &drawn, |(partition, _)| Some(*partition));
            prop_assert!(fair(&parts), "{:?}", parts);
            for part in Partition::ALL {
                let classes =
                    groups(&images, &drawn, |(of, class)| (*of == part).then_some(*class));
                prop_assert!(fair(&classes), "{:?} {:?}", part, classes);
            }
        }
    }

    /// With rounded remainders the third group would have 2 of 10 images, and 1 of 11.
    #[test]
    fn a_larger_number_takes_from_nobody() {
        let groups = [6, 6, 2].map(|size| Group { size, lot: 0 });
        assert_eq!(shares(10, &groups), [5, 4, 1]);
        assert_eq!(shares(11, &groups), [5, 5, 1]);
        assert_eq!(shares(12, &groups), [5, 5, 2]);
    }

    #[test]
    fn chance_decides_which_images_and_the_seed_decides_chance() {
        let images = vec![(Partition::Train, None); 1000];
        let (one, other) = (draw(&images, 100, 42), draw(&images, 100, 43));
        assert_ne!(one, other);
        let early = one.iter().filter(|index| **index < 500).count();
        assert!((35..65).contains(&early), "{early}");
    }

    #[test]
    fn many_classes_leave_no_partition_without_images() {
        let part = |nth| if nth < 50 { Partition::Train } else { Partition::Test };
        let images: Vec<_> = (0..60 * 200).map(|i| (part(i / 200), Some(i % 200))).collect();
        let drawn = draw(&images, 120, 1);
        let parts = groups(&images, &drawn, |(partition, _)| Some(*partition));
        assert_eq!(parts, [(100, 10_000), (20, 2000)]);
    }

    #[test]
    fn more_than_there_are_is_all() {
        let stratum = |_| (Partition::Test, Some(1));
        assert_eq!(sample(7, 7, 1, stratum), Selection::First(7));
        assert_eq!(sample(7, u32::MAX, 1, stratum), Selection::First(7));
    }
}
