//! What every sink promises, the same for a bucket, a folder and an archive. What only one of them
//! does is tested beside its code.

use std::fs;
use std::future::Future;
use std::sync::Arc;
use std::time::Duration;

use idx2gcs::sink::gcs::{Auth, Gcs};
use idx2gcs::sink::{
    Body, Fault, FaultKind, NameRange, NewObject, Precondition, Purpose, TimedSink,
};
use idx2gcs_emulator::{Answer, Emulator, Operation, Options, Rule, Script};

use crate::support::destinations::{Destination, Kind};
use crate::support::{Server, for_each_row};

fn object(name: &str, content: &[u8]) -> NewObject {
    NewObject::of_bytes(name, content.to_vec(), "image/jpeg")
}

/// Runs a test with an empty destination of each kind that has been checked, as every run does.
fn with_each<F>(test: impl Fn(Destination<'static>) -> F)
where
    F: Future<Output = ()>,
{
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build().unwrap();
    let buckets = vec!["demo".to_owned()];
    let options = Options { buckets, ..Options::default() };
    // It serves until the process ends, so that futures can hold it.
    let emulator: &Emulator =
        Box::leak(Box::new(runtime.block_on(Emulator::start(options)).unwrap()));
    for_each_row(Kind::ALL, |kind| {
        let dir = tempfile::tempdir().unwrap();
        let destination = Destination::new(kind, emulator, dir.path(), "d");
        runtime.block_on(async {
            destination.sink.check(Purpose::Write).await.unwrap();
            test(destination).await;
        });
    });
}

#[test]
fn an_object_is_stored_once_and_is_what_was_given() {
    with_each(async |mut to: Destination<'_>| {
        let (first, other) = (object("a/b.jpg", b"one"), object("a/b.jpg", b"two!"));
        assert_eq!(to.sink.stat("a/b.jpg").await.unwrap(), None);
        let stored = to.sink.put(&first, Precondition::Absent).await.unwrap();
        assert!(stored.holds(&first) && stored.name == "a/b.jpg", "{stored:?}");
        for again in [&first, &other] {
            let refused = to.sink.put(again, Precondition::Absent).await.unwrap_err();
            assert_eq!(refused.kind, FaultKind::Precondition, "{refused}");
        }
        assert_eq!(to.sink.stat("a/b.jpg").await.unwrap(), Some(stored.clone()));
        assert_eq!(to.sink.stat("a/c.jpg").await.unwrap(), None);
        assert_eq!(to.sink.stat("a").await.ok().flatten(), None, "a folder is no object");
        // A second time changes nothing.
        to.sink.finish().await.unwrap();
        to.sink.finish().await.unwrap();
        assert!(to.sink.stat("a/b.jpg").await.unwrap().unwrap().holds(&first));
        to.reopen().await;
        assert!(to.sink.stat("a/b.jpg").await.unwrap().unwrap().holds(&first));
        assert_eq!(to.content("a/b.jpg").unwrap(), b"one");
    });
}

#[test]
fn only_the_generation_that_was_seen_is_replaced() {
    with_each(async |to: Destination<'_>| {
        let (first, second) = (object("a", b"one"), object("a", b"two!"));
        let seen = to.sink.put(&first, Precondition::Absent).await.unwrap().generation;
        let replaced = to.sink.put(&second, Precondition::Generation(seen)).await;
        if to.kind.replaces() {
            assert!(replaced.unwrap().holds(&second));
            assert!(to.sink.stat("a").await.unwrap().unwrap().holds(&second));
            assert_eq!(to.content("a").unwrap(), b"two!");
            if to.kind == Kind::Folder {
                let lying =
                    fs::read_dir(to.path()).unwrap().map(|entry| entry.unwrap().file_name());
                let lying = lying.filter(|name| !name.to_string_lossy().starts_with('.'));
                assert_eq!(lying.collect::<Vec<_>>(), ["a"]);
            }
        } else {
            assert_eq!(replaced.unwrap_err().kind, FaultKind::Precondition);
            assert!(to.sink.stat("a").await.unwrap().unwrap().holds(&first));
        }
        // A folder has no generations: what is there is always the first.
        if to.kind != Kind::Folder {
            let stale = to.sink.put(&first, Precondition::Generation(seen + 7)).await.unwrap_err();
            assert_eq!(stale.kind, FaultKind::Precondition);
        }
    });
}

