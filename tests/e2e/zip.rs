//! A zip archive as destination.

use std::fs;
use std::io::Read;
use std::path::Path;
use std::process::{Command, Stdio};

use sha2::{Digest, Sha256};

use crate::support::{Desk, Ran, Set, idx, python, until};

/// `load`, `verify` or `tune` of a small set, with `pictures.zip` as destination.
fn run(desk: &Desk, set: &Set, command: &str, more: &[&str]) -> Ran {
    run_to(desk, set, "pictures.zip", command, more)
}

fn run_to(desk: &Desk, set: &Set, to: &str, command: &str, more: &[&str]) -> Ran {
    let source = set.path().to_str().unwrap();
    let args = [command, "--source", source, "--to", to, "--validation", "10"];
    desk.run(&[&args[..], more].concat())
}

/// What an archive holds, when all of it has been read.
struct Contents {
    entries: usize,
    /// How many of them are not compressed.
    stored: usize,
    /// The SHA-256 of `automl.csv`.
    automl: String,
}

/// Reads every entry, whose checksum is compared on the way, and fails where one is not a plain file
/// of 1980-01-01 or has the name of another.
fn read(archive: &Path) -> Contents {
    let mut archive = zip::ZipArchive::new(fs::File::open(archive).unwrap()).unwrap();
    assert!(!archive.has_duplicate_names());
    let mut contents = Contents { entries: archive.len(), stored: 0, automl: String::new() };
    for i in 0..archive.len() {
        let mut entry = archive.by_index(i).unwrap();
        let name = entry.name().unwrap().into_owned();
        let mut bytes = Vec::new();
        entry.read_to_end(&mut bytes).unwrap();
        assert_eq!(entry.last_modified(), Some(zip::DateTime::default()), "{name}");
        assert_eq!(entry.unix_mode(), Some(0o100_644), "{name}");
        contents.stored += usize::from(entry.compression() == zip::CompressionMethod::Stored);
        if name == "automl.csv" {
            contents.automl = data_encoding::HEXLOWER.encode(&Sha256::digest(&bytes));
        }
    }
    contents
}

fn left(desk: &Desk) -> Vec<String> {
    let mut files = desk.files();
    files.retain(|file| !file.starts_with("out/") || file.contains(".csv"));
    files
}

#[test]
fn a_set_becomes_an_archive_that_others_read() {
    let (desk, set) = (Desk::new(), Set::new(60, 10));
    run(&desk, &set, "load", &[]).expect(0);
    let summary = desk.summary();
    assert_eq!((&summary["uploaded"], &summary["exit_code"]), (&70.into(), &0.into()));
    assert_eq!(left(&desk), ["out/automl.csv", "out/vertex.csv", "pictures.zip"]);

    let read = read(&desk.path("pictures.zip"));
    assert_eq!(summary["manifests"][0]["sha256"], read.automl);
    assert_eq!((read.entries, read.stored), (72, 70));
    let file = fs::File::open(desk.path("pictures.zip")).unwrap();
    let mut archive = zip::ZipArchive::new(file).unwrap();
    for row in desk.read("out/automl.csv").lines() {
        // A folder for each class, and addresses that are paths in the archive.
        let (address, label) = row.split_once(',').unwrap().1.rsplit_once(',').unwrap();
        assert!(address.starts_with(&format!("class_{label}/image_")), "{row}");
        let mut jpeg = Vec::new();
        std::io::copy(&mut archive.by_name(address).unwrap(), &mut jpeg).unwrap();
        assert!(image::load_from_memory(&jpeg).is_ok(), "{row}");
    }
    let ran = run(&desk, &set, "verify", &[]).expect(0);
    assert!(ran.stdout.starts_with("72 of 72 objects are exact"), "{ran:?}");
}

