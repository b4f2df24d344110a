//! Settings in layers, help and the smaller commands.

use std::fs;
use std::process::Stdio;

use crate::support::{Desk, Server, Set, until};

#[test]
fn config_show_says_where_each_value_came_from() {
    let desk =
        Desk::new().env("IDX2GCS_IMAGE_QUALITY", "80").env("STORAGE_EMULATOR_HOST", "127.0.0.1:9");
    fs::write(desk.path("c.toml"), "[split]\nseed = 7\n[image]\nquality = 70\n").unwrap();
    let ran = desk.run(&["config", "show", "--config", "c.toml", "--to", "gs://demo/x"]).expect(0);
    let origin = |key: &str| {
        let line = ran.stdout.lines().find(|line| line.starts_with(key)).unwrap();
        line.split_whitespace().collect::<Vec<_>>().join(" ")
    };
    assert_eq!(origin("split.seed"), "split.seed = 7 # c.toml:2");
    assert_eq!(origin("image.quality"), "image.quality = 80 # environment: IDX2GCS_IMAGE_QUALITY");
    assert_eq!(origin("destination.url"), "destination.url = gs://demo/x # flag: --to");
    assert_eq!(origin("upload.queue"), "upload.queue = 256 # default");
    let endpoint = "destination.endpoint = http://127.0.0.1:9 # environment: STORAGE_EMULATOR_HOST";
    assert_eq!(origin("destination.endpoint"), endpoint);
    assert_eq!(origin("source.limit"), "source.limit is not set # no default");
}

#[test]
fn config_check_accepts_the_files_that_come_with_the_project() {
    let desk = Desk::new();
    let file = concat!(env!("CARGO_MANIFEST_DIR"), "/config/fashion-mnist.toml");
    let check = ["config", "check", "--to", "gs://demo/fm", "--config", file];
    desk.run(&check).expect(0);
    let ran = desk.run(&[&check[..], &["--quality", "0"]].concat()).expect(2);
    assert!(ran.error().contains("--quality"), "{ran:?}");
    let rehearsal = concat!(env!("CARGO_MANIFEST_DIR"), "/config/rehearsal.toml");
    desk.run(&["config", "check", "--config", rehearsal]).expect(0);
    let file = concat!(env!("CARGO_MANIFEST_DIR"), "/config/default.toml");
    let ran = desk.run(&["config", "check", "--config", file]).expect(2);
    assert!(
        ran.error().starts_with("no destination: give --to with gs://bucket/prefix"),
        "{ran:?}"
    );
}

#[test]
fn unknown_keys_are_refused_with_file_and_line() {
    let desk = Desk::new();
    fs::write(desk.path("c.toml"), "[upload]\n\nconcurency = 3\n").unwrap();
    let ran = desk.run(&["config", "check", "--config", "c.toml"]).expect(2);
    assert!(
        ran.error().starts_with("c.toml:3: there is no key \"concurency\" in [upload]"),
        "{ran:?}"
    );
}

#[test]
fn inspect_tells_what_is_there() {
    let (desk, set) = (Desk::new(), Set::new(30, 5));
    let folder = set.path().to_str().unwrap();
    let ran = desk.run(&["inspect", folder]).expect(0);
    assert!(ran.stdout.contains("30 u8 records (30 × 28 × 28)"), "{}", ran.stdout);
    assert!(ran.stdout.contains("label   9: 3"), "{}", ran.stdout);
    let ran = desk.run(&["inspect", "--json", folder]).expect(0);
    let findings: serde_json::Value = serde_json::from_str(&ran.stdout).unwrap();
    assert_eq!(findings[1]["labels"]["9"], 3);
    assert_eq!(findings[2]["shape"], serde_json::json!([5, 28, 28]));
    desk.run(&["inspect", "absent"]).expect(3);
}

