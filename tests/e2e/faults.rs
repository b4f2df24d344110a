//! Bad days: each image is stored once, or its failure is told.

use std::io::{BufRead, BufReader};
use std::process::{Command, Stdio};
use std::time::Duration;

use idx2gcs_emulator::{Answer, Faults, Operation, Options, Rule, Script};

use crate::support::{Desk, Server, Set, for_each_row};

fn on_insert(answer: Answer) -> Rule {
    Rule::new(Operation::Insert, answer)
}

/// Faults that pass: the object and how often it was asked for.
#[test]
fn a_passing_fault_is_retried() {
    let rows = [
        ("408", Answer::status(408), "http_408"),
        ("429", Answer::status(429), "http_429"),
        ("500", Answer::status(500), "http_500"),
        ("503", Answer::status(503), "http_503"),
        ("401", Answer::unauthorized(), "http_401"),
        ("reset before the write", Answer::ResetBefore, "closed"),
        ("answer lost", Answer::ResetAfterWrite, "closed"),
        ("answer cut off", Answer::CutBody, "cut_off"),
        ("answer garbled", Answer::Garbage, "unparsable"),
        ("checksum of another", Answer::WrongCrc32c, "mismatch"),
        ("size of another", Answer::WrongSize, "mismatch"),
        ("name of another", Answer::WrongName, "mismatch"),
    ];
    for_each_row(rows, |(_, answer, cause)| {
        let rule = on_insert(answer).named("fm/image_7.jpg").attempt(1);
        let (desk, set) = (Desk::new(), Set::new(30, 5));
        let server = Server::scripted(Script::new().with(rule));
        desk.load(&set, &server, &[]).expect(0);
        let summary = desk.summary();
        assert_eq!(summary["uploaded"], 35);
        assert_eq!(summary["retries"][cause], 1, "{summary:#}");
        assert_eq!(server.images().len(), 35);
        assert_eq!(server.emulator().counters().overwrites, 0);
        assert_eq!(server.emulator().insert_attempts("demo", "fm/image_7.jpg"), 2);
    });
}

#[test]
fn a_rate_limit_in_the_shape_of_a_403_is_retried() {
    let limited = Answer::Status {
        code: 403,
        reason: Some("rateLimitExceeded".to_owned()),
        retry_after: None,
        body: None,
    };
    let rule = on_insert(limited).named("fm/image_7.jpg").attempts(1..=2);
    let (desk, set) = (Desk::new(), Set::new(30, 5));
    let server = Server::scripted(Script::new().with(rule));
    desk.load(&set, &server, &[]).expect(0);
    assert_eq!(desk.summary()["retries"]["rate_limited"], 2);
}

#[test]
fn a_stalled_request_times_out_and_is_retried() {
    let rule = on_insert(Answer::Stall).named("fm/image_7.jpg").attempt(1);
    let desk = Desk::new().env("IDX2GCS_RETRY_ATTEMPT_TIMEOUT", "500ms");
    let set = Set::new(30, 5);
    let server = Server::scripted(Script::new().with(rule));
    desk.load(&set, &server, &[]).expect(0);
    // Where this machine is slow, others may take as long.
    assert!(desk.summary()["retries"]["timeout"].as_u64() >= Some(1));
    assert!(server.emulator().insert_attempts("demo", "fm/image_7.jpg") >= 2);
    assert_eq!(server.images().len(), 35);
}

