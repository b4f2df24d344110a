//! The page about a load: what was loaded, how it went, how to import it.

use std::sync::Arc;

use image::GenericImageView;

use super::Job;
use crate::config::Settings;
use crate::encode::{ImageFormat, Scale};
use crate::page::{
    Class, Figures, Import, Outcome, Psnr, Report, SampleImage, Sampler, SplitUsed, Spread,
};
use crate::pipeline::{Sample, Samples};
use crate::report::Summary;
use crate::split::SplitMethod;

/// Bytes that an encoded image is taken to have before any is there: one a pixel at the most.
fn likely_bytes(job: &Job) -> usize {
    job.data.record_len().max(600)
}

/// Who will be on the page: the first of each class and partition.
pub(super) fn samples(job: &Job) -> Arc<Samples> {
    let mut sampler = Sampler::new(job.frequencies().by_label.len(), likely_bytes(job));
    let items = (0..job.count).map(|index| job.item(index));
    let chosen = items.filter(|item| sampler.choose(item.label, item.partition));
    Arc::new(Samples::new(chosen.map(|item| item.index).collect()))
}

/// The page of a load that has ended. `when` is the time as people read it.
pub(super) fn report(
    settings: &Settings,
    job: &Job,
    samples: &Samples,
    summary: &Summary,
    error: Option<String>,
    when: String,
) -> Report {
    let frequencies = job.frequencies();
    let classes = frequencies.labelled().map(|(number, images)| Class {
        number,
        name: job.data.classes.name(number).map(str::to_owned),
        label: job.data.classes.label(number).into_owned(),
        images: images.into(),
    });
    let (taken, sizes) = samples.take();
    let encoding = settings.encoding;
    let psnr_db = psnr(settings, &taken);
    let images = taken.into_iter().map(|sample| {
        let item = job.item(sample.index);
        SampleImage {
            index: item.index,
            label: item.label,
            partition: item.partition,
            media_type: job.images.encoder.content_type().to_owned(),
            bytes: sample.file,
        }
    });
    let seed = matches!(settings.split.method, SplitMethod::Random | SplitMethod::Stratified);
    let source = &settings.source;
    let entry = source.dataset.as_deref().and_then(|name| settings.catalogue.get(name));
    let title = entry.map(|entry| entry.title.clone()).filter(|title| !title.is_empty());
    let name = source.dataset.clone();
    let path = source.path.as_ref().map(|path| path.display().to_string());
    let listed = source.files.first().map(|files| files.images.display().to_string());
    let from = name.or(path).or(listed);
    Report {
        title: title.or_else(|| from.clone()).unwrap_or_default(),
        source: from,
        destination: Some(settings.url.clone()),
        when: Some(when),
        split: Some(SplitUsed {
            method: settings.split.method.to_string(),
            seed: seed.then_some(settings.split.seed),
        }),
        partitions: job.partitions().into(),
        classes: classes.collect(),
        samples: images.collect(),
        figures: sizes.map(|sizes| Figures {
            rows: u32::from(job.data.rows) * u32::from(encoding.upscale),
            cols: u32::from(job.data.cols) * u32::from(encoding.upscale),
            channels: if encoding.rgb { 3 } else { job.data.channels },
            format: encoding.format.to_string().to_uppercase(),
            quality: (encoding.format == ImageFormat::Jpeg).then_some(encoding.quality),
            bytes: summary.bytes,
            image_bytes: Some(Spread {
                min: sizes.min,
                median: sizes.median,
                mean: sizes.mean,
                max: sizes.max,
            }),
            psnr_db,
        }),
        outcome: Some(Outcome::new(summary, error)),
        timeline: summary.timeline.clone(),
        findings: Some(job.findings.clone()),
        manifests: summary.manifests.iter().map(Import::from).collect(),
    }
}

/// What encoding left of the samples; nothing where they were meant to change.
fn psnr(settings: &Settings, samples: &[Sample]) -> Option<Psnr> {
    let encoding = settings.encoding;
    let same = encoding.upscale == 1 && !encoding.rgb && encoding.scale == Scale::None;
    if !same || encoding.format != ImageFormat::Jpeg {
        return None;
    }
    let each = samples.iter().filter_map(|Sample { pixels, file, .. }| {
        let decoded = image::load_from_memory(file).ok()?;
        let channels = usize::from(decoded.color().channel_count());
        let (wide, tall) = decoded.dimensions();
        let fits = wide as usize * tall as usize * channels == pixels.len();
        let squares = pixels.iter().zip(decoded.as_bytes()).map(|(&was, &is)| {
            let apart = f64::from(was) - f64::from(is);
            apart * apart
        });
        let mean = squares.sum::<f64>() / pixels.len() as f64;
        // Without loss it would be infinite.
        fits.then(|| 10.0 * (255.0_f64.powi(2) / mean.max(0.01)).log10())
    });
    let each: Vec<f64> = each.collect();
    let worst = each.iter().copied().reduce(f64::min)?;
    let mean = each.iter().sum::<f64>() / each.len() as f64;
    Some(Psnr { mean, worst, images: each.len() as u64 })
}