/// More entries than a zip without the 64-bit extension can have, each as small as an image can be.
#[test]
#[ignore = "needs Python and unzip; scripts/test.sh runs it"]
fn more_than_65535_entries_are_read_by_others() {
    let (desk, set) = (Desk::new(), Set::new(0, 0));
    let (count, side) = (66_000_u32, 2);
    for (stem, images) in [("train", 0..count - 10), ("t10k", count - 10..count)] {
        let n = u32::try_from(images.len()).unwrap();
        let pixels: Vec<u8> = images.clone().flat_map(u32::to_be_bytes).collect();
        let labels: Vec<u8> = images.map(Set::label).collect();
        set.write(&format!("{stem}-images-idx3-ubyte"), &idx(8, &[n, side, side], &pixels));
        set.write(&format!("{stem}-labels-idx1-ubyte"), &idx(8, &[n], &labels));
    }
    run(&desk, &set, "load", &[]).expect(0);
    let summary = desk.summary();
    assert_eq!(summary["uploaded"], count);
    let memory = summary["peak_rss_bytes"].as_u64().unwrap();
    assert!(memory < 64_000_000, "{memory} bytes");

    let script = r"
import hashlib, json, sys, zipfile
with zipfile.ZipFile(sys.argv[1]) as archive:
    assert archive.testzip() is None
    print(len(set(archive.namelist())), hashlib.sha256(archive.read('automl.csv')).hexdigest())
";
    let archive = desk.path("pictures.zip");
    let said = Command::new(python()).args(["-c", script]).arg(&archive).output().unwrap();
    assert!(said.status.success(), "{said:?}");
    let sum = summary["manifests"][0]["sha256"].as_str().unwrap();
    assert_eq!(String::from_utf8(said.stdout).unwrap(), format!("{} {sum}\n", count + 2));
    let unzip = Command::new("unzip").arg("-tq").arg(&archive).output();
    let unzip = unzip.expect("unzip must be installed");
    assert!(unzip.status.success(), "{unzip:?}");

    run(&desk, &set, "verify", &[]).expect(0);
    run(&desk, &set, "load", &[]).expect(0);
    assert_eq!(desk.summary()["already_present"], count);
}

#[test]
fn an_archive_that_is_there_is_kept_replaced_or_refused() {
    let (desk, set) = (Desk::new(), Set::new(60, 10));
    run(&desk, &set, "load", &[]).expect(0);
    let path = desk.path("pictures.zip");
    let before = fs::read(&path).unwrap();
    let same = || fs::read(&path).unwrap() == before;
    let manifest = desk.read("out/automl.csv");

    run(&desk, &set, "load", &[]).expect(0);
    assert_eq!(desk.summary()["already_present"], 70);
    assert!(same());

    // Other content, more, less, other rows: each time another archive is wanted.
    for (more, says) in [
        (&["--quality", "20"][..], "70 objects exist with other content, see out/failures"),
        (&["--limit", "30"], "pictures.zip holds 40 objects of an earlier load, such as class_0/"),
        (&["--seed", "7"], "the archive that is there has another automl.csv"),
        (&["--name", "{index}.jpg"], "the archive that is there has no "),
    ] {
        for file in ["out/automl.csv", "out/vertex.csv"] {
            let _ = fs::remove_file(desk.path(file));
        }
        let ran = run(&desk, &set, "load", more).expect(4);
        assert!(ran.error().starts_with("pictures.zip"), "{ran:?}");
        assert!(ran.error().contains(says), "{ran:?}");
        assert!(ran.error().contains("--if-exists overwrite"), "{ran:?}");
        assert!(same() && !desk.exists("out/automl.csv"), "{more:?}");
        run(&desk, &set, "verify", more).expect(1);
    }
    // Without the manifests that would tell, what is in it beside is found all the same.
    let none = desk.dir.path().join("none.toml");
    fs::write(&none, "[manifest]\nformats = []\n").unwrap();
    let ran = run(&desk, &set, "load", &["--config", "none.toml"]).expect(4);
    assert!(ran.error().contains("holds 2 more, such as automl.csv; "), "{ran:?}");

    let ran = run(&desk, &set, "load", &["--if-exists", "fail"]).expect(4);
    assert!(ran.error().starts_with("pictures.zip: exists already; "), "{ran:?}");
    assert!(same());

    let overwrite = ["--if-exists", "overwrite", "--quality", "20"];
    run(&desk, &set, "load", &overwrite).expect(0);
    assert_eq!(desk.summary()["uploaded"], 70);
    assert!(!same());
    assert_eq!(desk.read("out/automl.csv"), manifest);
    assert_eq!(read(&path).entries, 72);
    run(&desk, &set, "verify", &overwrite).expect(0);
    run(&desk, &set, "verify", &[]).expect(1);
    desk.read("out/verify.jsonl");
    assert_eq!(left(&desk).iter().filter(|file| file.contains("zip")).count(), 1);
}

