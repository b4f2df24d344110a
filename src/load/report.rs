//! The page about a load: what was loaded, how it went, how to import it.

use std::sync::Arc;

use super::job::Job;
use super::samples::{Sample, Samples};
use crate::check::Finding;
use crate::encode::Encoding;
use crate::model::{Image, ImageFormat, Size};
use crate::page::{Class, Figures, Outcome, Psnr, Report, SampleImage, Sampler, SplitUsed, Spread};
use crate::report::Summary;
use crate::split::SplitMethod;

/// Bytes that an encoded image is taken to have before any is there: one a pixel at the most.
fn likely_bytes(job: &Job) -> usize {
    usize::try_from(job.data().largest_image()).unwrap_or(usize::MAX).max(600)
}

/// Who will be on the page: the first of each class and partition.
pub(super) fn samples(job: &Job) -> Arc<Samples> {
    let mut sampler = Sampler::new(job.frequencies.by_label.len(), likely_bytes(job));
    let chosen = job.items().filter(|item| sampler.choose(item.label, item.partition));
    Arc::new(Samples::new(chosen.map(|item| item.index).collect()))
}

/// The page of a load that has ended. `when` is the time as people read it.
pub(super) fn report(
    job: &Job,
    findings: Vec<Finding>,
    url: &str,
    summary: &Summary,
    error: Option<String>,
    when: String,
) -> Report {
    let frequencies = &job.frequencies;
    let classes = frequencies.labelled().map(|(number, images)| Class {
        number,
        name: job.data().classes().name(number).map(str::to_owned),
        label: job.data().classes().label(number).into_owned(),
        images: images.into(),
    });
    let (taken, sizes) = job.images.samples.as_ref().map(|all| all.take()).unwrap_or_default();
    let split = &job.load.split;
    let psnr_db = psnr(job.load.encoding, &taken);
    let mut formats = Vec::new();
    let mut encoded_jpeg = false;
    for index in job.selection.indices() {
        let from = job.data().format(index);
        let format = job.images.encoder.format(from);
        if !formats.contains(&format) {
            formats.push(format);
        }
        encoded_jpeg |= format == ImageFormat::Jpeg && from != Some(format);
    }
    let images = taken.into_iter().map(|sample| {
        let item = job.item(sample.index);
        SampleImage {
            index: item.index,
            label: item.label,
            partition: item.partition,
            media_type: item.format.media_type().to_owned(),
            bytes: sample.file.to_vec(),
        }
    });
    let seeded = matches!(split.method, SplitMethod::Random | SplitMethod::Stratified);
    let origin = job.load.origin.clone();
    let titled = !job.load.title.is_empty();
    Report {
        title: if titled { job.load.title.clone() } else { origin.clone().unwrap_or_default() },
        source: origin,
        destination: Some(url.to_owned()),
        when: Some(when),
        split: Some(SplitUsed {
            method: split.method.to_string(),
            seed: seeded.then_some(split.seed),
        }),
        partitions: job.frequencies.totals().into(),
        classes: classes.collect(),
        samples: images.collect(),
        figures: sizes.map(|sizes| Figures {
            size: size(job),
            format: formats.iter().map(ToString::to_string).collect::<Vec<_>>().join(", "),
            quality: encoded_jpeg.then_some(job.images.encoder.encoding().quality),
            bytes: summary.bytes,
            image_bytes: Some(Spread {
                min: sizes.min,
                median: sizes.median,
                mean: sizes.mean,
                max: sizes.max,
            }),
            psnr_db,
        }),
        outcome: Some(Outcome { summary: summary.clone(), error }),
        findings: Some(findings),
    }
}

/// The size of the stored images, where all have the same.
fn size(job: &Job) -> Option<Size> {
    job.data().size().and_then(|size| job.images.encoder.size(size).ok())
}

/// The loss of encoding, measured on the samples; nothing where pixels were meant to change.
fn psnr(encoding: Encoding, samples: &[Sample]) -> Option<Psnr> {
    if encoding.changes_pixels() {
        return None;
    }
    let each = samples.iter().filter_map(|Sample { image, file, .. }| {
        let format = ImageFormat::of(file).filter(|format| image.format() != Some(*format))?;
        if format == ImageFormat::Png {
            return None;
        }
        let (size, pixels) = image.pixels().ok()?;
        let stored = Image::Encoded { format, bytes: file.clone() };
        let (stored_size, decoded) = stored.pixels().ok()?;
        let squares = pixels.iter().zip(&*decoded).map(|(&was, &is)| {
            let apart = f64::from(was) - f64::from(is);
            apart * apart
        });
        let mean = squares.sum::<f64>() / pixels.len() as f64;
        // Without loss it would be infinite.
        (size == stored_size).then(|| 10.0 * (255.0_f64.powi(2) / mean.max(0.01)).log10())
    });
    let each: Vec<f64> = each.collect();
    let worst = each.iter().copied().reduce(f64::min)?;
    let mean = each.iter().sum::<f64>() / each.len() as f64;
    Some(Psnr { mean, worst, images: each.len() as u64 })
}