#[test]
fn of_many_that_create_one_name_one_succeeds() {
    with_each(async |to: Destination<'_>| {
        let objects: Vec<_> =
            (0..20).map(|i| object("a", format!("content {i}").as_bytes())).collect();
        let puts = objects.iter().map(|object| to.sink.put(object, Precondition::Absent));
        let ends = futures::future::join_all(puts).await;
        let won: Vec<_> = (0..20).filter(|&i| ends[i].is_ok()).collect();
        assert_eq!(won.len(), 1, "{ends:?}");
        let lost = ends.iter().filter_map(|end| end.as_ref().err());
        assert!(lost.clone().all(|fault| fault.kind == FaultKind::Precondition), "{ends:?}");
        assert!(to.sink.stat("a").await.unwrap().unwrap().holds(&objects[won[0]]));
    });
}

/// Names in the order of their bytes, each once, those of a range alone, before and after the end.
#[test]
fn a_listing_has_each_name_once_and_in_order() {
    let names = ["c", "b/2", "b/1", "a", "b.txt", "b/é ü", "b/a?b#c%20d&e+f", "0/1/2/3"];
    let mut sorted = names;
    sorted.sort_unstable();
    with_each(async |mut to: Destination<'_>| {
        assert!(to.list(NameRange::default()).await.is_empty());
        for name in names {
            to.sink.put(&object(name, b"12345"), Precondition::Absent).await.unwrap();
            assert!(to.sink.stat(name).await.unwrap().is_some(), "{name}");
        }
        for finished in [false, true] {
            if finished {
                to.sink.finish().await.unwrap();
                to.reopen().await;
            }
            let listed = to.list(NameRange::default()).await;
            let crc32c = Some(crc32c::crc32c(b"12345"));
            assert!(listed.iter().all(|stored| stored.size == 5), "{listed:?}");
            // A folder and an archive would have to read everything.
            assert!(
                listed.iter().all(|stored| [None, crc32c].contains(&stored.crc32c)),
                "{listed:?}"
            );
            assert_eq!(listed.iter().map(|stored| &*stored.name).collect::<Vec<_>>(), sorted);
            for (start, end) in [("b/1", "c"), ("b", "b/"), ("a", "a"), ("", "b"), ("c", "zzz")] {
                let (start, end) = (Some(start.to_owned()), Some(end.to_owned()));
                let range = NameRange { start, end };
                let expected: Vec<_> =
                    sorted.iter().filter(|name| range.contains(name)).copied().collect();
                let listed = to.list(range.clone()).await;
                assert_eq!(listed.iter().map(|stored| &*stored.name).collect::<Vec<_>>(), expected);
            }
            assert_eq!(to.list(NameRange::beginning_with("b/")).await.len(), 4);
        }
    });
}

/// More than one page of any service, which is at most 1,000 names.
#[test]
fn a_listing_goes_on_after_its_first_page() {
    with_each(async |to: Destination<'_>| {
        for i in 0..2100 {
            to.sink.put(&object(&format!("{i:05}"), b""), Precondition::Absent).await.unwrap();
        }
        let listed = to.list(NameRange::default()).await;
        let names: Vec<_> = listed.iter().map(|stored| stored.name.clone()).collect();
        assert_eq!(names, (0..2100).map(|i| format!("{i:05}")).collect::<Vec<_>>());
    });
}

#[test]
fn what_is_deleted_is_gone_and_may_be_deleted_again() {
    with_each(async |to: Destination<'_>| {
        for name in ["a/b/c", "a/d"] {
            to.sink.put(&object(name, b"one"), Precondition::Absent).await.unwrap();
        }
        if !to.kind.replaces() {
            assert_eq!(to.sink.delete("a/d").await.unwrap_err().kind, FaultKind::LocalFile);
            assert!(to.sink.stat("a/d").await.unwrap().is_some());
            return;
        }
        to.sink.delete("a/b/c").await.unwrap();
        to.sink.delete("a/b/c").await.unwrap();
        assert_eq!(to.sink.stat("a/b/c").await.unwrap(), None);
        assert_eq!(to.list(NameRange::default()).await.len(), 1);
        // Its name is free.
        to.sink.put(&object("a/b/c", b"two"), Precondition::Absent).await.unwrap();
    });
}

