//! The proof that ranges cover all images.

use std::ops::Range;

/// The parts of `0..images` that none of the ranges covers, in ascending order. Ranges may overlap and
/// come in any order.
pub(crate) fn missing(
    ranges: impl IntoIterator<Item = Range<u32>>,
    images: u32,
) -> Vec<Range<u32>> {
    let mut ranges: Vec<_> = ranges.into_iter().filter(|range| !range.is_empty()).collect();
    ranges.sort_unstable_by_key(|range| range.start);
    let (mut gaps, mut covered) = (Vec::new(), 0);
    for range in ranges {
        if range.start.min(images) > covered {
            gaps.push(covered..range.start.min(images));
        }
        covered = covered.max(range.end);
    }
    if covered < images {
        gaps.push(covered..images);
    }
    gaps
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::shard::Shard;
    use proptest::prelude::*;

    proptest! {
        #[test]
        fn agrees_with_looking_at_each_image(
            ranges in proptest::collection::vec((0u32..60, 0u32..20), 0..12),
            images in 0u32..60,
        ) {
            let ranges: Vec<_> =
                ranges.into_iter().map(|(start, length)| start..start + length).collect();
            let gaps = missing(ranges.clone(), images);
            let lacks: Vec<_> = (0..images)
                .filter(|image| !ranges.iter().any(|range| range.contains(image)))
                .collect();
            prop_assert_eq!(gaps.iter().cloned().flatten().collect::<Vec<_>>(), lacks);
            prop_assert!(gaps.windows(2).all(|two| two[0].end < two[1].start), "apart");
            prop_assert!(gaps.iter().all(|gap| !gap.is_empty()));
        }

        #[test]
        fn all_slices_of_any_number_cover_and_one_less_does_not(
            images in 1u32..100_000,
            count in 1u32..50,
            left_out in any::<prop::sample::Index>(),
        ) {
            let slice = |index| Shard::new(index, count).unwrap().range(images);
            prop_assert!(missing((0..count).map(slice), images).is_empty());
            let left_out = u32::try_from(left_out.index(count as usize)).unwrap();
            let others = (0..count).filter(|index| *index != left_out).map(slice);
            let gap = Some(slice(left_out)).filter(|gap| !gap.is_empty());
            prop_assert_eq!(missing(others, images), gap.into_iter().collect::<Vec<_>>());
        }
    }

    #[test]
    fn slices_of_different_numbers_complete_each_other() {
        let slice = |index, count| Shard::new(index, count).unwrap().range(100);
        assert_eq!(missing([slice(0, 2), slice(3, 4)], 100), vec![Range { start: 50, end: 75 }]);
        assert!(missing([slice(0, 2), slice(1, 2), slice(0, 1)], 100).is_empty());
        assert!(missing([], 0).is_empty());
        assert_eq!(missing([], 5), vec![Range { start: 0, end: 5 }]);
    }
}
