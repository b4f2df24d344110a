//! Which arrays a folder or a single file holds, where it is a data set by itself.

use std::path::{Path, PathBuf};

use super::header::ArrayError;
use super::{npz, stream};
use crate::model::Partition;
use crate::source::candidate::open_file;
use crate::source::error::SourceError;
use crate::source::options::Files;
use crate::text::shown;

/// How the names of MNIST's files begin: partition, images, labels.
const FILE_NAMES: [(Partition, &str, &str); 2] = [
    (Partition::Train, "train-images", "train-labels"),
    (Partition::Test, "t10k-images", "t10k-labels"),
];

/// What archives call their parts.
const PARTS: [(Partition, &[&str]); 3] = [
    (Partition::Train, &["train", "training"]),
    (Partition::Validation, &["val", "valid", "validation", "dev"]),
    (Partition::Test, &["test", "testing"]),
];

/// What archives call images and labels, with `*` for the part: `MedMNIST`'s names, those of Keras'
/// `mnist.npz`, and both the other way round.
const FAMILIES: [(&str, &str); 4] =
    [("*_images", "*_labels"), ("x_*", "y_*"), ("*_x", "*_y"), ("images_*", "labels_*")];

/// The arrays of one family of names, by part; the names that are not among them.
fn parts_of<'a>(names: &'a [String], family: (&str, &str)) -> (Vec<Named<'a>>, Vec<&'a str>) {
    let find = |pattern: &str, part: &str| {
        let wanted = pattern.replace('*', part);
        names.iter().map(String::as_str).find(|name| name.eq_ignore_ascii_case(&wanted))
    };
    let of_part = |(partition, words): &(Partition, &[&str])| {
        words
            .iter()
            .find_map(|word| Some((*partition, find(family.0, word)?, find(family.1, word))))
    };
    let parts: Vec<Named<'_>> = PARTS.iter().filter_map(of_part).collect();
    let used = |name: &&str| parts.iter().any(|part| part.1 == *name || part.2 == Some(*name));
    let left = names.iter().map(String::as_str).filter(|name| !used(name)).collect();
    (parts, left)
}

/// A part, and the names of its images and labels.
type Named<'a> = (Partition, &'a str, Option<&'a str>);

/// The names of the arrays in a `.npz` archive; nothing for any other file, nor for one of them.
///
/// # Errors
/// A file that cannot be read.
pub fn array_names(path: &Path) -> Result<Option<Vec<String>>, SourceError> {
    if let (_, Some(_)) = stream::member_of(path) {
        return Ok(None);
    }
    let is_archive = open_file(path).and_then(|mut file| stream::begins_with(&mut file, b"PK"));
    match is_archive {
        Ok(true) => npz::names(path).map(Some),
        Ok(false) => Ok(None),
        Err(e) => Err(e.into()),
    }
    .map_err(|e: ArrayError| SourceError::file(path, e))
}

/// The path of an array in an archive.
pub fn array_of(archive: &Path, name: &str) -> PathBuf {
    let mut path = archive.as_os_str().to_owned();
    path.push("#");
    path.push(name);
    path.into()
}

/// The parts of a `.npz` archive, by the names of its arrays; any other file is images without
/// labels, all to train on.
///
/// # Errors
/// An archive of arrays whose names mean nothing.
pub fn single_file(path: &Path) -> Result<Vec<Files>, SourceError> {
    let Some(names) = array_names(path)? else {
        return Ok(vec![Files {
            partition: Partition::Train,
            images: path.to_owned(),
            labels: None,
        }]);
    };
    // One family of names or another: an archive that has two would hold each image twice.
    let families = FAMILIES.map(|family| parts_of(&names, family));
    let (parts, left) =
        families.into_iter().find(|(parts, _)| !parts.is_empty()).unwrap_or_default();
    if !left.is_empty() && parts.iter().any(|(_, _, labels)| labels.is_none()) {
        return Err(SourceError::unfit(
            path,
            format!(
                "some images have no labels of a known name among its arrays ({}); name what belongs \
                 together in [[source.files]] as FILE#ARRAY",
                names.join(", ")
            ),
        ));
    }
    if parts.is_empty() {
        return Err(SourceError::unfit(
            path,
            format!(
                "its arrays ({}) have none of the known names (train_images, x_train …); name them \
                 in [[source.files]] as FILE#ARRAY",
                names.join(", ")
            ),
        ));
    }
    if !left.is_empty() {
        tracing::warn!(
            "{}: these of its arrays are not used: {}; [[source.files]] names others as FILE#ARRAY",
            shown(&path.display().to_string()),
            shown(&left.join(", "))
        );
    }
    let files = |(partition, images, labels): Named<'_>| Files {
        partition,
        images: array_of(path, images),
        labels: labels.map(|labels| array_of(path, labels)),
    };
    Ok(parts.into_iter().map(files).collect())
}

