use super::*;
use crate::classes::Classes;
use crate::model::ImageFormat;
use std::sync::Arc;

/// Findings of images, each a label, a partition and a hash.
fn find(
    names: &[&str],
    images: &[(Option<u32>, Partition, u64)],
    duplicates: Duplicates,
    identity: Identity,
) -> Vec<Finding> {
    let names = names.iter().map(|&name| name.to_owned()).collect();
    let classes = Arc::new(Classes::new(names, 0).unwrap());
    let item = |index: u32| {
        let (label, partition, hash) = images[index as usize];
        Item { index, label, partition, format: ImageFormat::Jpeg, hash }
    };
    let indices = 0..u32::try_from(images.len()).unwrap();
    let frequencies = Frequencies::count(&classes, indices.map(item));
    let hashes: Vec<u64> = images.iter().map(|(_, _, hash)| *hash).collect();
    let flat = [];
    let facts = CheckInput {
        frequencies: &frequencies,
        hashes: &hashes,
        flat: &flat,
        identity,
        duplicates,
    };
    findings(&facts, item)
}

/// Ten images of each of two classes in each partition, all different.
fn sound() -> Vec<(Option<u32>, Partition, u64)> {
    let image = |n: u32| (Some(n % 2), Partition::ALL[n as usize / 2 % 3], n.into());
    (0..60).map(image).collect()
}

fn codes(findings: &[Finding]) -> Vec<(&str, Severity, u64)> {
    findings.iter().map(|f| (f.code.as_str(), f.severity, f.count)).collect()
}

#[test]
fn nothing_is_wrong_with_a_sound_set() {
    let found = find(&["Coat", "Bag"], &sound(), Duplicates::Error, Identity::Index);
    assert_eq!(found, []);
    assert_eq!(errors(&found), None);
}

#[test]
fn duplicates_are_told_apart_by_what_they_contradict() {
    let mut images = sound();
    images[2].2 = 0; // train against validation
    images[7].2 = 6; // another label
    images[14].2 = 8; // validation against ... the same label
    images[14].1 = images[8].1;
    let kinds = |duplicates, identity| find(&[], &images, duplicates, identity);
    let found = kinds(Duplicates::Error, Identity::Index);
    assert_eq!(
        codes(&found),
        [
            ("duplicate-labels", Severity::Error, 1),
            ("duplicate-partitions", Severity::Error, 1),
            ("duplicate-images", Severity::Warning, 1)
        ]
    );
    let says = errors(&found).unwrap();
    assert!(says.contains("under different labels (6 = 7)"), "{says}");
    assert!(says.contains("in different partitions (0 = 2)"), "{says}");
    assert_eq!(errors(&kinds(Duplicates::Warn, Identity::Index)), None);
    let says = errors(&kinds(Duplicates::Warn, Identity::Content)).unwrap();
    assert!(says.starts_with("3 pictures: several images, which would get one name"), "{says}");
    assert!(says.contains("(0 = 2, 6 = 7, 8 = 14); add {index}"), "{says}");
    assert_eq!(kinds(Duplicates::Off, Identity::Index), []);
    assert_eq!(codes(&kinds(Duplicates::Off, Identity::Content)).len(), 1);
}

#[test]
fn classes_are_looked_at() {
    let mut images = sound();
    images.extend((0..1001).map(|n| (Some(2), Partition::Train, 100 + n)));
    images.push((Some(3), Partition::Test, 5000));
    images.retain(|(_, part, _)| *part != Partition::Validation);
    let names = ["T-shirt/top", "Bag", "Coat", "Hat", "Shoe"];
    let found = find(&names, &images, Duplicates::Error, Identity::Index);
    assert_eq!(
        codes(&found),
        [
            ("empty-classes", Severity::Warning, 1),
            ("few-images", Severity::Warning, 1),
            ("imbalance", Severity::Warning, 2),
            ("empty-partitions", Severity::Warning, 1),
            ("missing-classes", Severity::Warning, 2),
            ("cleaned-labels", Severity::Note, 1)
        ]
    );
    let lines: Vec<_> = found.iter().map(Finding::to_string).collect();
    assert_eq!(lines[0], "1 class: no images (Shoe)");
    assert!(lines[2].contains("(Hat: 1, Coat: 1001)"), "{}", lines[2]);
    assert!(lines[3].starts_with("1 partition: no images (validation)"), "{}", lines[3]);
    assert!(lines[4].contains("(Coat: test, Hat: train)"), "{}", lines[4]);
    assert!(lines[5].contains("(T-shirt/top → T_shirt_top)"), "{}", lines[5]);
}

#[test]
fn buckets_are_told_of() {
    let about = About {
        location: Some("US-CENTRAL1".to_owned()),
        location_type: Some("region".to_owned()),
        project_number: Some(7),
        vertex_agent_reads: Some(false),
    };
    let found = of_bucket(&about);
    assert!(found[0].to_string().starts_with("the bucket is in the region US-CENTRAL1; "));
    assert_eq!(codes(&found)[1], ("bucket-permission", Severity::Note, 1));
    assert_eq!(of_bucket(&About { vertex_agent_reads: Some(true), ..About::default() }), []);
}

#[test]
fn images_without_labels_are_counted() {
    let images: Vec<_> =
        (0..30_u32).map(|n| (None, Partition::ALL[n as usize % 3], u64::from(n))).collect();
    let found = find(&["Coat"], &images, Duplicates::Error, Identity::Index);
    assert_eq!(found.iter().map(Finding::to_string).collect::<Vec<_>>(), ["30 images: no labels"]);
}
