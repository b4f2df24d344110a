//! Stores one object exactly once, whatever happens to requests and answers.

use std::sync::Arc;

use strum::{Display, EnumString, IntoStaticStr, VariantNames};
use tokio::time::Instant;

use super::decision::{ExistingAction, Rule, decide};
use super::existing::with_checksum;
use super::{ImageFailure, NotStored, Refusals, State, Stats, Stop, Work};
use crate::pace::{Gate, Pace};
use crate::retry::{Retry, Tried};
use crate::sink::{Fault, FaultKind, IfExists, NewObject, Precondition, Stored, TimedSink};

/// Between one look and the next write somebody else may be faster; not for ever.
const ROUNDS: u32 = 5;

/// What follows an image whose attempts are used up.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Display, EnumString, IntoStaticStr, VariantNames)]
#[strum(serialize_all = "kebab-case")]
pub enum OnError {
    /// The other images.
    Continue,
    /// The end of the run.
    Abort,
}

/// How objects are stored.
pub(crate) struct Storing {
    /// Where.
    pub sink: Arc<TimedSink>,
    /// What to do with what is there.
    pub if_exists: IfExists,
    /// Whether what somebody else writes meanwhile is replaced as well.
    pub last_wins: bool,
    /// Trying again.
    pub retry: Arc<Retry>,
    /// What follows a failed image.
    pub on_error: OnError,
    /// How many are in flight, and how fast; manifests need not ask.
    pub pace: Option<Arc<Pace>>,
    /// The counters.
    pub stats: Arc<Stats>,
    /// The refusals in a row, which end the run once they are many.
    pub refusals: Refusals,
}

/// What is written of an object.
#[derive(Clone, Copy)]
enum Write {
    /// All of it.
    Content(Precondition),
    /// The custom metadata of a generation.
    Metadata(u64),
}

impl Work for Storing {
    async fn object(
        &self,
        object: NewObject,
        seen: Option<Stored>,
    ) -> Result<State, (NotStored, u32)> {
        let ended = self.store(&object, seen).await;
        // An object that needs no write says nothing of whether writes are refused.
        if matches!(ended, Ok(State::Uploaded(_))) {
            self.refusals.stored();
        }
        ended
    }

    fn stops_at(&self, failure: &ImageFailure) -> Option<Stop> {
        let fault = match &failure.error {
            NotStored::Fault(fault) => Some(fault),
            _ => None,
        };
        let refuses_all = self.refusals.failed(fault.map(|fault| fault.kind));
        match &failure.error {
            NotStored::Fault(fault) if refuses_all => Some(Stop::Refused(fault.clone())),
            NotStored::Fault(fault) if self.retry.is_dead() => Some(Stop::Dead(fault.clone())),
            _ => (self.on_error == OnError::Abort).then_some(Stop::OnError),
        }
    }
}

impl Storing {
    /// The same for manifests, of which the last one counts: what is there is replaced, and the
    /// figures are not those of images.
    #[must_use]
    pub(crate) fn for_manifests(&self) -> Self {
        Self {
            sink: Arc::clone(&self.sink),
            if_exists: IfExists::Overwrite,
            last_wins: true,
            retry: Arc::clone(&self.retry),
            on_error: self.on_error,
            pace: None,
            stats: Arc::new(Stats::new(0, Arc::clone(self.stats.pace()))),
            refusals: Refusals::default(),
        }
    }

    /// Stores one object; `existing` is the object under its name, as far as one is known.
    ///
    /// # Errors
    /// Why it is not stored, and after how many upload attempts.
    pub(crate) async fn store(
        &self,
        object: &NewObject,
        existing: Option<Stored>,
    ) -> Result<State, (NotStored, u32)> {
        let rule = Rule { if_exists: self.if_exists, last_wins: self.last_wins };
        let mut attempts = 0;
        let mut there = existing;
        let mut nothing_there = 0;
        for round in 0..ROUNDS {
            let known = with_checksum(there, || self.stat(&object.name)).await;
            there = known.map_err(|fault| (fault.into(), attempts))?;
            let write = match &there {
                None => Write::Content(Precondition::Absent),
                Some(there) => match decide(rule, object, there, round, attempts) {
                    ExistingAction::Replace => {
                        Write::Content(Precondition::Generation(there.generation))
                    }
                    ExistingAction::Annotate => Write::Metadata(there.generation),
                    ExistingAction::Keep(state) => return Ok(state),
                    ExistingAction::Conflict(why) => {
                        return Err((NotStored::Conflict(why), attempts));
                    }
                },
            };
            let tried = self.write(object, write).await;
            attempts += tried.attempts;
            let failed = match tried.result {
                Ok(bytes) => return Ok(State::Uploaded(bytes)),
                Err(fault) if fault.kind == FaultKind::Precondition => fault,
                Err(fault) => return Err((fault.into(), attempts)),
            };
            // Somebody wrote it, or it was us and the answer got lost: look.
            there = self.stat(&object.name).await.map_err(|fault| (fault.into(), attempts))?;
            // Once, somebody may have deleted it in between.
            nothing_there += u32::from(there.is_none());
            if nothing_there > 1 {
                let said = format!("{}, although no object has the name", failed.message);
                return Err((Fault::new(FaultKind::Status(412), said).into(), attempts));
            }
        }
        let contested = format!("{} keeps being written by somebody else", object.name);
        Err((NotStored::Conflict(contested), attempts))
    }

    /// What is stored under a name.
    ///
    /// # Errors
    /// The last attempt's fault.
    pub(crate) async fn stat(&self, name: &str) -> Result<Option<Stored>, Fault> {
        let noted = |fault: &Fault| self.stats.note_retry(name, fault);
        let gate = self.pace.as_deref().map_or(Gate::Open, Gate::Permit);
        self.retry.run_through(gate, noted, |within| self.sink.stat(name, within)).await.result
    }

    /// Writes an object or its metadata; how many bytes of content were stored.
    async fn write(&self, object: &NewObject, write: Write) -> Tried<u64> {
        let attempt = |within| async move {
            let _in_flight = self.stats.begin_attempt();
            let began = Instant::now();
            match write {
                Write::Content(condition) => drop(self.sink.put(object, condition, within).await?),
                Write::Metadata(generation) => {
                    self.sink.annotate(object, generation, within).await?;
                }
            }
            self.stats.answered(began.elapsed());
            Ok(match write {
                Write::Content(_) => object.body.size(),
                Write::Metadata(_) => 0,
            })
        };
        let noted = |fault: &Fault| self.stats.note_retry(&object.name, fault);
        let gate = self.pace.as_deref().map_or(Gate::Open, Gate::Turn);
        self.retry.run_through(gate, noted, attempt).await
    }
}
