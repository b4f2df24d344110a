//! Stores one object exactly once, whatever happens to requests and answers.

use std::sync::Arc;

use tokio::time::Instant;

use crate::config::IfExists;
use crate::pace::Rate;
use crate::report::Stats;
use crate::retry::Retry;
use crate::sink::{Fault, FaultKind, NewObject, Precondition, Sink, Stored};

/// Between one look and the next write somebody else may be faster; not for ever.
const ROUNDS: u32 = 5;

/// How objects are stored.
pub struct Storing {
    /// Where.
    pub sink: Arc<dyn Sink>,
    /// What to do with what is there.
    pub if_exists: IfExists,
    /// Trying again.
    pub retry: Retry,
    /// Writes a second.
    pub rate: Rate,
    /// The counters.
    pub stats: Arc<Stats>,
}

/// How an object came to be stored.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Ending {
    /// By this run.
    Written,
    /// It was there, with the same content.
    AlreadyPresent,
}

/// Why an object is not stored.
#[derive(Debug, Clone, thiserror::Error)]
pub enum Refusal {
    /// Something else is there.
    #[error("{0}")]
    Conflict(String),
    /// The last attempt's fault.
    #[error(transparent)]
    Fault(#[from] Fault),
}

impl Storing {
    /// Stores `object`; `seen` is what is known to be there. Also returns the upload attempts.
    pub async fn store(
        &self,
        object: &NewObject,
        seen: Option<Stored>,
    ) -> (Result<Ending, Refusal>, u32) {
        let mut attempts = 0;
        let mut there = seen;
        for _ in 0..ROUNDS {
            let condition = match there {
                None => Precondition::Absent,
                Some(ref there) => match self.judge(object, there, attempts) {
                    Ok(generation) => Precondition::Generation(generation),
                    Err(ending) => return (ending, attempts),
                },
            };
            let tried = self.put(object, condition).await;
            attempts += tried.attempts;
            match tried.result {
                Ok(_) => return (Ok(Ending::Written), attempts),
                Err(fault) if fault.kind == FaultKind::Precondition => {}
                Err(fault) => return (Err(fault.into()), attempts),
            }
            // Somebody wrote it, or it was us and the answer got lost: look.
            match self.stat(&object.name).await {
                Ok(stored) => there = stored,
                Err(fault) => return (Err(fault.into()), attempts),
            }
        }
        let again = format!("{} keeps being written by somebody else", object.name);
        (Err(Refusal::Conflict(again)), attempts)
    }

    /// Stores `object` over whatever is there, unless it is the same. For manifests, of which the
    /// last one counts.
    ///
    /// # Errors
    /// Why it is not stored.
    pub async fn replace(&self, object: &NewObject) -> Result<(), Refusal> {
        for _ in 0..ROUNDS {
            let condition = match self.stat(&object.name).await? {
                Some(there) if there.holds(object) => return Ok(()),
                Some(there) => Precondition::Generation(there.generation),
                None => Precondition::Absent,
            };
            let noted = |fault: &Fault| self.note_retry(&object.name, fault);
            match self.retry.run(noted, || self.sink.put(object, condition)).await.result {
                Ok(_) => return Ok(()),
                Err(fault) if fault.kind == FaultKind::Precondition => {}
                Err(fault) => return Err(fault.into()),
            }
        }
        let again = format!("{} keeps being written by somebody else", object.name);
        Err(Refusal::Conflict(again))
    }

    /// What to do about an object that is there: replace that generation (`Ok`), or nothing more.
    fn judge(
        &self,
        object: &NewObject,
        there: &Stored,
        attempts: u32,
    ) -> Result<u64, Result<Ending, Refusal>> {
        if there.holds(object) {
            // After two attempts or more the first may have been carried out unseen.
            let ours = attempts > 1;
            return Err(match self.if_exists {
                _ if ours => Ok(Ending::Written),
                IfExists::Skip | IfExists::Overwrite => Ok(Ending::AlreadyPresent),
                IfExists::Fail => Err(Refusal::Conflict(format!("{} exists already", object.name))),
            });
        }
        match self.if_exists {
            IfExists::Overwrite => Ok(there.generation),
            IfExists::Skip | IfExists::Fail => Err(Err(Refusal::Conflict(format!(
                "{} exists with other content: {} bytes with CRC32C {:08x} there, {} bytes with \
                 {:08x} here",
                object.name,
                there.size,
                there.crc32c,
                object.body.size(),
                object.crc32c
            )))),
        }
    }

    async fn put(
        &self,
        object: &NewObject,
        condition: Precondition,
    ) -> crate::retry::Tried<Stored> {
        let attempt = || async {
            self.rate.ready().await;
            let _in_flight = self.stats.begin_attempt();
            let began = Instant::now();
            let answer = self.sink.put(object, condition).await;
            if answer.is_ok() {
                self.stats.answered(began.elapsed());
            }
            answer
        };
        self.retry.run(|fault| self.note_retry(&object.name, fault), attempt).await
    }

    async fn stat(&self, name: &str) -> Result<Option<Stored>, Fault> {
        let noted = |fault: &Fault| self.note_retry(name, fault);
        self.retry.run(noted, || self.sink.stat(name)).await.result
    }

    fn note_retry(&self, object: &str, fault: &Fault) {
        tracing::debug!(object, %fault, cause = %fault.kind, "trying again");
        self.stats.retried(fault.kind);
    }
}
