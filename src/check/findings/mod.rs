//! What is wrong with a data set, or worth knowing: each finding with what to do about it.

use std::collections::{HashMap, HashSet};
use std::fmt;

use serde::Serialize;

use super::Frequencies;
use crate::classes::clean;
use crate::model::Item;
use crate::model::Partition;
use crate::naming::Identity;
use crate::sink::About;
use crate::text::thousands;

/// Vertex AI wants at least so many images of a label, and at most so many times as many of one as of
/// another (<https://cloud.google.com/vertex-ai/docs/image-data/classification/prepare-data>).
const LEAST_IMAGES: u32 = 10;
const MOST_IMBALANCE: u32 = 100;

/// Examples that a finding names.
const EXAMPLES: usize = 5;

/// What images of the same pixels are taken for.
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
pub enum Duplicates {
    /// An error where their labels or partitions differ, else a warning.
    Error,
    /// A warning.
    Warn,
    /// Nothing: they are not looked for.
    Off,
}

/// How much a finding matters.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Severity {
    /// An import will fail, or the data are wrong.
    Error,
    /// A model will be worse for it.
    Warning,
    /// Worth knowing.
    Note,
}

impl fmt::Display for Severity {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Error => "error",
            Self::Warning => "warning",
            Self::Note => "note",
        })
    }
}

/// Something found in the data.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Finding {
    /// How much it matters.
    pub severity: Severity,
    /// Its name for programs, such as `duplicate-images`.
    pub code: String,
    /// What was found, a sentence.
    pub what: String,
    /// How many images or classes it concerns.
    pub count: u64,
    /// The first of them: indices or names.
    pub examples: Vec<String>,
    /// What to do about it, a sentence.
    pub advice: Option<String>,
}

/// One line: what, the first of them, what to do.
impl fmt::Display for Finding {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.what)?;
        if !self.examples.is_empty() {
            let more = if self.count > self.examples.len() as u64 { ", …" } else { "" };
            write!(f, " ({}{more})", self.examples.join(", "))?;
        }
        self.advice.as_ref().map_or(Ok(()), |advice| write!(f, "; {advice}"))
    }
}

/// What findings are drawn from.
pub struct CheckInput<'a> {
    /// Images by class and partition.
    pub frequencies: &'a Frequencies,
    /// Hashes of the pixels by index, where they were taken.
    pub hashes: &'a [u64],
    /// Images all of whose values are the same.
    pub flat: &'a [u32],
    /// What makes the names of two images differ.
    pub identity: Identity,
    /// What images of the same pixels are taken for.
    pub duplicates: Duplicates,
}

/// Looks for all that is known to go wrong. `item` tells what is known of an index.
pub fn findings(facts: &CheckInput<'_>, item: impl Fn(u32) -> Item) -> Vec<Finding> {
    let mut found = duplicates(facts, item);
    found.extend(labels(facts.frequencies));
    found.extend(classes(facts.frequencies));
    found.extend(partitions(facts.frequencies));
    found.extend(finding(
        Severity::Warning,
        "flat-images",
        IMAGES,
        facts.flat.iter().map(u32::to_string),
        "a single value, no picture",
        "see whether the source is damaged",
    ));
    found.sort_by_key(|finding| finding.severity);
    found
}

/// What is worth knowing of a bucket before it is imported from.
pub fn of_bucket(about: &About) -> Vec<Finding> {
    let finding = |severity, code: &str, what: String, advice: &str| Finding {
        severity,
        code: code.to_owned(),
        what,
        count: 1,
        examples: Vec::new(),
        advice: Some(advice.to_owned()),
    };
    let mut found = Vec::new();
    if let Some(location) = &about.location {
        let kind = about.location_type.as_deref().unwrap_or("location");
        found.push(finding(
            Severity::Note,
            "bucket-location",
            format!("the bucket is in the {kind} {location}"),
            "a Vertex AI data set imports fastest, and without transfer costs, in the same place",
        ));
    }
    if about.vertex_agent_reads == Some(false) {
        found.push(finding(
            Severity::Note,
            "bucket-permission",
            "the bucket's own policy does not let a service agent of Vertex AI read".to_owned(),
            "where the project that trains is not the bucket's, grant its agent \
             service-NUMBER@gcp-sa-aiplatform.iam.gserviceaccount.com roles/storage.objectViewer",
        ));
    }
    found
}

