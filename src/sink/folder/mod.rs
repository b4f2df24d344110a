//! A folder as destination: real files, each under its final name only when it is complete.

use std::fs::{self, File};
use std::io::{self, Write};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use bytes::Bytes;

use super::local::{blocking, compare, copy, local};
use super::{
    Body, BoxFuture, Fault, FaultKind, NameRange, NewObject, Page, Precondition, Purpose, Sink,
    Stored,
};

/// The sub-folder for files that are being written. No listing enters it; it exists while a run
/// writes. [`crate::naming::check_object_name`] allows such a name, but no template of the program
/// makes one.
const PARTIALS: &str = ".idx2gcs-partial";

/// A partial file that nobody has changed for so long belongs to a run that was killed.
const ABANDONED_AFTER: Duration = Duration::from_mins(10);

/// Files of at most so many bytes are read and written where the network waits: that takes less time than
/// a hop to a thread that may block.
const IN_PLACE: u64 = 64 * 1024;

/// A folder. Object names are paths below it.
///
/// A file appears under its name only when it is complete. Manifests (bodies that are files) are
/// flushed to the disk before that. Images are not, since that takes longer than all the rest: after a
/// power failure, some of the last ones may be empty, and a rerun finds and replaces them only with
/// `--if-exists overwrite`.
#[derive(Debug)]
pub struct Folder {
    url: String,
    inner: Arc<Inner>,
}

/// What threads that may block share.
#[derive(Debug)]
struct Inner {
    root: PathBuf,
    partials: PathBuf,
    /// Whether this one has made partial files.
    writes: AtomicBool,
}

impl Drop for Inner {
    fn drop(&mut self) {
        if *self.writes.get_mut() {
            // Only where it is empty: another run may be writing there.
            let _ = fs::remove_dir(&self.partials);
        }
    }
}

impl Folder {
    /// A folder at `root`; `url` is how the user wrote it.
    pub fn new(url: &str, root: PathBuf) -> Self {
        let partials = root.join(PARTIALS);
        let inner = Inner { root, partials, writes: AtomicBool::new(false) };
        Self { url: url.trim_end_matches('/').to_owned(), inner: Arc::new(inner) }
    }
}

impl Inner {
    fn check(&self, purpose: Purpose) -> Result<(), Fault> {
        let (done, what) = match purpose {
            Purpose::Read => (fs::read_dir(&self.root).map(drop), "read"),
            _ => (self.try_writing(), "written"),
        };
        done.map_err(|e| Fault::new(FaultKind::Local, format!("cannot be {what}: {e}")))
    }

    fn try_writing(&self) -> io::Result<()> {
        fs::create_dir_all(&self.root)?;
        let (probe, _) = self.partial()?;
        fs::remove_file(probe)?;
        self.clear_left_behind()
    }

    /// Other runs may write and end meanwhile: what is no longer there needs no clearing.
    fn clear_left_behind(&self) -> io::Result<()> {
        let Some(entries) = if_there(fs::read_dir(&self.partials))? else { return Ok(()) };
        for entry in entries {
            let entry = entry?;
            let Some(known) = if_there(entry.metadata())? else { continue };
            if known.modified()?.elapsed().is_ok_and(|age| age > ABANDONED_AFTER) {
                if_there(fs::remove_file(entry.path()))?;
            }
        }
        Ok(())
    }

    /// A new file in the sub-folder for partial ones, which is made where it is missing.
    fn partial(&self) -> io::Result<(PathBuf, File)> {
        self.writes.store(true, Ordering::Relaxed);
        // Random, so that no two writers share one, wherever they run.
        let path = self.partials.join(format!("{:016x}", fastrand::u64(..)));
        // Each run that ends meanwhile may remove the sub-folder once.
        for _ in 0..10 {
            if let Some(file) = if_there(File::create_new(&path))? {
                return Ok((path, file));
            }
            match fs::create_dir(&self.partials) {
                Err(e) if e.kind() != io::ErrorKind::AlreadyExists => return Err(e),
                _ => {}
            }
        }
        File::create_new(&path).map(|file| (path, file))
    }

