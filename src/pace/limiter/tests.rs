//! When the limiter takes stock, and what it makes of single answers. `simulation` shows where that leads.

use super::*;

const MOMENT: Duration = Duration::from_millis(1);

fn millis(millis: f64) -> Duration {
    Duration::from_secs_f64(millis / 1e3)
}

#[track_caller]
fn assert_near(is: f64, expected: f64) {
    assert!((is / expected - 1.0).abs() < 1e-6, "{is} instead of {expected}");
}

/// Keeps to a rate that was learned at 0 s, with a latency of 1 ms.
fn learned(rate: f64) -> Limiter {
    let learned = LearnedRate::new(Duration::ZERO, rate / 0.95, false, 0, PAUSE);
    assert_near(learned.rate(), rate);
    Limiter { learned: Some(learned), latency: MOMENT, ..Limiter::new(1024) }
}

/// Lets requests succeed from one time to another (milliseconds), one each `every`.
fn accept(limiter: &mut Limiter, from: f64, to: f64, every: f64) {
    let mut now = from;
    while now <= to {
        limiter.observe(millis(now), Answer::Accepted, MOMENT, None);
        now += every;
    }
}

fn refuse(limiter: &mut Limiter, now: f64, retry_after: Option<f64>) {
    limiter.observe(millis(now), Answer::Limited, MOMENT, retry_after.map(millis));
}

#[test]
fn a_window_lasts_for_its_time_and_its_answers() {
    let fixed = Limiter::fixed;
    for (mut limiter, latency, every, answers) in [
        (Limiter::new(1024), 1.0, 1.0, 30),
        (Limiter::new(1024), 1.0, 0.5, 40),  // 20 ms
        (Limiter::new(1024), 40.0, 0.5, 60), // three quarters of the latency
        (Limiter::new(3), 1.0, 5.0, 12),     // four for each in flight
        (fixed(1024), 1.0, 1.0, 250),
        (fixed(1024), 200.0, 1.0, 400),
        (fixed(1024), 1.0, 20.0, 30),
        (learned(40.0), 1.0, 100.0, 5), // half of what the rate promises in 250 ms
        (learned(4000.0), 1.0, 1.0, 250),
    ] {
        let whole = (0..1000).find(|nth| {
            let now = millis(latency + f64::from(*nth) * every);
            limiter.observe(now, Answer::Accepted, millis(latency), None);
            limiter.goodput.is_some()
        });
        assert_eq!(whole, Some(answers), "{latency} ms, every {every} ms");
        assert_near(limiter.goodput.unwrap(), 1000.0 / every);
    }
}

#[test]
fn latency_follows_slowly_and_outliers_count_for_little() {
    let mut limiter = Limiter::new(1024);
    let mut observe = |answer, latency| {
        limiter.observe(millis(9000.0), answer, millis(latency), None);
        limiter.latency.as_secs_f64() * 1e3
    };
    assert_near(observe(Answer::Accepted, 16.0), 16.0);
    assert_near(observe(Answer::Accepted, 32.0), 17.0);
    assert_near(observe(Answer::Overloaded, 90.0), 17.0);
    assert_near(observe(Answer::Accepted, 5000.0), 17.0 + 3.0 * 17.0 / 16.0);
}

#[test]
fn with_a_rate_the_limit_is_half_as_much_again_as_it_takes() {
    for (rate, latency, limit) in
        [(1000.0, 50.0, 75), (1000.0, 10.0, 32), (1000.0, 5000.0, 1024), (1000.0, 101.0, 152)]
    {
        let limiter = Limiter { latency: millis(latency), ..learned(rate) };
        assert_eq!(limiter.limit(), limit, "{rate} a second, {latency} ms");
    }
    let given = Limiter { search: None, ..learned(1000.0) };
    assert_eq!(given.limit(), 1024);
    assert_eq!((Limiter::fixed(0).limit(), Limiter::new(0).limit()), (1, 1));
}

#[test]
fn a_refusal_pauses_until_the_latest_time_that_was_asked_for() {
    let mut limiter = Limiter::new(1024);
    assert_eq!(limiter.paused_until(), Duration::ZERO);
    for (now, retry_after, until) in [
        (100.0, None, 120.0),
        (101.0, Some(500.0), 601.0),
        (200.0, None, 601.0),
        (200.0, Some(400.0), 601.0),
    ] {
        refuse(&mut limiter, now, retry_after);
        assert_eq!(limiter.paused_until(), millis(until));
    }
}

#[test]
fn errors_of_load_pause_once_they_lead_to_a_cut() {
    let mut limiter = Limiter::fixed(64);
    for _ in 0..4 {
        limiter.observe(millis(150.0), Answer::Overloaded, MOMENT, None);
    }
    accept(&mut limiter, 100.0, 349.0, 1.0);
    assert_eq!((limiter.rate(), limiter.paused_until()), (None, Duration::ZERO));
    accept(&mut limiter, 350.0, 350.0, 1.0);
    assert!(limiter.rate().is_some());
    assert_eq!(limiter.paused_until(), millis(370.0));
}

#[test]
fn a_window_without_a_sign_of_load_learns_no_rate() {
    let mut limiter = Limiter::fixed(64);
    for _ in 0..3 {
        limiter.observe(millis(150.0), Answer::Overloaded, MOMENT, None);
    }
    accept(&mut limiter, 100.0, 400.0, 1.0);
    assert_eq!(limiter.rate(), None);
}

