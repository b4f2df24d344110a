//! Several runs that write into one folder at the same time.

use std::fs;
use std::process::Stdio;

use crate::support::{Desk, Set};

/// Two runs of the same into one folder, each with reports of its own, do not disturb each other.
#[test]
fn two_runs_share_a_folder() {
    let (desk, set) = (Desk::new(), Set::new(390, 10));
    let source = set.path().to_str().unwrap();
    let args = ["load", "--source", source, "--to", "pictures", "--validation", "10"];
    let start = |out| {
        let mut command = desk.command(&args);
        command.args(["--max-rate", "400", "--out", out]).stderr(Stdio::piped());
        command.stdout(Stdio::null()).spawn().unwrap()
    };
    let runs = [start("out"), start("other")];
    for run in runs {
        let ran = run.wait_with_output().unwrap();
        assert!(ran.status.success(), "{}", String::from_utf8_lossy(&ran.stderr));
    }
    let mut pictures = desk.files();
    pictures.retain(|file| file.starts_with("pictures/"));
    assert_eq!(pictures.len(), 402, "400 images, two manifests, nothing half-written");
    desk.run(&[&["verify"], &args[1..]].concat()).expect(0);
    assert_eq!(desk.read("out/automl.csv"), desk.read("other/automl.csv"));
}

/// Loads whose folders are one in the other, each begun while another writes.
#[test]
fn loads_into_one_folder_and_one_below_it() {
    let (desk, set) = (Desk::new(), Set::new(390, 10));
    let source = set.path().to_str().unwrap();
    let start = |to: &str, out: &str| {
        let mut command = desk.command(&["load", "--source", source, "--validation", "10"]);
        command.args(["--to", to, "--out", out]).stderr(Stdio::piped());
        command.stdout(Stdio::null()).spawn().unwrap()
    };
    for round in 0..3 {
        let folders = ["./pictures", "./pictures/a", "./pictures/b", "./pictures/a/c"];
        let runs: Vec<_> =
            folders.iter().enumerate().map(|(i, to)| start(to, &format!("out{i}"))).collect();
        for run in runs {
            let ran = run.wait_with_output().unwrap();
            let says = String::from_utf8_lossy(&ran.stderr);
            assert!(ran.status.success(), "round {round}: {says}");
        }
        let mut pictures = desk.files();
        pictures.retain(|file| file.starts_with("pictures/"));
        assert_eq!(pictures.len(), 4 * 402, "nothing half-written");
        fs::remove_dir_all(desk.path("pictures")).unwrap();
    }
}
