//! Finds the files of a data set on this machine.

use std::path::{Path, PathBuf};

use super::arrays::{complete, find_file, must_be_folder};
use super::catalogue::{Entry, WholeFile};
use super::error::SourceError;
use super::options::Files;

/// Where named data sets are on a machine: each in a folder of its name below one of these.
#[derive(Debug, Clone, Default)]
pub struct Folders {
    /// Folders that are only read, in the order in which they are searched.
    pub system: Vec<PathBuf>,
    /// The folder that is searched last, and into which data sets are downloaded.
    pub cache: Option<PathBuf>,
}

impl Folders {
    /// The folder into which a data set is downloaded.
    pub fn cache_of(&self, name: &str) -> Option<PathBuf> {
        self.cache.as_ref().map(|cache| cache.join(name))
    }
}

/// Where a named data set is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Found {
    /// In files of arrays, which the catalogue tells apart.
    Files(Vec<Files>),
    /// In a folder or a file of a format that says by itself what it holds.
    Path(PathBuf),
}

/// The files of a named data set in the first folder that holds all of them.
pub fn find(entry: &Entry, folders: &Folders) -> Option<Found> {
    let folders = folders.system.iter().chain(&folders.cache);
    folders.map(|folder| folder.join(&entry.name)).find_map(|folder| files_in(entry, &folder).ok())
}

/// The files of a named data set in a folder.
///
/// # Errors
/// Names the files that are missing.
pub fn files_in(entry: &Entry, folder: &Path) -> Result<Found, SourceError> {
    if entry.files.is_empty() {
        return array_files(entry, folder).map(Found::Files);
    }
    must_be_folder(folder)?;
    let path = |file: &WholeFile| folder.join(&file.name);
    let missing = entry.files.iter().filter(|file| !path(file).is_file());
    let missing: Vec<_> = missing.map(|file| file.name.clone()).collect();
    complete((), missing, folder, Some(&entry.name))?;
    Ok(Found::Path(match entry.files.as_slice() {
        [file] => path(file),
        _ => folder.to_owned(),
    }))
}

/// The arrays of a named data set in a folder, in source order: files of the entry's own names, also
/// with `.gz`, also with a dot before `idx` as unpackers write it. A plain file is preferred to a packed
/// one.
///
/// # Errors
/// Names the files that were looked for and not found.
fn array_files(entry: &Entry, folder: &Path) -> Result<Vec<Files>, SourceError> {
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
    complete(files, missing, folder, Some(&entry.name))
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
        let error = array_files(qmnist, dir.path()).unwrap_err();
        let SourceError::Missing { folder, dataset, files } = &error else { panic!("{error:?}") };
        assert_eq!((folder.as_path(), dataset.as_deref()), (dir.path(), Some("qmnist")));
        assert_eq!(files.len(), 1, "{files:?}");
        let says = error.to_string();
        assert!(says.contains("not the folder of qmnist"), "{says}");
        assert!(says.ends_with("idx2-int[.gz] or qmnist-test-labels.idx2-int[.gz]"), "{says}");
        std::fs::write(dir.path().join("qmnist-test-labels-idx2-int.gz"), "").unwrap();
        let files = array_files(qmnist, dir.path()).unwrap();
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
