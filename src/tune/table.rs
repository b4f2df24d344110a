//! A ladder for a person: a table with bars.

use std::fmt;
use std::time::Duration;

use super::{Ladder, Step};
use crate::text::{rounded, short, thousands};

/// Width of the longest bar.
const WIDTH: usize = 24;

fn ms(duration: Duration) -> String {
    format!("{} ms", short(duration.as_secs_f64() * 1000.0))
}

/// A bar of whole and eighth blocks.
fn bar(share: f64) -> String {
    const EIGHTHS: [&str; 8] = ["", "▏", "▎", "▍", "▌", "▋", "▊", "▉"];
    #[allow(clippy::cast_possible_truncation, clippy::cast_sign_loss)]
    let eighths = (share.clamp(0.0, 1.0) * (WIDTH * 8) as f64).round() as usize;
    "█".repeat(eighths / 8) + EIGHTHS[eighths % 8]
}

impl fmt::Display for Ladder {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "in flight   images/s         p50         99 %   errors")?;
        let best = self.steps.iter().map(Step::per_second).fold(1.0, f64::max);
        for step in &self.steps {
            write!(
                f,
                "\n{:>9}  {:>9}  {:>10}  {:>11}  {:>7}  {}",
                thousands(step.concurrency.into()),
                rounded(step.per_second()),
                ms(step.p50),
                ms(step.p99),
                thousands(step.errors.into()),
                bar(step.per_second() / best),
            )?;
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_ladder_reads_as_a_table() {
        let step = |concurrency, written| Step {
            concurrency,
            written,
            errors: 3,
            limited: 0,
            lasted: Duration::from_secs(1),
            p50: Duration::from_micros(800),
            p99: Duration::from_millis(1204),
        };
        let ladder = Ladder { steps: vec![step(8, 1500), step(1024, 12_000)], left: None };
        let text = ladder.to_string();
        let lines: Vec<_> = text.lines().collect();
        assert_eq!(lines[1], "        8      1,500      0.8 ms     1,204 ms        3  ███");
        assert!(lines[2].ends_with(&"█".repeat(WIDTH)));
    }
}
