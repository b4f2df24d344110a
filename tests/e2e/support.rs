//! Small data sets, a server for each test, and the program's run.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Output};

use idx2gcs_emulator::{Emulator, ObjectInfo, Options, Script};
use tempfile::TempDir;

/// Rows and columns of the small images.
pub const SIDE: u32 = 28;

/// Waits until something is so, and fails if that takes suspiciously long.
pub fn until(what: &str, mut is_so: impl FnMut() -> bool) {
    let deadline = std::time::Instant::now() + std::time::Duration::from_secs(45);
    while !is_so() {
        assert!(std::time::Instant::now() < deadline, "waited in vain for {what}");
        std::thread::sleep(std::time::Duration::from_millis(1));
    }
}

/// The bytes of an IDX file.
pub fn idx(dtype: u8, dims: &[u32], data: &[u8]) -> Vec<u8> {
    let mut bytes = vec![0, 0, dtype, u8::try_from(dims.len()).unwrap()];
    for dim in dims {
        bytes.extend(dim.to_be_bytes());
    }
    bytes.extend(data);
    bytes
}

/// A gzip member.
pub fn gzip(bytes: &[u8]) -> Vec<u8> {
    use std::io::Write;
    let mut out = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::fast());
    out.write_all(bytes).unwrap();
    out.finish().unwrap()
}

/// A data set of four files in a folder of its own: different images, labels that go round 0..=9.
pub struct Set {
    dir: TempDir,
}

impl Set {
    pub fn new(train: u32, test: u32) -> Self {
        let set = Self { dir: tempfile::tempdir().unwrap() };
        for (stem, from, count) in [("train", 0, train), ("t10k", train, test)] {
            let pixels: Vec<u8> = (from..from + count).flat_map(Self::pixels).collect();
            let labels: Vec<u8> = (from..from + count).map(Self::label).collect();
            set.write(&format!("{stem}-images-idx3-ubyte"), &idx(8, &[count, SIDE, SIDE], &pixels));
            set.write(&format!("{stem}-labels-idx1-ubyte"), &idx(8, &[count], &labels));
        }
        set
    }

    pub fn label(index: u32) -> u8 {
        u8::try_from(index % 10).unwrap()
    }

    pub fn pixels(index: u32) -> Vec<u8> {
        // A ramp that begins elsewhere and is steeper in each image.
        let step = 1 + index / 256;
        let value = |i: u32| u8::try_from((index + i * step / 4) % 256).unwrap();
        (0..SIDE * SIDE).map(value).collect()
    }

    pub fn path(&self) -> &Path {
        self.dir.path()
    }

    pub fn write(&self, name: &str, bytes: &[u8]) {
        fs::write(self.dir.path().join(name), bytes).unwrap();
    }

    pub fn read(&self, name: &str) -> Vec<u8> {
        fs::read(self.dir.path().join(name)).unwrap()
    }
}

/// How the program ended.
#[derive(Debug)]
pub struct Ran {
    pub code: i32,
    pub stdout: String,
    pub stderr: String,
}

impl Ran {
    pub fn expect(self, code: i32) -> Self {
        assert_eq!(self.code, code, "{self:#?}");
        self
    }

    /// The error line: there is exactly one, and it is the last.
    pub fn error(&self) -> &str {
        let mut errors = self.stderr.lines().filter_map(|line| line.strip_prefix("error: "));
        let error = errors.next().unwrap_or_else(|| panic!("no error line: {self:#?}"));
        assert_eq!(errors.next(), None, "{self:#?}");
        assert_eq!(self.stderr.lines().last(), Some(format!("error: {error}").as_str()));
        error
    }
}

impl From<Output> for Ran {
    fn from(output: Output) -> Self {
        Self {
            code: output.status.code().unwrap_or(-1),
            stdout: String::from_utf8(output.stdout).unwrap(),
            stderr: String::from_utf8(output.stderr).unwrap(),
        }
    }
}

/// A place to run the program in: working folder, home and temporary folder are one empty folder,
/// and nothing of the tester's environment reaches it.
pub struct Desk {
    pub dir: TempDir,
    env: Vec<(String, String)>,
}

impl Desk {
    pub fn new() -> Self {
        let env = [("IDX2GCS_RETRY_INITIAL_BACKOFF", "1ms"), ("IDX2GCS_RETRY_MAX_BACKOFF", "20ms")];
        let env = env.map(|(name, value)| (name.to_owned(), value.to_owned()));
        Self { dir: tempfile::tempdir().unwrap(), env: env.into() }
    }

