//! `verify`: exact or not, and in what not.

use std::fs;

use crate::support::{Desk, Ran, Server, Set};

fn verify(desk: &Desk, set: &Set, server: &Server, more: &[&str]) -> Ran {
    let (source, endpoint) = (set.path().to_str().unwrap(), server.url());
    let mut args = vec!["verify", "--source", source, "--to", "gs://demo/fm"];
    args.extend(["--endpoint", &endpoint, "--validation", "10"]);
    args.extend(more);
    desk.run(&args)
}

#[test]
fn a_complete_load_is_exact_and_verifying_changes_nothing() {
    let (desk, set, server) = (Desk::new(), Set::new(60, 10), Server::new());
    desk.load(&set, &server, &[]).expect(0);
    let (before, files) = (server.emulator().counters(), desk.files());
    let ran = verify(&desk, &set, &server, &[]).expect(0);
    assert_eq!(ran.stdout, "72 of 72 objects are exact, 0 missing, 0 different, 0 unexpected\n");
    let after = server.emulator().counters();
    assert_eq!((before.inserts, before.bytes_stored), (after.inserts, after.bytes_stored));
    assert_eq!(after.requests - before.requests, 3, "a check of two and one page: no download");
    assert_eq!(desk.files(), files);
}

#[test]
fn each_deviation_is_counted_and_listed() {
    let root = tempfile::tempdir().unwrap();
    let (desk, set) = (Desk::new(), Set::new(60, 10));
    let options =
        || idx2gcs_emulator::Options { root: Some(root.path().to_owned()), ..Default::default() };
    let server = Server::start(options());
    desk.load(&set, &server, &[]).expect(0);
    drop(server);

    let fm = root.path().join("demo/fm");
    fs::remove_file(fm.join("image_3.jpg")).unwrap();
    fs::remove_file(fm.join("vertex.csv")).unwrap();
    fs::copy(fm.join("image_5.jpg"), fm.join("image_4.jpg")).unwrap();
    fs::write(fm.join("automl.csv"), "TRAIN,gs://demo/fm/image_0.jpg,9\n").unwrap();
    fs::write(fm.join("image_70.jpg"), "of a larger set").unwrap();
    fs::write(fm.join("image_07.jpg"), "not how seven is written").unwrap();
    fs::write(fm.join("notes.txt"), "mine").unwrap();
    // What lies beside the prefix is nobody's business.
    fs::write(root.path().join("demo/fmx.txt"), "").unwrap();

    let server = Server::start(options());
    let ran = verify(&desk, &set, &server, &[]).expect(1);
    assert_eq!(
        ran.error(),
        "gs://demo/fm: 68 of 72 objects are exact, 2 missing, 2 different, 3 unexpected; see \
         out/verify.jsonl"
    );
    let mut findings: Vec<(String, String)> = desk
        .read("out/verify.jsonl")
        .lines()
        .map(|line| {
            let line: serde_json::Value = serde_json::from_str(line).unwrap();
            let text = |key: &str| line[key].as_str().unwrap().to_owned();
            (text("finding"), text("object"))
        })
        .collect();
    findings.sort();
    let expected = [
        ("different", "automl.csv"),
        ("different", "image_4.jpg"),
        ("missing", "image_3.jpg"),
        ("missing", "vertex.csv"),
        ("unexpected", "image_07.jpg"),
        ("unexpected", "image_70.jpg"),
        ("unexpected", "notes.txt"),
    ];
    assert_eq!(findings, expected.map(|(a, b)| (a.to_owned(), b.to_owned())));

    // Other settings expect other objects.
    let ran = verify(&desk, &set, &server, &["--quality", "50"]).expect(1);
    assert!(
        ran.error().contains("70 different") || ran.error().contains("69 different"),
        "{ran:?}"
    );
}

#[test]
fn a_folder_can_be_verified_too() {
    let (desk, set) = (Desk::new(), Set::new(60, 10));
    let source = set.path().to_str().unwrap();
    let args = |command| [command, "--source", source, "--to", "pictures", "--validation", "10"];
    desk.run(&args("load")).expect(0);
    desk.run(&args("verify")).expect(0);
    fs::remove_file(desk.path("pictures/image_9.jpg")).unwrap();
    let ran = desk.run(&args("verify")).expect(1);
    assert!(ran.error().contains("1 missing"), "{ran:?}");
}

#[test]
fn nothing_is_written_where_nothing_is() {
    let (desk, set) = (Desk::new(), Set::new(60, 10));
    let source = set.path().to_str().unwrap();
    let args = ["verify", "--source", source, "--to", "pictures", "--validation", "10"];
    let ran = desk.run(&args).expect(4);
    assert!(ran.error().starts_with("pictures: cannot be read"), "{ran:?}");
    assert!(!desk.exists("pictures"));
}

/// What could not be asked for is neither missing nor different.
#[test]
fn an_object_that_cannot_be_asked_for_is_no_verdict() {
    use idx2gcs_emulator::{Answer, Operation, Rule, Script};
    let listed = r#"{"items":[{"name":"fm/image_3.jpg","size":"600","generation":"1"}]}"#;
    let page = Answer::Status {
        code: 200,
        reason: None,
        retry_after: None,
        body: Some(listed.to_owned()),
    };
    let script = Script::new()
        .with(Rule::new(Operation::List, page))
        .with(Rule::new(Operation::Get, Answer::status(403)));
    let (desk, set, server) = (Desk::new(), Set::new(60, 10), Server::scripted(script));
    let ran = verify(&desk, &set, &server, &[]).expect(4);
    assert!(ran.error().contains("HTTP 403"), "{ran:?}");
}

#[test]
fn a_destination_that_refuses_is_no_verdict() {
    let (desk, set, server) = (Desk::new(), Set::new(60, 10), Server::new());
    let (source, endpoint) = (set.path().to_str().unwrap(), server.url());
    let args = ["verify", "--source", source, "--to", "gs://absent", "--validation", "10"];
    let ran = desk.run(&[&args[..], &["--endpoint", &endpoint]].concat()).expect(4);
    assert!(ran.error().contains("there is no bucket"), "{ran:?}");
}

/// More than a page is listed by ranges at the same time; each object is seen once.
#[test]
fn large_prefixes_are_listed_whole() {
    let (desk, set, server) = (Desk::new(), Set::new(2_000, 345), Server::new());
    desk.load(&set, &server, &[]).expect(0);
    let ran = verify(&desk, &set, &server, &[]).expect(0);
    assert!(ran.stdout.starts_with("2,347 of 2,347 objects are exact"), "{ran:?}");
    desk.load(&set, &server, &[]).expect(0);
    assert_eq!(desk.summary()["already_present"], 2_345);
    let names = ["--name", "{partition}-{label}/{index:06}.jpg"];
    desk.load(&set, &server, &names).expect(0);
    assert_eq!(desk.summary()["uploaded"], 2_345);
    let ran = verify(&desk, &set, &server, &names).expect(1);
    assert!(ran.error().contains("0 missing, 0 different, 2,345 unexpected"), "{ran:?}");
}
