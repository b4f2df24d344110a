//! How the run ended, and what its images are like: numbers in tables.

use maud::{Markup, html};

use super::data::Figures;
use super::text::{name, seconds, table};
use crate::model::Size;
use crate::report::Summary;
use crate::text::{bytes, rounded, short, thousands};

pub(super) fn section(run: &Summary) -> Markup {
    let states = [
        ("Uploaded", run.uploaded),
        ("Already present", run.already_present),
        ("Failed", run.failed),
        ("Not attempted", run.not_attempted),
        ("All", run.images),
    ];
    let retries: u64 = run.retries.values().sum();
    let latency = run.latency_ms;
    let work = [
        ("Time", seconds(run.elapsed_s)),
        ("Images a second", rounded(run.images_per_s)),
        ("Bytes uploaded", bytes(run.bytes)),
        ("Upload attempts", thousands(run.attempts)),
        ("Retries", thousands(retries)),
    ];
    let times = [
        ("Median", latency.p50),
        ("90 %", latency.p90),
        ("99 %", latency.p99),
        ("Longest", latency.max),
    ];
    html! {
        section #run {
            h2 { "Run" }
            div.tables {
                (pairs("What became of the images", states.map(|(s, n)| (s, thousands(n.into())))))
                (pairs("The work", work))
                @if latency.max > 0.0 {
                    (pairs(
                        "An upload took at most",
                        times.map(|(term, ms)| (term, format!("{} ms", short(ms)))),
                    ))
                }
                @if retries > 0 {
                    (table("Retries by cause", &["Cause", "Retries"], &html! {
                        @for (cause, count) in &run.retries {
                            tr { th scope="row" { (name(cause)) } td { (thousands(*count)) } }
                        }
                    }))
                }
            }
        }
    }
}

pub(super) fn figures(figures: &Figures) -> Markup {
    let pixels = figures.size.map(|Size { rows, cols, channels }| {
        format!("{rows} × {cols}, {}", if channels == 1 { "grey" } else { "RGB" })
    });
    let quality = figures.quality.map_or(String::new(), |quality| format!(", quality {quality}"));
    let mut size = vec![
        ("Pixels", pixels.unwrap_or_else(|| "of several sizes".to_owned())),
        ("Format", format!("{}{quality}", figures.format)),
        ("All images", bytes(figures.bytes)),
    ];
    if let Some(psnr) = figures.psnr_db {
        size.push(("PSNR, mean", format!("{:.1} dB", psnr.mean)));
        size.push(("PSNR, worst", format!("{:.1} dB", psnr.worst)));
        size.push(("Images measured", thousands(psnr.images)));
    }
    html! {
        section #images {
            h2 { "Images" }
            div.tables {
                (pairs("Size and quality", size))
                @if let Some(bytes) = figures.image_bytes {
                    (pairs("Bytes of an encoded image", [
                        ("Smallest", thousands(bytes.min)),
                        ("Median", thousands(bytes.median)),
                        ("Mean", rounded(bytes.mean)),
                        ("Largest", thousands(bytes.max)),
                    ]))
                }
            }
        }
    }
}

/// A table of a heading and a value a row.
fn pairs<'a>(caption: &str, rows: impl IntoIterator<Item = (&'a str, String)>) -> Markup {
    html! {
        table.pairs {
            caption { (caption) }
            tbody {
                @for (heading, value) in rows {
                    tr { th scope="row" { (heading) } td { (name(&value)) } }
                }
            }
        }
    }
}