    pub fn env(mut self, name: &str, value: &str) -> Self {
        self.env.push((name.to_owned(), value.to_owned()));
        self
    }

    pub fn command(&self, args: &[&str]) -> Command {
        let mut command = Command::new(env!("CARGO_BIN_EXE_idx2gcs"));
        command.args(args).current_dir(self.dir.path()).env_clear();
        for name in ["HOME", "TMPDIR", "XDG_CACHE_HOME"] {
            command.env(name, self.dir.path());
        }
        command.envs(self.env.iter().map(|(name, value)| (name, value)));
        command
    }

    pub fn run(&self, args: &[&str]) -> Ran {
        self.command(args).output().unwrap().into()
    }

    /// `load` of a small set into `gs://demo/fm` at a server, with more flags.
    pub fn load(&self, set: &Set, server: &Server, more: &[&str]) -> Ran {
        let (source, endpoint) = (set.path().to_str().unwrap(), server.url());
        let mut args = vec!["load", "--source", source, "--to", "gs://demo/fm"];
        args.extend(["--endpoint", &endpoint, "--validation", "10"]);
        args.extend(more);
        self.run(&args)
    }

    pub fn path(&self, name: &str) -> PathBuf {
        self.dir.path().join(name)
    }

    pub fn exists(&self, name: &str) -> bool {
        self.path(name).exists()
    }

    pub fn read(&self, name: &str) -> String {
        fs::read_to_string(self.path(name)).unwrap_or_else(|e| panic!("{name}: {e}"))
    }

    /// `out/summary.json`, of which the states add up.
    pub fn summary(&self) -> serde_json::Value {
        let summary: serde_json::Value =
            serde_json::from_str(&self.read("out/summary.json")).unwrap();
        let states = ["uploaded", "already_present", "failed", "not_attempted"];
        let sum: u64 = states.iter().map(|state| summary[state].as_u64().unwrap()).sum();
        assert_eq!(sum, summary["images"].as_u64().unwrap(), "{summary:#}");
        summary
    }

    /// All files below the folder, as relative paths in order.
    pub fn files(&self) -> Vec<String> {
        fn walk(folder: &Path, prefix: &str, into: &mut Vec<String>) {
            for entry in fs::read_dir(folder).unwrap() {
                let entry = entry.unwrap();
                let name = format!("{prefix}{}", entry.file_name().into_string().unwrap());
                if entry.file_type().unwrap().is_dir() {
                    walk(&entry.path(), &format!("{name}/"), into);
                } else {
                    into.push(name);
                }
            }
        }
        let mut files = Vec::new();
        walk(self.dir.path(), "", &mut files);
        files.sort();
        files
    }
}

/// An emulator for one test, with the bucket `demo`.
pub struct Server {
    emulator: Option<Emulator>,
    runtime: tokio::runtime::Runtime,
}

impl Server {
    pub fn new() -> Self {
        Self::scripted(Script::new())
    }

    pub fn scripted(script: Script) -> Self {
        Self::start(Options { script, ..Options::default() })
    }

    pub fn start(options: Options) -> Self {
        let options = Options { buckets: vec!["demo".to_owned()], record: true, ..options };
        let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build().unwrap();
        let emulator = Some(runtime.block_on(Emulator::start(options)).unwrap());
        Self { emulator, runtime }
    }

    pub fn emulator(&self) -> &Emulator {
        self.emulator.as_ref().unwrap()
    }

    pub fn url(&self) -> String {
        self.emulator().url()
    }

    /// The objects below `fm/`, manifests aside.
    pub fn images(&self) -> Vec<ObjectInfo> {
        let mut objects = self.emulator().objects("demo");
        let is_image = |name: &str| [".jpg", ".png"].iter().any(|end| name.ends_with(end));
        objects.retain(|object| object.name.starts_with("fm/") && is_image(&object.name));
        objects
    }

    /// The text of an object below `fm/`.
    pub fn text(&self, name: &str) -> Option<String> {
        let (_, bytes) = self.emulator().object("demo", &format!("fm/{name}"))?;
        Some(String::from_utf8(bytes.to_vec()).unwrap())
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        if let Some(emulator) = self.emulator.take() {
            self.runtime.block_on(emulator.stop());
        }
    }
}
