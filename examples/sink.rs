//! Loads the numbers 0 to 99 as pictures into a sink of this program's own: a map in memory. A sink makes
//! one attempt of each request; trying again, pacing and comparing are done for it.
//!
//! ```text
//! cargo run --example sink
//! ```

#![allow(clippy::print_stdout)]

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use idx2gcs::sink::{
    Body, BoxFuture, Fault, FaultKind, NameRange, NewObject, Page, Precondition, Stored,
};
use idx2gcs::source::Array;
use idx2gcs::{
    CancellationToken, DataSet, Load, Output, Purpose, Silent, Sink, SplitMethod, SplitSettings,
    Transfer,
};

/// Objects by name.
#[derive(Default)]
struct Memory(Mutex<BTreeMap<String, (Stored, Vec<u8>)>>);

impl Memory {
    fn objects(&self) -> MutexGuard<'_, BTreeMap<String, (Stored, Vec<u8>)>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Writes an object if the condition holds: this is what makes every write safe to repeat.
    fn write(
        &self,
        object: &NewObject,
        condition: Precondition,
        bytes: Vec<u8>,
    ) -> Result<Stored, Fault> {
        let mut objects = self.objects();
        let before = objects.get(&object.name).map_or(0, |(stored, _)| stored.generation);
        if before != condition.generation() {
            return Err(Fault::new(FaultKind::Precondition, "another generation exists"));
        }
        let (name, crc32c) = (object.name.clone(), crc32c::crc32c(&bytes));
        let stored = Stored::new(name, bytes.len() as u64, Some(crc32c), before + 1);
        objects.insert(object.name.clone(), (stored.clone(), bytes));
        Ok(stored)
    }
}

impl Sink for Memory {
    fn url(&self) -> &'static str {
        "memory:"
    }

    fn check(&self, _: Purpose) -> BoxFuture<'_, Result<(), Fault>> {
        Box::pin(async { Ok(()) })
    }

    fn put<'a>(
        &'a self,
        object: &'a NewObject,
        condition: Precondition,
    ) -> BoxFuture<'a, Result<Stored, Fault>> {
        Box::pin(async move {
            let bytes = match &object.body {
                Body::Bytes(bytes) => bytes.to_vec(),
                Body::File(file) => tokio::fs::read(file.path())
                    .await
                    .map_err(|e| Fault::new(FaultKind::LocalFile, e.to_string()))?,
            };
            self.write(object, condition, bytes)
        })
    }

    fn stat<'a>(&'a self, name: &'a str) -> BoxFuture<'a, Result<Option<Stored>, Fault>> {
        Box::pin(async move { Ok(self.objects().get(name).map(|(stored, _)| stored.clone())) })
    }

    fn delete<'a>(&'a self, name: &'a str) -> BoxFuture<'a, Result<(), Fault>> {
        Box::pin(async move {
            self.objects().remove(name);
            Ok(())
        })
    }

    fn list<'a>(
        &'a self,
        range: &'a NameRange,
        _: Option<String>,
    ) -> BoxFuture<'a, Result<Page, Fault>> {
        Box::pin(async move {
            let objects = self.objects();
            let within = objects.values().filter(|(stored, _)| range.contains(&stored.name));
            let objects = within.map(|(stored, _)| stored.clone()).collect();
            Ok(Page { objects, next: None })
        })
    }
}

#[tokio::main]
async fn main() -> Result<(), Box<dyn std::error::Error>> {
    let pixels: Vec<u8> = (0..100_u8).flat_map(|n| [n, 255 - n, n, 255 - n]).collect();
    let sink = Arc::new(Memory::default());
    let out = tempfile::tempdir()?;
    let stop = CancellationToken::new();
    // The second load finds everything: nothing is written twice.
    for expected in [(100, 0), (0, 100)] {
        let data = DataSet::arrays(Array::new(&[100, 2, 2], pixels.clone())?, None).open().await?;
        let split = SplitSettings { method: SplitMethod::None, ..SplitSettings::default() };
        let (output, transfer) = (Output::open(out.path())?, Transfer::default());
        let load = Load::of(data).split(split);
        let prepared = load.prepare(sink.clone(), output, transfer, Purpose::Write, &stop).await?;
        let summary = prepared.run(Arc::new(Silent), &stop).await.into_result()?;
        println!("{summary}");
        assert_eq!((summary.uploaded, summary.already_present), expected);
    }
    println!("{} objects in memory, manifests included", sink.objects().len());
    Ok(())
}
