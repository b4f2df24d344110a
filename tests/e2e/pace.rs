//! How fast: a service's limit, a changed config file.

use std::fs;
use std::io::{BufRead, BufReader};
use std::process::Stdio;

use idx2gcs_emulator::{Faults, Options};

use crate::support::{Desk, Server, Set, until};

/// Hardly more is refused than it takes to find the limit out, and the run ends exact.
#[test]
fn a_limit_is_found_and_kept_to() {
    // Slow enough for any machine to reach it.
    let (desk, set) = (Desk::new(), Set::new(1100, 100));
    let server = Server::start(Options {
        faults: Faults { max_rate: 400, ..Faults::default() },
        ..Options::default()
    });
    desk.load(&set, &server, &[]).expect(0);
    let refused = server.emulator().counters().faults.rate_limited;
    assert!((1..240).contains(&refused), "{refused} of 1,200");
    let summary = desk.summary();
    assert_eq!(summary["retries"]["http_429"], refused);
    assert_eq!(summary["concurrency"]["mode"], "auto");
    let timeline = summary["timeline"].as_array().unwrap();
    let last = timeline.last().expect("1,200 images at 400 a second take more than a second");
    assert!(last["rate"].as_f64().unwrap() > 0.0, "{last}");
    assert!((1..=refused).contains(&last["limited"].as_u64().unwrap()), "{last}");
}

#[test]
fn a_changed_config_file_takes_effect_during_the_run() {
    let (desk, set, server) = (Desk::new(), Set::new(390, 10), Server::new());
    let config = desk.path("c.toml");
    fs::write(&config, "[upload]\nconcurrency = 2\nmax_rate = 20\n").unwrap();
    let (source, endpoint) = (set.path().to_str().unwrap(), server.url());
    let args = ["load", "--source", source, "--to", "gs://demo/fm", "--endpoint", &endpoint];
    let mut child = desk
        .command(&[&args[..], &["--validation", "10", "--config", "c.toml"]].concat())
        .stdout(Stdio::null())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    let mut lines = BufReader::new(child.stderr.take().unwrap()).lines();
    let mut line_with = |what: &str| {
        lines
            .by_ref()
            .map(Result::unwrap)
            .find(|line| line.contains(what))
            .unwrap_or_else(|| panic!("no line with {what:?}"))
    };
    until("the first objects", || !server.images().is_empty());
    fs::write(&config, "[upload]\nconcurrency = fast\n").unwrap();
    let ignored = line_with("the changed config file is ignored: ");
    assert!(ignored.contains("c.toml:2"), "{ignored}");
    fs::write(&config, "[upload]\nconcurrency = 8\n[image]\nquality = 3\n").unwrap();
    let changed = line_with("config file changed: ");
    assert!(changed.contains("image.quality waits for the next run"), "{changed}");
    assert!(changed.contains("upload.concurrency is 8 now, upload.max_rate is 0 now"), "{changed}");
    line_with("400 of 400 images");
    assert!(child.wait().unwrap().success());
    assert_eq!(desk.summary()["concurrency"]["final"], 8);
    let (_, image) = server.emulator().object("demo", "fm/image_399.jpg").unwrap();
    desk.load(&set, &server, &[]).expect(0);
    assert_eq!(desk.summary()["already_present"], 400, "all of one quality: {} B", image.len());
}
