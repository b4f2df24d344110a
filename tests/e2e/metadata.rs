//! `--metadata` where objects exist: other custom metadata is another object, and is corrected without an
//! upload.

use idx2gcs_emulator::{Answer, Operation, Rule, Script};

use crate::support::{Desk, Server, Set};

/// How many requests of that kind were answered or refused, of images alone.
fn requests(server: &Server, operation: Operation) -> usize {
    let all = server.emulator().requests().into_iter();
    all.filter(|it| it.operation == operation && it.key.contains("/image_")).count()
}

fn verify(desk: &Desk, set: &Set, server: &Server, code: i32) -> String {
    let (source, endpoint) = (set.path().to_str().unwrap(), server.url());
    let args = ["verify", "--source", source, "--to", "gs://demo/fm", "--endpoint", &endpoint];
    let ran = desk.run(&[&args[..], &["--validation", "10", "--metadata"]].concat()).expect(code);
    format!("{}{}", ran.stdout, ran.stderr)
}

#[test]
fn an_earlier_load_without_metadata_is_a_conflict_and_is_corrected_without_an_upload() {
    let (desk, set, server) = (Desk::new(), Set::new(60, 10), Server::new());
    desk.load(&set, &server, &[]).expect(0);
    for how in [&["--metadata"][..], &["--metadata", "--if-exists", "fail"]] {
        let ran = desk.load(&set, &server, how).expect(4);
        assert!(ran.error().contains(" exist"), "{ran:?}");
    }
    let ran = desk.load(&set, &server, &["--metadata"]).expect(4);
    let says =
        "70 objects exist with other content or other custom metadata, see out/failures.jsonl";
    assert!(ran.error().contains(says), "{ran:?}");
    let failures = desk.read("out/failures.jsonl");
    assert!(failures.contains("exists with other custom metadata: partition is none at the"));
    let said = verify(&desk, &set, &server, 1);
    assert!(said.contains("70 different"), "{said}");
    let differences = desk.read("out/verify.jsonl");
    assert!(differences.contains("label is none at the destination and \\\"3\\\" here"));
    assert_eq!(requests(&server, Operation::Patch), 0, "nothing was written");

    let before = server.images();
    desk.load(&set, &server, &["--metadata", "--if-exists", "overwrite"]).expect(0);
    assert_eq!(
        (requests(&server, Operation::Insert), requests(&server, Operation::Patch)),
        (70, 70)
    );
    let summary = desk.summary();
    assert_eq!((&summary["uploaded"], &summary["bytes"]), (&70.into(), &0.into()));
    for (before, after) in before.iter().zip(server.images()) {
        assert_eq!((&before.name, before.generation), (&after.name, after.generation));
        assert_eq!(after.metadata.len(), 4);
    }
    verify(&desk, &set, &server, 0);

    // What is right is not written again, and `overwrite` finds nothing to do.
    for how in ["skip", "overwrite"] {
        desk.load(&set, &server, &["--metadata", "--if-exists", how]).expect(0);
        assert_eq!(desk.summary()["already_present"], 70);
    }
    assert_eq!(
        (requests(&server, Operation::Insert), requests(&server, Operation::Patch)),
        (70, 70)
    );
}

#[test]
fn other_class_names_are_other_metadata() {
    let (set, server) = (Set::new(60, 10), Server::new());
    let desk = Desk::new().env("IDX2GCS_SOURCE_CLASSES", "a,b,c,d,e,f,g,h,i,j");
    desk.load(&set, &server, &["--metadata", "--manifests", "automl"]).expect(0);
    let desk = Desk::new().env("IDX2GCS_SOURCE_CLASSES", "a,b,c,d,e,f,g,h,i,k");
    let more = ["--metadata", "--manifests", "automl"];
    desk.load(&set, &server, &more).expect(4);
    let failures = desk.read("out/failures.jsonl");
    assert_eq!(failures.lines().count(), 7, "one image in ten is of the class");
    assert!(
        failures.contains("metadata: class is \\\"j\\\" at the destination and \\\"k\\\" here")
    );
    desk.load(&set, &server, &[&more[..], &["--if-exists", "overwrite"]].concat()).expect(0);
    assert_eq!(
        (requests(&server, Operation::Insert), requests(&server, Operation::Patch)),
        (70, 7)
    );
    desk.load(&set, &server, &more).expect(0);
}

#[test]
fn a_change_of_metadata_is_tried_again_and_its_lost_answer_does_no_harm() {
    let faults = [Answer::status(503), Answer::ResetAfterWrite];
    let rules = ["fm/image_3.jpg", "fm/image_4.jpg"].into_iter().zip(faults);
    let script = rules.fold(Script::new(), |script, (name, answer)| {
        script.with(Rule::new(Operation::Patch, answer).named(name).attempt(1))
    });
    let (desk, set, server) = (Desk::new(), Set::new(60, 10), Server::scripted(script));
    desk.load(&set, &server, &[]).expect(0);
    desk.load(&set, &server, &["--metadata", "--if-exists", "overwrite"]).expect(0);
    assert_eq!(
        (desk.summary()["uploaded"].clone(), requests(&server, Operation::Patch)),
        (70.into(), 72)
    );
    verify(&desk, &set, &server, 0);
    // Other bytes and other metadata go together, in an upload.
    let other = ["--metadata", "--quality", "40", "--if-exists", "overwrite"];
    desk.load(&set, &server, &other).expect(0);
    assert_eq!(
        (requests(&server, Operation::Insert), requests(&server, Operation::Patch)),
        (140, 72)
    );
}
