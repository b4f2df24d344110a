//! `--sample`: a few images, each partition and class its share, known to every command.

use std::collections::BTreeMap;
use std::fs;

use crate::support::{Desk, Ran, Server, Set, fashion_mnist, idx};

fn run(desk: &Desk, command: &str, source: &str, server: &Server, more: &[&str]) -> Ran {
    let endpoint = server.url();
    let args = [command, "--source", source, "--to", "gs://demo/fm", "--endpoint", &endpoint];
    desk.run(&[&args[..], more].concat())
}

/// Rows of `automl.csv`.
fn rows(desk: &Desk) -> Vec<String> {
    desk.read("out/automl.csv").lines().map(str::to_owned).collect()
}

/// Images by partition, in the order of a manifest's words.
fn partitions(rows: &[String]) -> [usize; 3] {
    let of = |word: &str| rows.iter().filter(|row| row.starts_with(word)).count();
    ["TRAIN,", "VALIDATION,", "TEST,"].map(of)
}

#[test]
#[ignore = "needs Fashion-MNIST; scripts/test.sh runs it"]
fn a_sample_of_fashion_mnist_has_its_partitions_and_classes() {
    let (desk, server) = (Desk::new(), Server::new());
    let desk = desk.env("IDX2GCS_SOURCE_PATH", fashion_mnist().to_str().unwrap());
    let go = |command, more: &[&str]| run(&desk, command, "fashion-mnist", &server, more);
    go("load", &["--sample", "500"]).expect(0);
    let small = rows(&desk);
    assert_eq!(partitions(&small), [358, 71, 71]);
    let mut classes = BTreeMap::<(&str, &str), u32>::new();
    for row in &small {
        let (partition, label) = (row.split(',').next().unwrap(), row.split(',').next_back());
        *classes.entry((partition, label.unwrap())).or_default() += 1;
    }
    assert_eq!(classes.len(), 30, "each of ten classes in each partition");
    for ((partition, label), n) in classes {
        let share = if partition == "TRAIN" { 35..=37 } else { 7..=8 };
        assert!(share.contains(&n), "{n} of class {label} in {partition}");
    }
    let verified = go("verify", &["--sample", "500"]).expect(0).stdout;
    assert!(verified.starts_with("502 of 502 objects are exact"), "{verified}");

    // The same again, and among those of a larger one.
    go("load", &["--sample", "500"]).expect(0);
    assert_eq!((rows(&desk), &desk.summary()["already_present"]), (small.clone(), &500.into()));
    go("load", &["--sample", "1000"]).expect(0);
    let summary = desk.summary();
    assert_eq!((&summary["already_present"], &summary["uploaded"]), (&500.into(), &500.into()));
    let large = rows(&desk);
    assert_eq!(partitions(&large), [714, 143, 143]);
    assert!(small.iter().all(|row| large.contains(row)));
    go("verify", &["--sample", "1000"]).expect(0);
}

