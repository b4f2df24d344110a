//! Images with identical pixels.

use std::collections::{HashMap, HashSet};

use super::{CheckInput, Duplicates, EXAMPLES, Finding, Severity, finding};
use crate::model::Item;
use crate::naming::Identity;

/// Images with identical pixels. An import merges them, unites their labels and picks a partition.
pub(super) fn duplicates(input: &CheckInput<'_>, item: impl Fn(u32) -> Item) -> Vec<Finding> {
    const ADVICE: &str = "remove them, or use --duplicates warn to load them anyway";
    let groups = groups(input);
    let differ = |group: &[u32], of: fn(&Item) -> u32| {
        let mut values = group.iter().map(|&index| of(&item(index)));
        let first = values.next();
        values.any(|value| Some(value) != first)
    };
    let (mut labels, mut partitions, mut same) = (Vec::new(), Vec::new(), Vec::new());
    for group in &groups {
        let kind = if differ(group, |item| item.label.unwrap_or(u32::MAX)) {
            &mut labels
        } else if differ(group, |item| item.partition as u32) {
            &mut partitions
        } else {
            &mut same
        };
        kind.push(&group[..]);
    }
    let contradiction =
        if input.duplicates == Duplicates::Error { Severity::Error } else { Severity::Warning };
    let one_name = (input.template.identity() == Identity::Content).then(|| {
        // Whatever the setting: two images cannot be one object.
        finding(
            Severity::Error,
            "duplicate-names",
            groups.iter().map(|group| example(group)),
            [
                "group of identical images would get one name",
                "groups of identical images would get one name each",
            ],
            "add {index} to the name template",
        )
    });
    let mut found: Vec<Finding> = one_name.flatten().into_iter().collect();
    if input.duplicates == Duplicates::Off {
        return found;
    }
    found.extend(finding(
        contradiction,
        "duplicate-labels",
        labels.into_iter().map(example),
        [
            "group of identical images has different labels",
            "groups of identical images have different labels",
        ],
        ADVICE,
    ));
    found.extend(finding(
        contradiction,
        "duplicate-partitions",
        partitions.into_iter().map(example),
        [
            "group of identical images is in different partitions",
            "groups of identical images are in different partitions",
        ],
        ADVICE,
    ));
    found.extend(finding(
        Severity::Warning,
        "duplicate-images",
        same.into_iter().map(example),
        ["group of images is identical", "groups of images are identical"],
        "an import merges each into one",
    ));
    found
}

/// A group as one text: `7 = 20 = 22`.
fn example(group: &[u32]) -> String {
    let first: Vec<_> = group.iter().take(EXAMPLES).map(u32::to_string).collect();
    first.join(" = ") + if group.len() > EXAMPLES { " = …" } else { "" }
}

/// Indices of images with equal hashes, of which there are several, in the order of the first. Four
/// bytes an image meanwhile: of each hash a half is sorted, and few halves occur twice by chance.
#[allow(clippy::cast_possible_truncation)] // the half
fn groups(input: &CheckInput<'_>) -> Vec<Vec<u32>> {
    let mut halves: Vec<u32> = input.hashes.iter().map(|hash| *hash as u32).collect();
    halves.sort_unstable();
    let repeated = halves.chunk_by(|a, b| a == b).filter(|same| same.len() > 1);
    let repeated: HashSet<u32> = repeated.map(|same| same[0]).collect();
    drop(halves);
    let mut groups = HashMap::<u64, Vec<u32>>::new();
    for (index, hash) in input.selection.indices().zip(input.hashes) {
        if repeated.contains(&(*hash as u32)) {
            groups.entry(*hash).or_default().push(index);
        }
    }
    let mut groups: Vec<_> = groups.into_values().filter(|group| group.len() > 1).collect();
    groups.sort_unstable();
    groups
}
