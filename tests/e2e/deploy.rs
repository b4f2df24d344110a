//! `deploy`: the files of `deploy/` and what the command makes of them, as their schedulers read them.

use std::collections::BTreeMap;
use std::fmt::Write;
use std::fs;
use std::path::Path;
use std::process::{Command, Stdio};

use crate::support::{Desk, Server, Set, python};

const IN_CONTAINERS: [(&str, &str); 3] = [
    ("kubernetes", "kubernetes-job.yaml"),
    ("cloud-run", "cloud-run-job.yaml"),
    ("batch", "batch-job.json"),
];

fn shipped(file: &str) -> String {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("deploy").join(file).to_str().unwrap().to_owned()
}

/// What the command prints, as a file.
fn printed(desk: &Desk, scheduler: &str, shards: &str, more: &[&str]) -> String {
    let ran = desk.run(&[&["deploy", scheduler, "--shards", shards], more].concat()).expect(0);
    let path = desk.path(&format!("{scheduler}-{shards}"));
    fs::write(&path, ran.stdout).unwrap();
    path.to_str().unwrap().to_owned()
}

/// Holds job files against what their schedulers publish; returns the variables of their tasks.
fn checked(desk: &Desk, files: &[(&str, u32, u32, String)]) -> Vec<BTreeMap<String, String>> {
    let lines =
        files.iter().fold(String::new(), |mut lines, (scheduler, slices, parallel, path)| {
            writeln!(lines, "{scheduler} {slices} {parallel} {path}").unwrap();
            lines
        });
    fs::write(desk.path("jobs"), lines).unwrap();
    let script = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/e2e/conformance/jobs.py");
    let mut command = Command::new(python());
    command.arg(script).stdin(Stdio::from(fs::File::open(desk.path("jobs")).unwrap()));
    let output = command.env("PYTHONDONTWRITEBYTECODE", "1").output().unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    let lines = String::from_utf8(output.stdout).unwrap();
    let variables: Vec<_> = lines.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    assert_eq!(variables.len(), files.len());
    variables
}

/// The files are what the schedulers take, and their variables are what the program takes: tasks that
/// are started with them load everything.
#[test]
#[ignore = "needs Python; scripts/test.sh runs it"]
fn job_files_are_read_strictly_and_their_tasks_load_everything() {
    let desk = Desk::new();
    let mut files: Vec<_> =
        IN_CONTAINERS.map(|(scheduler, file)| (scheduler, 8, 8, shipped(file))).into();
    let set = Set::new(80, 20);
    let server = Server::start(idx2gcs_emulator::Options::default());
    let (source, url, out) = (set.path().to_str().unwrap(), server.url(), desk.path("out"));
    fs::write(desk.path("c.toml"), "[shard]\nparallel = 2\n[retry]\nmax_elapsed = \"3m\"\n")
        .unwrap();
    for (scheduler, _) in IN_CONTAINERS {
        let to = format!("gs://demo/{scheduler}");
        let name = "{class}/it's \"{index:05}\".{ext}";
        let args = ["--source", source, "--to", &to, "--endpoint", &url, "--name", name];
        let more = ["--validation", "10", "--config", "c.toml", "--out", out.to_str().unwrap()];
        files.push((scheduler, 3, 2, printed(&desk, scheduler, "3", &[&args[..], &more].concat())));
    }
    for (scheduler, _) in IN_CONTAINERS {
        let args = ["--source", "fashion-mnist", "--to", "gs://demo/fm"];
        files.push((scheduler, 1, 1, printed(&desk, scheduler, "1", &args)));
    }
    for (scheduler, _) in IN_CONTAINERS {
        let args = ["--source", "/mnt/disks/source/fm", "--to", "gs://demo/fm"];
        files.push((scheduler, 10_000, 10_000, printed(&desk, scheduler, "10000", &args)));
    }
    let all = checked(&desk, &files);

    let own = [
        &["JOB_COMPLETION_INDEX"][..],
        &["CLOUD_RUN_TASK_INDEX", "CLOUD_RUN_TASK_COUNT"],
        &["BATCH_TASK_INDEX", "BATCH_TASK_COUNT"],
    ];
    for (variables, own) in all[3..6].iter().zip(own) {
        assert_eq!(variables["IDX2GCS_RETRY_MAX_ELAPSED"], "3m", "has no flag");
        for index in 0..3 {
            let mut task = desk.command(&["load"]);
            task.envs(variables).envs(own.iter().zip([index.to_string(), "3".to_owned()]));
            let output = task.output().unwrap();
            assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
        }
    }
    for (scheduler, _) in IN_CONTAINERS {
        let manifest = server.emulator().object("demo", &format!("{scheduler}/vertex.csv"));
        let manifest = String::from_utf8(manifest.unwrap().1.to_vec()).unwrap();
        assert_eq!(manifest.lines().count(), 100);
    }
    let of_named = &all[6];
    assert_eq!(of_named["IDX2GCS_SOURCE_DATASET"], "fashion-mnist");
}

