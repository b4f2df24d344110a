//! Reports to look at: Fashion-MNIST as it is, and what is as bad as it comes.

use std::collections::BTreeMap;

use idx2gcs::DataSet;
use idx2gcs::encode::{Encoder, Encoding};
use idx2gcs::internals::{
    ByPartition, Class, Figures, Outcome, Psnr, Report, SampleImage, Sampler, SplitUsed, Spread,
};
use idx2gcs::split::{Split, ValidationSize};
use idx2gcs::{Finding, Severity};
use idx2gcs::{Image, Partition, Size};
use idx2gcs::{Latency, Sample};
use idx2gcs::{ManifestEntry, Summary};

use crate::support::fashion_mnist;

const NAMES: [&str; 10] = [
    "T-shirt/top",
    "Trouser",
    "Pullover",
    "Dress",
    "Coat",
    "Sandal",
    "Shirt",
    "Sneaker",
    "Bag",
    "Ankle boot",
];

/// Fashion-MNIST as it is, and a run with a bad minute in it.
pub fn fashion() -> Report {
    let data = DataSet::folder(fashion_mnist()).open_blocking().unwrap();
    let split = Split::random(&data.parts(), ValidationSize::Count(10_000), 42).unwrap();
    let encoder = Encoder::new(Encoding::default());
    let mut chooser = Sampler::new(NAMES.len(), 600);
    let mut counts = BTreeMap::<u32, [u32; 3]>::new();
    let (mut samples, mut partitions, mut sizes) = (Vec::new(), [0; 3], Vec::new());
    for record in data.records() {
        let record = record.unwrap();
        let (label, partition) = (record.label.unwrap(), split.partition(record.index));
        counts.entry(label).or_default()[partition as usize] += 1;
        partitions[partition as usize] += 1;
        let bytes = encoder.encode(&record.image).unwrap().to_vec();
        sizes.push(bytes.len() as u64);
        if chooser.choose(Some(label), partition) {
            let (label, media_type) = (Some(label), "image/jpeg".to_owned());
            samples.push(SampleImage { index: record.index, label, partition, media_type, bytes });
        }
    }
    let class = |(number, images): (u32, [u32; 3])| {
        let name = NAMES[number as usize].to_owned();
        let label = name.replace(['-', '/', ' '], "_");
        Class { number, name: Some(name), label, images: images.into() }
    };
    sizes.sort_unstable();
    let bytes: u64 = sizes.iter().sum();
    Report {
        title: "Fashion-MNIST".to_owned(),
        source: Some("fashion-mnist, /usr/share/datasets/fashion-mnist".to_owned()),
        destination: Some("gs://my-bucket/fashion-mnist".to_owned()),
        when: Some("2026-11-24 10:58 UTC".to_owned()),
        split: Some(SplitUsed { method: "random".to_owned(), seed: Some(42) }),
        partitions: partitions.into(),
        classes: counts.into_iter().map(class).collect(),
        samples,
        figures: Some(Figures {
            size: data.size(),
            format: "JPEG".to_owned(),
            quality: Some(75),
            bytes,
            image_bytes: Some(Spread {
                min: sizes[0],
                median: sizes[sizes.len() / 2],
                mean: bytes as f64 / sizes.len() as f64,
                max: sizes[sizes.len() - 1],
            }),
            psnr_db: Some(Psnr { mean: 34.6, worst: 28.4, images: 70_000 }),
        }),
        outcome: Some(outcome(bytes)),
        findings: Some(findings()),
    }
}

