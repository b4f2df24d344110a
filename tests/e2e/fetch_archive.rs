//! Data sets whose files lie in a zip.

use std::fs;
use std::path::Path;

use crate::support::mirror::{Fault, Mirror};
use crate::support::small::{Small, without};
use crate::support::{SIDE, gzip, idx};

#[tokio::test(flavor = "multi_thread")]
async fn an_archive_is_downloaded_once_and_resumed() {
    let small = Small::new("emnist-letters").await;
    small.mirror.fail("gzip.zip", [Fault::CutAfter(1000), Fault::CutAfter(1000)]);
    small.fetch().await.unwrap();
    small.assert_complete();
    assert_eq!(small.mirror.ranges(), ["", "bytes=1000-", "bytes=2000-"]);

    // Only what is missing is unpacked; the rest stays as it is.
    let [[_, labels], [kept, _]] = small.kind.files;
    let before = fs::metadata(small.target(&format!("{kept}.gz"))).unwrap().modified().unwrap();
    fs::write(small.target(&format!("{labels}.gz")), "damaged").unwrap();
    small.fetch().await.unwrap();
    small.assert_complete();
    assert_eq!(small.mirror.ranges(), [""]);
    let after = fs::metadata(small.target(&format!("{kept}.gz"))).unwrap().modified().unwrap();
    assert_eq!(before, after);

    // One that was complete when an earlier run ended is not asked for.
    fs::remove_file(small.target(&format!("{labels}.gz"))).unwrap();
    let published = small.published.path().join("gzip.zip");
    fs::copy(&published, small.target("gzip.zip.partial")).unwrap();
    small.fetch().await.unwrap();
    small.assert_complete();
    assert_eq!(small.mirror.ranges(), Vec::<String>::new());

    // One that was put there by hand serves as well, and stays.
    fs::remove_file(small.target(&format!("{labels}.gz"))).unwrap();
    fs::copy(&published, small.target("gzip.zip")).unwrap();
    small.fetch().await.unwrap();
    assert_eq!(small.mirror.ranges(), Vec::<String>::new());
    fs::remove_file(small.target("gzip.zip")).unwrap();
    small.assert_complete();
}

#[tokio::test(flavor = "multi_thread")]
async fn a_wrong_archive_is_refused_and_the_next_asked() {
    let small = Small::new("emnist-letters").await;
    let bad = tempfile::tempdir().unwrap();
    let whole = fs::read(small.published.path().join("gzip.zip")).unwrap();
    let mut damaged = whole.clone();
    damaged[500] ^= 1;
    let bad_mirror = Mirror::of(bad.path()).await;
    let mut before = Vec::new();
    for (name, bytes) in [
        ("page", b"<!DOCTYPE html>".to_vec()),
        ("damaged", damaged),
        ("half", whole[..whole.len() / 2].to_vec()),
        ("longer", [&whole[..], b"more"].concat()),
    ] {
        fs::create_dir(bad.path().join(name)).unwrap();
        fs::write(bad.path().join(name).join("gzip.zip"), bytes).unwrap();
        before.push(format!("{}/{name}", bad_mirror.url));
    }
    let before: Vec<_> = before.iter().map(String::as_str).collect();
    small.fetch_from(&before).await.unwrap();
    small.assert_complete();
    let failed = small.failed.lock().unwrap();
    let says = ["no zip archive; an HTML", "its SHA-256 is", "as the catalogue says", "sends more"];
    for (i, says) in says.into_iter().enumerate() {
        assert!(failed[i].contains(says), "{i}: {failed:#?}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn unsound_archives_leave_nothing_behind() {
    let mut small = Small::new("emnist-letters").await;
    let [[images, _], _] = small.kind.files;
    let image_file = format!("gzip/{images}.gz");
    let good = small.members();
    let replaced = |bytes: Vec<u8>| {
        let mut members = good.clone();
        members[0].1 = bytes;
        members
    };
    let n = small.kind.records()[0];
    let head = idx(0x08, &[n, SIDE, SIDE], &[]);
    let most = head.len() + (n * SIDE * SIDE) as usize;
    for (members, says) in [
        // Far more than its header promises: as a member, and as what is packed in the member.
        (replaced([&head[..], &vec![0; 3 << 20]].concat()), "unpacks to more than the"),
        (replaced(gzip(&[&head[..], &vec![0; 3 << 20]].concat())), "trailing bytes"),
        (
            replaced(gzip(&idx(0x08, &[1 << 31, SIDE, SIDE], &[]))),
            "promises 1683627180048 bytes, not",
        ),
        (replaced(gzip(&head)), "truncated"),
        (replaced(b"<html>".to_vec()), "an HTML or XML page"),
        (
            good[1..].to_vec(),
            "the zip archive lacks gzip/emnist-letters-train-images-idx3-ubyte.gz",
        ),
        (
            [&good[..], &[("../../evil".to_owned(), b"x".to_vec())]].concat(),
            "\"../../evil\", which leads out of its folder",
        ),
    ] {
        for sums in [true, false] {
            small.replace_zip(&members, sums);
            let error = small.error().await;
            assert!(error.contains(says), "{error}");
            assert!(small.names().iter().all(|name| *name != format!("{images}.gz")), "{says}");
            assert!(
                !small.names().iter().any(|name| name.contains("partial")),
                "{:?}",
                small.names()
            );
            for name in small.names() {
                fs::remove_file(small.target(&name)).unwrap();
            }
        }
    }
    assert!(!small.target.path().join("../../evil").exists());

    // Nor does an entry that knows no sizes let a member grow beyond its own header.
    small.replace_zip(&replaced([&head[..], &vec![0; 3 << 20]].concat()), false);
    small.text = without(&without(&small.text, "images.bytes"), "records");
    let error = small.error().await;
    assert!(error.contains(&format!("{image_file} in the zip archive")), "{error}");
    assert!(
        error.contains(&format!("unpacks to more than the {most} bytes it promises")),
        "{error}"
    );

    // Without sums and sizes, a whole archive is known by its own table of contents.
    small.replace_zip(&good, false);
    small.mirror.fail("gzip.zip", [Fault::EndAfter(2000)]);
    small.mirror.asked();
    small.fetch().await.unwrap();
    small.assert_complete();
    assert_eq!(small.mirror.ranges(), ["", "bytes=2000-"]);
    assert!(!Path::new("evil").exists());
}
