//! Everything that can keep a load from being complete. The type says what happened; the sentences
//! about a run are made here.

use std::path::{Path, PathBuf};
use std::time::Duration;

use super::{Leftovers, Verdict};
use crate::check::Finding;
use crate::classes::LabelClash;
use crate::encode::EncodeError;
use crate::exit::Exit;
use crate::files::LockError;
use crate::pipeline::NotStored;
use crate::report;
use crate::sink::Fault;
use crate::source::SourceError;
use crate::split::SplitError;
use crate::text::thousands;

/// Why a load or a verification did not end well: one line, causes below it.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// A bad source.
    #[error(transparent)]
    Source(SourceError),
    /// Class names that get the same label.
    #[error(transparent)]
    Labels(#[from] LabelClash),
    /// A split that cannot be drawn.
    #[error("{0}{hint}", hint = if matches!(.0, SplitError::TooFew { .. }) { "; --validation says how many" } else { "" })]
    Split(SplitError),
    /// Names that ask for labels, of images without any.
    #[error("the name template asks for labels, and these images have none: see --name")]
    Unlabelled,
    /// Names that the destination or a manifest does not permit: what they must be instead.
    #[error("the name template {0}")]
    Template(String),
    /// Both a limit and a sample.
    #[error("a sample of a limit: leave one of the two out")]
    SampleOfLimit,
    /// An object of an earlier load whose file a file system may take for one of this load's.
    #[error(
        "{url} holds {left} of an earlier load; a file system that ignores case takes it for {name} \
         of this one: delete or rename it yourself"
    )]
    Twins {
        /// The destination.
        url: String,
        /// The name of the earlier load's object.
        left: String,
        /// The name of this load's, which differs in case alone.
        name: String,
    },
    /// Findings that are errors: an import would refuse the images, or they contradict each other.
    #[error("{}; nothing was written", joined(.0))]
    Findings(Vec<Finding>),
    /// An output folder that another process writes into, or that cannot be written.
    #[error(transparent)]
    Lock(#[from] LockError),
    /// A local file or folder that cannot be written, noticed before anything was done.
    #[error("{}: cannot be written: {error}", path.display())]
    Output {
        /// The file or folder.
        path: PathBuf,
        /// Why.
        error: std::io::Error,
    },
    /// A local file that could not be written at the end of a run.
    #[error("{}: cannot be written: {error}; run the same command again to finish", path.display())]
    Unwritten {
        /// The file.
        path: PathBuf,
        /// Why.
        error: std::io::Error,
    },
    /// The destination refuses: credentials, permission, no such bucket.
    #[error("{url}: {fault}")]
    Refused {
        /// The destination, or the object that it refused.
        url: String,
        /// What it answered.
        fault: Fault,
    },
    /// The destination did not work before the first write.
    #[error(
        "{url} does not work: {fault}; nothing was written, run the same command again when it does"
    )]
    Unavailable {
        /// The destination.
        url: String,
        /// The last fault.
        fault: Fault,
    },
    /// Objects exist where none may (`if_exists = "fail"`).
    #[error(
        "{url}: {} of the objects exist already; nothing was written (--if-exists skip keeps those \
         with the same content)",
        thousands(*.count)
    )]
    Exist {
        /// The destination.
        url: String,
        /// How many.
        count: u64,
    },
    /// An earlier load left objects under names that this load's template could give.
    #[error(
        "{url} holds {leftovers}, which are none of this load; nothing was written ({})",
        if *.as_a_whole {
            "--if-exists overwrite writes it anew, or give --to another name"
        } else {
            "--prune deletes them when this load is complete, another --to or --name keeps them"
        }
    )]
    Leftovers {
        /// The destination.
        url: String,
        /// What it holds.
        leftovers: Leftovers,
        /// Whether it is an archive, from which nothing is deleted.
        as_a_whole: bool,
    },
    /// Something has the name of a manifest that this program did not write.
    #[error(
        "{url} is no manifest that idx2gcs wrote; nothing was written (--if-exists overwrite replaces \
         it, --manifests says which are written)"
    )]
    NoManifest {
        /// The object.
        url: String,
    },
    /// Everything is stored and published, but an object of an earlier load is not deleted.
    #[error(
        "all images are stored and the manifests published, but {url}, of an earlier load, is not \
         deleted: {fault}; run the same command again"
    )]
    NotDeleted {
        /// The object.
        url: String,
        /// The last fault.
        fault: Fault,
    },
    /// Objects with other content exist.
    #[error(
        "{url}: {} objects exist with other content{}{}; they are of other images, were encoded with other \
         settings{}: --if-exists overwrite replaces them",
        thousands((*.count).into()), if *.metadata { " or other custom metadata" } else { "" },
        see(failures.as_deref()), another(encoder.as_deref())
    )]
    Conflicts {
        /// The destination.
        url: String,
        /// How many.
        count: u32,
        /// The encoders of this version; `None` where image files are stored unchanged.
        encoder: Option<String>,
        /// Whether custom metadata was compared, too.
        metadata: bool,
        /// The list of all failures.
        failures: Option<PathBuf>,
    },
    /// Images cannot be encoded, however often the load is run.
    #[error(
        "image {index} {why}{}{}; change the source or the settings of [image]",
        if *.count > 1 { format!(" ({} such images)", thousands((*.count).into())) } else { String::new() },
        see(failures.as_deref())
    )]
    Unencodable {
        /// The lowest index of such an image.
        index: u32,
        /// Why that one cannot be encoded.
        why: EncodeError,
        /// How many such images there are.
        count: u32,
        /// The list of all failures.
        failures: Option<PathBuf>,
    },
    /// The destination stopped working.
    #[error(
        "{url} has stored nothing for {} (last: {fault}): given up with {} of {} images not \
         attempted{}; run the same command again when it works",
        humantime::format_duration(*.max_outage), thousands((*.not_attempted).into()),
        thousands((*.images).into()), see(failures.as_deref())
    )]
    Outage {
        /// The destination.
        url: String,
        /// The last fault.
        fault: Fault,
        /// Time without a success after which a run is given up.
        max_outage: Duration,
        /// Images without an attempt.
        not_attempted: u32,
        /// All images.
        images: u32,
        /// The list of all failures.
        failures: Option<PathBuf>,
    },
    /// Some images failed.
    #[error(
        "{} of {} images failed{}; run the same command again to finish",
        thousands((*.failed).into()), thousands((*.images).into()), see(failures.as_deref())
    )]
    Failed {
        /// How many.
        failed: u32,
        /// All images.
        images: u32,
        /// The list of all failures.
        failures: Option<PathBuf>,
    },
    /// The run was stopped.
    #[error(
        "stopped with {} of {} images not attempted; run the same command again to finish",
        thousands((*.not_attempted).into()), thousands((*.images).into())
    )]
    Stopped {
        /// Images without an attempt.
        not_attempted: u32,
        /// All images.
        images: u32,
    },
    /// The run was stopped outside of the images' uploads.
    #[error("stopped before {0}; run the same command again to finish")]
    StoppedBefore(&'static str),
    /// All images are stored, but a manifest is not.
    #[error("all images are stored, but {url} is not: {error}; run the same command again")]
    NotPublished {
        /// The manifest's address.
        url: String,
        /// Why.
        error: NotStored,
    },
    /// The images of a slice are stored, but its record is not.
    #[error(
        "all images of the slice are stored, but {url} is not: {fault}; run the same command again"
    )]
    NotRecorded {
        /// The record.
        url: String,
        /// The last fault.
        fault: Fault,
    },
    /// A record that cannot be used.
    #[error("{url}: {problem}; delete it and run its slice again")]
    BadRecord {
        /// The record.
        url: String,
        /// What is wrong with it.
        problem: String,
    },
    /// Slices are put together before all are done.
    #[error(
        "{url}: no slice has stored images {} of {}; run those slices again, then merge",
        report::ranges(.missing), thousands((*.of).into())
    )]
    SlicesMissing {
        /// The destination.
        url: String,
        /// Ranges of images, each from its first to before its end, by position in the load.
        missing: Vec<(u32, u32)>,
        /// Images of the load.
        of: u32,
    },
    /// Records name images that are not at the destination.
    #[error(
        "{url}: {} of {} images that slices have stored are not there, or differ; run the load without \
         --shard, or delete the records and run the slices again",
        thousands(*.lacking), thousands((*.of).into())
    )]
    SlicesGone {
        /// The destination.
        url: String,
        /// Images that are missing or differ.
        lacking: u64,
        /// Images of the load.
        of: u32,
    },
    /// The destination does not hold exactly what the source says.
    #[error("{url}: {verdict}")]
    Inexact {
        /// The destination.
        url: String,
        /// What it holds.
        verdict: Verdict,
    },
    /// Some images failed because of a defect of this program.
    #[error(
        "{} of {} images failed because of a defect of idx2gcs{}; please report it",
        thousands((*.defects).into()), thousands((*.images).into()), see(failures.as_deref())
    )]
    Defects {
        /// How many.
        defects: u32,
        /// All images.
        images: u32,
        /// The list of all failures.
        failures: Option<PathBuf>,
    },
    /// A defect of this program; a rerun does not mend it.
    #[error("{0}; this is a defect of idx2gcs, please report it")]
    Internal(String),
}

