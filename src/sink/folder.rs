//! A folder as destination: real files, each under its final name only when it is whole.

use std::fs::{self, File};
use std::io::{self, Read, Write};
use std::path::{Path, PathBuf};
use std::time::Duration;

use super::{
    Body, BoxFuture, Fault, FaultKind, NameRange, NewObject, Page, Precondition, Purpose, Sink,
    Stored,
};

/// Files being written carry this before a number; [`crate::naming::check_object_name`]
/// allows such a name, but no template of the program makes one.
const PARTIAL: &str = ".idx2gcs-partial-";

/// A partial file that nobody has touched for so long belongs to a run that was killed.
const LEFT_BEHIND: Duration = Duration::from_mins(10);

/// A folder. Object names are paths below it.
#[derive(Debug)]
pub struct Folder {
    url: String,
    root: PathBuf,
}

impl Folder {
    /// A folder at `root`; `url` is how the user wrote it.
    pub fn new(url: &str, root: PathBuf) -> Self {
        Self { url: url.trim_end_matches('/').to_owned(), root }
    }

    fn check_now(&self) -> Result<(), Fault> {
        let fault = |e: &io::Error| Fault::new(FaultKind::Local, format!("cannot be written: {e}"));
        fs::create_dir_all(&self.root).map_err(|e| fault(&e))?;
        let probe = self.partial();
        File::create(&probe).map_err(|e| fault(&e))?;
        fs::remove_file(&probe).map_err(|e| fault(&e))?;
        self.clear_left_behind().map_err(|e| fault(&e))
    }

    fn clear_left_behind(&self) -> io::Result<()> {
        for entry in fs::read_dir(&self.root)? {
            let entry = entry?;
            let ours = entry.file_name().to_str().is_some_and(|name| name.starts_with(PARTIAL));
            if ours && entry.metadata()?.modified()?.elapsed().is_ok_and(|age| age > LEFT_BEHIND) {
                fs::remove_file(entry.path())?;
            }
        }
        Ok(())
    }

    fn partial(&self) -> PathBuf {
        // Random, so that no two writers share one, wherever they run.
        self.root.join(format!("{PARTIAL}{:016x}", fastrand::u64(..)))
    }

    fn put_now(&self, object: &NewObject, condition: Precondition) -> Result<Stored, Fault> {
        let path = self.root.join(&object.name);
        let partial = self.partial();
        let written = self.write(object, condition, &path, &partial);
        if written.is_err() {
            // Nothing half-written stays; what is told is why the writing failed.
            let _ = fs::remove_file(&partial);
        }
        written
    }

    fn write(
        &self,
        object: &NewObject,
        condition: Precondition,
        path: &Path,
        partial: &Path,
    ) -> Result<Stored, Fault> {
        let name = &object.name;
        let fault = |e: &io::Error| local(&format!("{name}: cannot be written"), e);
        if condition == Precondition::Absent && path.symlink_metadata().is_ok() {
            return Err(exists(&object.name));
        }
        let create = || {
            let mut file = File::create(partial)?;
            match &object.body {
                Body::Bytes(bytes) => file.write_all(bytes),
                Body::File(from, _) => io::copy(&mut File::open(from)?, &mut file).map(drop),
            }
        };
        create().map_err(|e| fault(&e))?;
        let publish = || match condition {
            Precondition::Absent => rename_new(partial, path),
            Precondition::Generation(_) => fs::rename(partial, path),
        };
        let published = publish().or_else(|e| {
            if e.kind() != io::ErrorKind::NotFound {
                return Err(e);
            }
            fs::create_dir_all(path.parent().unwrap_or(&self.root))?;
            publish()
        });
        match published {
            Ok(()) => {}
            Err(e) if e.kind() == io::ErrorKind::AlreadyExists => return Err(exists(&object.name)),
            Err(e) => return Err(fault(&e)),
        }
        Ok(Stored {
            name: object.name.clone(),
            size: object.body.size(),
            crc32c: Some(object.crc32c),
            generation: 1,
        })
    }

