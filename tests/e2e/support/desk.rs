//! A run of the program in a folder of its own.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Output};

use tempfile::TempDir;

use super::server::Server;
use super::set::Set;

/// Waits until something is so, and fails if that takes suspiciously long.
pub fn until(what: &str, mut is_so: impl FnMut() -> bool) {
    let deadline = std::time::Instant::now() + std::time::Duration::from_secs(45);
    while !is_so() {
        assert!(std::time::Instant::now() < deadline, "waited in vain for {what}");
        std::thread::sleep(std::time::Duration::from_millis(1));
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

    /// The program with these arguments, run by a shell after some commands of its own.
    #[cfg(unix)]
    pub fn command_after(&self, commands: &str, args: &[&str]) -> Command {
        let program = self.command(args);
        let mut shell = Command::new("/bin/sh");
        shell.args(["-c", &format!("{commands}; exec \"$@\""), "sh"]);
        shell.arg(program.get_program()).args(program.get_args());
        shell.current_dir(self.dir.path()).env_clear();
        shell.envs(program.get_envs().filter_map(|(name, value)| Some((name, value?))));
        shell
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
