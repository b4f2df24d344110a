//! A load in slices by several processes: `--shard`, records, `merge`.

use std::collections::BTreeMap;
use std::fs;
use std::process::{Child, Stdio};
use std::time::Duration;

use idx2gcs_emulator::{Answer, Operation, Options, Rule, Script};

use crate::support::{Desk, Ran, Server, Set, fashion_mnist};

const FORMATS: &str = "automl,vertex,csv,parquet";
const FILES: [&str; 4] = ["automl.csv", "vertex.csv", "images.csv", "images.parquet"];

/// A small set of 100 images, and a bucket for it.
struct Case {
    desk: Desk,
    set: Set,
    server: Server,
    to: &'static str,
}

impl Case {
    fn new(script: Script) -> Self {
        let server = Server::scripted(script);
        Self { desk: Desk::new(), set: Set::new(80, 20), server, to: "gs://demo/fm" }
    }

    fn args<'a>(&'a self, command: &'a str, url: &'a str, more: &[&'a str]) -> Vec<&'a str> {
        let source = self.set.path().to_str().unwrap();
        let args = [command, "--source", source, "--to", self.to, "--endpoint", url];
        [&args[..], &["--validation", "10", "--manifests", FORMATS], more].concat()
    }

    fn run(&self, command: &str, more: &[&str]) -> Ran {
        self.desk.run(&self.args(command, &self.server.url(), more))
    }

    fn slice(&self, of: &str) -> Ran {
        self.run("load", &["--shard", of])
    }

    fn start(&self, more: &[&str]) -> Child {
        let mut command = self.desk.command(&self.args("load", &self.server.url(), more));
        command.stdout(Stdio::null()).stderr(Stdio::null()).spawn().unwrap()
    }

    /// The manifests that the bucket holds.
    fn manifests(&self) -> BTreeMap<&'static str, Vec<u8>> {
        let object = |name: &'static str| {
            let (_, bytes) = self.server.emulator().object("demo", &format!("fm/{name}"))?;
            Some((name, bytes.to_vec()))
        };
        FILES.into_iter().filter_map(object).collect()
    }

    /// Requests of one kind since so many requests.
    fn count(&self, operation: Operation, since: usize) -> usize {
        let requests = self.server.emulator().requests();
        requests.iter().skip(since).filter(|request| request.operation == operation).count()
    }

    fn so_far(&self) -> usize {
        self.server.emulator().requests().len()
    }
}

/// What a load by one process publishes.
fn of_one_process() -> BTreeMap<&'static str, Vec<u8>> {
    let case = Case::new(Script::new());
    case.run("load", &[]).expect(0);
    case.manifests()
}

#[test]
fn slices_of_any_numbers_end_in_the_manifests_of_one_load() {
    let case = Case::new(Script::new());
    for (of, missing) in
        [("0/2", "50 to 99"), ("3/4", "50 to 74"), ("5/8", "50 to 61"), ("1/3", "50 to 61")]
    {
        // 1/3 is images 33 to 65: it covers what 4/8 would have stored.
        let ran = case.slice(of).expect(0);
        if of == "1/3" {
            assert!(!ran.stdout.contains("not stored yet"), "{ran:?}");
        } else {
            assert!(ran.stdout.contains(&format!("not stored yet: images {missing}")), "{ran:?}");
            assert_eq!(case.manifests().len(), 0, "{of}");
        }
    }
    assert_eq!(case.manifests(), of_one_process());
    let summary = fs::read_to_string(case.desk.path("out/shard-1-of-3/summary.json")).unwrap();
    let summary: serde_json::Value = serde_json::from_str(&summary).unwrap();
    assert_eq!(summary["slice"]["start"], 33);
    assert_eq!(summary["slice"]["end"], 66);
    assert_eq!(summary["images"], 33);
    assert_eq!(summary["uploaded"], 12, "the others are there already");
    case.run("verify", &[]).expect(0);
}

#[test]
fn a_slice_that_is_done_asks_for_records_alone() {
    let case = Case::new(Script::new());
    case.slice("0/2").expect(0);
    let before = case.so_far();
    let ran = case.slice("0/2").expect(0);
    assert!(ran.stdout.contains("0 uploaded (0 B), 50 already present"), "{ran:?}");
    assert_eq!(case.count(Operation::Insert, before), 0);
    // The bucket's check, then the records before and after.
    assert_eq!(case.count(Operation::List, before), 3);
}

