//! Files that this program writes for people: each appears whole or not at all, and one process at a
//! time writes into a folder.
//!
//! ```text
//! let lock = files::lock_folder(&out)?;            // for as long as `lock` lives
//! files::write(&out.join("summary.json"), text)?;  // whole or not at all
//!
//! let mut partial = Partial::create(&out.join("images.csv"))?;
//! partial.write_all(rows)?;                        // under a temporary name
//! let complete = partial.complete()?;              // on the disk, still under that name
//! complete.publish()?;                             // in place of what had the name before
//! ```

use std::fs::{self, File, OpenOptions, TryLockError};
use std::io::{self, BufWriter, Write};
use std::path::{Path, PathBuf};
use std::time::SystemTime;

use tempfile::{NamedTempFile, TempPath};

/// Temporary files are called `.idx2gcs-` and six characters and this.
const PREFIX: &str = ".idx2gcs-";
const SUFFIX: &str = ".partial";

/// The file in a folder whose lock is the folder's.
const LOCK: &str = ".idx2gcs.lock";

/// A file that is being written under a temporary name in its final folder. Dropped, it is removed.
#[derive(Debug)]
pub(crate) struct Partial {
    out: BufWriter<NamedTempFile>,
    path: PathBuf,
}

impl Partial {
    /// Begins a file that will be called `path`.
    ///
    /// # Errors
    /// When its folder is missing or cannot be written.
    pub(crate) fn create(path: &Path) -> io::Result<Self> {
        let mut builder = tempfile::Builder::new();
        builder.prefix(PREFIX).suffix(SUFFIX);
        // Temporary files are private unless asked otherwise, and these become ordinary files.
        #[cfg(unix)]
        builder.permissions(std::os::unix::fs::PermissionsExt::from_mode(0o666));
        let file = builder.tempfile_in(folder_of(path))?;
        Ok(Self { out: BufWriter::new(file), path: path.to_owned() })
    }

    /// Ends the file and waits until its bytes are on the disk. It keeps its temporary name.
    ///
    /// # Errors
    /// When the file cannot be written.
    pub(crate) fn complete(self) -> io::Result<Complete> {
        let file = self.out.into_inner()?;
        file.as_file().sync_all()?;
        Ok(Complete { temporary: file.into_temp_path(), path: self.path })
    }
}

impl Write for Partial {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.out.write(bytes)
    }

    fn flush(&mut self) -> io::Result<()> {
        self.out.flush()
    }
}

/// A file that is complete and has a temporary name. Dropped, it is removed.
#[derive(Debug)]
pub(crate) struct Complete {
    temporary: TempPath,
    path: PathBuf,
}

impl Complete {
    /// Where the file is until it is published.
    pub(crate) fn temporary(&self) -> &Path {
        &self.temporary
    }

    /// Gives the file its name, in place of another that had it, whose permissions it takes.
    ///
    /// # Errors
    /// When it cannot be renamed; then it is removed, and the other stays.
    pub(crate) fn publish(self) -> io::Result<PathBuf> {
        if let Ok(before) = fs::metadata(&self.path) {
            fs::set_permissions(&self.temporary, before.permissions())?;
        }
        self.temporary.persist(&self.path)?;
        // The new name is on the disk once its folder is. Some file systems do not sync folders.
        #[cfg(unix)]
        let _ = File::open(folder_of(&self.path)).and_then(|folder| folder.sync_all());
        Ok(self.path)
    }
}

/// Writes a file whole or not at all.
///
/// # Errors
/// When it cannot be written; then what had the name before stays.
pub(crate) fn write(path: &Path, bytes: impl AsRef<[u8]>) -> io::Result<()> {
    let mut partial = Partial::create(path)?;
    partial.write_all(bytes.as_ref())?;
    partial.complete()?.publish().map(drop)
}

/// Removes the temporary files in a folder. For a process that holds the folder's lock: one that was
/// killed left them, or this one is about to exit without unwinding.
pub(crate) fn remove_partials(folder: &Path) {
    for entry in fs::read_dir(folder).into_iter().flatten().flatten() {
        let name = entry.file_name();
        if name.to_str().is_some_and(|name| name.starts_with(PREFIX) && name.ends_with(SUFFIX)) {
            // One that cannot be removed harms nothing.
            let _ = fs::remove_file(entry.path());
        }
    }
}

