use std::fs::File;
use std::io::Read;

use tempfile::TempDir;

use super::*;

fn object(name: &str, content: &'static [u8]) -> NewObject {
    NewObject::of_bytes(name, content, "image/jpeg")
}

struct ZipFolder(TempDir);

impl ZipFolder {
    fn new() -> Self {
        Self(tempfile::tempdir().unwrap())
    }

    fn path(&self) -> PathBuf {
        self.0.path().join("a.zip")
    }

    fn zip(&self) -> Zip {
        Zip::new("a.zip", self.path())
    }

    fn files(&self) -> Vec<String> {
        let name = |entry: io::Result<fs::DirEntry>| entry.unwrap().file_name();
        let names = fs::read_dir(self.0.path()).unwrap().map(name);
        let mut names: Vec<_> = names.map(|name| name.into_string().unwrap()).collect();
        names.sort();
        names
    }

    /// An archive with these entries.
    async fn written(&self, objects: &[NewObject]) {
        let zip = self.zip();
        zip.check(Purpose::Replace).await.unwrap();
        for object in objects {
            assert!(zip.put(object, Precondition::Absent).await.unwrap().holds(object));
        }
        zip.finish().await.unwrap();
        zip.finish().await.unwrap();
    }
}

#[tokio::test]
async fn an_archive_has_its_name_when_it_is_finished() {
    let folder = ZipFolder::new();
    let zip = folder.zip();
    zip.check(Purpose::Write).await.unwrap();
    let (image, csv) = (object("1/a.jpg", b"one"), folder.0.path().join("csv"));
    zip.put(&image, Precondition::Absent).await.unwrap();
    let rows = "TRAIN,1/a.jpg,1\n".repeat(1000);
    fs::write(&csv, &rows).unwrap();
    let manifest = NewObject {
        body: Body::file(csv.clone(), rows.len() as u64),
        crc32c: crc32c::crc32c(rows.as_bytes()),
        ..object("automl.csv", b"")
    };
    zip.put(&manifest, Precondition::Absent).await.unwrap();
    fs::remove_file(csv).unwrap();
    assert_eq!(folder.files(), ["a.zip.partial"]);
    zip.finish().await.unwrap();
    assert_eq!(folder.files(), ["a.zip"]);
    assert!(zip.stat("1/a.jpg").await.unwrap().unwrap().holds(&image), "also afterwards");
    drop(zip);
    assert_eq!(folder.files(), ["a.zip"]);
    assert!(fs::metadata(folder.path()).unwrap().len() < 1000, "manifests are deflated");

    let mut read = ::zip::ZipArchive::new(File::open(folder.path()).unwrap()).unwrap();
    let mut text = String::new();
    read.by_name("automl.csv").unwrap().read_to_string(&mut text).unwrap();
    assert_eq!((read.len(), text), (2, rows));
}

#[tokio::test]
async fn the_same_entries_are_the_same_bytes() {
    let (a, b) = (ZipFolder::new(), ZipFolder::new());
    let objects = [object("0/é.jpg", b"one"), object("1/b.jpg", b"two")];
    a.written(&objects).await;
    b.written(&objects).await;
    let bytes = |folder: &ZipFolder| fs::read(folder.path()).unwrap();
    assert_eq!(bytes(&a), bytes(&b));
}

#[tokio::test]
async fn what_is_not_finished_goes_with_its_writer() {
    let folder = ZipFolder::new();
    for begun in [false, true] {
        let zip = folder.zip();
        zip.check(Purpose::Write).await.unwrap();
        if begun {
            zip.put(&object("a", b"one"), Precondition::Absent).await.unwrap();
        }
        assert_eq!(folder.files(), ["a.zip.partial"]);
        drop(zip);
        assert_eq!(folder.files().len(), 0);
    }
    let zip = folder.zip();
    zip.check(Purpose::Write).await.unwrap();
    zip.abandon();
    assert_eq!(folder.files().len(), 0);
    assert!(zip.finish().await.is_err(), "there is nothing left to be named");
}

