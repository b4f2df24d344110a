//! Large manifests: files that go in chunks, over links that are slow or break.

use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use idx2gcs::Backoff;
use idx2gcs::Limits;
use idx2gcs::internals::{Retry, Tried};
use idx2gcs::sink::{Auth, Body, FaultKind, Gcs, NewObject, Precondition, Stored, TimedSink};
use idx2gcs_emulator::{Answer, Operation, RecordedRequest, Rule, Script};
use tempfile::TempDir;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tokio_util::sync::CancellationToken;

use crate::support::fake_gcs::FakeGcs;
use crate::support::{Server, for_each_row};

const MIB: usize = 1 << 20;

/// A file of so many bytes, as an object.
struct Manifest {
    content: Vec<u8>,
    path: PathBuf,
    _dir: TempDir,
}

impl Manifest {
    fn new(size: usize) -> Self {
        let content: Vec<u8> = (0..size).map(|i| u8::try_from(i * 7 % 251).unwrap()).collect();
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("rows.csv");
        std::fs::write(&path, &content).unwrap();
        Self { content, path, _dir: dir }
    }

    fn object(&self) -> NewObject {
        NewObject {
            name: "rows.csv".to_owned(),
            body: Body::file(self.path.clone(), self.content.len() as u64),
            crc32c: crc32c::crc32c(&self.content),
            content_type: "text/csv",
            metadata: Vec::new(),
        }
    }

    /// Stores it as a run does.
    fn store(&self, endpoint: &str, attempt: Duration, max_attempts: u32) -> Tried<Stored> {
        let limits = Limits {
            max_attempts,
            max_elapsed: Duration::from_secs(20),
            attempt_timeout: attempt,
            backoff: Backoff { initial: Duration::from_millis(1), max: Duration::from_millis(5) },
            max_outage: Duration::from_secs(20),
        };
        let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build().unwrap();
        let stored = runtime.block_on(async {
            let gcs = Gcs::new(endpoint, "demo", "fm", Auth::Anonymous).unwrap();
            let sink = TimedSink::new(Arc::new(gcs), attempt);
            let retry = Retry::new(limits, CancellationToken::new());
            let object = self.object();
            let put = |within| sink.put(&object, Precondition::Absent, within);
            retry.run(|_| (), put).await
        });
        runtime.shutdown_background();
        stored
    }

    /// Fails unless the server has it whole, once.
    fn is_at(&self, server: &Server) {
        let (object, bytes) = server.emulator().object("demo", "fm/rows.csv").unwrap();
        assert!(bytes == self.content, "{object:?}");
        assert_eq!(object.content_type.as_deref(), Some("text/csv"));
        assert_eq!(server.emulator().counters().overwrites, 0);
    }
}

const ATTEMPT: Duration = Duration::from_secs(20);

fn requests(server: &Server, operation: Operation) -> Vec<RecordedRequest> {
    let mut requests = server.emulator().requests();
    requests.retain(|request| request.operation == operation);
    requests
}

/// The first bytes of the chunks that were sent.
fn chunks(server: &Server) -> Vec<usize> {
    let chunks = requests(server, Operation::Insert);
    let first = |request: &RecordedRequest| {
        let range = request.header("content-range")?.strip_prefix("bytes ")?.to_owned();
        range.split_once('-')?.0.parse().ok()
    };
    chunks.iter().filter_map(first).collect()
}

#[test]
fn a_large_file_goes_in_chunks_and_a_small_one_at_once() {
    let (small, large) = (Manifest::new(MIB / 2), Manifest::new(5 * MIB + 3));
    let server = Server::new();
    small.store(&server.url(), ATTEMPT, 1).result.unwrap();
    small.is_at(&server);
    assert_eq!(chunks(&server), Vec::<usize>::new());
    let server = Server::new();
    large.store(&server.url(), ATTEMPT, 1).result.unwrap();
    large.is_at(&server);
    assert_eq!(chunks(&server)[..2], [0, MIB / 2]);
    let session = requests(&server, Operation::Session);
    assert_eq!(session.len(), 1);
    assert_eq!(session[0].query("ifGenerationMatch"), Some("0"));
}

