//! Named data sets and where they come from.

use std::fs;

use idx2gcs::source::{Array, Catalogue, Entry, Found, files_in};

use crate::support::family::{FAMILY, Labels};
use crate::support::mirror::{Fault, Mirror};
use crate::support::small::Small;
use crate::support::{Desk, SIDE, fashion_mnist, gzip, idx};

const TRUE_FILES: [&str; 4] = [
    "t10k-images-idx3-ubyte.gz",
    "t10k-labels-idx1-ubyte.gz",
    "train-images-idx3-ubyte.gz",
    "train-labels-idx1-ubyte.gz",
];

#[tokio::test(flavor = "multi_thread")]
#[ignore = "needs Fashion-MNIST; scripts/test.sh runs it"]
async fn the_true_data_set_is_checked_by_its_payload() {
    let mirrors = tempfile::tempdir().unwrap();
    for folder in ["good", "bad"] {
        fs::create_dir(mirrors.path().join(folder)).unwrap();
    }
    for name in TRUE_FILES {
        fs::copy(fashion_mnist().join(name), mirrors.path().join("good").join(name)).unwrap();
        fs::write(mirrors.path().join("bad").join(name), "<html>moved</html>").unwrap();
    }
    let mirror = Mirror::of(mirrors.path()).await;
    let url = &mirror.url;
    let (good, bad) = (format!("{url}/good/"), format!("{url}/bad"));
    let missing = format!("{url}/missing");

    let desk = Desk::new();
    let fetch = ["fetch", "fashion-mnist", "--mirror"];
    let ran = desk.run(&[&fetch[..], &[&bad, "--mirror", &missing]].concat()).expect(3);
    assert!(ran.error().contains("no mirror has train-images-idx3-ubyte.gz"), "{ran:?}");
    assert!(ran.error().contains("an HTML or XML page"), "{ran:?}");
    assert!(ran.error().contains("HTTP 404"), "{ran:?}");
    assert_eq!(desk.files(), Vec::<String>::new(), "nothing wrong stays");

    // The next mirror is asked where one fails.
    let ran = desk.run(&[&fetch[..], &[&bad, "--mirror", &good]].concat()).expect(0);
    assert!(ran.stdout.contains("fashion-mnist is complete in "), "{ran:?}");
    let told = ran.stderr.lines().filter(|line| line.ends_with("; asking the next address"));
    assert_eq!(told.count(), 4, "{ran:?}");
    assert_eq!(desk.files().len(), 4, "{:?}", desk.files());
    assert!(desk.files().iter().all(|name| name.contains("idx2gcs/fashion-mnist/")));

    // What is there and right is not asked for again.
    desk.run(&[&fetch[..], &[&missing]].concat()).expect(0);
    let damaged = desk.path(&desk.files()[0]);
    fs::write(&damaged, "half").unwrap();
    desk.run(&[&fetch[..], &[&missing]].concat()).expect(3);
    desk.run(&[&fetch[..], &[&good]].concat()).expect(0);

    // What an earlier run left is continued; what is as long as it can be is looked at.
    assert!(mirror.ranges().iter().all(String::is_empty));
    let whole = fs::read(&damaged).unwrap();
    fs::remove_file(&damaged).unwrap();
    let partial = damaged.with_extension("gz.partial");
    fs::write(&partial, &whole[..1000]).unwrap();
    desk.run(&[&fetch[..], &[&good]].concat()).expect(0);
    assert_eq!(fs::read(&damaged).unwrap(), whole);
    fs::remove_file(&damaged).unwrap();
    fs::write(&partial, &whole).unwrap();
    desk.run(&[&fetch[..], &[&good]].concat()).expect(0);
    let complete = format!("bytes={}-", whole.len());
    assert_eq!(mirror.ranges(), ["bytes=1000-", &complete]);
    assert_eq!(desk.files().len(), 4, "{:?}", desk.files());
}

