//! A small chart as inline SVG: axes in pixels and per cent, so that text keeps its size at every
//! width, and curves in a box of [`WIDTH`] × [`HEIGHT`] units that is stretched to fit.

use std::fmt::Write;

use maud::{Markup, html};

use super::axis;

/// Units across a curve's box.
pub(super) const WIDTH: f64 = 1000.0;
/// Units from its top to its bottom.
pub(super) const HEIGHT: f64 = 100.0;
/// Pixels that the box is high, and below the chart's top.
const BOX: u32 = 108;
const TOP: u32 = 8;

/// The vertical axis.
#[derive(Debug, Clone)]
pub(super) struct Axis {
    ticks: Vec<f64>,
    ratios: bool,
}

impl Axis {
    /// From 0.
    pub(super) fn linear(max: f64) -> Self {
        Self { ticks: axis::linear(max, 4), ratios: false }
    }

    /// Each step ten times the one before.
    pub(super) fn decades(min: f64, max: f64) -> Self {
        Self { ticks: axis::decades(min, max), ratios: true }
    }

    /// Where a value lies, in units from the top.
    pub(super) fn y(&self, value: f64) -> f64 {
        let along = |value: f64| if self.ratios { value.max(1e-9).log10() } else { value };
        let first = along(self.ticks.first().copied().unwrap_or(0.0));
        let last = along(self.ticks.last().copied().unwrap_or(1.0));
        HEIGHT * (1.0 - ((along(value) - first) / (last - first)).clamp(0.0, 1.0))
    }
}

/// One chart with its caption.
pub(super) struct Panel<'a> {
    /// Unique on the page.
    pub(super) id: &'a str,
    pub(super) title: &'a str,
    /// What its colours mean.
    pub(super) legend: Markup,
    /// The chart in words.
    pub(super) description: String,
    pub(super) vertical: &'a Axis,
    /// Where along the horizontal axis, as a part of it, and what is written there.
    pub(super) horizontal: &'a [(f64, String)],
    /// Shapes in units.
    pub(super) marks: Markup,
}

pub(super) fn panel(panel: &Panel<'_>) -> Markup {
    let (title, desc) = (format!("{}-title", panel.id), format!("{}-desc", panel.id));
    let top = |units: f64| f64::from(TOP) + units / HEIGHT * f64::from(BOX);
    html! {
        figure.panel {
            figcaption { span.title { (panel.title) } " " (panel.legend) }
            // The plot alone has the element's width; what is written beside it overflows.
            svg.chart role="img" aria-labelledby=(format!("{title} {desc}")) height=(TOP + BOX + 22) {
                title id=(title) { (panel.title) }
                desc id=(desc) { (panel.description) }
                @for tick in &panel.vertical.ticks {
                    @let y = format!("{:.1}", top(panel.vertical.y(*tick)));
                    line.grid x1="0" x2="100%" y1=(y) y2=(y) {}
                    text.tick x="-8" y=(y) dy="4" text-anchor="end" { (axis::short(*tick)) }
                }
                @for (at, label) in panel.horizontal {
                    text.tick x=(percent(*at)) y=(TOP + BOX + 18) text-anchor="middle" { (label) }
                }
                svg width="100%" y=(TOP) height=(BOX) preserveAspectRatio="none"
                    viewBox=(format!("0 0 {WIDTH} {HEIGHT}"))
                { (panel.marks) }
            }
        }
    }
}

/// A part of a whole as SVG writes it.
pub(super) fn percent(part: f64) -> String {
    format!("{:.2}%", part * 100.0)
}

/// A line through points in units; where one is missing the line has a gap.
pub(super) fn line(points: impl IntoIterator<Item = (f64, Option<f64>)>) -> String {
    let (mut path, mut drawing) = (String::new(), false);
    for (x, y) in points {
        if let Some(y) = y {
            // Writing to a string cannot fail.
            let _ = write!(path, "{}{x:.1} {y:.1}", if drawing { "L" } else { "M" });
        }
        drawing = y.is_some();
    }
    path
}

/// What lies between a line and the chart's bottom.
pub(super) fn area(points: &[(f64, f64)]) -> String {
    let (Some((from, _)), Some((to, _))) = (points.first(), points.last()) else {
        return String::new();
    };
    let top = line(points.iter().map(|(x, y)| (*x, Some(*y))));
    format!("{top}L{to:.1} {HEIGHT}L{from:.1} {HEIGHT}Z")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lines_have_gaps_where_nothing_was_measured() {
        let points = [(0.0, Some(50.0)), (10.0, Some(0.0)), (20.0, None), (30.0, Some(1.0))];
        assert_eq!(line(points), "M0.0 50.0L10.0 0.0M30.0 1.0");
        assert_eq!(area(&[(0.0, 10.0), (5.0, 20.0)]), "M0.0 10.0L5.0 20.0L5.0 100L0.0 100Z");
        assert_eq!(area(&[]), "");
    }

    #[test]
    fn values_lie_between_top_and_bottom() {
        let shown = |axis: &Axis, value| format!("{:.0}", axis.y(value));
        let linear = Axis::linear(100.0);
        assert_eq!([0.0, 50.0, 100.0, 1e9].map(|v| shown(&linear, v)), ["100", "50", "0", "0"]);
        let ratios = Axis::decades(1.0, 100.0);
        assert_eq!([0.0, 1.0, 10.0, 100.0].map(|v| shown(&ratios, v)), ["100", "100", "50", "0"]);
    }
}
