//! The run second by second: four charts that share their time, and the numbers.

use maud::{Markup, html};

use super::axis;
use super::chart::{Axis, HEIGHT, Panel, WIDTH, area, line, panel};
use super::text::{seconds, table};
use crate::pipeline::Sample;
use crate::text::{rounded, short, thousands};

/// Stretches of time that a chart shows, at most.
const STEPS: usize = 400;
/// Rows of the table, at most.
const ROWS: usize = 60;

/// A stretch of the run: some samples put together.
#[derive(Debug, Clone, Copy, PartialEq)]
struct Stretch {
    from_s: f64,
    to_s: f64,
    images_per_s: f64,
    /// The most requests in flight, and the most that might be.
    in_flight: u32,
    limit: u32,
    rate: Option<f64>,
    /// The mean of the medians and the worst of the 99 %, where an attempt succeeded.
    latency_ms: Option<(f64, f64)>,
    /// In this stretch.
    retries: u64,
    limited: u64,
}

impl Stretch {
    fn a_second(&self, count: u64) -> f64 {
        count as f64 / (self.to_s - self.from_s).max(0.001)
    }
}

/// At most `most` stretches of equally many samples, the last of maybe fewer.
fn stretches(samples: &[Sample], most: usize) -> Vec<Stretch> {
    let size = samples.len().div_ceil(most).max(1);
    let mut before = Sample::default();
    let mut stretches = Vec::with_capacity(samples.len() / size + 1);
    for chunk in samples.chunks(size) {
        let Some(last) = chunk.last() else { continue };
        let lasted = (last.t_s - before.t_s).max(0.001);
        let medians: Vec<_> = chunk.iter().map(|s| s.p50_ms).filter(|ms| *ms > 0.0).collect();
        let worst = chunk.iter().map(|s| s.p99_ms).fold(0.0, f64::max);
        stretches.push(Stretch {
            from_s: before.t_s,
            to_s: last.t_s,
            images_per_s: f64::from(last.ended.saturating_sub(before.ended)) / lasted,
            in_flight: chunk.iter().map(|s| s.in_flight).max().unwrap_or(0),
            limit: chunk.iter().map(|s| s.limit).max().unwrap_or(0),
            rate: last.rate,
            latency_ms: (!medians.is_empty())
                .then(|| (medians.iter().sum::<f64>() / medians.len() as f64, worst)),
            retries: last.retries.saturating_sub(before.retries),
            limited: last.limited.saturating_sub(before.limited),
        });
        before = *last;
    }
    stretches
}

pub(super) fn section(samples: &[Sample]) -> Markup {
    html! {
        section #pace {
            h2 { "Pace" }
            @if samples.is_empty() {
                p { "The run took less than a second: there is nothing to draw." }
            } @else {
                (charts(&stretches(samples, STEPS)))
                details {
                    summary { "The run over time as a table" }
                    (numbers(&stretches(samples, ROWS)))
                }
            }
        }
    }
}

fn charts(steps: &[Stretch]) -> Markup {
    let end = steps.last().map_or(1.0, |step| step.to_s).max(0.001);
    let draw = Drawing { steps, end };
    let refused = steps.iter().any(|step| step.limited > 0);
    html! {
        @if refused {
            p.lead {
                span.swatch.refused-time aria-hidden="true" {}
                "Shaded: times at which the service refused requests because there were too many "
                "(HTTP 429)."
            }
        }
        div.multiples {
            (draw.throughput())
            (draw.in_flight())
            (draw.latency())
            (draw.retries())
        }
    }
}

struct Drawing<'a> {
    steps: &'a [Stretch],
    /// Seconds from the left to the right.
    end: f64,
}

