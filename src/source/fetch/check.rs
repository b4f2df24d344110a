//! Whether the content of a file is what the catalogue says.

use std::fs::File;
use std::io::{self, Read};
use std::path::Path;

use md5::Md5;
use sha2::{Digest, Sha256};

use crate::source::arrays::header::ArrayError;
use crate::source::arrays::{payload, records};
use crate::source::catalogue::{Archive, EntryFile, WholeFile};

/// What packing may add to a file that cannot be packed.
pub(super) const SLACK: u64 = 1 << 20;

/// What is wrong with a file.
#[derive(Debug)]
pub(in crate::source) enum Wrong {
    /// It ends too early, so that more of it may help.
    Short(String),
    /// More of it would not help.
    Other(String),
}

impl Wrong {
    pub(super) fn into_text(self) -> String {
        match self {
            Self::Short(text) | Self::Other(text) => text,
        }
    }
}

impl From<ArrayError> for Wrong {
    fn from(e: ArrayError) -> Self {
        match e {
            ArrayError::CutOff | ArrayError::Truncated { .. } | ArrayError::HeaderCutOff(_) => {
                Self::Short(e.to_string())
            }
            // An empty file has no first bytes.
            ArrayError::NotIdx(ref bytes) if bytes.is_empty() => Self::Short(e.to_string()),
            e => Self::Other(e.to_string()),
        }
    }
}

impl From<io::Error> for Wrong {
    fn from(e: io::Error) -> Self {
        ArrayError::from(e).into()
    }
}

/// Whether the file at `path` is a whole IDX file of the size, the number of records and the sums
/// that the catalogue knows of it. Where it knows the payload's and the packed file's, either is
/// enough, because mirrors pack the same payload differently. Unpacks at most one byte more than the
/// file's own header promises, and nothing where that is not what the catalogue says.
pub(in crate::source) fn check_file(
    path: &Path,
    file: &EntryFile,
    wanted: Option<u32>,
) -> Result<(), Wrong> {
    let mut payload = Hashing {
        inner: payload(path).map_err(|e| Wrong::Other(e.to_string()))?,
        digest: Sha256::new(),
    };
    let reader = records(&mut payload)?;
    let header = reader.header();
    let promised = header.len + header.data_len();
    if let Some(bytes) = file.bytes.filter(|bytes| *bytes != promised) {
        return Err(Wrong::Other(format!(
            "its header promises {promised} bytes, not {bytes} as the catalogue says"
        )));
    }
    if let Some(wanted) = wanted.filter(|wanted| *wanted != header.records()) {
        return Err(Wrong::Other(format!(
            "its header promises {} records, not {wanted} as the catalogue says",
            header.records()
        )));
    }
    reader.check(&|| false)?;
    let mut problems = Vec::new();
    if let Some(wanted) = &file.sha256 {
        match compare("the payload's SHA-256", payload.digest, wanted) {
            Ok(()) => return Ok(()),
            Err(problem) => problems.push(problem),
        }
    }
    let packed = [&file.packed_sha256, &file.packed_md5].map(Option::as_deref);
    if packed != [None, None] {
        match check_sums(path, packed) {
            Ok(()) => return Ok(()),
            Err(problem) => problems.push(problem.into_text()),
        }
    }
    if problems.is_empty() { Ok(()) } else { Err(Wrong::Other(problems.join(", and "))) }
}

/// Whether the file at `path` has the size and the sums that the catalogue knows of it.
pub(in crate::source) fn check_whole(path: &Path, file: &WholeFile) -> Result<(), Wrong> {
    let len = File::open(path)?.metadata()?.len();
    check_size(len, file.bytes)?;
    check_sums(path, [file.sha256.as_deref(), file.md5.as_deref()]).map_err(|wrong| {
        // Instead of a file that has moved, servers like to send a page.
        let mut first = [0];
        let read = File::open(path).and_then(|mut file| file.read_exact(&mut first));
        let page = if read.is_ok() && first == *b"<" { "; an HTML or XML page?" } else { "" };
        Wrong::Other(format!("{}{page}", wrong.into_text()))
    })
}

fn check_size(found: u64, known: Option<u64>) -> Result<(), Wrong> {
    let Some(bytes) = known.filter(|bytes| *bytes != found) else { return Ok(()) };
    let text = format!("it has {found} bytes, not {bytes} as the catalogue says");
    Err(if found < bytes { Wrong::Short(text) } else { Wrong::Other(text) })
}

/// Whether the zip at `path` has the size and the sums that the catalogue knows of it, and is one.
pub(super) fn check_archive(path: &Path, archive: &Archive) -> Result<(), Wrong> {
    let mut first = Vec::new();
    let mut raw = File::open(path)?;
    let len = raw.metadata()?.len();
    raw.by_ref().take(4).read_to_end(&mut first)?;
    if len >= 4 && !first.starts_with(b"PK") {
        let page = if first.starts_with(b"<") { "; an HTML or XML page?" } else { "" };
        return Err(Wrong::Other(format!("it is no zip archive{page}")));
    }
    check_size(len, archive.bytes)?;
    check_sums(path, [archive.sha256.as_deref(), archive.md5.as_deref()])?;
    match zip::ZipArchive::new(io::BufReader::new(raw)) {
        Ok(_) => Ok(()),
        // Its table of contents stands at the end.
        Err(e) => Err(Wrong::Short(format!("it is no whole zip archive: {e}"))),
    }
}

/// Compares SHA-256 and MD5 of a file as it is, where they are known.
fn check_sums(path: &Path, [sha256, md5]: [Option<&str>; 2]) -> Result<(), Wrong> {
    if (sha256, md5) == (None, None) {
        return Ok(());
    }
    let mut file = File::open(path)?;
    let (mut sha256_is, mut md5_is) = (Sha256::new(), Md5::new());
    let mut chunk = vec![0; 64 * 1024];
    loop {
        let n = file.read(&mut chunk)?;
        if n == 0 {
            break;
        }
        let read = chunk.get(..n).unwrap_or_default();
        if sha256.is_some() {
            sha256_is.update(read);
        }
        if md5.is_some() {
            md5_is.update(read);
        }
    }
    if let Some(wanted) = sha256 {
        compare("its SHA-256", sha256_is, wanted).map_err(Wrong::Other)?;
    }
    if let Some(wanted) = md5 {
        compare("its MD5", md5_is, wanted).map_err(Wrong::Other)?;
    }
    Ok(())
}

fn compare(what: &str, digest: impl Digest, wanted: &str) -> Result<(), String> {
    let found = data_encoding::HEXLOWER.encode(&digest.finalize());
    if found == wanted {
        return Ok(());
    }
    Err(format!("{what} is {found}, not {wanted} as the catalogue says"))
}

/// Passes bytes on and computes their sum.
struct Hashing<R> {
    inner: R,
    digest: Sha256,
}

impl<R: Read> Read for Hashing<R> {
    fn read(&mut self, into: &mut [u8]) -> io::Result<usize> {
        let n = self.inner.read(into)?;
        self.digest.update(into.get(..n).unwrap_or_default());
        Ok(n)
    }
}
