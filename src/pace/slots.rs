//! Who holds a place among the requests in flight.
//!
//! A worker that waits before another attempt has no request in flight, so its place goes to a
//! worker that is started in its stead; when it comes back, some worker that has just finished an
//! image makes room and leaves. Places held and places free always add up to the same number.
//!
//! A service that fails all the time must not be shown ever more images. So a place is given up only
//! while there is credit: each success earns a little, each wait takes one.
//!
//! The number of places changes: for more of them workers are started, for fewer of them workers leave
//! when they have finished their image.

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
pub(super) struct Slots {
    credit: AtomicI64,
    /// Places there are to be.
    places: AtomicU32,
    /// Places that there are beyond that.
    surplus: AtomicU32,
    /// Places for which no worker has been started yet.
    vacant: Semaphore,
    /// Places that workers have left behind for those that come back.
    free: Semaphore,
    /// Workers that want a place back.
    wanting: AtomicU32,
    wanted: Notify,
}

impl Slots {
    /// For so many workers, none of which has been started yet.
    pub(super) fn new(places: u32) -> Self {
        Self {
            credit: AtomicI64::new(i64::from(places) * WAIT / 4),
            places: AtomicU32::new(places),
            surplus: AtomicU32::new(0),
            vacant: Semaphore::new(places as usize),
            free: Semaphore::new(0),
            wanting: AtomicU32::new(0),
            wanted: Notify::new(),
        }
    }

    /// Places there are to be.
    pub(super) fn places(&self) -> u32 {
        self.places.load(Relaxed)
    }

    /// Makes it so many places. Not to be called by two at a time.
    pub(super) fn resize(&self, places: u32) {
        let before = self.places.swap(places, Relaxed);
        if places < before {
            self.surplus.fetch_add(before - places, Relaxed);
            return;
        }
        let more = places - before;
        let stay = |surplus: u32| Some(surplus.saturating_sub(more));
        let surplus = self.surplus.fetch_update(Relaxed, Relaxed, stay).unwrap_or_default();
        self.vacant.add_permits(more.saturating_sub(surplus) as usize);
    }

    /// Notes a success.
    pub(super) fn succeeded(&self) {
        if self.credit.load(Relaxed) < MOST_WAITING * WAIT {
            self.credit.fetch_add(EARNED, Relaxed);
        }
    }

    /// Gives the caller's place up for a wait, if there is credit for that; whoever did must
    /// [`Slots::come_back`] before its next request.
    pub(super) fn give_up(&self) -> bool {
        let spend = |credit| (credit >= WAIT).then_some(credit - WAIT);
        let given = self.credit.fetch_update(Relaxed, Relaxed, spend).is_ok();
        if given {
            self.vacant.add_permits(1);
        }
        given
    }

    /// Waits for a place without a worker: one is to be started for it.
    pub(super) async fn vacancy(&self) {
        if let Ok(place) = self.vacant.acquire().await {
            place.forget();
        }
    }

    /// Takes a place again after a wait.
    pub(super) async fn come_back(&self) {
        self.wanting.fetch_add(1, Relaxed);
        self.wanted.notify_one();
        if let Ok(place) = self.free.acquire().await {
            place.forget();
        }
        self.wanting.fetch_sub(1, Relaxed);
    }

    /// Whether the calling worker is to leave, because its place is wanted or one too many; if so its
    /// place is taken from it.
    pub(super) fn must_leave(&self) -> bool {
        if self.surplus.load(Relaxed) > 0 {
            let one_less = |surplus: u32| surplus.checked_sub(1);
            if self.surplus.fetch_update(Relaxed, Relaxed, one_less).is_ok() {
                return true;
            }
        }
        let wanted = self.wanting.load(Relaxed) > 0;
        if wanted {
            self.leave();
        }
        wanted
    }

    /// Waits until somebody may want a place back; ask [`Slots::must_leave`] then.
    pub(super) async fn wanted(&self) {
        self.wanted.notified().await;
    }

    /// A worker ends and leaves its place behind.
    pub(super) fn leave(&self) {
        self.free.add_permits(1);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use futures::FutureExt;

    fn vacancies(slots: &Slots) -> usize {
        (0..10_000).take_while(|_| slots.vacancy().now_or_never().is_some()).count()
    }

    /// With a worker in each place.
    fn started(places: u32) -> Slots {
        let slots = Slots::new(places);
        assert_eq!(vacancies(&slots), places as usize);
        slots
    }

    #[test]
    fn a_place_goes_to_another_and_comes_back() {
        let slots = started(8);
        assert!(slots.vacancy().now_or_never().is_none());
        assert!(slots.give_up());
        assert!(slots.vacancy().now_or_never().is_some(), "a worker is started in its stead");
        assert!(slots.vacancy().now_or_never().is_none(), "and no second one");

        let mut back = Box::pin(slots.come_back());
        assert!(back.as_mut().now_or_never().is_none(), "nobody has made room yet");
        assert!(slots.wanted().now_or_never().is_some());
        assert!(slots.must_leave());
        assert!(back.now_or_never().is_some());
        assert!(!slots.must_leave());
    }

    #[test]
    fn places_come_and_go() {
        let slots = started(8);
        slots.resize(10);
        assert_eq!(vacancies(&slots), 2);
        slots.resize(7);
        assert_eq!((0..10).filter(|_| slots.must_leave()).count(), 3);
        slots.resize(4);
        slots.resize(9);
        assert_eq!(vacancies(&slots), 2, "three stay that were to leave");
        assert!(!slots.must_leave());
        assert_eq!(slots.places(), 9);
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
