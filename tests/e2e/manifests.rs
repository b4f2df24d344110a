//! Manifests of every format: complete or absent, and what they say is so.

use std::fs;

use crate::support::{Desk, Ran, Server, Set};

/// Every format that this build has, as the flag takes it.
const FORMATS: &str = if cfg!(feature = "parquet") {
    "automl,vertex,vertex-jsonl,huggingface,csv,parquet"
} else {
    "automl,vertex,vertex-jsonl,huggingface,csv"
};

fn files() -> Vec<&'static str> {
    let files = ["automl.csv", "images.csv", "metadata.jsonl", "vertex.csv", "vertex.jsonl"];
    let parquet = cfg!(feature = "parquet").then_some("images.parquet");
    files.into_iter().chain(parquet).collect()
}

fn verify(desk: &Desk, set: &Set, server: &Server, more: &[&str]) -> Ran {
    let (source, endpoint) = (set.path().to_str().unwrap(), server.url());
    let args = ["verify", "--source", source, "--to", "gs://demo/fm", "--endpoint", &endpoint];
    desk.run(&[&args[..], &["--validation", "10"], more].concat())
}

#[test]
fn every_format_is_published_here_and_there_and_verified() {
    let (desk, set, server) = (Desk::new(), Set::new(60, 10), Server::new());
    let formats = ["--manifests", FORMATS];
    desk.load(&set, &server, &formats).expect(0);
    let all = files();
    for file in &all {
        let (info, bytes) = server.emulator().object("demo", &format!("fm/{file}")).unwrap();
        assert_eq!(fs::read(desk.path(&format!("out/{file}"))).unwrap(), bytes, "{file}");
        let content_type = match file.rsplit_once('.').unwrap().1 {
            "csv" => "text/csv",
            "jsonl" => "application/x-ndjson",
            _ => "application/vnd.apache.parquet",
        };
        assert_eq!(info.content_type.as_deref(), Some(content_type), "{file}");
    }
    let listed = desk.summary()["manifests"].as_array().unwrap().clone();
    assert_eq!(listed.len(), all.len());
    assert!(listed.iter().all(|manifest| manifest["rows"] == 70), "{listed:#?}");

    // Checksum and size of each row are those of the stored object.
    let csv = desk.read("out/images.csv");
    let mut rows = csv.lines();
    assert_eq!(rows.next(), Some("index,url,partition,label,class,crc32c,size"));
    for (index, row) in rows.enumerate() {
        let fields: Vec<&str> = row.split(',').collect();
        let name = format!("fm/image_{index}.jpg");
        let (_, bytes) = server.emulator().object("demo", &name).unwrap();
        let crc32c = data_encoding::BASE64.encode(&crc32c::crc32c(&bytes).to_be_bytes());
        let label = Set::label(u32::try_from(index).unwrap()).to_string();
        assert_eq!(fields[0], index.to_string());
        assert_eq!(fields[1], format!("gs://demo/{name}"));
        assert_eq!((fields[3], fields[4]), (label.as_str(), ""));
        assert_eq!((fields[5], fields[6]), (crc32c.as_str(), bytes.len().to_string().as_str()));
    }

    let expected = format!("{n} of {n} objects are exact", n = 70 + all.len());
    assert!(verify(&desk, &set, &server, &formats).expect(0).stdout.starts_with(&expected));
}

/// What was there before has its checksum and size told as well, and the bytes are the same.
#[test]
fn a_rerun_writes_the_same_manifests() {
    let (desk, set, server) = (Desk::new(), Set::new(60, 10), Server::new());
    let formats = ["--manifests", FORMATS];
    desk.load(&set, &server, &["--limit", "30"]).expect(0);
    desk.load(&set, &server, &formats).expect(0);
    assert_eq!(desk.summary()["already_present"], 30);
    let read = || {
        let read = |file| fs::read(desk.path(&format!("out/{file}"))).unwrap();
        files().into_iter().map(read).collect::<Vec<_>>()
    };
    let first = read();
    desk.load(&set, &server, &formats).expect(0);
    assert_eq!(desk.summary()["already_present"], 70);
    assert!(read() == first);
}

#[test]
fn verify_finds_the_manifest_that_differs() {
    let (desk, set) = (Desk::new(), Set::new(60, 10));
    let source = set.path().to_str().unwrap();
    let args = |command| {
        [
            command,
            "--source",
            source,
            "--to",
            "pictures",
            "--validation",
            "10",
            "--manifests",
            FORMATS,
        ]
    };
    desk.run(&args("load")).expect(0);
    desk.run(&args("verify")).expect(0);
    for file in files() {
        let path = desk.path(&format!("pictures/{file}"));
        let mut bytes = fs::read(&path).unwrap();
        let at = bytes.len() / 2;
        bytes[at] ^= 1;
        fs::write(&path, &bytes).unwrap();
        let ran = desk.run(&args("verify")).expect(1);
        assert!(ran.error().contains("0 missing, 1 different, 0 unexpected"), "{file}: {ran:?}");
        assert!(desk.read("out/verify.jsonl").contains(&format!("\"{file}\"")), "{file}");
        bytes[at] ^= 1;
        fs::write(&path, &bytes).unwrap();
    }
    // With another quality the images differ, and the manifests that tell of their content.
    let ran = desk.run(&[&args("verify")[..], &["--quality", "50"]].concat()).expect(1);
    let findings = desk.read("out/verify.jsonl");
    let different = |file: &str| findings.contains(&format!("\"object\":\"{file}\""));
    assert!(different("images.csv") && !different("vertex.jsonl"), "{ran:?}");
}

