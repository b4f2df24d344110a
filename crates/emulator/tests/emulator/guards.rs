//! Who is kept out: pages of other origins, other names than loopback's, and a second emulator.

use idx2gcs_emulator::{Emulator, EmulatorError, Options};
use reqwest::Method;
use reqwest::header::{HOST, ORIGIN};

use super::{BUCKET, Fixture, refused};

#[tokio::test]
async fn a_web_page_of_another_origin_changes_nothing() {
    let f = Fixture::plain().await;
    let path = format!("/upload/storage/v1/b/{BUCKET}/o?uploadType=media&name=a");
    let post =
        |header, value: &str| f.request(Method::POST, &path).header(header, value).body("x").send();
    for origin in ["https://example.com", "http://127.0.0.1:1", "null"] {
        refused(post(ORIGIN, origin).await.unwrap(), 403, "forbidden").await;
    }
    // A page whose name was made to lead here: its origin is its own, and so is the host.
    refused(post(HOST, "example.com:4443").await.unwrap(), 403, "forbidden").await;
    assert_eq!(f.content("a"), None);

    let own = f.emulator.url();
    assert_eq!(post(ORIGIN, &own).await.unwrap().status(), 200);
    let localhost = format!("localhost:{}", f.emulator.addr().port());
    assert_eq!(post(HOST, &localhost).await.unwrap().status(), 200);

    let f = Fixture::start(Options { allow_remote: true, ..Options::default() }).await;
    let upload = f.request(Method::POST, &path).header(HOST, "emulator:4443").body("x");
    assert_eq!(upload.send().await.unwrap().status(), 200);
}

#[tokio::test]
async fn a_folder_belongs_to_one_emulator_at_a_time() {
    let folder = tempfile::tempdir().unwrap();
    let options = || Options { root: Some(folder.path().to_owned()), ..Options::default() };
    let first = Emulator::start(options()).await.unwrap();
    let incomplete = folder.path().join(".idx2gcs-incomplete").join("0");
    std::fs::write(&incomplete, "half").unwrap();

    let Err(EmulatorError::InUse { process, .. }) = Emulator::start(options()).await else {
        panic!("the folder is used by two");
    };
    assert_eq!(process, Some(std::process::id()));
    assert!(incomplete.exists(), "what the first is writing was taken from it");

    first.stop().await;
    let second = Emulator::start(options()).await.unwrap();
    assert!(!incomplete.exists());
    drop(second);
}
