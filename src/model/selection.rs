//! Which images of a data set a run is about.

use std::fmt;
use std::sync::Arc;

use serde::Serialize;

use crate::text::thousands;

/// Which of a data set's images a run is about, in a few words.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
pub struct Selected {
    /// By what they were selected.
    pub how: How,
    /// Their number.
    pub images: u32,
    /// Images of the whole data set.
    pub of: u32,
    /// Seed of a sample.
    pub seed: Option<u32>,
}

/// How a part of a data set's images is selected.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum How {
    /// The first of them in source order.
    First,
    /// By chance, each partition and class its share.
    Sample,
}

impl fmt::Display for Selected {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let how = match self.how {
            How::First => "the first",
            How::Sample => "a sample of",
        };
        write!(f, "{how} {} of {} images", thousands(self.images.into()), thousands(self.of.into()))
    }
}

/// The images of a run in words: their number, and of how many they are a part.
pub(crate) fn images(count: u32, selected: Option<Selected>) -> String {
    selected.map_or_else(|| format!("{} images", thousands(count.into())), |part| part.to_string())
}

/// The images of a run, by index. A clone shares them.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Selection {
    /// The first so many: nothing is kept of each.
    First(u32),
    /// Those of these indices, in ascending order, none twice: four bytes an image.
    Chosen(Arc<[u32]>),
}

impl Selection {
    /// The images of these indices, in any order.
    pub fn of(mut indices: Vec<u32>) -> Self {
        indices.sort_unstable();
        indices.dedup();
        Self::Chosen(indices.into())
    }

    /// How many images there are.
    #[allow(clippy::cast_possible_truncation)] // indices are different numbers of 32 bits
    pub fn count(&self) -> u32 {
        match self {
            Self::First(count) => *count,
            Self::Chosen(indices) => indices.len() as u32,
        }
    }

    /// The index of the image at a position below [`Self::count`].
    pub fn index(&self, position: u32) -> u32 {
        match self {
            Self::First(_) => position,
            Self::Chosen(indices) => indices[position as usize],
        }
    }

    /// The indices in ascending order.
    pub fn indices(&self) -> impl Iterator<Item = u32> {
        (0..self.count()).map(|position| self.index(position))
    }

    /// The position of an image among those of the run, from 0; `None` for an image of no concern to
    /// it. What is kept of each image of a run is kept by position.
    pub fn position(&self, index: u32) -> Option<usize> {
        match self {
            Self::First(count) => (index < *count).then_some(index as usize),
            Self::Chosen(indices) => indices.binary_search(&index).ok(),
        }
    }

    /// The index after the last.
    pub fn end(&self) -> u32 {
        match self {
            Self::First(count) => *count,
            Self::Chosen(indices) => indices.last().map_or(0, |last| last + 1),
        }
    }

    /// Keeps of a list by index what is of the selection, which makes it a list by position.
    pub fn keep<T: Copy>(&self, by_index: &mut Vec<T>) {
        match self {
            Self::First(count) => by_index.truncate(*count as usize),
            Self::Chosen(_) => {
                let kept = self.indices().filter_map(|index| by_index.get(index as usize).copied());
                *by_index = kept.collect();
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn positions_count_the_images_of_the_selection() {
        let chosen = Selection::of(vec![9, 2, 5, 2]);
        assert!(chosen.indices().eq([2, 5, 9]));
        assert_eq!((chosen.count(), chosen.end()), (3, 10));
        assert_eq!([2, 3, 9].map(|index| chosen.position(index)), [Some(0), None, Some(2)]);
        let first = Selection::First(3);
        assert!(first.indices().eq(0..3));
        assert_eq!((first.count(), first.end()), (3, 3));
        assert_eq!([0, 2, 3].map(|index| first.position(index)), [Some(0), Some(2), None]);
        assert_eq!(Selection::of(Vec::new()).end(), 0);
    }

    #[test]
    fn a_list_by_index_becomes_one_by_position() {
        let kept = |selection: &Selection| {
            let mut list: Vec<u32> = (0..8).map(|index| index * 10).collect();
            selection.keep(&mut list);
            list
        };
        assert_eq!(kept(&Selection::of(vec![7, 1])), [10, 70]);
        assert_eq!(kept(&Selection::First(2)), [0, 10]);
    }
}