/// Between a fault and the end lies only what had not arrived.
#[test]
fn what_has_arrived_is_not_sent_again() {
    let rows = [
        ("reset before the second chunk", Answer::ResetBefore, 2, 1),
        ("answer to the second chunk lost", Answer::ResetAfterWrite, 2, 1),
        ("503 to the second chunk", Answer::status(503), 2, 1),
        ("answer to the last chunk lost", Answer::ResetAfterWrite, 4, 1),
        ("answer to the last chunk cut off", Answer::CutBody, 4, 1),
        ("the service forgets the upload", Answer::status(410), 2, 2),
    ];
    for_each_row(rows, |(what, answer, attempt, sessions)| {
        let manifest = Manifest::new(5 * MIB);
        let named = |rule: Rule| rule.named("fm/rows.csv").attempt(attempt);
        let rule = named(Rule::new(Operation::Insert, answer.clone()));
        let server = Server::scripted(Script::new().with(rule));
        manifest.store(&server.url(), ATTEMPT, 2).result.unwrap();
        manifest.is_at(&server);
        assert_eq!(requests(&server, Operation::Session).len(), sessions, "{what}");
        let sent = chunks(&server);
        let from_the_start = sent.iter().filter(|first| **first == 0).count();
        assert_eq!(from_the_start, sessions, "{what}: {sent:?}");
    });
}

/// Each fault that comes after progress begins the count of attempts anew: with two attempts, a file
/// survives a link that breaks at every other chunk.
#[test]
fn faults_between_which_a_file_gets_further_do_not_add_up() {
    let manifest = Manifest::new(9 * MIB);
    let mut script = Script::new();
    for attempt in [2, 4, 6] {
        script = script.with(Rule::new(Operation::Insert, Answer::status(503)).attempt(attempt));
    }
    let server = Server::scripted(script);
    let tried = manifest.store(&server.url(), ATTEMPT, 2);
    tried.result.unwrap();
    assert_eq!(tried.attempts, 4);
    manifest.is_at(&server);
}

#[test]
fn an_object_that_exists_is_not_replaced_by_a_file() {
    let (first, server) = (Manifest::new(2 * MIB), Server::new());
    first.store(&server.url(), ATTEMPT, 1).result.unwrap();
    let second = Manifest::new(3 * MIB);
    let fault = second.store(&server.url(), ATTEMPT, 3).result.unwrap_err();
    assert_eq!(fault.kind, FaultKind::Precondition);
    first.is_at(&server);
}

/// Passes at most so many bytes a second on to the server.
async fn slow_link(to: std::net::SocketAddr, bytes_a_second: u64) -> String {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("http://{}", listener.local_addr().unwrap());
    tokio::spawn(async move {
        loop {
            let (client, _) = listener.accept().await.unwrap();
            let server = TcpStream::connect(to).await.unwrap();
            let ((mut from, mut back), (mut down, mut up)) =
                (client.into_split(), server.into_split());
            tokio::spawn(async move { tokio::io::copy(&mut down, &mut back).await });
            tokio::spawn(async move {
                let mut piece = vec![0; 16 << 10];
                while let Ok(n @ 1..) = from.read(&mut piece).await {
                    let wait = Duration::from_micros(n as u64 * 1_000_000 / bytes_a_second);
                    tokio::time::sleep(wait).await;
                    if up.write_all(&piece[..n]).await.is_err() {
                        return;
                    }
                }
            });
        }
    });
    url
}

/// The whole file takes many times the time of one attempt, and a chunk of the usual size more than one.
#[test]
fn a_file_arrives_over_a_slow_link() {
    let (manifest, server) = (Manifest::new(3 * MIB), Server::new());
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build().unwrap();
    let url = runtime.block_on(slow_link(server.emulator().addr(), 1_000_000));
    let tried = manifest.store(&url, Duration::from_millis(700), 3);
    assert!(tried.result.is_ok(), "{tried:?}");
    manifest.is_at(&server);
    runtime.shutdown_background();
}

#[test]
#[ignore = "needs fake-gcs-server; scripts/test.sh runs it"]
fn others_take_chunks_too() {
    let (manifest, fake) = (Manifest::new(5 * MIB + 3), FakeGcs::start());
    fake.create_bucket("demo");
    let stored = manifest.store(&fake.url(), ATTEMPT, 1).result.unwrap();
    assert!(stored.holds(&manifest.object()));
}