/// However the images were split, and with or without labels, the rows are some of the whole set's.
#[test]
fn images_keep_index_name_and_partition() {
    let set = Set::new(60, 10);
    let listed: Vec<String> = (40..52).map(|index| format!("{index},validation")).collect();
    set.write("split.csv", listed.join("\n").as_bytes());
    let unlabelled = tempfile::tempdir().unwrap();
    let pixels: Vec<u8> = (0..60).flat_map(Set::pixels).collect();
    let images = unlabelled.path().join("images.idx3-ubyte");
    fs::write(&images, idx(8, &[60, 28, 28], &pixels)).unwrap();
    let (labelled, unlabelled) = (set.path().to_str().unwrap(), images.to_str().unwrap());
    let list = set.path().join("split.csv");
    for (method, source, by_file, more) in [
        ("random", labelled, false, &["--validation", "10"][..]),
        ("stratified", labelled, false, &["--validation", "0.2"]),
        ("hash", labelled, false, &["--validation", "0.2", "--name", "{hash}.{ext}"]),
        ("random", labelled, false, &["--validation", "10", "--name", "{label}/{hash}.{ext}"]),
        ("none", labelled, false, &[]),
        ("file", labelled, true, &[]),
        ("random", unlabelled, false, &["--validation", "10"]),
    ] {
        let (desk, server) = (Desk::new().env("IDX2GCS_SPLIT_METHOD", method), Server::new());
        let desk =
            if by_file { desk.env("IDX2GCS_SPLIT_FILE", list.to_str().unwrap()) } else { desk };
        let formats = ["--manifests", "automl,csv,vertex-jsonl", "--metadata"];
        let more = [more, &formats].concat();
        let sampled = [&more[..], &["--sample", "21"]].concat();
        run(&desk, "load", source, &server, &sampled).expect(0);
        let part = rows(&desk);
        let contents = desk.read("out/images.csv");
        assert_eq!((part.len(), server.images().len()), (21, 21), "{method} {more:?}");
        let verified = run(&desk, "verify", source, &server, &sampled).expect(0).stdout;
        assert!(verified.starts_with("24 of 24 objects are exact"), "{method} {verified}");
        // Found there, each under its own index.
        run(&desk, "load", source, &server, &sampled).expect(0);
        assert_eq!(desk.summary()["already_present"], 21, "{method} {more:?}");
        assert_eq!(desk.read("out/images.csv"), contents);

        run(&desk, "load", source, &server, &more).expect(0);
        let (all, all_contents) = (rows(&desk), desk.read("out/images.csv"));
        assert!(part.iter().all(|row| all.contains(row)), "{method} {more:?}");
        assert!(contents.lines().all(|line| all_contents.lines().any(|other| other == line)));
        let whole = partitions(&all);
        for (n, of) in partitions(&part).into_iter().zip(whole) {
            let share = of as f64 * 21.0 / all.len() as f64;
            assert!((n as f64 - share).abs() <= 1.0, "{method}: {n} of {of}");
        }
        // What a sample leaves out is unexpected beside it.
        let ran = run(&desk, "verify", source, &server, &sampled).expect(1);
        assert!(ran.error().contains(&format!("{} unexpected", all.len() - 21)), "{ran:?}");
    }
}

#[test]
fn every_command_says_that_it_is_a_sample() {
    let (desk, set, server) = (Desk::new(), Set::new(60, 10), Server::new());
    let source = set.path().to_str().unwrap();
    let sample = ["--validation", "10", "--sample", "21", "--name", "{index}.{ext}"];
    let go = |command, more: &[&str]| {
        run(&desk, command, source, &server, &[&sample[..], more].concat()).expect(0)
    };
    let says = "a sample of 21 of 70 images";
    let dry = go("load", &["--dry-run"]).stdout;
    assert!(dry.contains(&format!("would load {says} (")), "{dry}");
    let all = dry.lines().find(|line| line.trim().starts_with("all")).unwrap();
    assert_eq!(all.split_whitespace().collect::<Vec<_>>(), ["all", "15", "3", "3"]);
    assert!(go("check", &[]).stdout.starts_with(says));
    let checked: serde_json::Value =
        serde_json::from_str(&go("check", &["--json"]).stdout).unwrap();
    let selection = serde_json::json!({ "how": "sample", "images": 21, "of": 70, "seed": 42 });
    assert_eq!((&checked["images"], &checked["selection"]), (&21.into(), &selection));
    let loaded = go("load", &[]).stderr;
    assert!(
        loaded.contains(&format!("loading {says} (15 train, 3 validation, 3 test)")),
        "{loaded}"
    );
    assert_eq!(desk.summary()["selection"], selection);
    assert!(desk.read("out/report.html").contains(&format!("{says}, seed 42")));
    let verified = go("verify", &[]).stderr;
    assert!(verified.contains(&format!("verifying {says} (")), "{verified}");

    // As many as there are, or more, is all.
    let all = ["--validation", "10", "--sample", "71", "--name", "{index}.{ext}"];
    run(&desk, "load", source, &server, &all).expect(0);
    let summary = desk.summary();
    assert_eq!((&summary["images"], &summary["selection"]), (&70.into(), &().into()));
}

#[test]
fn an_empty_partition_behind_a_limit_names_the_sample() {
    let (desk, set, server) = (Desk::new(), Set::new(60, 10), Server::new());
    let source = set.path().to_str().unwrap();
    let check = |more: &[&str]| {
        let more = [&["--validation", "10"], more].concat();
        run(&desk, "check", source, &server, &more).expect(0).stdout
    };
    let limited = check(&["--limit", "50"]);
    assert!(limited.contains("partition has no images (test); an import may refuse"), "{limited}");
    assert!(limited.contains("--sample N in place of --limit"), "{limited}");
    assert!(!check(&["--sample", "50"]).contains("no images (test)"));
}