#[test]
fn inspect_draws_the_first_images() {
    let (desk, set) = (Desk::new(), Set::new(30, 5));
    let folder = set.path().to_str().unwrap();
    let ran = desk.run(&["inspect", folder]).expect(0);
    // No terminal: ten shades, 28 columns an image, two of them in 80.
    let shades = ran.stdout.lines().find(|line| line.contains('=')).unwrap();
    assert!((29..=58).contains(&shades.len()), "{}", ran.stdout);
    let captions = format!("{:<28}  1: label 1\n", "0: label 0");
    let third = "\n2: label 2\n";
    assert!(ran.stdout.contains(&captions) && ran.stdout.contains(third), "{}", ran.stdout);
    assert!(!ran.stdout.contains('\x1b') && !ran.stdout.contains("3: label 3"), "{}", ran.stdout);
    let ran = desk.run(&["inspect", "--images", "0", folder]).expect(0);
    assert!(!ran.stdout.contains('='), "{}", ran.stdout);
    let ran = desk.run(&["inspect", "--images", "40", folder]).expect(0);
    assert!(ran.stdout.contains("29: label 9") && ran.stdout.contains("4: label 4"));
    let images = set.path().join("train-images-idx3-ubyte");
    let ran = desk.run(&["inspect", images.to_str().unwrap()]).expect(0);
    assert!(ran.stdout.contains("\n0 "), "no labels known: {}", ran.stdout);
}

#[test]
fn help_version_and_packagers_texts_are_there() {
    let desk = Desk::new();
    let help = desk.run(&["load", "--help"]).expect(0).stdout;
    for flag in [
        "--config",
        "--source",
        "--to",
        "--endpoint",
        "--validation",
        "--seed",
        "--quality",
        "--name",
        "--if-exists",
        "--concurrency",
        "--max-concurrency",
        "--max-rate",
        "--on-error",
        "--limit",
        "--sample",
        "--dry-run",
        "--out",
        "--progress",
        "--log-format",
        "-q",
        "-v",
    ] {
        assert!(help.contains(flag), "{flag} in {help}");
    }
    assert!(desk.run(&["--version"]).expect(0).stdout.starts_with("idx2gcs "));
    assert!(desk.run(&["completions", "bash"]).expect(0).stdout.contains("--if-exists"));
    assert!(desk.run(&["man"]).expect(0).stdout.contains(".TH idx2gcs"));
    desk.run(&["load", "--nonsense"]).expect(2);
    desk.run(&[]).expect(2);
}

/// The second run would replace the files of the first.
#[test]
fn a_second_run_into_one_output_folder_is_refused_at_once() {
    let (desk, set, server) = (Desk::new(), Set::new(2000, 10), Server::new());
    let mut first = desk
        .command(&["load", "--source", set.path().to_str().unwrap(), "--to", "gs://demo/fm"])
        .args(["--endpoint", &server.url(), "--validation", "10", "--max-rate", "100"])
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .spawn()
        .unwrap();
    until("the first image", || server.emulator().counters().inserts > 0);
    let ran = desk.load(&set, &server, &[]).expect(2);
    let says = format!("out: in use by process {} since 20", first.id());
    assert!(ran.error().starts_with(&says), "{ran:?}");
    assert!(ran.error().contains("use another folder"), "{ran:?}");
    desk.load(&set, &server, &["--out", "elsewhere"]).expect(0);
    // A lock goes with its process, however that ends.
    first.kill().unwrap();
    first.wait().unwrap();
    desk.load(&set, &server, &[]).expect(0);
}

/// A config file and its data can be used from any folder.
#[test]
fn paths_in_a_config_file_are_relative_to_it() {
    let (desk, set) = (Desk::new(), Set::new(30, 5));
    fs::create_dir_all(desk.path("job/data")).unwrap();
    for file in fs::read_dir(set.path()).unwrap() {
        let file = file.unwrap();
        fs::copy(file.path(), desk.path("job/data").join(file.file_name())).unwrap();
    }
    let toml =
        "[source]\npath = \"data\"\n[destination]\nurl = \"pictures\"\n[output]\ndir = \"out\"";
    fs::write(desk.path("job/c.toml"), toml).unwrap();
    desk.run(&["load", "--config", "job/c.toml"]).expect(0);
    assert!(desk.exists("job/pictures/image_34.jpg") && desk.exists("job/out/summary.json"));
    assert!(desk.read("job/out/vertex.csv").contains(",job/pictures/image_0.jpg,"));
    // Those of flags are relative to the working folder.
    desk.run(&["verify", "--config", "job/c.toml", "--out", "here"]).expect(0);
    assert!(desk.exists("here") && !desk.exists("job/here"));
}

