//! How values are distributed, in memory that does not grow with their number.

/// A histogram of whole numbers: exact up to twice its precision, above that in buckets whose width is
/// a part of their value. Memory: `4 × precision` bytes for each doubling of the largest value.
#[derive(Debug, Clone, Default)]
pub(crate) struct Histogram {
    /// A bucket's width is its value divided by 2 to this power.
    bits: u32,
    counts: Vec<u32>,
    count: u64,
    sum: u64,
    /// The smallest and the largest value, exactly.
    range: Option<(u64, u64)>,
}

impl Histogram {
    /// For values that are told to one part in 2 to the power of `bits`.
    pub(crate) fn new(bits: u32) -> Self {
        Self { bits, ..Self::default() }
    }

    /// Notes a value.
    pub(crate) fn record(&mut self, value: u64) {
        let bucket = self.bucket(value);
        if self.counts.len() <= bucket {
            self.counts.resize(bucket + 1, 0);
        }
        if let Some(count) = self.counts.get_mut(bucket) {
            *count = count.saturating_add(1);
        }
        self.count += 1;
        self.sum = self.sum.saturating_add(value);
        let (min, max) = self.range.unwrap_or((value, value));
        self.range = Some((min.min(value), max.max(value)));
    }

    /// Adds the values of another of the same precision.
    #[cfg(any(feature = "cli", test))]
    pub(crate) fn add(&mut self, other: &Self) {
        if self.counts.len() < other.counts.len() {
            self.counts.resize(other.counts.len(), 0);
        }
        for (count, more) in self.counts.iter_mut().zip(&other.counts) {
            *count = count.saturating_add(*more);
        }
        self.count += other.count;
        self.sum = self.sum.saturating_add(other.sum);
        if let Some((min, max)) = other.range {
            let (low, high) = self.range.unwrap_or((min, max));
            self.range = Some((low.min(min), high.max(max)));
        }
    }

    /// Forgets all values.
    pub(crate) fn clear(&mut self) {
        self.counts.fill(0);
        (self.count, self.sum, self.range) = (0, 0, None);
    }

    /// How many values there are.
    #[cfg(any(feature = "cli", test))]
    pub(crate) fn count(&self) -> u64 {
        self.count
    }

    /// The mean, of no values 0.
    pub(crate) fn mean(&self) -> f64 {
        self.sum as f64 / self.count.max(1) as f64
    }

    /// The smallest and the largest value, if there is any.
    pub(crate) fn range(&self) -> Option<(u64, u64)> {
        self.range
    }

    /// The value that a share (0 to 1) of all values do not exceed; of no values 0.
    pub(crate) fn quantile(&self, share: f64) -> u64 {
        #[allow(clippy::cast_possible_truncation, clippy::cast_sign_loss)]
        let wanted = (share * self.count as f64).ceil().max(1.0) as u64;
        let mut seen = 0;
        let reached = |count: &u32| {
            seen += u64::from(*count);
            seen >= wanted
        };
        let bucket = self.counts.iter().position(reached);
        let (min, max) = self.range.unwrap_or_default();
        bucket.map_or(max, |bucket| self.highest(bucket)).clamp(min, max)
    }

    fn bucket(&self, value: u64) -> usize {
        let shift = value.checked_ilog2().unwrap_or(0).saturating_sub(self.bits);
        usize::try_from((u64::from(shift) << self.bits) + (value >> shift)).unwrap_or(usize::MAX)
    }

    /// The largest value of a bucket.
    fn highest(&self, bucket: usize) -> u64 {
        let bucket = bucket as u64;
        let shift = (bucket >> self.bits).saturating_sub(1);
        let above = u128::from(bucket - (shift << self.bits) + 1) << shift;
        u64::try_from(above - 1).unwrap_or(u64::MAX)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn of(values: impl IntoIterator<Item = u64>) -> Histogram {
        let mut histogram = Histogram::new(7);
        values.into_iter().for_each(|value| histogram.record(value));
        histogram
    }

    #[test]
    fn small_values_are_exact() {
        let histogram = of(1..=200);
        assert_eq!(histogram.quantile(0.5), 100);
        assert_eq!(histogram.quantile(0.99), 198);
        assert_eq!((histogram.count(), histogram.range()), (200, Some((1, 200))));
        assert!((histogram.mean() - 100.5).abs() < 1e-9);
        assert_eq!(of([]).quantile(0.5), 0);
    }

    #[test]
    fn cleared_it_is_as_new() {
        let mut histogram = of([7, 70_000]);
        histogram.clear();
        histogram.record(9);
        assert_eq!((histogram.count(), histogram.quantile(1.0)), (1, 9));
    }

    proptest! {
        #[test]
        fn quantiles_are_one_per_cent_exact(
            mut values in prop::collection::vec(any::<u64>().prop_map(|n| n >> (n % 64)), 1..300),
            share in 0.0..=1.0_f64,
        ) {
            let found = of(values.iter().copied()).quantile(share);
            values.sort_unstable();
            let wanted = (share * values.len() as f64).ceil().max(1.0);
            #[allow(clippy::cast_possible_truncation, clippy::cast_sign_loss)]
            let exact = values[wanted as usize - 1];
            prop_assert!(found >= exact);
            prop_assert!(found - exact <= exact / 100, "{found} for {exact}");
        }

        #[test]
        fn two_added_are_one_of_all(a in prop::collection::vec(any::<u32>(), 0..50), b in prop::collection::vec(any::<u32>(), 0..50)) {
            let mut sum = of(a.iter().copied().map(u64::from));
            sum.add(&of(b.iter().copied().map(u64::from)));
            let all = of(a.into_iter().chain(b).map(u64::from));
            prop_assert_eq!(sum.count(), all.count());
            prop_assert_eq!(sum.range(), all.range());
            for share in [0.1, 0.5, 0.99] {
                prop_assert_eq!(sum.quantile(share), all.quantile(share));
            }
        }
    }
}