#[test]
fn an_image_that_cannot_be_stored_is_told_and_no_manifest_appears() {
    let rule = on_insert(Answer::status(503)).named("fm/image_7.jpg");
    let desk = Desk::new().env("IDX2GCS_RETRY_MAX_ATTEMPTS", "3");
    let set = Set::new(30, 5);
    let server = Server::scripted(Script::new().with(rule));
    let ran = desk.load(&set, &server, &[]).expect(1);
    assert_eq!(
        ran.error(),
        "1 of 35 images failed, see out/failures.jsonl; run the same command again to finish"
    );
    let failures = desk.read("out/failures.jsonl");
    let failure: serde_json::Value = serde_json::from_str(failures.trim()).unwrap();
    assert_eq!(failure["index"], 7);
    assert_eq!(failure["object"], "image_7.jpg");
    assert_eq!(failure["attempts"], 3);
    assert!(failure["last_error"].as_str().unwrap().starts_with("HTTP 503"), "{failure}");
    let summary = desk.summary();
    assert_eq!((&summary["uploaded"], &summary["failed"]), (&34.into(), &1.into()));
    assert_eq!(summary["exit_code"], 1);
    assert!(!desk.exists("out/automl.csv"));
    assert_eq!(server.text("automl.csv"), None);
}

#[test]
fn a_fault_that_stays_is_not_retried() {
    let rule = on_insert(Answer::status(400)).named("fm/image_7.jpg");
    let (desk, set) = (Desk::new(), Set::new(30, 5));
    let server = Server::scripted(Script::new().with(rule));
    desk.load(&set, &server, &[]).expect(1);
    assert_eq!(server.emulator().insert_attempts("demo", "fm/image_7.jpg"), 1);
}

#[test]
fn abort_stops_at_the_first_failure() {
    let rule = on_insert(Answer::status(400)).named("fm/image_0.jpg");
    let (desk, set) = (Desk::new(), Set::new(500, 5));
    let server = Server::scripted(Script::new().with(rule));
    desk.load(&set, &server, &["--on-error", "abort", "--concurrency", "1"]).expect(1);
    let summary = desk.summary();
    assert_eq!((&summary["failed"], &summary["not_attempted"]), (&1.into(), &504.into()));
}

/// A body that does not end must not be kept.
#[test]
fn an_answer_of_any_length_is_bounded() {
    let endless = Answer::Status {
        code: 200,
        reason: None,
        retry_after: None,
        body: Some("{\"name\":\"".to_owned() + &"x".repeat(100 << 20)),
    };
    let rule = Rule::new(Operation::Insert, endless).named("fm/image_7.jpg").attempt(1);
    let (desk, set) = (Desk::new(), Set::new(30, 5));
    let server = Server::scripted(Script::new().with(rule));
    desk.load(&set, &server, &[]).expect(0);
    let summary = desk.summary();
    assert_eq!(summary["retries"]["unparsable"], 1, "{summary:#}");
    assert!(summary["peak_rss_bytes"].as_u64().unwrap() < 64_000_000, "{summary:#}");
}