#[test]
fn nothing_is_published_while_an_image_is_missing() {
    use idx2gcs_emulator::{Answer, Operation, Rule, Script};
    let refused = Rule::new(Operation::Insert, Answer::status(400)).named("fm/image_7.jpg");
    let (desk, set) = (Desk::new(), Set::new(60, 10));
    let server = Server::scripted(Script::new().with(refused));
    desk.load(&set, &server, &["--manifests", FORMATS]).expect(1);
    for file in files() {
        assert!(!desk.exists(&format!("out/{file}")), "{file}");
        assert!(server.emulator().object("demo", &format!("fm/{file}")).is_none(), "{file}");
    }
}

#[test]
fn hugging_face_metadata_lies_beside_the_images_of_each_partition() {
    let (desk, set) = (Desk::new(), Set::new(60, 10));
    let source = set.path().to_str().unwrap();
    let args = |command, limit| {
        let args = [command, "--source", source, "--to", "pictures", "--validation", "10"];
        let name = "{partition}/{label}/{index}.{ext}";
        [&args[..], &["--name", name, "--manifests", "huggingface", "--limit", limit]].concat()
    };
    desk.run(&args("load", "70")).expect(0);
    let mut rows = 0;
    for (partition, count) in [("train", 50), ("validation", 10), ("test", 10)] {
        let metadata = desk.read(&format!("pictures/{partition}/metadata.jsonl"));
        assert_eq!(metadata, desk.read(&format!("out/{partition}-metadata.jsonl")));
        assert_eq!(metadata.lines().count(), count);
        for line in metadata.lines() {
            let line: serde_json::Value = serde_json::from_str(line).unwrap();
            let file = line["file_name"].as_str().unwrap();
            assert!(desk.exists(&format!("pictures/{partition}/{file}")), "{file}");
            assert_eq!(file.split('/').next().unwrap(), line["label"].to_string());
            rows += 1;
        }
    }
    assert_eq!(rows, 70);
    assert!(!desk.exists("pictures/metadata.jsonl"));
    desk.run(&args("verify", "70")).expect(0);

    // A partition without images has no folder, and no file in it.
    let (desk, source) = (Desk::new(), source.to_owned());
    let args = ["load", "--source", &source, "--to", "pictures", "--validation", "0", "--limit"];
    let more = ["5", "--name", "{partition}/{index}.{ext}", "--manifests", "huggingface"];
    desk.run(&[&args[..], &more].concat()).expect(0);
    assert!(desk.exists("pictures/train/metadata.jsonl") && !desk.exists("pictures/test"));
}

#[test]
fn images_without_labels_are_listed_without_them() {
    let (desk, set, server) = (Desk::new(), Set::new(60, 10), Server::new());
    let source = set.path().join("t10k-images-idx3-ubyte");
    let endpoint = server.url();
    let args = |command| {
        let source = source.to_str().unwrap();
        let args = [command, "--source", source, "--to", "gs://demo/fm", "--endpoint", &endpoint];
        [&args[..], &["--validation", "0", "--manifests", FORMATS]].concat()
    };
    desk.run(&args("load")).expect(0);
    let first = |file: &str| desk.read(&format!("out/{file}")).lines().next().unwrap().to_owned();
    assert_eq!(first("automl.csv"), "TRAIN,gs://demo/fm/image_0.jpg");
    assert_eq!(first("vertex.csv"), "training,gs://demo/fm/image_0.jpg");
    assert_eq!(
        first("vertex.jsonl"),
        "{\"imageGcsUri\":\"gs://demo/fm/image_0.jpg\",\"dataItemResourceLabels\":\
         {\"aiplatform.googleapis.com/ml_use\":\"training\"}}"
    );
    assert_eq!(first("metadata.jsonl"), "{\"file_name\":\"image_0.jpg\",\"partition\":\"train\"}");
    let row = desk.read("out/images.csv").lines().nth(1).unwrap().to_owned();
    assert!(row.starts_with("0,gs://demo/fm/image_0.jpg,train,,,"), "{row}");
    desk.run(&args("verify")).expect(0);
}

#[test]
fn a_dry_run_shows_the_first_rows_of_each() {
    let (desk, set) = (Desk::new(), Set::new(60, 10));
    let source = set.path().to_str().unwrap();
    let args = ["load", "--source", source, "--to", "gs://demo/fm", "--validation", "10"];
    let ran = desk.run(&[&args[..], &["--manifests", FORMATS, "--dry-run"]].concat()).expect(0);
    for file in files() {
        assert!(ran.stdout.contains(&format!("{file} begins")), "{ran:?}");
    }
    let rows = ran.stdout.matches("gs://demo/fm/image_0.jpg").count();
    assert_eq!(rows, files().len() - 1, "all but Hugging Face's have the address: {ran:?}");
}

#[test]
fn names_that_would_lose_labels_are_refused() {
    let (desk, set) = (Desk::new(), Set::new(60, 10));
    let source = set.path().to_str().unwrap();
    let args = ["load", "--source", source, "--to", "pictures", "--manifests", "huggingface"];
    let ran = desk.run(&[&args[..], &["--name", "{partition}_{index}.jpg"]].concat()).expect(2);
    assert!(ran.error().contains("begins with {partition}/"), "{ran:?}");
    assert!(!desk.exists("pictures"));
}
