//! How the process ends.

/// The exit codes of the program, which summaries repeat.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[repr(u8)]
pub enum Exit {
    /// All images are stored and the manifests published.
    Complete = 0,
    /// Some images failed; a rerun finishes the rest.
    Incomplete = 1,
    /// Usage or configuration.
    Usage = 2,
    /// The source is bad.
    Source = 3,
    /// The destination refused: credentials, permission, no such bucket, conflict.
    Destination = 4,
    /// A defect of the program, which a rerun does not mend (`EX_SOFTWARE` of sysexits.h).
    Internal = 70,
    /// Interrupted by SIGINT, after draining.
    Interrupted = 130,
    /// Terminated by SIGTERM, after draining.
    Terminated = 143,
}

impl From<Exit> for std::process::ExitCode {
    fn from(exit: Exit) -> Self {
        Self::from(exit as u8)
    }
}
