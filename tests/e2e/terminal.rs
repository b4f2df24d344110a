//! What is shown: the bar in terminals of several widths, colours, log lines in JSON.

use std::time::Duration;

use idx2gcs_emulator::{Answer, Faults, Operation, Options, Rule, Script};

use crate::support::terminal::{Shown, run_in_terminal};
use crate::support::{Desk, Server, Set, for_each_row};

/// A load in a terminal that takes about a second.
fn load(desk: &Desk, columns: u16, more: &[&str]) -> Shown {
    let set = Set::new(150, 50);
    let faults = Faults { latency: Duration::from_millis(20), ..Faults::default() };
    let server = Server::start(Options { faults, ..Options::default() });
    let (source, endpoint) = (set.path().to_str().unwrap(), server.url());
    let args = ["load", "--source", source, "--to", "gs://demo/fm", "--endpoint", &endpoint];
    let args = [&args[..], &["--validation", "10", "--concurrency", "4"], more].concat();
    run_in_terminal(desk.command(&args), columns)
}

/// Whether a text has a sequence that sets a colour or a weight.
fn has_colour(text: &str) -> bool {
    text.split("\x1b[").skip(1).any(|rest| {
        let set = rest.split_once('m').map(|(numbers, _)| numbers.trim_start_matches('0'));
        set.is_some_and(|set| {
            !set.is_empty() && set.chars().all(|c| c.is_ascii_digit() || c == ';')
        })
    })
}

#[test]
fn the_bar_fits_its_terminal_and_stays_in_its_place() {
    for_each_row([60, 80, 200], |columns: u16| {
        let shown = load(&Desk::new(), columns, &[]);
        assert_eq!(shown.code, Some(0), "{}", shown.written);
        let mut widths = Vec::new();
        for screen in &shown.screens {
            let bars: Vec<_> = screen.iter().filter(|line| line.contains("  ETA ")).collect();
            assert!(bars.len() <= 1, "a second bar: {screen:#?}");
            widths.extend(bars.iter().map(|bar| bar.chars().count()));
        }
        let widest = widths.iter().max().copied().unwrap_or(0);
        let columns = usize::from(columns);
        assert!((columns - 8..=columns).contains(&widest), "{widest} of {columns}: {shown:#?}");
        let last = shown.last();
        let bar = last.iter().position(|line| line.starts_with("100 % ")).expect("a bar");
        assert!(last[bar].contains(" 200/200 "), "{last:#?}");
        assert!(last[bar + 1].trim_start().contains(" images/s · "), "{last:#?}");
        // What is said afterwards stands below it.
        assert!(last[bar + 2].starts_with("200 images in "), "{last:#?}");
    });
}

#[test]
fn colours_are_for_terminals_and_for_those_who_want_them() {
    for_each_row([true, false], |coloured| {
        let desk = || if coloured { Desk::new() } else { Desk::new().env("NO_COLOR", "1") };
        let shown = load(&desk(), 80, &["-vv"]);
        assert_eq!((shown.code, has_colour(&shown.written)), (Some(0), coloured), "{shown:#?}");
        // An error, and help.
        for args in [&["inspect", "absent"][..], &["load", "--help"], &["load", "--nonsense"]] {
            let desk = desk();
            let shown = run_in_terminal(desk.command(args), 80);
            assert_eq!(has_colour(&shown.written), coloured, "{args:?}: {shown:#?}");
            let ran = desk.run(args);
            assert!(!has_colour(&ran.stdout) && !has_colour(&ran.stderr), "no terminal: {ran:?}");
        }
    });
}

/// A program reads stderr line by line: the log, progress, and how the run ended.
#[test]
fn log_lines_in_json_are_one_object_each() {
    // A retry is logged.
    let rule = Rule::new(Operation::Insert, Answer::status(503)).named("fm/image_7.jpg").attempt(1);
    let (desk, set) = (Desk::new(), Set::new(60, 10));
    let server = Server::scripted(Script::new().with(rule));
    for_each_row([(&[][..], 0), (&["--quality", "3"], 4)], |(more, code)| {
        let flags = ["-vvv", "--log-format", "json", "--progress", "json"];
        let ran = desk.load(&set, &server, &[&flags[..], more].concat()).expect(code);
        let lines = ran.stderr.lines().map(serde_json::from_str::<serde_json::Value>);
        let lines: Vec<_> =
            lines.collect::<Result<_, _>>().unwrap_or_else(|e| panic!("{e}: {ran:?}"));
        let logged = lines.iter().filter(|line| line["level"].is_string());
        assert!(code != 0 || logged.clone().count() > 0, "{ran:?}");
        assert!(logged.clone().all(|line| line["fields"].is_object()), "{ran:?}");
        assert!(lines.iter().any(|line| line["images"] == 70), "progress: {ran:?}");
        assert_eq!(lines.last().unwrap()["error"].is_string(), code != 0, "{ran:?}");
    });
    // In a terminal there would be a bar between the lines.
    let shown = load(&desk, 80, &["-vv", "--log-format", "json"]);
    assert_eq!(shown.code, Some(0), "{shown:#?}");
}
