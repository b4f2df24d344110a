//! The main job on small sets.

use std::collections::BTreeMap;
use std::fs;
use std::process::Stdio;

use idx2gcs::encode::{Encoder, Encoding};
use idx2gcs::{Image, Size};
use idx2gcs_emulator::{Faults, Options};

use crate::support::{Desk, SIDE, Server, Set, gzip, until};

fn jpeg(index: u32, quality: u8) -> Vec<u8> {
    let encoding = Encoding { quality, ..Encoding::default() };
    let size = Size { rows: SIDE, cols: SIDE, channels: 1 };
    let image = Image::Raw { size, pixels: Set::pixels(index) };
    Encoder::new(encoding).encode(&image).unwrap().into()
}

/// The page says what the summary says, and shows what is stored.
#[test]
fn a_page_tells_of_the_load() {
    let (desk, set, server) = (Desk::new(), Set::new(100, 20), Server::new());
    desk.load(&set, &server, &[]).expect(0);
    let (summary, report) = (desk.summary(), desk.read("out/report.json"));
    let report: serde_json::Value = serde_json::from_str(&report).unwrap();
    for number in ["images", "uploaded", "attempts", "bytes", "elapsed_s"] {
        assert_eq!(report["outcome"][number], summary[number], "{number}");
    }
    assert_eq!(
        (&report["partitions"]["validation"], &report["partitions"]["test"]),
        (&10.into(), &20.into())
    );
    let classes = report["classes"].as_array().unwrap();
    let count = |class: &serde_json::Value| {
        ["train", "validation", "test"]
            .iter()
            .map(|part| class["images"][part].as_u64().unwrap())
            .sum::<u64>()
    };
    assert!(classes.len() == 10 && classes.iter().all(|class| count(class) == 12), "{classes:?}");
    let samples = report["samples"].as_array().unwrap();
    assert!(samples.len() > 30, "{}", samples.len());
    for sample in samples {
        let bytes =
            data_encoding::BASE64.decode(sample["bytes"].as_str().unwrap().as_bytes()).unwrap();
        let index = u32::try_from(sample["index"].as_u64().unwrap()).unwrap();
        assert_eq!(bytes, jpeg(index, 75), "{index}");
    }
    assert!(
        report["figures"]["psnr_db"]["worst"].as_f64().unwrap() > 20.0,
        "{}",
        report["figures"]
    );
    assert_eq!(report["outcome"]["manifests"][1]["url"], "gs://demo/fm/vertex.csv");
    // Ten images held out of a hundred miss some of the ten classes.
    assert_eq!(report["findings"][0]["code"], "missing-classes", "{}", report["findings"]);
    let page = desk.read("out/report.html");
    assert!(page.contains("All 120 images are stored."));
    // A run that is refused leaves page and manifests, which are of one load.
    desk.load(&set, &server, &["--if-exists", "fail"]).expect(4);
    assert_eq!(desk.read("out/report.html"), page);
    assert!(desk.exists("out/automl.csv") && desk.exists("out/report.json"));
    // It is a matter of one flag, and never that of another run.
    desk.load(&set, &server, &["--report=false"]).expect(0);
    assert!(!desk.exists("out/report.html") && !desk.exists("out/report.json"));
}

#[test]
fn stores_every_image_and_lists_it() {
    let (desk, set, server) = (Desk::new(), Set::new(100, 20), Server::new());
    let ran = desk.load(&set, &server, &[]).expect(0);
    assert!(ran.stdout.starts_with("120 images in "), "{ran:?}");

    let images = server.images();
    assert_eq!(images.len(), 120);
    for index in 0..120 {
        let name = format!("fm/image_{index}.jpg");
        let (info, bytes) = server.emulator().object("demo", &name).unwrap();
        assert_eq!(bytes, jpeg(index, 75), "{name}");
        assert_eq!(info.content_type.as_deref(), Some("image/jpeg"));
    }

    let automl = desk.read("out/automl.csv");
    let rows: Vec<Vec<&str>> = automl.lines().map(|row| row.split(',').collect()).collect();
    assert_eq!(rows.len(), 120);
    for (index, row) in (0..).zip(&rows) {
        assert_eq!(row[1], format!("gs://demo/fm/image_{index}.jpg"));
        assert_eq!(row[2], Set::label(index).to_string());
        assert_eq!(row[0] == "TEST", index >= 100);
    }
    assert_eq!(rows.iter().filter(|row| row[0] == "VALIDATION").count(), 10);
    let vertex = desk.read("out/vertex.csv");
    let first = vertex.lines().next().unwrap();
    assert!(first.ends_with(",gs://demo/fm/image_0.jpg,class_0"), "{first}");
    assert_eq!(server.text("automl.csv"), Some(automl));
    assert_eq!(server.text("vertex.csv"), Some(vertex));

    let summary = desk.summary();
    assert_eq!(summary["uploaded"], 120);
    assert_eq!(summary["exit_code"], 0);
    assert_eq!(summary["attempts"], 120);
    assert_eq!(summary["manifests"][0]["rows"], 120);
    assert_eq!(summary["manifests"][1]["format"], "vertex");
    assert!(summary["peak_rss_bytes"].as_u64().unwrap() > 0);
    let written = ["automl.csv", "report.html", "report.json", "summary.json", "vertex.csv"];
    assert_eq!(desk.files(), written.map(|name| format!("out/{name}")), "no file but those");
}

