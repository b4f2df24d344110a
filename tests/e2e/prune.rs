//! What an earlier load left under names of the same template: refused, or deleted with `--prune`.

use std::collections::BTreeSet;
use std::fs;
use std::path::Path;

use idx2gcs::sink::gcs::{Auth, Gcs};
use idx2gcs::sink::{Body, NewObject, Precondition, Sink};
use idx2gcs_emulator::{Answer, Operation, Rule, Script};

use crate::support::destinations::Kind;
use crate::support::{Desk, Ran, Server, Set, idx};

const NAME: &str = "{partition}/{class}/{index}.{ext}";

/// A small set, and a destination of one kind for it.
struct Case {
    kind: Kind,
    desk: Desk,
    set: Set,
    server: Server,
}

impl Case {
    fn new(kind: Kind) -> Self {
        Self::scripted(kind, Script::new())
    }

    fn scripted(kind: Kind, script: Script) -> Self {
        let (desk, set) = (Desk::new(), Set::new(60, 10));
        Self { kind, desk, set, server: Server::scripted(script) }
    }

    fn to(&self) -> &'static str {
        match self.kind {
            Kind::Bucket => "gs://demo/fm",
            Kind::Folder => "pictures",
            Kind::Zip => "pictures.zip",
        }
    }

    fn args<'a>(&'a self, command: &'a str, url: &'a str, more: &[&'a str]) -> Vec<&'a str> {
        let source = self.set.path().to_str().unwrap();
        let args = [command, "--source", source, "--to", self.to(), "--endpoint", url];
        [&args[..], &["--validation", "10", "--name", NAME], more].concat()
    }

    fn run(&self, command: &str, more: &[&str]) -> Ran {
        self.desk.run(&self.args(command, &self.server.url(), more))
    }

    fn images(&self) -> BTreeSet<String> {
        let mut names = match self.kind {
            Kind::Bucket => {
                let objects = self.server.emulator().objects("demo").into_iter();
                objects.map(|object| object.name.strip_prefix("fm/").unwrap().to_owned()).collect()
            }
            Kind::Folder => {
                let files = self.desk.files().into_iter();
                files.filter_map(|name| Some(name.strip_prefix("pictures/")?.to_owned())).collect()
            }
            Kind::Zip => {
                let file = fs::File::open(self.desk.path("pictures.zip")).unwrap();
                let archive = zip::ZipArchive::new(file).unwrap();
                archive.file_names().map(|name| name.unwrap().into_owned()).collect::<Vec<_>>()
            }
        };
        names.retain(|name| Path::new(name).extension().is_some_and(|ext| ext == "jpg"));
        names.into_iter().collect()
    }

    /// Images that have two names.
    fn doubled(&self) -> usize {
        let images = self.images();
        let files: BTreeSet<_> =
            images.iter().map(|name| name.rsplit_once('/').unwrap().1.to_owned()).collect();
        images.len() - files.len()
    }
}

/// Another split, fewer images, corrected labels and another format.
#[test]
fn what_an_earlier_load_left_is_refused_everywhere() {
    for kind in Kind::ALL {
        let case = Case::new(kind);
        case.run("load", &[]).expect(0);
        let before = case.images();
        assert_eq!((before.len(), case.doubled()), (70, 0));
        for more in [&["--seed", "7"][..], &["--limit", "30"], &["--format", "png"]] {
            let ran = case.run("load", more).expect(4);
            let error = ran.error();
            let begins = format!("{} holds ", case.to());
            assert!(error.starts_with(&begins), "{error}");
            let says = [" of an earlier load, such as t", ".jpg", "nothing was written"];
            assert!(says.iter().all(|says| error.contains(says)), "{error}");
            let way_out = if kind == Kind::Zip { "--if-exists overwrite" } else { "--prune" };
            assert!(error.contains(way_out), "{error}");
            assert_eq!(case.images(), before, "{kind:?} {more:?}");
            assert_eq!(case.desk.summary()["uploaded"], 0);

            // `verify` finds the same objects.
            let count: u64 =
                error.strip_prefix(&begins).unwrap().split(' ').next().unwrap().parse().unwrap();
            case.run("verify", more).expect(1);
            let left = case.desk.read("out/verify.jsonl");
            let left = left.lines().filter(|line| line.contains("left by an earlier load"));
            assert_eq!(left.count() as u64, count, "{kind:?} {more:?}");
        }
        let mut labels: Vec<u8> = (0..60).map(Set::label).collect();
        labels[7] = 3;
        case.set.write("train-labels-idx1-ubyte", &idx(8, &[60], &labels));
        let ran = case.run("load", &[]).expect(4);
        assert!(ran.error().contains("holds 1 object of an earlier load, such as "), "{ran:?}");
        assert!(ran.error().contains("/class_7/7.jpg"), "{ran:?}");
    }
}

