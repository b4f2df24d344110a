//! An archive under way, beside the name that it takes when it is whole.

use std::collections::HashMap;
use std::fs::{self, File};
use std::io::{self, BufWriter, Seek, SeekFrom, Write};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use zip::write::{PreparedZipFile, SimpleFileOptions};
use zip::{CompressionMethod, DateTime, System, ZipWriter};

use super::super::local::{compare, copy};
use super::super::{NameRange, NewObject, Stored};
use crate::files;

/// What an archive written here holds, by name: bytes and CRC32C.
#[derive(Debug, Default)]
pub(super) struct Entries(HashMap<Box<str>, (u64, u32)>);

impl Entries {
    pub(super) fn contains(&self, name: &str) -> bool {
        self.0.contains_key(name)
    }

    pub(super) fn get(&self, name: &str) -> Option<Stored> {
        self.0.get(name).map(|held| stored(name, *held))
    }

    /// Those in a range, in no order.
    pub(super) fn within(&self, range: &NameRange) -> Vec<Stored> {
        let inside = self.0.iter().filter(|(name, _)| range.contains(name));
        inside.map(|(name, held)| stored(name, *held)).collect()
    }
}

fn stored(name: &str, (size, crc32c): (u64, u32)) -> Stored {
    Stored::new(name.to_owned(), size, Some(crc32c), 1)
}

/// The same entries give the same bytes, wherever and whenever they are written.
fn options(method: CompressionMethod) -> SimpleFileOptions {
    SimpleFileOptions::default()
        .compression_method(method)
        .last_modified_time(DateTime::default())
        .system(System::Unix)
        .unix_permissions(0o644)
}

/// An entry with its header and checksum made, which needs no archive to be done.
pub(super) fn prepare(name: &str, content: &[u8]) -> io::Result<PreparedZipFile> {
    // Images are packed already.
    Ok(PreparedZipFile::from_data(name, options(CompressionMethod::Stored), content)?)
}

/// An archive under way. Dropped before it is published, it is removed.
pub(super) struct Draft {
    /// Nothing once the archive has its end.
    writer: Option<ZipWriter<Output>>,
    /// The file with its lock, once the archive has its end.
    whole: Option<File>,
    entries: Entries,
    partial: PathBuf,
    /// Why nothing more can be added.
    failure: Option<(io::ErrorKind, String)>,
    given_up: Arc<AtomicBool>,
}

impl Draft {
    /// Begins an archive at `partial`, in place of one that a killed run left there.
    ///
    /// # Errors
    /// When it cannot be written, or another run is writing it.
    pub(super) fn create(partial: PathBuf) -> io::Result<Self> {
        let file = files::lock_file(&partial)?.ok_or_else(|| {
            let taken = format!("{} is being written by another run", partial.display());
            io::Error::new(io::ErrorKind::WouldBlock, taken)
        })?;
        file.set_len(0)?;
        let given_up = Arc::new(AtomicBool::new(false));
        let out = BufWriter::with_capacity(128 * 1024, file);
        let output = Output { out, position: 0, given_up: Arc::clone(&given_up) };
        let writer = Some(ZipWriter::new(output));
        let entries = Entries::default();
        Ok(Self { writer, whole: None, entries, partial, failure: None, given_up })
    }

    pub(super) fn entries(&self) -> &Entries {
        &self.entries
    }

    /// Adds an entry whose name is not taken.
    ///
    /// # Errors
    /// When the file cannot be written; then nothing more can be added.
    pub(super) fn add(
        &mut self,
        name: &str,
        prepared: PreparedZipFile,
        crc32c: u32,
    ) -> io::Result<()> {
        let size = prepared.uncompressed_size();
        let added = self.writer()?.add_prepared_file(prepared);
        self.added(name, (size, crc32c), added.map_err(io::Error::from))
    }