/// However few images there are, most are left to train on.
#[test]
fn a_tenth_is_held_out_where_nobody_says_how_many() {
    let (desk, set) = (Desk::new(), Set::new(60, 5));
    let counts = |args: &[&str]| {
        let source = set.path().to_str().unwrap();
        let ran = desk.run(&[&["check", "--json", "--source", source], args].concat());
        let report: serde_json::Value = serde_json::from_str(&ran.stdout).unwrap();
        ["train", "validation", "test"].map(|part| report[part].as_u64().unwrap())
    };
    assert_eq!(counts(&[]), [54, 6, 5]);
    assert_eq!(counts(&["--validation", "0"]), [60, 0, 5]);
    assert_eq!(counts(&["--validation", "0.5"]), [30, 30, 5]);
}

/// What an archive unpacks to would be one folder on macOS and Windows.
#[test]
fn classes_that_differ_only_by_case_get_no_folders_of_their_names() {
    let (desk, set) =
        (Desk::new().env("IDX2GCS_SOURCE_CLASSES", "A,a,c,d,e,f,g,h,i,j"), Set::new(300, 100));
    let load = |to: &str, name: &[&str]| {
        let source = set.path().to_str().unwrap();
        let args = ["load", "--source", source, "--to", to, "--endpoint", "embedded"];
        desk.run(&[&args, name].concat())
    };
    let ran = load("p.zip", &[]).expect(3);
    assert!(ran.error().contains("(A = a); use {label} instead of {class}"), "{ran:?}");
    assert!(!desk.exists("p.zip"));
    load("p.zip", &["--name", "{label}/{index}.{ext}"]).expect(0);
    load("folder", &["--name", "{class}/{index}.{ext}"]).expect(3);
    load("gs://demo/fm", &["--name", "{class}/{index}.{ext}"]).expect(0);
    let ran = load("folder", &["--name", "nul/{index}.{ext}"]).expect(2);
    assert!(ran.error().contains("name of a device on Windows"), "{ran:?}");
}

/// Names come from archives, services and other people's files.
#[cfg(unix)]
#[test]
fn foreign_names_do_not_command_the_terminal() {
    let (desk, set) = (Desk::new(), Set::new(30, 5));
    let name = "a\u{1b}[2J\u{9b}2J\u{202e}\nb";
    fs::write(desk.path(name), set.read("train-labels-idx1-ubyte")).unwrap();
    let ran = desk.run(&["inspect", name]).expect(0);
    let first = ran.stdout.lines().next().unwrap();
    assert!(first.starts_with("a\\u{1b}[2J\\u{9b}2J\\u{202e}\\nb: 30 u8 records"), "{first}");
    let ran = desk.run(&["inspect", "--json", name]).expect(0);
    assert!(!ran.stdout.contains(['\u{9b}', '\u{202e}']), "{ran:?}");
    let json: serde_json::Value = serde_json::from_str(&ran.stdout).unwrap();
    assert_eq!(json[0]["path"], name);
    let ran = desk.run(&["load", "--source", name, "--to", "p", "--out", name]);
    let unsafe_character = |c: char| c != '\n' && (c.is_control() || c == '\u{202e}');
    assert!(!ran.stderr.contains(unsafe_character), "{ran:?}");
    assert!(ran.error().contains("\\u{1b}[2J"), "{ran:?}");
    let ran = desk.run(&["config", "show", "--to", name]).expect(0);
    assert!(!ran.stdout.contains(unsafe_character), "{ran:?}");
}

/// For each array the archive's directory is read again: with tens of thousands that would be hours.
#[test]
fn an_archive_of_very_many_arrays_is_not_inspected() {
    let desk = Desk::new();
    let members: Vec<_> = (0..1001).map(|n| (format!("a{n}.npy"), Vec::new())).collect();
    fs::write(desk.path("many.npz"), crate::support::family::zip(&members)).unwrap();
    let ran = desk.run(&["inspect", "many.npz"]).expect(3);
    assert_eq!(ran.error(), "many.npz: holds 1,001 arrays; name one of them as FILE#ARRAY");
}
