//! Finds the files of a data set on this machine.

use std::path::{Path, PathBuf};

use etcetera::BaseStrategy;

use super::{Entry, Files, SourceError};
use crate::model::Partition;

/// Where Linux distributions put packaged data sets, a folder each.
const SYSTEM_FOLDER: &str = "/usr/share/datasets";

/// The usual stems and the folder's roles: `(part, images, labels)`.
const USUAL: [(Partition, &str, &str); 2] = [
    (Partition::Train, "train-images", "train-labels"),
    (Partition::Test, "t10k-images", "t10k-labels"),
];

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

/// The four usual files in a folder: `train-images-idx3-ubyte` and its like, also with a dot
/// before `idx3`, also with `.gz`. A plain file is preferred to a packed one.
///
/// # Errors
/// Names the files that were looked for and not found.
pub fn folder_files(folder: &Path) -> Result<Vec<Files>, SourceError> {
    must_be_folder(folder)?;
    let mut missing = Vec::new();
    let mut find = |stem: &str, dimensions: u8| {
        let names = ["-", "."].map(|dot| format!("{stem}{dot}idx{dimensions}-ubyte"));
        find_file(folder, &names, &mut missing)
    };
    let mut files = Vec::new();
    for (partition, images, labels) in USUAL {
        // Both are looked for before either is missed, so that the message is complete.
        if let (Some(images), Some(labels)) = (find(images, 3), find(labels, 1)) {
            files.push(Files { partition, images, labels: Some(labels) });
        }
    }
    complete(files, &missing, folder, "not a data set folder")
}

fn must_be_folder(folder: &Path) -> Result<(), SourceError> {
    if folder.is_dir() {
        return Ok(());
    }
    let what = if folder.exists() { "is not a folder" } else { "does not exist" };
    Err(SourceError::NotFound(format!("{}: {what}", folder.display())))
}

/// The first of the names that is a file, each plain and then with `.gz`; else they go to `missing`.
fn find_file(folder: &Path, names: &[String], missing: &mut Vec<String>) -> Option<PathBuf> {
    let found = names
        .iter()
        .flat_map(|name| [name.clone(), format!("{name}.gz")])
        .map(|name| folder.join(name))
        .find(|path| path.is_file());
    if found.is_none() {
        missing.push(format!("{}[.gz]", names.join("[.gz] or ")));
    }
    found
}

fn complete<T>(found: T, missing: &[String], folder: &Path, what: &str) -> Result<T, SourceError> {
    if missing.is_empty() {
        return Ok(found);
    }
    let missing = missing.join(", ");
    Err(SourceError::NotFound(format!("{}: {what}, it lacks {missing}", folder.display())))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn finds_each_spelling_and_prefers_plain_files() {
        let dir = tempfile::tempdir().unwrap();
        for name in [
            "train-images.idx3-ubyte",
            "train-labels-idx1-ubyte.gz",
            "t10k-images.idx3-ubyte.gz",
            "t10k-labels-idx1-ubyte",
            "t10k-labels-idx1-ubyte.gz",
        ] {
            std::fs::write(dir.path().join(name), "").unwrap();
        }
        let files = folder_files(dir.path()).unwrap();
        let names: Vec<_> = files
            .iter()
            .flat_map(|files| [Some(&files.images), files.labels.as_ref()])
            .flatten()
            .map(|path| path.file_name().unwrap().to_str().unwrap())
            .collect();
        assert_eq!(
            names,
            [
                "train-images.idx3-ubyte",
                "train-labels-idx1-ubyte.gz",
                "t10k-images.idx3-ubyte.gz",
                "t10k-labels-idx1-ubyte"
            ]
        );
    }

    #[test]
    fn says_which_files_it_looked_for() {
        let dir = tempfile::tempdir().unwrap();
        std::fs::write(dir.path().join("train-images-idx3-ubyte"), "").unwrap();
        let says = folder_files(dir.path()).unwrap_err().to_string();
        assert!(!says.contains("train-images"), "{says}");
        for stem in ["train-labels-idx1-ubyte", "t10k-images.idx3-ubyte", "t10k-labels"] {
            assert!(says.contains(stem), "{says}");
        }
        let says = folder_files(&dir.path().join("absent")).unwrap_err().to_string();
        assert!(says.ends_with("absent: does not exist"), "{says}");
    }

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