impl Drawing<'_> {
    /// A value of each stretch from its beginning to its end.
    fn points(&self, value: impl Fn(&Stretch) -> Option<f64>) -> Vec<(f64, Option<f64>)> {
        let x = |at: f64| at / self.end * WIDTH;
        let both = |step: &Stretch| [(x(step.from_s), value(step)), (x(step.to_s), value(step))];
        self.steps.iter().flat_map(both).collect()
    }

    fn area(&self, vertical: &Axis, value: impl Fn(&Stretch) -> f64) -> String {
        let points = self.points(|step| Some(vertical.y(value(step))));
        area(&points.into_iter().filter_map(|(x, y)| Some((x, y?))).collect::<Vec<_>>())
    }

    fn line(&self, vertical: &Axis, value: impl Fn(&Stretch) -> Option<f64>) -> String {
        line(self.points(|step| value(step).map(|value| vertical.y(value))))
    }

    fn max(&self, value: impl Fn(&Stretch) -> f64) -> f64 {
        self.steps.iter().map(value).fold(0.0, f64::max)
    }

    fn panel(
        &self,
        id: &str,
        title: &str,
        legend: &[(&str, &str)],
        (vertical, description): (&Axis, String),
        marks: &Markup,
    ) -> Markup {
        let horizontal: Vec<_> = axis::linear(self.end, 5)
            .into_iter()
            .filter(|at| *at <= self.end * 1.001)
            .map(|at| (at / self.end, format!("{} s", axis::short(at))))
            .collect();
        panel(&Panel {
            id,
            title,
            legend: html! {
                span.legend {
                    @for (class, meaning) in legend {
                        span.entry { span class=(format!("swatch {class}")) aria-hidden="true" {} (meaning) }
                        " "
                    }
                }
            },
            description: format!("Over {}. {description}", seconds(self.end)),
            vertical,
            horizontal: &horizontal,
            marks: html! { (self.refusals()) (marks) },
        })
    }

    /// Shades the time of refusals; neighbours are one.
    fn refusals(&self) -> Markup {
        let mut shades: Vec<(f64, f64)> = Vec::new();
        for step in self.steps.iter().filter(|step| step.limited > 0) {
            match shades.last_mut() {
                Some((_, to)) if *to >= step.from_s => *to = step.to_s,
                _ => shades.push((step.from_s, step.to_s)),
            }
        }
        let x = |at: f64| at / self.end * WIDTH;
        html! {
            @for (from, to) in shades {
                rect.refused-time x=(format!("{:.1}", x(from))) y="0" height=(HEIGHT)
                    width=(format!("{:.1}", x(to) - x(from))) {}
            }
        }
    }

    fn throughput(&self) -> Markup {
        let max = self.max(|step| step.images_per_s);
        let vertical = Axis::linear(max);
        let description = format!("At most {} images a second.", rounded(max));
        let marks = html! {
            path.area.faint d=(self.area(&vertical, |step| step.images_per_s)) {}
            path.area.edge d=(self.line(&vertical, |step| Some(step.images_per_s))) {}
        };
        self.panel("images-per-s", "Images a second", &[], (&vertical, description), &marks)
    }

    fn in_flight(&self) -> Markup {
        let (most, limit) =
            (self.max(|step| step.in_flight.into()), self.max(|step| step.limit.into()));
        // A limit that is never used would flatten what is.
        let vertical = Axis::linear(limit.min(most * 4.0).max(most));
        let description = format!(
            "At most {} in flight; the limit was at most {}.",
            rounded(most),
            rounded(limit)
        );
        let marks = html! {
            path.area.faint d=(self.area(&vertical, |step| step.in_flight.into())) {}
            path.area.edge d=(self.line(&vertical, |step| Some(step.in_flight.into()))) {}
            path.limit d=(self.line(&vertical, |step| Some(step.limit.into()))) {}
        };
        let legend = [("area", "in flight"), ("limit", "limit")];
        self.panel("in-flight", "Requests in flight", &legend, (&vertical, description), &marks)
    }

    fn latency(&self) -> Markup {
        let measured = self.steps.iter().filter_map(|step| step.latency_ms);
        let (min, max) = measured
            .fold((f64::INFINITY, 0.0_f64), |(min, max), (p50, p99)| (min.min(p50), max.max(p99)));
        let min = if min.is_finite() { min } else { 1.0 };
        let vertical = Axis::decades(min, max.max(min));
        let description =
            format!("The medians are at least {} ms, 99 % at most {} ms.", short(min), short(max));
        let p50 = self.line(&vertical, |step| step.latency_ms.map(|(p50, _)| p50));
        let p99 = self.line(&vertical, |step| step.latency_ms.map(|(_, p99)| p99));
        let marks = html! { path.p99 d=(p99) {} path.p50 d=(p50) {} };
        let legend = [("p50", "median"), ("p99", "99 %")];
        self.panel("latency", "Milliseconds an upload", &legend, (&vertical, description), &marks)
    }

    fn retries(&self) -> Markup {
        let retries: u64 = self.steps.iter().map(|step| step.retries).sum();
        let limited: u64 = self.steps.iter().map(|step| step.limited).sum();
        let max = self.max(|step| step.a_second(step.retries).max(step.a_second(step.limited)));
        let vertical = Axis::linear(max);
        let description =
            format!("{} retries, {} refusals.", thousands(retries), thousands(limited));
        let marks = html! {
            @if max > 0.0 {
                path.retries d=(self.area(&vertical, |step| step.a_second(step.retries))) {}
                path.refused d=(self.line(&vertical, |step| {
                    (step.limited > 0).then(|| step.a_second(step.limited))
                })) {}
            }
        };
        let legend = [("retries", "retries"), ("refused", "refused (429)")];
        let legend = if max > 0.0 { &legend[..] } else { &[("none", "there were none")] };
        self.panel("retries", "Retries a second", legend, (&vertical, description), &marks)
    }
}

