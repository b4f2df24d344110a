//! Why an emulator does not start.

use std::io;
use std::net::SocketAddr;
use std::path::PathBuf;

use thiserror::Error;

/// Why an emulator did not start.
#[derive(Debug, Error)]
#[non_exhaustive]
pub enum EmulatorError {
    /// The address is not loopback and [`Options::allow_remote`](crate::Options::allow_remote) is
    /// not set.
    #[error(
        "{0} is not a loopback address: the emulator checks no credentials, so allow remote access \
         explicitly or listen on 127.0.0.1"
    )]
    NotLoopback(SocketAddr),
    /// The address cannot be listened on.
    #[error("cannot listen on {addr}: is another program using the port?")]
    Listen {
        /// The address asked for.
        addr: SocketAddr,
        /// The system's error.
        source: io::Error,
    },
    /// The folder cannot be made, read or cleared of incomplete files.
    #[error("cannot use '{path}' as the emulator's folder", path = path.display())]
    Folder {
        /// The folder asked for.
        path: PathBuf,
        /// The system's error.
        source: io::Error,
    },
    /// Another emulator keeps its objects in the folder.
    #[error(
        "another emulator uses the folder '{path}'{process}: stop it or use another folder",
        path = path.display(),
        process = process.map_or(String::new(), |id| format!(" (process {id})"))
    )]
    InUse {
        /// The folder asked for.
        path: PathBuf,
        /// The other emulator's process, where it is known.
        process: Option<u32>,
    },
    /// A bucket asked for cannot be made.
    #[error("cannot make the bucket '{bucket}': {reason}")]
    Bucket {
        /// The bucket's name.
        bucket: String,
        /// What is wrong with it.
        reason: String,
    },
    /// The fault rates cannot be followed.
    #[error("invalid fault settings: {0}")]
    Faults(String),
}
