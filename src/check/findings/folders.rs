//! Folders of classes that a file system, or who reads them, takes for something else.

use std::collections::HashMap;

use super::{Finding, Severity, finding};
use crate::check::Frequencies;
use crate::naming::Template;

/// What happens to a folder for each class on other systems, and in programs that number classes by
/// the order of their folders, as `ImageFolder` of torchvision does
/// (<https://pytorch.org/vision/main/generated/torchvision.datasets.ImageFolder.html>).
pub(super) fn folders(template: &Template, frequencies: &Frequencies) -> Vec<Finding> {
    let classes = &frequencies.classes;
    let folders: Option<Vec<String>> =
        frequencies.labelled().map(|(number, _)| template.class_folder(number, classes)).collect();
    let folders = folders.unwrap_or_default();
    let mut alike = HashMap::<String, Vec<&str>>::new();
    for folder in &folders {
        alike.entry(folder.to_lowercase()).or_default().push(folder);
    }
    let mut alike: Vec<_> = alike.into_values().filter(|folders| folders.len() > 1).collect();
    alike.sort_unstable();
    let clash = finding(
        Severity::Error,
        "folders-alike",
        alike.into_iter().map(|folders| folders.join(" = ")),
        [
            "pair of classes has folders that differ only by case, which macOS and Windows take for one",
            "groups of classes have folders that differ only by case, which macOS and Windows take for one",
        ],
        "use {label} instead of {class} in the name template",
    );
    // The names of classes are a numbering of their own; numbers should be in order.
    let numbered =
        classes.is_empty() || folders.iter().all(|f| f.ends_with(|c: char| c.is_ascii_digit()));
    let early = folders.windows(2).filter(|pair| numbered && pair[0] > pair[1]);
    let order = finding(
        Severity::Note,
        "folder-order",
        early.map(|pair| format!("{} before {}", pair[1], pair[0])),
        [
            "folder of a class comes before that of a smaller label when they are sorted by name",
            "folders of classes come before those of smaller labels when they are sorted by name",
        ],
        "programs that number classes by folder, as ImageFolder does, need {label:02} or more digits",
    );
    clash.into_iter().chain(order).collect()
}
