//! One destination of each kind, empty and to be written to.

use std::fs;
use std::io::Read;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use idx2gcs::sink::folder::Folder;
use idx2gcs::sink::gcs::{Auth, Gcs};
use idx2gcs::sink::zip::Zip;
use idx2gcs::sink::{NameRange, Purpose, Sink, Stored};
use idx2gcs_emulator::Emulator;

/// The kinds of destinations.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    Bucket,
    Folder,
    Zip,
}

impl Kind {
    pub const ALL: [Self; 3] = [Self::Bucket, Self::Folder, Self::Zip];

    /// Whether a second version of an object can be written over the first, and be removed. An entry
    /// of an archive stays as it is.
    pub fn replaces(self) -> bool {
        self != Self::Zip
    }
}

/// An empty destination below a folder, or below a prefix of an emulator's bucket `demo`.
pub struct Destination<'a> {
    pub kind: Kind,
    pub sink: Arc<dyn Sink>,
    emulator: &'a Emulator,
    /// The prefix in the bucket, and the name in the folder.
    name: String,
    folder: PathBuf,
}

impl<'a> Destination<'a> {
    /// A new destination; `name` is its own in the bucket and in the folder.
    pub fn new(kind: Kind, emulator: &'a Emulator, folder: &Path, name: &str) -> Self {
        let (name, folder) = (name.to_owned(), folder.to_owned());
        let sink = open(kind, emulator, &folder, &name);
        Self { kind, sink, emulator, name, folder }
    }

    /// Opens it anew, as the next run does, with everything that was finished.
    pub async fn reopen(&mut self) {
        self.sink = open(self.kind, self.emulator, &self.folder, &self.name);
        self.sink.check(Purpose::Read).await.unwrap();
    }

    /// The file or folder that it is, where it is one.
    pub fn path(&self) -> PathBuf {
        self.folder.join(&self.name)
    }

    /// The bytes of an object, read past the sink. An archive must be finished.
    pub fn content(&self, name: &str) -> Option<Vec<u8>> {
        match self.kind {
            Kind::Bucket => {
                let (_, bytes) = self.emulator.object("demo", &format!("{}/{name}", self.name))?;
                Some(bytes.to_vec())
            }
            Kind::Folder => fs::read(self.path().join(name)).ok(),
            Kind::Zip => {
                let file = fs::File::open(self.path()).unwrap();
                let mut archive = zip::ZipArchive::new(file).unwrap();
                let mut bytes = Vec::new();
                archive.by_name(name).ok()?.read_to_end(&mut bytes).unwrap();
                Some(bytes)
            }
        }
    }

    /// Everything that a listing tells, page by page.
    pub async fn list(&self, range: NameRange) -> Vec<Stored> {
        let (mut objects, mut next) = (Vec::new(), None);
        loop {
            let page = self.sink.list(&range, next).await.unwrap();
            objects.extend(page.objects);
            next = page.next;
            if next.is_none() {
                return objects;
            }
        }
    }
}

fn open(kind: Kind, emulator: &Emulator, folder: &Path, name: &str) -> Arc<dyn Sink> {
    let path = folder.join(name);
    match kind {
        Kind::Bucket => Arc::new(Gcs::new(&emulator.url(), "demo", name, Auth::Anonymous).unwrap()),
        Kind::Folder => Arc::new(Folder::new(name, path)),
        Kind::Zip => Arc::new(Zip::new(name, path)),
    }
}