    fn put(&self, object: &NewObject, condition: Precondition) -> Result<Stored, Fault> {
        let name = &object.name;
        let fault = |e: io::Error| local(&format!("{name}: cannot be written"), &e);
        let path = self.root.join(name);
        if condition == Precondition::Absent && path.symlink_metadata().is_ok() {
            return Err(exists(name));
        }
        let (partial, file) = self.partial().map_err(fault)?;
        let written = fill(file, object).map_err(fault).and_then(|written| {
            compare(object, written)?;
            match self.publish(&partial, &path, condition) {
                Err(e) if e.kind() == io::ErrorKind::AlreadyExists => Err(exists(name)),
                published => published.map_err(fault),
            }
        });
        if let Err(fault) = written {
            // Nothing half-written stays; what is reported is why the writing failed.
            let _ = fs::remove_file(&partial);
            return Err(fault);
        }
        if matches!(object.body, Body::File(..)) {
            sync_folder(path.parent().unwrap_or(&self.root));
        }
        Ok(Stored::new(name.clone(), object.body.size(), Some(object.crc32c), 1))
    }

    /// Gives a complete file its name.
    fn publish(&self, partial: &Path, path: &Path, condition: Precondition) -> io::Result<()> {
        let publish = || match condition {
            Precondition::Absent => rename_new(partial, path),
            Precondition::Generation(_) => fs::rename(partial, path),
        };
        publish().or_else(|e| {
            if e.kind() != io::ErrorKind::NotFound {
                return Err(e);
            }
            fs::create_dir_all(path.parent().unwrap_or(&self.root))?;
            publish()
        })
    }

    fn stat(&self, name: &str) -> Result<Option<Stored>, Fault> {
        let path = self.root.join(name);
        let read = || -> io::Result<Stored> {
            // A pipe would block, and what a link points to is not ours.
            if !path.symlink_metadata()?.is_file() {
                return Err(io::Error::other("it is no regular file"));
            }
            let (size, crc32c) = copy(File::open(&path)?, io::sink())?;
            Ok(Stored::new(name.to_owned(), size, Some(crc32c), 1))
        };
        if_there(read()).map_err(|e| local(&format!("{name}: cannot be read"), &e))
    }

    fn read(&self, name: &str) -> Result<Option<Bytes>, Fault> {
        let read = if_there(fs::read(self.root.join(name)));
        let read = read.map_err(|e| local(&format!("{name}: cannot be read"), &e))?;
        Ok(read.map(Bytes::from))
    }

    /// Whether reading a file takes long.
    fn is_large(&self, name: &str) -> bool {
        self.root.join(name).symlink_metadata().is_ok_and(|known| known.len() > IN_PLACE)
    }

    /// Folders that are empty then go as well.
    fn delete(&self, name: &str) -> Result<(), Fault> {
        let path = self.root.join(name);
        if_there(fs::remove_file(&path)).map_err(|e| local(&path.display().to_string(), &e))?;
        let above = path.ancestors().skip(1).take_while(|above| *above != self.root);
        for folder in above {
            if fs::remove_dir(folder).is_err() {
                break;
            }
        }
        Ok(())
    }

    /// Everything in one page: a second would have to walk the tree again. Only names and sizes;
    /// a checksum would mean to read the files, those of others too.
    fn list(&self, range: &NameRange) -> Result<Page, Fault> {
        let mut objects = Vec::new();
        fs::read_dir(&self.root)
            .and_then(|entries| walk(entries, "", range, &mut objects))
            .map_err(|e| local("cannot be listed", &e))?;
        objects.sort_unstable_by(|a, b| a.name.cmp(&b.name));
        Ok(Page { objects, next: None })
    }
}

/// Writes an object's content; returns the number of bytes and their CRC32C as they were written.
fn fill(mut file: File, object: &NewObject) -> io::Result<(u64, u32)> {
    match &object.body {
        Body::Bytes(bytes) => {
            file.write_all(bytes)?;
            Ok((bytes.len() as u64, crc32c::crc32c(bytes)))
        }
        Body::File(from) => {
            let written = copy(from.open()?, &file)?;
            file.sync_all()?;
            Ok(written)
        }
    }
}

/// A new name is on the disk once its folder is. Some file systems do not sync folders.
fn sync_folder(folder: &Path) {
    #[cfg(unix)]
    let _ = File::open(folder).and_then(|folder| folder.sync_all());
    #[cfg(not(unix))]
    let _ = folder;
}

