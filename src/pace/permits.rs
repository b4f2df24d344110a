//! How many requests may be in flight, as permits that workers hold.
//!
//! A worker that waits before another attempt has no request in flight, so it lends its permit to a
//! worker that is started for that; when it needs a permit again, some worker that has just finished an
//! image hands over its own and ends. Permits held and permits free always add up to the same number.
//!
//! A service that fails all the time must not be shown ever more images. So a permit is lent only while
//! there is credit: each success earns a little, each wait takes one.
//!
//! The number of permits changes: for more of them workers are started, for fewer of them workers end
//! when they have finished their image.

use std::sync::atomic::{AtomicI64, AtomicU32, Ordering::Relaxed};

use parking_lot::Mutex;
use tokio::sync::{Notify, Semaphore};

/// Credit is counted in tenths of a wait.
const WAIT: i64 = 10;

/// What a success earns: waits are free of cost up to one fault for every five successes.
const EARNED: i64 = 2;

/// Images that may wait beside those in flight.
const MOST_WAITING: i64 = 1024;

/// The permits of a run's workers.
#[derive(Debug)]
pub(super) struct Permits {
    credit: AtomicI64,
    ledger: Mutex<Ledger>,
    /// Workers that the ledger wants to end: what a worker reads between two images.
    to_end: AtomicU32,
    /// Permits for which no worker has been started yet.
    vacant: Semaphore,
    /// Permits handed to workers that need one again.
    handed: Semaphore,
    wanted: Notify,
}

/// Always so: permits held by workers, vacant, unused or being handed over are `limit + surplus`.
#[derive(Debug, Default)]
struct Ledger {
    /// Permits that there should be.
    limit: u32,
    /// Permits that there are beyond that.
    surplus: u32,
    /// Workers that need a permit again and have been handed none.
    waiting: u32,
    /// Permits that nobody holds and that no worker is to be started for.
    unused: u32,
}

impl Permits {
    /// For so many workers, none of which has been started yet.
    pub(super) fn new(limit: u32) -> Self {
        Self {
            credit: AtomicI64::new(i64::from(limit) * WAIT / 4),
            ledger: Mutex::new(Ledger { limit, ..Ledger::default() }),
            to_end: AtomicU32::new(0),
            vacant: Semaphore::new(limit as usize),
            handed: Semaphore::new(0),
            wanted: Notify::new(),
        }
    }

    /// Reads or changes the ledger, and tells the workers what follows for them.
    fn with<T>(&self, change: impl FnOnce(&mut Ledger) -> T) -> T {
        let mut ledger = self.ledger.lock();
        let result = change(&mut ledger);
        self.to_end.store(ledger.surplus + ledger.waiting, Relaxed);
        result
    }

    /// Permits that there should be.
    pub(super) fn limit(&self) -> u32 {
        self.with(|ledger| ledger.limit)
    }

    /// Makes it so many permits.
    pub(super) fn resize(&self, limit: u32) {
        let vacant = self.with(|ledger| {
            let there = ledger.limit + ledger.surplus;
            // What nobody holds goes first.
            let unused = ledger.unused.min(there.saturating_sub(limit));
            ledger.unused -= unused;
            ledger.limit = limit;
            ledger.surplus = (there - unused).saturating_sub(limit);
            limit.saturating_sub(there)
        });
        self.vacant.add_permits(vacant as usize);
    }

    /// Notes a success.
    pub(super) fn succeeded(&self) {
        if self.credit.load(Relaxed) < MOST_WAITING * WAIT {
            self.credit.fetch_add(EARNED, Relaxed);
        }
    }

    /// Lends the caller's permit for a wait, if there is credit for that; whoever did must
    /// [`Permits::reacquire`] before its next request.
    pub(super) fn release(&self) -> bool {
        let spend = |credit| (credit >= WAIT).then_some(credit - WAIT);
        let given = self.credit.fetch_update(Relaxed, Relaxed, spend).is_ok();
        if given {
            self.vacant.add_permits(1);
        }
        given
    }

    /// Waits for a permit without a worker: one is to be started for it.
    pub(super) async fn vacancy(&self) {
        if let Ok(permit) = self.vacant.acquire().await {
            permit.forget();
        }
    }

    /// Takes a permit again after a wait.
    pub(super) async fn reacquire(&self) {
        let unused = self.with(|ledger| {
            let unused = ledger.unused > 0;
            ledger.unused -= u32::from(unused);
            ledger.waiting += u32::from(!unused);
            unused
        });
        if unused {
            return;
        }
        self.wanted.notify_one();
        if let Ok(permit) = self.handed.acquire().await {
            permit.forget();
        }
    }

