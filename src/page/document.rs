//! The page around its parts: head, heading, contents, and what the parts share.

use maud::{DOCTYPE, Markup, PreEscaped, html};

use super::data::{JSON, Outcome, Report};
use super::text::{address, name, seconds};
use super::{classes, findings, imports, outcome, sheet, timeline};
use crate::model::Partition;
use crate::text::{bytes, rounded, thousands};

/// All styles. Its colours have a contrast of 4.5 at least wherever they are text, 3 in charts.
const STYLE: &str = include_str!("style.css");

/// Nothing but the page's own styles and the images inside it, whatever the data say.
const POLICY: &str = "default-src 'none'; style-src 'unsafe-inline'; img-src data:";

pub(super) fn page(report: &Report) -> Markup {
    let run = report.outcome.as_ref().map(|outcome| &outcome.summary);
    // Heading in the contents, id, content.
    let sections: Vec<(&str, &str, Markup)> = [
        report.findings.as_ref().map(|list| ("Findings", "findings", findings::section(list))),
        run.map(|run| ("Run", "run", outcome::section(run))),
        (!report.classes.is_empty()).then(|| ("Classes", "classes", classes::section(report))),
        (!report.samples.is_empty()).then(|| ("Samples", "samples", sheet::section(report))),
        report.figures.as_ref().map(|figures| ("Images", "images", outcome::figures(figures))),
        run.map(|run| ("Pace", "pace", timeline::section(&run.timeline))),
        run.filter(|run| !run.manifests.is_empty())
            .map(|run| ("Import", "import", imports::section(&report.title, &run.manifests))),
    ]
    .into_iter()
    .flatten()
    .collect();
    html! {
        (DOCTYPE)
        html lang="en" {
            head {
                meta charset="utf-8";
                meta name="viewport" content="width=device-width, initial-scale=1";
                meta name="color-scheme" content="light dark";
                meta http-equiv="Content-Security-Policy" content=(POLICY);
                title { (report.title) " · idx2gcs" }
                link rel="icon" href="data:,";
                style { (PreEscaped(STYLE)) }
            }
            body {
                a.skip href="#main" { "Skip to the report" }
                header { (heading(report)) }
                @if sections.len() > 1 {
                    nav aria-label="Contents" {
                        ul {
                            @for (heading, id, _) in &sections {
                                li { a href=(format!("#{id}")) { (heading) } }
                            }
                        }
                    }
                }
                main #main tabindex="-1" {
                    (key_figures(report))
                    @for (_, _, content) in &sections { (content) }
                }
                footer {
                    p {
                        "Made by idx2gcs " (env!("CARGO_PKG_VERSION")) ". The same for programs is in "
                        code { (JSON) } " beside this file."
                    }
                }
            }
        }
    }
}

fn heading(report: &Report) -> Markup {
    let facts = [
        ("From", report.source.as_deref().map(address)),
        ("To", report.destination.as_deref().map(address)),
        ("When", report.when.as_deref().map(name)),
        ("Selection", selected(report)),
        (
            "Split",
            report.split.as_ref().map(|split| {
                html! {
                    (name(&split.method))
                    @if let Some(seed) = split.seed { ", seed " (seed) }
                }
            }),
        ),
    ];
    html! {
        h1 { (name(&report.title)) }
        dl.facts {
            @for (term, value) in facts {
                @if let Some(value) = value { div { dt { (term) } dd { (value) } } }
            }
        }
        @if let Some(outcome) = &report.outcome { (verdict(outcome)) }
    }
}

/// Which of the data set's images were loaded, where not all were.
fn selected(report: &Report) -> Option<Markup> {
    let selected = report.outcome.as_ref()?.summary.selection?;
    Some(html! {
        (selected)
        @if let Some(seed) = selected.seed { ", seed " (seed) }
    })
}

/// How the run ended, in a sentence.
fn verdict(outcome: &Outcome) -> Markup {
    let Outcome { summary, error } = outcome;
    let stored = u64::from(summary.uploaded) + u64::from(summary.already_present);
    html! {
        @if outcome.is_complete() {
            p.verdict.complete { strong { "Complete." } " All " (thousands(stored)) " images are stored." }
        } @else {
            p.verdict.incomplete {
                strong { "Not complete." }
                " " (thousands(stored)) " of " (thousands(summary.images.into()))
                " images are stored."
                @if let Some(error) = error { br; span.why { (name(error)) } }
            }
        }
    }
}

/// The few numbers that a reader wants first.
fn key_figures(report: &Report) -> Markup {
    let mut figures = vec![("Images", thousands(report.partitions.total()))];
    for partition in Partition::ALL {
        let heading = match partition {
            Partition::Train => "Train",
            Partition::Validation => "Validation",
            Partition::Test => "Test",
        };
        figures.push((heading, thousands(report.partitions.get(partition))));
    }
    if !report.classes.is_empty() {
        figures.push(("Classes", thousands(report.classes.len() as u64)));
    }
    if let Some(of_images) = &report.figures {
        figures.push(("Size", bytes(of_images.bytes)));
    }
    if let Some(Outcome { summary, .. }) = &report.outcome {
        figures.push(("Time", seconds(summary.elapsed_s)));
        figures.push(("Images/s", rounded(summary.images_per_s)));
    }
    html! {
        dl.key {
            @for (term, value) in figures { div { dt { (term) } dd { (value) } } }
        }
    }
}
