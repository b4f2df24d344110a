//! `failures.jsonl`: a line for each image that could not be stored.

use std::fs::{self, File};
use std::io::{self, BufWriter, Write};
use std::path::PathBuf;
use std::sync::{Mutex, PoisonError};

use crate::pipeline::ImageFailure;

/// The file, made with its first line.
#[derive(Debug)]
pub struct FailureLog {
    path: PathBuf,
    state: Mutex<State>,
}

#[derive(Debug, Default)]
struct State {
    out: Option<BufWriter<File>>,
    lines: u32,
    error: Option<io::Error>,
}

impl FailureLog {
    /// A log at `path`. What an earlier run left there is removed: it speaks of that run.
    ///
    /// # Errors
    /// When it cannot be removed.
    pub fn new(path: PathBuf) -> io::Result<Self> {
        match fs::remove_file(&path) {
            Err(e) if e.kind() != io::ErrorKind::NotFound => Err(e),
            _ => Ok(Self { path, state: Mutex::default() }),
        }
    }

    /// Adds a line.
    pub fn add(&self, failure: &ImageFailure) {
        let mut state = self.state.lock().unwrap_or_else(PoisonError::into_inner);
        state.lines += 1;
        if let Err(e) = self.write(&mut state, failure) {
            state.error.get_or_insert(e);
        }
    }

    fn write(&self, state: &mut State, failure: &ImageFailure) -> io::Result<()> {
        let out = match &mut state.out {
            Some(out) => out,
            none => none.insert(BufWriter::new(File::create(&self.path)?)),
        };
        serde_json::to_writer(&mut *out, failure)?;
        out.write_all(b"\n")
    }

    /// Brings all lines to disk: their number, and the file if there is one.
    ///
    /// # Errors
    /// When a line could not be written.
    pub fn finish(&self) -> io::Result<Option<(u32, PathBuf)>> {
        let mut state = self.state.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(e) = state.error.take() {
            return Err(e);
        }
        if let Some(out) = &mut state.out {
            out.flush()?;
        }
        Ok((state.lines > 0).then(|| (state.lines, self.path.clone())))
    }
}
