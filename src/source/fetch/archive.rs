//! The members of a zip that a data set consists of.

use std::fs::File;
use std::io::{self, BufReader, Read, Write};
use std::path::{Path, PathBuf};

use flate2::bufread::MultiGzDecoder;
use zip::ZipArchive;
use zip::result::ZipError;

use super::check::{SLACK, Wrong, check_file};
use super::download::partial_of;
use super::present::Wanted;
use super::progress::{FetchError, cannot_write};
use crate::source::arrays::header::{ArrayError, Header};
use crate::source::arrays::records;
use crate::source::catalogue::Archive;

/// Takes the wanted members out of the zip at `path` into `folder`, as streams: each gets its name
/// once it is checked. `report` hears of each member with its size, and of bytes written.
pub(super) fn extract(
    path: &Path,
    archive: &Archive,
    folder: &Path,
    wanted: &[Wanted],
    report: &dyn Fn(Extracted),
) -> Result<(), FetchError> {
    let unsound = |e: ZipError| FetchError::Mirror(format!("the zip archive is unsound: {e}"));
    let raw = File::open(path).map_err(|e| FetchError::Mirror(e.to_string()))?;
    let mut zip = ZipArchive::new(BufReader::new(raw)).map_err(unsound)?;
    for i in 0..zip.len() {
        let member = zip.by_index_raw(i).map_err(unsound)?;
        if member.enclosed_name().is_none() {
            return Err(FetchError::Mirror(format!(
                "the zip archive has a member {:?}, which leads out of its folder",
                String::from_utf8_lossy(member.name_raw())
            )));
        }
    }
    for file in wanted {
        let member = match archive.folder.as_str() {
            "" => file.name.clone(),
            folder => format!("{folder}/{}", file.name),
        };
        extract_one(&mut zip, &member, folder, file, report)?;
    }
    Ok(())
}

/// What the extraction reports while it goes on.
pub(super) enum Extracted {
    /// A member begins: its name and size.
    Member(String, u64),
    /// So many more bytes are written.
    Bytes(u64),
}

fn extract_one(
    zip: &mut ZipArchive<BufReader<File>>,
    member: &str,
    folder: &Path,
    wanted: &Wanted,
    report: &dyn Fn(Extracted),
) -> Result<(), FetchError> {
    let wrong = |what: String| FetchError::Mirror(format!("{member} in the zip archive: {what}"));
    let absent = |e: ZipError| match e {
        ZipError::FileNotFound => FetchError::Mirror(format!("the zip archive lacks {member}")),
        e => wrong(e.to_string()),
    };
    // A first look at the head of the member says how large it may become.
    let header = head(zip.by_name(member).map_err(absent)?).map_err(|e| wrong(e.to_string()))?;
    let promised = header.len + header.data_len();
    if let Some(bytes) = wanted.file.bytes.filter(|bytes| *bytes != promised) {
        return Err(wrong(format!(
            "its header promises {promised} bytes, not {bytes} as the catalogue says"
        )));
    }
    let most = promised.saturating_add(SLACK);
    let mut packed = zip.by_name(member).map_err(absent)?;
    let too_large = || wrong(format!("unpacks to more than the {promised} bytes it promises"));
    if packed.size() > most {
        return Err(too_large());
    }
    report(Extracted::Member(wanted.name.clone(), packed.size()));
    let target = folder.join(&wanted.name);
    let partial = partial_of(&target);
    let written = write(&mut packed, &partial, most, report);
    let checked = written.and_then(|within| {
        if !within {
            return Err(too_large());
        }
        check_file(&partial, &wanted.file, wanted.records)
            .map_err(Wrong::into_text)
            .map_err(wrong)?;
        std::fs::rename(&partial, &target).map_err(|e| FetchError::Final(cannot_write(&target, e)))
    });
    checked.inspect_err(|_| {
        let _ = std::fs::remove_file(&partial);
    })
}

/// Writes a member to a file; `false` once it is larger than `most`.
fn write(
    member: &mut impl Read,
    partial: &PathBuf,
    most: u64,
    report: &dyn Fn(Extracted),
) -> Result<bool, FetchError> {
    let local = |e: io::Error| FetchError::Final(cannot_write(partial, e));
    let mut out = File::create(partial).map_err(local)?;
    let mut chunk = vec![0; 64 * 1024];
    let mut written = 0;
    loop {
        let n = match member.read(&mut chunk) {
            Ok(0) => break,
            Ok(n) => n,
            Err(e) => return Err(FetchError::Mirror(format!("cannot be unpacked: {e}"))),
        };
        written += n as u64;
        if written > most {
            return Ok(false);
        }
        out.write_all(chunk.get(..n).unwrap_or_default()).map_err(local)?;
        report(Extracted::Bytes(n as u64));
    }
    Ok(true)
}

/// The IDX header at the start of a member, packed again or not.
fn head(member: impl Read) -> Result<Header, ArrayError> {
    let mut member = BufReader::new(member);
    let first = io::BufRead::fill_buf(&mut member)?;
    if first.starts_with(&[0x1F, 0x8B]) {
        records(MultiGzDecoder::new(member)).map(|records| records.header().clone())
    } else {
        records(member).map(|records| records.header().clone())
    }
}