fn numbers(steps: &[Stretch]) -> Markup {
    let head = [
        "Until",
        "Images/s",
        "In flight",
        "Limit",
        "Rate",
        "Median ms",
        "99 % ms",
        "Retries",
        "Refused",
    ];
    table(
        "The run over time",
        &head,
        &html! {
            @for step in steps {
                tr {
                    th scope="row" { (seconds(step.to_s)) }
                    td { (rounded(step.images_per_s)) }
                    td { (step.in_flight) }
                    td { (step.limit) }
                    td { @if let Some(rate) = step.rate { (rounded(rate)) } @else { "–" } }
                    @if let Some((p50, p99)) = step.latency_ms {
                        td { (short(p50)) }
                        td { (short(p99)) }
                    } @else {
                        td { "–" }
                        td { "–" }
                    }
                    td { (thousands(step.retries)) }
                    td { (thousands(step.limited)) }
                }
            }
        },
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn stretches_lose_neither_images_nor_retries() {
        let samples: Vec<_> = (1..=1000_u32)
            .map(|second| Sample {
                t_s: second.into(),
                ended: second * 10,
                in_flight: second % 7,
                p50_ms: if second > 900 { 0.0 } else { 5.0 },
                p99_ms: 50.0,
                retries: u64::from(second) * 3,
                limited: u64::from(second / 2),
                ..Sample::default()
            })
            .collect();
        let steps = stretches(&samples, 60);
        assert!(steps.len() <= 60);
        assert_eq!(steps.iter().map(|step| step.retries).sum::<u64>(), 3000);
        assert_eq!(steps.iter().map(|step| step.limited).sum::<u64>(), 500);
        assert!(steps.windows(2).all(|pair| (pair[0].to_s - pair[1].from_s).abs() < 1e-9));
        assert!(steps.iter().all(|step| (step.images_per_s - 10.0).abs() < 1e-9));
        assert_eq!((steps[0].from_s, steps[0].in_flight), (0.0, 6));
        assert_eq!(steps[0].latency_ms, Some((5.0, 50.0)));
        assert_eq!(steps.last().unwrap().latency_ms, None, "nothing was measured there");
        assert_eq!(stretches(&samples, 5000).len(), 1000);
    }
}
