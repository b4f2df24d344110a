//! Folders that hold a named data set without saying so.

use std::fs;
use std::path::Path;

use data_encoding::HEXLOWER;
use idx2gcs::DataSet;
use sha2::{Digest, Sha256};
use tempfile::TempDir;

use crate::support::family::{Kind, kind};
use crate::support::{Desk, fashion_mnist, gzip};

/// A desk whose config file has an entry for the small data set of a kind, with sums of the payload.
fn desk(kind: &Kind) -> Desk {
    let desk = Desk::new();
    let published = tempfile::tempdir().unwrap();
    kind.publish(published.path());
    let name = kind.name;
    let mut text = kind.entry("https://example.org", published.path());
    for (file, bytes) in kind.files() {
        let sum = HEXLOWER.encode(&Sha256::digest(&bytes));
        let line = text.lines().find(|line| line.ends_with(&format!(".name = {file:?}"))).unwrap();
        let role = line.split('.').next().unwrap();
        text = text.replace(line, &format!("{line}\n{role}.sha256 = {sum:?}"));
    }
    let text = text.replace(&format!("[{name}"), "[dataset.signs");
    fs::write(desk.path("c.toml"), text).unwrap();
    desk
}

/// A folder with the files of a kind, each as `put` makes it.
fn folder(kind: &Kind, put: impl Fn(&str, Vec<u8>) -> (String, Vec<u8>)) -> TempDir {
    let folder = tempfile::tempdir().unwrap();
    for (name, bytes) in kind.files() {
        let (name, bytes) = put(name, bytes);
        fs::write(folder.path().join(name), bytes).unwrap();
    }
    folder
}

fn plain(name: &str, bytes: Vec<u8>) -> (String, Vec<u8>) {
    (name.to_owned(), bytes)
}

fn args<'a>(command: &'a str, source: &'a Path, more: &[&'a str]) -> Vec<&'a str> {
    let mut args = vec![command, "--config", "c.toml", "--source", source.to_str().unwrap()];
    args.extend(["--to", "d", "--duplicates", "warn"]);
    args.extend(more);
    args
}

fn count(desk: &Desk, text: &str) -> usize {
    desk.read("out/vertex.csv").lines().filter(|line| line.contains(text)).count()
}

#[test]
fn a_folder_with_the_files_of_a_named_data_set_is_that_data_set() {
    // One has the names of other sets' files, the other lies on its side and has names of its own.
    for kind in [kind("mnist"), kind("emnist-letters")] {
        let some_packed = |name: &str, bytes: Vec<u8>| {
            if name.contains("labels") {
                (format!("{name}.gz"), gzip(&bytes))
            } else {
                (name.replace("-idx", ".idx"), bytes)
            }
        };
        for folder in [folder(kind, plain), folder(kind, some_packed)] {
            let (desk, path) = (desk(kind), folder.path());
            let line = format!("source: {} is signs by its checksums", path.display());
            let ran = desk.run(&args("load", path, &["--name", "{class}/{index}.{ext}"])).expect(0);
            assert!(ran.stderr.starts_with(&line), "{ran:?}");
            assert_eq!(count(&desk, "validation,"), 5, "as many as the entry says");
            let ran = desk.run(&args("verify", path, &["--name", "{class}/{index}.{ext}"]));
            assert!(ran.expect(0).stderr.starts_with(&line));
            for command in [args("check", path, &[]), args("load", path, &["--dry-run"])] {
                let ran = desk.run(&command).expect(0);
                assert!(ran.stdout.starts_with(&line), "{ran:?}");
            }
            let ran = desk.run(&args("check", path, &["--json"])).expect(0);
            let report: serde_json::Value = serde_json::from_str(&ran.stdout).unwrap();
            assert_eq!(report["validation"], 5);
            assert!(report["classes"][1]["name"] == "class 1", "{report}");
        }
    }
}

#[test]
fn files_with_a_byte_of_their_own_are_no_named_data_set() {
    let kind = kind("mnist");
    for changed in ["train-labels-idx1-ubyte", "t10k-images-idx3-ubyte"] {
        let folder = folder(kind, |name, mut bytes| {
            if name == changed {
                let last = bytes.len() - 1;
                bytes[last] ^= 1;
            }
            (name.to_owned(), bytes)
        });
        let desk = desk(kind);
        let ran = desk.run(&args("load", folder.path(), &[])).expect(0);
        assert!(ran.stderr.starts_with("loading "), "{ran:?}");
        assert_eq!(count(&desk, "validation,"), 3, "{changed}: a tenth");
    }
}

