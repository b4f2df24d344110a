//! A load into fake-gcs-server, the emulator that others use.

use std::fs;
use std::io::{self, Read, Write};
use std::net::{TcpListener, TcpStream};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use tempfile::TempDir;

use crate::support::{Desk, Set};

/// A bucket that only the server just started has: on its port another one may have come first.
const MARKER: &str = "is-it-this-one";

/// How long fake-gcs-server may take to listen.
const START_DEADLINE: Duration = Duration::from_secs(30);

#[test]
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
    assert!(ran.error().contains("550 objects are there with other content"), "{ran:?}");
    let absent = ["load", "--source", source, "--to", "gs://absent", "--validation", "10"];
    let ran = desk.run(&absent).expect(4);
    assert!(ran.error().contains("there is no bucket gs://absent"), "{ran:?}");
}

/// The program that a variable names; fails where it is missing.
pub fn program(variable: &str, what: &str) -> PathBuf {
    let path = std::env::var_os(variable).map(PathBuf::from);
    match path.filter(|path| path.is_file()) {
        Some(path) => path,
        None => panic!("{variable} must name {what}: run scripts/test.sh, which installs it"),
    }
}

/// A running fake-gcs-server, killed when dropped.
pub struct FakeGcs {
    child: Child,
    port: u16,
    root: TempDir,
}

impl FakeGcs {
    /// Starts it and waits until it listens. The port was free a moment
    /// before; should another program take it, another port is tried.
    pub fn start() -> Self {
        let binary = program("IDX2GCS_TEST_FAKE_GCS", "the fake-gcs-server binary");
        let deadline = Instant::now() + START_DEADLINE;
        loop {
            let mut fake = Self::spawn(&binary, tempfile::tempdir().unwrap());
            while fake.child.try_wait().unwrap().is_none() {
                if fake.is_it() {
                    fs::remove_dir(fake.root.path().join(MARKER)).unwrap();
                    return fake;
                }
                assert!(Instant::now() < deadline, "fake-gcs-server does not listen");
                std::thread::sleep(Duration::from_millis(20));
            }
            assert!(Instant::now() < deadline, "fake-gcs-server ends at once");
        }
    }

    /// Whether it is this server that listens: it alone has the marker for a bucket.
    fn is_it(&self) -> bool {
        let ask = || {
            let mut stream = TcpStream::connect(("127.0.0.1", self.port))?;
            write!(stream, "GET /storage/v1/b/{MARKER} HTTP/1.0\r\n\r\n")?;
            let mut answer = String::new();
            stream.read_to_string(&mut answer).map(|_| answer)
        };
        ask().is_ok_and(|answer: String| answer.lines().next().is_some_and(|l| l.contains(" 200 ")))
    }

    fn spawn(binary: &Path, root: TempDir) -> Self {
        fs::create_dir(root.path().join(MARKER)).unwrap();
        let port = free_port().unwrap();
        let host = format!("127.0.0.1:{port}");
        let child = Command::new(binary)
            .args(["-scheme", "http", "-host", "127.0.0.1", "-port", &port.to_string()])
            .args(["-backend", "filesystem", "-filesystem-root"])
            .arg(root.path())
            .args(["-public-host", &host, "-external-url", &format!("http://{host}")])
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .spawn()
            .unwrap();
        Self { child, port, root }
    }

    /// A bucket is a folder of the file system backend.
    pub fn create_bucket(&self, name: &str) {
        fs::create_dir(self.root.path().join(name)).unwrap();
    }

    pub fn url(&self) -> String {
        format!("http://127.0.0.1:{}", self.port)
    }
}

impl Drop for FakeGcs {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

fn free_port() -> io::Result<u16> {
    Ok(TcpListener::bind(("127.0.0.1", 0))?.local_addr()?.port())
}
