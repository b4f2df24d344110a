//! What is at the destination before a run begins.

use std::num::NonZeroU64;
use std::sync::Arc;

use crate::retry::Retry;
use crate::sink::{Fault, Sink, Stored};

/// What a listing said of one object.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Seen {
    size: u64,
    crc32c: u32,
    generation: NonZeroU64,
}

/// Objects of this run that are there already, by index. Nothing where none is, else 24 bytes an
/// image.
#[derive(Debug, Default)]
pub struct Existing {
    by_index: Vec<Option<Seen>>,
    count: u32,
}

impl Existing {
    /// Lists the prefix. `index_of` says which image an object is, if any; `images` how many there
    /// are.
    ///
    /// # Errors
    /// A listing that fails for good.
    pub async fn list(
        sink: &Arc<dyn Sink>,
        retry: &Retry,
        images: u32,
        index_of: impl Fn(&str) -> Option<u32>,
        on_retry: impl Fn(&Fault),
    ) -> Result<Self, Fault> {
        let mut existing = Self::default();
        let mut page = None;
        loop {
            let got = retry.run(&on_retry, || sink.list(page.clone())).await.result?;
            for stored in got.objects {
                if let Some(index) = index_of(&stored.name).filter(|&index| index < images) {
                    existing.insert(index, images, &stored);
                }
            }
            match got.next {
                Some(next) => page = Some(next),
                None => return Ok(existing),
            }
        }
    }

    fn insert(&mut self, index: u32, images: u32, stored: &Stored) {
        if self.by_index.is_empty() {
            self.by_index = vec![None; images as usize];
        }
        let Stored { size, crc32c, generation, .. } = *stored;
        // Generation 0 means that there is no object.
        let Some(generation) = NonZeroU64::new(generation) else { return };
        if let Some(slot) = self.by_index.get_mut(index as usize) {
            self.count += u32::from(slot.is_none());
            *slot = Some(Seen { size, crc32c, generation });
        }
    }

    /// How many of the run's objects are there.
    pub fn count(&self) -> u32 {
        self.count
    }

    /// The object of image `index`, under its name, if it is there.
    pub fn get(&self, index: u32, name: &str) -> Option<Stored> {
        let Seen { size, crc32c, generation } = (*self.by_index.get(index as usize)?)?;
        Some(Stored { name: name.to_owned(), size, crc32c, generation: generation.get() })
    }
}