/// A manifest is a file that is streamed: all of it, or nothing.
#[test]
fn a_file_is_stored_whole_or_not_at_all() {
    let dir = tempfile::tempdir().unwrap();
    let rows = "TRAIN,gs://demo/fm/image_0.jpg,9\n".repeat(20_000);
    let path = dir.path().join("rows.csv");
    fs::write(&path, &rows).unwrap();
    let file = |name: &str, size: usize, crc32c| NewObject {
        name: name.to_owned(),
        body: Body::file(path.clone(), size as u64),
        crc32c,
        content_type: "text/csv",
        metadata: Vec::new(),
    };
    let crc32c = crc32c::crc32c(rows.as_bytes());
    with_each(async |mut to: Destination<'_>| {
        let whole = file("whole.csv", rows.len(), crc32c);
        assert!(to.sink.put(&whole, Precondition::Absent).await.unwrap().holds(&whole));
        to.sink.finish().await.unwrap();
        to.reopen().await;
        assert!(to.sink.stat("whole.csv").await.unwrap().unwrap().holds(&whole));
        assert_eq!(to.content("whole.csv").unwrap(), rows.as_bytes());
    });
    // It was changed since it was described, or goes away.
    let wrong = [
        file("changed.csv", rows.len(), crc32c ^ 1),
        file("shorter.csv", rows.len() + 1, crc32c),
        file("longer.csv", rows.len() - 1, crc32c::crc32c(&rows.as_bytes()[..rows.len() - 1])),
    ];
    for_each_row(wrong, |wrong| {
        with_each(async |to: Destination<'_>| {
            to.sink.put(&wrong, Precondition::Absent).await.unwrap_err();
            assert_eq!(to.sink.stat(&wrong.name).await.unwrap(), None);
        });
    });
}

#[test]
fn what_does_not_have_its_checksum_is_not_stored() {
    with_each(async |to: Destination<'_>| {
        let wrong = NewObject { crc32c: 7, ..object("a", b"one") };
        to.sink.put(&wrong, Precondition::Absent).await.unwrap_err();
        assert_eq!(to.sink.stat("a").await.unwrap(), None);
    });
}

/// An attempt that is abandoned in the middle has stored the object whole, or not at all.
#[test]
fn an_abandoned_attempt_leaves_nothing_half_written() {
    with_each(async |to: Destination<'_>| {
        let objects: Vec<_> = (0..50).map(|i| object(&format!("{i}"), &vec![7; 100_000])).collect();
        for (i, object) in objects.iter().enumerate() {
            let mut put = to.sink.put(object, Precondition::Absent);
            for _ in 0..i / 10 {
                if futures::poll!(&mut put).is_ready() {
                    break;
                }
                tokio::task::yield_now().await;
            }
            drop(put);
        }
        for object in &objects {
            let stored = to.sink.stat(&object.name).await.unwrap();
            assert!(stored.is_none_or(|stored| stored.holds(object)), "{}", object.name);
        }
        for stored in to.list(NameRange::default()).await {
            assert!(objects.iter().any(|object| object.name == stored.name), "{stored:?}");
        }
    });
}

/// Each call to a service that accepts requests and never answers ends when its time is over.
#[test]
fn a_bucket_that_does_not_answer_is_given_up() {
    const LIMIT: Duration = Duration::from_millis(200);
    let all =
        [Operation::Insert, Operation::List, Operation::Get, Operation::Delete, Operation::Bucket];
    let stall = |operation| Rule::new(operation, Answer::Stall);
    let script = all.into_iter().fold(Script::new(), |script, each| script.with(stall(each)));
    let server = Server::scripted(script);
    let gcs = Gcs::new(&server.url(), "demo", "fm", Auth::Anonymous).unwrap();
    let sink = TimedSink::new(Arc::new(gcs), LIMIT);
    let kind = |fault: Fault| fault.kind;
    tokio::runtime::Runtime::new().unwrap().block_on(async {
        let ends = [
            sink.check(Purpose::Write, Duration::MAX).await.map_err(kind),
            sink.put(&object("a", b"one"), Precondition::Absent, Duration::MAX)
                .await
                .map(drop)
                .map_err(kind),
            sink.stat("a", Duration::MAX).await.map(drop).map_err(kind),
            sink.list(&NameRange::default(), None, Duration::MAX).await.map(drop).map_err(kind),
            sink.delete("a", Duration::MAX).await.map_err(kind),
            sink.about(Duration::MAX).await.map(drop).map_err(kind),
        ];
        assert_eq!(ends, [const { Err(FaultKind::Timeout) }; 6]);
    });
}