#[test]
fn a_slice_lists_its_own_names_where_they_sort_by_index() {
    let case = Case::new(Script::new());
    let named = ["--name", "a/image_{index:03}.{ext}", "--shard"];
    case.run("load", &[&named[..], &["0/4"]].concat()).expect(0);
    let before = case.so_far();
    case.run("load", &[&named[..], &["1/4"]].concat()).expect(0);
    let requests = case.server.emulator().requests();
    let lists = requests.iter().skip(before).filter(|it| it.operation == Operation::List);
    let offset = |query: &[(String, String)], name: &str| {
        query.iter().find(|(key, _)| key == name).map(|(_, value)| value.clone())
    };
    let ranges: Vec<_> = lists
        .map(|list| (offset(&list.query, "startOffset"), offset(&list.query, "endOffset")))
        .filter(|(start, _)| start.as_ref().is_some_and(|start| !start.contains(".idx2gcs")))
        .collect();
    let (start, end) = ("fm/a/image_025".to_owned(), "fm/a/image_050".to_owned());
    assert_eq!(ranges, [(Some(start), Some(end))]);
    // Where names do not sort so, nothing is listed but records: what exists is compared.
    let case = Case::new(Script::new());
    case.run("load", &["--limit", "30"]).expect(0);
    let before = case.so_far();
    let ran = case.slice("0/2").expect(0);
    assert!(ran.stdout.contains("20 uploaded"), "{ran:?}");
    assert_eq!(case.count(Operation::List, before), 3);
}

#[test]
fn only_merge_publishes_into_a_folder() {
    let mut case = Case::new(Script::new());
    case.to = "./pictures";
    case.slice("0/2").expect(0);
    let early = case.run("merge", &["--out", "merged"]).expect(1);
    let expected = "./pictures: no slice has stored images 50 to 99 of 100";
    assert!(early.error().starts_with(expected), "{early:?}");
    let ran = case.slice("1/2").expect(0);
    assert!(ran.stdout.contains("idx2gcs merge publishes the manifests"), "{ran:?}");
    assert!(!case.desk.exists("pictures/automl.csv"));
    case.run("merge", &["--out", "merged", "--verify"]).expect(0);
    let local = |name: &str| fs::read(case.desk.path(name)).unwrap();
    let published = local("pictures/images.csv");
    assert_eq!(published, local("merged/images.csv"));
    case.run("verify", &[]).expect(0);
    case.run("merge", &["--out", "merged", "--clean"]).expect(0);
    assert!(!case.desk.files().iter().any(|file| file.contains(".idx2gcs/")), "no record is left");
    case.run("load", &["--out", "whole"]).expect(0);
    assert_eq!(local("pictures/images.csv"), published, "as a load by one process has it");
}

#[test]
fn merge_sums_what_slices_did() {
    let case = Case::new(Script::new());
    for of in ["0/2", "0/1"] {
        case.slice(of).expect(0);
    }
    let ran = case.run("merge", &[]).expect(0);
    assert!(ran.stdout.contains("100 images of 2 slices"), "{ran:?}");
    let summary = case.desk.summary();
    assert_eq!((&summary["uploaded"], &summary["already_present"]), (&100.into(), &0.into()));
    assert_eq!(summary["manifests"].as_array().unwrap().len(), 4);
    assert_eq!(case.manifests(), of_one_process());
}

#[test]
fn merge_lists_the_objects_when_it_is_asked_to() {
    let mut case = Case::new(Script::new());
    case.to = "./pictures";
    case.slice("0/1").expect(0);
    case.run("merge", &["--verify"]).expect(0);
    fs::remove_file(case.desk.path("pictures/image_7.jpg")).unwrap();
    fs::write(case.desk.path("pictures/image_8.jpg"), "of another size").unwrap();
    case.run("merge", &[]).expect(0);
    let ran = case.run("merge", &["--verify"]).expect(1);
    assert!(ran.error().contains("2 of 100 images that slices have stored"), "{ran:?}");
}

