//! The official Python client must see the same in this emulator as in
//! fake-gcs-server, but for known differences, each listed with its reason.
//!
//! `scripts/test.sh` installs both and sets the two environment variables.

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;
use std::process::Command;

use idx2gcs_emulator::{Emulator, Options};
use serde_json::{Value, json};

use crate::support::fake_gcs::FakeGcs;
use crate::support::python;

/// A call on which the two servers are known to differ, what this emulator
/// answers, and why: each time it is fake-gcs-server that departs from
/// Google's documented behaviour.
struct Difference {
    call: &'static str,
    ours: Value,
    reason: &'static str,
}

fn known_differences() -> Vec<Difference> {
    let refused = |code: u16, reasons: &[&str]| json!({"refused": code, "reasons": reasons});
    let list = |call, ours, reason| Difference { call, ours, reason };
    // The client gives no reasons for refused uploads and downloads.
    vec![
        list(
            "bucket delete full",
            refused(409, &["conflict"]),
            "it answers 412; Google documents 409 for a bucket that is not empty",
        ),
        list(
            "bucket permissions",
            json!(["storage.objects.create", "storage.objects.list"]),
            "it does not know testIamPermissions",
        ),
        list(
            "upload wrong crc32c",
            refused(400, &[]),
            "it does not check a crc32c in the metadata of an upload",
        ),
        list(
            "after the refusal bad-crc",
            refused(404, &["notFound"]),
            "so it has stored the object",
        ),
        list(
            "upload wrong md5",
            refused(400, &[]),
            "it does not check an md5Hash in the metadata of an upload",
        ),
        list(
            "after the refusal bad-md5",
            refused(404, &["notFound"]),
            "so it has stored the object",
        ),
        list(
            "create large twice",
            refused(412, &[]),
            "it passes over ifGenerationMatch in resumable uploads",
        ),
        list(
            "get stale",
            refused(412, &["conditionNotMet"]),
            "it passes over ifGenerationMatch in reads of metadata",
        ),
        list("download stale", refused(412, &[]), "it passes over ifGenerationMatch in downloads"),
        list(
            "delete stale",
            refused(412, &["conditionNotMet"]),
            "it passes over ifGenerationMatch in deletions",
        ),
        list("metageneration stale", refused(412, &[]), "it passes over ifMetagenerationMatch"),
        list(
            "patch stale",
            refused(412, &["conditionNotMet"]),
            "it passes over ifMetagenerationMatch in changes of metadata",
        ),
        list(
            "copy once more",
            refused(412, &["conditionNotMet"]),
            "it passes over ifGenerationMatch in copies",
        ),
        list(
            "compose missing",
            refused(404, &["notFound"]),
            "it answers 500 where a source is missing",
        ),
        list(
            "list glob",
            json!(["c/composed.jpg", "c/copy.jpg"]),
            "it passes over matchGlob in listings",
        ),
        list(
            "name with line feed",
            refused(400, &[]),
            "it accepts names that Google's naming rules exclude",
        ),
    ]
}

/// Parts of every answer that fake-gcs-server gives in its own way: the
/// `reason` is the status in words ("Not Found" for `notFound`), and an
/// object's id lacks the generation. They are checked here for this emulator
/// and taken out of the comparison.
fn check_and_drop_own_ways(theirs: &mut Answers, ours: &mut Answers) -> Vec<String> {
    let mut problems = Vec::new();
    for (call, answer) in ours.iter() {
        let expected = match answer["refused"].as_u64() {
            Some(404) => "notFound",
            Some(409) => "conflict",
            Some(412) => "conditionNotMet",
            _ => "invalid",
        };
        let reasons = answer["reasons"].as_array();
        if reasons.into_iter().flatten().any(|reason| reason != expected) {
            problems.push(format!("{call}: the reason of {answer} is not {expected}"));
        }
        if answer["id_is_versioned"] == false {
            problems.push(format!("{call}: the id in {answer} lacks the generation"));
        }
    }
    for answer in theirs.values_mut().chain(ours.values_mut()) {
        if let Some(fields) = answer.as_object_mut() {
            fields.remove("reasons");
            fields.remove("id_is_versioned");
        }
    }
    problems
}

type Answers = BTreeMap<String, Value>;

#[tokio::test(flavor = "multi_thread")]
#[ignore = "needs Python and fake-gcs-server; scripts/test.sh runs it"]
async fn the_python_client_sees_what_it_sees_in_fake_gcs_server() {
    let python = python();
    let fake = FakeGcs::start();
    let mut theirs = calls(&python, fake.url()).await;
    drop(fake);
    let in_memory = Emulator::start(Options::default()).await.unwrap();
    let mut ours = calls(&python, in_memory.url()).await;
    let folder = tempfile::tempdir().unwrap();
    let options = Options { root: Some(folder.path().to_owned()), ..Options::default() };
    let in_folder = Emulator::start(options).await.unwrap();
    let ours_in_folder = calls(&python, in_folder.url()).await;

    let problems = compare(&ours, &ours_in_folder, &[]);
    assert!(problems.is_empty(), "memory and folder differ:\n{}", problems.join("\n"));
    let mut problems = check_known(&ours, &known_differences());
    problems.extend(check_and_drop_own_ways(&mut theirs, &mut ours));
    problems.extend(compare(&theirs, &ours, &known_differences()));
    assert!(problems.is_empty(), "{} differences:\n{}", problems.len(), problems.join("\n"));
}

/// What this emulator does not answer as the list of differences says.
fn check_known(ours: &Answers, known: &[Difference]) -> Vec<String> {
    let wrong = known.iter().filter(|known| ours.get(known.call) != Some(&known.ours));
    wrong.map(|known| format!("{}: not {}", known.call, known.ours)).collect()
}

/// Differences that nobody expected, and expected ones that are not there.
fn compare(theirs: &Answers, ours: &Answers, known: &[Difference]) -> Vec<String> {
    let calls: BTreeSet<&String> = theirs.keys().chain(ours.keys()).collect();
    let mut problems = Vec::new();
    for call in calls {
        let (theirs, ours) = (theirs.get(call), ours.get(call));
        match known.iter().find(|difference| difference.call == call) {
            None if theirs != ours => {
                problems.push(format!("{call}\n  theirs {theirs:?}\n  ours   {ours:?}"));
            }
            Some(known) if theirs == ours => {
                problems.push(format!("{call}: no longer differs ({})", known.reason));
            }
            _ => {}
        }
    }
    problems
}

/// Runs `calls.py` against a server.
async fn calls(python: &Path, url: String) -> Answers {
    let script = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/e2e/conformance/calls.py");
    let mut command = Command::new(python);
    // Loopback must not be sent through a proxy.
    command.arg(script).arg(url).env("NO_PROXY", "127.0.0.1").env("PYTHONDONTWRITEBYTECODE", "1");
    let output = tokio::task::spawn_blocking(move || command.output()).await.unwrap().unwrap();
    let errors = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "calls.py failed: {errors}");
    serde_json::from_slice(&output.stdout).unwrap()
}
