//! What a single file holds, where it is a data set by itself.

use std::path::{Path, PathBuf};

use super::{Files, SourceError, arrays};
use crate::model::Partition;

/// The names that archives give to images and labels: `MedMNIST`'s, and those of Keras' `mnist.npz`.
const USUAL: [&[(Partition, &str, &str)]; 2] = [
    &[
        (Partition::Train, "train_images", "train_labels"),
        (Partition::Validation, "val_images", "val_labels"),
        (Partition::Test, "test_images", "test_labels"),
    ],
    &[(Partition::Train, "x_train", "y_train"), (Partition::Test, "x_test", "y_test")],
];

/// The parts of a `.npz` archive, by the usual names of its arrays; any other file is images without
/// labels, all to train on.
///
/// # Errors
/// An archive of arrays whose names mean nothing.
pub fn single_file(path: &Path) -> Result<Vec<Files>, SourceError> {
    let Some(names) = arrays(path)? else {
        return Ok(vec![Files {
            partition: Partition::Train,
            images: path.to_owned(),
            labels: None,
        }]);
    };
    let member = |name: &str| {
        let there = names.iter().any(|there| there == name);
        there.then(|| PathBuf::from(format!("{}#{name}", path.display())))
    };
    // One family of names or the other: an archive that has both would hold each image twice.
    let usual = USUAL
        .iter()
        .find(|family| family.iter().any(|(_, images, _)| names.iter().any(|n| n == images)));
    let parts = usual.into_iter().copied().flatten().filter_map(|&(partition, images, labels)| {
        Some(Files { partition, images: member(images)?, labels: member(labels) })
    });
    let parts: Vec<_> = parts.collect();
    let used = 2 * parts.len() - parts.iter().filter(|part| part.labels.is_none()).count();
    if used < names.len() && parts.iter().any(|part| part.labels.is_none()) {
        return Err(SourceError::unfit(
            path,
            format!(
                "some images have no labels of the usual name among its arrays ({}); name what belongs \
                 together in [[source.files]] as FILE#ARRAY",
                names.join(", ")
            ),
        ));
    }
    if parts.is_empty() {
        return Err(SourceError::unfit(
            path,
            format!(
                "its arrays ({}) have none of the usual names (train_images, x_train …); name them \
                 in [[source.files]] as FILE#ARRAY",
                names.join(", ")
            ),
        ));
    }
    Ok(parts)
}
