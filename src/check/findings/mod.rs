//! What is wrong with a data set, or worth knowing: each finding with what to do about it.

mod bucket;
mod classes;
mod duplicates;
mod folders;

use std::fmt;

use serde::Serialize;
use strum::{Display, EnumString, IntoStaticStr, VariantNames};

pub(crate) use self::bucket::of_bucket;
use super::Frequencies;
use crate::model::{Item, Selection};
use crate::naming::Template;
use crate::text::{shown, thousands};

/// Examples that a finding names.
const EXAMPLES: usize = 5;

/// Images whose values all lie in a range narrower than this, an eighth of all, are not meant so.
const SLIVER: u8 = 32;

/// What images with identical pixels are.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Display, EnumString, IntoStaticStr, VariantNames)]
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
            // Names of classes come from the source.
            write!(f, " ({}{more})", shown(&self.examples.join(", ")))?;
        }
        self.advice.as_ref().map_or(Ok(()), |advice| write!(f, "; {advice}"))
    }
}

impl Finding {
    /// A finding without examples.
    fn new(severity: Severity, code: &str, count: u64, what: String, advice: &str) -> Self {
        let advice = (!advice.is_empty()).then(|| advice.to_owned());
        Self { severity, code: code.to_owned(), what, count, examples: Vec::new(), advice }
    }
}

/// What findings are drawn from.
pub(crate) struct CheckInput<'a> {
    /// Images by class and partition.
    pub frequencies: &'a Frequencies,
    /// The images.
    pub selection: &'a Selection,
    /// Images of the whole data set, in the order of [`Partition::ALL`].
    ///
    /// [`Partition::ALL`]: crate::model::Partition::ALL
    pub in_all: [u32; 3],
    /// Hashes of the pixels by position in the selection, where they were taken.
    pub hashes: &'a [u64],
    /// Indices of images all of whose values are the same.
    pub flat: &'a [u32],
    /// The smallest and the largest value of all pixels; `None` where no pixels were seen.
    pub values: Option<(u8, u8)>,
    /// The names of the images.
    pub template: &'a Template,
    /// Whether names become those of files, in a folder or an archive.
    pub names_are_files: bool,
    /// What images with identical pixels are.
    pub duplicates: Duplicates,
}

/// Looks for everything that is known to go wrong. `item` returns what is known of an index.
pub(crate) fn findings(input: &CheckInput<'_>, item: impl Fn(u32) -> Item) -> Vec<Finding> {
    let mut found = duplicates::duplicates(input, item);
    found.extend(classes::labels(input.frequencies));
    found.extend(classes::classes(input.frequencies));
    found.extend(classes::partitions(input));
    if input.names_are_files {
        found.extend(folders::folders(input.template, input.frequencies));
    }
    found.extend(pixels(input));
    found.sort_by_key(|finding| finding.severity);
    found
}

/// Pixels that are no pictures.
fn pixels(input: &CheckInput<'_>) -> Vec<Finding> {
    let flat = finding(
        Severity::Warning,
        "flat-images",
        input.flat.iter().map(u32::to_string),
        ["image has one value in all its pixels", "images have one value in all their pixels"],
        "check whether the source is damaged",
    );
    let all_flat = input.flat.len() as u64 == input.frequencies.images();
    let narrow = input.values.filter(|(low, high)| high - low < SLIVER && !all_flat);
    let narrow = narrow.map(|(low, high)| {
        let images = input.frequencies.images();
        let what = if low < SLIVER {
            format!("no pixel is brighter than {high} of 255: all images look black")
        } else {
            format!(
                "all pixels are between {low} and {high} of 255: the images have little contrast"
            )
        };
        let low = if low < SLIVER { 0 } else { low };
        let advice =
            format!("if {high} is white in the source, set source.range = [{low}, {high}]");
        let code = if low == 0 { "black-images" } else { "low-contrast" };
        Finding::new(Severity::Warning, code, images, what, &advice)
    });
    flat.into_iter().chain(narrow).collect()
}

/// The errors among findings.
pub(crate) fn errors(findings: &[Finding]) -> Vec<Finding> {
    let errors = findings.iter().filter(|finding| finding.severity == Severity::Error);
    errors.cloned().collect()
}

/// A finding if there is anything of it. `one` and `several` are what is wrong, after the number.
fn finding(
    severity: Severity,
    code: &str,
    of: impl Iterator<Item = String>,
    [one, several]: [&str; 2],
    advice: &str,
) -> Option<Finding> {
    let (mut examples, mut count) = (Vec::new(), 0);
    for example in of {
        if examples.len() < EXAMPLES {
            examples.push(example);
        }
        count += 1;
    }
    let what = format!("{} {}", thousands(count), if count == 1 { one } else { several });
    (count > 0).then(|| Finding { examples, ..Finding::new(severity, code, count, what, advice) })
}

#[cfg(test)]
mod tests;
