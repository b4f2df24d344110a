//! Class frequencies by partition: bars, or one falling curve a partition where there are too many
//! classes for bars; and the numbers.

use maud::{Markup, html};

use super::axis;
use super::chart::{Axis, Panel, WIDTH, area, line, panel, percent};
use super::data::{ByPartition, Class, Report};
use super::sheet::swatch;
use super::text::{name, table};
use crate::model::Partition;
use crate::text::thousands;

/// More classes than that are a curve.
const MOST_BARS: usize = 100;
/// Up to so many classes have thick bars.
const FEW: usize = 24;
/// Points of a curve, at most.
const POINTS: usize = 500;
/// Characters of a class' name in the chart; the table has it whole.
const NAME: usize = 14;
/// Pixels above the first class.
const TOP: usize = 24;

pub(super) fn section(report: &Report) -> Markup {
    let classes = &report.classes;
    let present: Vec<_> = Partition::ALL
        .into_iter()
        .filter(|partition| classes.iter().any(|class| class.images.get(*partition) > 0))
        .collect();
    let smallest = classes.iter().min_by_key(|class| class.images.total());
    let largest = classes.iter().max_by_key(|class| class.images.total());
    html! {
        section #classes {
            h2 { "Classes" }
            @if let (Some(smallest), Some(largest)) = (smallest, largest) {
                p.lead {
                    @if smallest.images.total() == largest.images.total() {
                        "Every class has " (thousands(largest.images.total())) " images."
                    } @else {
                        "The largest class is " (name(largest.title())) " with "
                        (thousands(largest.images.total())) " images, the smallest "
                        (name(smallest.title())) " with " (thousands(smallest.images.total())) "."
                    }
                }
            }
            @if classes.len() <= MOST_BARS { (bars(classes, &present)) }
            @else { (curves(classes, &present)) }
            details {
                summary { "Images of each class as a table" }
                (numbers(report))
            }
        }
    }
}

fn legend(present: &[Partition]) -> Markup {
    html! {
        span.legend {
            @for partition in present { span.entry { (swatch(*partition)) (partition) } " " }
        }
    }
}

fn bars(classes: &[Class], present: &[Partition]) -> Markup {
    let (bar, gap) = if classes.len() <= FEW { (7, 11) } else { (4, 6) };
    let row = present.len().max(2) * (bar + 1) + gap;
    let height = TOP + classes.len() * row;
    let counts = classes.iter().flat_map(|class| present.iter().map(|p| class.images.get(*p)));
    let ticks = axis::linear(counts.max().unwrap_or(0) as f64, 3);
    let end = ticks.last().copied().unwrap_or(1.0);
    let top = |at: usize| TOP + at * row;
    html! {
        figure {
            figcaption { span.title { "Images of each class" } " " (legend(present)) }
            svg.chart.bars role="img" aria-labelledby="bars-title bars-desc" height=(height) {
                title #bars-title { "Images of each class, by partition" }
                desc #bars-desc {
                    "One group of bars for each of " (classes.len()) " classes, one bar a partition. "
                    "The table below has the numbers."
                }
                @for tick in &ticks {
                    @let x = percent(tick / end);
                    line.grid x1=(x) x2=(x) y1=(TOP - 6) y2=(height) {}
                    text.tick x=(x) y="12" text-anchor="middle" { (axis::short(*tick)) }
                }
                @for (at, class) in classes.iter().enumerate() {
                    @let middle = top(at) + (row - gap) / 2 + 4;
                    g {
                        title { (description(class, present)) }
                        text.number x="-128" y=(middle) text-anchor="end" { (class.number) }
                        @for (nth, partition) in present.iter().enumerate() {
                            rect class=(partition.name()) x="0" y=(top(at) + nth * (bar + 1))
                                height=(bar)
                                width=(percent(class.images.get(*partition) as f64 / end)) {}
                        }
                    }
                }
                // Cuts off what would run into the bars.
                svg.names x="-120" y="0" width="112" height=(height) {
                    @for (at, class) in classes.iter().enumerate() {
                        text x="0" y=(top(at) + (row - gap) / 2 + 4) { (short_name(class.title())) }
                    }
                }
            }
        }
    }
}

/// `3 Dress: train 5,012, validation 988, test 1,000`.
fn description(class: &Class, present: &[Partition]) -> String {
    let counts: Vec<_> = present
        .iter()
        .map(|partition| format!("{partition} {}", thousands(class.images.get(*partition))))
        .collect();
    format!("{} {}: {}", class.number, class.title(), counts.join(", "))
}

