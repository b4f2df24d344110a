//! Pictures that a test's own source makes, and a sink of a test's own: what the library's tests are made of.

use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, AtomicU32, Ordering};
use std::sync::{Arc, Condvar, Mutex};
use std::time::Duration;

use idx2gcs::sink::{
    BoxFuture, Fault, FaultKind, NameRange, NewObject, Page, Precondition, Stored,
};
use idx2gcs::source::{Images, Labels, Part, Source, SourceError};
use idx2gcs::{
    CancellationToken, DataSet, Image, ImageFormat, Load, Output, Partition, Prepared, Purpose,
    Sink, Size, Transfer,
};

/// Bytes of a picture.
pub const BYTES: usize = 500_000;

/// Counts those who pass, and holds them up while it is closed.
#[derive(Debug, Default)]
pub struct Gate {
    closed: Mutex<bool>,
    opened: Condvar,
    passing: AtomicU32,
}

impl Gate {
    pub fn closed() -> Arc<Self> {
        Arc::new(Self { closed: Mutex::new(true), ..Self::default() })
    }

    pub fn pass(&self) {
        self.passing.fetch_add(1, Ordering::SeqCst);
        let closed = self.closed.lock().unwrap();
        drop(self.opened.wait_while(closed, |closed| *closed).unwrap());
    }

    pub fn open(&self) {
        *self.closed.lock().unwrap() = false;
        self.opened.notify_all();
    }

    pub fn passed(&self) -> u32 {
        self.passing.load(Ordering::SeqCst)
    }
}

/// Image files made when they are asked for; nothing here decodes them.
#[derive(Debug, Default)]
pub struct Pictures {
    pub images: u32,
    /// Pictures that were asked for.
    pub asked: Arc<AtomicU32>,
    /// Whether nobody reads any more.
    pub dropped: Arc<AtomicBool>,
    pub labels: Arc<Labels>,
    /// Every picture that is asked for passes it.
    pub gate: Arc<Gate>,
}

struct Reading {
    next: u32,
    end: u32,
    asked: Arc<AtomicU32>,
    dropped: Arc<AtomicBool>,
    gate: Arc<Gate>,
}

impl Iterator for Reading {
    type Item = Result<Image, SourceError>;

    fn next(&mut self) -> Option<Self::Item> {
        if self.next == self.end {
            return None;
        }
        self.next += 1;
        self.asked.store(self.next, Ordering::SeqCst);
        self.gate.pass();
        let mut file = vec![0; BYTES];
        file[..4].copy_from_slice(&self.next.to_be_bytes());
        Some(Ok(Image::Encoded { format: ImageFormat::Jpeg, bytes: file.into() }))
    }
}

impl Drop for Reading {
    fn drop(&mut self) {
        self.dropped.store(true, Ordering::SeqCst);
    }
}

impl Source for Pictures {
    fn parts(&self) -> Vec<Part> {
        let (partition, path) = (Partition::Train, PathBuf::from("pictures"));
        vec![Part { partition, images: self.images, path }]
    }

    fn labels(&self) -> &Arc<Labels> {
        &self.labels
    }

    fn size(&self) -> Option<Size> {
        None
    }

    fn format(&self, _: u32) -> Option<ImageFormat> {
        Some(ImageFormat::Jpeg)
    }

    fn largest_image(&self) -> u64 {
        BYTES as u64
    }

    fn images(&self) -> Images {
        self.dropped.store(false, Ordering::SeqCst);
        let (asked, dropped) = (Arc::clone(&self.asked), Arc::clone(&self.dropped));
        let gate = Arc::clone(&self.gate);
        Box::new(Reading { next: 0, end: self.images, asked, dropped, gate })
    }

    fn prove(&self, _: &dyn Fn() -> bool) -> Result<(), SourceError> {
        Ok(())
    }
}

/// A sink that takes objects and never answers, or fails to list.
#[derive(Default)]
pub struct Silence {
    pub listing: Option<FaultKind>,
    pub puts: AtomicU32,
    /// Whether what it takes counts as stored at once.
    pub stores: bool,
    /// Every address that it gives passes it.
    pub addresses: Arc<Gate>,
}

impl Sink for Silence {
    fn url(&self) -> &'static str {
        "test://silence"
    }

    fn address(&self, name: &str) -> String {
        self.addresses.pass();
        name.to_owned()
    }

    fn check(&self, _: Purpose) -> BoxFuture<'_, Result<(), Fault>> {
        Box::pin(async { Ok(()) })
    }

    fn put<'a>(
        &'a self,
        object: &'a NewObject,
        _: Precondition,
    ) -> BoxFuture<'a, Result<Stored, Fault>> {
        self.puts.fetch_add(1, Ordering::SeqCst);
        if !self.stores {
            return Box::pin(std::future::pending());
        }
        let NewObject { name, body, crc32c, .. } = object;
        let (name, size, crc32c) = (name.clone(), body.size(), Some(*crc32c));
        Box::pin(async move { Ok(Stored::new(name, size, crc32c, 1)) })
    }

    fn stat<'a>(&'a self, _: &'a str) -> BoxFuture<'a, Result<Option<Stored>, Fault>> {
        Box::pin(async { Ok(None) })
    }

    fn delete<'a>(&'a self, _: &'a str) -> BoxFuture<'a, Result<(), Fault>> {
        Box::pin(async { Ok(()) })
    }

    fn list<'a>(
        &'a self,
        _: &'a NameRange,
        _: Option<String>,
    ) -> BoxFuture<'a, Result<Page, Fault>> {
        Box::pin(async {
            match self.listing {
                None => Ok(Page::default()),
                Some(kind) => Err(Fault::new(kind, "as scripted")),
            }
        })
    }
}

/// A load of pictures, prepared with defaults but for the transfer.
pub async fn prepared(
    pictures: Pictures,
    sink: Arc<Silence>,
    out: &Path,
    transfer: Transfer,
) -> Prepared {
    let data = DataSet::of(pictures).open_blocking().unwrap();
    let (output, stop) = (Output::open(out).unwrap(), CancellationToken::new());
    let purpose = Purpose::Write;
    Load::of(data).prepare(sink, output, transfer, purpose, &stop).await.unwrap()
}

/// Waits, for a few seconds at most, until something holds.
pub async fn until(what: impl Fn() -> bool) -> bool {
    until_for(5000, what).await
}

/// Waits so many milliseconds at most.
pub async fn until_for(ms: u64, what: impl Fn() -> bool) -> bool {
    for _ in 0..ms / 10 {
        if what() {
            return true;
        }
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
    false
}
