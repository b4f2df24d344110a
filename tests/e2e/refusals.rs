//! A destination that refuses: one clear message, exit code 4, nothing written.

use std::fs;

use idx2gcs_emulator::{Answer, Operation, Rule, Script};

use crate::support::{Desk, Server, Set};

#[test]
fn a_missing_bucket() {
    let (desk, set, server) = (Desk::new(), Set::new(30, 5), Server::new());
    let (source, endpoint) = (set.path().to_str().unwrap(), server.url());
    let args = ["load", "--source", source, "--validation", "10", "--endpoint", &endpoint];
    let ran = desk.run(&[&args[..], &["--to", "gs://absent/fm"]].concat()).expect(4);
    assert!(ran.error().starts_with("gs://absent/fm: there is no bucket gs://absent"), "{ran:?}");
    assert!(ran.error().contains("gcloud storage buckets create"), "{ran:?}");
    assert_eq!(desk.summary()["not_attempted"], 35);
    assert_eq!(desk.summary()["exit_code"], 4);
}

#[test]
fn no_permission_to_list() {
    let rule = Rule::new(Operation::List, Answer::status(403));
    let (desk, set) = (Desk::new(), Set::new(30, 5));
    let server = Server::scripted(Script::new().with(rule));
    let ran = desk.load(&set, &server, &[]).expect(4);
    assert!(ran.error().contains("no permission for gs://demo"), "{ran:?}");
    assert!(ran.error().contains("roles/storage.objectUser"), "{ran:?}");
    assert_eq!(server.images().len(), 0);
}

/// A bucket on which these permissions are granted.
fn granting(permissions: &[&str]) -> Server {
    let permissions: Vec<_> =
        permissions.iter().map(|it| format!("storage.objects.{it}")).collect();
    let body = Some(serde_json::json!({ "permissions": permissions }).to_string());
    let granted = Answer::Status { code: 200, reason: None, retry_after: None, body };
    Server::scripted(Script::new().with(Rule::new(Operation::Bucket, granted)))
}

#[test]
fn no_permission_to_write() {
    let (desk, set, server) = (Desk::new(), Set::new(30, 5), granting(&["list", "get"]));
    let ran = desk.load(&set, &server, &[]).expect(4);
    assert!(ran.error().contains("lacking storage.objects.create"), "{ran:?}");
    assert_eq!(server.images().len(), 0);
}

/// Whoever only creates learns what he cannot do; whoever wants to replace is refused at once.
#[test]
fn no_permission_to_replace() {
    let (desk, set) = (Desk::new(), Set::new(30, 5));
    let server = granting(&["list", "get", "create"]);
    let ran = desk.load(&set, &server, &["--if-exists", "overwrite"]).expect(4);
    assert!(ran.error().contains("lacking storage.objects.delete"), "{ran:?}");
    assert_eq!(server.images().len(), 0);
    let ran = desk.load(&set, &server, &[]).expect(0);
    assert!(ran.stderr.contains("no permission storage.objects.delete for gs://demo"), "{ran:?}");
    let all = granting(&["list", "get", "create", "delete"]);
    for more in [&[][..], &["--if-exists", "overwrite"]] {
        let ran = desk.load(&set, &all, more).expect(0);
        assert!(!ran.stderr.contains("no permission"), "{ran:?}");
    }
}

/// A permission that is taken away during the run ends it: every other image would be refused too.
#[test]
fn a_permission_that_goes_away() {
    let rule = Rule::new(Operation::Insert, Answer::status(403));
    let (desk, set) = (Desk::new(), Set::new(500, 5));
    let server = Server::scripted(Script::new().with(rule));
    let ran = desk.load(&set, &server, &["--concurrency", "2"]).expect(4);
    assert!(ran.error().contains("HTTP 403"), "{ran:?}");
    let failed = desk.summary()["failed"].as_u64().unwrap();
    assert!((10..=12).contains(&failed), "{failed} images were refused");
}

/// A hold or a retention policy forbids to replace one object, and says nothing of the others.
#[test]
fn a_hold_on_one_object_costs_one_image() {
    let rule = Rule::new(Operation::Insert, Answer::status(403)).named("fm/image_7.jpg");
    let (desk, set) = (Desk::new(), Set::new(100, 5));
    let server = Server::scripted(Script::new().with(rule));
    let ran = desk.load(&set, &server, &[]).expect(1);
    let summary = desk.summary();
    assert_eq!((&summary["failed"], &summary["uploaded"]), (&1.into(), &104.into()), "{ran:?}");
    assert_eq!(server.images().len(), 104);
    assert!(desk.read("out/failures.jsonl").contains("image_7.jpg"));
}