    fn stat_now(&self, name: &str) -> Result<Option<Stored>, Fault> {
        let path = self.root.join(name);
        let read = || -> io::Result<Stored> {
            // A pipe would block, and what a link points to is not ours.
            if !path.symlink_metadata()?.is_file() {
                return Err(io::Error::other("it is no regular file"));
            }
            let mut file = File::open(&path)?;
            let mut chunk = vec![0; 64 * 1024];
            let (mut size, mut crc32c) = (0, 0);
            loop {
                let n = file.read(&mut chunk)?;
                if n == 0 {
                    let (name, crc32c) = (name.to_owned(), Some(crc32c));
                    return Ok(Stored { name, size, crc32c, generation: 1 });
                }
                size += n as u64;
                crc32c = crc32c::crc32c_append(crc32c, chunk.get(..n).unwrap_or_default());
            }
        };
        match read() {
            Ok(stored) => Ok(Some(stored)),
            Err(e) if e.kind() == io::ErrorKind::NotFound => Ok(None),
            Err(e) => Err(local(&format!("{name}: cannot be read"), &e)),
        }
    }

    /// Everything in one page: a second would have to walk the tree again. Only names and sizes;
    /// a checksum would mean to read the files, those of others too.
    /// Folders that are empty then go as well.
    fn delete_now(&self, name: &str) -> Result<(), Fault> {
        let path = self.root.join(name);
        match fs::remove_file(&path) {
            Err(e) if e.kind() != io::ErrorKind::NotFound => {
                return Err(local(&path.display().to_string(), &e));
            }
            _ => {}
        }
        let above = path.ancestors().skip(1).take_while(|above| *above != self.root);
        for folder in above {
            if fs::remove_dir(folder).is_err() {
                break;
            }
        }
        Ok(())
    }

    fn list_now(&self, range: &NameRange) -> Result<Page, Fault> {
        let mut objects = Vec::new();
        walk(&self.root, "", range, &mut objects).map_err(|e| local("cannot be listed", &e))?;
        objects.sort_unstable_by(|a, b| a.name.cmp(&b.name));
        Ok(Page { objects, next: None })
    }
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

/// Adds the regular files below `folder`.
fn walk(
    folder: &Path,
    prefix: &str,
    range: &NameRange,
    objects: &mut Vec<Stored>,
) -> io::Result<()> {
    for entry in fs::read_dir(folder)? {
        let entry = entry?;
        // A name that is no UTF-8 cannot be an object of ours.
        let Ok(name) = entry.file_name().into_string() else { continue };
        let name = format!("{prefix}{name}");
        let kind = entry.file_type()?;
        if kind.is_dir() {
            walk(&entry.path(), &format!("{name}/"), range, objects)?;
        } else if kind.is_file() && range.contains(&name) && !name.starts_with(PARTIAL) {
            let size = entry.metadata()?.len();
            objects.push(Stored { name, size, crc32c: None, generation: 1 });
        }
    }
    Ok(())
}

fn exists(name: &str) -> Fault {
    Fault::new(FaultKind::Precondition, format!("{name}: exists already"))
}

/// A fault of this file, unless its kind says that no other file will do better.
pub(super) fn local(what: &str, e: &io::Error) -> Fault {
    let kind = match e.kind() {
        io::ErrorKind::StorageFull
        | io::ErrorKind::QuotaExceeded
        | io::ErrorKind::ReadOnlyFilesystem
        | io::ErrorKind::PermissionDenied => FaultKind::Local,
        _ => FaultKind::LocalFile,
    };
    Fault::new(kind, format!("{what}: {e}"))
}

impl Sink for Folder {
    fn url(&self) -> &str {
        &self.url
    }

    fn check_makes_something(&self) -> bool {
        true
    }

    fn check(&self, purpose: Purpose) -> BoxFuture<'_, Result<(), Fault>> {
        Box::pin(async move {
            match purpose {
                Purpose::Read => fs::read_dir(&self.root)
                    .map(drop)
                    .map_err(|e| Fault::new(FaultKind::Local, format!("cannot be read: {e}"))),
                Purpose::Write => self.check_now(),
            }
        })
    }

    // The calls below are short and mostly memory-bound: a small file into the page cache costs
    // less than the way to a blocking thread and back.

