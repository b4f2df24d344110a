//! How often each class occurs in each partition.

use std::collections::BTreeMap;
use std::fmt;
use std::sync::Arc;

use crate::classes::Classes;
use crate::model::Item;
use crate::model::Partition;
use crate::text::{shown, thousands};

/// With more classes than this the table would leave the screen.
const MOST_ROWS: usize = 30;

/// Images by class and partition.
#[derive(Debug, Clone)]
pub struct Frequencies {
    /// The classes.
    pub classes: Arc<Classes>,
    /// Images by label, a number a partition in the order of [`Partition::ALL`]. Every named class is
    /// here, one without images too; images without labels are under `None`.
    pub by_label: BTreeMap<Option<u32>, [u32; 3]>,
}

impl Frequencies {
    /// Counts images.
    pub fn count(classes: &Arc<Classes>, items: impl Iterator<Item = Item>) -> Self {
        let named = classes.numbers().map(|number| (Some(number), [0; 3]));
        let mut by_label: BTreeMap<_, _> = named.collect();
        for item in items {
            let counts: &mut [u32; 3] = by_label.entry(item.label).or_default();
            counts[item.partition as usize] += 1;
        }
        // Named classes say nothing of images without labels.
        if by_label.contains_key(&None) {
            by_label.retain(|label, _| label.is_none());
        }
        Self { classes: Arc::clone(classes), by_label }
    }

    /// Images of all classes, in the order of [`Partition::ALL`].
    pub fn totals(&self) -> [u32; 3] {
        let mut totals = [0; 3];
        for counts in self.by_label.values() {
            totals.iter_mut().zip(counts).for_each(|(total, n)| *total += n);
        }
        totals
    }

    /// All images.
    pub fn images(&self) -> u64 {
        self.totals().into_iter().map(u64::from).sum()
    }

    /// The classes with their numbers of images; nothing for images without labels.
    pub fn labelled(&self) -> impl Iterator<Item = (u32, [u32; 3])> {
        self.by_label.iter().filter_map(|(label, counts)| label.map(|label| (label, *counts)))
    }
}

/// A table with a line a class and one for all; of many classes only the line for all.
impl fmt::Display for Frequencies {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let [train, validation, test] = Partition::ALL;
        write!(f, "  {:<20} {train:>10} {validation:>10} {test:>10}", "class")?;
        let mut row = |class: &str, counts: [u32; 3]| {
            let [train, validation, test] = counts.map(|n| thousands(n.into()));
            write!(f, "\n  {class:<20} {train:>10} {validation:>10} {test:>10}")
        };
        let classes = self.labelled().count();
        if classes > MOST_ROWS {
            return row(&format!("all {classes} classes"), self.totals());
        }
        for (label, counts) in self.labelled() {
            let name = shown(self.classes.name(label).unwrap_or_default());
            row(format!("{label} {name}").trim_end(), counts)?;
        }
        row("all", self.totals())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::ImageFormat;
    use Partition::{Test, Train};

    fn count(names: &[&str], images: &[(Option<u32>, Partition)]) -> Frequencies {
        let names = names.iter().map(|&name| name.to_owned()).collect();
        let classes = Arc::new(Classes::new(names, 0).unwrap());
        let items = (0..).zip(images);
        let format = ImageFormat::Jpeg;
        let item = |(index, &(label, partition))| Item { index, label, partition, format, hash: 0 };
        Frequencies::count(&classes, items.map(item))
    }

    #[test]
    fn every_named_class_has_a_line() {
        let images = [(Some(0), Train), (Some(0), Train), (Some(1), Test), (Some(0), Test)];
        let frequencies = count(&["Coat", "Bag", "Hat"], &images);
        assert_eq!(frequencies.totals(), [2, 0, 2]);
        assert_eq!(
            frequencies.to_string(),
            "  class                     train validation       test\n\
             \x20 0 Coat                        2          0          1\n\
             \x20 1 Bag                         0          0          1\n\
             \x20 2 Hat                         0          0          0\n\
             \x20 all                           2          0          2"
        );
    }

    #[test]
    fn images_without_labels_have_no_classes() {
        let frequencies = count(&["Coat"], &[(None, Train), (None, Test)]);
        assert_eq!(frequencies.labelled().count(), 0);
        assert_eq!(frequencies.totals(), [1, 0, 1]);
        assert_eq!(frequencies.to_string().lines().count(), 2);
    }

    #[test]
    fn many_classes_are_summed_up() {
        let images: Vec<_> = (0..62).map(|label| (Some(label), Train)).collect();
        assert!(count(&[], &images).to_string().contains("all 62 classes               62"));
    }
}
