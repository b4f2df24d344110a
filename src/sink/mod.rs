//! Where objects go. A sink does one attempt at a time; whether to try again is decided in
//! `retry`.

mod body;
mod fault;
pub mod folder;
pub mod gcs;
mod local;
mod object;
mod options;
mod timed;
mod transport;
pub mod zip;

use std::path::PathBuf;

use bytes::Bytes;

pub use body::{Body, FileBody, FileReader};
pub use fault::{Fault, FaultKind, LONGEST_RETRY_AFTER};
pub use folder::Folder;
pub use futures::future::BoxFuture;
pub use gcs::{Auth, GOOGLE, Gcs};
pub use object::{About, MOST_METADATA, Metadata, NewObject, Stored};
pub use options::{Endpoint, IfExists, Place};
pub use timed::{TimedSink, timed};
pub use zip::Zip;

/// On which condition a write takes place.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Precondition {
    /// Only if there is no object of that name (`ifGenerationMatch=0`).
    Absent,
    /// Only over that generation.
    Generation(u64),
}

impl Precondition {
    /// The value of `ifGenerationMatch`.
    pub fn generation(self) -> u64 {
        match self {
            Self::Absent => 0,
            Self::Generation(generation) => generation,
        }
    }
}

/// Names below the prefix from `start` to before `end`, in the order of their bytes; `None` has no
/// bound.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct NameRange {
    /// The first name that may be listed.
    pub start: Option<String>,
    /// The first name that may not.
    pub end: Option<String>,
}

impl NameRange {
    /// The names that begin with `prefix`.
    pub fn beginning_with(prefix: &str) -> Self {
        if prefix.is_empty() {
            return Self::default();
        }
        // The highest character there is: after it no name of a digit, a letter or a word.
        Self { start: Some(prefix.to_owned()), end: Some(format!("{prefix}{}", char::MAX)) }
    }

    /// Whether a name is in it.
    pub fn contains(&self, name: &str) -> bool {
        self.start.as_deref().is_none_or(|start| name >= start)
            && self.end.as_deref().is_none_or(|end| name < end)
    }
}

/// One page of a listing.
#[derive(Debug, Clone, Default)]
pub struct Page {
    /// Objects in name order.
    pub objects: Vec<Stored>,
    /// Where the next page begins; `None` on the last.
    pub next: Option<String>,
}

/// What a destination is to be used for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Purpose {
    /// Listing and reading; nothing is changed.
    Read,
    /// Writing objects, none of which may exist yet.
    Create,
    /// Writing as well: objects that do not exist yet, and manifests.
    Write,
    /// Writing, also over objects that exist, or removing some.
    Replace,
}

impl Purpose {
    /// Whether anything is written.
    pub fn writes(self) -> bool {
        self != Self::Read
    }
}

/// A destination. Every method makes one attempt; dropping its future abandons the attempt, which
/// may have taken effect all the same.
pub trait Sink: Send + Sync {
    /// The address of the place as the user wrote it, without a slash at the end; an object's
    /// address is this, a slash and its name.
    fn url(&self) -> &str;

    /// The address of an object as manifests give it: the destination's, a slash, the name. An archive
    /// gives the entry's own name, which is a path beside the manifest once it is unpacked.
    fn address(&self, name: &str) -> String {
        format!("{}/{name}", self.url())
    }

    /// Whether [`Sink::check`] may make something, as the folder that objects go to.
    fn check_makes_something(&self) -> bool {
        false
    }

    /// Whether names of objects become those of files, which some systems restrict, and some compare
    /// without regard to case.
    fn names_are_files(&self) -> bool {
        false
    }

    /// Whether the place is there and may be used that way, without writing an object.
    fn check(&self, purpose: Purpose) -> BoxFuture<'_, Result<(), Fault>>;

    /// Writes one object whole or not at all, and compares what the destination says it stored.
    fn put<'a>(
        &'a self,
        object: &'a NewObject,
        condition: Precondition,
    ) -> BoxFuture<'a, Result<Stored, Fault>>;

    /// What is stored under a name, if anything.
    fn stat<'a>(&'a self, name: &'a str) -> BoxFuture<'a, Result<Option<Stored>, Fault>>;

    /// The content that is stored under a name, whole, if anything is: for objects of this program's
    /// own that are small. Slices of a load need it; a destination may have none of it.
    fn read<'a>(&'a self, name: &'a str) -> BoxFuture<'a, Result<Option<Bytes>, Fault>> {
        let unable = format!("{name}: {} cannot be read from", self.url());
        Box::pin(async { Err(Fault::new(FaultKind::Local, unable)) })
    }

    /// Gives the object of that generation the custom metadata of `object`; its content and its other
    /// metadata stay. Asked only of a destination that reports custom metadata.
    fn annotate<'a>(
        &'a self,
        object: &'a NewObject,
        _generation: u64,
    ) -> BoxFuture<'a, Result<(), Fault>> {
        let problem = format!("{}: {} has no custom metadata", object.name, self.url());
        Box::pin(async { Err(Fault::new(FaultKind::Internal, problem)) })
    }

    /// Whether [`Sink::stat`] and [`Sink::list`] report custom metadata.
    fn has_metadata(&self) -> bool {
        false
    }

    /// The file that an object of this name is, where objects are files.
    fn file(&self, _name: &str) -> Option<PathBuf> {
        None
    }

    /// Removes what is stored under a name; where nothing is, that is done.
    fn delete<'a>(&'a self, name: &'a str) -> BoxFuture<'a, Result<(), Fault>>;

    /// Objects below the prefix whose names are in `range`, a page at a time; `page` is the page
    /// before's `next`.
    fn list<'a>(
        &'a self,
        range: &'a NameRange,
        page: Option<String>,
    ) -> BoxFuture<'a, Result<Page, Fault>>;

    /// Whether a listing shows at once what any machine has written. A folder that machines share over a
    /// network may lag behind.
    fn lists_what_was_written(&self) -> bool {
        true
    }

    /// Whether nothing counts as stored before [`Sink::finish`].
    fn counts_as_a_whole(&self) -> bool {
        false
    }

    /// Makes what was written count, once everything is: what takes its name only as a whole takes it
    /// now.
    fn finish(&self) -> BoxFuture<'_, Result<(), Fault>> {
        Box::pin(async { Ok(()) })
    }

    /// Removes what does not count yet, at once, for a process that leaves.
    fn abandon(&self) {}

    /// What can be known of the place. What may not be asked is unknown, and no fault.
    fn about(&self) -> BoxFuture<'_, Result<About, Fault>> {
        Box::pin(async { Ok(About::default()) })
    }
}
