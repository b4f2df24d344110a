//! Finds the files of a data set on this machine.

use std::path::{Path, PathBuf};

use etcetera::BaseStrategy;

use super::{Files, SourceError};
use crate::split::Partition;

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
pub fn find(name: &str) -> Option<PathBuf> {
    let folders = [Some(Path::new(SYSTEM_FOLDER).join(name)), cache_folder(name)];
    folders.into_iter().flatten().find(|folder| folder_files(folder).is_ok())
}

/// The four usual files in a folder: `train-images-idx3-ubyte` and its like, also with a dot
/// before `idx3`, also with `.gz`. A plain file is preferred to a packed one.
///
/// # Errors
/// Names the files that were looked for and not found.
pub fn folder_files(folder: &Path) -> Result<Vec<Files>, SourceError> {
    if !folder.is_dir() {
        let what = if folder.exists() { "is not a folder" } else { "does not exist" };
        return Err(SourceError::NotFound(format!("{}: {what}", folder.display())));
    }
    let mut missing = Vec::new();
    let mut find = |stem: &str, dimensions: u8| {
        let names = ["-", "."].map(|dot| format!("{stem}{dot}idx{dimensions}-ubyte"));
        let found = names
            .iter()
            .flat_map(|name| [name.clone(), format!("{name}.gz")])
            .map(|name| folder.join(name))
            .find(|path| path.is_file());
        if found.is_none() {
            missing.push(format!("{}[.gz]", names.join("[.gz] or ")));
        }
        found
    };
    let mut files = Vec::new();
    for (partition, images, labels) in USUAL {
        // Both are looked for before either is missed, so that the message is complete.
        if let (Some(images), Some(labels)) = (find(images, 3), find(labels, 1)) {
            files.push(Files { partition, images, labels: Some(labels) });
        }
    }
    if missing.is_empty() {
        return Ok(files);
    }
    Err(SourceError::NotFound(format!(
        "{}: not a data set folder, it lacks {}",
        folder.display(),
        missing.join(", ")
    )))
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
}
