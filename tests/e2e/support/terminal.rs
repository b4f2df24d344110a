//! The program in a terminal: what a person would see.

use std::io::{Read, Write};
use std::num::NonZero;
use std::process::Command;

/// The height of every terminal.
const ROWS: NonZero<u16> = NonZero::new(24).unwrap();

/// What a run in a terminal showed.
#[derive(Debug)]
pub struct Shown {
    pub code: Option<i32>,
    /// Everything that was written, with its escape sequences.
    pub written: String,
    /// Each state of the terminal's lines, those at the top first, without empty ones.
    pub screens: Vec<Vec<String>>,
}

impl Shown {
    /// The lines at the end.
    pub fn last(&self) -> &[String] {
        self.screens.last().unwrap()
    }
}

/// Runs a command in a terminal of so many columns until it ends.
pub fn run_in_terminal(command: Command, columns: u16) -> Shown {
    run_with_answer(command, columns, "")
}

/// The same, with what a person types.
pub fn run_with_answer(command: Command, columns: u16, typed: &str) -> Shown {
    let (mut terminal, end) = pty_process::blocking::open().unwrap();
    terminal.resize(pty_process::Size::new(ROWS.get(), columns)).unwrap();
    terminal.write_all(typed.as_bytes()).unwrap();
    let command = pty_process::blocking::Command::from(command).env("TERM", "xterm-256color");
    let mut child = command.spawn(end).unwrap();
    let mut parser = vt100::Parser::new(ROWS, NonZero::new(columns).unwrap(), 0);
    let (mut written, mut screens, mut part) = (Vec::new(), Vec::new(), [0; 4096]);
    // Linux reports an error when the other end is closed.
    while let Ok(n @ 1..) = terminal.read(&mut part) {
        written.extend(&part[..n]);
        parser.process(&part[..n]);
        let rows = parser.screen().rows(0, columns);
        let rows = rows.map(|row| row.trim_end().to_owned()).filter(|row| !row.is_empty());
        screens.push(rows.collect());
    }
    let code = child.wait().unwrap().code();
    Shown { code, written: String::from_utf8(written).unwrap(), screens }
}