#[test]
fn names_are_listed_and_unknown_ones_refused() {
    let desk = Desk::new();
    let ran = desk.run(&["fetch"]).expect(0);
    assert_eq!(ran.stdout, desk.run(&["fetch", "--list"]).expect(0).stdout);
    let names: Vec<_> = ran.stdout.lines().filter_map(|line| line.split(' ').next()).collect();
    let catalogue = Catalogue::builtin();
    let known: Vec<_> = catalogue.entries().map(|entry| entry.name.as_str()).collect();
    assert_eq!(names, [&["NAME"], &known[..]].concat());
    assert!(FAMILY.iter().all(|kind| names.contains(&kind.name)));
    assert!(["cifar10", "pathmnist", "pathmnist-64"].iter().all(|name| names.contains(name)));
    let line = ran.stdout.lines().find(|line| line.starts_with("emnist-letters ")).unwrap();
    let words: Vec<_> = line.split_whitespace().take(4).collect();
    assert_eq!(words, ["emnist-letters", "145,600", "26", "no"]);
    let ran = desk.run(&["fetch", "cifar"]).expect(2);
    assert!(ran.error().contains("\"cifar\"") && ran.error().contains("kannada-mnist"), "{ran:?}");
    assert!(!ran.error().contains("pathmnist-64"), "sizes of the same are not listed: {ran:?}");
    desk.run(&["fetch", "--dir", "x"]).expect(2);
    assert_eq!(desk.files(), Vec::<String>::new());
}

#[tokio::test(flavor = "multi_thread")]
async fn each_data_set_is_fetched_and_located_in_its_true_shape() {
    let builtin = Catalogue::builtin();
    let of_parts = builtin.entries().filter(|entry| !entry.parts.is_empty());
    assert_eq!(of_parts.count(), FAMILY.len());
    for kind in &FAMILY {
        // The entry that comes with the program describes such files.
        let entry = builtin.get(kind.name).unwrap();
        let small = Small::new(kind.name).await;
        let own = Catalogue::default().with_text(&small.text).unwrap();
        let own = own.get(kind.name).unwrap();
        assert_eq!(entry.classes.len(), own.classes.len(), "{}", kind.name);
        assert_eq!(
            (entry.transposed, entry.first_label, entry.label_column, &entry.suffix),
            (own.transposed, own.first_label, own.label_column, &own.suffix),
            "{}",
            kind.name
        );
        let files =
            |e: &Entry| -> Vec<_> { e.files().map(|(file, _)| file.name.clone()).collect() };
        assert_eq!(files(entry), files(own));
        let archive =
            |e: &Entry| e.archive.as_ref().map(|zip| (zip.name.clone(), zip.folder.clone()));
        assert_eq!(archive(entry), archive(own));

        small.fetch().await.unwrap();
        small.assert_complete();
        let Found::Files(parts) = files_in(entry, small.target.path()).unwrap() else { panic!() };
        assert_eq!(parts.len(), 2);
        for (files, n) in parts.iter().zip(kind.records()) {
            let images = Array::open(&files.images).unwrap();
            assert_eq!(images.header.shape.0, [n, SIDE, SIDE]);
            let labels = Array::open(files.labels.as_ref().unwrap()).unwrap();
            let (dtype, shape) = match kind.labels {
                Labels::Plain => ("u8", vec![n]),
                Labels::Extended => ("i32", vec![n, 8]),
            };
            assert_eq!(
                (labels.header.dtype.to_string().as_str(), labels.header.shape.0),
                (dtype, shape)
            );
        }

        // Nothing is asked for again, also where the files are unpacked.
        small.mirror.asked();
        small.fetch().await.unwrap();
        for (name, _) in kind.files() {
            fs::remove_file(small.target(&format!("{name}.gz"))).unwrap();
        }
        kind.unpack(small.target.path());
        small.fetch().await.unwrap();
        assert_eq!(small.mirror.asked(), []);

        // The true entry takes none of the small files for its own.
        let elsewhere = tempfile::tempdir().unwrap();
        let url = [small.mirror.url.clone()];
        let wrong = idx2gcs::source::fetch(entry, &url, elsewhere.path(), &|_| {}).await;
        let error = wrong.unwrap_err().to_string();
        assert!(error.contains("as the catalogue says"), "{error}");
        assert_eq!(fs::read_dir(&elsewhere).unwrap().count(), 0, "{}", kind.name);
    }
}

const IMAGES: &str = "train-images-idx3-ubyte.gz";

