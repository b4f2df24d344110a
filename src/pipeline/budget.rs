//! How much memory records and bodies may take together, in bytes.

use std::sync::Arc;

use tokio::runtime::Handle;
use tokio::sync::{OwnedSemaphorePermit, Semaphore};

/// Bytes that one permit of the semaphore stands for: its numbers are 32 bits wide.
const UNIT: u64 = 256;

/// What a record costs beside its pixels and its body: names, a request's head, a task.
const OVERHEAD: u64 = 2048;

/// A part of the budget that the reader takes at once: small records are then accounted for without the
/// semaphore's lock.
const RESERVE_PARTS: u32 = 64;

/// A share of fewer bytes is not worth shrinking.
const SMALL: u64 = 64 * 1024;

/// A budget of bytes for all records between the decoder and the end of their upload. A record that is
/// larger than the whole budget passes when nothing else is under way.
#[derive(Debug, Clone)]
pub(super) struct Budget {
    permits: Arc<Semaphore>,
    whole: u32,
}

/// Takes shares of a budget, one after another, on a thread that may block.
#[derive(Debug)]
pub(super) struct Taker {
    budget: Budget,
    reserve: Option<OwnedSemaphorePermit>,
}

/// A record's share of the budget, which returns when it is dropped.
#[derive(Debug)]
pub(super) struct Share {
    permit: OwnedSemaphorePermit,
    /// The record's cost, which may be more than the budget.
    pub(super) cost: u64,
}

impl Budget {
    /// A budget of so many bytes.
    pub(super) fn new(bytes: u64) -> Self {
        let whole = units(bytes).min(u32::try_from(Semaphore::MAX_PERMITS).unwrap_or(u32::MAX));
        Self { permits: Arc::new(Semaphore::new(whole as usize)), whole }
    }

    /// The one who takes shares of it.
    pub(super) fn taker(&self) -> Taker {
        Taker { budget: self.clone(), reserve: None }
    }

    /// Ends all waiting, for good.
    pub(super) fn close(&self) {
        self.permits.close();
    }
}

impl Taker {
    /// Waits until there is room for a record that takes `cost` bytes; `None` once the budget is closed.
    pub(super) fn take(&mut self, cost: u64, runtime: &Handle) -> Option<Share> {
        let Budget { permits, whole } = &self.budget;
        let wanted = units(cost.saturating_add(OVERHEAD)).min(*whole);
        let in_reserve = self.reserve.as_mut().and_then(|reserve| reserve.split(wanted as usize));
        if let Some(permit) = in_reserve {
            return Some(Share { permit, cost });
        }
        // What is left of it may be what is missing.
        self.reserve = None;
        let part = (*whole / RESERVE_PARTS).max(wanted);
        let taken = runtime.block_on(Arc::clone(permits).acquire_many_owned(part)).ok()?;
        let permit = self.reserve.insert(taken).split(wanted as usize)?;
        Some(Share { permit, cost })
    }
}

impl Share {
    /// Returns what is not needed once the pixels are gone and only a body of so many bytes, which is
    /// copied once into its request, is left.
    pub(super) fn shrink_to(&mut self, body: u64) {
        if (self.permit.num_permits() as u64) * UNIT <= SMALL {
            return;
        }
        let kept = units(2 * body + OVERHEAD) as usize;
        let excess = self.permit.num_permits().saturating_sub(kept);
        drop(self.permit.split(excess));
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

    async fn take(budget: &Budget, cost: u64) -> Option<Share> {
        let mut taker = budget.taker();
        blocking(move |handle| taker.take(cost, handle)).await
    }

    #[tokio::test]
    async fn shares_add_up_to_the_budget() {
        let budget = Budget::new(1_000_000);
        let of = Arc::clone(&budget.permits);
        let mut share = take(&budget, 400_000).await.unwrap();
        assert_eq!(of.available_permits(), 3907 - 1571);
        share.shrink_to(10_000);
        assert_eq!(of.available_permits(), 3907 - 87, "pixels are gone, the body is left");
        share.shrink_to(900_000);
        assert_eq!(of.available_permits(), 3907 - 87, "a share never grows");
        drop(share);
        assert_eq!(of.available_permits(), 3907);
    }

    #[tokio::test]
    async fn small_records_share_a_reserve() {
        let budget = Budget::new(1_000_000);
        let (mut taker, of) = (budget.taker(), Arc::clone(&budget.permits));
        let shares = blocking(move |handle| {
            let shares: Vec<_> = (0..6).map_while(|_| taker.take(2 * 784, handle)).collect();
            (shares, taker)
        });
        let (shares, taker) = shares.await;
        // Each takes 15 of the 61 that the reader takes at once; what is left of them is given back.
        assert_eq!((shares.len(), of.available_permits()), (6, 3907 - 4 * 15 - 61));
        drop(taker);
        assert_eq!(of.available_permits(), 3907 - 6 * 15);
        drop(shares);
        assert_eq!(of.available_permits(), 3907);
    }

    #[tokio::test]
    async fn a_record_above_the_budget_passes_alone() {
        let budget = Budget::new(10_000);
        let first = take(&budget, 1_000_000).await.unwrap();
        let waiting = budget.clone();
        let second = tokio::spawn(async move { take(&waiting, 1).await.is_some() });
        tokio::task::yield_now().await;
        assert!(!second.is_finished(), "the first takes all of it");
        drop(first);
        assert!(second.await.unwrap());
    }

    #[tokio::test]
    async fn closing_ends_the_wait() {
        let budget = Budget::new(1);
        let all = take(&budget, 1).await;
        let waiting = budget.clone();
        let waiting = tokio::spawn(async move { take(&waiting, 1).await.is_none() });
        budget.close();
        assert!(waiting.await.unwrap());
        drop(all);
    }
}
