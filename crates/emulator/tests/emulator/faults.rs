//! Random faults, scripts, the write rate, recording, refusals at the start.

use std::time::{Duration, Instant};

use idx2gcs_emulator::{Answer, Emulator, EmulatorError, Faults, Operation, Options, Rule};
use serde_json::Value;

use super::{BUCKET, Fixture, body, refused};

#[tokio::test]
async fn scripts_decide_attempt_by_attempt() {
    let insert = |answer| Rule::new(Operation::Insert, answer);
    let wait = Some(Duration::from_millis(1_500));
    let busy = Answer::Status { code: 429, reason: None, retry_after: wait, body: None };
    let f = Fixture::scripted([
        insert(busy).named("a").attempt(1),
        insert(Answer::unauthorized()).named("a").attempt(2),
        insert(Answer::ResetBefore).named("a").attempt(3),
        insert(Answer::ResetAfterWrite).named("b"),
        insert(Answer::CutBody).named("c"),
        insert(Answer::Garbage).named("d"),
        insert(Answer::WrongCrc32c).named("e"),
        insert(Answer::WrongName).named("f"),
        insert(Answer::WrongSize).matching(|name| name.starts_with('g')),
        insert(Answer::LateAnswer(Duration::from_millis(1))).named("h"),
        Rule::new(Operation::List, Answer::status(503)).attempt(1),
        Rule::new(Operation::Get, Answer::status(403)).named("h"),
        Rule::new(Operation::Bucket, Answer::status(404)),
    ])
    .await;
    let busy = f.put("a", "x").await;
    assert_eq!(busy.headers()["retry-after"], "2");
    refused(busy, 429, "rateLimitExceeded").await;
    refused(f.put("a", "x").await, 401, "authError").await;
    assert!(f.try_put("a", "x").await.is_err());
    assert_eq!(f.content("a"), None);
    assert_eq!(f.put("a", "x").await.status(), 200);
    assert_eq!(f.emulator.insert_attempts(BUCKET, "a"), 4);

    assert!(f.try_put("b", "x").await.is_err());
    assert!(f.content("b").is_some());
    let cut = f.put("c", "x").await;
    assert_eq!(cut.status(), 200);
    assert!(cut.bytes().await.is_err());
    assert!(f.content("c").is_some());
    let garbage = f.put("d", "x").await.bytes().await.unwrap();
    assert!(serde_json::from_slice::<Value>(&garbage).is_err());
    assert_eq!(body(f.put("e", "x").await).await["crc32c"], "AAAAAA==");
    assert_ne!(body(f.put("f", "x").await).await["name"], "f");
    assert_ne!(body(f.put("g7", "x").await).await["size"], "1");
    assert_eq!(f.put("h", "x").await.status(), 200);

    refused(f.get(&format!("/storage/v1/b/{BUCKET}/o")).await, 503, "backendError").await;
    assert_eq!(f.list("").await["items"].as_array().unwrap().len(), 8);
    refused(f.get(&format!("/storage/v1/b/{BUCKET}/o/h")).await, 403, "forbidden").await;
    refused(f.get(&format!("/storage/v1/b/{BUCKET}")).await, 404, "notFound").await;
    assert_eq!(f.emulator.counters().faults.scripted, 13);
}

#[tokio::test]
async fn a_stalled_insert_hangs_until_the_emulator_stops() {
    let f = Fixture::scripted([Rule::new(Operation::Insert, Answer::Stall)]).await;
    let address =
        format!("{}/upload/storage/v1/b/{BUCKET}/o?uploadType=media&name=a", f.emulator.url());
    let hanging = tokio::spawn(f.client.post(address).body("x").send());
    while f.emulator.counters().faults.scripted == 0 {
        tokio::task::yield_now().await;
    }
    assert!(!hanging.is_finished());
    assert_eq!(f.content("a"), None);
    f.emulator.stop().await;
    assert!(hanging.await.unwrap().is_err());
}

