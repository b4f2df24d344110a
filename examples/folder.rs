//! Loads pictures that a program holds in memory into a folder, and shows its progress in a way of its
//! own.
//!
//! ```text
//! cargo run --example folder -- FOLDER
//! ```

#![allow(clippy::print_stdout)]

use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use idx2gcs::sink::Folder;
use idx2gcs::source::Array;
use idx2gcs::{
    CancellationToken, DataSet, Load, Observer, Output, Purpose, Snapshot, SplitSettings, Transfer,
    ValidationSize,
};

/// Prints a line ten times a second.
struct Lines;

impl Observer for Lines {
    fn interval(&self) -> Duration {
        Duration::from_millis(100)
    }

    fn progress(&self, now: &Snapshot) {
        println!("{} of {} pictures, {:.0} a second", now.ended(), now.images, now.images_per_s);
    }

    fn note(&self, message: &str) {
        println!("{message}");
    }

    fn end(&self, now: &Snapshot) {
        self.progress(now);
    }
}

/// 3,000 pictures of 28 × 28 grey pixels, a class for each brightness, and their labels.
fn pictures() -> Result<(Array, Array), idx2gcs::source::SourceError> {
    let labels: Vec<u8> = (0..3000_u32).map(|n| u8::try_from(n % 3).unwrap_or_default()).collect();
    let mut pixels = Vec::new();
    for (n, label) in (0_u32..).zip(&labels) {
        let mut picture = vec![60 + 60 * label; 28 * 28];
        // No two are the same: an import would merge them.
        picture[..4].copy_from_slice(&n.to_le_bytes());
        pixels.extend(picture);
    }
    Ok((Array::new(&[3000, 28, 28], pixels)?, Array::new(&[3000], labels)?))
}

#[tokio::main]
async fn main() -> Result<(), Box<dyn std::error::Error>> {
    let folder = std::env::args().nth(1).ok_or("usage: folder FOLDER")?;
    let (images, labels) = pictures()?;
    let data = DataSet::arrays(images, Some(labels)).classes(["dark", "grey", "bright"]);
    let stop = CancellationToken::new();
    let pictures = Path::new(&folder).join("pictures");
    let sink = Arc::new(Folder::new(&pictures.to_string_lossy(), pictures.clone()));
    let prepared = Load::of(data.open().await?)
        .split(SplitSettings::stratified(ValidationSize::Share(0.2), 7))
        .name("{partition}/{class}/{index:04}.{ext}")?
        .prepare(
            sink,
            Output::open(Path::new(&folder).join("out"))?,
            Transfer::default(),
            Purpose::Write,
            &stop,
        )
        .await?;
    for finding in &prepared.surveyed.findings {
        println!("{}: {finding}", finding.severity);
    }
    let summary = prepared.run(Arc::new(Lines), &stop).await.into_result()?;
    println!("{summary}");
    Ok(())
}