/// The four files of MNIST in a folder: `train-images-idx3-ubyte` and its like, also with a dot
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
    for (partition, images, labels) in FILE_NAMES {
        // Both are looked for before either is missed, so that the message is complete.
        if let (Some(images), Some(labels)) = (find(images, 3), find(labels, 1)) {
            files.push(Files { partition, images, labels: Some(labels) });
        }
    }
    complete(files, missing, folder, None)
}

pub(in crate::source) fn must_be_folder(folder: &Path) -> Result<(), SourceError> {
    if folder.is_dir() {
        return Ok(());
    }
    Err(SourceError::NoFolder { path: folder.to_owned(), exists: folder.exists(), nearest: None })
}

/// The first of the names that is a file, each plain and then with `.gz`; else they go to `missing`.
pub(in crate::source) fn find_file(
    folder: &Path,
    names: &[String],
    missing: &mut Vec<String>,
) -> Option<PathBuf> {
    let found = names
        .iter()
        .flat_map(|name| [name.clone(), format!("{name}.gz")])
        .map(|name| folder.join(name))
        .find(|path| path.is_file());
    if found.is_none() {
        let folder = names.iter().find(|name| folder.join(name).is_dir());
        missing.push(match folder {
            Some(name) => format!("{name} (a folder has that name: give the file in it)"),
            None => format!("{}[.gz]", names.join("[.gz] or ")),
        });
    }
    found
}

pub(in crate::source) fn complete<T>(
    found: T,
    missing: Vec<String>,
    folder: &Path,
    dataset: Option<&str>,
) -> Result<T, SourceError> {
    if missing.is_empty() {
        return Ok(found);
    }
    let (folder, dataset) = (folder.to_owned(), dataset.map(str::to_owned));
    Err(SourceError::Missing { folder, dataset, files: missing })
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
    fn each_usual_name_of_a_part_is_known() {
        use Partition::{Test, Train, Validation};
        let of = |names: &[&str], family| {
            let names: Vec<String> = names.iter().map(|name| (*name).to_owned()).collect();
            let (parts, left) = parts_of(&names, FAMILIES[family]);
            let parts = parts.iter().map(|(part, _, labels)| (*part, labels.is_some()));
            (parts.collect::<Vec<_>>(), left.len())
        };
        let all = vec![(Train, true), (Validation, true), (Test, true)];
        for part in ["val", "valid", "validation"] {
            let (x, y) = (format!("x_{part}"), format!("y_{part}"));
            let names = ["x_train", "y_train", &x, &y, "x_test", "y_test"];
            assert_eq!(of(&names, 1), (all.clone(), 0), "{part}");
            let (x, y) = (format!("{part}_images"), format!("{part}_labels"));
            let names = ["train_images", "train_labels", &x, &y, "test_images", "test_labels"];
            assert_eq!(of(&names, 0), (all.clone(), 0), "{part}");
        }
        assert_eq!(of(&["X_train", "Y_train"], 1), (vec![(Train, true)], 0));
        assert_eq!(of(&["train_x", "train_y", "ids"], 2), (vec![(Train, true)], 1));
        assert_eq!(of(&["images_test", "labels_train"], 3), (vec![(Test, false)], 1));
    }

    #[test]
    fn a_folder_with_the_name_of_a_file_is_named() {
        let dir = tempfile::tempdir().unwrap();
        std::fs::create_dir(dir.path().join("train-images-idx3-ubyte")).unwrap();
        let says = folder_files(dir.path()).unwrap_err().to_string();
        assert!(says.contains("train-images-idx3-ubyte (a folder has that name"), "{says}");
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