#[tokio::test(flavor = "multi_thread")]
async fn a_broken_download_is_resumed_at_once() {
    let small = Small::new("mnist").await;
    small.mirror.tag(IMAGES, "\"1\"");
    small.mirror.fail(IMAGES, [Fault::CutAfter(100), Fault::CutAfter(50), Fault::EndAfter(70)]);
    small.fetch().await.unwrap();
    small.assert_complete();
    let asked: Vec<_> = small.mirror.asked().into_iter().filter(|a| a.path == IMAGES).collect();
    let ranges: Vec<_> = asked.iter().filter_map(|asked| asked.range.as_deref()).collect();
    assert_eq!(ranges, ["bytes=100-", "bytes=150-", "bytes=220-"]);
    assert_eq!(asked[0].if_range, None);
    assert!(asked[1..].iter().all(|asked| asked.if_range.as_deref() == Some("\"1\"")));
    assert_eq!(*small.failed.lock().unwrap(), Vec::<String>::new());
}

#[tokio::test(flavor = "multi_thread")]
async fn an_end_that_nothing_told_is_not_taken_for_one() {
    let small = Small::new("mnist").await;
    small.mirror.fail(IMAGES, [Fault::EndAfter(3), Fault::EndAfter(200)]);
    small.fetch().await.unwrap();
    small.assert_complete();
    assert_eq!(small.mirror.ranges()[..3], ["", "bytes=3-", "bytes=203-"]);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_mirror_that_brings_nothing_is_given_up_and_a_part_kept() {
    let small = Small::new("mnist").await;
    small.mirror.fail(IMAGES, [100, 0, 0, 0].map(Fault::CutAfter));
    let error = small.error().await;
    assert!(error.contains("train-images-idx3-ubyte.gz: cut off: "), "{error}");
    assert_eq!(fs::read(small.target("train-images-idx3-ubyte.gz.partial")).unwrap().len(), 100);
    small.mirror.asked();
    small.fetch().await.unwrap();
    small.assert_complete();
    assert_eq!(small.mirror.ranges()[0], "bytes=100-");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_part_of_another_version_is_not_continued() {
    let small = Small::new("mnist").await;
    let whole = fs::read(small.published.path().join(IMAGES)).unwrap();
    small.mirror.tag(IMAGES, "\"old\"");
    small.mirror.fail(IMAGES, [100, 0, 0, 0].map(Fault::CutAfter));
    small.error().await;
    small.mirror.tag(IMAGES, "\"new\"");
    let partial = small.target("train-images-idx3-ubyte.gz.partial");
    fs::write(&partial, vec![7; 100]).unwrap();
    small.mirror.asked();
    // The server says that the version is gone by sending the whole.
    small.fetch().await.unwrap();
    small.assert_complete();
    let first = &small.mirror.asked()[0];
    assert_eq!(first.range.as_deref(), Some("bytes=100-"));
    assert_eq!(first.if_range.as_deref(), Some("\"old\""));

    // Where there is no version to tell, the sum does, and the download begins anew.
    fs::remove_file(small.target(IMAGES)).unwrap();
    fs::write(&partial, vec![7; 100]).unwrap();
    small.fetch().await.unwrap();
    small.assert_complete();
    assert_eq!(small.mirror.ranges(), ["bytes=100-", ""]);

    // A part that is too long, and one that was not asked for.
    fs::remove_file(small.target(IMAGES)).unwrap();
    fs::write(&partial, [&whole[..], &whole[..]].concat()).unwrap();
    small.fetch().await.unwrap();
    small.assert_complete();
    fs::remove_file(small.target(IMAGES)).unwrap();
    fs::write(&partial, &whole[..100]).unwrap();
    small.mirror.fail(IMAGES, [Fault::PartFrom(50)]);
    small.fetch().await.unwrap();
    small.assert_complete();

    // The range is ignored.
    fs::remove_file(small.target(IMAGES)).unwrap();
    fs::write(&partial, &whole[..100]).unwrap();
    small.mirror.fail(IMAGES, [Fault::WholeAnyway]);
    small.mirror.asked();
    small.fetch().await.unwrap();
    small.assert_complete();
    assert_eq!(small.mirror.ranges(), ["bytes=100-"]);
}

#[tokio::test(flavor = "multi_thread")]
async fn slow_and_moved_files_arrive() {
    let small = Small::new("mnist").await;
    let elsewhere = Mirror::of(small.published.path()).await;
    let moved = format!("{}/{IMAGES}", elsewhere.url);
    small.mirror.fail(IMAGES, [Fault::MovedTo(moved)]);
    small.mirror.fail("train-labels-idx1-ubyte.gz", [Fault::Slow]);
    elsewhere.fail(IMAGES, [Fault::CutAfter(10)]);
    small.fetch().await.unwrap();
    small.assert_complete();
    assert_eq!(elsewhere.ranges(), [""], "the first address is asked for the rest");
}

#[tokio::test(flavor = "multi_thread")]
async fn mirrors_are_asked_in_turn_and_each_failure_is_told() {
    let small = Small::new("mnist").await;
    let bad = tempfile::tempdir().unwrap();
    let images = fs::read(small.published.path().join(IMAGES)).unwrap();
    let other = idx(0x08, &[25, SIDE, SIDE], &vec![9; 25 * 28 * 28]);
    let fewer = idx(0x08, &[24, SIDE, SIDE], &vec![9; 24 * 28 * 28]);
    let bomb = [&idx(0x08, &[25, SIDE, SIDE], &[])[..], &vec![0; 1 << 22]].concat();
    let mut before = vec!["http://127.0.0.1:1".to_owned(), format!("{}/none", small.mirror.url)];
    let bad_mirror = Mirror::of(bad.path()).await;
    for (name, bytes) in [
        ("page", b"<!DOCTYPE html>".to_vec()),
        ("sum", gzip(&other)),
        ("fewer", gzip(&fewer)),
        ("bomb", gzip(&bomb)),
        ("truncated", images[..images.len() - 9].to_vec()),
        ("xz", vec![0xFD, b'7', b'z', b'X', b'Z', 0]),
        ("huge", vec![0; 2 << 20]),
        ("empty", Vec::new()),
    ] {
        fs::create_dir(bad.path().join(name)).unwrap();
        fs::write(bad.path().join(name).join(IMAGES), bytes).unwrap();
        before.push(format!("{}/{name}", bad_mirror.url));
    }
    let before: Vec<_> = before.iter().map(String::as_str).collect();
    small.fetch_from(&before).await.unwrap();
    small.assert_complete();
    let failed = small.failed.lock().unwrap();
    for (i, says) in [
        "refused",
        "HTTP 404",
        "an HTML or XML page",
        "its MD5 is ",
        "promises 18832 bytes, not 19616 as the catalogue says",
        "trailing bytes",
        "cut off",
        "an xz archive",
        "sends more than the file holds",
        "it is empty",
    ]
    .into_iter()
    .enumerate()
    {
        assert!(failed[i].starts_with(before[i]) && failed[i].contains(says), "{i}: {failed:#?}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_wrong_plain_file_in_the_folder_is_told() {
    let small = Small::new("mnist").await;
    fs::write(small.target("t10k-labels-idx1-ubyte"), "mine").unwrap();
    let error = small.error().await;
    assert!(error.contains("t10k-labels-idx1-ubyte: is in the way"), "{error}");
    assert_eq!(fs::read(small.target("t10k-labels-idx1-ubyte")).unwrap(), b"mine");
}

/// A mirror that is down for a moment is asked again, one that lacks a file is not.
#[tokio::test(flavor = "multi_thread")]
async fn a_mirror_that_is_down_for_a_moment_is_asked_again() {
    let small = Small::new("mnist").await;
    small.mirror.fail(IMAGES, [Fault::Status(503), Fault::Status(429)]);
    small.fetch().await.unwrap();
    small.assert_complete();
    let asked = small.mirror.asked();
    assert_eq!(asked.iter().filter(|asked| asked.path == IMAGES).count(), 3);

    fs::remove_file(small.target(IMAGES)).unwrap();
    small.mirror.fail(IMAGES, [Fault::Status(404)]);
    assert!(small.error().await.contains("HTTP 404"));
    assert_eq!(small.mirror.asked().len(), 1);
}

/// One process downloads, the other waits for it and finds all of it.
#[tokio::test(flavor = "multi_thread")]
async fn two_fetches_at_once_bring_each_file_once() {
    let small = Small::new("mnist").await;
    small.mirror.fail(IMAGES, [Fault::Slow]);
    let (first, second) = tokio::join!(small.fetch(), small.fetch());
    first.unwrap();
    second.unwrap();
    small.assert_complete();
    assert_eq!(small.mirror.asked().len(), 4);
}
