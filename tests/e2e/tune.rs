//! `tune`: what it finds out, and what it leaves behind on each way out.

use std::fs;

use idx2gcs_emulator::{Answer, Operation, Options, Rule, Script};

use crate::support::{Desk, Ran, Server, Set};

fn args(set: &Set, server: &Server, more: &[&str]) -> Vec<String> {
    let (source, endpoint) = (set.path().to_str().unwrap(), server.url());
    let args = ["tune", "--source", source, "--to", "gs://demo/fm", "--endpoint", &endpoint];
    let args = [&args[..], &["--validation", "10", "--max-concurrency", "16"], more].concat();
    args.into_iter().map(str::to_owned).collect()
}

fn tune(desk: &Desk, set: &Set, server: &Server, more: &[&str]) -> Ran {
    let args = args(set, server, more);
    desk.run(&args.iter().map(String::as_str).collect::<Vec<_>>())
}

fn scripted(rule: Rule) -> Server {
    Server::scripted(Script::new().with(rule))
}

/// All its objects but the first, which is written and removed before anything is measured.
fn measured(name: &str) -> bool {
    name.starts_with("fm/idx2gcs-tune-") && !name.ends_with("/first")
}

#[test]
fn it_measures_recommends_and_leaves_nothing_behind() {
    let (desk, set, server) = (Desk::new(), Set::new(90, 10), Server::new());
    fs::write(desk.path("c.toml"), "# mine\n[upload]\nqueue = 9 # nine\n").unwrap();
    let ran = tune(&desk, &set, &server, &["--write", "c.toml"]).expect(0);
    assert!(ran.stdout.starts_with("in flight   images/s"), "{ran:?}");
    assert!(ran.stdout.contains("\n        8  "), "{ran:?}");
    assert!(ran.stdout.contains("\nrecommended: concurrency = "), "{ran:?}");
    assert!(server.emulator().counters().inserts > 100);
    assert!(server.emulator().objects("demo").is_empty());
    let config = desk.read("c.toml");
    assert!(config.starts_with("# mine\n[upload]\nqueue = 9 # nine\nconcurrency = "), "{config}");
    desk.load(&set, &server, &["--config", "c.toml"]).expect(0);
    assert_eq!(desk.summary()["concurrency"]["mode"], "fixed");
}

#[test]
fn where_nothing_may_be_removed_nothing_is_measured() {
    let server = scripted(Rule::new(Operation::Delete, Answer::status(403)));
    let ran = tune(&Desk::new(), &Set::new(30, 10), &server, &[]).expect(4);
    assert!(ran.error().contains("cannot be removed again, so nothing was measured"), "{ran:?}");
    let stays = server.emulator().objects("demo");
    assert_eq!(stays.len(), 1);
    assert!(ran.error().ends_with(&format!("one object stays: gs://demo/{}", stays[0].name)));
    assert_eq!(ran.stdout, "");
}

#[test]
fn what_could_not_be_removed_is_named() {
    let server = scripted(Rule::new(Operation::Delete, Answer::status(403)).matching(measured));
    let ran = tune(&Desk::new(), &Set::new(30, 10), &server, &[]).expect(1);
    assert!(ran.error().contains("could not be removed again (HTTP 403"), "{ran:?}");
    let stays = server.emulator().objects("demo");
    let below = ran.error().rsplit_once("their names begin with gs://demo/").unwrap().1;
    assert!(stays.iter().all(|object| object.name.starts_with(below)), "{below}");
    assert!(ran.stdout.contains("recommended: "), "{ran:?}");
}

#[test]
fn it_refuses_before_it_works() {
    let (desk, set, server) = (Desk::new(), Set::new(30, 10), Server::new());
    fs::write(desk.path("c.toml"), "[upload\n").unwrap();
    let ran = tune(&desk, &set, &server, &["--write", "c.toml"]).expect(2);
    assert!(ran.error().starts_with("c.toml: is not valid TOML: "), "{ran:?}");
    assert_eq!(server.emulator().counters().inserts, 0);
    let server = scripted(Rule::new(Operation::Insert, Answer::status(403)));
    let ran = tune(&desk, &set, &server, &[]).expect(4);
    assert!(ran.error().starts_with("gs://demo/fm: HTTP 403"), "{ran:?}");
}