#[test]
fn pages_may_be_empty_but_must_advance() {
    let page = |body: &str| Answer::Status {
        code: 200,
        reason: None,
        retry_after: None,
        body: Some(body.to_owned()),
    };
    let (desk, set) = (Desk::new(), Set::new(30, 5));
    // The check asks first, then the listing.
    // A token as the emulator makes them: after the object of that name.
    let token = data_encoding::BASE64URL_NOPAD.encode(b"ofm/image_");
    let empty_page = page(&format!(r#"{{"nextPageToken":"{token}"}}"#));
    let empty = Rule::new(Operation::List, empty_page.clone()).attempt(4);
    let server = Server::scripted(Script::new().with(empty));
    desk.load(&set, &server, &[]).expect(0);
    desk.load(&set, &server, &[]).expect(0);
    assert_eq!(desk.summary()["already_present"], 35, "an empty page is not the last");

    let desk = desk.env("IDX2GCS_RETRY_MAX_ATTEMPTS", "3");
    let long = page(&format!(r#"{{"nextPageToken":"{}"}}"#, "x".repeat(100_000)));
    for (always, says) in [(empty_page, "does not advance"), (long, "token is too long")] {
        let script = Script::new().with(Rule::new(Operation::List, always));
        let ran = desk.load(&set, &Server::scripted(script), &[]).expect(1);
        assert!(ran.error().contains(says), "{ran:?}");
    }
}

#[test]
fn all_faults_at_once_end_exactly() {
    let faults = Faults {
        error_rate: 0.05,
        reset_rate: 0.03,
        lost_ack_rate: 0.03,
        jitter: Duration::from_millis(1),
        latency: Duration::from_millis(1),
        ..Faults::default()
    };
    let (desk, set) = (Desk::new(), Set::new(2000, 100));
    let server = Server::start(Options { faults, ..Options::default() });
    desk.load(&set, &server, &[]).expect(0);
    assert_eq!(server.images().len(), 2100);
    let counters = server.emulator().counters();
    assert!(counters.faults.errors > 0 && counters.faults.lost_acks > 0, "{counters:?}");
    assert_eq!(counters.overwrites, 0);
    assert_eq!(desk.summary()["uploaded"], 2100);
    assert_eq!(desk.read("out/automl.csv").lines().count(), 2100);
}

fn too_many(retry_after: Option<Duration>) -> Answer {
    let reason = Some("rateLimitExceeded".to_owned());
    Answer::Status { code: 429, reason, retry_after, body: None }
}

/// Being refused because of others says nothing of an image.
#[test]
fn a_429_uses_up_no_attempt() {
    let rule = on_insert(too_many(None)).named("fm/image_7.jpg").attempts(1..=5);
    let desk = Desk::new().env("IDX2GCS_RETRY_MAX_ATTEMPTS", "2");
    let server = Server::scripted(Script::new().with(rule));
    desk.load(&Set::new(30, 5), &server, &[]).expect(0);
    assert_eq!(desk.summary()["retries"]["http_429"], 5);
    assert_eq!(server.emulator().insert_attempts("demo", "fm/image_7.jpg"), 6);
}

#[test]
fn a_requested_pause_is_kept() {
    let rule = on_insert(too_many(Some(Duration::from_secs(1)))).named("fm/image_7.jpg").attempt(1);
    let (desk, set) = (Desk::new(), Set::new(30, 5));
    let server = Server::scripted(Script::new().with(rule));
    let ran = desk.load(&set, &server, &[]).expect(0);
    let summary = desk.summary();
    assert_eq!(summary["retries"]["http_429"], 1);
    assert!(summary["elapsed_s"].as_f64().unwrap() >= 1.0, "{summary:#}");
    assert!(!ran.stderr.contains("asks for a pause"), "{ran:?}");
}

/// However long a pause a service asks for, it is cut to two minutes, noted on one line, and ended by a
/// signal.
#[cfg(unix)]
#[test]
fn a_long_pause_is_noted_and_does_not_hold_a_stop_up() {
    for pause in [Duration::from_mins(3), Duration::from_secs(u64::MAX)] {
        let rule = on_insert(too_many(Some(pause))).matching(|name| name == "fm/image_7.jpg");
        let (desk, set) = (Desk::new(), Set::new(90, 10));
        let server = Server::scripted(Script::new().with(rule));
        let (source, endpoint) = (set.path().to_str().unwrap(), server.url());
        let args = ["load", "--source", source, "--to", "gs://demo/fm", "--validation", "10"];
        let mut child = desk
            .command(&[&args[..], &["--endpoint", &endpoint]].concat())
            .stdout(Stdio::null())
            .stderr(Stdio::piped())
            .spawn()
            .unwrap();
        let mut lines = BufReader::new(child.stderr.take().unwrap()).lines().map(Result::unwrap);
        let noted = lines.by_ref().find(|line| line.contains("asks for a pause")).unwrap();
        assert!(noted.contains("a pause of 2m (HTTP 429"), "{noted}");
        let id = child.id().to_string();
        assert!(Command::new("kill").args(["-INT", &id]).status().unwrap().success());
        let rest: Vec<_> = lines.collect();
        assert_eq!(child.wait().unwrap().code(), Some(130), "{rest:?}");
        assert!(!rest.iter().any(|line| line.contains("asks for a pause")), "{rest:?}");
        assert_eq!(desk.summary()["retries"]["http_429"], 1);
    }
}