/// The folder that a file is in.
fn folder_of(path: &Path) -> &Path {
    match path.parent() {
        Some(parent) if !parent.as_os_str().is_empty() => parent,
        _ => Path::new("."),
    }
}

/// The lock on a folder. It is released when this is dropped, or when the process ends in any way.
#[derive(Debug)]
pub(crate) struct FolderLock {
    path: PathBuf,
    _file: File,
}

impl Drop for FolderLock {
    fn drop(&mut self) {
        // While it is still locked, so that it is no other process's.
        let _ = fs::remove_file(&self.path);
    }
}

/// Why a folder cannot be locked.
#[derive(Debug, thiserror::Error)]
pub enum LockError {
    /// Another process holds the lock.
    #[error("{}: in use by {holder}; wait until it has ended, or use another folder", folder.display())]
    Held {
        /// The folder.
        folder: PathBuf,
        /// The process, and since when it holds the lock.
        holder: String,
    },
    /// The folder cannot be made or written.
    #[error("{}: cannot be written: {error}", folder.display())]
    Unwritable {
        /// The folder.
        folder: PathBuf,
        /// Why.
        error: io::Error,
    },
}

/// Makes a folder, locks it against other processes that ask for the same lock, and removes temporary
/// files that a killed process left there. Files can be made there afterwards. Where the file system
/// has no locks, the folder is used without one.
///
/// # Errors
/// When another process holds the lock, or the folder cannot be written.
pub(crate) fn lock_folder(folder: &Path) -> Result<FolderLock, LockError> {
    let lock = || {
        fs::create_dir_all(folder)?;
        let path = folder.join(LOCK);
        let Some(mut file) = lock_file(&path)? else {
            // Where locks are mandatory, the file cannot be read.
            return Ok(Err(fs::read_to_string(&path).unwrap_or_default()));
        };
        // A clock before 1970 cannot be printed.
        let now = SystemTime::now().max(SystemTime::UNIX_EPOCH);
        let since = humantime::format_rfc3339_seconds(now);
        file.set_len(0)?;
        writeln!(file, "process {} since {since}", std::process::id())?;
        remove_partials(folder);
        // The lock's file may have been there; whether others can be made is known by making one.
        Partial::create(&path)?;
        Ok(Ok(FolderLock { path, _file: file }))
    };
    match lock() {
        Ok(Ok(lock)) => Ok(lock),
        Ok(Err(holder)) => {
            let holder = Some(holder.trim()).filter(|known| !known.is_empty());
            let holder = holder.unwrap_or("another process").to_owned();
            Err(LockError::Held { folder: folder.to_owned(), holder })
        }
        Err(error) => Err(LockError::Unwritable { folder: folder.to_owned(), error }),
    }
}

/// Opens a file, made where it is missing, and locks it for as long as it is open; `None` where
/// another process has locked it.
///
/// # Errors
/// When it cannot be opened.
pub(crate) fn lock_file(path: &Path) -> io::Result<Option<File>> {
    loop {
        let file = OpenOptions::new().write(true).create(true).truncate(false).open(path)?;
        match file.try_lock() {
            Ok(()) => {}
            Err(TryLockError::WouldBlock) => return Ok(None),
            Err(TryLockError::Error(error)) => {
                tracing::warn!(path = %path.display(), %error, "the file system has no locks");
            }
        }
        // Between opening and locking, the process that held the lock may have renamed or removed it.
        if is_at(&file, path)? {
            return Ok(Some(file));
        }
    }
}

/// Whether a path leads to this very file.
#[cfg(unix)]
fn is_at(file: &File, path: &Path) -> io::Result<bool> {
    use std::os::unix::fs::MetadataExt;
    let id = |of: &fs::Metadata| (of.dev(), of.ino());
    match fs::metadata(path) {
        Ok(there) => Ok(id(&there) == id(&file.metadata()?)),
        Err(e) if e.kind() == io::ErrorKind::NotFound => Ok(false),
        Err(e) => Err(e),
    }
}