/// Renames, unless the new name is taken.
fn rename_new(from: &Path, to: &Path) -> io::Result<()> {
    // Unlike a rename, a link fails if the name is taken since.
    match fs::hard_link(from, to) {
        Ok(()) => fs::remove_file(from),
        Err(e) if matches!(e.kind(), io::ErrorKind::AlreadyExists | io::ErrorKind::NotFound) => {
            Err(e)
        }
        // File systems without links (FAT, many network shares): looked for before, renamed now.
        Err(_) => fs::rename(from, to),
    }
}

/// Adds the regular files of a folder and those below it. What goes meanwhile is left out.
fn walk(
    entries: fs::ReadDir,
    prefix: &str,
    range: &NameRange,
    objects: &mut Vec<Stored>,
) -> io::Result<()> {
    for entry in entries {
        let entry = entry?;
        // A name that is no UTF-8 cannot be an object of ours.
        let Ok(name) = entry.file_name().into_string() else { continue };
        // Also of a run whose destination is a folder below this one.
        if name == PARTIALS {
            continue;
        }
        let name = format!("{prefix}{name}");
        let Some(kind) = if_there(entry.file_type())? else { continue };
        if kind.is_dir() {
            let Some(below) = if_there(fs::read_dir(entry.path()))? else { continue };
            walk(below, &format!("{name}/"), range, objects)?;
        } else if kind.is_file() && range.contains(&name) {
            let Some(known) = if_there(entry.metadata())? else { continue };
            objects.push(Stored::new(name, known.len(), None, 1));
        }
    }
    Ok(())
}

/// Nothing, where the file or folder does not exist.
fn if_there<T>(result: io::Result<T>) -> io::Result<Option<T>> {
    match result {
        Err(e) if e.kind() == io::ErrorKind::NotFound => Ok(None),
        result => result.map(Some),
    }
}

fn exists(name: &str) -> Fault {
    Fault::new(FaultKind::Precondition, format!("{name}: exists already"))
}

impl Sink for Folder {
    fn url(&self) -> &str {
        &self.url
    }

    fn check_makes_something(&self) -> bool {
        true
    }

    fn names_are_files(&self) -> bool {
        true
    }

    fn check(&self, purpose: Purpose) -> BoxFuture<'_, Result<(), Fault>> {
        Box::pin(blocking(&self.inner, move |inner| inner.check(purpose)))
    }

    // Images are written and read where the network waits: a small file into the page cache costs
    // less than the way to a blocking thread and back.

    fn put<'a>(
        &'a self,
        object: &'a NewObject,
        condition: Precondition,
    ) -> BoxFuture<'a, Result<Stored, Fault>> {
        Box::pin(async move {
            match &object.body {
                Body::Bytes(bytes) if bytes.len() as u64 <= IN_PLACE => {
                    self.inner.put(object, condition)
                }
                Body::Bytes(_) | Body::File(..) => {
                    let object = object.clone();
                    blocking(&self.inner, move |inner| inner.put(&object, condition)).await
                }
            }
        })
    }

    fn lists_what_was_written(&self) -> bool {
        false
    }

    fn stat<'a>(&'a self, name: &'a str) -> BoxFuture<'a, Result<Option<Stored>, Fault>> {
        Box::pin(async move {
            if !self.inner.is_large(name) {
                return self.inner.stat(name);
            }
            let name = name.to_owned();
            blocking(&self.inner, move |inner| inner.stat(&name)).await
        })
    }

    fn read<'a>(&'a self, name: &'a str) -> BoxFuture<'a, Result<Option<Bytes>, Fault>> {
        let name = name.to_owned();
        Box::pin(blocking(&self.inner, move |inner| inner.read(&name)))
    }

    fn file(&self, name: &str) -> Option<PathBuf> {
        Some(self.inner.root.join(name))
    }

    fn delete<'a>(&'a self, name: &'a str) -> BoxFuture<'a, Result<(), Fault>> {
        Box::pin(async move { self.inner.delete(name) })
    }

    fn list<'a>(
        &'a self,
        range: &'a NameRange,
        _page: Option<String>,
    ) -> BoxFuture<'a, Result<Page, Fault>> {
        let range = range.clone();
        Box::pin(blocking(&self.inner, move |inner| inner.list(&range)))
    }
}

#[cfg(test)]
mod tests;