#[test]
fn every_insert_has_its_precondition_and_the_manifests_come_last() {
    let (desk, set, server) = (Desk::new(), Set::new(40, 10), Server::new());
    desk.load(&set, &server, &[]).expect(0);
    let requests = server.emulator().requests();
    let inserts: Vec<_> =
        requests.iter().filter(|request| request.path.starts_with("/upload/")).collect();
    assert_eq!(inserts.len(), 52);
    for insert in &inserts {
        assert_eq!(insert.query("uploadType"), Some("multipart"));
        assert_eq!(insert.query("ifGenerationMatch"), Some("0"));
        assert_eq!(insert.header("authorization"), None, "an emulator needs no credentials");
    }
    let created = |name: &str| server.emulator().object("demo", name).unwrap().0.generation;
    let last_image = server.images().iter().map(|image| image.generation).max().unwrap();
    assert!(created("fm/automl.csv") > last_image);
    assert!(created("fm/vertex.csv") > last_image);
}

#[test]
fn a_second_run_writes_nothing() {
    let (desk, set, server) = (Desk::new(), Set::new(60, 10), Server::new());
    desk.load(&set, &server, &[]).expect(0);
    let before = server.emulator().counters().inserts;
    let ran = desk.load(&set, &server, &[]).expect(0);
    assert!(ran.stdout.contains("70 already present"), "{ran:?}");
    assert_eq!(server.emulator().counters().inserts, before);
    let summary = desk.summary();
    assert_eq!((&summary["already_present"], &summary["attempts"]), (&70.into(), &0.into()));
}

#[test]
fn a_run_over_part_of_the_objects_writes_the_rest() {
    let (desk, set, server) = (Desk::new(), Set::new(60, 10), Server::new());
    desk.load(&set, &server, &["--limit", "25"]).expect(0);
    assert_eq!(server.images().len(), 25);
    assert_eq!(desk.read("out/automl.csv").lines().count(), 25);
    desk.load(&set, &server, &[]).expect(0);
    let summary = desk.summary();
    assert_eq!((&summary["already_present"], &summary["uploaded"]), (&25.into(), &45.into()));
    assert_eq!(desk.read("out/automl.csv").lines().count(), 70);
    assert_eq!(server.text("automl.csv").unwrap().lines().count(), 70, "replaces the shorter one");
    assert_eq!(server.emulator().counters().overwrites, 2, "the two manifests and no image");
}