/// Another split gives other rows, another quality other bytes, and fewer images other positions.
#[test]
fn records_of_another_load_do_not_count() {
    let case = Case::new(Script::new());
    case.slice("0/2").expect(0);
    for more in [
        &["--seed", "7"][..],
        &["--limit", "99"],
        &["--format", "png"],
        &["--metadata", "--if-exists", "overwrite"],
    ] {
        let ran = case.run("load", &[&["--shard", "1/2"], more].concat()).expect(0);
        assert!(ran.stdout.contains("not stored yet: images 0 to 4"), "{more:?}: {ran:?}");
    }
    // How fast, how many and where to is no difference.
    let ran = case.run("load", &["--shard", "1/2", "--concurrency", "2", "--max-rate", "900"]);
    assert!(!ran.expect(0).stdout.contains("not stored yet"));
    assert_eq!(case.manifests(), of_one_process());
}

/// A slice whose names are no range lists nothing, and finds each object when it writes.
#[test]
fn a_slice_overwrites_what_exists() {
    let case = Case::new(Script::new());
    case.slice("0/2").expect(0);
    let other = ["--quality", "50", "--if-exists", "overwrite", "--shard", "0/2"];
    let ran = case.run("load", &other).expect(0);
    assert!(ran.stdout.contains("50 uploaded"), "{ran:?}");
}

#[test]
fn a_record_that_cannot_be_read_is_named() {
    let mut case = Case::new(Script::new());
    case.to = "./pictures";
    case.slice("0/1").expect(0);
    let files = case.desk.files();
    let record = files.iter().find(|file| file.contains("/.idx2gcs/")).unwrap();
    fs::write(case.desk.path(record), "{}").unwrap();
    let ran = case.run("merge", &[]).expect(4);
    assert!(ran.error().starts_with(&format!("./{record}: ")), "{ran:?}");
    assert!(!case.desk.exists("pictures/automl.csv"));
}

#[test]
fn what_cannot_be_done_in_slices_is_refused() {
    let case = Case::new(Script::new());
    for (more, why) in [
        (&["--shard", "2/2"][..], "there is no slice 2 of 2"),
        (&["--shard", "0/0"], "at least 1"),
        (&["--shard", "half"], "must be auto, auto/n, or i/n"),
        (&["--shard", "auto"], "finds no engine's variables"),
        (&["--shard", "0/2", "--if-exists", "fail"], "would refuse its own objects"),
        (&["--shard", "0/2", "--prune", "--yes"], "no slice knows what the others need"),
    ] {
        let ran = case.run("load", more).expect(2);
        assert!(ran.error().contains(why), "{more:?}: {ran:?}");
    }
    let ran = case.run("tune", &["--shard", "0/2"]).expect(2);
    assert!(ran.error().contains("tune measures with one process"), "{ran:?}");
    let zip = Case { to: "pictures.zip", ..Case::new(Script::new()) };
    let ran = zip.slice("0/2").expect(2);
    assert!(ran.error().contains("a zip is written by one process"), "{ran:?}");
    assert!(zip.run("merge", &[]).expect(2).error().contains("no slices to merge"));
    assert_eq!(case.count(Operation::Insert, 0), 0);
}

#[test]
fn the_engine_says_which_slice_it_is() {
    let mut case = Case::new(Script::new());
    case.desk = Desk::new().env("JOB_COMPLETION_INDEX", "1").env("IDX2GCS_SHARD_COUNT", "4");
    let ran = case.slice("auto").expect(0);
    assert!(ran.stdout.contains("slice 1/4, 25 of 100 images"), "{ran:?}");
    case.desk = Desk::new().env("CLOUD_RUN_TASK_INDEX", "9").env("CLOUD_RUN_TASK_COUNT", "8");
    assert!(case.slice("auto").expect(2).error().contains("there is no slice 9 of 8"));
}

/// The last two slices write their records before either looks for the other's.
#[test]
fn two_that_come_last_publish_once() {
    let is_record = |key: &str| key.contains(".idx2gcs/");
    let late = Answer::Delay(Duration::from_millis(700));
    let case =
        Case::new(Script::new().with(Rule::new(Operation::Insert, late).matching(is_record)));
    let both = ["0/2", "1/2"].map(|of| case.start(&["--shard", of]));
    for mut child in both {
        assert!(child.wait().unwrap().success());
    }
    assert_eq!(case.manifests(), of_one_process());
    for name in FILES {
        let name = format!("fm/{name}");
        let (stored, _) = case.server.emulator().object("demo", &name).unwrap();
        let requests = case.server.emulator().requests();
        let replaced = requests.iter().filter(|request| {
            let generation = request.query.iter().find(|(key, _)| key == "ifGenerationMatch");
            request.key == name
                && request.operation == Operation::Insert
                && generation.is_none_or(|(_, value)| value != "0")
        });
        assert_eq!(
            replaced.count(),
            0,
            "{name} is written once, as generation {}",
            stored.generation
        );
    }
}