/// As many errors as before show that load was not what they came from.
#[test]
fn a_cut_in_vain_is_undone() {
    let mut limiter = Limiter::new(1024);
    limiter.search.as_mut().unwrap().rest_at(200.0);
    let mut now = 1.0;
    // One in ten fails.
    let mut window = |limiter: &mut Limiter, until: fn(&Limiter) -> bool| {
        let began = now;
        while !until(limiter) && now < began + 3000.0 {
            limiter.observe(millis(now), Answer::Overloaded, MOMENT, None);
            accept(limiter, now, now + 9.0, 1.0);
            now += 10.0;
        }
        now - began
    };
    window(&mut limiter, |limiter| limiter.rate().is_some());
    let cut = limiter.rate().unwrap();
    assert!(limiter.limit() < 200);
    let took = window(&mut limiter, |limiter| limiter.rate().is_none());
    assert!((250.0..600.0).contains(&took), "cut to {cut}, {took} ms");
    assert_eq!(limiter.limit(), 200);
    let again = window(&mut limiter, |limiter| limiter.rate().is_some());
    assert!(again >= 3000.0, "after {again} ms");
}

#[test]
fn the_first_refusal_counts_at_once() {
    let mut limiter = Limiter::new(1024);
    accept(&mut limiter, 10.0, 34.0, 1.0);
    refuse(&mut limiter, 35.0, None);
    // 24 in 25 ms after the first, in what may have been a burst.
    assert_near(limiter.rate().unwrap(), 960.0 * 0.7);
}

#[test]
fn where_little_was_accepted_the_window_before_says_what_is_allowed() {
    let mut limiter = Limiter::fixed(500);
    accept(&mut limiter, 1.0, 251.0, 1.0);
    accept(&mut limiter, 251.5, 255.0, 0.5);
    refuse(&mut limiter, 256.0, None);
    assert_near(limiter.rate().unwrap(), 1000.0 * 0.95);
}

#[test]
fn where_nothing_is_known_requests_in_flight_and_their_latency_say_it() {
    for (smoothed, latency, rate) in
        [(0.0, 50.0, 640.0), (100.0, 50.0, 320.0), (0.0, 0.0, 32_000.0)]
    {
        let mut limiter = Limiter { latency: millis(smoothed), ..Limiter::new(1024) };
        limiter.observe(millis(200.0), Answer::Limited, millis(latency), None);
        assert_near(limiter.rate().unwrap(), rate * 0.7);
    }
}

#[test]
fn later_refusals_count_when_there_are_three_after_a_while_or_at_the_windows_end() {
    for (refusals, counts) in [
        (vec![(30.0, None); 2], false),
        (vec![(30.0, None); 3], true),
        (vec![(19.0, None); 9], false),
        (vec![(19.0, None), (19.0, None), (20.0, None)], true),
        (vec![(10.0, Some(101.0))], true),
        (vec![(10.0, Some(100.0))], false),
    ] {
        let mut limiter = learned(1000.0);
        for (now, retry_after) in &refusals {
            refuse(&mut limiter, *now, *retry_after);
        }
        assert_eq!(limiter.rate().unwrap() < 1000.0, counts, "{refusals:?}");
    }
    let mut limiter = learned(1000.0);
    refuse(&mut limiter, 30.0, None);
    accept(&mut limiter, 31.0, 280.0, 1.0);
    assert_near(limiter.rate().unwrap(), 1000.0);
    accept(&mut limiter, 281.0, 281.0, 1.0);
    assert!(limiter.rate().unwrap() < 1000.0, "the window's end");
}

#[test]
fn answers_to_requests_from_before_a_change_do_not_count() {
    let mut limiter = learned(1000.0);
    limiter.window = Window::after_change(millis(500.0));
    for (now, latency, limited) in [(550.0, 51.0, 0), (550.0, 50.0, 1)] {
        limiter.observe(millis(now), Answer::Limited, millis(latency), None);
        assert_eq!(limiter.window.limited, limited);
    }
}

#[test]
fn a_change_of_pace_begins_a_new_count() {
    let mut limiter = Limiter::new(1024);
    accept(&mut limiter, 1.0, 31.0, 1.0);
    assert_eq!((limiter.limit(), limiter.window.changed), (64, millis(31.0)));
    let mut fixed = Limiter::fixed(64);
    accept(&mut fixed, 1.0, 251.0, 1.0);
    assert_eq!(
        (fixed.window.changed, fixed.window.lasted(millis(252.0))),
        (Duration::ZERO, MOMENT)
    );
}

#[test]
fn a_rate_that_is_out_of_reach_leaves_its_limit_to_the_search() {
    let mut limiter = Limiter { latency: millis(100.0), ..learned(1000.0) };
    assert_eq!(limiter.limit(), 150);
    // Half of the rate, for eight windows of a quarter of a second.
    for nth in 0..2000 {
        let now = millis(200.0 + 2.0 * f64::from(nth));
        limiter.observe(now, Answer::Accepted, millis(100.0), None);
        if limiter.rate().is_none() {
            break;
        }
    }
    assert_eq!((limiter.rate(), limiter.limit()), (None, 150));
    let search = limiter.search.as_ref().unwrap();
    assert!(!search.is_doubling());
    assert_near(search.limit(), 150.0);
}
