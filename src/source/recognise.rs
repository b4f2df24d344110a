//! Which named data set the files of a folder are, by the sums that the catalogue knows of them.

use std::path::Path;

use super::catalogue::{Catalogue, Entry, EntryFile, WholeFile};
use super::fetch::{check_file, check_whole};
use super::locate::{Found, files_in};

/// The named data set whose files these are, and where they are; `None` for a path that is no folder, and for
/// files of which one has another content or no known sum. Small files are compared first: of a folder that
/// only has the names, no image is read.
pub(super) fn recognise<'a>(catalogue: &'a Catalogue, folder: &Path) -> Option<(&'a Entry, Found)> {
    if !folder.is_dir() {
        return None;
    }
    catalogue.entries().find_map(|entry| {
        let found = files_in(entry, folder).ok()?;
        is_of(entry, folder, &found).then_some((entry, found))
    })
}

fn is_of(entry: &Entry, folder: &Path, found: &Found) -> bool {
    match found {
        Found::Path(_) => entry.files.iter().all(|file| is_whole(&folder.join(&file.name), file)),
        Found::Files(files) => {
            let parts = || entry.parts.iter().zip(files);
            let labels = parts().all(|(part, files)| {
                let path = files.labels.as_deref();
                path.is_some_and(|path| is_file(path, &part.labels, part.records))
            });
            labels
                && parts().all(|(part, files)| is_file(&files.images, &part.images, part.records))
        }
    }
}

fn is_whole(path: &Path, file: &WholeFile) -> bool {
    let summed = file.sha256.is_some() || file.md5.is_some();
    summed && check_whole(path, file).is_ok()
}

fn is_file(path: &Path, file: &EntryFile, records: Option<u32>) -> bool {
    let sums = [&file.sha256, &file.packed_sha256, &file.packed_md5];
    sums.iter().any(|sum| sum.is_some()) && check_file(path, file, records).is_ok()
}
