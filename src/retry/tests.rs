//! The loop on a paused clock.

use super::*;
use crate::sink::timed;
use std::cell::RefCell;
use std::sync::{Arc, Mutex};

fn limits() -> Limits {
    Limits {
        max_attempts: 5,
        max_elapsed: Duration::from_mins(1),
        attempt_timeout: Duration::from_secs(10),
        backoff: Backoff { initial: Duration::from_secs(1), max: Duration::from_secs(8) },
        max_outage: Duration::from_hours(1),
    }
}

/// Always the longest wait there can be, and a record of the waits.
fn recorded(limits: Limits) -> (Retry, Arc<Mutex<Vec<u64>>>) {
    let waits = Arc::new(Mutex::new(Vec::new()));
    let seen = Arc::clone(&waits);
    let timing = Timing {
        sleep: Box::new(move |wait| {
            seen.lock().unwrap().push(wait.as_secs());
            Box::pin(tokio::time::sleep(wait))
        }),
        random: Box::new(|| 1.0),
    };
    (Retry::new(limits, CancellationToken::new()).timed_by(timing), waits)
}

async fn run(retry: &Retry, faults: Vec<Fault>) -> (Tried<()>, usize) {
    let faults = RefCell::new(faults.into_iter());
    let mut retries = 0;
    let tried = retry
        .run(
            |_| retries += 1,
            |_| std::future::ready(faults.borrow_mut().next().map_or(Ok(()), Err)),
        )
        .await;
    (tried, retries)
}

/// An attempt without an answer.
async fn stalled(within: Duration) -> Result<(), Fault> {
    timed(within.min(Duration::from_secs(10)), std::future::pending()).await
}

fn fault(kind: FaultKind) -> Fault {
    Fault::new(kind, "")
}

#[tokio::test(start_paused = true)]
async fn waits_longer_each_time_up_to_the_cap() {
    let (retry, waits) = recorded(Limits { max_attempts: 10, ..limits() });
    let (tried, retries) = run(&retry, vec![fault(FaultKind::Status(503)); 6]).await;
    assert!(tried.result.is_ok());
    assert_eq!((tried.attempts, retries), (7, 6));
    assert_eq!(*waits.lock().unwrap(), [1, 2, 4, 8, 8, 8]);
}

#[tokio::test(start_paused = true)]
async fn gives_up_after_the_last_attempt() {
    let (retry, waits) = recorded(limits());
    let (tried, retries) = run(&retry, vec![fault(FaultKind::CutOff); 9]).await;
    assert_eq!(tried.result.unwrap_err().kind, FaultKind::CutOff);
    assert_eq!((tried.attempts, retries), (5, 4));
    assert_eq!(*waits.lock().unwrap(), [1, 2, 4, 8]);
}

/// Once: a service that closes every connection is failing.
#[tokio::test(start_paused = true)]
async fn a_connection_closed_while_idle_is_no_failure() {
    let (retry, waits) = recorded(Limits { max_attempts: 1, ..limits() });
    let (tried, _) = run(&retry, vec![fault(FaultKind::Idle)]).await;
    assert!(tried.result.is_ok());
    assert_eq!(*waits.lock().unwrap(), [0]);
    let (tried, _) = run(&retry, vec![fault(FaultKind::Idle); 9]).await;
    assert_eq!((tried.attempts, tried.result.is_err()), (2, true));
    let (tried, _) = run(&retry, vec![fault(FaultKind::Closed)]).await;
    assert_eq!((tried.attempts, tried.result.is_err()), (1, true), "a new connection");
}

#[tokio::test(start_paused = true)]
async fn a_dead_service_is_recognised_by_all_work_together() {
    let max_outage = Duration::from_secs(20);
    let (retry, _) = recorded(Limits { max_outage, max_attempts: 1000, ..limits() });
    let began = Instant::now();
    let faults = || vec![fault(FaultKind::Status(503)); 1000];
    let ((first, _), (second, _)) = tokio::join!(run(&retry, faults()), run(&retry, faults()));
    assert!(first.result.is_err() && second.result.is_err());
    assert_eq!(began.elapsed(), max_outage);
    assert!(retry.is_dead());
    // Whoever comes later finds out with the first fault.
    let (tried, _) = run(&retry, faults()).await;
    assert_eq!(tried.attempts, 1);
    let (tried, _) = run(&retry, vec![]).await;
    assert!(tried.result.is_ok());
    assert!(!retry.is_dead(), "it works again");
}