#[tokio::test]
async fn one_run_at_a_time_writes_an_archive() {
    let folder = ZipFolder::new();
    fs::write(folder.0.path().join("a.zip.partial"), "of a run that was killed").unwrap();
    let zip = folder.zip();
    zip.check(Purpose::Write).await.unwrap();
    let other = folder.zip();
    let refused = other.check(Purpose::Write).await.unwrap_err();
    assert_eq!(refused.kind, FaultKind::Local);
    assert!(refused.message.contains("is being written by another run"), "{refused}");
    other.abandon();
    drop(other);
    zip.put(&object("a", b"one"), Precondition::Absent).await.unwrap();
    zip.finish().await.unwrap();
    assert_eq!(folder.files(), ["a.zip"]);
    ::zip::ZipArchive::new(File::open(folder.path()).unwrap()).unwrap();
}

#[tokio::test]
async fn an_archive_that_is_there_is_compared_and_not_changed() {
    let folder = ZipFolder::new();
    let (a, b) = (object("0/a", b"one"), object("1/b", b"two"));
    folder.written(&[b.clone(), a.clone()]).await;
    let before = fs::read(folder.path()).unwrap();

    let zip = folder.zip();
    zip.check(Purpose::Write).await.unwrap();
    let names = async |range: NameRange| {
        let page = zip.list(&range, None).await.unwrap();
        assert!(page.objects.iter().all(|stored| stored.size == 3 && stored.crc32c.is_none()));
        page.objects.into_iter().map(|stored| stored.name).collect::<Vec<_>>()
    };
    assert_eq!(names(NameRange::default()).await, ["0/a", "1/b"]);
    assert_eq!(names(NameRange::beginning_with("1/")).await, ["1/b"]);
    assert!(zip.stat("0/a").await.unwrap().unwrap().holds(&a));
    assert_eq!(zip.stat("0/c").await.unwrap(), None);
    let more = zip.finish().await.unwrap_err();
    assert!(more.message.contains("holds 1 more, such as 1/b"), "{more}");
    assert!(zip.stat("1/b").await.unwrap().unwrap().holds(&b));
    zip.finish().await.unwrap();

    for (condition, says) in
        [(Precondition::Absent, "has no 0/c"), (Precondition::Generation(1), "has another 0/c")]
    {
        let refused = zip.put(&object("0/c", b"x"), condition).await.unwrap_err();
        assert_eq!(refused.kind, FaultKind::Local);
        assert!(refused.message.contains(says), "{refused}");
        assert!(refused.message.contains("--if-exists overwrite"), "{refused}");
    }
    let refused = folder.zip().check(Purpose::Create).await.unwrap_err();
    assert!(refused.message.starts_with("exists already"), "{refused}");
    // To be read, it may be there.
    folder.zip().check(Purpose::Read).await.unwrap();
    assert_eq!(fs::read(folder.path()).unwrap(), before);
    assert_eq!(folder.files(), ["a.zip"]);
}

#[tokio::test]
async fn overwriting_replaces_the_archive_when_the_new_one_is_whole() {
    let folder = ZipFolder::new();
    folder.written(&[object("a", b"one")]).await;
    let before = fs::read(folder.path()).unwrap();
    let zip = folder.zip();
    zip.check(Purpose::Replace).await.unwrap();
    assert_eq!(zip.list(&NameRange::default(), None).await.unwrap().objects, []);
    zip.put(&object("b", b"two"), Precondition::Absent).await.unwrap();
    assert_eq!(fs::read(folder.path()).unwrap(), before);
    zip.finish().await.unwrap();
    let zip = folder.zip();
    zip.check(Purpose::Read).await.unwrap();
    assert_eq!(zip.stat("a").await.unwrap(), None);
    assert!(zip.stat("b").await.unwrap().is_some());
}