#[test]
fn a_damaged_archive_is_no_exact_one() {
    let (desk, set) = (Desk::new(), Set::new(60, 10));
    run(&desk, &set, "load", &["--concurrency", "1"]).expect(0);
    let path = desk.path("pictures.zip");
    let mut bytes = fs::read(&path).unwrap();
    // In the middle of the first image.
    bytes[400] ^= 0x40;
    fs::write(&path, bytes).unwrap();
    let ran = run(&desk, &set, "verify", &[]).expect(1);
    assert!(ran.error().contains("71 of 72 objects are exact, 0 missing, 1 different"), "{ran:?}");
    run(&desk, &set, "load", &[]).expect(4);
    run(&desk, &set, "load", &["--if-exists", "overwrite"]).expect(0);
    run(&desk, &set, "verify", &[]).expect(0);
}

#[test]
fn places_that_cannot_be_written_are_told() {
    let (desk, set) = (Desk::new(), Set::new(60, 10));
    fs::create_dir(desk.path("pictures.zip")).unwrap();
    let ran = run(&desk, &set, "load", &[]).expect(4);
    assert_eq!(ran.error(), "pictures.zip: is a folder; give --to the name of an archive");
    assert_eq!(desk.summary()["not_attempted"], 70);
    let ran = run(&desk, &set, "verify", &[]).expect(4);
    assert!(ran.error().starts_with("pictures.zip: cannot be read"), "{ran:?}");
    fs::write(desk.path("file"), "").unwrap();
    let ran = run_to(&desk, &set, "file/pictures.zip", "load", &[]).expect(4);
    assert!(ran.error().starts_with("file/pictures.zip: cannot be "), "{ran:?}");
    let ran = run_to(&desk, &set, "a.zip", "load", &["--out", "a.zip/out"]).expect(2);
    assert!(ran.error().contains("outside of the destination"), "{ran:?}");
    let ran = run_to(&desk, &set, "a.zip", "tune", &[]).expect(2);
    assert!(ran.error().starts_with("a.zip: a zip takes one entry at a time"), "{ran:?}");
    // A new folder in a new one may be a slip; who writes ./ means it.
    let ran = run_to(&desk, &set, "new/folder/a.zip", "load", &[]).expect(2);
    assert!(ran.error().ends_with("create it, or write ./new/folder/a.zip"), "{ran:?}");
    assert!(!desk.exists("new"));
    run_to(&desk, &set, "./new/folder/a.zip", "load", &[]).expect(0);
    assert!(desk.exists("new/folder/a.zip"));
    assert!(left(&desk).iter().all(|file| !file.ends_with(".partial")), "{:?}", left(&desk));
}

/// A folder that even root cannot write.
#[cfg(target_os = "linux")]
#[test]
fn a_folder_that_may_not_be_written_is_told() {
    let (desk, set) = (Desk::new(), Set::new(60, 10));
    let ran = run_to(&desk, &set, "/sys/pictures.zip", "load", &[]).expect(4);
    assert!(ran.error().starts_with("/sys/pictures.zip: cannot be written: "), "{ran:?}");
    assert_eq!(desk.summary()["not_attempted"], 70);
}

