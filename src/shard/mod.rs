//! Slices of a load that a scheduler starts as tasks of their own: which slice a task has, the records
//! of what is done, and the proof that they cover everything (all pure).
//!
//! The number of tasks is a matter of speed, never of correctness. A record says which *range* of
//! images it is about; any set of records whose ranges cover all images completes the load, whatever
//! numbers of tasks made them.

mod coverage;
mod engine;
mod error;
mod record;

use std::fmt;
use std::num::NonZeroU32;
use std::ops::Range;
use std::str::FromStr;

pub(crate) use self::coverage::missing;
pub use self::error::ShardError;
pub(crate) use self::record::{Ended, Entry, Record, VERSION, folder, is_record};

/// One of `count` slices of a load.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Shard {
    index: u32,
    count: NonZeroU32,
}

impl Shard {
    /// Slice `index`, from 0, of `count`.
    ///
    /// # Errors
    /// No slices, or an index behind the last.
    pub fn new(index: u32, count: u32) -> Result<Self, ShardError> {
        let count = NonZeroU32::new(count).ok_or(ShardError::NoSlices)?;
        if index >= count.get() {
            return Err(ShardError::Beyond { index, count: count.get() });
        }
        Ok(Self { index, count })
    }

    /// Which slice, from 0.
    pub fn index(self) -> u32 {
        self.index
    }

    /// Of how many.
    pub fn count(self) -> u32 {
        self.count.get()
    }

    /// The images of the slice among `images` images, by position: from ⌊images · index / count⌋ up to
    /// ⌊images · (index + 1) / count⌋. Slices differ by one image at most; with fewer images than
    /// slices some are empty.
    #[allow(clippy::cast_possible_truncation)] // no more than `images`
    pub fn range(self, images: u32) -> Range<u32> {
        let bound = |index: u64| (u64::from(images) * index / u64::from(self.count.get())) as u32;
        let index = u64::from(self.index);
        bound(index)..bound(index + 1)
    }

    /// The name of a folder for what belongs to this slice alone, such as `shard-3-of-8`.
    pub fn folder(self) -> String {
        format!("shard-{}-of-{}", self.index, self.count)
    }
}

impl fmt::Display for Shard {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}/{}", self.index, self.count)
    }
}

/// How a slice is asked for: `i/n`, `auto/n` or `auto`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ShardSpec {
    /// This one.
    Exactly(Shard),
    /// The one that the engine's variables say; the number of slices is given where the engine does
    /// not say it.
    Auto(Option<NonZeroU32>),
}

impl fmt::Display for ShardSpec {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Exactly(shard) => shard.fmt(f),
            Self::Auto(None) => f.write_str("auto"),
            Self::Auto(Some(count)) => write!(f, "auto/{count}"),
        }
    }
}

impl FromStr for ShardSpec {
    type Err = ShardError;

    fn from_str(text: &str) -> Result<Self, ShardError> {
        let unknown = || ShardError::Unknown(text.to_owned());
        let (index, count) = match text.split_once('/') {
            None if text == "auto" => return Ok(Self::Auto(None)),
            None => return Err(unknown()),
            Some((index, count)) => (index, number(count).ok_or_else(unknown)?),
        };
        if index == "auto" {
            return Ok(Self::Auto(Some(NonZeroU32::new(count).ok_or(ShardError::NoSlices)?)));
        }
        Shard::new(number(index).ok_or_else(unknown)?, count).map(Self::Exactly)
    }
}

/// A number of nothing but digits.
fn number(text: &str) -> Option<u32> {
    text.bytes().all(|byte| byte.is_ascii_digit()).then(|| text.parse().ok()).flatten()
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    proptest! {
        #[test]
        fn slices_are_apart_cover_everything_and_differ_by_one(images in 0u32.., count in 1u32..2000) {
            let slices: Vec<_> =
                (0..count).map(|index| Shard::new(index, count).unwrap().range(images)).collect();
            prop_assert_eq!(slices[0].start, 0);
            prop_assert_eq!(slices[slices.len() - 1].end, images);
            prop_assert!(slices.windows(2).all(|two| two[0].end == two[1].start));
            let sizes = slices.iter().map(|slice| slice.end - slice.start);
            let (least, most) = (sizes.clone().min().unwrap(), sizes.max().unwrap());
            prop_assert!(most - least <= 1, "{least} and {most}");
        }
    }

    #[test]
    fn bounds_are_rounded_down() {
        let slices = [0, 1, 2].map(|index| Shard::new(index, 3).unwrap().range(10));
        assert_eq!(slices, [0..3, 3..6, 6..10]);
        assert_eq!(Shard::new(2, 4).unwrap().range(2), 1..1);
        assert_eq!(Shard::new(3, 4).unwrap().range(u32::MAX), 3_221_225_471..u32::MAX);
    }

    #[test]
    fn reads_what_it_writes() {
        for text in ["0/1", "3/8", "auto", "auto/8"] {
            assert_eq!(text.parse::<ShardSpec>().unwrap().to_string(), text);
        }
        assert_eq!(Shard::new(3, 8).unwrap().folder(), "shard-3-of-8");
    }

    #[test]
    fn refuses_what_is_no_slice() {
        let error = |text: &str| text.parse::<ShardSpec>().unwrap_err();
        assert_eq!(error("8/8"), ShardError::Beyond { index: 8, count: 8 });
        assert_eq!([error("0/0"), error("auto/0")], [ShardError::NoSlices, ShardError::NoSlices]);
        for text in ["", "3", "a/8", "1/", "/8", "-1/8", "+1/8", "1/8/9", "Auto", "auto/", "1 /8"] {
            assert_eq!(error(text), ShardError::Unknown(text.to_owned()));
        }
    }
}