/// The errors among findings, as one line.
pub fn errors(findings: &[Finding]) -> Option<String> {
    let errors = findings.iter().filter(|finding| finding.severity == Severity::Error);
    let errors: Vec<_> = errors.map(Finding::to_string).collect();
    (!errors.is_empty()).then(|| errors.join("; also "))
}

/// What a finding counts, one of it and several.
type Noun = (&'static str, &'static str);
const IMAGES: Noun = ("image", "images");
const PICTURES: Noun = ("picture", "pictures");
const CLASSES: Noun = ("class", "classes");
const PARTITIONS: Noun = ("partition", "partitions");

/// A finding if there is anything of it.
fn finding(
    severity: Severity,
    code: &str,
    (one, several): Noun,
    of: impl Iterator<Item = String>,
    what: &str,
    advice: &str,
) -> Option<Finding> {
    let (mut examples, mut count) = (Vec::new(), 0);
    for one in of {
        if examples.len() < EXAMPLES && !one.is_empty() {
            examples.push(one);
        }
        count += 1;
    }
    let noun = if count == 1 { one } else { several };
    (count > 0).then(|| Finding {
        severity,
        code: code.to_owned(),
        what: format!("{} {noun}: {what}", thousands(count)),
        count,
        examples,
        advice: (!advice.is_empty()).then(|| advice.to_owned()),
    })
}

/// Images of the same pixels. An import merges them, unites their labels and picks a partition.
fn duplicates(facts: &CheckInput<'_>, item: impl Fn(u32) -> Item) -> Vec<Finding> {
    let groups = groups(facts.hashes);
    let differ = |group: &[u32], of: fn(&Item) -> u32| {
        let mut values = group.iter().map(|&index| of(&item(index)));
        let first = values.next();
        values.any(|value| Some(value) != first)
    };
    let (mut labels, mut parts, mut same) = (Vec::new(), Vec::new(), Vec::new());
    for group in &groups {
        let kind = if differ(group, |item| item.label.unwrap_or(u32::MAX)) {
            &mut labels
        } else if differ(group, |item| item.partition as u32) {
            &mut parts
        } else {
            &mut same
        };
        kind.push(group);
    }
    let told = |groups: Vec<&Vec<u32>>| {
        let texts = groups.into_iter().map(|group| {
            let first: Vec<_> = group.iter().take(EXAMPLES).map(u32::to_string).collect();
            let more = if group.len() > EXAMPLES { " = …" } else { "" };
            first.join(" = ") + more
        });
        texts.collect::<Vec<_>>().into_iter()
    };
    let grave =
        if facts.duplicates == Duplicates::Error { Severity::Error } else { Severity::Warning };
    let go_on = "take them out of the source; or --duplicates warn loads them all the same";
    let mut found = Vec::new();
    if facts.identity == Identity::Content {
        // Not a matter of taste: one object cannot be two.
        found.extend(finding(
            Severity::Error,
            "duplicate-names",
            PICTURES,
            told(groups.iter().collect()),
            "several images, which would get one name",
            "add {index} to the name template",
        ));
    }
    if facts.duplicates == Duplicates::Off {
        return found;
    }
    found.extend(finding(
        grave,
        "duplicate-labels",
        PICTURES,
        told(labels),
        "several times, under different labels",
        go_on,
    ));
    found.extend(finding(
        grave,
        "duplicate-partitions",
        PICTURES,
        told(parts),
        "several times, in different partitions",
        go_on,
    ));
    found.extend(finding(
        Severity::Warning,
        "duplicate-images",
        PICTURES,
        told(same),
        "several times, with the same label",
        "an import merges them into one",
    ));
    found
}

