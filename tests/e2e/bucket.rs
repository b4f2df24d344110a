//! What objects and buckets say beside names and content: custom metadata, where a bucket is, who may
//! read it.

use std::collections::BTreeMap;
use std::fs;
use std::io::{Read, Write};
use std::net::TcpStream;

use idx2gcs::sink::folder::Folder;
use idx2gcs::sink::gcs::{Auth, Gcs};
use idx2gcs::sink::{About, Body, Fault, FaultKind, MOST_METADATA, NewObject, Precondition, Sink};
use idx2gcs_emulator::{Answer, Operation, Rule, Script};

use crate::support::fake_gcs::FakeGcs;
use crate::support::{Desk, Server, Set};

fn gcs(server: &Server) -> Gcs {
    Gcs::new(&server.url(), "demo", "fm", Auth::Anonymous).unwrap()
}

fn block_on<T>(work: impl Future<Output = T>) -> T {
    tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap().block_on(work)
}

fn pairs<const N: usize>(pairs: [(&str, &str); N]) -> BTreeMap<String, String> {
    pairs.into_iter().map(|(key, value)| (key.to_owned(), value.to_owned())).collect()
}

#[test]
fn images_carry_their_class_when_asked_to() {
    let (desk, set, server) = (Desk::new(), Set::new(60, 10), Server::new());
    desk.load(&set, &server, &["--metadata"]).expect(0);
    let metadata = |name: &str| server.emulator().object("demo", name).unwrap().0.metadata;
    let manifest = desk.read("out/automl.csv");
    for partition in ["train", "validation", "test"] {
        let row = manifest.lines().find(|row| row.starts_with(&partition.to_uppercase())).unwrap();
        let [_, address, label] = row.split(',').collect::<Vec<_>>()[..] else { panic!("{row}") };
        let class = format!("class_{label}");
        let encoder = ("encoder", "jpeg/1");
        let expected =
            pairs([("label", label), ("class", &class), ("partition", partition), encoder]);
        assert_eq!(metadata(address.strip_prefix("gs://demo/").unwrap()), expected);
    }
    let marked = [("idx2gcs".to_owned(), "manifest".to_owned())];
    assert_eq!(metadata("fm/automl.csv"), marked.into());

    // What is there counts as it is.
    desk.load(&set, &server, &[]).expect(0);
    assert_eq!(desk.summary()["already_present"], 70);
    let (desk, server) = (Desk::new(), Server::new());
    desk.load(&set, &server, &[]).expect(0);
    assert!(server.images().iter().all(|object| object.metadata.is_empty()));
}

#[test]
#[ignore = "needs fake-gcs-server; scripts/test.sh runs it"]
fn others_store_the_metadata_too() {
    let (fake, set, desk) = (FakeGcs::start(), Set::new(60, 10), Desk::new());
    fake.create_bucket("demo");
    let (source, endpoint) = (set.path().to_str().unwrap(), fake.url());
    let args = ["load", "--source", source, "--to", "gs://demo/fm", "--validation", "10"];
    desk.run(&[&args[..], &["--endpoint", &endpoint, "--metadata"]].concat()).expect(0);
    let host = endpoint.trim_start_matches("http://");
    let mut stream = TcpStream::connect(host).unwrap();
    let path = "/storage/v1/b/demo/o/fm%2Fimage_69.jpg";
    write!(stream, "GET {path} HTTP/1.0\r\nhost: {host}\r\n\r\n").unwrap();
    let mut answer = String::new();
    stream.read_to_string(&mut answer).unwrap();
    let object: serde_json::Value =
        serde_json::from_str(answer.split_once("\r\n\r\n").unwrap().1).unwrap();
    let encoder = ("encoder", "jpeg/1");
    let expected = pairs([("label", "9"), ("class", "class_9"), ("partition", "test"), encoder]);
    assert_eq!(object["metadata"], serde_json::to_value(expected).unwrap(), "{answer}");
}

#[test]
fn folders_and_archives_have_no_metadata_and_do_not_mind() {
    let (desk, set) = (Desk::new(), Set::new(60, 10));
    let source = set.path().to_str().unwrap();
    for to in ["pictures", "pictures.zip"] {
        let args = ["load", "--source", source, "--to", to, "--validation", "10", "--metadata"];
        desk.run(&args).expect(0);
        assert_eq!(desk.summary()["uploaded"], 70);
    }
}