    /// Adds an object's entry, deflated, from a reader of its content.
    ///
    /// # Errors
    /// When the reader fails or gives other content than the object's, or the file cannot be written;
    /// then nothing more can be added.
    pub(super) fn add_from(&mut self, object: &NewObject, from: impl io::Read) -> io::Result<()> {
        let (name, size) = (&object.name, object.body.size());
        let writer = self.writer()?;
        let large = size >= u64::from(u32::MAX);
        let options = options(CompressionMethod::Deflated).large_file(large);
        let copied = writer
            .start_file(name, options)
            .map_err(io::Error::from)
            .and_then(|()| copy(from, writer))
            .and_then(|written| compare(object, written).map_err(io::Error::other));
        self.added(name, (size, object.crc32c), copied)
    }

    fn added(&mut self, name: &str, held: (u64, u32), added: io::Result<()>) -> io::Result<()> {
        match &added {
            Ok(()) => drop(self.entries.0.insert(name.into(), held)),
            // What is half written would be in the way of all that follows.
            Err(e) => {
                self.failure = Some((e.kind(), e.to_string()));
                self.given_up.store(true, Ordering::Relaxed);
            }
        }
        added
    }

    fn writer(&mut self) -> io::Result<&mut ZipWriter<Output>> {
        match (&self.failure, &mut self.writer) {
            (Some((kind, why)), _) => Err(io::Error::new(*kind, why.clone())),
            (None, Some(writer)) => Ok(writer),
            (None, None) => Err(io::Error::other("the archive has its end")),
        }
    }

    /// Writes the archive's end, and sees it onto the disk.
    ///
    /// # Errors
    /// When the file cannot be written.
    pub(super) fn close(&mut self) -> io::Result<()> {
        self.writer()?;
        if let Some(writer) = self.writer.take() {
            let file = writer.finish()?.out.into_inner()?;
            file.sync_data()?;
            self.whole = Some(file);
        }
        Ok(())
    }

    /// Gives a closed archive its own name, in place of what is there.
    ///
    /// # Errors
    /// When it cannot be renamed.
    pub(super) fn publish(&mut self, path: &Path) -> io::Result<Entries> {
        if self.whole.is_none() {
            return Err(io::Error::other("the archive has no end yet"));
        }
        fs::rename(&self.partial, path)?;
        self.whole = None;
        Ok(std::mem::take(&mut self.entries))
    }
}

impl Drop for Draft {
    fn drop(&mut self) {
        if self.writer.is_some() || self.whole.is_some() {
            // While it is still locked, so that it is nobody else's.
            let _ = fs::remove_file(&self.partial);
        }
        // The writer wants to write an archive's end when it is dropped: it is not wanted.
        self.given_up.store(true, Ordering::Relaxed);
    }
}

/// The partial file. It knows its position: asked by way of a seek, the buffer would be emptied twice
/// an entry.
struct Output {
    out: BufWriter<File>,
    position: u64,
    /// Whether all that is still written goes nowhere.
    given_up: Arc<AtomicBool>,
}

impl Write for Output {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        if self.given_up.load(Ordering::Relaxed) {
            return Ok(bytes.len());
        }
        let written = self.out.write(bytes);
        match &written {
            Ok(n) => self.position += *n as u64,
            Err(e) if e.kind() == io::ErrorKind::Interrupted => {}
            // The writer would try again when it is dropped, and complain on standard error.
            Err(_) => self.given_up.store(true, Ordering::Relaxed),
        }
        written
    }

    fn flush(&mut self) -> io::Result<()> {
        if self.given_up.load(Ordering::Relaxed) { Ok(()) } else { self.out.flush() }
    }
}

impl Seek for Output {
    fn seek(&mut self, to: SeekFrom) -> io::Result<u64> {
        let stays = matches!(to, SeekFrom::Current(0)) || to == SeekFrom::Start(self.position);
        if !stays && !self.given_up.load(Ordering::Relaxed) {
            self.position = self.out.seek(to)?;
        }
        Ok(self.position)
    }
}
