//! Ends that nobody wished for: a dead service, a stop in a bad moment, SIGKILL.

use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::sync::Arc;
use std::time::Duration;

use idx2gcs::sink::gcs::{Auth, Gcs};
use idx2gcs::{Exit, Outcome, Transfer};
use idx2gcs_emulator::{Answer, Faults, Operation, Options, Rule, Script};
use tokio_util::sync::CancellationToken;

use crate::support::{Desk, Server, Set, load_until, transfer, until};

fn slow(milliseconds: u64) -> Server {
    let faults = Faults { latency: Duration::from_millis(milliseconds), ..Faults::default() };
    Server::start(Options { faults, ..Options::default() })
}

fn start(desk: &Desk, set: &Set, server: &Server, more: &[&str]) -> Child {
    desk.command(&["load", "--source", set.path().to_str().unwrap(), "--to", "gs://demo/fm"])
        .args(["--endpoint", &server.url(), "--validation", "10", "--progress", "none"])
        .args(more)
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .spawn()
        .unwrap()
}

fn wait_for(server: &Server, inserts: u64) {
    until("inserts", || server.emulator().counters().inserts >= inserts);
}

#[test]
fn a_dead_service_is_recognised_and_told() {
    let script = Script::new().with(Rule::new(Operation::Insert, Answer::status(503)));
    let (desk, set) = (Desk::new(), Set::new(3000, 10));
    let desk = desk
        .env("IDX2GCS_RETRY_MAX_OUTAGE", "1s")
        .env("IDX2GCS_RETRY_MAX_ATTEMPTS", "1000")
        .env("IDX2GCS_RETRY_MAX_BACKOFF", "5s");
    let ran = desk.load(&set, &Server::scripted(script), &[]).expect(1);
    assert!(ran.error().starts_with("gs://demo/fm has stored nothing for 1s (last: HTTP 503"));
    let summary = desk.summary();
    assert_eq!(summary["uploaded"], 0);
    let failed = summary["failed"].as_u64().unwrap();
    assert!((1..=128).contains(&failed), "those in flight: {failed}");
    let listed = desk.read("out/failures.jsonl").lines().count();
    assert_eq!(listed as u64, failed);
    assert!(!desk.exists("out/automl.csv"));
}

#[test]
fn a_service_that_answers_503_from_the_start_is_told() {
    let script = Script::new()
        .with(Rule::new(Operation::Insert, Answer::status(503)))
        .with(Rule::new(Operation::List, Answer::status(503)));
    let (desk, set) = (Desk::new(), Set::new(30, 10));
    let desk = desk.env("IDX2GCS_RETRY_MAX_OUTAGE", "1s");
    let ran = desk.load(&set, &Server::scripted(script), &[]).expect(1);
    assert!(ran.error().starts_with("gs://demo/fm does not work: HTTP 503"), "{ran:?}");
    assert_eq!(desk.summary()["not_attempted"], 40);
}

/// One object that always fails is no outage: the others are stored, and the run ends with that one.
#[test]
fn a_poison_object_costs_one_image() {
    let rule = Rule::new(Operation::Insert, Answer::status(503)).named("fm/image_1.jpg");
    let (desk, set) = (Desk::new(), Set::new(90, 10));
    // It fails for longer than an outage may last, with nothing else left to store.
    let desk =
        desk.env("IDX2GCS_RETRY_MAX_OUTAGE", "300ms").env("IDX2GCS_RETRY_MAX_ATTEMPTS", "20");
    let server = Server::scripted(Script::new().with(rule));
    let ran = desk.load(&set, &server, &["--concurrency", "1"]).expect(1);
    assert!(ran.error().starts_with("1 of 100 images failed"), "{ran:?}");
    assert_eq!(desk.summary()["uploaded"], 99);
}

/// A service that comes back in time costs nothing but time.
#[test]
fn an_outage_that_ends_is_survived() {
    let rule = Rule::new(Operation::Insert, Answer::status(503)).attempts(1..=4);
    let (desk, set) = (Desk::new(), Set::new(30, 10));
    let server = Server::scripted(Script::new().with(rule));
    desk.load(&set, &server, &[]).expect(0);
    assert_eq!(desk.summary()["retries"]["http_503"], 40 * 4);
}

/// Signals are Unix.
#[cfg(unix)]
#[test]
fn a_stop_does_not_wait_for_backoffs() {
    let script = Script::new().with(
        Rule::new(Operation::Insert, Answer::status(503)).matching(|name| name == "fm/image_1.jpg"),
    );
    let (desk, set) = (Desk::new(), Set::new(40, 10));
    // One image waits for an hour; only a stop ends that.
    let desk = desk
        .env("IDX2GCS_RETRY_INITIAL_BACKOFF", "12h")
        .env("IDX2GCS_RETRY_MAX_BACKOFF", "12h")
        .env("IDX2GCS_RETRY_MAX_ELAPSED", "24h")
        .env("IDX2GCS_RETRY_MAX_OUTAGE", "24h");
    let server = Server::scripted(script);
    let mut child = start(&desk, &set, &server, &[]);
    wait_for(&server, 49);
    assert!(signal(&child, "-INT"));
    assert_eq!(child.wait().unwrap().code(), Some(130));
    let summary = desk.summary();
    assert_eq!((&summary["uploaded"], &summary["failed"]), (&49.into(), &1.into()));
}