impl From<SourceError> for Error {
    fn from(error: SourceError) -> Self {
        match error {
            SourceError::Classes(clash) => Self::Labels(clash),
            SourceError::Defect(what) => Self::Internal(what),
            SourceError::Local { path, error } => Self::Output { path, error },
            error => Self::Source(error),
        }
    }
}

impl From<SplitError> for Error {
    fn from(error: SplitError) -> Self {
        Self::Split(error)
    }
}

fn joined(findings: &[Finding]) -> String {
    findings.iter().map(Finding::to_string).collect::<Vec<_>>().join("; also ")
}

fn another(encoder: Option<&str>) -> String {
    encoder.map_or(String::new(), |this| {
        format!(", or written by another version of the encoder (this is {this})")
    })
}

fn see(failures: Option<&Path>) -> String {
    failures.map_or(String::new(), |path| format!(", see {}", path.display()))
}

impl Error {
    pub(super) fn output(path: &Path, error: std::io::Error) -> Self {
        Self::Output { path: path.to_owned(), error }
    }

    pub(super) fn unwritten(path: &Path, error: std::io::Error) -> Self {
        Self::Unwritten { path: path.to_owned(), error }
    }

    /// A task that panicked, with the name of what it did.
    pub(super) fn panicked(what: &str, panic: &dyn std::fmt::Display) -> Self {
        Self::Internal(format!("{what} panicked: {panic}"))
    }