/// One of the import files.
fn import((format, file): (&'static str, &str)) -> ManifestEntry {
    ManifestEntry {
        format,
        url: format!("gs://my-bucket/fashion-mnist/{file}"),
        path: format!("out/{file}"),
        rows: 70_000,
        sha256: String::new(),
    }
}

/// A run with refusals that ended well.
fn outcome(bytes: u64) -> Outcome {
    let summary = Summary {
        images: 70_000,
        uploaded: 69_936,
        already_present: 64,
        failed: 0,
        not_attempted: 0,
        bytes,
        elapsed_s: 94.0,
        images_per_s: 744.7,
        attempts: 71_203,
        retries: [("rate limit", 1203), ("connection", 64)]
            .map(|(cause, count)| (cause.to_owned(), count))
            .into(),
        latency_ms: Latency { p50: 52.1, p90: 61.0, p99: 388.0, max: 2104.0 },
        timeline: timeline(94),
        manifests: [
            ("vertex", "vertex.csv"),
            ("vertex-jsonl", "vertex.jsonl"),
            ("automl", "automl.csv"),
            ("huggingface", "metadata.jsonl"),
            ("csv", "index.csv"),
            ("parquet", "index.parquet"),
        ]
        .map(import)
        .into(),
        ..Summary::default()
    };
    Outcome { summary, error: None }
}

fn findings() -> Vec<Finding> {
    vec![
        Finding {
            severity: Severity::Note,
            code: "label-renamed".to_owned(),
            what: "2 class names are not labels that Vertex AI takes.".to_owned(),
            count: 2,
            examples: vec![
                "T-shirt/top → T_shirt_top".to_owned(),
                "Ankle boot → Ankle_boot".to_owned(),
            ],
            advice: None,
        },
        Finding {
            severity: Severity::Warning,
            code: "duplicate-images".to_owned(),
            what: "12 images are in more than one partition.".to_owned(),
            count: 12,
            examples: ["17", "4,032", "60,911"].map(str::to_owned).into(),
            advice: Some("Vertex AI keeps one of them; drop the others.".to_owned()),
        },
    ]
}

/// A climb, a plateau, and refusals in between.
fn timeline(seconds: u32) -> Vec<Sample> {
    let (mut ended, mut retries, mut limited) = (0, 0, 0);
    let second = |t: u32| {
        let refused = (40..52).contains(&t);
        let limit = if refused { 24 } else { (8 << (t / 4).min(4)).min(64) };
        let noise = (t * 7919) % 23;
        let rate = if refused { 210 + noise } else { limit * 14 + noise * 3 };
        ended += rate;
        if refused {
            retries += u64::from(60 + noise);
            limited += u64::from(55 + noise);
        } else if t.is_multiple_of(17) {
            retries += 5;
        }
        Sample {
            t_s: f64::from(t),
            ended,
            images_per_s: f64::from(rate),
            in_flight: limit - noise % 3,
            limit,
            rate: refused.then_some(220.0),
            p50_ms: 50.0 + f64::from(noise) / 4.0,
            p99_ms: if refused { 900.0 } else { 70.0 } + f64::from(noise * 9),
            retries,
            limited,
        }
    };
    (1..=seconds).map(second).collect()
}

/// Names as bad as they come, in each form of the chart.
pub fn many(classes: u32) -> Report {
    let names = [
        "حقيبة يد",
        "<b>bold & \"quoted\"</b>",
        "👢👢👢 long boots of 👢👢👢",
        "ひらがな",
        "Averyveryveryverylongnamewithoutanyspaceinitthatnevereverends",
    ];
    let class = |number: u32| Class {
        number,
        name: Some(names[number as usize % names.len()].to_owned()),
        label: format!("class_{number}"),
        images: [60_000 / (number + 1), 9000 / (number + 3), (number % 4) * 7].into(),
    };
    let shown = if classes <= 100 { classes } else { 0 };
    let classes: Vec<_> = (0..classes).map(class).collect();
    let sum = |of: fn(&ByPartition) -> u64| classes.iter().map(|class| of(&class.images)).sum();
    // More classes than are unfolded, in an unknown size: columns are twice the rows.
    let encoding = Encoding { quality: 90, ..Encoding::default() };
    let encoder = Encoder::new(encoding);
    let size = Size { rows: 20, cols: 40, channels: 1 };
    let sample = |number: u32| SampleImage {
        index: number * 100_003,
        label: Some(number),
        partition: Partition::ALL[number as usize % 3],
        media_type: "image/jpeg".to_owned(),
        bytes: encoder
            .encode(&Image::Raw { size, pixels: vec![number.to_le_bytes()[0]; 800] })
            .unwrap()
            .into(),
    };
    let samples = (0..shown).map(sample).collect();
    Report {
        samples,
        title: names.join(" "),
        destination: Some(format!("gs://b/{}", "long/".repeat(40))),
        partitions: ByPartition {
            train: sum(|of| of.train),
            validation: sum(|of| of.validation),
            test: sum(|of| of.test),
        },
        classes,
        findings: Some(Vec::new()),
        outcome: Some(Outcome {
            summary: Summary {
                images: 1,
                uploaded: 1,
                manifests: vec![ManifestEntry {
                    url: format!("gs://b/{}vertex.csv", "long/".repeat(40)),
                    ..import(("vertex", "vertex.csv"))
                }],
                ..Summary::default()
            },
            error: None,
        }),
        ..Report::default()
    }
}

/// A run that was refused, of images without labels.
pub fn refused(mut report: Report) -> Report {
    report.classes.clear();
    report.samples.truncate(4);
    report.samples.iter_mut().for_each(|sample| sample.label = None);
    report.findings = None;
    let outcome = report.outcome.as_mut().unwrap();
    let summary = &mut outcome.summary;
    summary.manifests.clear();
    summary.timeline = timeline(1);
    (summary.failed, summary.not_attempted) = (3, 65_000);
    summary.uploaded -= 65_003;
    outcome.error =
        Some("gs://my-bucket: 403 forbidden: you need storage.objects.create".to_owned());
    report
}