/// Elsewhere a file that is open keeps its name.
#[cfg(not(unix))]
fn is_at(_file: &File, _path: &Path) -> io::Result<bool> {
    Ok(true)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn names(folder: &Path) -> Vec<String> {
        let entries = fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().file_name());
        let mut names: Vec<_> = entries.map(|name| name.into_string().unwrap()).collect();
        names.sort();
        names
    }

    #[test]
    fn a_file_appears_when_it_is_published_and_not_before() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("a.csv");
        fs::write(&path, "of an earlier run").unwrap();
        let mut partial = Partial::create(&path).unwrap();
        partial.write_all(b"rows").unwrap();
        let complete = partial.complete().unwrap();
        assert_eq!(fs::read_to_string(&path).unwrap(), "of an earlier run");
        assert_eq!(fs::read_to_string(complete.temporary()).unwrap(), "rows");
        assert_eq!(complete.publish().unwrap(), path);
        assert_eq!(fs::read_to_string(&path).unwrap(), "rows");
        assert_eq!(names(dir.path()), ["a.csv"]);
    }

    #[test]
    fn a_file_that_is_not_published_is_removed() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("a.csv");
        let partial = Partial::create(&path).unwrap();
        assert_eq!(names(dir.path()).len(), 1);
        drop(partial);
        drop(Partial::create(&path).unwrap().complete().unwrap());
        assert_eq!(names(dir.path()), [""; 0]);
        fs::create_dir(&path).unwrap();
        write(&path, "a folder has its name").unwrap_err();
        assert_eq!(names(dir.path()), ["a.csv"]);
    }

    #[test]
    fn two_writers_of_one_file_do_not_meet() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("a.csv");
        let [mut one, mut two] = [(); 2].map(|()| Partial::create(&path).unwrap());
        one.write_all(b"one").unwrap();
        two.write_all(b"two").unwrap();
        let one = one.complete().unwrap();
        two.complete().unwrap().publish().unwrap();
        assert_eq!(fs::read_to_string(&path).unwrap(), "two");
        one.publish().unwrap();
        assert_eq!(fs::read_to_string(&path).unwrap(), "one");
    }

    #[cfg(unix)]
    #[test]
    fn a_file_has_the_permissions_of_the_one_it_replaces() {
        use std::os::unix::fs::PermissionsExt;
        let dir = tempfile::tempdir().unwrap();
        let (new, ours) = (dir.path().join("new"), dir.path().join("ours"));
        let mode = |path: &Path| fs::metadata(path).unwrap().permissions().mode() & 0o777;
        fs::write(&ours, "").unwrap();
        let default = mode(&ours);
        write(&new, "").unwrap();
        assert_eq!(mode(&new), default, "as any program's");
        fs::set_permissions(&ours, PermissionsExt::from_mode(0o640)).unwrap();
        write(&ours, "secret").unwrap();
        assert_eq!(mode(&ours), 0o640);
    }

    #[test]
    fn a_folder_is_one_process_s_at_a_time() {
        let dir = tempfile::tempdir().unwrap();
        let out = dir.path().join("new/out");
        let lock = lock_folder(&out).unwrap();
        let says = lock_folder(&out).unwrap_err().to_string();
        let holder = format!("in use by process {} since 20", std::process::id());
        assert!(says.contains(&holder) && says.contains("out: "), "{says}");
        drop(lock);
        assert_eq!(names(&out), [""; 0]);
        fs::write(out.join(".idx2gcs-Ab12Cd.partial"), "half").unwrap();
        fs::write(out.join("summary.json"), "whole").unwrap();
        let _lock = lock_folder(&out).unwrap();
        assert_eq!(names(&out), [LOCK, "summary.json"], "what a killed process left is gone");
    }

    #[cfg(unix)]
    #[test]
    fn a_file_is_known_by_what_it_is_and_not_by_its_name() {
        let dir = tempfile::tempdir().unwrap();
        let (path, other) = (dir.path().join("a"), dir.path().join("b"));
        let file = lock_file(&path).unwrap().unwrap();
        assert!(is_at(&file, &path).unwrap());
        fs::rename(&path, &other).unwrap();
        assert!(!is_at(&file, &path).unwrap(), "it has another name");
        fs::write(&path, "").unwrap();
        assert!(!is_at(&file, &path).unwrap(), "another has its name");
        assert!(lock_file(&other).unwrap().is_none());
        drop(file);
        assert!(lock_file(&other).unwrap().is_some());
    }

    #[test]
    fn a_folder_that_cannot_be_made_is_named() {
        let dir = tempfile::tempdir().unwrap();
        let file = dir.path().join("file");
        fs::write(&file, "").unwrap();
        let says = lock_folder(&file.join("out")).unwrap_err().to_string();
        assert!(says.contains("out: cannot be written: "), "{says}");
    }
}
