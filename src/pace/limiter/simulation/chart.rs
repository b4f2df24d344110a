//! The chart in docs/limiter.md, drawn from a simulated run.

use std::fmt::Write as _;

use super::*;

const WIDTH: f64 = 860.0;
const HEIGHT: f64 = 320.0;
const MARGIN: f64 = 48.0;
const MOST: f64 = 4000.0;
const SECONDS: usize = 45;

fn x(second: f64) -> f64 {
    MARGIN + second / SECONDS as f64 * (WIDTH - 2.0 * MARGIN)
}

fn y(per_second: f64) -> f64 {
    HEIGHT - MARGIN - per_second.min(MOST) / MOST * (HEIGHT - 2.0 * MARGIN)
}

fn line(points: impl Iterator<Item = (f64, f64)>, style: &str) -> String {
    let points: Vec<_> = points.map(|(s, n)| format!("{:.1},{:.1}", x(s), y(n))).collect();
    format!("<polyline fill=\"none\" {style} points=\"{}\"/>\n", points.join(" "))
}

fn text(at: (f64, f64), anchor: &str, text: &str) -> String {
    let (x, y) = at;
    format!("<text x=\"{x:.1}\" y=\"{y:.1}\" text-anchor=\"{anchor}\">{text}</text>\n")
}

fn draw() -> String {
    let run = Service { rate: changing, seed: 1, ..PLAIN }.run(1024, 80_000);
    let seconds = || 0..SECONDS.min(run.accepted.len() - 1);
    let mut svg = format!(
        "<svg xmlns=\"http://www.w3.org/2000/svg\" viewBox=\"0 0 {WIDTH} {HEIGHT}\" \
         font-family=\"sans-serif\" font-size=\"12\" fill=\"#777\">\n\
         <title>What a service allows, and what the limiter makes of it</title>\n"
    );
    for thousand in 0..=4 {
        let n = f64::from(thousand) * 1000.0;
        svg += &line([(0.0, n), (SECONDS as f64, n)].into_iter(), "stroke=\"#8884\"");
        svg += &text((MARGIN - 6.0, y(n) + 4.0), "end", &format!("{n}"));
    }
    for second in (0..=SECONDS).step_by(5) {
        let at = (x(second as f64), HEIGHT - MARGIN + 18.0);
        svg += &text(at, "middle", &format!("{second} s"));
    }
    let allowed = seconds().flat_map(|s| {
        let rate = changing(s as f64);
        [(s as f64, rate), (s as f64 + 1.0, rate)]
    });
    svg += &line(allowed, "stroke=\"#999\" stroke-width=\"2\" stroke-dasharray=\"6 4\"");
    let rates = seconds().filter_map(|s| run.rates[s].map(|rate| (s as f64, rate)));
    svg += &line(rates, "stroke=\"#d97706\" stroke-width=\"1.5\"");
    let accepted = seconds().map(|s| (s as f64 + 0.5, run.per_second(s)));
    svg += &line(accepted, "stroke=\"#0891b2\" stroke-width=\"2.5\"");
    for (i, (colour, name)) in [
        ("#999", "allowed by the service"),
        ("#d97706", "begun at the most, as learned"),
        ("#0891b2", "accepted"),
    ]
    .into_iter()
    .enumerate()
    {
        let left = MARGIN + 12.0 + 200.0 * i as f64;
        let _ = writeln!(
            svg,
            "<rect x=\"{left}\" y=\"16\" width=\"18\" height=\"4\" fill=\"{colour}\"/>"
        );
        svg += &text((left + 24.0, 22.0), "start", name);
    }
    svg + "</svg>\n"
}

/// The chart shows what the limiter does now. `IDX2GCS_BLESS=1` draws it anew.
#[test]
fn the_chart_is_of_this_limiter() {
    let path = concat!(env!("CARGO_MANIFEST_DIR"), "/docs/limiter.svg");
    let drawn = draw();
    if std::env::var_os("IDX2GCS_BLESS").is_some() {
        std::fs::write(path, &drawn).unwrap();
    }
    assert!(std::fs::read_to_string(path).unwrap() == drawn, "docs/limiter.svg is of another one");
}
