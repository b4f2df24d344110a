//! How much memory records and bodies may take together, in bytes.

use std::sync::Arc;

use tokio::runtime::Handle;
use tokio::sync::{OwnedSemaphorePermit, Semaphore};

/// Bytes that one permit of the semaphore stands for: its numbers are 32 bits wide.
const UNIT: u64 = 256;

/// What a record costs beside its pixels and its body: names, a request's head, a task.
const OVERHEAD: u64 = 2048;

/// A budget of bytes for all records between the decoder and the end of their upload. A record that is
/// larger than the whole budget passes when nothing else is under way.
#[derive(Debug, Clone)]
pub(super) struct Budget {
    permits: Arc<Semaphore>,
    whole: u32,
}

/// A record's share of the budget, which returns when it is dropped.
#[derive(Debug)]
pub(super) struct Share(OwnedSemaphorePermit);

impl Budget {
    /// A budget of so many bytes.
    pub(super) fn new(bytes: u64) -> Self {
        let whole = units(bytes).min(u32::try_from(Semaphore::MAX_PERMITS).unwrap_or(u32::MAX));
        Self { permits: Arc::new(Semaphore::new(whole as usize)), whole }
    }

    /// Waits, on a thread that may block, until there is room for a record of `pixels` bytes and the
    /// body that is made of it; `None` once the budget is closed.
    pub(super) fn take(&self, pixels: usize, runtime: &Handle) -> Option<Share> {
        let wanted = self.cost(2 * pixels as u64);
        let permits = Arc::clone(&self.permits);
        match permits.clone().try_acquire_many_owned(wanted) {
            Ok(permit) => Some(Share(permit)),
            Err(_) => runtime.block_on(permits.acquire_many_owned(wanted)).ok().map(Share),
        }
    }

    fn cost(&self, bytes: u64) -> u32 {
        units(bytes + OVERHEAD).min(self.whole)
    }

    /// Ends all waiting, for good.
    pub(super) fn close(&self) {
        self.permits.close();
    }
}

impl Share {
    /// Returns what is not needed once the pixels are gone and only a body of so many bytes, which is
    /// copied once into its request, is left.
    pub(super) fn shrink_to(&mut self, body: u64) {
        let kept = units(2 * body + OVERHEAD) as usize;
        let excess = self.0.num_permits().saturating_sub(kept);
        drop(self.0.split(excess));
    }
}

fn units(bytes: u64) -> u32 {
    u32::try_from(bytes.div_ceil(UNIT)).unwrap_or(u32::MAX).max(1)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Runs `work` on a thread that may block, as the decoder does.
    async fn blocking<T: Send + 'static>(work: impl FnOnce(&Handle) -> T + Send + 'static) -> T {
        let handle = Handle::current();
        tokio::task::spawn_blocking(move || work(&handle)).await.unwrap()
    }

    #[tokio::test]
    async fn shares_add_up_to_the_budget() {
        let budget = Budget::new(100_000);
        let (mine, of) = (budget.clone(), budget.permits.clone());
        let mut share = blocking(move |handle| mine.take(20_000, handle)).await.unwrap();
        assert_eq!(of.available_permits(), 391 - 165);
        share.shrink_to(1000);
        assert_eq!(of.available_permits(), 391 - 16, "pixels are gone, the body is left");
        share.shrink_to(90_000);
        assert_eq!(of.available_permits(), 391 - 16, "a share never grows");
        drop(share);
        assert_eq!(of.available_permits(), 391);
    }

    #[tokio::test]
    async fn a_record_above_the_budget_passes_alone() {
        let budget = Budget::new(10_000);
        let mine = budget.clone();
        let first = blocking(move |handle| mine.take(1_000_000, handle)).await.unwrap();
        let mine = budget.clone();
        let second = tokio::spawn(blocking(move |handle| mine.take(1, handle).is_some()));
        tokio::task::yield_now().await;
        assert!(!second.is_finished(), "the first takes all of it");
        drop(first);
        assert!(second.await.unwrap());
    }

    #[tokio::test]
    async fn closing_ends_the_wait() {
        let budget = Budget::new(1);
        let mine = budget.clone();
        let all = blocking(move |handle| mine.take(1, handle)).await;
        let mine = budget.clone();
        let waiting = tokio::spawn(blocking(move |handle| mine.take(1, handle).is_none()));
        budget.close();
        assert!(waiting.await.unwrap());
        drop(all);
    }
}
