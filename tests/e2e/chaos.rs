//! Every fault at once, with many seeds: each run ends exact, and nothing is written twice.

use std::time::Duration;

use idx2gcs_emulator::{Faults, Options};

use crate::support::{Desk, Server, Set};

fn exact_under_faults(set: &Set, images: u32, seed: u64) {
    let faults = Faults {
        error_rate: 0.05,
        reset_rate: 0.02,
        lost_ack_rate: 0.02,
        stall_rate: 0.002,
        latency: Duration::from_millis(2),
        jitter: Duration::from_millis(2),
        seed,
        ..Faults::default()
    };
    let desk = Desk::new().env("IDX2GCS_RETRY_ATTEMPT_TIMEOUT", "1s");
    let server = Server::start(Options { faults, ..Options::default() });
    desk.load(set, &server, &[]).expect(0);
    let counters = server.emulator().counters();
    assert_eq!(server.images().len(), images as usize, "seed {seed}");
    assert_eq!(counters.overwrites, 0, "seed {seed}");
    assert_eq!(counters.inserts, u64::from(images) + 2, "seed {seed}");
    let met = counters.faults;
    assert!(met.errors > 0 && met.resets > 0 && met.lost_acks > 0 && met.stalls > 0, "{met:?}");
    assert_eq!(desk.summary()["uploaded"], images, "seed {seed}");
    let (source, endpoint) = (set.path().to_str().unwrap(), server.url());
    let verify = ["verify", "--source", source, "--to", "gs://demo/fm", "--validation", "10"];
    desk.run(&[&verify[..], &["--endpoint", &endpoint]].concat()).expect(0);
}

/// Four tests, which run at the same time, with a seed each; `IDX2GCS_TEST_SEEDS` gives each more
/// (`scripts/soak.sh`).
fn chaos(quarter: u64) {
    let seeds = std::env::var("IDX2GCS_TEST_SEEDS").map_or(1, |n| n.parse().unwrap());
    let set = Set::new(4900, 100);
    for seed in 0..seeds {
        exact_under_faults(&set, 5000, seed * 4 + quarter);
    }
}

#[test]
fn chaos_ends_exact_1() {
    chaos(0);
}

#[test]
fn chaos_ends_exact_2() {
    chaos(1);
}

#[test]
fn chaos_ends_exact_3() {
    chaos(2);
}

#[test]
fn chaos_ends_exact_4() {
    chaos(3);
}
