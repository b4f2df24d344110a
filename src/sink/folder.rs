//! A folder as destination: real files, each under its final name only when it is whole.

use std::fs::{self, File};
use std::io::{self, Write};
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU64, Ordering};

use super::{
    Body, BoxFuture, Fault, FaultKind, NameRange, NewObject, Page, Precondition, Sink, Stored,
};

/// Files being written carry this before their number; [`crate::naming::check_object_name`]
/// allows such a name, but no template of the program makes one.
const PARTIAL: &str = ".idx2gcs-partial-";

/// Files a listing page holds.
const PAGE: usize = 1000;

/// A folder. Object names are paths below it.
#[derive(Debug)]
pub struct Folder {
    url: String,
    root: PathBuf,
    /// Numbers partial files, so that no two writers share one.
    next: AtomicU64,
}

impl Folder {
    /// A folder at `root`; `url` is how the user wrote it.
    pub fn new(url: &str, root: PathBuf) -> Self {
        Self { url: url.trim_end_matches('/').to_owned(), root, next: AtomicU64::new(0) }
    }

    fn check_now(&self) -> Result<(), Fault> {
        let fault = |e: &io::Error| local(&self.root, "cannot be written", e);
        fs::create_dir_all(&self.root).map_err(|e| fault(&e))?;
        let probe = self.partial();
        File::create(&probe).map_err(|e| fault(&e))?;
        fs::remove_file(&probe).map_err(|e| fault(&e))
    }

    fn partial(&self) -> PathBuf {
        let number = self.next.fetch_add(1, Ordering::Relaxed);
        self.root.join(format!("{PARTIAL}{}-{number}", std::process::id()))
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
        let fault = |e: &io::Error| local(path, "cannot be written", e);
        if condition == Precondition::Absent && path.symlink_metadata().is_ok() {
            return Err(exists(path));
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
            // Unlike a rename, a link fails if the name is taken since.
            Precondition::Absent => fs::hard_link(partial, path),
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
            Err(e) if e.kind() == io::ErrorKind::AlreadyExists => return Err(exists(path)),
            Err(e) => return Err(fault(&e)),
        }
        if condition == Precondition::Absent {
            fs::remove_file(partial).map_err(|e| fault(&e))?;
        }
        Ok(Stored {
            name: object.name.clone(),
            size: object.body.size(),
            crc32c: object.crc32c,
            generation: 1,
        })
    }

    fn stat_now(&self, name: &str) -> Result<Option<Stored>, Fault> {
        let path = self.root.join(name);
        match fs::read(&path) {
            Ok(bytes) => Ok(Some(Stored {
                name: name.to_owned(),
                size: bytes.len() as u64,
                crc32c: crc32c::crc32c(&bytes),
                generation: 1,
            })),
            Err(e) if e.kind() == io::ErrorKind::NotFound => Ok(None),
            Err(e) => Err(local(&path, "cannot be read", &e)),
        }
    }

    fn list_now(&self, range: &NameRange, page: Option<&str>) -> Result<Page, Fault> {
        let mut names = Vec::new();
        walk(&self.root, "", &mut names).map_err(|e| local(&self.root, "cannot be listed", &e))?;
        names.retain(|name| range.contains(name));
        names.sort_unstable();
        let from = page.map_or(0, |page| names.partition_point(|name| name.as_str() <= page));
        let rest = names.get(from..).unwrap_or_default();
        let mut objects = Vec::new();
        for name in rest.iter().take(PAGE) {
            // A file that vanished meanwhile is no object.
            objects.extend(self.stat_now(name)?);
        }
        let next = (rest.len() > PAGE).then(|| rest.get(PAGE - 1).cloned()).flatten();
        Ok(Page { objects, next })
    }
}

fn walk(folder: &Path, prefix: &str, names: &mut Vec<String>) -> io::Result<()> {
    for entry in fs::read_dir(folder)? {
        let entry = entry?;
        // A name that is no UTF-8 cannot be an object of ours.
        let Ok(name) = entry.file_name().into_string() else { continue };
        let name = format!("{prefix}{name}");
        if entry.file_type()?.is_dir() {
            walk(&entry.path(), &format!("{name}/"), names)?;
        } else if !name.starts_with(PARTIAL) {
            names.push(name);
        }
    }
    Ok(())
}

fn exists(path: &Path) -> Fault {
    Fault::new(FaultKind::Precondition, format!("{}: exists already", path.display()))
}

fn local(path: &Path, what: &str, e: &io::Error) -> Fault {
    Fault::new(FaultKind::Local, format!("{}: {what}: {e}", path.display()))
}

impl Sink for Folder {
    fn url(&self) -> &str {
        &self.url
    }

    fn check(&self) -> BoxFuture<'_, Result<(), Fault>> {
        Box::pin(async { self.check_now() })
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

    fn list<'a>(
        &'a self,
        range: &'a NameRange,
        page: Option<String>,
    ) -> BoxFuture<'a, Result<Page, Fault>> {
        Box::pin(async move { self.list_now(range, page.as_deref()) })
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
        }
    }

    #[tokio::test]
    async fn writes_once_unless_told_to_replace() {
        let dir = tempfile::tempdir().unwrap();
        let folder = Folder::new("x/", dir.path().join("new"));
        folder.check().await.unwrap();
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
    async fn lists_in_pages_and_in_order() {
        let dir = tempfile::tempdir().unwrap();
        let folder = Folder::new("x", dir.path().to_owned());
        for i in 0..2_500 {
            let name = format!("{:02}/{i}", i % 7);
            folder.put(&object(&name, b"x"), Precondition::Absent).await.unwrap();
        }
        let (mut names, mut page) = (Vec::new(), None);
        loop {
            let got = folder.list(&NameRange::default(), page).await.unwrap();
            assert!(got.objects.len() <= PAGE);
            names.extend(got.objects.into_iter().map(|stored| stored.name));
            page = got.next;
            if page.is_none() {
                break;
            }
        }
        assert_eq!(names.len(), 2_500);
        assert!(names.is_sorted());
    }

    #[tokio::test]
    async fn a_file_where_the_folder_should_be_is_told() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("file");
        fs::write(&path, "").unwrap();
        let fault = Folder::new("x", path.join("below")).check().await.unwrap_err();
        assert_eq!(fault.kind, FaultKind::Local);
    }
}
