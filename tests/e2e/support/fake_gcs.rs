//! fake-gcs-server, the emulator that others use.

use std::fs;
use std::io::{self, Read, Write};
use std::net::{TcpListener, TcpStream};
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use tempfile::TempDir;

use super::tools::tool;

/// A bucket that only the server just started has: on its port another one may have come first.
const MARKER: &str = "is-it-this-one";

/// How long fake-gcs-server may take to listen.
const START_DEADLINE: Duration = Duration::from_secs(30);

/// A running fake-gcs-server, killed when dropped.
pub struct FakeGcs {
    child: Child,
    port: u16,
    /// The folder that holds its buckets, each a folder.
    pub root: TempDir,
}

impl FakeGcs {
    /// Starts it and waits until it listens. The port was free a moment
    /// before; should another program take it, another port is tried.
    pub fn start() -> Self {
        let binary = tool("IDX2GCS_TEST_FAKE_GCS", "the fake-gcs-server binary");
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