    /// Whether the calling worker is to end, because its permit is wanted or one too many; if so its
    /// permit is taken from it.
    pub(super) fn must_leave(&self) -> bool {
        self.to_end.load(Relaxed) > 0
            && self.with(|ledger| {
                if ledger.surplus > 0 {
                    ledger.surplus -= 1;
                    return true;
                }
                let wanted = ledger.waiting > 0;
                if wanted {
                    self.give_back(ledger);
                }
                wanted
            })
    }

    /// Waits until somebody may need a permit again; ask [`Permits::must_leave`] then.
    pub(super) async fn wanted(&self) {
        self.wanted.notified().await;
    }

    /// A worker ends and gives its permit back.
    pub(super) fn leave(&self) {
        self.with(|ledger| self.give_back(ledger));
    }

    /// A permit goes to one who waits for it, and to one only.
    fn give_back(&self, ledger: &mut Ledger) {
        if ledger.waiting > 0 {
            ledger.waiting -= 1;
            self.handed.add_permits(1);
        } else {
            ledger.unused += 1;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use futures::FutureExt;
    use std::sync::Arc;

    fn vacancies(permits: &Permits) -> usize {
        (0..10_000).take_while(|_| permits.vacancy().now_or_never().is_some()).count()
    }

    /// With a worker for each permit.
    fn started(limit: u32) -> Permits {
        let permits = Permits::new(limit);
        assert_eq!(vacancies(&permits), limit as usize);
        permits
    }

    #[test]
    fn a_permit_is_lent_and_comes_back() {
        let permits = started(8);
        assert!(permits.vacancy().now_or_never().is_none());
        assert!(permits.release());
        assert!(permits.vacancy().now_or_never().is_some(), "a worker is started in its stead");
        assert!(permits.vacancy().now_or_never().is_none(), "and no second one");

        let mut back = Box::pin(permits.reacquire());
        assert!(back.as_mut().now_or_never().is_none(), "nobody has made room yet");
        assert!(permits.wanted().now_or_never().is_some());
        assert!(permits.must_leave());
        assert!(back.now_or_never().is_some());
        assert!(!permits.must_leave());
    }

    #[test]
    fn permits_come_and_go() {
        let permits = started(8);
        permits.resize(10);
        assert_eq!(vacancies(&permits), 2);
        permits.resize(7);
        assert_eq!((0..10).filter(|_| permits.must_leave()).count(), 3);
        permits.resize(4);
        permits.resize(9);
        assert_eq!(vacancies(&permits), 2, "three stay that were to leave");
        assert!(!permits.must_leave());
        assert_eq!(permits.limit(), 9);
    }

    #[test]
    fn a_dead_service_is_not_shown_more_images() {
        let permits = Permits::new(64);
        let given = (0..1000).filter(|_| permits.release()).count();
        assert_eq!(given, 16, "a quarter of the workers");
    }

    #[test]
    fn one_fault_in_ten_costs_no_permit() {
        let permits = Permits::new(64);
        for _ in 0..1000 {
            (0..9).for_each(|_| permits.succeeded());
            assert!(permits.release());
        }
    }

    #[test]
    fn credit_has_a_bound() {
        let permits = Permits::new(4);
        (0..1_000_000).for_each(|_| permits.succeeded());
        let given = (0..10_000).filter(|_| permits.release()).count();
        assert_eq!(given, 1024);
    }

    const IMAGES: u32 = 20_000;

    async fn work(permits: Arc<Permits>, next: Arc<AtomicU32>) {
        while !permits.must_leave() {
            let image = next.fetch_add(1, Relaxed);
            if image >= IMAGES {
                return permits.leave();
            }
            permits.succeeded();
            if image.is_multiple_of(3) && permits.release() {
                tokio::task::yield_now().await;
                permits.reacquire().await;
            }
            if image.is_multiple_of(7) {
                permits.resize(fastrand::u32(1..=8));
            }
            tokio::task::yield_now().await;
        }
    }

    /// However waits, returns and changes of the number fall together, no permit is lost: with the
    /// last one the last worker would leave, and images would be left over.
    #[tokio::test(flavor = "multi_thread", worker_threads = 4)]
    async fn there_is_a_worker_until_all_is_done() {
        for _ in 0..10 {
            let (permits, next) = (Arc::new(Permits::new(8)), Arc::new(AtomicU32::new(0)));
            let mut workers = tokio::task::JoinSet::new();
            loop {
                tokio::select! {
                    biased;
                    () = permits.vacancy() => {
                        workers.spawn(work(Arc::clone(&permits), Arc::clone(&next)));
                    }
                    joined = workers.join_next() => if joined.is_none() { break },
                }
            }
            assert!(next.load(Relaxed) >= IMAGES, "ended after {} images", next.load(Relaxed));
        }
    }
}
