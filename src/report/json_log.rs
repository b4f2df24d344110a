//! Files of JSON lines, such as `failures.jsonl`, that exist only if there is something to say.

use std::fs::{self, File};
use std::io::{self, Write};
use std::path::PathBuf;

use parking_lot::Mutex;
use serde::Serialize;

use crate::text::shown_json;

/// A file that is made with its first line.
#[derive(Debug)]
pub(crate) struct JsonLog {
    path: PathBuf,
    state: Mutex<State>,
}

#[derive(Debug, Default)]
struct State {
    out: Option<File>,
    error: Option<io::Error>,
}

impl JsonLog {
    /// A log at `path`. What an earlier run left there is removed: it speaks of that run.
    ///
    /// # Errors
    /// When it cannot be removed.
    pub(crate) fn new(path: PathBuf) -> io::Result<Self> {
        match fs::remove_file(&path) {
            Err(e) if e.kind() != io::ErrorKind::NotFound => Err(e),
            _ => Ok(Self { path, state: Mutex::default() }),
        }
    }

    /// Adds a line; that it cannot be written is told by [`JsonLog::finish`].
    pub(crate) fn add(&self, line: &impl Serialize) {
        let mut state = self.state.lock();
        if let Err(e) = self.write(&mut state, line) {
            state.error.get_or_insert(e);
        }
    }

    /// A line at a time and at once: it must be there whatever happens to the process.
    fn write(&self, state: &mut State, line: &impl Serialize) -> io::Result<()> {
        let text = serde_json::to_string(line)? + "\n";
        let out = match &mut state.out {
            Some(out) => out,
            none => none.insert(File::create(&self.path)?),
        };
        out.write_all(shown_json(&text).as_bytes())
    }

    /// Says where the lines are, if there are any.
    ///
    /// # Errors
    /// When a line could not be written.
    pub(crate) fn finish(&self) -> io::Result<Option<&PathBuf>> {
        let mut state = self.state.lock();
        if let Some(e) = state.error.take() {
            return Err(e);
        }
        Ok(state.out.as_ref().map(|_| &self.path))
    }
}