/// Indices of images with equal hashes, of which there are several, in the order of the first. Four
/// bytes an image meanwhile: of each hash a half is sorted, and few halves occur twice by chance.
#[allow(clippy::cast_possible_truncation)] // the half
fn groups(hashes: &[u64]) -> Vec<Vec<u32>> {
    let mut halves: Vec<u32> = hashes.iter().map(|hash| *hash as u32).collect();
    halves.sort_unstable();
    let repeated = halves.chunk_by(|a, b| a == b).filter(|same| same.len() > 1);
    let repeated: HashSet<u32> = repeated.filter_map(|same| same.first().copied()).collect();
    drop(halves);
    let mut groups = HashMap::<u64, Vec<u32>>::new();
    for (index, hash) in (0..).zip(hashes) {
        if repeated.contains(&(*hash as u32)) {
            groups.entry(*hash).or_default().push(index);
        }
    }
    let mut groups: Vec<_> = groups.into_values().filter(|group| group.len() > 1).collect();
    groups.sort_unstable();
    groups
}

fn labels(frequencies: &Frequencies) -> Vec<Finding> {
    let classes = &frequencies.classes;
    let changed = frequencies.labelled().filter_map(|(number, _)| {
        let name = classes.name(number)?;
        let label = clean(name);
        (label != name).then(|| format!("{name} → {label}"))
    });
    let unlabelled = frequencies.by_label.get(&None).map_or(0, |counts| counts.iter().sum());
    let found = [
        finding(
            Severity::Note,
            "cleaned-labels",
            CLASSES,
            changed,
            "another name in import files, of letters, digits and _",
            "",
        ),
        finding(
            Severity::Note,
            "unlabelled-images",
            IMAGES,
            (0..unlabelled).map(|_| String::new()),
            "no labels",
            "",
        ),
    ];
    found.into_iter().flatten().collect()
}

fn classes(frequencies: &Frequencies) -> Vec<Finding> {
    let label = |number| frequencies.classes.label(number).into_owned();
    let all =
        || frequencies.labelled().map(|(number, counts)| (number, counts.iter().sum::<u32>()));
    let some = || all().filter(|(_, images)| *images > 0);
    let none = all().filter(|(_, images)| *images == 0).map(|(number, _)| label(number));
    let few = some().filter(|(_, images)| *images < LEAST_IMAGES);
    let few = few.map(|(number, images)| format!("{}: {images}", label(number)));
    let rarest = some().min_by_key(|(_, images)| *images);
    let commonest = some().max_by_key(|(_, images)| *images);
    let imbalance = rarest.zip(commonest).filter(|((_, few), (_, many))| {
        u64::from(*many) > u64::from(*few) * u64::from(MOST_IMBALANCE)
    });
    let imbalance = imbalance.into_iter().flat_map(|(rarest, commonest)| [rarest, commonest]);
    let found = [
        finding(Severity::Warning, "empty-classes", CLASSES, none, "no images", ""),
        finding(
            Severity::Warning,
            "few-images",
            CLASSES,
            few,
            &format!("fewer than {LEAST_IMAGES} images"),
            "Vertex AI refuses to train on them: add images or leave the classes out",
        ),
        finding(
            Severity::Warning,
            "imbalance",
            CLASSES,
            imbalance.map(|(number, images)| format!("{}: {images}", label(number))),
            &format!("numbers of images that differ by more than {MOST_IMBALANCE} to 1"),
            "Vertex AI advises against it: add images of the rare one",
        ),
    ];
    found.into_iter().flatten().collect()
}

fn partitions(frequencies: &Frequencies) -> Vec<Finding> {
    let totals = frequencies.totals();
    let empty = Partition::ALL.into_iter().filter(|part| totals[*part as usize] == 0);
    let empty: Vec<_> = empty.map(|part| part.name().to_owned()).collect();
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
        CLASSES,
        missing,
        "no images in a partition",
        "for training and validation, split.method = \"stratified\" gives each class its share",
    );
    let found = finding(
        Severity::Warning,
        "empty-partitions",
        PARTITIONS,
        empty.into_iter(),
        "no images",
        "a service that wants all three may refuse the import",
    );
    found.into_iter().chain(missing).collect()
}

#[cfg(test)]
mod tests;