/// A disk on which not all fits. The file system is told to refuse longer files.
#[cfg(target_os = "linux")]
#[test]
fn a_full_disk_leaves_nothing_behind() {
    // In blocks of 512 bytes.
    for blocks in [2, 400] {
        let (desk, set) = (Desk::new(), Set::new(600, 10));
        let args = ["load", "--source", set.path().to_str().unwrap(), "--to", "pictures.zip"];
        let args = [&args[..], &["--validation", "10", "--report=false"]].concat();
        let limited = format!("trap '' XFSZ; ulimit -f {blocks}");
        let ran: Ran = desk.command_after(&limited, &args).output().unwrap().into();
        let ran = ran.expect(4);
        assert!(ran.error().starts_with("pictures.zip: cannot be "), "{ran:?}");
        assert!(ran.error().contains("File too large"), "{ran:?}");
        assert_eq!(left(&desk), Vec::<String>::new());
    }
}

/// Signals are Unix.
#[cfg(unix)]
#[test]
fn an_interrupted_run_leaves_nothing_behind() {
    for signals in [&["-INT"][..], &["-TERM"], &["-INT", "-INT"]] {
        let (desk, set) = (Desk::new(), Set::new(2000, 10));
        fs::write(desk.path("old.txt"), "mine").unwrap();
        let mut child = desk
            .command(&["load", "--source", set.path().to_str().unwrap(), "--to", "pictures.zip"])
            .args(["--validation", "10", "--max-rate", "100", "--concurrency", "4"])
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .spawn()
            .unwrap();
        // With entries in it, the run has begun, and knows what it must remove.
        until("the first entries", || {
            fs::metadata(desk.path("pictures.zip.partial")).is_ok_and(|file| file.len() > 1000)
        });
        for signal in signals {
            // The second may find that the first was enough.
            let id = child.id().to_string();
            let _ =
                Command::new("kill").args([*signal, id.as_str()]).stderr(Stdio::null()).status();
        }
        let code = child.wait().unwrap().code();
        assert_eq!(code, Some(if signals[0] == "-INT" { 130 } else { 143 }));
        assert_eq!(left(&desk), ["old.txt"], "{signals:?}");
        assert_eq!(desk.summary()["exit_code"], code.unwrap());
    }
}

/// What a killed run leaves is taken over by the next.
#[test]
fn a_killed_run_is_in_nobodys_way() {
    let (desk, set) = (Desk::new(), Set::new(2000, 10));
    let mut child = desk
        .command(&["load", "--source", set.path().to_str().unwrap(), "--to", "pictures.zip"])
        .args(["--validation", "10", "--max-rate", "100", "--concurrency", "4"])
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .spawn()
        .unwrap();
    until("the archive's beginning", || desk.exists("pictures.zip.partial"));
    let ran = run(&desk, &set, "load", &["--out", "out2"]).expect(4);
    assert!(ran.error().contains("pictures.zip.partial is being written by another run"));
    child.kill().unwrap();
    child.wait().unwrap();
    assert_eq!(left(&desk).last().unwrap(), "pictures.zip.partial");
    run(&desk, &set, "load", &[]).expect(0);
    assert!(!desk.exists("pictures.zip.partial"));
    assert_eq!(read(&desk.path("pictures.zip")).entries, 2012);
}

#[test]
fn a_dry_run_writes_no_archive_and_asks_for_nothing() {
    let (desk, set) = (Desk::new(), Set::new(60, 10));
    let ran = run(&desk, &set, "load", &["--dry-run"]).expect(0);
    assert!(ran.stdout.contains(",class_0/image_0.jpg,0"), "{ran:?}");
    assert!(!ran.stdout.contains("Class A"), "{ran:?}");
    assert_eq!(desk.files(), Vec::<String>::new());
}
