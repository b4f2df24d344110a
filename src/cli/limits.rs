//! How many files the system lets this process have open.

/// Files that the process has open besides its connections: streams, logs, the source, the
/// runtime's own.
const RESERVED: u64 = 64;

/// Raises the limit of open files to what the system allows, and returns the number of requests in
/// flight, at most `wanted` and at least one, that it leaves room for. `ends` is the number of files a
/// request takes: one for its connection, two if the other end is in this process as well.
pub(super) fn fit_open_files(wanted: u32, ends: u32) -> u32 {
    let room = raise_open_files().saturating_sub(RESERVED) / u64::from(ends);
    wanted.min(u32::try_from(room).unwrap_or(u32::MAX).max(1))
}

/// The limit of open files, after it was raised to the hard limit, or on macOS to the kernel's.
#[cfg(unix)]
fn raise_open_files() -> u64 {
    let raised = rlimit::increase_nofile_limit(u64::MAX);
    raised.or_else(|_| rlimit::Resource::NOFILE.get_soft()).unwrap_or(u64::MAX)
}

/// Elsewhere connections are not files.
#[cfg(not(unix))]
fn raise_open_files() -> u64 {
    u64::MAX
}