#[test]
fn other_content_is_a_conflict_unless_it_may_be_overwritten() {
    let (desk, set, server) = (Desk::new(), Set::new(60, 10), Server::new());
    desk.load(&set, &server, &[]).expect(0);
    let manifest = desk.read("out/automl.csv");

    let ran = desk.load(&set, &server, &["--quality", "50"]).expect(4);
    assert!(ran.error().contains("70 objects exist with other content"), "{ran:?}");
    assert!(ran.error().contains("--if-exists overwrite"), "{ran:?}");
    let encoder = "or written by another version of the encoder (this is jpeg/1)";
    assert!(ran.error().contains(encoder), "{ran:?}");
    assert_eq!(
        (&desk.summary()["failed"], &desk.summary()["encoder"]),
        (&70.into(), &"jpeg/1".into())
    );
    let failures = desk.read("out/failures.jsonl");
    let first: serde_json::Value = serde_json::from_str(failures.lines().next().unwrap()).unwrap();
    assert!(first["last_error"].as_str().unwrap().contains("CRC32C"), "{first}");
    assert_eq!(desk.read("out/automl.csv"), manifest, "the manifest that was true stays");

    desk.load(&set, &server, &["--quality", "50", "--if-exists", "overwrite"]).expect(0);
    let (_, bytes) = server.emulator().object("demo", "fm/image_3.jpg").unwrap();
    assert_eq!(bytes, jpeg(3, 50));
    assert_eq!(server.emulator().counters().overwrites, 70);
    assert!(!desk.exists("out/failures.jsonl"), "it spoke of an earlier run");

    let again = ["--quality", "50", "--if-exists", "overwrite"];
    desk.load(&set, &server, &again).expect(0);
    assert_eq!(server.emulator().counters().overwrites, 70, "the same content is left alone");
}

#[test]
fn fail_stops_before_the_first_write() {
    let (desk, set, server) = (Desk::new(), Set::new(60, 10), Server::new());
    desk.load(&set, &server, &["--limit", "1"]).expect(0);
    let before = server.emulator().counters().inserts;
    let ran = desk.load(&set, &server, &["--if-exists", "fail"]).expect(4);
    assert!(ran.error().contains("3 of the objects exist already"), "{ran:?}");
    assert_eq!(server.emulator().counters().inserts, before);
    assert_eq!(desk.summary()["not_attempted"], 70);
}

#[test]
fn fail_spares_a_manifest_too() {
    let (desk, set) = (Desk::new(), Set::new(60, 10));
    fs::create_dir(desk.path("pictures")).unwrap();
    fs::write(desk.path("pictures/automl.csv"), "precious").unwrap();
    let source = set.path().to_str().unwrap();
    let args = ["load", "--source", source, "--to", "pictures", "--validation", "10"];
    let ran = desk.run(&[&args[..], &["--if-exists", "fail"]].concat()).expect(4);
    assert!(ran.error().contains("1 of the objects exist already"), "{ran:?}");
    assert_eq!(desk.read("pictures/automl.csv"), "precious");
    assert!(!desk.exists("pictures/image_0.jpg"));
}

/// What else lies in a folder is not looked into: it may be large, or block for ever.
#[cfg(unix)]
#[test]
fn files_of_others_are_left_alone() {
    let (desk, set) = (Desk::new(), Set::new(60, 10));
    fs::create_dir(desk.path("pictures")).unwrap();
    let pipe = desk.path("pictures/image_1.pipe");
    assert!(std::process::Command::new("mkfifo").arg(&pipe).status().unwrap().success());
    std::os::unix::fs::symlink("/", desk.path("pictures/image_2.everything")).unwrap();
    fs::write(desk.path("pictures/image_3.mp4"), "a film").unwrap();
    let source = set.path().to_str().unwrap();
    let args = ["load", "--source", source, "--to", "pictures", "--validation", "10"];
    desk.run(&args).expect(0);
    desk.run(&args).expect(0);
    assert_eq!(desk.summary()["already_present"], 70);
    let ran = desk.run(&[&["verify"], &args[1..]].concat()).expect(1);
    assert!(ran.error().contains("0 missing, 0 different, 1 unexpected"), "{ran:?}");
}

/// Waiting for one's turn is no failed attempt, though most images wait longer than one may take.
#[test]
fn a_rate_is_kept_without_a_retry() {
    let (desk, set, server) = (Desk::new(), Set::new(290, 10), Server::new());
    let desk = desk.env("IDX2GCS_RETRY_ATTEMPT_TIMEOUT", "1s");
    let desk = desk.env("IDX2GCS_RETRY_MAX_ELAPSED", "1s");
    desk.load(&set, &server, &["--max-rate", "100", "--concurrency", "300"]).expect(0);
    let summary = desk.summary();
    assert_eq!((&summary["attempts"], &summary["retries"]), (&300.into(), &serde_json::json!({})));
    // 300 writes are 299 intervals of a hundredth of a second; nothing can be faster.
    assert!(summary["elapsed_s"].as_f64().unwrap() > 2.9, "{summary:#}");
}

