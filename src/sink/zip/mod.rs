//! A zip archive as destination: written beside its name, which it takes when everything is in it.
//!
//! Entries are added as they come: images stored, manifests deflated, each with the time stamp 1980-01-01,
//! so that the same entries are the same bytes. An archive that is there is never changed: it is found to
//! hold what is wanted, or it is replaced as a whole.

mod archive;
mod draft;

use std::fs;
use std::io;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard};

use self::archive::Archive;
use self::draft::{Draft, Entries, prepare};
use super::local::{blocking, compare, local};
use super::{
    Body, BoxFuture, Fault, FaultKind, NameRange, NewObject, Page, Precondition, Purpose, Sink,
    Stored,
};

/// An entry of at most so many bytes goes into the buffer where the network waits: that takes less time
/// than a hop to a thread that may block.
const IN_PLACE: usize = 64 * 1024;

/// What a person can do about an archive that is there.
const HINT: &str = "--if-exists overwrite writes it anew, or give --to another name";

/// A zip archive. Object names are the names of its entries. [`Sink::check`] opens it and comes first;
/// [`Sink::finish`] gives it its name. Dropped before that, what was written is removed.
pub struct Zip {
    url: String,
    inner: Arc<Inner>,
}

/// What threads that may block share.
struct Inner {
    path: PathBuf,
    partial: PathBuf,
    state: Mutex<State>,
    /// Whether there is a partial file of ours.
    drafting: AtomicBool,
}

enum State {
    Unopened,
    /// What is there is compared.
    Reading(Archive),
    /// A new archive is under way.
    Writing(Box<Draft>),
    /// The new archive has its name.
    Whole(Entries),
}

/// Where an archive is written before it is whole.
fn partial_path(path: &Path) -> PathBuf {
    let mut partial = path.as_os_str().to_owned();
    partial.push(".partial");
    partial.into()
}

impl Zip {
    /// An archive at `path`; `url` is how the user wrote it. [`Sink::check`] compares an archive that
    /// exists ([`Purpose::Write`]), refuses it ([`Purpose::Create`]) or replaces it
    /// ([`Purpose::Replace`]).
    pub fn new(url: &str, path: PathBuf) -> Self {
        let partial = partial_path(&path);
        let drafting = AtomicBool::new(false);
        let state = Mutex::new(State::Unopened);
        let inner = Inner { path, partial, state, drafting };
        Self { url: url.to_owned(), inner: Arc::new(inner) }
    }
}

impl Inner {
    /// After a panic nobody knows how much of an entry is written.
    fn state(&self) -> Result<MutexGuard<'_, State>, Fault> {
        let panicked = "the archive was given up: adding to it panicked";
        self.state.lock().map_err(|_| Fault::new(FaultKind::Internal, panicked))
    }

    fn open(&self, purpose: Purpose) -> Result<(), Fault> {
        let mut state = self.state()?;
        if matches!(*state, State::Unopened) {
            *state = match purpose {
                Purpose::Read => State::Reading(self.read("cannot be read", "")?),
                purpose => self.begin(purpose)?,
            };
        }
        Ok(())
    }

    fn begin(&self, purpose: Purpose) -> Result<State, Fault> {
        let fault = |what: String| Fault::new(FaultKind::Local, what);
        let there = match fs::metadata(&self.path) {
            Ok(there) => Some(there),
            Err(e) if e.kind() == io::ErrorKind::NotFound => None,
            Err(e) => return Err(fault(format!("cannot be looked at: {e}"))),
        };
        match (there, purpose) {
            (Some(there), _) if !there.is_file() => {
                let what = if there.is_dir() { "a folder" } else { "no file" };
                Err(fault(format!("is {what}; give --to the name of an archive")))
            }
            (Some(_), Purpose::Create) => Err(fault(format!("exists already; {HINT}"))),
            (Some(_), Purpose::Read | Purpose::Write) => {
                let then = format!("; {HINT}");
                Ok(State::Reading(self.read("exists and cannot be read", &then)?))
            }
            (Some(_), Purpose::Replace) | (None, _) => {
                let unwritable = |e: io::Error| fault(format!("cannot be written: {e}"));
                if let Some(folder) = self.path.parent() {
                    fs::create_dir_all(folder).map_err(unwritable)?;
                }
                let draft = Draft::create(self.partial.clone()).map_err(unwritable)?;
                self.drafting.store(true, Ordering::Release);
                Ok(State::Writing(Box::new(draft)))
            }
        }
    }

    fn read(&self, what: &str, then: &str) -> Result<Archive, Fault> {
        Archive::open(&self.path)
            .map_err(|e| Fault::new(FaultKind::Local, format!("{what}: {e}{then}")))
    }

    fn put(&self, object: &NewObject, condition: Precondition) -> Result<Stored, Fault> {
        let name = &object.name;
        let unwritable =
            |e: &io::Error| Fault::new(FaultKind::Local, format!("cannot be written: {e}"));
        // The checksums are computed before others are kept from writing.
        let prepared = match &object.body {
            Body::Bytes(content) => {
                compare(object, (content.len() as u64, crc32c::crc32c(content)))?;
                Some(prepare(name, content).map_err(|e| unwritable(&e))?)
            }
            Body::File(..) => None,
        };
        let mut state = self.state()?;
        let draft = match &mut *state {
            State::Writing(draft) => draft,
            State::Reading(_) => return Err(refuse_change(name, condition)),
            State::Unopened | State::Whole(_) => return Err(closed()),
        };
        if draft.entries().contains(name) {
            return Err(Fault::new(FaultKind::Precondition, format!("{name}: exists already")));
        }
        match (&object.body, prepared) {
            (Body::File(from), _) => {
                let file = from.open().map_err(|e| local("cannot be read", &e))?;
                draft.add_from(object, file)
            }
            (Body::Bytes(_), Some(prepared)) => draft.add(name, prepared, object.crc32c),
            (Body::Bytes(_), None) => return Err(closed()),
        }
        .map_err(|e| unwritable(&e))?;
        Ok(Stored::new(name.clone(), object.body.size(), Some(object.crc32c), 1))
    }

    fn stat(&self, name: &str) -> Result<Option<Stored>, Fault> {
        match &mut *self.state()? {
            State::Unopened => Err(closed()),
            State::Reading(archive) => {
                archive.stat(name).map_err(|e| local(&format!("{name}: cannot be read"), &e))
            }
            State::Writing(draft) => Ok(draft.entries().get(name)),
            State::Whole(entries) => Ok(entries.get(name)),
        }
    }

    fn list(&self, range: &NameRange) -> Result<Page, Fault> {
        let mut objects = match &*self.state()? {
            State::Unopened => return Err(closed()),
            State::Reading(archive) => {
                archive.within(range).map_err(|e| local("cannot be listed", &e))?
            }
            State::Writing(draft) => draft.entries().within(range),
            State::Whole(entries) => entries.within(range),
        };
        objects.sort_unstable_by(|a, b| a.name.cmp(&b.name));
        Ok(Page { objects, next: None })
    }

    /// Everything but the name.
    fn close(&self) -> Result<(), Fault> {
        match &mut *self.state()? {
            State::Writing(draft) => draft.close().map_err(|e| unfinished(&e)),
            State::Reading(archive) => match archive.others() {
                None => Ok(()),
                Some((count, first)) => Err(Fault::new(
                    FaultKind::Local,
                    format!(
                        "the archive that is there holds {count} more, such as {first}; {HINT}"
                    ),
                )),
            },
            State::Unopened | State::Whole(_) => Ok(()),
        }
    }

    fn publish(&self) -> Result<(), Fault> {
        let mut state = self.state()?;
        if let State::Writing(draft) = &mut *state {
            let entries = draft.publish(&self.path).map_err(|e| unfinished(&e))?;
            self.drafting.store(false, Ordering::Release);
            *state = State::Whole(entries);
        }
        Ok(())
    }
}