/// A process that was stopped finds its attempts over time when it goes on.
#[tokio::test(start_paused = true)]
async fn time_in_which_the_process_does_not_run_is_no_outage() {
    for (stopped_for, before) in [(95, 0), (95, 15), (36_000, 0)] {
        let max_outage = Duration::from_secs(20);
        let (retry, _) = recorded(Limits { max_outage, ..limits() });
        let one = || async {
            let waits = RefCell::new(vec![stopped_for, before]);
            let attempt = |_| {
                let next = waits.borrow_mut().pop();
                async move {
                    let Some(seconds) = next else { return Ok(()) };
                    tokio::time::sleep(Duration::from_secs(seconds)).await;
                    Err(fault(FaultKind::Timeout))
                }
            };
            retry.run(|_| (), attempt).await
        };
        let (first, second) = tokio::join!(one(), one());
        assert!(first.result.is_ok() && second.result.is_ok(), "{stopped_for} {before}");
    }
}

/// Otherwise a service that lets ten requests through every two minutes would lose all the others.
#[tokio::test(start_paused = true)]
async fn requested_pauses_use_up_no_time_while_other_work_succeeds() {
    let pause = Duration::from_secs(50);
    let limits = Limits { max_elapsed: Duration::from_mins(2), ..limits() };
    for (others_succeed, attempts) in [(true, 21), (false, 3)] {
        let (retry, _) = recorded(limits);
        let mut left = 20;
        let tried = retry.run(
            |_| {
                if others_succeed {
                    retry.health.succeeded(Instant::now() + pause / 2);
                }
            },
            |_| {
                left -= 1;
                let refused = asking(FaultKind::Status(429), pause);
                std::future::ready(if left < 0 { Ok(()) } else { Err(refused) })
            },
        );
        let tried = tried.await;
        assert_eq!((tried.result.is_ok(), tried.attempts), (others_succeed, attempts));
    }
}

fn asking(kind: FaultKind, pause: Duration) -> Fault {
    fault(kind).with_retry_after(Some(pause))
}

#[tokio::test(start_paused = true)]
async fn a_requested_pause_longer_than_the_outage_is_honoured() {
    let max_outage = Duration::from_secs(20);
    let (retry, waits) =
        recorded(Limits { max_outage, max_elapsed: Duration::from_mins(10), ..limits() });
    let asked = asking(FaultKind::Status(503), Duration::from_secs(50));
    let ((first, _), (second, _)) =
        tokio::join!(run(&retry, vec![asked.clone()]), run(&retry, vec![asked]));
    assert!(first.result.is_ok() && second.result.is_ok());
    assert_eq!(*waits.lock().unwrap(), [50, 50]);
}

/// Everybody waits for the pause and finds, after it, a service that works.
#[tokio::test(start_paused = true)]
async fn a_pause_of_any_length_is_survived_by_all() {
    for pause in [Duration::from_mins(3), Duration::from_hours(24), Duration::MAX] {
        let max_elapsed = Duration::from_mins(5);
        let retry = recorded(Limits { max_elapsed, ..limits() }).0;
        // Too few for anyone to lend its permit for the wait.
        let pace = Pace::fixed(3);
        let began = Instant::now();
        let image = || async {
            let attempts = AtomicU64::new(0);
            // A request takes its time, so that no time would not be enough.
            let request = async || {
                tokio::time::sleep(Duration::from_millis(20)).await;
                match attempts.fetch_add(1, Ordering::Relaxed) {
                    0 => Err(asking(FaultKind::Status(429), pause)),
                    _ => Ok(()),
                }
            };
            let attempt = |within| timed(within, request());
            retry.run_through(Gate::Turn(&pace), |_| (), attempt).await
        };
        let ended = tokio::join!(image(), image(), image(), image());
        for tried in [ended.0, ended.1, ended.2, ended.3] {
            assert!(tried.result.is_ok(), "{pause:?}: {tried:?}");
        }
        let took = began.elapsed();
        assert!(took > Duration::from_mins(2) && took < Duration::from_mins(3), "{took:?}");
    }
}

