//! Objects as plain files: `ROOT/<bucket>/<object name>`, so that a person can open the pictures.
//!
//! Only the bytes outlive the process. After a restart the content type comes from the name's
//! suffix, the generation from the file's modification time, and custom metadata is gone. A name that
//! is no path, or whose path is taken since `a` cannot be a file and a folder at once, has a path of
//! its own below `ROOT/.idx2gcs-names/<bucket>`.

use std::collections::HashSet;
use std::fs::{self, File, TryLockError};
use std::io::{self, Write};
use std::path::{Component, Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::SystemTime;

use bytes::Bytes;
use parking_lot::Mutex;

use crate::answers::ApiError;
use crate::apart;
use crate::error::EmulatorError;
use crate::names::{check_bucket_name, check_object_name};
use crate::object::{Attributes, Checksums, Object, ObjectMap, Place, micros};

/// Where files lie until they are whole. No bucket name starts with a dot, so nothing in it is ever
/// served.
const TEMPORARY: &str = ".idx2gcs-incomplete";

/// Where the objects lie whose names cannot be paths.
const APART: &str = ".idx2gcs-names";

/// The file that an emulator holds locked. The lock goes with its process, however that ends.
const LOCK: &str = ".idx2gcs-lock";

/// The folder behind a store.
pub(crate) struct Folder {
    root: PathBuf,
    next_temporary: AtomicU64,
    /// Directories known to exist, so that 70,000 inserts into one of them do not make it 70,000
    /// times.
    directories: Mutex<HashSet<PathBuf>>,
    /// Keeps other emulators out as long as it is open.
    _lock: File,
}

/// A whole file under its temporary name; removed on drop unless published.
pub(crate) struct Written {
    path: PathBuf,
    published: bool,
}

impl Drop for Written {
    fn drop(&mut self) {
        if !self.published {
            // It lies outside every bucket and the next start removes it.
            let _ = fs::remove_file(&self.path);
        }
    }
}

/// A bucket that lies in the folder at the start.
pub(crate) struct Found {
    pub(crate) name: String,
    pub(crate) created: SystemTime,
    pub(crate) objects: ObjectMap,
}

impl Folder {
    /// Opens or makes the folder, keeps others out of it, and reads what lies in it.
    pub(crate) fn open(root: PathBuf) -> Result<(Self, Vec<Found>), EmulatorError> {
        let failed = |source| EmulatorError::Folder { path: root.clone(), source };
        fs::create_dir_all(&root).map_err(failed)?;
        let lock = lock(&root)?;
        let temporary = root.join(TEMPORARY);
        match fs::remove_dir_all(&temporary) {
            Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(failed(error)),
            _ => {}
        }
        fs::create_dir(&temporary).map_err(failed)?;

        let mut buckets = Vec::new();
        for entry in fs::read_dir(&root).map_err(failed)? {
            let entry = entry.map_err(failed)?;
            let Ok(name) = entry.file_name().into_string() else {
                continue;
            };
            if !entry.file_type().map_err(failed)?.is_dir() || check_bucket_name(&name).is_err() {
                continue;
            }
            let mut objects = ObjectMap::new();
            let apart = root.join(APART).join(&name);
            if apart.is_dir() {
                load(&apart, &mut |path| apart::name(path), Place::Apart, &mut objects)
                    .map_err(failed)?;
            }
            load(&entry.path(), &mut plain_name, Place::Path, &mut objects).map_err(failed)?;
            let created = modified(&entry.metadata().map_err(failed)?);
            buckets.push(Found { name, created, objects });
        }
        let (next_temporary, directories) = (AtomicU64::new(0), Mutex::default());
        Ok((Self { root, next_temporary, directories, _lock: lock }, buckets))
    }

    pub(crate) fn create_bucket(&self, bucket: &str) -> io::Result<()> {
        fs::create_dir_all(self.root.join(bucket))
    }

    /// Removes the bucket's directories; an error where a file is left.
    pub(crate) fn delete_bucket(&self, bucket: &str) -> io::Result<()> {
        let (path, apart) = (self.root.join(bucket), self.root.join(APART).join(bucket));
        self.directories
            .lock()
            .retain(|known| !known.starts_with(&path) && !known.starts_with(&apart));
        if apart.is_dir() {
            remove_directories(&apart)?;
        }
        remove_directories(&path)
    }

    /// Writes content under a temporary name.
    pub(crate) fn write(&self, content: &[u8]) -> io::Result<Written> {
        let number = self.next_temporary.fetch_add(1, Ordering::Relaxed);
        let path = self.root.join(TEMPORARY).join(number.to_string());
        let written = Written { path, published: false };
        fs::write(&written.path, content)?;
        Ok(written)
    }

    /// Gives a written file its name, and says where it lies then.
    pub(crate) fn publish(
        &self,
        mut written: Written,
        bucket: &str,
        name: &str,
    ) -> Result<Place, ApiError> {
        let mut place = Place::Apart;
        if name.split('/').all(is_plain) {
            match self.rename(&written, &self.path(bucket, name, Place::Path)) {
                Ok(()) => place = Place::Path,
                Err(error) if is_taken(&error) => {}
                Err(error) => return Err(ApiError::disk(&error)),
            }
        }
        if place == Place::Apart {
            let renamed = self.rename(&written, &self.path(bucket, name, place));
            renamed.map_err(|error| ApiError::disk(&error))?;
        }
        written.published = true;
        Ok(place)
    }

    fn rename(&self, written: &Written, path: &Path) -> io::Result<()> {
        match self.ensure_parent(path).and_then(|()| fs::rename(&written.path, path)) {
            // Somebody removed a directory known to exist: make it again.
            Err(error) if error.kind() == io::ErrorKind::NotFound => {
                self.directories.lock().clear();
                self.ensure_parent(path)?;
                fs::rename(&written.path, path)
            }
            other => other,
        }
    }

    fn path(&self, bucket: &str, name: &str, place: Place) -> PathBuf {
        match place {
            Place::Path => self.root.join(bucket).join(name),
            Place::Apart => self.root.join(APART).join(bucket).join(apart::path(name)),
        }
    }

    pub(crate) fn read(&self, bucket: &str, name: &str, place: Place) -> io::Result<Bytes> {
        fs::read(self.path(bucket, name, place)).map(Bytes::from)
    }

    pub(crate) fn remove(&self, bucket: &str, name: &str, place: Place) -> io::Result<()> {
        match fs::remove_file(self.path(bucket, name, place)) {
            // Gone already is what was asked for.
            Err(error) if error.kind() != io::ErrorKind::NotFound => Err(error),
            _ => Ok(()),
        }
    }

    fn ensure_parent(&self, path: &Path) -> io::Result<()> {
        let Some(parent) = path.parent() else {
            return Ok(());
        };
        if self.directories.lock().contains(parent) {
            return Ok(());
        }
        fs::create_dir_all(parent)?;
        self.directories.lock().insert(parent.to_owned());
        Ok(())
    }
}

/// Locks the folder, or says which process has.
fn lock(root: &Path) -> Result<File, EmulatorError> {
    let path = root.join(LOCK);
    let failed = |source| EmulatorError::Folder { path: root.to_owned(), source };
    let open = File::options().write(true).create(true).truncate(false).open(&path);
    let mut file = open.map_err(failed)?;
    match file.try_lock() {
        Ok(()) => {}
        Err(TryLockError::WouldBlock) => {
            let process = fs::read_to_string(&path).ok().and_then(|id| id.trim().parse().ok());
            return Err(EmulatorError::InUse { path: root.to_owned(), process });
        }
        Err(TryLockError::Error(source)) => return Err(failed(source)),
    }
    let noted = file.set_len(0).and_then(|()| writeln!(file, "{}", std::process::id()));
    noted.map_err(failed)?;
    Ok(file)
}

/// Whether a name's segment is one plain component of a path, on any system.
fn is_plain(segment: &str) -> bool {
    let mut components = Path::new(segment).components();
    let one = matches!(components.next(), Some(Component::Normal(part)) if part == segment);
    one && components.next().is_none() && segment.len() <= 255 && !segment.contains('\0')
}

/// Whether a path cannot be had since a part of it is a file and ought to be a folder, or the other
/// way round.
fn is_taken(error: &io::Error) -> bool {
    use io::ErrorKind::{AlreadyExists, DirectoryNotEmpty, IsADirectory, NotADirectory};
    matches!(error.kind(), AlreadyExists | DirectoryNotEmpty | IsADirectory | NotADirectory)
}

fn remove_directories(path: &Path) -> io::Result<()> {
    for entry in fs::read_dir(path)? {
        let entry = entry?;
        if entry.file_type()?.is_dir() {
            remove_directories(&entry.path())?;
        }
    }
    fs::remove_dir(path)
}

/// The name that a relative path stands for where names are paths.
fn plain_name(relative: &Path) -> Option<String> {
    let parts: Option<Vec<&str>> = relative.iter().map(|part| part.to_str()).collect();
    parts.map(|parts| parts.join("/"))
}

/// Enters the files below `root` as objects, with the names that `name` gives their relative paths.
/// Symbolic links are passed over: they may lead out of the folder.
fn load(
    root: &Path,
    name: &mut impl FnMut(&Path) -> Option<String>,
    place: Place,
    objects: &mut ObjectMap,
) -> io::Result<()> {
    let mut folders = vec![root.to_owned()];
    while let Some(folder) = folders.pop() {
        for entry in fs::read_dir(folder)? {
            let entry = entry?;
            let (path, kind) = (entry.path(), entry.file_type()?);
            if kind.is_dir() {
                folders.push(path);
                continue;
            }
            let relative = path.strip_prefix(root).unwrap_or(&path);
            let known = name(relative).filter(|name| check_object_name(name).is_ok());
            match known {
                Some(name) if kind.is_file() => {
                    let object = object(&path, name, place)?;
                    objects.insert(Arc::clone(&object.name), Arc::new(object));
                }
                None => tracing::warn!(path = %path.display(), "not served: no object name"),
                Some(_) => {}
            }
        }
    }
    Ok(())
}

/// What is known of an object that lies in a file.
fn object(path: &Path, name: String, place: Place) -> io::Result<Object> {
    let content = fs::read(path)?;
    let checksums = Checksums::of(&content);
    checksums.md5(&content);
    let created = modified(&fs::metadata(path)?);
    let content_type = Some(content_type(&name).to_owned());
    Ok(Object {
        name: Arc::from(name),
        generation: micros(created).max(1),
        metageneration: 1,
        created,
        updated: created,
        size: content.len() as u64,
        checksums,
        attributes: Attributes { content_type, ..Attributes::default() },
        components: None,
        content: None,
        place,
    })
}

fn modified(metadata: &fs::Metadata) -> SystemTime {
    metadata.modified().unwrap_or(SystemTime::UNIX_EPOCH)
}

/// The content type that a name's suffix stands for.
fn content_type(name: &str) -> &'static str {
    let suffix = name.rsplit_once('.').map(|(_, suffix)| suffix.to_ascii_lowercase());
    match suffix.as_deref() {
        Some("jpg" | "jpeg") => "image/jpeg",
        Some("png") => "image/png",
        Some("gif") => "image/gif",
        Some("bmp") => "image/bmp",
        Some("csv") => "text/csv",
        Some("txt") => "text/plain",
        Some("json") => "application/json",
        Some("jsonl") => "application/jsonl",
        Some("gz") => "application/gzip",
        Some("zip") => "application/zip",
        _ => "application/octet-stream",
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_plain_paths_are_names() {
        for good in ["a", "a/b.jpg", "a b/ä", "a/...", "a/.b", "%2F"] {
            assert!(good.split('/').all(is_plain), "{good:?}");
        }
        let long = "x".repeat(256);
        for bad in ["/a", "a/", "a//b", "../a", "a/../b", "a/./b", "a\0b", &long] {
            assert!(!bad.split('/').all(is_plain), "{bad:?}");
        }
    }

    #[test]
    fn suffixes_tell_the_content_type() {
        assert_eq!(content_type("a/b.JPG"), "image/jpeg");
        assert_eq!(content_type("a/automl.csv"), "text/csv");
        assert_eq!(content_type("a"), "application/octet-stream");
    }
}