fn unfinished(e: &io::Error) -> Fault {
    Fault::new(FaultKind::Local, format!("cannot be finished: {e}"))
}

fn closed() -> Fault {
    Fault::new(FaultKind::Internal, "the archive is not open")
}

/// An archive that is there is what was wanted, or another one.
fn refuse_change(name: &str, condition: Precondition) -> Fault {
    let how = match condition {
        Precondition::Absent => "has no",
        Precondition::Generation(_) => "has another",
    };
    Fault::new(FaultKind::Local, format!("the archive that is there {how} {name}; {HINT}"))
}

impl Sink for Zip {
    fn url(&self) -> &str {
        &self.url
    }

    fn address(&self, name: &str) -> String {
        name.to_owned()
    }

    fn check_makes_something(&self) -> bool {
        true
    }

    fn names_are_files(&self) -> bool {
        true
    }

    fn check(&self, purpose: Purpose) -> BoxFuture<'_, Result<(), Fault>> {
        Box::pin(blocking(&self.inner, move |inner| inner.open(purpose)))
    }

    fn put<'a>(
        &'a self,
        object: &'a NewObject,
        condition: Precondition,
    ) -> BoxFuture<'a, Result<Stored, Fault>> {
        Box::pin(async move {
            match &object.body {
                Body::Bytes(bytes) if bytes.len() <= IN_PLACE => self.inner.put(object, condition),
                Body::Bytes(_) | Body::File(..) => {
                    let object = object.clone();
                    blocking(&self.inner, move |inner| inner.put(&object, condition)).await
                }
            }
        })
    }

    fn stat<'a>(&'a self, name: &'a str) -> BoxFuture<'a, Result<Option<Stored>, Fault>> {
        Box::pin(async move {
            // What is being written is known by name; an entry of another archive is read.
            if self.inner.drafting.load(Ordering::Acquire) {
                return self.inner.stat(name);
            }
            let name = name.to_owned();
            blocking(&self.inner, move |inner| inner.stat(&name)).await
        })
    }

    /// What is in an archive stays there.
    fn delete<'a>(&'a self, name: &'a str) -> BoxFuture<'a, Result<(), Fault>> {
        Box::pin(async move {
            let refused = format!("{name}: an archive's entries cannot be removed");
            Err(Fault::new(FaultKind::LocalFile, refused))
        })
    }

    fn list<'a>(
        &'a self,
        range: &'a NameRange,
        _page: Option<String>,
    ) -> BoxFuture<'a, Result<Page, Fault>> {
        let range = range.clone();
        Box::pin(blocking(&self.inner, move |inner| inner.list(&range)))
    }

    fn counts_as_a_whole(&self) -> bool {
        true
    }

    fn finish(&self) -> BoxFuture<'_, Result<(), Fault>> {
        Box::pin(async move {
            blocking(&self.inner, Inner::close).await?;
            // Here and not on such a thread: who no longer waits for this must not find the archive later.
            self.inner.publish()
        })
    }

    fn abandon(&self) {
        // Without the state's lock, which a thread may hold that waits for a disk.
        if self.inner.drafting.load(Ordering::Acquire) {
            let _ = fs::remove_file(&self.inner.partial);
        }
    }
}

#[cfg(test)]
mod tests;