#[test]
fn more_metadata_than_google_takes_is_not_sent() {
    let server = Server::new();
    let object = |value: usize| NewObject {
        name: "a".to_owned(),
        body: Body::Bytes("x".into()),
        crc32c: crc32c::crc32c(b"x"),
        content_type: "image/jpeg",
        metadata: vec![("key", "v".repeat(value))],
    };
    let put =
        |value| block_on(async { gcs(&server).put(&object(value), Precondition::Absent).await });
    let refused = put(MOST_METADATA - 2).unwrap_err();
    assert_eq!(refused.kind, FaultKind::Status(400));
    assert_eq!(server.emulator().counters().requests, 0);
    put(MOST_METADATA - 3).unwrap();
    assert_eq!(server.emulator().counters().inserts, 1);
}

fn about(script: Script) -> Result<About, Fault> {
    let server = Server::scripted(script);
    block_on(async { gcs(&server).about().await })
}

/// The answer to the first question about the bucket, or to the second.
fn answer(number: u32, body: &str) -> Rule {
    let body = Some(body.to_owned());
    let answer = Answer::Status { code: 200, reason: None, retry_after: None, body };
    Rule::new(Operation::Bucket, answer).attempt(number)
}

fn refusal(number: u32, status: u16) -> Rule {
    Rule::new(Operation::Bucket, Answer::status(status)).attempt(number)
}

#[test]
fn a_bucket_tells_where_it_is_and_whether_vertex_ai_reads_it() {
    let expected = |location: Option<&str>, number, reads| About {
        location: location.map(str::to_owned),
        location_type: location.map(|_| "region".to_owned()),
        project_number: number,
        vertex_agent_reads: reads,
    };
    let bucket = r#"{"location":"EUROPE-WEST4","locationType":"region","projectNumber":"12"}"#;
    let policy = r#"{"bindings":[{"role":"roles/storage.objectViewer","members":[
        "serviceAccount:service-12@gcp-sa-aiplatform.iam.gserviceaccount.com"]}]}"#;
    let script = Script::new().with(answer(1, bucket)).with(answer(2, policy));
    assert_eq!(about(script).unwrap(), expected(Some("EUROPE-WEST4"), Some(12), Some(true)));

    // What may not be asked, or is not understood by the service, is unknown.
    for status in [403, 404, 501] {
        let script = Script::new().with(answer(1, bucket)).with(refusal(2, status));
        let known = expected(Some("EUROPE-WEST4"), Some(12), None);
        assert_eq!(about(script).unwrap(), known, "{status}");
        let script = Script::new().with(refusal(1, status)).with(answer(2, policy));
        assert_eq!(about(script).unwrap(), expected(None, None, Some(true)), "{status}");
        let script = Script::new().with(refusal(1, status)).with(refusal(2, status));
        assert_eq!(about(script).unwrap(), About::default(), "{status}");
    }
    for script in [
        Script::new().with(refusal(1, 503)),
        Script::new().with(answer(1, bucket)).with(refusal(2, 503)),
    ] {
        assert_eq!(about(script).unwrap_err().kind, FaultKind::Status(503));
    }
    let unparsable = about(Script::new().with(answer(1, "<html>"))).unwrap_err();
    assert_eq!(unparsable.kind, FaultKind::Unparsable);
}

#[test]
fn the_emulator_answers_for_itself() {
    let known = About {
        location: Some("US".to_owned()),
        location_type: Some("multi-region".to_owned()),
        project_number: None,
        vertex_agent_reads: Some(false),
    };
    assert_eq!(about(Script::new()).unwrap(), known);
    let server = Server::new();
    let absent = Gcs::new(&server.url(), "absent", "", Auth::Anonymous).unwrap();
    assert_eq!(block_on(async { absent.about().await }).unwrap(), About::default());
}

#[test]
#[ignore = "needs fake-gcs-server; scripts/test.sh runs it"]
fn other_emulators_and_folders_tell_what_they_know() {
    let fake = FakeGcs::start();
    fake.create_bucket("demo");
    let gcs = Gcs::new(&fake.url(), "demo", "fm", Auth::Anonymous).unwrap();
    let about = block_on(async { gcs.about().await }).unwrap();
    assert_eq!(about.vertex_agent_reads, None, "{about:?}");
    let folder = Folder::new("d", "d".into());
    assert_eq!(block_on(async { folder.about().await }).unwrap(), About::default());
}

/// Every request: one without it would be refused by a bucket whose requester pays.
#[test]
fn whoever_pays_is_named_in_every_request() {
    let (desk, set) = (Desk::new(), Set::new(60, 10));
    let server = Server::scripted(Script::new());
    fs::write(desk.path("c.toml"), "[destination]\nuser_project = \"who-pays\"\n").unwrap();
    desk.load(&set, &server, &["--config", "c.toml"]).expect(0);
    let requests = server.emulator().requests();
    assert!(requests.len() > 70);
    for request in requests {
        let project = request.header("x-goog-user-project");
        assert_eq!(project, Some("who-pays"), "{} {}", request.method, request.path);
    }
}
