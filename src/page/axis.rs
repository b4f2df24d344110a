//! Ticks of an axis, and numbers as short as it needs them.

/// Values at which an axis from 0 is marked, evenly spaced at 1, 2 or 5 times a power of ten; the
/// last is the axis' end, at least `max`. At most `most` intervals, at least one.
pub(super) fn linear(max: f64, most: u32) -> Vec<f64> {
    let max = if max.is_finite() && max > 0.0 { max } else { 1.0 };
    let power = 10_f64.powf((max / f64::from(most)).log10().floor());
    let step = [1.0, 2.0, 5.0, 10.0]
        .map(|factor| factor * power)
        .into_iter()
        .find(|step| (max / step).ceil() <= f64::from(most))
        .unwrap_or(10.0 * power);
    (0..=most)
        .map(|n| f64::from(n) * step)
        .scan(false, |reached, tick| (!std::mem::replace(reached, tick >= max)).then_some(tick))
        .collect()
}

/// Powers of ten from the one below `min` to the one above `max`, for an axis of ratios.
pub(super) fn decades(min: f64, max: f64) -> Vec<f64> {
    let exponent = |value: f64| value.max(0.001).log10();
    let from = exponent(min).floor();
    let to = exponent(max.min(1e12)).ceil().max(from + 1.0);
    std::iter::successors(Some(from), |power| (*power < to).then_some(power + 1.0))
        .map(|power| 10_f64.powf(power))
        .collect()
}

/// `0.5`, `400`, `2k`, `1.5M`.
pub(super) fn short(value: f64) -> String {
    let (value, unit) = match value.abs() {
        at if at >= 999_950.0 => (value / 1e6, "M"),
        at if at >= 1_000.0 => (value / 1e3, "k"),
        _ => (value, ""),
    };
    // Two digits after the point, less the zeros at the end.
    let text = format!("{value:.2}");
    format!("{}{unit}", text.trim_end_matches('0').trim_end_matches('.'))
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn ticks_are_round() {
        assert_eq!(linear(6000.0, 4), [0.0, 2000.0, 4000.0, 6000.0]);
        assert_eq!(linear(13.0, 4), [0.0, 5.0, 10.0, 15.0]);
        assert_eq!(linear(0.0, 4), linear(1.0, 4));
        assert_eq!(decades(3.0, 740.0), [1.0, 10.0, 100.0, 1000.0]);
        assert_eq!(decades(50.0, 50.0), [10.0, 100.0]);
        let shown = [0.0, 0.5, 400.0, 1500.0, 999_999.0, 2e6].map(short);
        assert_eq!(shown, ["0", "0.5", "400", "1.5k", "1M", "2M"]);
    }

    proptest! {
        #[test]
        fn an_axis_holds_its_values(max in 1e-3..1e12_f64, most in 2_u32..8) {
            let ticks = linear(max, most);
            prop_assert!(ticks.len() >= 2 && ticks.len() <= most as usize + 1, "{ticks:?}");
            prop_assert!(ticks.last().unwrap() * (1.0 + 1e-9) >= max, "{ticks:?}");
        }

        #[test]
        fn an_axis_of_ratios_holds_its_values(min in 1e-3..1e6_f64, times in 1.0..1e5_f64) {
            let ticks = decades(min, min * times);
            prop_assert!(ticks.len() >= 2);
            prop_assert!(ticks[0] <= min * (1.0 + 1e-9));
            prop_assert!(ticks.last().unwrap() * (1.0 + 1e-9) >= min * times);
        }
    }
}
