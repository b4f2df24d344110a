//! Who is held out, and what cannot be.

use super::*;
use Partition::{Test, Train, Validation};
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
    let split = Split::random(&parts, ValidationSize::Count(4), 7).unwrap();
    assert_eq!(held_out(&split, 8).len(), 5);
    assert_eq!((split.partition(0), split.partition(1)), (Test, Test));
}

#[test]
fn each_image_to_train_on_can_be_held_out_wherever_it_is() {
    let parts = [(Test, 2), (Train, 3), (Test, 1), (Train, 2)];
    let mut drawn: Vec<u32> = (0..20)
        .flat_map(|seed| {
            let one = held_out(&Split::random(&parts, ValidationSize::Count(1), seed).unwrap(), 8);
            assert_eq!(one.len(), 1, "seed {seed}");
            one
        })
        .collect();
    drawn.sort_unstable();
    drawn.dedup();
    assert_eq!(drawn, [2, 3, 4, 6, 7]);
}

#[test]
fn a_stratified_split_needs_each_class_on_both_sides() {
    let draw = |labels: &[u32], validation| {
        let parts = [(Train, u32::try_from(labels.len()).unwrap())];
        let label = |index: u32| Some(labels[index as usize]);
        let split = Split::stratified(&parts, ValidationSize::Count(validation), 1, label)?;
        let held_out = held_out(&split, parts[0].1);
        let mut classes: Vec<u32> = held_out.iter().map(|&at| labels[at as usize]).collect();
        classes.sort_unstable();
        Ok(classes)
    };
    let two_each = [7, 8, 9, 7, 8, 9];
    assert_eq!(draw(&two_each, 3), Ok(vec![7, 8, 9]));
    for validation in [2, 4] {
        let many = SplitError::ManyClasses { count: 2, classes: 3 };
        assert_eq!(draw(&two_each, validation), Err(many), "{validation} held out");
    }
    assert_eq!(draw(&[7, 8, 7], 1), Err(SplitError::SmallClass { class: 8, count: 1 }));
}

#[test]
fn leaves_something_to_train_on() {
    let parts = [(Train, 10), (Test, 5)];
    let draw = |count| Split::random(&parts, ValidationSize::Count(count), 0);
    assert!(draw(9).is_ok());
    let too_few = SplitError::TooFew { validation: 10, training: 10 };
    assert_eq!(draw(10).unwrap_err(), too_few);
    assert!(held_out(&draw(0).unwrap(), 15).is_empty());
    assert_eq!(draw(0).unwrap().partition(10), Test);
}

#[test]
fn a_share_is_rounded_up() {
    for (share, n, count) in [(0.2, 10, 2), (0.15, 10, 2), (0.1, 101, 11), (0.5, 1, 1)] {
        assert_eq!(ValidationSize::Share(share).of(n), count, "{share} of {n}");
    }
}

#[test]
fn content_keeps_its_partition() {
    let hash = |index: u32| u64::from(index).wrapping_mul(0x9e37_79b9_7f4a_7c15);
    let draw = |n| Split::by_content(&[(Train, n)], ValidationSize::Share(0.2), hash).unwrap();
    let (few, many) = (draw(500), draw(1000));
    assert!((0..500).all(|i| few.partition(i) == many.partition(i)));
    let count = held_out(&many, 1000).len();
    assert!((150..250).contains(&count), "{count}");
    let counted = Split::by_content(&[(Train, 9)], ValidationSize::Count(2), hash);
    assert_eq!(counted.unwrap_err(), SplitError::NoShare);
}

#[test]
fn a_list_takes_precedence_over_the_parts() {
    let list = vec![Some(Test), None, Some(Validation), None];
    let split = Split::listed(&[(Train, 2), (Test, 2)], list);
    assert!((0..4).map(|i| split.partition(i)).eq([Test, Train, Validation, Test]));
}

#[test]
fn what_is_not_held_out_needs_neither_labels_nor_a_training_part() {
    let none = ValidationSize::Count(0);
    let split = Split::stratified(&[(Train, 2)], none, 0, |_| None).unwrap();
    assert!(held_out(&split, 2).is_empty());
    let unlabelled = Split::stratified(&[(Train, 2)], ValidationSize::Count(1), 0, |_| None);
    assert_eq!(unlabelled.unwrap_err(), SplitError::Unlabelled);
    for held_out in [none, ValidationSize::Share(0.1)] {
        let split = Split::random(&[(Test, 3)], held_out, 0).unwrap();
        assert!((0..3).all(|index| split.partition(index) == Test));
    }
    assert!(Split::by_content(&[(Train, 2)], none, |_| 0).is_ok());
}

#[test]
fn a_share_by_content_leaves_out_its_end() {
    // Hashes whose first 53 bits are just below the half of all, and the half itself.
    let split = Split::by_content(&[(Train, 2)], ValidationSize::Share(0.5), |index| {
        if index == 0 { (1 << 63) - (1 << 11) } else { 1 << 63 }
    });
    assert_eq!(held_out(&split.unwrap(), 2), [0]);
}

#[test]
fn a_share_by_content_is_taken_of_the_training_part_alone() {
    let split =
        Split::by_content(&[(Test, 2), (Train, 2)], ValidationSize::Share(0.5), |_| 0).unwrap();
    assert!((0..4).map(|i| split.partition(i)).eq([Test, Test, Validation, Validation]));
}

#[test]
#[should_panic(expected = "an index of the data set")]
fn an_index_of_no_image_is_a_defect() {
    Split::none(&[(Train, 2)]).partition(2);
}

#[test]
fn errors_say_what_would_work() {
    let few = SplitError::TooFew { validation: 10, training: 10 }.to_string();
    assert!(few.ends_with("training part of 10: at most 9"), "{few}");
    let none = SplitError::TooFew { validation: 1, training: 0 }.to_string();
    assert!(none.ends_with("at most 0"), "{none}");
}

proptest! {
    #[test]
    fn holds_out_exactly_what_was_asked(n in 2_u32..500, part: u32, seed: u32) {
        let validation = ValidationSize::Count(part % n);
        let split = Split::random(&[(Train, n)], validation, seed).unwrap();
        prop_assert_eq!(held_out(&split, n).len(), (part % n) as usize);
    }

    #[test]
    fn each_class_has_its_share(
        labels in prop::collection::vec(0_u32..5, 20..300), share in 0.1..0.5, seed: u32,
    ) {
        let n = u32::try_from(labels.len()).unwrap();
        let label = |index: u32| labels.get(index as usize).copied();
        let held = ValidationSize::Share(share);
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

#[test]
fn settings_are_at_random_with_seed_42_unless_asked_otherwise() {
    let default = SplitSettings::default();
    let random = SplitMethod::Random;
    assert_eq!((default.method, default.validation, default.seed), (random, None, 42));
    let stratified = SplitSettings::stratified(ValidationSize::Share(0.2), 7);
    assert_eq!((stratified.method, stratified.seed), (SplitMethod::Stratified, 7));
    assert_eq!(stratified.validation, Some(ValidationSize::Share(0.2)));
}
