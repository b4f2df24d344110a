use super::*;

fn object(name: &str, content: &'static [u8]) -> NewObject {
    NewObject::of_bytes(name, content, "image/jpeg")
}

/// What a link points to is not the folder's, and may be without an end.
#[cfg(unix)]
#[tokio::test]
async fn links_are_not_followed() {
    let dir = tempfile::tempdir().unwrap();
    let folder = Folder::new("x", dir.path().to_owned());
    folder.put(&object("b/1", b"12345"), Precondition::Absent).await.unwrap();
    std::os::unix::fs::symlink("/", dir.path().join("b/everything")).unwrap();
    let page = folder.list(&NameRange::default(), None).await.unwrap();
    let names = page.objects.into_iter().map(|stored| stored.name).collect::<Vec<_>>();
    assert_eq!((names, page.next), (vec!["b/1".to_owned()], None));
}

#[tokio::test]
async fn old_partial_files_are_cleared_away() {
    let dir = tempfile::tempdir().unwrap();
    let partials = dir.path().join(PARTIALS);
    fs::create_dir(&partials).unwrap();
    let [old, new] = ["1", "2"].map(|name| partials.join(name));
    for path in [&old, &new] {
        fs::write(path, "").unwrap();
    }
    let then = std::time::SystemTime::now() - 2 * ABANDONED_AFTER;
    File::open(&old).unwrap().set_modified(then).unwrap();
    let folder = Folder::new("x", dir.path().to_owned());
    folder.check(Purpose::Write).await.unwrap();
    assert!(!old.exists());
    drop(folder);
    assert!(new.exists(), "another run may be writing it");
}

#[tokio::test]
async fn a_file_that_is_being_written_is_not_listed() {
    let dir = tempfile::tempdir().unwrap();
    let folder = Folder::new("x", dir.path().to_owned());
    fs::create_dir(dir.path().join("below")).unwrap();
    let below = Folder::new("x/below", dir.path().join("below"));
    let partials = [&folder, &below].map(|folder| folder.inner.partial().unwrap().0);
    assert_eq!(folder.list(&NameRange::default(), None).await.unwrap().objects, []);
    assert_eq!(below.list(&NameRange::default(), None).await.unwrap().objects, []);
    for partial in partials {
        fs::remove_file(partial).unwrap();
    }
    drop((folder, below));
    for folder in [dir.path().join(PARTIALS), dir.path().join("below").join(PARTIALS)] {
        assert!(!folder.exists(), "it goes with its run");
    }
}

/// Files that another run writes and renames meanwhile disturb neither the check nor a listing, and
/// a run that ends takes nothing away from one that writes.
#[test]
fn a_second_run_may_begin_while_another_writes() {
    let dir = tempfile::tempdir().unwrap();
    let writing = AtomicBool::new(true);
    std::thread::scope(|scope| {
        let writer = || {
            let first = Folder::new("x", dir.path().to_owned());
            let done = (0..3000).try_for_each(|i| {
                first.inner.put(&object(&format!("a/{i}"), b"12345"), Precondition::Absent)?;
                first.inner.delete(&format!("a/{i}"))
            });
            writing.store(false, Ordering::Relaxed);
            done
        };
        let writer = scope.spawn(writer);
        while writing.load(Ordering::Relaxed) {
            let second = Folder::new("x", dir.path().to_owned());
            second.inner.check(Purpose::Write).unwrap();
            let listed = second.inner.list(&NameRange::default()).unwrap().objects;
            assert!(listed.iter().all(|stored| stored.name.starts_with("a/")), "{listed:?}");
        }
        writer.join().unwrap().unwrap();
    });
}

#[tokio::test]
async fn a_file_that_has_changed_is_not_stored() {
    let dir = tempfile::tempdir().unwrap();
    let folder = Folder::new("x", dir.path().join("to"));
    folder.check(Purpose::Write).await.unwrap();
    let path = dir.path().join("manifest");
    let manifest = NewObject { body: Body::file(path.clone(), 3), ..object("m.csv", b"one") };
    for changed in ["two", "on", "one!"] {
        fs::write(&path, changed).unwrap();
        let fault = folder.put(&manifest, Precondition::Absent).await.unwrap_err();
        assert_eq!(fault.kind, FaultKind::Mismatch);
        assert!(fault.message.starts_with("m.csv: the content has changed"), "{fault}");
        assert_eq!(folder.stat("m.csv").await.unwrap(), None);
    }
    fs::write(&path, "one").unwrap();
    assert!(folder.put(&manifest, Precondition::Absent).await.unwrap().holds(&manifest));
    assert_eq!(fs::read_to_string(dir.path().join("to/m.csv")).unwrap(), "one");
    assert_eq!(fs::read_dir(dir.path().join("to").join(PARTIALS)).unwrap().count(), 0);
}

#[tokio::test]
async fn a_file_where_the_folder_should_be_is_told() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("file");
    fs::write(&path, "").unwrap();
    let fault = Folder::new("x", path.join("below")).check(Purpose::Write).await.unwrap_err();
    assert_eq!(fault.kind, FaultKind::Local);
}