    /// The exit code of a process that ends with this error.
    pub fn exit(&self) -> Exit {
        match self {
            Self::Unlabelled
            | Self::Template(_)
            | Self::SampleOfLimit
            | Self::Twins { .. }
            | Self::Split(_)
            | Self::Labels(_)
            | Self::Lock(_)
            | Self::Output { .. } => Exit::Usage,
            Self::Source(_) | Self::Findings(_) | Self::Unencodable { .. } => Exit::Source,
            Self::Refused { .. }
            | Self::Exist { .. }
            | Self::Leftovers { .. }
            | Self::BadRecord { .. }
            | Self::NoManifest { .. }
            | Self::Conflicts { .. } => Exit::Destination,
            Self::Unwritten { .. }
            | Self::Unavailable { .. }
            | Self::Outage { .. }
            | Self::Failed { .. }
            | Self::Stopped { .. }
            | Self::StoppedBefore(_)
            | Self::NotPublished { .. }
            | Self::NotRecorded { .. }
            | Self::SlicesMissing { .. }
            | Self::SlicesGone { .. }
            | Self::NotDeleted { .. }
            | Self::Inexact { .. } => Exit::Incomplete,
            Self::Internal(_) | Self::Defects { .. } => Exit::Internal,
        }
    }

    /// Whether the same load, run again, may finish what this one left.
    pub fn rerun_helps(&self) -> bool {
        self.exit() == Exit::Incomplete
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::check::Severity;

    #[test]
    fn findings_are_joined_to_one_line() {
        let finding = |what: &str| Finding {
            severity: Severity::Error,
            code: String::new(),
            what: what.to_owned(),
            count: 1,
            examples: Vec::new(),
            advice: None,
        };
        let error = Error::Findings(vec![finding("one"), finding("two")]);
        assert_eq!(error.to_string(), "one; also two; nothing was written");
        assert_eq!(error.exit(), Exit::Source);
    }
}