/// With one request in flight at a time, an image that waits for its next attempt lets the others
/// pass.
#[cfg(unix)]
#[test]
fn an_image_that_waits_holds_no_place() {
    let rule = Rule::new(Operation::Insert, Answer::status(503)).named("fm/image_30.jpg");
    let (desk, set) = (Desk::new(), Set::new(90, 10));
    let desk = desk
        .env("IDX2GCS_RETRY_INITIAL_BACKOFF", "12h")
        .env("IDX2GCS_RETRY_MAX_BACKOFF", "12h")
        .env("IDX2GCS_RETRY_MAX_ELAPSED", "24h")
        .env("IDX2GCS_RETRY_MAX_OUTAGE", "24h");
    let server = Server::scripted(Script::new().with(rule));
    let mut child = start(&desk, &set, &server, &["--concurrency", "1"]);
    wait_for(&server, 99);
    assert!(signal(&child, "-INT"));
    assert_eq!(child.wait().unwrap().code(), Some(130));
    let summary = desk.summary();
    assert_eq!((&summary["uploaded"], &summary["failed"]), (&99.into(), &1.into()));
    assert_eq!(summary["concurrency"]["max"], 1);
}

/// Before the work begins there is nothing to wait for.
#[cfg(unix)]
#[test]
fn a_stop_ends_the_check_at_once() {
    let script = Script::new().with(Rule::new(Operation::List, Answer::Stall));
    let (desk, set) = (Desk::new(), Set::new(40, 10));
    let desk = desk.env("IDX2GCS_RETRY_ATTEMPT_TIMEOUT", "1h");
    let server = Server::scripted(script);
    let mut child = start(&desk, &set, &server, &[]);
    until("a request", || !server.emulator().requests().is_empty());
    assert!(signal(&child, "-INT"));
    assert_eq!(child.wait().unwrap().code(), Some(130));
    assert_eq!(desk.summary()["not_attempted"], 50);
}

/// A load through the library that is stopped as soon as `is_time`, and gives requests in flight 300 ms
/// from then on.
fn stopped(server: &Server, out: &Path, is_time: impl Fn() -> bool) -> Outcome {
    let sink = Gcs::new(&server.url(), "demo", "fm", Auth::Anonymous).unwrap();
    let (set, stop) = (Set::new(40, 10), CancellationToken::new());
    let mut transfer = Transfer { drain: Duration::from_millis(300), ..transfer() };
    transfer.retry.attempt_timeout = Duration::from_hours(1);
    let run = load_until(stop.clone(), Arc::new(sink), &set, out, transfer, 75);
    let stopping = async {
        while !is_time() {
            tokio::time::sleep(Duration::from_millis(1)).await;
        }
        stop.cancel();
    };
    let runtime = tokio::runtime::Runtime::new().unwrap();
    runtime.block_on(async { tokio::join!(run, stopping).0 })
}

/// The manifests are given the same time as images in flight.
#[test]
fn a_stop_while_publishing_is_bounded() {
    let rule = Rule::new(Operation::Insert, Answer::Stall).named("fm/automl.csv");
    let (out, server) = (tempfile::tempdir().unwrap(), Server::scripted(Script::new().with(rule)));
    let outcome = stopped(&server, out.path(), || {
        let requests = server.emulator().requests();
        requests.iter().any(|it| it.operation == Operation::Insert && it.key == "fm/automl.csv")
    });
    assert_eq!(
        (outcome.summary.uploaded, outcome.error.map(|e| e.exit())),
        (50, Some(Exit::Incomplete))
    );
    let left = std::fs::read_dir(out.path()).unwrap().map(|entry| entry.unwrap().file_name());
    let mut left: Vec<_> = left.map(|name| name.into_string().unwrap()).collect();
    left.sort();
    assert_eq!(left, ["report.html", "report.json", "summary.json"], "no half-written manifest");
}

/// A request without an answer is abandoned when the time after a stop is over, and reported.
#[test]
fn a_stop_does_not_wait_for_stalled_requests() {
    let rule = Rule::new(Operation::Insert, Answer::Stall).named("fm/image_1.jpg");
    let (out, server) = (tempfile::tempdir().unwrap(), Server::scripted(Script::new().with(rule)));
    let outcome = stopped(&server, out.path(), || server.emulator().counters().inserts >= 49);
    assert_eq!((outcome.summary.uploaded, outcome.summary.failed), (49, 1));
    let failures = std::fs::read_to_string(out.path().join("failures.jsonl")).unwrap();
    assert!(failures.contains("abandoned in flight"), "{failures}");
}