    fn put<'a>(
        &'a self,
        object: &'a NewObject,
        condition: Precondition,
    ) -> BoxFuture<'a, Result<Stored, Fault>> {
        Box::pin(async move { self.put_now(object, condition) })
    }

    fn stat<'a>(&'a self, name: &'a str) -> BoxFuture<'a, Result<Option<Stored>, Fault>> {
        Box::pin(async move { self.stat_now(name) })
    }

    fn delete<'a>(&'a self, name: &'a str) -> BoxFuture<'a, Result<(), Fault>> {
        Box::pin(async move { self.delete_now(name) })
    }

    fn list<'a>(
        &'a self,
        range: &'a NameRange,
        _page: Option<String>,
    ) -> BoxFuture<'a, Result<Page, Fault>> {
        Box::pin(async move { self.list_now(range) })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use bytes::Bytes;

    fn object(name: &str, content: &'static [u8]) -> NewObject {
        NewObject {
            name: name.to_owned(),
            body: Body::Bytes(Bytes::from_static(content)),
            crc32c: crc32c::crc32c(content),
            content_type: "image/jpeg",
            metadata: Vec::new(),
        }
    }

    #[tokio::test]
    async fn writes_once_unless_told_to_replace() {
        let dir = tempfile::tempdir().unwrap();
        let folder = Folder::new("x/", dir.path().join("new"));
        folder.check(Purpose::Write).await.unwrap();
        let first = object("a/b.jpg", b"one");
        let stored = folder.put(&first, Precondition::Absent).await.unwrap();
        assert!(stored.holds(&first));

        let second = object("a/b.jpg", b"two!");
        let refused = folder.put(&second, Precondition::Absent).await.unwrap_err();
        assert_eq!(refused.kind, FaultKind::Precondition);
        assert!(folder.stat("a/b.jpg").await.unwrap().unwrap().holds(&first));

        folder.put(&second, Precondition::Generation(1)).await.unwrap();
        assert!(folder.stat("a/b.jpg").await.unwrap().unwrap().holds(&second));
        assert_eq!(folder.stat("a/c.jpg").await.unwrap(), None);

        let names: Vec<_> = fs::read_dir(dir.path().join("new")).unwrap().collect();
        assert_eq!(names.len(), 1, "no partial file stays: {names:?}");
    }

    #[tokio::test]
    async fn lists_regular_files_in_order() {
        let dir = tempfile::tempdir().unwrap();
        let folder = Folder::new("x", dir.path().to_owned());
        for name in ["b/2", "b/1", "a", "b.txt", "c"] {
            folder.put(&object(name, b"12345"), Precondition::Absent).await.unwrap();
        }
        #[cfg(unix)]
        std::os::unix::fs::symlink("/", dir.path().join("b/everything")).unwrap();
        let names = async |range| {
            let page = folder.list(&range, None).await.unwrap();
            assert!(page.next.is_none());
            assert!(page.objects.iter().all(|stored| stored.size == 5 && stored.crc32c.is_none()));
            page.objects.into_iter().map(|stored| stored.name).collect::<Vec<_>>()
        };
        assert_eq!(names(NameRange::default()).await, ["a", "b.txt", "b/1", "b/2", "c"]);
        let range = NameRange { start: Some("b/1".to_owned()), end: Some("c".to_owned()) };
        assert_eq!(names(range).await, ["b/1", "b/2"]);
    }

    #[tokio::test]
    async fn old_partial_files_are_cleared_away() {
        let dir = tempfile::tempdir().unwrap();
        let (old, new) = (format!("{PARTIAL}1"), format!("{PARTIAL}2"));
        for name in [&old, &new] {
            fs::write(dir.path().join(name), "").unwrap();
        }
        let then = std::time::SystemTime::now() - 2 * LEFT_BEHIND;
        File::open(dir.path().join(&old)).unwrap().set_modified(then).unwrap();
        Folder::new("x", dir.path().to_owned()).check(Purpose::Write).await.unwrap();
        assert!(!dir.path().join(old).exists());
        assert!(dir.path().join(new).exists(), "somebody may be writing it");
    }

    #[tokio::test]
    async fn a_file_where_the_folder_should_be_is_told() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("file");
        fs::write(&path, "").unwrap();
        let fault = Folder::new("x", path.join("below")).check(Purpose::Write).await.unwrap_err();
        assert_eq!(fault.kind, FaultKind::Local);
    }
}
