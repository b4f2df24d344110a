//! What sinks of the local file system share: their faults, and copying with a checksum.

use std::io::{self, Read, Write};
use std::sync::Arc;

use super::{Fault, FaultKind, NewObject};

/// Does work that reads, writes or sorts on a thread that may block.
pub(super) async fn blocking<I: Send + Sync + 'static, T: Send + 'static>(
    inner: &Arc<I>,
    work: impl FnOnce(&I) -> Result<T, Fault> + Send + 'static,
) -> Result<T, Fault> {
    let inner = Arc::clone(inner);
    let done = tokio::task::spawn_blocking(move || work(&inner)).await;
    done.unwrap_or_else(|e| Err(Fault::new(FaultKind::Internal, e.to_string())))
}

/// A fault of this one file, unless the kind of error is one that every other file meets too.
pub(super) fn local(what: &str, e: &io::Error) -> Fault {
    let kind = match e.kind() {
        io::ErrorKind::StorageFull
        | io::ErrorKind::QuotaExceeded
        | io::ErrorKind::ReadOnlyFilesystem
        | io::ErrorKind::PermissionDenied => FaultKind::Local,
        _ => FaultKind::LocalFile,
    };
    Fault::new(kind, format!("{what}: {e}"))
}

/// Copies to the end; returns the number of bytes and their CRC32C.
pub(super) fn copy(mut from: impl Read, mut to: impl Write) -> io::Result<(u64, u32)> {
    let mut chunk = vec![0; 64 * 1024];
    let (mut size, mut crc32c) = (0, 0);
    loop {
        let n = match from.read(&mut chunk) {
            Ok(0) => return Ok((size, crc32c)),
            Ok(n) => n,
            Err(e) if e.kind() == io::ErrorKind::Interrupted => continue,
            Err(e) => return Err(e),
        };
        let part = chunk.get(..n).unwrap_or_default();
        to.write_all(part)?;
        size += n as u64;
        crc32c = crc32c::crc32c_append(crc32c, part);
    }
}

/// Compares what was written, its number of bytes and CRC32C, with what the object should be.
pub(super) fn compare(object: &NewObject, written: (u64, u32)) -> Result<(), Fault> {
    let expected = (object.body.size(), object.crc32c);
    if written == expected {
        return Ok(());
    }
    let says = format!(
        "{}: the content has changed since its checksum was computed: {} bytes with CRC32C {:08x} \
         now, {} bytes with {:08x} then",
        object.name, written.0, written.1, expected.0, expected.1
    );
    Err(Fault::new(FaultKind::Mismatch, says))
}
