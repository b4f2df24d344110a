//! Who holds a place among the requests in flight.
//!
//! A worker that waits before another attempt has no request in flight, so its place goes to a
//! worker that is started in its stead; when it comes back, some worker that has just finished an
//! image makes room and leaves. Places held and places free always add up to the same number.
//!
//! A service that fails all the time must not be shown ever more images. So a place is given up only
//! while there is credit: each success earns a little, each wait takes one.

use std::sync::atomic::{AtomicI64, AtomicU32, Ordering::Relaxed};

use tokio::sync::{Notify, Semaphore};

/// Credit is counted in tenths of a wait.
const WAIT: i64 = 10;

/// What a success earns: waits are free of cost up to one fault for every five successes.
const EARNED: i64 = 2;

/// Images that may wait beside those in flight.
const MOST_WAITING: i64 = 1024;

/// The places of a run's workers.
#[derive(Debug)]
pub struct Slots {
    credit: AtomicI64,
    /// Places given up for which no worker has been started yet.
    vacant: Semaphore,
    /// Places that workers have left behind for those that come back.
    free: Semaphore,
    /// Workers that want a place back.
    wanting: AtomicU32,
    wanted: Notify,
}

impl Slots {
    /// For a run that begins with so many workers, a place each.
    pub fn new(workers: u32) -> Self {
        Self {
            credit: AtomicI64::new(i64::from(workers) * WAIT / 4),
            vacant: Semaphore::new(0),
            free: Semaphore::new(0),
            wanting: AtomicU32::new(0),
            wanted: Notify::new(),
        }
    }

    /// Notes a success.
    pub fn succeeded(&self) {
        if self.credit.load(Relaxed) < MOST_WAITING * WAIT {
            self.credit.fetch_add(EARNED, Relaxed);
        }
    }

    /// Gives the caller's place up for a wait, if there is credit for that; whoever did must
    /// [`Slots::come_back`] before its next request.
    pub fn give_up(&self) -> bool {
        let spend = |credit| (credit >= WAIT).then_some(credit - WAIT);
        let given = self.credit.fetch_update(Relaxed, Relaxed, spend).is_ok();
        if given {
            self.vacant.add_permits(1);
        }
        given
    }

    /// Waits for a place that was given up: a worker is to be started for it.
    pub async fn vacancy(&self) {
        if let Ok(place) = self.vacant.acquire().await {
            place.forget();
        }
    }

    /// Takes a place again after a wait.
    pub async fn come_back(&self) {
        self.wanting.fetch_add(1, Relaxed);
        self.wanted.notify_one();
        if let Ok(place) = self.free.acquire().await {
            place.forget();
        }
        self.wanting.fetch_sub(1, Relaxed);
    }

    /// Whether somebody wants a place back: the caller is to leave with [`Slots::leave`].
    pub fn is_wanted(&self) -> bool {
        self.wanting.load(Relaxed) > 0
    }

    /// Waits until somebody may want a place back; ask [`Slots::is_wanted`] then.
    pub async fn wanted(&self) {
        self.wanted.notified().await;
    }

    /// A worker ends and leaves its place behind.
    pub fn leave(&self) {
        self.free.add_permits(1);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use futures::FutureExt;

    #[test]
    fn a_place_goes_to_another_and_comes_back() {
        let slots = Slots::new(8);
        assert!(slots.vacancy().now_or_never().is_none());
        assert!(slots.give_up());
        assert!(slots.vacancy().now_or_never().is_some(), "a worker is started in its stead");
        assert!(slots.vacancy().now_or_never().is_none(), "and no second one");

        let mut back = Box::pin(slots.come_back());
        assert!(back.as_mut().now_or_never().is_none(), "nobody has made room yet");
        assert!(slots.is_wanted());
        assert!(slots.wanted().now_or_never().is_some());
        slots.leave();
        assert!(back.now_or_never().is_some());
        assert!(!slots.is_wanted());
    }

    #[test]
    fn a_dead_service_is_not_shown_more_images() {
        let slots = Slots::new(64);
        let given = (0..1000).filter(|_| slots.give_up()).count();
        assert_eq!(given, 16, "a quarter of the workers");
    }

    #[test]
    fn one_fault_in_ten_costs_no_place() {
        let slots = Slots::new(64);
        for _ in 0..1000 {
            (0..9).for_each(|_| slots.succeeded());
            assert!(slots.give_up());
        }
    }

    #[test]
    fn credit_has_a_bound() {
        let slots = Slots::new(4);
        (0..1_000_000).for_each(|_| slots.succeeded());
        let given = (0..10_000).filter(|_| slots.give_up()).count();
        assert_eq!(given, 1024);
    }
}