/// Requests that are never answered are errors, and neither they nor their removal hold anything up.
#[test]
fn stalled_answers_end() {
    let stalled = |name: &str| measured(name) && name.ends_with('7');
    let script = Script::new()
        .with(Rule::new(Operation::Insert, Answer::Stall).matching(stalled))
        .with(Rule::new(Operation::Delete, Answer::Stall).matching(stalled).attempt(1));
    let server = Server::start(Options { script, ..Options::default() });
    let desk = Desk::new().env("IDX2GCS_RETRY_ATTEMPT_TIMEOUT", "200ms");
    let ran = tune(&desk, &Set::new(30, 10), &server, &[]).expect(0);
    assert!(ran.stdout.contains("recommended: "), "{ran:?}");
    assert!(server.emulator().objects("demo").is_empty());
}

#[cfg(unix)]
mod signals {
    use std::process::{Child, Command, Stdio};
    use std::time::Duration;

    use super::*;
    use crate::support::until;

    /// Started against a server, with an hour for each attempt.
    fn start(desk: &Desk, set: &Set, server: &Server) -> Child {
        let args = args(set, server, &[]);
        let mut command = desk.command(&args.iter().map(String::as_str).collect::<Vec<_>>());
        command.env("IDX2GCS_RETRY_ATTEMPT_TIMEOUT", "1h");
        command.stdout(Stdio::null()).stderr(Stdio::piped()).spawn().unwrap()
    }

    fn signal(child: &Child, name: &str) {
        let id = child.id().to_string();
        assert!(Command::new("kill").args([name, &id]).status().unwrap().success());
    }

    fn until_measured(server: &Server, operation: Operation) {
        until("a request", || {
            let requests = server.emulator().requests();
            requests.iter().any(|r| r.operation == operation && measured(&r.key))
        });
    }

    /// The first one abandons what is in flight and removes what was written.
    #[test]
    fn a_signal_ends_it_in_the_middle_of_stalled_writes() {
        let rule = Rule::new(Operation::Insert, Answer::Stall);
        let stalled = |name: &str| measured(name) && !name.ends_with('1');
        let (desk, set) = (Desk::new(), Set::new(30, 10));
        for (name, code) in [("-INT", 130), ("-TERM", 143)] {
            let server = scripted(rule.clone().matching(stalled));
            let child = start(&desk, &set, &server);
            until_measured(&server, Operation::Insert);
            signal(&child, name);
            let ran: Ran = child.wait_with_output().unwrap().into();
            assert_eq!(ran.code, code, "{ran:?}");
            assert!(ran.stderr.contains("stopping: removing what was written"), "{ran:?}");
            assert!(server.emulator().objects("demo").is_empty());
        }
    }

    #[test]
    fn a_second_signal_says_what_may_remain() {
        let server = scripted(Rule::new(Operation::Delete, Answer::Stall).matching(measured));
        let (desk, set) = (Desk::new(), Set::new(30, 10));
        let mut child = start(&desk, &set, &server);
        until_measured(&server, Operation::Delete);
        // Signals of one kind that come together are one; so they are sent until it is gone.
        while child.try_wait().unwrap().is_none() {
            signal(&child, "-INT");
            std::thread::sleep(Duration::from_millis(20));
        }
        let ran: Ran = child.wait_with_output().unwrap().into();
        assert_eq!(ran.code, 130, "{ran:?}");
        assert!(ran.stderr.contains("objects below gs://demo/fm/idx2gcs-tune-"), "{ran:?}");
        assert!(ran.stderr.contains("may remain"), "{ran:?}");
    }

    #[test]
    fn a_signal_ends_the_check() {
        let server = scripted(Rule::new(Operation::List, Answer::Stall));
        let (desk, set) = (Desk::new(), Set::new(30, 10));
        let child = start(&desk, &set, &server);
        until("a request", || !server.emulator().requests().is_empty());
        signal(&child, "-INT");
        let ran: Ran = child.wait_with_output().unwrap().into();
        assert_eq!(ran.code, 130, "{ran:?}");
        assert_eq!(server.emulator().counters().inserts, 0);
    }
}
