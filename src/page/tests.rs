//! What the page and its data hold, apart from how the page looks.

use std::collections::BTreeMap;
use std::fs;

use proptest::prelude::*;

use super::*;
use crate::check::{Finding, Severity};
use crate::model::{How, Partition, Selected, Size};
use crate::pipeline::{Latency, Sample};
use crate::report::{ManifestEntry, Summary};

/// A report with something in every part; its texts are these, in turn.
fn report(texts: &[String]) -> Report {
    let mut texts = texts.iter().cycle().cloned();
    let mut text = || texts.next().unwrap_or_default();
    let sample = |t_s: u32| Sample {
        t_s: t_s.into(),
        ended: t_s * 100,
        images_per_s: 100.0,
        in_flight: 8,
        limit: 10,
        p50_ms: 20.0,
        p99_ms: 90.0,
        retries: t_s.into(),
        limited: u64::from(t_s / 2),
        ..Sample::default()
    };
    let formats = ["vertex", "vertex-jsonl", "automl", "huggingface", "csv", "parquet", "other"];
    let mut import = |format| {
        let url = format!("gs://b/{}", text());
        ManifestEntry { format, url, path: text(), rows: 9, sha256: text() }
    };
    let manifests = formats.map(&mut import).into();
    let summary = Summary {
        images: 1000,
        selection: Some(Selected { how: How::Sample, images: 1000, of: 70_000, seed: Some(42) }),
        uploaded: 600,
        already_present: 300,
        failed: 60,
        not_attempted: 40,
        bytes: 600_000,
        elapsed_s: 3.0,
        images_per_s: 320.0,
        attempts: 700,
        retries: BTreeMap::from([(text(), 40)]),
        latency_ms: Latency { p50: 20.0, p90: 50.0, p99: 90.0, max: 400.0 },
        timeline: (1..=3).map(sample).collect(),
        manifests,
        ..Summary::default()
    };
    let outcome = Outcome { summary, error: Some(text()) };
    let classes = (0..3).map(|number| Class {
        number,
        name: Some(text()),
        label: text(),
        images: ByPartition { train: 200, validation: 50, test: 50 },
    });
    let classes = classes.collect();
    Report {
        title: text(),
        source: Some(text()),
        destination: Some(text()),
        when: Some(text()),
        split: Some(SplitUsed { method: text(), seed: Some(42) }),
        partitions: ByPartition { train: 700, validation: 150, test: 150 },
        classes,
        samples: [Some(0), Some(2), Some(7), None]
            .map(|label| SampleImage {
                index: 5,
                label,
                partition: Partition::Validation,
                media_type: "image/jpeg".to_owned(),
                bytes: vec![0xff, 0xd8],
            })
            .into(),
        figures: Some(Figures {
            size: Some(Size { rows: 28, cols: 28, channels: 1 }),
            format: text(),
            quality: Some(75),
            bytes: 600_000,
            image_bytes: Some(Spread { min: 400, median: 600, mean: 604.4, max: 900 }),
            psnr_db: Some(Psnr { mean: 34.2, worst: 28.6, images: 1000 }),
        }),
        outcome: Some(outcome),
        findings: Some(vec![Finding {
            severity: Severity::Warning,
            code: text(),
            what: text(),
            count: 12,
            examples: vec![text(), text()],
            advice: Some(text()),
        }]),
    }
}

/// All tags of a page with their attributes' names, as a reader of HTML sees them: what is between
/// `<` and `>`, less what is in quotes.
fn tags(html: &str) -> Vec<String> {
    let (mut tags, mut tag, mut quoted) = (Vec::new(), None::<String>, false);
    for c in html.chars() {
        match (c, &mut tag) {
            ('"', Some(_)) => quoted = !quoted,
            ('>', Some(_)) if !quoted => tags.extend(tag.take()),
            (c, Some(tag)) if !quoted => tag.push(c),
            ('<', None) => tag = Some(String::new()),
            _ => {}
        }
    }
    assert_eq!(tag, None, "a tag without an end");
    tags
}

proptest! {
    // The one escape function is maud's; this is what it must do.
    #[test]
    fn no_text_of_the_data_becomes_markup(
        texts in prop::collection::vec(prop_oneof![
            any::<String>(),
            "[<>\"'&/=a-z -]{0,30}",
            Just("</style><script>alert(1)</script>".to_owned()),
            Just("\" onload=\"alert(1)".to_owned()),
            Just("<!-- ".to_owned()),
        ], 1..8),
    ) {
        let hostile = report(&texts).html();
        let benign = report(&["a".to_owned()]).html();
        prop_assert!(tags(&hostile) == tags(&benign), "{hostile}");
    }
}