#[tokio::test]
async fn random_faults_come_in_their_shares() {
    let faults = Faults {
        error_rate: 0.2,
        reset_rate: 0.2,
        lost_ack_rate: 0.2,
        retry_after: Some(Duration::from_secs(3)),
        seed: 11,
        ..Faults::default()
    };
    let f = Fixture::start(Options { faults, ..Options::default() }).await;
    let (mut errors, mut broken) = (0, 0);
    for index in 0..200 {
        match f.try_put(&format!("{index}"), "x").await {
            Err(_) => broken += 1,
            Ok(response) if response.status() == 503 => {
                assert_eq!(response.headers()["retry-after"], "3");
                errors += 1;
            }
            Ok(response) => assert_eq!(response.status(), 200),
        }
    }
    let counters = f.emulator.counters();
    assert_eq!(counters.faults.errors, errors);
    assert_eq!(counters.faults.resets + counters.faults.lost_acks, broken);
    // A lost acknowledgement is stored all the same.
    assert_eq!(counters.inserts, 200 - errors - counters.faults.resets);
    for count in [errors, counters.faults.resets, counters.faults.lost_acks] {
        assert!((20..=60).contains(&count), "{counters:?}");
    }
}

#[tokio::test]
async fn every_insert_takes_at_least_the_latency() {
    let latency = Duration::from_millis(30);
    for jitter in [Duration::ZERO, Duration::from_nanos(1)] {
        let faults = Faults { latency, jitter, ..Faults::default() };
        let f = Fixture::start(Options { faults, ..Options::default() }).await;
        let start = Instant::now();
        assert_eq!(f.put("a", "x").await.status(), 200);
        assert!(start.elapsed() + jitter >= latency, "{:?}", start.elapsed());
    }
}

#[tokio::test]
async fn writes_above_the_rate_get_429() {
    let f = Fixture::plain().await;
    f.emulator.set_max_rate(1);
    assert_eq!(f.put("a", "x").await.status(), 200);
    let mut limited = f.put("b", "x").await;
    // On a machine that stood still for a second the first may pass.
    while limited.status() == 200 {
        limited = f.put("b", "x").await;
    }
    refused(limited, 429, "rateLimitExceeded").await;
    assert!(f.emulator.counters().faults.rate_limited >= 1);
    f.emulator.set_max_rate(0);
    assert_eq!(f.put("b", "x").await.status(), 200);
}

#[tokio::test]
async fn requests_are_recorded_when_asked_for() {
    let f = Fixture::start(Options { record: true, ..Options::default() }).await;
    f.put("a%2Fb&ifGenerationMatch=0", "x").await;
    f.list("prefix=a").await;
    let requests = f.emulator.requests();
    assert_eq!(requests.len(), 2);
    assert_eq!((requests[0].operation, requests[0].key.as_str()), (Operation::Insert, "a/b"));
    assert_eq!(requests[0].query("ifGenerationMatch"), Some("0"));
    assert_eq!(requests[0].header("content-length"), Some("1"));
    assert_eq!((requests[1].operation, requests[1].method.as_str()), (Operation::List, "GET"));
    assert_eq!(f.emulator.insert_attempts(BUCKET, "a/b"), 1);
    assert_eq!(f.emulator.counters().max_inserts_in_flight, 1);
}

#[tokio::test]
async fn what_cannot_work_is_refused_at_the_start() {
    let start = |options| Emulator::start(options);
    let remote = Options { addr: "0.0.0.0:0".parse().unwrap(), ..Options::default() };
    assert!(matches!(start(remote.clone()).await, Err(EmulatorError::NotLoopback(_))));
    let faults = Faults { error_rate: 2.0, ..Faults::default() };
    let refused = start(Options { faults, ..Options::default() }).await;
    assert!(matches!(refused, Err(EmulatorError::Faults(_))));
    let refused = start(Options { buckets: vec!["A".to_owned()], ..Options::default() }).await;
    assert!(matches!(refused, Err(EmulatorError::Bucket { .. })));
    let running = start(Options::default()).await.unwrap();
    let refused = start(Options { addr: running.addr(), ..Options::default() }).await;
    assert!(matches!(refused, Err(EmulatorError::Listen { .. })));
}
