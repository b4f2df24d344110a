//! What was found in the data, the gravest first.

use maud::{Markup, html};

use super::text::name;
use crate::check::{Finding, Severity};
use crate::text::thousands;

pub(super) fn section(list: &[Finding]) -> Markup {
    let mut sorted: Vec<&Finding> = list.iter().collect();
    sorted.sort_by_key(|finding| finding.severity);
    html! {
        section #findings {
            h2 { "Findings" }
            @if sorted.is_empty() {
                p { "Nothing was found wrong with the data." }
            } @else {
                ul.findings { @for finding in sorted { (item(finding)) } }
            }
        }
    }
}

fn item(finding: &Finding) -> Markup {
    let severity = match finding.severity {
        Severity::Error => "error",
        Severity::Warning => "warning",
        Severity::Note => "note",
    };
    let more = finding.count.saturating_sub(finding.examples.len() as u64);
    html! {
        li class=(severity) {
            p.what {
                strong.severity { (severity) } " " (name(&finding.what))
                " " code { (finding.code) }
            }
            @if let Some(advice) = &finding.advice { p { (name(advice)) } }
            @if !finding.examples.is_empty() {
                p.examples {
                    @for (i, example) in finding.examples.iter().enumerate() {
                        @if i > 0 { ", " }
                        (name(example))
                    }
                    @if more > 0 { " and " (thousands(more)) " more" }
                }
            }
        }
    }
}