#[test]
fn pruning_deletes_exactly_what_the_earlier_load_left() {
    for kind in [Kind::Bucket, Kind::Folder] {
        let case = Case::new(kind);
        case.run("load", &[]).expect(0);
        let before = case.images();
        // Others' objects are no image of any load.
        if kind == Kind::Folder {
            fs::write(case.desk.path("pictures/train/notes.txt"), "mine").unwrap();
            fs::write(case.desk.path("pictures/train/class_1/11.jpeg"), "mine").unwrap();
        }
        let ran = case.run("load", &["--seed", "7", "--prune"]).expect(2);
        assert!(ran.error().contains("add --yes"), "{ran:?}");
        assert_eq!(case.images(), before);

        let ran = case.run("load", &["--seed", "7", "--prune", "--yes"]).expect(0);
        let after = case.images();
        assert_eq!((after.len(), case.doubled()), (70, 0), "{kind:?}");
        let gone = before.difference(&after).count();
        assert!(gone > 0);
        assert!(ran.stderr.contains(&format!("prune: {gone} objects of an earlier load, such as")));
        assert!(ran.stdout.contains(&format!("{gone} objects of an earlier load deleted")));
        assert_eq!(case.desk.summary()["pruned"], gone);
        let listed: BTreeSet<String> = case
            .desk
            .read("out/prune.jsonl")
            .lines()
            .map(|line| serde_json::from_str::<serde_json::Value>(line).unwrap())
            .map(|line| line["object"].as_str().unwrap().to_owned())
            .collect();
        assert_eq!(listed, before.difference(&after).cloned().collect());

        if kind == Kind::Folder {
            assert_eq!(case.desk.read("pictures/train/notes.txt"), "mine");
            assert_eq!(case.desk.read("pictures/train/class_1/11.jpeg"), "mine");
        } else {
            case.run("verify", &["--seed", "7"]).expect(0);
        }
        // Nothing is left to delete, and nothing in the way.
        case.run("load", &["--seed", "7", "--prune", "--yes"]).expect(0);
        assert_eq!(case.desk.summary()["pruned"], 0);
        assert!(!case.desk.exists("out/prune.jsonl"));
        case.run("load", &["--seed", "7"]).expect(0);
    }
    let case = Case::new(Kind::Zip);
    case.run("load", &[]).expect(0);
    let ran = case.run("load", &["--seed", "7", "--prune", "--yes"]).expect(2);
    assert!(ran.error().contains("--if-exists overwrite writes it anew"), "{ran:?}");
    case.run("load", &["--seed", "7", "--if-exists", "overwrite"]).expect(0);
    assert_eq!((case.images().len(), case.doubled()), (70, 0));
}

/// No manifest names an object that is gone: the earlier one is replaced first.
#[test]
fn nothing_is_deleted_before_the_manifests_are_published() {
    let refused = |operation, name: &str| {
        // The first load may do it.
        Rule::new(operation, Answer::status(403)).named(name).attempts(2..=1000)
    };
    let script = Script::new().with(refused(Operation::Insert, "fm/vertex.csv"));
    let case = Case::scripted(Kind::Bucket, script);
    case.run("load", &[]).expect(0);
    let before = case.images();
    case.run("load", &["--seed", "7", "--prune", "--yes"]).expect(4);
    assert!(case.images().is_superset(&before), "the earlier manifest still names them");
    assert_eq!(case.desk.summary()["pruned"], 0);

    let gone =
        Rule::new(Operation::Delete, Answer::status(503)).matching(|name| name.contains("1.jpg"));
    let case = Case::scripted(Kind::Bucket, Script::new().with(gone));
    case.run("load", &[]).expect(0);
    let ran = case.run("load", &["--seed", "7", "--prune", "--yes"]).expect(1);
    assert!(ran.error().contains("of an earlier load, is not deleted"), "{ran:?}");
    let rows = case.server.text("automl.csv").unwrap();
    let images = case.images();
    for row in rows.lines() {
        let name = row.split(',').nth(1).unwrap().strip_prefix("gs://demo/fm/").unwrap();
        assert!(images.contains(name), "{row}");
    }
}