#[test]
fn a_folder_gets_the_same_files() {
    let (desk, set) = (Desk::new(), Set::new(60, 10));
    let source = set.path().to_str().unwrap();
    let name = "{partition}/{label}/{index:05}.jpg";
    let args =
        ["load", "--source", source, "--to", "pictures/", "--validation", "10", "--name", name];
    desk.run(&args).expect(0);
    let automl = desk.read("out/automl.csv");
    for (index, row) in (0..).zip(automl.lines()) {
        let path = row.split(',').nth(1).unwrap();
        assert!(path.starts_with("pictures/"), "{row}");
        assert_eq!(fs::read(desk.path(path)).unwrap(), jpeg(index, 75), "{path}");
    }
    assert_eq!(desk.read("pictures/automl.csv"), automl);
    assert_eq!(desk.files().len(), 70 + 2 + 5, "{:?}", desk.files());

    desk.run(&args).expect(0);
    assert_eq!(desk.summary()["already_present"], 70);
    let conflict = [&args[..], &["--quality", "1"]].concat();
    desk.run(&conflict).expect(4);
    let overwrite = [&conflict[..], &["--if-exists", "overwrite"]].concat();
    desk.run(&overwrite).expect(0);
}

#[test]
fn packed_files_and_other_spellings_are_read() {
    let (desk, set, server) = (Desk::new(), Set::new(60, 10), Server::new());
    let images = set.read("train-images-idx3-ubyte");
    let (first, second) = images.split_at(20_000);
    set.write("train-images.idx3-ubyte.gz", &[gzip(first), gzip(second)].concat());
    fs::remove_file(set.path().join("train-images-idx3-ubyte")).unwrap();
    // Packed under a plain name, and plain under a packed one.
    let labels = set.read("t10k-labels-idx1-ubyte");
    set.write("t10k-labels-idx1-ubyte", &gzip(&labels));
    fs::rename(
        set.path().join("train-labels-idx1-ubyte"),
        set.path().join("train-labels-idx1-ubyte.gz"),
    )
    .unwrap();
    desk.load(&set, &server, &[]).expect(0);
    let (_, bytes) = server.emulator().object("demo", "fm/image_59.jpg").unwrap();
    assert_eq!(bytes, jpeg(59, 75));
}

#[test]
fn a_dry_run_tells_everything_and_writes_nothing() {
    let (desk, set) = (Desk::new(), Set::new(60, 10));
    let source = set.path().to_str().unwrap();
    let ran = desk
        .run(&[
            "load",
            "--source",
            source,
            "--to",
            "gs://demo/fm",
            "--validation",
            "10",
            "--dry-run",
        ])
        .expect(0);
    let bytes: usize = (0..70).map(|index| jpeg(index, 75).len()).sum();
    assert!(ran.stdout.contains("would load 70 images"), "{}", ran.stdout);
    assert!(ran.stdout.contains(&format!("{:.2} kB", bytes as f64 / 1000.0)), "{}", ran.stdout);
    assert!(ran.stdout.contains("73 Class A requests, about $0.00"), "{}", ran.stdout);
    assert!(ran.stdout.contains("gs://demo/fm/image_2.jpg,2"), "{}", ran.stdout);
    let all = ran.stdout.lines().find(|line| line.trim().starts_with("all")).unwrap();
    assert_eq!(all.split_whitespace().collect::<Vec<_>>(), ["all", "50", "10", "10"]);
    assert_eq!(desk.files(), Vec::<String>::new());
}

#[test]
fn the_partition_of_an_image_depends_on_the_seed_alone() {
    let set = Set::new(60, 10);
    let partitions = |more: &[&str]| -> BTreeMap<String, String> {
        let (desk, server) = (Desk::new(), Server::new());
        desk.load(&set, &server, more).expect(0);
        let manifest = desk.read("out/automl.csv");
        let rows = manifest.lines().map(|row| row.split_once(',').unwrap());
        rows.map(|(partition, object)| (object.to_owned(), partition.to_owned())).collect()
    };
    let whole = partitions(&[]);
    assert_eq!(whole, partitions(&["--concurrency", "1"]));
    let part = partitions(&["--limit", "30"]);
    assert!(part.iter().all(|(object, partition)| whole[object] == *partition));
    assert_ne!(whole, partitions(&["--seed", "7"]));
}