/// What the service finds wrong with every request is said once, in its own words.
#[test]
fn a_service_that_refuses_every_image() {
    let refused = Answer::Status {
        code: 400,
        reason: Some("invalid".to_owned()),
        retry_after: None,
        body: Some(
            r#"{"error":{"code":400,"message":"Uploads need a key of the customer.",
            "errors":[{"reason":"invalid"}]}}"#
                .to_owned(),
        ),
    };
    let (desk, set) = (Desk::new(), Set::new(500, 5));
    let server = Server::scripted(Script::new().with(Rule::new(Operation::Insert, refused)));
    let ran = desk.load(&set, &server, &["--concurrency", "2"]).expect(4);
    assert!(ran.error().contains("HTTP 400"), "{ran:?}");
    assert!(ran.error().contains("Uploads need a key of the customer."), "{ran:?}");
    let failed = desk.summary()["failed"].as_u64().unwrap();
    assert!((10..=12).contains(&failed), "{failed} images were refused");
}

/// All images are stored, but the manifest may not be written.
#[test]
fn no_permission_for_the_manifests() {
    let rule = Rule::new(Operation::Insert, Answer::status(403)).named("fm/vertex.csv");
    let (desk, set) = (Desk::new(), Set::new(30, 5));
    let server = Server::scripted(Script::new().with(rule));
    let ran = desk.load(&set, &server, &[]).expect(4);
    assert!(ran.error().starts_with("gs://demo/fm/vertex.csv: HTTP 403"), "{ran:?}");
    let summary = desk.summary();
    assert_eq!((&summary["uploaded"], &summary["exit_code"]), (&35.into(), &4.into()));
    assert!(desk.exists("out/automl.csv") && !desk.exists("out/vertex.csv"));
    assert!(desk.files().iter().all(|name| !name.contains("partial")), "{:?}", desk.files());
}

#[test]
fn no_credentials() {
    let (desk, set) = (Desk::new(), Set::new(30, 5));
    let desk = desk.env("GOOGLE_APPLICATION_CREDENTIALS", "absent.json");
    let source = set.path().to_str().unwrap();
    let args = ["load", "--source", source, "--to", "gs://demo/fm", "--validation", "10"];
    let ran = desk.run(&args).expect(4);
    assert!(ran.error().contains("no usable Google credentials"), "{ran:?}");
    assert!(ran.error().contains("gcloud auth application-default login"), "{ran:?}");
    assert_eq!(desk.summary()["exit_code"], 4);
}

#[test]
fn nobody_at_the_endpoint() {
    let (desk, set) = (Desk::new(), Set::new(30, 5));
    // A port that was free a moment ago.
    let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let endpoint = format!("http://{}", listener.local_addr().unwrap());
    drop(listener);
    let source = set.path().to_str().unwrap();
    let args = ["load", "--source", source, "--to", "gs://demo/fm", "--validation", "10"];
    let ran = desk.run(&[&args[..], &["--endpoint", &endpoint]].concat()).expect(4);
    assert!(ran.error().contains(&format!("{endpoint} cannot be reached")), "{ran:?}");
}

#[test]
fn a_folder_that_cannot_be_made() {
    let (desk, set) = (Desk::new(), Set::new(30, 5));
    std::fs::write(desk.path("file"), "").unwrap();
    let source = set.path().to_str().unwrap();
    let args = ["load", "--source", source, "--to", "file/pictures", "--validation", "10"];
    let ran = desk.run(&args).expect(4);
    assert!(ran.error().contains("file/pictures: cannot be written"), "{ran:?}");
}

/// A service that fails has refused nothing: the same command may do later.
#[test]
fn fail_tells_a_failing_service_from_a_refusal() {
    let (desk, set) = (Desk::new(), Set::new(60, 10));
    let rule = Rule::new(Operation::Get, Answer::status(503)).named("fm/automl.csv");
    let server = Server::scripted(Script::new().with(rule));
    fs::write(desk.path("c.toml"), "[retry]\nmax_attempts = 2\ninitial_backoff = \"1ms\"\n")
        .unwrap();
    let more = ["--config", "c.toml", "--if-exists", "fail"];
    let ran = desk.load(&set, &server, &more).expect(1);
    assert!(ran.error().contains("does not work: HTTP 503"), "{ran:?}");
    assert_eq!(server.images().len(), 0);
}

/// An organisation's policy, or a service that is wrong: there is nothing that `overwrite` would replace.
#[test]
fn a_condition_that_fails_without_an_object_is_a_refusal() {
    let rule = Rule::new(Operation::Insert, Answer::status(412));
    let (desk, set) = (Desk::new(), Set::new(60, 10));
    let server = Server::scripted(Script::new().with(rule));
    let ran = desk.load(&set, &server, &["--concurrency", "4"]).expect(4);
    assert!(ran.error().contains("HTTP 412"), "{ran:?}");
    assert!(ran.error().contains("although no object has the name"), "{ran:?}");
    assert!(!ran.error().contains("overwrite"), "{ran:?}");
    assert!(desk.summary()["not_attempted"].as_u64() > Some(40), "the first ten show it");
}
