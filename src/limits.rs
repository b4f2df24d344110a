//! What the system allows this process.

/// Files that the process has open besides its connections: streams, logs, the source, the
/// runtime's own.
const RESERVED: u64 = 64;

/// Raises the limit of open files to what the system allows, and returns the number of requests in
/// flight, at most `wanted`, that it leaves room for. `ends` is the number of files a request takes:
/// one for its connection, two if the other end is in this process as well.
pub(crate) fn fit_open_files(wanted: u32, ends: u32) -> u32 {
    let room = raise_open_files().saturating_sub(RESERVED) / u64::from(ends);
    wanted.min(u32::try_from(room).unwrap_or(u32::MAX).max(1))
}

/// The limit of open files, after it was raised as far as it goes.
#[cfg(unix)]
fn raise_open_files() -> u64 {
    use nix::sys::resource::{Resource, getrlimit, setrlimit};
    let Ok((soft, hard)) = getrlimit(Resource::RLIMIT_NOFILE) else { return u64::MAX };
    if soft < hard && setrlimit(Resource::RLIMIT_NOFILE, hard, hard).is_ok() {
        return hard;
    }
    soft
}

#[cfg(not(unix))]
fn raise_open_files() -> u64 {
    u64::MAX
}