#[test]
#[ignore = "needs Python; scripts/test.sh runs it"]
fn shellcheck_has_nothing_to_say_of_the_script() {
    let desk = Desk::new();
    let args = ["--source", "a 'b' c", "--to", "./it's"];
    let printed = printed(&desk, "slurm", "500", &args);
    let text = fs::read_to_string(&printed).unwrap();
    assert!(text.contains("tasks=${1:-0-499}\n"), "{text}");
    assert!(text.contains("export IDX2GCS_SOURCE_PATH='a '\\''b'\\'' c'\n"), "{text}");
    let shellcheck = python().with_file_name("shellcheck");
    for script in [shipped("slurm.sh"), printed] {
        let output = Command::new(&shellcheck).arg(script).output().unwrap();
        assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stdout));
    }
}

#[test]
fn fewer_tasks_at_once_are_the_arrays_limit() {
    let desk = Desk::new().env("IDX2GCS_SHARD_PARALLEL", "20");
    let args = ["deploy", "slurm", "--source", "fm", "--to", "gs://demo/fm", "--shards"];
    let ran = desk.run(&[&args[..], &["100"]].concat()).expect(0);
    assert!(ran.stdout.contains(":-0-99%20}"), "{ran:?}");
    assert!(ran.stdout.contains("export IDX2GCS_SHARD_PARALLEL='20'"), "{ran:?}");
    assert!(ran.stdout.contains("export IDX2GCS_SHARD_COUNT='100'"), "{ran:?}");
    let ran = desk.run(&[&args[..], &["20"]].concat()).expect(0);
    assert!(ran.stdout.contains(":-0-19}"), "{ran:?}");
}

#[test]
fn what_tasks_cannot_do_is_refused() {
    let desk = Desk::new();
    let (fm, bucket) = (["--source", "/data/fm"], ["--to", "gs://demo/fm"]);
    for (scheduler, args, why) in [
        ("slurm", &["--to", "a.zip"][..], "a zip is written by one process"),
        ("slurm", &["--to", "gs://demo/fm", "--shard", "1/2"], "leave out --shard"),
        ("slurm", &["--to", "gs://demo/fm", "--endpoint", "embedded"], "none for the others"),
        ("slurm", &["--to", "gs://demo/fm", "--if-exists", "fail"], "its own objects"),
        ("batch", &["--to", "./pictures"], "./pictures: tasks of batch keep no folder"),
    ] {
        let args = [&["deploy", scheduler, "--shards", "4"], &fm[..], args].concat();
        let ran = desk.run(&args).expect(2);
        assert!(ran.error().contains(why), "{args:?}: {ran:?}");
    }
    let args = [&["deploy", "cloud-run", "--shards", "4", "--source", "fm"], &bucket[..]].concat();
    let ran = desk.run(&args).expect(2);
    assert!(ran.error().starts_with("fm: tasks of cloud-run do not have"), "{ran:?}");
    for wrong in [&["nomad", "--shards", "4"][..], &["slurm", "--shards", "0"], &["slurm"]] {
        desk.run(&[&["deploy"], wrong, &fm, &bucket].concat()).expect(2);
    }
}