#[test]
fn progress_is_told_in_each_way_and_quiet_is_quiet() {
    let (desk, set, server) = (Desk::new(), Set::new(60, 10), Server::new());
    let ran = desk.load(&set, &server, &[]).expect(0);
    assert!(ran.stderr.contains(" images/s, 0 of "), "{ran:?}");
    assert!(ran.stderr.contains(" in flight, "), "{ran:?}");
    assert!(ran.stderr.ends_with("), 0 × 429, 0 retries, 0 failed\n"), "{ran:?}");
    let ran = desk.load(&set, &server, &["--progress", "json"]).expect(0);
    let last: serde_json::Value = serde_json::from_str(ran.stderr.lines().last().unwrap()).unwrap();
    assert_eq!((&last["images"], &last["not_attempted"]), (&70.into(), &0.into()));
    // A program can read every line, that of an error too.
    let more = ["--progress", "json", "--quality", "3"];
    let ran = desk.load(&set, &server, &more).expect(4);
    let lines: Result<Vec<serde_json::Value>, _> =
        ran.stderr.lines().map(serde_json::from_str).collect();
    let lines = lines.unwrap_or_else(|e| panic!("{e}: {ran:?}"));
    let error = lines.last().unwrap()["error"].as_str().unwrap();
    assert!(error.contains("70 objects exist with other content"), "{error}");
    let ran = desk.load(&set, &server, &["--progress", "none"]).expect(0);
    assert_eq!(ran.stderr, "");
    let ran = desk.load(&set, &server, &["-q"]).expect(0);
    assert_eq!((ran.stdout.as_str(), ran.stderr.as_str()), ("", ""));
}

/// What became of the images is told first, and the exit code is theirs.
#[cfg(target_os = "linux")]
#[test]
fn a_full_standard_output_changes_nothing() {
    let full = || Stdio::from(fs::OpenOptions::new().write(true).open("/dev/full").unwrap());
    let (desk, set, server) = (Desk::new(), Set::new(60, 10), Server::new());
    let (source, endpoint) = (set.path().to_str().unwrap(), server.url());
    let run = |more: &[&str]| {
        let mut command = desk.command(&["load", "--source", source, "--to", "gs://demo/fm"]);
        command.args(["--endpoint", &endpoint, "--validation", "10"]).args(more);
        command.stdout(full()).output().unwrap()
    };
    let output = run(&[]);
    assert_eq!(output.status.code(), Some(0));
    assert!(String::from_utf8_lossy(&output.stderr).contains("error: standard output: cannot"));
    let output = run(&["--quality", "20"]);
    assert_eq!(output.status.code(), Some(4));
    assert!(String::from_utf8_lossy(&output.stderr).contains("error: gs://demo/fm: 70 objects"));
    assert_eq!(desk.summary()["exit_code"], 4);
}

/// Signals are Unix.
#[cfg(unix)]
#[test]
fn a_signal_drains_and_says_what_is_done() {
    use std::os::unix::process::ExitStatusExt;

    for (signal, code) in [("-INT", 130), ("-TERM", 143)] {
        let (desk, set) = (Desk::new(), Set::new(2000, 10));
        let latency = std::time::Duration::from_millis(20);
        let faults = Faults { latency, ..Faults::default() };
        let server = Server::start(Options { faults, ..Options::default() });
        let (source, endpoint) = (set.path().to_str().unwrap(), server.url());
        let child = desk
            .command(&["load", "--source", source, "--to", "gs://demo/fm", "--validation", "10"])
            .args(["--endpoint", &endpoint, "--concurrency", "4"])
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .unwrap();
        until("inserts", || server.emulator().counters().inserts >= 20);
        let mut kill = std::process::Command::new("kill");
        assert!(kill.arg(signal).arg(child.id().to_string()).status().unwrap().success());
        let output = child.wait_with_output().unwrap();
        assert_eq!(output.status.signal(), None, "it left by itself");
        assert_eq!(output.status.code(), Some(code));
        let summary = desk.summary();
        let uploaded = summary["uploaded"].as_u64().unwrap();
        assert_eq!(uploaded, server.images().len() as u64, "what was in flight is counted");
        assert!(summary["not_attempted"].as_u64().unwrap() > 0);
        assert_eq!(summary["exit_code"], code);
        assert!(!desk.exists("out/automl.csv"));

        desk.load(&set, &server, &[]).expect(0);
        assert_eq!(server.emulator().counters().overwrites, 0);
        assert_eq!(server.images().len(), 2010);
    }
}
