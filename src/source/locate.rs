//! Finds the files of a data set on this machine.

use std::path::{Path, PathBuf};

use etcetera::BaseStrategy;

use super::arrays::{complete, find_file, must_be_folder};
use super::catalogue::Entry;
use super::error::SourceError;
use super::options::Files;

/// Where Linux distributions put packaged data sets, a folder each.
const SYSTEM_FOLDER: &str = "/usr/share/datasets";

/// The user's cache folder for a named data set, where the platform has such a place.
pub fn cache_folder(name: &str) -> Option<PathBuf> {
    let base = etcetera::choose_base_strategy().ok()?;
    Some(base.cache_dir().join("idx2gcs").join(name))
}

/// The first folder that holds all files of a named data set: the system's, then the user's cache.
pub fn find(entry: &Entry) -> Option<PathBuf> {
    let folders = [Some(Path::new(SYSTEM_FOLDER).join(&entry.name)), cache_folder(&entry.name)];
    folders.into_iter().flatten().find(|folder| entry_files(entry, folder).is_ok())
}

/// The files of a named data set in a folder, in source order. They are
/// looked for under the entry's own names, also with `.gz`, also with a dot before `idx` as
/// unpackers write it. A plain file is preferred to a packed one.
///
/// # Errors
/// Names the files that were looked for and not found.
pub fn entry_files(entry: &Entry, folder: &Path) -> Result<Vec<Files>, SourceError> {
    must_be_folder(folder)?;
    let mut missing = Vec::new();
    let mut find = |name: &str| {
        let mut names = vec![name.to_owned()];
        names.extend(name.contains("-idx").then(|| name.replace("-idx", ".idx")));
        find_file(folder, &names, &mut missing)
    };
    let mut files = Vec::new();
    for part in &entry.parts {
        // Both are looked for before either is missed, so that the message is complete.
        if let (Some(images), Some(labels)) = (find(&part.images.name), find(&part.labels.name)) {
            files.push(Files { partition: part.partition, images, labels: Some(labels) });
        }
    }
    complete(files, &missing, folder, &format!("not the folder of {}", entry.name))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::Partition;

    #[test]
    fn finds_an_entry_under_its_own_names() {
        let dir = tempfile::tempdir().unwrap();
        let catalogue = crate::source::Catalogue::builtin();
        let qmnist = catalogue.get("qmnist").unwrap();
        for name in [
            "qmnist-train-images-idx3-ubyte.gz",
            "qmnist-train-labels-idx2-int",
            "qmnist-train-labels-idx2-int.gz",
            "qmnist-test-images.idx3-ubyte",
        ] {
            std::fs::write(dir.path().join(name), "").unwrap();
        }
        let says = entry_files(qmnist, dir.path()).unwrap_err().to_string();
        assert!(says.contains("not the folder of qmnist"), "{says}");
        assert!(says.ends_with("idx2-int[.gz] or qmnist-test-labels.idx2-int[.gz]"), "{says}");
        std::fs::write(dir.path().join("qmnist-test-labels-idx2-int.gz"), "").unwrap();
        let files = entry_files(qmnist, dir.path()).unwrap();
        let part = |partition, images: &str, labels: &str| Files {
            partition,
            images: dir.path().join(images),
            labels: Some(dir.path().join(labels)),
        };
        assert_eq!(
            files,
            [
                part(
                    Partition::Train,
                    "qmnist-train-images-idx3-ubyte.gz",
                    "qmnist-train-labels-idx2-int"
                ),
                part(
                    Partition::Test,
                    "qmnist-test-images.idx3-ubyte",
                    "qmnist-test-labels-idx2-int.gz"
                ),
            ]
        );
    }
}
