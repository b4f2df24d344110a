//! `emulate`: the emulator as a program of its own.

use std::fs;
use std::io::{BufRead, BufReader};
use std::process::{Child, Command, Stdio};

use crate::support::{Desk, Ran, Set, for_each_row};

/// A running `emulate`, killed when dropped.
struct Emulate {
    child: Child,
    url: String,
}

impl Emulate {
    /// Starts it on a free port, and reads where it serves.
    fn start(desk: &Desk, more: &[&str]) -> Self {
        let args = [&["emulate", "--port", "0", "--bucket", "demo"], more].concat();
        let mut child = desk.command(&args).stdout(Stdio::piped()).spawn().unwrap();
        let mut line = String::new();
        BufReader::new(child.stdout.take().unwrap()).read_line(&mut line).unwrap();
        let (url, advice) = line.trim_end().split_once("; use it with: ").expect(&line);
        let url = url.strip_prefix("serving ").unwrap().to_owned();
        assert_eq!(advice, format!("export STORAGE_EMULATOR_HOST={url}"));
        Self { child, url }
    }

    fn load(&self, desk: &Desk, set: &Set, more: &[&str]) -> Ran {
        let source = set.path().to_str().unwrap();
        let args = ["load", "--source", source, "--to", "gs://demo/fm", "--validation", "10"];
        desk.run(&[&args[..], &["--endpoint", &self.url], more].concat())
    }
}

impl Drop for Emulate {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

#[test]
fn objects_are_files_and_outlive_it() {
    let (desk, set) = (Desk::new(), Set::new(30, 5));
    let emulate = Emulate::start(&desk, &["--dir", "storage"]);
    emulate.load(&desk, &set, &[]).expect(0);
    drop(emulate);
    let jpeg = fs::read(desk.path("storage/demo/fm/image_34.jpg")).unwrap();
    assert!(image::load_from_memory(&jpeg).is_ok());
    let again = Emulate::start(&desk, &["--dir", "storage"]);
    again.load(&desk, &set, &[]).expect(0);
    assert_eq!(desk.summary()["already_present"], 35);
}

/// Each fault by its flag: what the run counts, and that it ends.
#[test]
fn faults_are_flags() {
    let rows = [
        (&["--error-rate", "0.5"][..], "http_503"),
        (&["--reset-rate", "0.5"], "closed"),
        (&["--lost-ack-rate", "0.5"], "closed"),
        (&["--stall-rate", "0.3"], "timeout"),
        (&["--max-rate", "200", "--retry-after", "100ms"], "http_429"),
    ];
    for_each_row(rows, |(flags, cause)| {
        let desk = Desk::new().env("IDX2GCS_RETRY_ATTEMPT_TIMEOUT", "500ms");
        let emulate = Emulate::start(&desk, flags);
        emulate.load(&desk, &Set::new(30, 5), &["--concurrency", "16"]).expect(0);
        let summary = desk.summary();
        assert_eq!(summary["uploaded"], 35);
        assert!(summary["retries"][cause].as_u64() > Some(0), "{}", summary["retries"]);
    });
    // A seed says which write meets which fault.
    let retries = |seed: &str| {
        let (desk, set) = (Desk::new(), Set::new(30, 5));
        let emulate = Emulate::start(&desk, &["--error-rate", "0.3", "--fault-seed", seed]);
        emulate.load(&desk, &set, &["--concurrency", "1"]).expect(0);
        desk.summary()["retries"].clone()
    };
    assert_eq!(retries("7"), retries("7"));
}

#[test]
fn what_cannot_be_is_refused() {
    let rows = [
        (&["--error-rate", "2"][..], "error_rate"),
        (&["--error-rate", "0.6", "--stall-rate", "0.6"], ""),
        (&["--address", "0.0.0.0"], "is not a loopback address"),
        (&["--port", "70000"], "--port"),
        (&["--latency", "soon"], "--latency"),
    ];
    for_each_row(rows, |(flags, says)| {
        let ran = Desk::new().run(&[&["emulate", "--port", "0"], flags].concat());
        assert!(ran.code == 2 && ran.stderr.contains(says), "{ran:?}");
    });
}

#[cfg(unix)]
#[test]
fn a_signal_ends_it_well() {
    for_each_row(["-INT", "-TERM"], |signal| {
        let desk = Desk::new();
        let mut emulate = Emulate::start(&desk, &[]);
        let id = emulate.child.id().to_string();
        assert!(Command::new("kill").args([signal, &id]).status().unwrap().success());
        assert_eq!(emulate.child.wait().unwrap().code(), Some(0));
    });
}

/// An address of IPv6 stands in brackets.
#[test]
#[ignore = "needs IPv6 on loopback; scripts/test.sh runs it"]
fn ipv6_is_served_and_loaded_into() {
    let (desk, set) = (Desk::new(), Set::new(30, 5));
    let emulate = Emulate::start(&desk, &["--address", "::1"]);
    assert!(emulate.url.starts_with("http://[::1]:"), "{}", emulate.url);
    emulate.load(&desk, &set, &[]).expect(0);
    assert_eq!(desk.summary()["uploaded"], 35);
    // As Google's libraries take it, without a scheme.
    let desk = desk.env("STORAGE_EMULATOR_HOST", emulate.url.trim_start_matches("http://"));
    let source = set.path().to_str().unwrap();
    let args = ["load", "--source", source, "--to", "gs://demo/fm", "--validation", "10"];
    desk.run(&args).expect(0);
    assert_eq!(desk.summary()["already_present"], 35);
}
