//! Named data sets and where they come from.

use std::fs;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex};

use axum::Router;
use axum::extract::Request;
use axum::http::StatusCode;

use crate::support::Desk;

/// The folder of the true data set, in which `scripts/test.sh` puts it.
pub fn fashion_mnist() -> PathBuf {
    let folder = std::env::var_os("IDX2GCS_TEST_FASHION_MNIST").map(PathBuf::from);
    match folder.filter(|folder| folder.is_dir()) {
        Some(folder) => folder,
        None => panic!("IDX2GCS_TEST_FASHION_MNIST must name a folder: run scripts/test.sh"),
    }
}

/// A web server that gives out the files of a folder, and parts of them. Also the ranges that were
/// asked for.
async fn serve(folder: PathBuf) -> (String, Arc<Mutex<Vec<String>>>) {
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("http://{}", listener.local_addr().unwrap());
    let ranges = Arc::<Mutex<Vec<String>>>::default();
    let asked = Arc::clone(&ranges);
    let file = move |request: Request| {
        let path = folder.join(request.uri().path().trim_start_matches('/'));
        let range = request.headers().get("range").map(|range| range.to_str().unwrap().to_owned());
        asked.lock().unwrap().extend(range.clone());
        async move {
            let bytes = tokio::fs::read(path).await.map_err(|_| StatusCode::NOT_FOUND)?;
            let Some(range) = range else { return Ok((StatusCode::OK, bytes)) };
            let from = range.strip_prefix("bytes=").and_then(|range| range.strip_suffix('-'));
            match from.unwrap().parse().ok().and_then(|from: usize| bytes.get(from..)) {
                Some(rest) if !rest.is_empty() => Ok((StatusCode::PARTIAL_CONTENT, rest.to_vec())),
                _ => Err(StatusCode::RANGE_NOT_SATISFIABLE),
            }
        }
    };
    tokio::spawn(async move { axum::serve(listener, Router::new().fallback(file)).await });
    (url, ranges)
}

#[tokio::test(flavor = "multi_thread")]
async fn downloads_are_checked_by_their_payload() {
    let mirrors = tempfile::tempdir().unwrap();
    for folder in ["good", "bad"] {
        fs::create_dir(mirrors.path().join(folder)).unwrap();
    }
    for stem in ["train-images-idx3", "train-labels-idx1", "t10k-images-idx3", "t10k-labels-idx1"] {
        let name = format!("{stem}-ubyte.gz");
        fs::copy(fashion_mnist().join(&name), mirrors.path().join("good").join(&name)).unwrap();
        fs::write(mirrors.path().join("bad").join(&name), "<html>moved</html>").unwrap();
    }
    let (url, ranges) = serve(mirrors.path().to_owned()).await;
    let (good, bad) = (format!("{url}/good/"), format!("{url}/bad"));
    let missing = format!("{url}/missing");

    let desk = Desk::new();
    let fetch = ["fetch", "fashion-mnist", "--mirror"];
    let ran = desk.run(&[&fetch[..], &[&bad, "--mirror", &missing]].concat()).expect(3);
    assert!(ran.error().contains("no mirror has train-images-idx3-ubyte"), "{ran:?}");
    assert!(ran.error().contains("SHA-256"), "{ran:?}");
    assert!(ran.error().contains("HTTP 404"), "{ran:?}");
    assert_eq!(desk.files(), Vec::<String>::new(), "nothing wrong stays");

    // The next mirror is asked where one fails.
    let ran = desk.run(&[&fetch[..], &[&bad, "--mirror", &good]].concat()).expect(0);
    assert!(ran.stdout.contains("fashion-mnist is complete in "), "{ran:?}");
    assert_eq!(desk.files().len(), 4, "{:?}", desk.files());
    assert!(desk.files().iter().all(|name| name.contains("idx2gcs/fashion-mnist/")));

    // What is there and right is not asked for again.
    desk.run(&[&fetch[..], &[&missing]].concat()).expect(0);
    let damaged = desk.path(&desk.files()[0]);
    fs::write(&damaged, "half").unwrap();
    desk.run(&[&fetch[..], &[&missing]].concat()).expect(3);
    desk.run(&[&fetch[..], &[&good]].concat()).expect(0);

    // What was cut off is continued; what is as long as it can be is begun anew.
    assert_eq!(*ranges.lock().unwrap(), Vec::<String>::new());
    let whole = fs::read(&damaged).unwrap();
    fs::remove_file(&damaged).unwrap();
    let partial = damaged.with_extension("gz.partial");
    fs::write(&partial, &whole[..1000]).unwrap();
    desk.run(&[&fetch[..], &[&good]].concat()).expect(0);
    assert_eq!(fs::read(&damaged).unwrap(), whole);
    fs::remove_file(&damaged).unwrap();
    fs::write(&partial, &whole).unwrap();
    desk.run(&[&fetch[..], &[&good]].concat()).expect(0);
    let continued = format!("bytes={}-", whole.len());
    assert_eq!(*ranges.lock().unwrap(), ["bytes=1000-".to_owned(), continued]);
    assert_eq!(desk.files().len(), 4, "{:?}", desk.files());

    let ran = desk.run(&["fetch", "cifar"]).expect(2);
    assert!(ran.stderr.contains("fashion-mnist"), "{ran:?}");
    assert!(!Path::new("out").join("summary.json").exists());
}
