//! Labels, and how often each occurs where.

use super::{CheckInput, Finding, Severity, finding};
use crate::check::Frequencies;
use crate::classes::clean;
use crate::model::{Partition, Selection};
use crate::text::thousands;

/// Vertex AI wants at least so many images of a label, and at most so many times as many of one as of
/// another (<https://cloud.google.com/vertex-ai/docs/image-data/classification/prepare-data>).
const LEAST_IMAGES: u32 = 10;
const MOST_IMBALANCE: u32 = 100;

pub(super) fn labels(frequencies: &Frequencies) -> Vec<Finding> {
    let classes = &frequencies.classes;
    let changed = frequencies.labelled().filter_map(|(number, _)| {
        let name = classes.name(number)?;
        let label = clean(name);
        (label != name).then(|| format!("{name} → {label}"))
    });
    let changed = finding(
        Severity::Note,
        "cleaned-labels",
        changed,
        ["class has another label in import files", "classes have other labels in import files"],
        "labels have only letters, digits and _ there",
    );
    let unlabelled = frequencies.by_label.get(&None).map(|counts| counts.iter().sum::<u32>());
    let unlabelled = unlabelled.filter(|count| *count > 0).map(|count| {
        let what = if count == 1 { "image has no label" } else { "images have no label" };
        let what = format!("{} {what}", thousands(count.into()));
        Finding::new(Severity::Note, "unlabelled-images", count.into(), what, "")
    });
    changed.into_iter().chain(unlabelled).collect()
}

pub(super) fn classes(frequencies: &Frequencies) -> Vec<Finding> {
    let label = |number| frequencies.classes.label(number).into_owned();
    let with_images = |(number, images)| format!("{}: {images}", label(number));
    let all: Vec<(u32, u32)> =
        frequencies.labelled().map(|(number, counts)| (number, counts.iter().sum())).collect();
    let (some, none): (Vec<_>, Vec<_>) = all.into_iter().partition(|(_, images)| *images > 0);
    let few = some.iter().copied().filter(|(_, images)| *images < LEAST_IMAGES);
    let rarest = some.iter().copied().min_by_key(|(_, images)| *images);
    let commonest = some.iter().copied().max_by_key(|(_, images)| *images);
    let imbalance = rarest.zip(commonest).filter(|((_, few), (_, many))| {
        u64::from(*many) > u64::from(*few) * u64::from(MOST_IMBALANCE)
    });
    let few = finding(
        Severity::Warning,
        "few-images",
        few.map(with_images),
        [
            &format!("class has fewer than {LEAST_IMAGES} images"),
            &format!("classes have fewer than {LEAST_IMAGES} images"),
        ],
        "Vertex AI refuses to train on them: add images or leave the classes out",
    );
    let none = finding(
        Severity::Warning,
        "empty-classes",
        none.into_iter().map(|(number, _)| label(number)),
        ["class has no images", "classes have no images"],
        "",
    );
    let imbalance = imbalance.map(|(rarest, commonest)| Finding {
        examples: [rarest, commonest].map(with_images).into(),
        ..Finding::new(
            Severity::Warning,
            "imbalance",
            2,
            format!("the largest class has more than {MOST_IMBALANCE} times as many images as the smallest"),
            "Vertex AI advises against it: add images of the rare one",
        )
    });
    [none, few, imbalance].into_iter().flatten().collect()
}

pub(super) fn partitions(input: &CheckInput<'_>) -> Vec<Finding> {
    let frequencies = input.frequencies;
    let totals = frequencies.totals();
    let empty = Partition::ALL.into_iter().filter(|part| totals[*part as usize] == 0);
    let limited = matches!(input.selection, Selection::First(_));
    let left_out = limited && empty.clone().any(|part| input.in_all[part as usize] > 0);
    let missing = frequencies.labelled().filter(|(_, counts)| counts.iter().any(|n| *n > 0));
    let missing = missing.filter_map(|(number, counts)| {
        let lacks = Partition::ALL
            .into_iter()
            .filter(|part| totals[*part as usize] > 0 && counts[*part as usize] == 0);
        let lacks: Vec<_> = lacks.map(Partition::name).collect();
        let label = frequencies.classes.label(number);
        (!lacks.is_empty()).then(|| format!("{label}: {}", lacks.join(", ")))
    });
    let missing = finding(
        Severity::Warning,
        "missing-classes",
        missing,
        [
            "class has no images in a partition that others are in",
            "classes have no images in a partition that others are in",
        ],
        "split.method = \"stratified\" gives each class its share of training and validation",
    );
    let empty = finding(
        Severity::Warning,
        "empty-partitions",
        empty.map(|part| part.name().to_owned()),
        ["partition has no images", "partitions have no images"],
        if left_out {
            "an import may refuse that: --sample N in place of --limit takes images of each"
        } else {
            "a service that wants all three may refuse the import"
        },
    );
    empty.into_iter().chain(missing).collect()
}