#[cfg(unix)]
#[test]
fn pruning_asks_on_a_terminal() {
    use crate::support::terminal::run_with_answer;
    let case = Case::new(Kind::Folder);
    case.run("load", &[]).expect(0);
    let before = case.images();
    let url = case.server.url();
    let args = case.args("load", &url, &["--seed", "7", "--prune"]);
    for (typed, code) in [("\n", 4), ("n\n", 4), ("y\n", 0)] {
        let shown = run_with_answer(case.desk.command(&args), 120, typed);
        assert_eq!(shown.code, Some(code), "{shown:#?}");
        assert!(shown.written.contains("objects when this load is complete? [y/N]"), "{shown:#?}");
        assert_eq!(case.images() == before, code == 4, "{typed:?}");
    }
    assert_eq!((case.images().len(), case.doubled()), (70, 0));
}

/// A file of a person's own that is called like a manifest.
#[test]
fn a_manifest_replaces_only_what_this_program_wrote() {
    for kind in [Kind::Bucket, Kind::Folder] {
        let case = Case::new(kind);
        let (file, more) = ("images.csv", &["--manifests", "csv,automl"]);
        if kind == Kind::Bucket {
            put(&case.server.url(), file, "mine");
        } else {
            fs::create_dir(case.desk.path("pictures")).unwrap();
            fs::write(case.desk.path("pictures/images.csv"), "mine").unwrap();
        }
        let ran = case.run("load", more).expect(4);
        let says = format!("{}/{file} is no manifest that idx2gcs wrote; ", case.to());
        assert!(ran.error().starts_with(&says), "{ran:?}");
        assert!(case.images().is_empty(), "nothing was written");
        // Another manifest is in nobody's way.
        case.run("load", &["--manifests", "automl"]).expect(0);
        let overwrite = [&more[..], &["--if-exists", "overwrite"]].concat();
        case.run("load", &overwrite).expect(0);
        case.run("verify", more).expect(0);

        // Its own is replaced, also where it differs.
        case.run("load", more).expect(0);
        let other = [&more[..], &["--seed", "7", "--prune", "--yes"]].concat();
        case.run("load", &other).expect(0);
        case.run("verify", &other[..4]).expect(0);
    }
}

/// It would list images of a split that is gone.
#[test]
fn a_manifest_of_another_format_is_left_by_an_earlier_load() {
    let case = Case::new(Kind::Bucket);
    case.run("load", &["--manifests", "vertex-jsonl,huggingface"]).expect(0);
    put(&case.server.url(), "images.parquet", "mine");
    let ran = case.run("load", &["--manifests", "csv"]).expect(4);
    let says =
        "holds 4 objects of an earlier load, such as test/metadata.jsonl, train/metadata.jsonl, ";
    assert!(ran.error().contains(says), "{ran:?}");
    case.run("verify", &["--manifests", "csv"]).expect(1);
    let left = case.desk.read("out/verify.jsonl");
    assert_eq!(left.lines().filter(|line| line.contains("left by an earlier load")).count(), 4);
    case.run("load", &["--manifests", "csv", "--prune", "--yes"]).expect(0);
    let objects = case.server.emulator().objects("demo").into_iter().map(|object| object.name);
    let others: Vec<_> = objects.filter(|name| !name.contains("/class_")).collect();
    assert_eq!(others, ["fm/images.csv", "fm/images.parquet"]);
    assert_eq!((case.images().len(), case.desk.summary()["pruned"].clone()), (70, 4.into()));
}

/// Stores an object below `fm/`, as another program does.
fn put(url: &str, name: &str, content: &'static str) {
    let sink = Gcs::new(url, "demo", "fm", Auth::Anonymous).unwrap();
    let object = NewObject {
        name: name.to_owned(),
        body: Body::Bytes(content.into()),
        crc32c: crc32c::crc32c(content.as_bytes()),
        content_type: "text/csv",
        metadata: Vec::new(),
    };
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    runtime.block_on(sink.put(&object, Precondition::Absent)).unwrap();
}