/// Processes under a rate limit and faults, some killed in between, started again in other numbers until
/// all is done.
#[test]
fn killed_and_counted_anew_nothing_is_written_twice() {
    let faults = idx2gcs_emulator::Faults {
        max_rate: 400,
        latency: Duration::from_millis(5),
        error_rate: 0.05,
        ..idx2gcs_emulator::Faults::default()
    };
    let server = Server::start(Options { faults, ..Options::default() });
    let mut case = Case { desk: Desk::new(), set: Set::new(900, 100), server, to: "gs://demo/fm" };
    case.desk = case.desk.env("IDX2GCS_UPLOAD_CONCURRENCY", "4");
    for (count, killed) in [(12u32, [1u32, 4, 9].as_slice()), (5, &[0, 3]), (7, &[])] {
        let mut children: Vec<_> =
            (0..count).map(|index| case.start(&["--shard", &format!("{index}/{count}")])).collect();
        for index in killed {
            std::thread::sleep(Duration::from_millis(150));
            children[*index as usize].kill().unwrap();
        }
        for (index, child) in (0..).zip(&mut children) {
            let ended = child.wait().unwrap();
            assert!(ended.success() || killed.contains(&index), "{index}/{count}: {ended}");
        }
    }
    case.run("verify", &[]).expect(0);
    assert_eq!(case.server.images().len(), 1000);
    let requests = case.server.emulator().requests();
    assert!(requests.iter().all(|request| request.operation != Operation::Insert
        || request.query.iter().any(|(key, value)| key == "ifGenerationMatch" && value == "0")));
    let whole = Case { desk: Desk::new(), set: Set::new(900, 100), ..Case::new(Script::new()) };
    whole.run("load", &[]).expect(0);
    assert_eq!(case.manifests(), whole.manifests());
}

/// A list of the bucket, the names of its range, its records before and after: no slice lists what others
/// store, so that lists do not grow with the square of the number of slices.
#[test]
#[ignore = "needs Fashion-MNIST; scripts/test.sh runs it"]
fn eight_slices_of_fashion_mnist_list_little_and_publish_the_same() {
    let source = fashion_mnist();
    let args = ["load", "--source", source.to_str().unwrap(), "--to", "gs://demo/fm"];
    let more = ["--name", "image_{index:05}.{ext}", "--manifests", FORMATS, "--duplicates", "warn"];
    let args = [&args[..], &more].concat();
    let load = |server: &Server, slices: &[&str]| {
        let (desk, url) = (Desk::new(), server.url());
        let start = |of: &&str| {
            let slice = if of.is_empty() { vec![] } else { vec!["--shard", of] };
            let mut command = desk.command(&[&args, &["--endpoint", &url][..], &slice].concat());
            command.stdout(Stdio::null()).stderr(Stdio::null()).spawn().unwrap()
        };
        let children: Vec<_> = slices.iter().map(start).collect();
        for mut child in children {
            assert!(child.wait().unwrap().success());
        }
        FILES
            .map(|name| server.emulator().object("demo", &format!("fm/{name}")).unwrap().1.to_vec())
    };
    let lists = |server: &Server| {
        let requests = server.emulator().requests();
        requests.iter().filter(|request| request.operation == Operation::List).count()
    };
    let eight = ["0/8", "1/8", "2/8", "3/8", "4/8", "5/8", "6/8", "7/8"];
    let (sliced, whole) = (Server::scripted(Script::new()), Server::scripted(Script::new()));
    let published = load(&sliced, &eight);
    let listed = lists(&sliced);
    assert!(listed <= 8 * (3 + 1), "{listed} lists, one of them an empty page of each range");
    assert!(published == load(&whole, &[""]), "the manifests differ from those of one process");
    // Other slices of the same load find everything by the pages of their ranges.
    load(&sliced, &["0/3", "1/3", "2/3"]);
    let pages = lists(&sliced) - listed;
    assert!(pages <= 3 * (3 + 1) + 70, "{pages} lists");
}