#[test]
fn texts_are_shown_as_they_are() {
    let html = report(&["<b>\"Été\" & حقيبة 👢</b>".to_owned()]).html();
    assert!(
        html.contains("<bdi>&lt;b&gt;&quot;Été&quot; &amp; حقيبة 👢&lt;/b&gt;</bdi>"),
        "{html}"
    );
}

#[test]
fn the_page_is_one_file_that_asks_for_nothing() {
    let html = report(&["text".to_owned()]).html();
    let namespaces_aside = html.replace("http-equiv", "");
    for outside in ["http://", "https://", "<script", "url(", "@import", " on"] {
        let found = tags(&namespaces_aside).iter().any(|tag| tag.contains(outside));
        assert!(!found && !html.contains("src=\"http"), "{outside}");
    }
    assert!(html.contains("default-src 'none'"));
    assert!(html.contains("a sample of 1,000 of 70,000 images, seed 42"), "{html}");
    assert!(html.contains("src=\"data:image/jpeg;base64,/9g=\""));
    assert!(html.contains("alt=\"Class 0 text, validation, index 5\""));
    assert!(html.contains("alt=\"Class 7, validation, index 5\""), "a class without a row");
    assert!(html.contains("alt=\"Class no label, validation, index 5\""));
}

#[test]
fn absent_parts_have_no_heading() {
    let all = report(&["text".to_owned()]).html();
    let least = Report { title: "Bare".to_owned(), ..Report::default() }.html();
    for id in ["findings", "run", "classes", "samples", "images", "pace", "import"] {
        assert!(all.contains(&format!("<section id=\"{id}\"")), "{id}");
        assert!(!least.contains(&format!("id=\"{id}\"")), "{id}");
    }
    assert!(least.contains("<h1><bdi>Bare</bdi></h1>"));
    let mut quick = report(&["text".to_owned()]);
    quick.outcome.as_mut().unwrap().summary.timeline.clear();
    let quick = quick.html();
    assert!(quick.contains("less than a second"), "no chart, but a word");
    let checked = Report { findings: Some(Vec::new()), ..Report::default() }.html();
    assert!(checked.contains("Nothing was found wrong"));
}

#[test]
fn unlabelled_images_are_counted() {
    // 900 of the 1,000 have a label.
    let html = report(&["text".to_owned()]).html();
    let row = "without a label</td><td></td><td>100</td><td>0</td><td>0</td><td>100</td>";
    assert!(html.contains(row), "{html}");
}

#[test]
fn json_tells_the_same() {
    let json: serde_json::Value =
        serde_json::from_str(&report(&["text".to_owned()]).json().unwrap()).unwrap();
    assert_eq!(json["samples"][0]["bytes"], "/9g=");
    assert_eq!(json["samples"][0]["partition"], "validation");
    assert_eq!(json["classes"][1]["images"]["train"], 200);
    assert_eq!(json["findings"][0]["severity"], "warning");
    assert_eq!(json["outcome"]["selection"]["how"], "sample");
    assert_eq!(json["outcome"]["latency_ms"]["p99"], 90.0);
    assert_eq!(json["outcome"]["timeline"][2]["ended"], 300);
    let bare: serde_json::Value = serde_json::from_str(&Report::default().json().unwrap()).unwrap();
    assert!(bare["outcome"].is_null() && bare["findings"].is_null());
}

#[test]
fn both_files_are_written_whole_or_not_at_all() {
    let dir = tempfile::tempdir().unwrap();
    let report = report(&["text".to_owned()]);
    report.write(dir.path()).unwrap();
    let read = |name: &str| fs::read_to_string(dir.path().join(name)).unwrap();
    assert_eq!((read(HTML), read(JSON)), (report.html(), report.json().unwrap()));
    assert_eq!(fs::read_dir(dir.path()).unwrap().count(), 2);

    Report::default().write(&dir.path().join("missing")).unwrap_err();
    fs::remove_file(dir.path().join(JSON)).unwrap();
    fs::create_dir(dir.path().join(JSON)).unwrap();
    Report::default().write(dir.path()).unwrap_err();
    assert_eq!(fs::read_dir(dir.path()).unwrap().count(), 2, "nothing else is left");
}
