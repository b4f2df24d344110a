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
use std::sync::{Mutex, PoisonError};

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
    ledger: Mutex<Ledger>,
    /// Workers that the ledger wants to leave: what a worker reads between two images.
    to_leave: AtomicU32,
    /// Places for which no worker has been started yet.
    vacant: Semaphore,
    /// Places handed to workers that came back for one.
    returned: Semaphore,
    wanted: Notify,
}

/// Always so: places held by workers, vacant, spare or being returned are `places + surplus`.
#[derive(Debug, Default)]
struct Ledger {
    /// Places there are to be.
    places: u32,
    /// Places that there are beyond that.
    surplus: u32,
    /// Workers that want a place back and have been handed none.
    wanting: u32,
    /// Places that nobody holds and that no worker is to be started for.
    spare: u32,
}

impl Slots {
    /// For so many workers, none of which has been started yet.
    pub(super) fn new(places: u32) -> Self {
        Self {
            credit: AtomicI64::new(i64::from(places) * WAIT / 4),
            ledger: Mutex::new(Ledger { places, ..Ledger::default() }),
            to_leave: AtomicU32::new(0),
            vacant: Semaphore::new(places as usize),
            returned: Semaphore::new(0),
            wanted: Notify::new(),
        }
    }

    /// Reads or changes the ledger, and tells the workers what follows for them.
    fn with<T>(&self, change: impl FnOnce(&mut Ledger) -> T) -> T {
        let mut ledger = self.ledger.lock().unwrap_or_else(PoisonError::into_inner);
        let result = change(&mut ledger);
        self.to_leave.store(ledger.surplus + ledger.wanting, Relaxed);
        result
    }

    /// Places there are to be.
    pub(super) fn places(&self) -> u32 {
        self.with(|ledger| ledger.places)
    }

    /// Makes it so many places.
    pub(super) fn resize(&self, places: u32) {
        let vacant = self.with(|ledger| {
            let there = ledger.places + ledger.surplus;
            // What nobody holds goes first.
            let unused = ledger.spare.min(there.saturating_sub(places));
            ledger.spare -= unused;
            ledger.places = places;
            ledger.surplus = (there - unused).saturating_sub(places);
            places.saturating_sub(there)
        });
        self.vacant.add_permits(vacant as usize);
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
        let spare = self.with(|ledger| {
            let spare = ledger.spare > 0;
            ledger.spare -= u32::from(spare);
            ledger.wanting += u32::from(!spare);
            spare
        });
        if spare {
            return;
        }
        self.wanted.notify_one();
        if let Ok(place) = self.returned.acquire().await {
            place.forget();
        }
    }

    /// Whether the calling worker is to leave, because its place is wanted or one too many; if so its
    /// place is taken from it.
    pub(super) fn must_leave(&self) -> bool {
        self.to_leave.load(Relaxed) > 0
            && self.with(|ledger| {
                if ledger.surplus > 0 {
                    ledger.surplus -= 1;
                    return true;
                }
                let wanted = ledger.wanting > 0;
                if wanted {
                    self.give_back(ledger);
                }
                wanted
            })
    }

    /// Waits until somebody may want a place back; ask [`Slots::must_leave`] then.
    pub(super) async fn wanted(&self) {
        self.wanted.notified().await;
    }

    /// A worker ends and leaves its place behind.
    pub(super) fn leave(&self) {
        self.with(|ledger| self.give_back(ledger));
    }

    /// A place goes to one who wants it, and to one only.
    fn give_back(&self, ledger: &mut Ledger) {
        if ledger.wanting > 0 {
            ledger.wanting -= 1;
            self.returned.add_permits(1);
        } else {
            ledger.spare += 1;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use futures::FutureExt;
    use std::sync::Arc;

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

    const IMAGES: u32 = 20_000;

    async fn work(slots: Arc<Slots>, next: Arc<AtomicU32>) {
        while !slots.must_leave() {
            let image = next.fetch_add(1, Relaxed);
            if image >= IMAGES {
                return slots.leave();
            }
            slots.succeeded();
            if image.is_multiple_of(3) && slots.give_up() {
                tokio::task::yield_now().await;
                slots.come_back().await;
            }
            if image.is_multiple_of(7) {
                slots.resize(fastrand::u32(1..=8));
            }
            tokio::task::yield_now().await;
        }
    }

    /// However waits, returns and changes of the number fall together, no place is lost: with the
    /// last one the last worker would leave, and images would be left over.
    #[tokio::test(flavor = "multi_thread", worker_threads = 4)]
    async fn there_is_a_worker_until_all_is_done() {
        for _ in 0..10 {
            let (slots, next) = (Arc::new(Slots::new(8)), Arc::new(AtomicU32::new(0)));
            let mut workers = tokio::task::JoinSet::new();
            loop {
                tokio::select! {
                    biased;
                    () = slots.vacancy() => {
                        workers.spawn(work(Arc::clone(&slots), Arc::clone(&next)));
                    }
                    joined = workers.join_next() => if joined.is_none() { break },
                }
            }
            assert!(next.load(Relaxed) >= IMAGES, "ended after {} images", next.load(Relaxed));
        }
    }
}