#[tokio::test]
async fn a_damaged_entry_is_another_one() {
    let folder = ZipFolder::new();
    let content = b"a sentence that stands in no header";
    let (a, b) = (object("a", content), object("b", b"whole"));
    folder.written(&[a.clone(), b.clone()]).await;
    let mut bytes = fs::read(folder.path()).unwrap();
    let at = bytes.windows(content.len()).position(|window| window == content).unwrap();
    bytes[at] ^= 1;
    fs::write(folder.path(), bytes).unwrap();
    let zip = folder.zip();
    zip.check(Purpose::Read).await.unwrap();
    let there = zip.stat("a").await.unwrap().unwrap();
    assert_eq!((there.size, there.crc32c), (content.len() as u64, None));
    assert!(zip.stat("b").await.unwrap().unwrap().holds(&b));
}

#[tokio::test]
async fn what_is_no_archive_is_told() {
    let folder = ZipFolder::new();
    let absent = folder.zip().check(Purpose::Read).await.unwrap_err();
    assert!(absent.message.starts_with("cannot be read"), "{absent}");
    fs::write(folder.path(), "not an archive").unwrap();
    let zip = folder.zip();
    let refused = zip.check(Purpose::Write).await.unwrap_err();
    assert_eq!(refused.kind, FaultKind::Local);
    assert!(refused.message.starts_with("exists and cannot be read"), "{refused}");
    assert!(refused.message.contains("--if-exists overwrite"), "{refused}");
    fs::remove_file(folder.path()).unwrap();
    fs::create_dir(folder.path()).unwrap();
    for purpose in [Purpose::Write, Purpose::Replace, Purpose::Create] {
        let refused = folder.zip().check(purpose).await.unwrap_err();
        assert!(refused.message.starts_with("is a folder"), "{refused}");
    }
    assert_eq!(folder.files(), ["a.zip"]);
    let unopened = zip.stat("a").await.unwrap_err();
    assert_eq!(unopened.kind, FaultKind::Internal);
}

/// A manifest whose file goes away costs the archive: half of it would be in the way.
#[tokio::test]
async fn after_a_failure_nothing_more_is_written() {
    let folder = ZipFolder::new();
    let zip = folder.zip();
    zip.check(Purpose::Write).await.unwrap();
    // A folder can be opened and not read.
    let size = folder.0.path().metadata().unwrap().len();
    let body = Body::file(folder.0.path().to_owned(), size);
    let unreadable = NewObject { body, ..object("automl.csv", b"") };
    assert_eq!(
        zip.put(&unreadable, Precondition::Absent).await.unwrap_err().kind,
        FaultKind::Local
    );
    assert!(zip.put(&object("a", b"one"), Precondition::Absent).await.is_err());
    assert_eq!(zip.stat("a").await.unwrap(), None);
    assert!(zip.finish().await.is_err());
    drop(zip);
    assert_eq!(folder.files().len(), 0);
}

/// An archive that is read is large; other tasks go on meanwhile.
#[tokio::test]
async fn reading_an_archive_holds_up_no_other_task() {
    let folder = ZipFolder::new();
    folder.written(&[object("a", b"1")]).await;
    let zip = folder.zip();
    zip.check(Purpose::Read).await.unwrap();
    let (locked, is_locked) = std::sync::mpsc::channel();
    let (release, released) = std::sync::mpsc::channel::<()>();
    let inner = Arc::clone(&zip.inner);
    let busy = std::thread::spawn(move || {
        let _state = inner.state().unwrap();
        locked.send(()).unwrap();
        // Not for ever: a sink that waits on this thread would never come to release it.
        let _ = released.recv_timeout(std::time::Duration::from_secs(5));
    });
    is_locked.recv().unwrap();
    let range = NameRange::default();
    let (mut stat, mut list) = (zip.stat("a"), zip.list(&range, None));
    assert!(futures::poll!(&mut stat).is_pending());
    assert!(futures::poll!(&mut list).is_pending());
    release.send(()).unwrap();
    busy.join().unwrap();
    assert_eq!(stat.await.unwrap().unwrap().size, 1);
    assert_eq!(list.await.unwrap().objects.len(), 1);
}
