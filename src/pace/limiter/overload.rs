//! Whether errors have to do with load.
//!
//! A service that fails one request in twenty whatever it is asked is no reason to slow down; one
//! that fails because too much is asked is. Both look the same until less is asked: so a cut is made,
//! and if as many fail as before it is undone, and that share is the baseline from then on.

/// Errors beyond the baseline in a window that are a sign.
const SIGN: f64 = 3.0;

/// The baseline may double without being a sign.
const TOLERATED: f64 = 2.0;

/// A share of errors beyond this is never taken for the baseline.
const HIGHEST_BASELINE: f64 = 0.25;

/// What a window changes the baseline by.
const LEARNED: f64 = 0.1;

/// Answers that show whether a cut has helped, and the parts of the share before that are a verdict:
/// above the first it has not, below the second it has.
const ENOUGH_ANSWERS: f64 = 100.0;
const IN_VAIN: f64 = 0.5;
const OF_HELP: f64 = 0.25;

/// Errors as a service makes them that is overloaded, or broken.
#[derive(Debug, Clone, Default)]
pub(super) struct Overload {
    /// The share of answers that are errors and have nothing to do with load.
    baseline: f64,
    trial: Option<Trial>,
}

/// A cut whose effect is awaited.
#[derive(Debug, Clone)]
struct Trial {
    /// The share of errors that led to it.
    share: f64,
    /// Answers since, and errors among them.
    answers: f64,
    errors: f64,
}

impl Overload {
    /// Whether so many errors among a window's answers are a sign of load.
    pub(super) fn shows(&self, errors: u32, answers: u32) -> bool {
        f64::from(errors) - TOLERATED * self.baseline * f64::from(answers) >= SIGN
    }

    /// Notes that less is asked from now on because of a window with errors; says whether that is the
    /// first cut since the last verdict.
    pub(super) fn cut(&mut self, errors: u32, answers: u32) -> bool {
        if self.trial.is_some() {
            return false;
        }
        let errors = f64::from(errors);
        // Errors that happen to come together look like more: less one standard deviation.
        let share = (errors - errors.sqrt()) / f64::from(answers.max(1));
        self.trial = Some(Trial { share, answers: 0.0, errors: 0.0 });
        true
    }

    /// Takes a window's answers, and says whether the cuts have turned out to be in vain.
    pub(super) fn learn(&mut self, errors: u32, answers: u32) -> bool {
        let (errors, answers) = (f64::from(errors), f64::from(answers.max(1)));
        let share = errors / answers;
        self.baseline = (self.baseline + (share - self.baseline) * LEARNED).min(HIGHEST_BASELINE);
        let Some(trial) = &mut self.trial else { return false };
        trial.errors += errors;
        trial.answers += answers;
        if trial.answers < ENOUGH_ANSWERS {
            return false;
        }
        let (share, before) = (trial.errors / trial.answers, trial.share);
        let in_vain = share > before * IN_VAIN && share < HIGHEST_BASELINE;
        if in_vain {
            self.baseline = share;
        }
        if in_vain || share < before * OF_HELP {
            self.trial = None;
        }
        in_vain
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_share_that_stays_becomes_the_baseline() {
        let mut overload = Overload::default();
        assert!(overload.shows(5, 100));
        overload.cut(5, 100);
        assert!(overload.learn(5, 100), "in vain");
        assert!(!overload.shows(7, 100));
        assert!(overload.shows(20, 100), "much more is a sign again");
    }

    #[test]
    fn a_share_that_goes_was_load() {
        let mut overload = Overload::default();
        overload.cut(10, 100);
        assert!(!overload.learn(1, 100));
        assert!(overload.shows(10, 100));
    }

    #[test]
    fn half_of_all_is_never_the_baseline() {
        let mut overload = Overload::default();
        overload.cut(50, 100);
        (0..100).for_each(|_| assert!(!overload.learn(50, 100)));
        assert!(overload.shows(60, 100));
    }

    #[test]
    fn three_errors_beyond_twice_the_baseline_are_a_sign() {
        let mut overload = Overload::default();
        assert!(overload.shows(3, 1000) && !overload.shows(2, 1000));
        // One in ten, in the end.
        (0..200).for_each(|_| assert!(!overload.learn(10, 100), "no cut, no verdict"));
        assert!(overload.shows(24, 100) && !overload.shows(22, 100));
        assert!(overload.shows(203 + 2, 1000) && !overload.shows(202, 1000));
    }

    #[test]
    fn a_window_moves_the_baseline_by_a_tenth() {
        let mut overload = Overload::default();
        overload.learn(50, 100);
        // A baseline of one in twenty.
        assert!(overload.shows(13, 99) && !overload.shows(12, 100));
        overload.learn(0, 0);
        assert!(overload.shows(13, 110), "no answers are no errors");
    }

    #[test]
    fn one_cut_is_on_trial_at_a_time() {
        let mut overload = Overload::default();
        assert!(overload.cut(20, 100));
        assert!(!overload.cut(20, 100));
        assert!(!overload.learn(0, 100), "of help");
        assert!(overload.cut(20, 100));
    }

    /// 16 errors of 100 may be 12 and bad luck: in vain above 6, of help below 3.
    #[test]
    fn a_cut_is_judged_by_the_share_that_led_to_it() {
        for (errors, in_vain, decided) in
            [(7, true, true), (6, false, false), (3, false, false), (2, false, true)]
        {
            let mut overload = Overload::default();
            overload.cut(16, 100);
            assert_eq!(overload.learn(errors, 100), in_vain, "{errors}");
            assert_eq!(overload.cut(16, 100), decided, "{errors}");
        }
    }

    #[test]
    fn a_verdict_takes_a_hundred_answers() {
        let mut overload = Overload::default();
        overload.cut(16, 100);
        assert!(!overload.learn(7, 50) && !overload.learn(0, 49));
        assert!(overload.learn(1, 1), "8 of 100");
        let mut overload = Overload::default();
        overload.cut(16, 100);
        assert!(!overload.learn(0, 50) && !overload.cut(1, 1), "not yet");
    }

    #[test]
    fn a_quarter_is_too_much_for_a_baseline() {
        let mut overload = Overload::default();
        overload.cut(40, 100);
        assert!(!overload.learn(25, 100));
        assert!(overload.learn(23, 100), "24 of 100 on average");
    }
}
