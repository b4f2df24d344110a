//! How the images of a run ended: what decides whether a load is complete.

use std::sync::atomic::{AtomicU32, Ordering::Relaxed};

use parking_lot::Mutex;
use tokio::task::JoinError;

use super::{ImageFailure, NotStored, State};
use crate::encode::EncodeError;
use crate::sink::Fault;
use crate::source::SourceError;

/// The images of a run by how they ended, counted by the pipeline itself.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Counts {
    /// Images of the run.
    pub images: u32,
    /// Written in this run.
    pub uploaded: u32,
    /// Existed before, with the same content.
    pub already_present: u32,
    /// Failed, whatever the reason: those below included.
    pub failed: u32,
    /// Failed because an object with other content exists, or any object where none may.
    pub conflicts: u32,
    /// Failed because of a defect of this program.
    pub defects: u32,
}

impl Counts {
    /// Images without any end: the run was stopped before.
    pub fn not_attempted(self) -> u32 {
        self.images.saturating_sub(self.uploaded + self.already_present + self.failed)
    }

    /// Whether every image is stored.
    pub fn is_complete(self) -> bool {
        u64::from(self.uploaded) + u64::from(self.already_present) == u64::from(self.images)
    }
}

/// Why a run was stopped by a failure.
#[derive(Debug, Clone)]
pub(crate) enum Stop {
    /// The destination refuses every object.
    Refused(Fault),
    /// The destination does not work; the last fault.
    Dead(Fault),
    /// `on_error = "abort"`.
    OnError,
}

/// How a run ended.
#[derive(Debug, Default)]
pub(crate) struct RunResult {
    /// The images by their ends.
    pub counts: Counts,
    /// The source was found bad on the way.
    pub source: Option<SourceError>,
    /// The first failure that stopped the run.
    pub stop: Option<Stop>,
    /// The images that cannot be encoded, if any.
    pub unencodable: Option<Unencodable>,
    /// A panic of the decoder, which is a defect.
    pub decoder_panic: Option<String>,
}

/// Images that cannot be encoded: a rerun would end the same way.
#[derive(Debug, Clone)]
pub(crate) struct Unencodable {
    /// How many.
    pub count: u32,
    /// The lowest index among them.
    pub index: u32,
    /// Why that one cannot be encoded.
    pub why: EncodeError,
}

impl RunResult {
    fn cannot_encode(&mut self, index: u32, why: &EncodeError) {
        match &mut self.unencodable {
            Some(known) => {
                known.count += 1;
                if index < known.index {
                    (known.index, known.why) = (index, why.clone());
                }
            }
            none => *none = Some(Unencodable { count: 1, index, why: why.clone() }),
        }
    }
}

/// Counts while a run goes on; without locks where nothing fails.
#[derive(Debug)]
pub(super) struct Tally {
    uploaded: AtomicU32,
    already_present: AtomicU32,
    rest: Mutex<RunResult>,
}

impl Tally {
    pub(super) fn new(images: u32) -> Self {
        let counts = Counts { images, ..Counts::default() };
        Self {
            uploaded: AtomicU32::new(0),
            already_present: AtomicU32::new(0),
            rest: Mutex::new(RunResult { counts, ..RunResult::default() }),
        }
    }

    pub(super) fn ended(&self, state: State) {
        match state {
            State::Uploaded(_) => drop(self.uploaded.fetch_add(1, Relaxed)),
            State::AlreadyPresent => drop(self.already_present.fetch_add(1, Relaxed)),
            State::Failed => self.rest.lock().counts.failed += 1,
        }
    }

    pub(super) fn failed(&self, failure: &ImageFailure, stop: Option<Stop>) {
        let mut rest = self.rest.lock();
        rest.counts.failed += 1;
        rest.counts.conflicts += u32::from(matches!(failure.error, NotStored::Conflict(_)));
        if let NotStored::Encoding(why) = &failure.error {
            rest.cannot_encode(failure.index, why);
        }
        rest.counts.defects += u32::from(failure.error.is_defect());
        if rest.stop.is_none() {
            rest.stop = stop;
        }
    }

    pub(super) fn source_failed(&self, error: SourceError) {
        self.rest.lock().source = Some(error);
    }

    pub(super) fn decoder_panicked(&self, panic: &JoinError) {
        self.rest.lock().decoder_panic = Some(panic.to_string());
    }

    /// The end of the run; nothing is counted after it.
    pub(super) fn result(&self) -> RunResult {
        let mut result = std::mem::take(&mut *self.rest.lock());
        result.counts.uploaded = self.uploaded.load(Relaxed);
        result.counts.already_present = self.already_present.load(Relaxed);
        result
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::sink::FaultKind;

    #[test]
    fn ends_add_up_to_the_images() {
        let tally = Tally::new(6);
        tally.ended(State::Uploaded(3));
        tally.ended(State::AlreadyPresent);
        let fail = |error| ImageFailure { index: 0, object: String::new(), attempts: 1, error };
        tally.failed(&fail(NotStored::Conflict("other".to_owned())), None);
        tally.failed(&fail(NotStored::Panicked), Some(Stop::OnError));
        tally.failed(&fail(Fault::new(FaultKind::CutOff, "").into()), None);
        let RunResult { counts, stop, unencodable, .. } = tally.result();
        let Counts { uploaded, already_present, failed, conflicts, defects, .. } = counts;
        assert_eq!((uploaded, already_present, failed, conflicts, defects), (1, 1, 3, 1, 1));
        assert_eq!((counts.not_attempted(), counts.is_complete()), (1, false));
        assert!(matches!(stop, Some(Stop::OnError)));
        assert!(unencodable.is_none());
        let stored = Counts { images: 2, uploaded: 1, already_present: 1, ..Counts::default() };
        assert!(stored.is_complete());
    }

    #[test]
    fn the_first_image_that_cannot_be_encoded_is_named() {
        let tally = Tally::new(9);
        for index in [7, 3, 5] {
            let error = NotStored::Encoding(EncodeError(format!("damage {index}")));
            let failure = ImageFailure { index, object: String::new(), attempts: 0, error };
            tally.failed(&failure, None);
        }
        let Unencodable { count, index, why } = tally.result().unencodable.unwrap();
        assert_eq!((count, index), (3, 3));
        assert!(why.to_string().ends_with("damage 3"), "{why}");
    }
}
