//! Loads into fake-gcs-server, an emulator that others wrote.

use std::fs;

use crate::support::fake_gcs::FakeGcs;
use crate::support::{Desk, Set};

#[test]
#[ignore = "needs fake-gcs-server; scripts/test.sh runs it"]
fn the_emulator_host_variable_is_followed() {
    let (fake, set) = (FakeGcs::start(), Set::new(500, 50));
    fake.create_bucket("demo");
    let desk = Desk::new().env("STORAGE_EMULATOR_HOST", fake.url().trim_start_matches("http://"));
    let source = set.path().to_str().unwrap();
    let args = ["load", "--source", source, "--to", "gs://demo/fm", "--validation", "10"];
    desk.run(&args).expect(0);
    assert_eq!(desk.summary()["uploaded"], 550);
    // The filesystem backend keeps each object as a file.
    let folder = fake.root.path().join("demo/fm");
    assert_eq!(fs::read_dir(&folder).unwrap().count(), 552);
    let manifest = fs::read_to_string(folder.join("automl.csv")).unwrap();
    assert_eq!(manifest, desk.read("out/automl.csv"));
    let jpeg = fs::read(folder.join("image_549.jpg")).unwrap();
    assert!(image::load_from_memory(&jpeg).is_ok());

    desk.run(&args).expect(0);
    assert_eq!(desk.summary()["already_present"], 550);
    let ran = desk.run(&[&args[..], &["--quality", "50"]].concat()).expect(4);
    assert!(ran.error().contains("550 objects exist with other content"), "{ran:?}");
    let absent = ["load", "--source", source, "--to", "gs://absent", "--validation", "10"];
    let ran = desk.run(&absent).expect(4);
    assert!(ran.error().contains("there is no bucket gs://absent"), "{ran:?}");
}