#[cfg(unix)]
#[test]
fn a_second_signal_leaves_at_once() {
    let script = Script::new()
        .with(Rule::new(Operation::Insert, Answer::Stall).named("fm/image_1.jpg"))
        .with(Rule::new(Operation::Insert, Answer::status(400)).named("fm/image_2.jpg"));
    let (desk, set) = (Desk::new(), Set::new(40, 10));
    let desk = desk.env("IDX2GCS_RETRY_ATTEMPT_TIMEOUT", "1h");
    let server = Server::scripted(script);
    let mut child = start(&desk, &set, &server, &[]);
    // Counted by the program itself, not only by the server.
    until("a failure", || desk.exists("out/failures.jsonl"));
    wait_for(&server, 48);
    // Signals of one kind that come together are one; so they are sent until it is gone.
    while child.try_wait().unwrap().is_none() {
        signal(&child, "-INT");
        std::thread::sleep(Duration::from_millis(20));
    }
    assert_eq!(child.wait().unwrap().code(), Some(130));
    let summary = desk.summary();
    assert_eq!((&summary["failed"], &summary["exit_code"]), (&1.into(), &130.into()));
    assert!(desk.read("out/failures.jsonl").ends_with("}\n"), "no line is cut");
}

#[cfg(unix)]
fn signal(child: &Child, name: &str) -> bool {
    Command::new("kill").args([name, &child.id().to_string()]).status().unwrap().success()
}

/// Killed five times in a row at moments of all kinds; the last run finishes, and each object was
/// written once.
#[test]
fn sigkill_at_any_moment_loses_and_doubles_nothing() {
    let (desk, set, server) = (Desk::new(), Set::new(2000, 100), slow(2));
    for inserts in [1, 300, 301, 900, 1700] {
        let mut child = start(&desk, &set, &server, &["--concurrency", "16"]);
        wait_for(&server, inserts);
        child.kill().unwrap();
        child.wait().unwrap();
        assert!(!desk.exists("out/automl.csv"));
        assert_eq!(server.text("automl.csv"), None);
    }
    desk.load(&set, &server, &[]).expect(0);
    let counters = server.emulator().counters();
    assert_eq!(server.images().len(), 2100);
    assert_eq!((counters.inserts, counters.overwrites), (2102, 0), "2,100 images, 2 manifests");
    let (source, endpoint) = (set.path().to_str().unwrap(), server.url());
    let verify = ["verify", "--source", source, "--to", "gs://demo/fm", "--validation", "10"];
    desk.run(&[&verify[..], &["--endpoint", &endpoint]].concat()).expect(0);
}

/// A write that lands after its client gave up must not become a second generation.
#[test]
fn a_write_that_lands_late_is_written_once() {
    for late in
        [Answer::Delay(Duration::from_millis(700)), Answer::LateAnswer(Duration::from_secs(2))]
    {
        let rule = Rule::new(Operation::Insert, late).named("fm/image_7.jpg").attempt(1);
        let desk = Desk::new().env("IDX2GCS_RETRY_ATTEMPT_TIMEOUT", "300ms");
        let set = Set::new(30, 5);
        let server = Server::scripted(Script::new().with(rule));
        desk.load(&set, &server, &[]).expect(0);
        assert_eq!(desk.summary()["uploaded"], 35);
        assert_eq!(server.emulator().counters().overwrites, 0);
        assert_eq!(server.images().len(), 35);
    }
}

/// The limit of open files leaves less room than was asked for, or hardly any, and that is said.
#[cfg(unix)]
#[test]
fn concurrency_fits_the_limit_of_open_files() {
    let (desk, set, server) = (Desk::new(), Set::new(300, 5), Server::new());
    let (source, endpoint) = (set.path().to_str().unwrap(), server.url());
    let args = ["load", "--source", source, "--to", "gs://demo/fm", "--validation", "10"];
    for (files, wanted, fits) in [(100, "500", 36), (64, "auto", 1)] {
        let more = ["--endpoint", &endpoint, "--concurrency", wanted, "--if-exists", "overwrite"];
        let limited = format!("ulimit -n {files}");
        let output = desk.command_after(&limited, &[&args[..], &more].concat()).output().unwrap();
        let stderr = String::from_utf8_lossy(&output.stderr);
        assert_eq!(output.status.code(), Some(0), "{stderr}");
        let noted = format!("leaves room for {fits} requests in flight instead of ");
        assert!(stderr.contains(&noted), "{stderr}");
        assert!(desk.summary()["concurrency"]["max"].as_u64().unwrap() <= fits);
    }
}