#[test]
fn what_is_asked_for_wins_over_what_is_recognised() {
    let kind = kind("mnist");
    let (desk, folder) = (desk(kind), folder(kind, plain));
    let names: Vec<_> = (0..kind.classes).map(|n| format!("sign {n}")).collect();
    let text = desk.read("c.toml") + &format!("\n[source]\nclasses = {names:?}\n");
    fs::write(desk.path("c.toml"), text).unwrap();
    desk.run(&args("load", folder.path(), &["--validation", "7"])).expect(0);
    assert_eq!(count(&desk, "validation,"), 7);
    assert!(count(&desk, ",sign_3") > 0 && count(&desk, ",class_3") == 0);
}

/// Small files stand for the true ones: their number gives them away where they are loaded.
#[test]
fn a_name_is_known_in_other_spellings_and_wherever_a_path_is() {
    let desk = Desk::new();
    let cache = desk.path("idx2gcs/mnist");
    fs::create_dir_all(&cache).unwrap();
    kind("mnist").unpack(&cache);
    for name in ["mnist", "MNIST", "Mnist"] {
        let ran = desk.run(&["inspect", name, "--images", "0"]).expect(0);
        assert!(ran.stdout.contains("idx2gcs/mnist/train-images-idx3-ubyte: 25 u8 records"));
        assert!(ran.stdout.contains("idx2gcs/mnist/t10k-labels-idx1-ubyte: 13 u8 records"));
        for command in ["load", "check", "verify"] {
            let ran = desk.run(&[command, "--source", name, "--to", "d"]).expect(3);
            assert!(ran.error().starts_with("mnist has 60,000 train images, but"), "{ran:?}");
        }
    }
    let ran = desk.run(&["load", "--source", "fashon_mnist", "--to", "d"]).expect(3);
    let says = "fashon_mnist: does not exist; did you mean the data set fashion-mnist?";
    assert_eq!(ran.error(), says);
    fs::write(desk.path("c.toml"), "[source]\ndataset = \"kmnst\"").unwrap();
    let ran = desk.run(&["load", "--config", "c.toml", "--to", "d"]).expect(2);
    assert!(ran.error().ends_with("; did you mean kmnist?"), "{ran:?}");
    let ran = desk.run(&["fetch", "mnits"]).expect(2);
    assert!(ran.error().contains("\"mnits\", did you mean mnist?"), "{ran:?}");

    // What exists under another spelling is a path.
    fs::create_dir(desk.path("MNIST")).unwrap();
    kind("mnist").unpack(&desk.path("MNIST"));
    desk.run(&["load", "--source", "MNIST", "--to", "d", "--duplicates", "warn"]).expect(0);
    let ran = desk.run(&["inspect", "MNIST", "--images", "0"]).expect(0);
    assert!(ran.stdout.starts_with("MNIST/train-images"), "{ran:?}");
}

/// A pipe is read once, and opening it waits for a writer.
#[cfg(unix)]
#[test]
fn pipes_and_devices_are_refused_as_sources() {
    let desk = Desk::new();
    let made = std::process::Command::new("mkfifo").arg(desk.path("pipe")).status();
    assert!(made.unwrap().success());
    let config = "[[source.files]]\nimages = \"pipe\"\npartition = \"train\"\n";
    fs::write(desk.path("c.toml"), config).unwrap();
    for args in [
        &["load", "--source", "pipe", "--to", "d"][..],
        &["load", "--source", "/dev/zero", "--to", "d"],
        &["load", "--config", "c.toml", "--to", "d"],
        &["check", "--source", "pipe"],
        &["inspect", "pipe"],
        &["inspect", "/dev/zero"],
    ] {
        let ran = desk.run(args).expect(3);
        assert!(ran.error().contains("it is no regular file; save its content as one"), "{ran:?}");
    }
}

#[test]
#[ignore = "needs Fashion-MNIST; scripts/test.sh runs it"]
fn the_true_fashion_mnist_is_recognised() {
    let data = DataSet::folder(fashion_mnist()).open_blocking().unwrap();
    assert_eq!(data.entry().map(|entry| &*entry.name), Some("fashion-mnist"));
    assert_eq!((data.classes().name(9), data.validation()), (Some("Ankle boot"), Some(10_000)));
}