fn short_name(name: &str) -> String {
    if name.chars().count() <= NAME {
        return name.to_owned();
    }
    let begin: String = name.chars().take(NAME - 1).collect();
    format!("{}…", begin.trim_end())
}

/// A curve a partition: its classes side by side, the most frequent first. Such a curve falls, so
/// that a few of its points show its form.
fn curves(classes: &[Class], present: &[Partition]) -> Markup {
    html! {
        p {
            "The classes side by side, the most frequent first. The steeper a curve falls, the less even "
            "they are."
        }
        div.multiples {
            @for partition in present { (curve(classes, *partition)) }
        }
    }
}

fn curve(classes: &[Class], partition: Partition) -> Markup {
    let mut counts: Vec<u64> = classes.iter().map(|class| class.images.get(partition)).collect();
    counts.sort_unstable_by(|a, b| b.cmp(a));
    let vertical = Axis::linear(counts.first().copied().unwrap_or(0) as f64);
    let last = counts.len().saturating_sub(1).max(1);
    let step = last.div_ceil(POINTS).max(1);
    // The last point is the rarest class, wherever the steps end.
    let shown = (0..last).step_by(step).chain([last]);
    let points: Vec<_> = shown
        .filter_map(|at| counts.get(at).map(|count| (at, *count)))
        .map(|(at, count)| (at as f64 / last as f64 * WIDTH, vertical.y(count as f64)))
        .collect();
    let at = |index: usize| counts.get(index).copied().unwrap_or(0);
    let empty = counts.iter().filter(|count| **count == 0).count() as u64;
    let missing =
        if empty > 0 { format!("; {} have none", thousands(empty)) } else { String::new() };
    let description = format!(
        "{} classes by their number of images in {partition}, falling from {} over {} in the middle to {}{missing}.",
        thousands(counts.len() as u64),
        thousands(at(0)),
        thousands(at(counts.len() / 2)),
        thousands(at(last)),
    );
    let half = last / 2;
    let horizontal = [
        (0.0, "1".to_owned()),
        (0.5, thousands(half as u64 + 1)),
        (1.0, thousands(counts.len() as u64)),
    ];
    panel(&Panel {
        id: &format!("curve-{partition}"),
        title: &format!("Images of each class in {partition}"),
        legend: html! {
            @if empty > 0 { span.legend { (thousands(empty)) " classes have none" } }
        },
        description,
        vertical: &vertical,
        horizontal: &horizontal,
        marks: html! {
            path class=(format!("{partition} faint")) d=(area(&points)) {}
            path class=(format!("{partition} edge"))
                d=(line(points.iter().map(|(x, y)| (*x, Some(*y))))) {}
        },
    })
}

fn numbers(report: &Report) -> Markup {
    let labelled = report.classes.iter().fold(ByPartition::default(), |sum, class| ByPartition {
        train: sum.train + class.images.train,
        validation: sum.validation + class.images.validation,
        test: sum.test + class.images.test,
    });
    let of = &report.partitions;
    let rest = ByPartition {
        train: of.train.saturating_sub(labelled.train),
        validation: of.validation.saturating_sub(labelled.validation),
        test: of.test.saturating_sub(labelled.test),
    };
    let head = ["Class", "Name", "In manifests", "Train", "Validation", "Test", "All"];
    table(
        "Images of each class by partition",
        &head,
        &html! {
            @for class in &report.classes {
                tr {
                    th scope="row" { (class.number) }
                    td.text { @if let Some(name) = &class.name { bdi { (name) } } }
                    td.text { code { bdi { (class.label) } } }
                    (cells(&class.images))
                }
            }
            @if rest.total() > 0 {
                tr { th scope="row" { "none" } td.text { "without a label" } td {} (cells(&rest)) }
            }
            tr.all { th scope="row" { "all" } td {} td {} (cells(of)) }
        },
    )
}

fn cells(images: &ByPartition) -> Markup {
    html! {
        @for partition in Partition::ALL { td { (thousands(images.get(partition))) } }
        td { (thousands(images.total())) }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn long_names_are_cut_between_characters() {
        assert_eq!(short_name("Ankle boot"), "Ankle boot");
        assert_eq!(short_name("a very long name of a class"), "a very long n…");
        assert_eq!(short_name(&"あ".repeat(21)).chars().count(), NAME);
    }
}