#[tokio::test(start_paused = true)]
async fn no_attempt_gets_no_time() {
    let max_outage = Duration::from_secs(20);
    let (retry, _) = recorded(Limits { max_outage, max_attempts: 1, ..limits() });
    let faults = || vec![fault(FaultKind::Status(503)); 1];
    let _ = tokio::join!(run(&retry, faults()), run(&retry, faults()));
    tokio::time::advance(2 * max_outage).await;
    assert!(retry.is_dead());
    let slow = |within| {
        timed(within, async {
            tokio::time::sleep(SHORTEST_ATTEMPT / 2).await;
            Ok(())
        })
    };
    assert!(retry.run(|_| (), slow).await.result.is_ok());
    assert!(!retry.is_dead());
}

/// They end with the time there is and not with the number of attempts.
#[tokio::test(start_paused = true)]
async fn rate_limits_use_up_no_attempts() {
    for kind in [FaultKind::Status(429), FaultKind::RateLimited] {
        let max_elapsed = Duration::from_mins(10);
        let (retry, _) = recorded(Limits { max_attempts: 2, max_elapsed, ..limits() });
        let (tried, _) = run(&retry, vec![fault(kind); 20]).await;
        assert!(tried.result.is_ok(), "{kind}");
        assert_eq!(tried.attempts, 21, "{kind}");
        let mut mixed = vec![fault(kind); 5];
        mixed.extend(vec![fault(FaultKind::Status(503)); 2]);
        assert_eq!(run(&retry, mixed).await.0.attempts, 7, "{kind}");
        let (tried, _) = run(&retry, vec![fault(kind); 1000]).await;
        assert_eq!(tried.result.unwrap_err().kind, kind);
    }
}

#[tokio::test(start_paused = true)]
async fn stalled_attempts_end_with_the_outage() {
    let max_outage = Duration::from_secs(15);
    let (retry, _) = recorded(Limits { max_outage, ..limits() });
    let began = Instant::now();
    let stall = || retry.run(|_| (), stalled);
    let (first, second) = tokio::join!(stall(), stall());
    assert!(first.result.is_err() && second.result.is_err());
    assert_eq!(began.elapsed(), max_outage, "10 s of the first attempt, 5 of the second");
}

#[tokio::test(start_paused = true)]
async fn a_stop_ends_the_wait_but_not_the_attempt() {
    let stop = CancellationToken::new();
    let retry = Retry::new(limits(), stop.clone());
    let began = Instant::now();
    let attempt = |_| async {
        tokio::time::sleep(Duration::from_secs(3)).await;
        stop.cancel();
        Err::<(), _>(fault(FaultKind::Status(503)))
    };
    let tried = retry.run(|_| (), attempt).await;
    assert_eq!((tried.attempts, began.elapsed().as_secs()), (1, 3));
}

#[tokio::test(start_paused = true)]
async fn never_waits_past_the_deadline() {
    let (retry, waits) = recorded(Limits { max_elapsed: Duration::from_secs(4), ..limits() });
    let began = Instant::now();
    let (tried, _) = run(&retry, vec![fault(FaultKind::Status(500)); 9]).await;
    assert_eq!(tried.attempts, 3);
    assert_eq!(*waits.lock().unwrap(), [1, 2], "4 more would be past the deadline");
    assert!(began.elapsed() < Duration::from_secs(4));
}

#[tokio::test(start_paused = true)]
async fn an_attempt_without_answer_times_out() {
    let (retry, _) = recorded(limits());
    let tried = retry.run(|_| (), stalled).await;
    assert_eq!(tried.result.unwrap_err().kind, FaultKind::Timeout);
    assert_eq!(tried.attempts, 5);
}

#[tokio::test(start_paused = true)]
async fn does_what_the_service_asks() {
    let (retry, waits) = recorded(limits());
    let asked = asking(FaultKind::Status(429), Duration::from_secs(5));
    let (tried, _) = run(&retry, vec![asked]).await;
    assert_eq!((tried.attempts, waits.lock().unwrap().as_slice()), (2, &[5][..]));
}

#[tokio::test(start_paused = true)]
async fn some_faults_are_final_and_some_after_a_second_time() {
    let (retry, _) = recorded(limits());
    for (kind, attempts) in [
        (FaultKind::Status(400), 1),
        (FaultKind::Precondition, 1),
        (FaultKind::Status(401), 2),
        (FaultKind::Mismatch, 2),
    ] {
        let (tried, _) = run(&retry, vec![fault(kind); 9]).await;
        assert_eq!(tried.attempts, attempts, "{kind}");
    }
}
