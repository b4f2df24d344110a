//! What an earlier load left: objects under names that this load's template could give, but that none of
//! this load's images has, and manifests in other formats. With another split, corrected labels, fewer images or another format the same
//! picture would lie there under two names.

use std::collections::{BTreeSet, HashMap};
use std::fmt;
use std::sync::Arc;

use futures::{StreamExt, TryStreamExt, stream};

use super::earlier;
use super::error::Error;
use super::job::Job;
use super::resume::list_existing;
use crate::pace::Gate;
use crate::pipeline::{Existing, Stats, Storing};
use crate::retry::Retry;
use crate::retry::policy::is_refusal;
use crate::sink::{Fault, FaultKind, Purpose, Stored, TimedSink};
use crate::text::thousands;

/// Names that a message gives.
const EXAMPLES: usize = 3;

/// Deletions under way at a time; the pace may allow fewer.
const DELETIONS: usize = 64;

/// Objects of an earlier load.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Leftovers {
    /// All of them, or the first where only a message needs some.
    names: BTreeSet<String>,
    count: u64,
}

impl Leftovers {
    /// How many there are.
    pub fn count(&self) -> u64 {
        self.count
    }

    /// Their names below the prefix, in order.
    pub fn names(&self) -> impl Iterator<Item = &str> {
        self.names.iter().map(String::as_str)
    }

    /// One that differs in nothing but case from one of these names, and that name.
    fn twin(&self, mut names: impl Iterator<Item = String>) -> Option<(String, String)> {
        let lower: HashMap<_, _> = self.names().map(|left| (left.to_lowercase(), left)).collect();
        if lower.is_empty() {
            return None;
        }
        names.find_map(|name| Some(((*lower.get(&name.to_lowercase())?).to_owned(), name)))
    }

    fn add(&mut self, name: String, most: usize) {
        self.count += 1;
        self.names.insert(name);
        if self.names.len() > most {
            self.names.pop_last();
        }
    }
}

impl fmt::Display for Leftovers {
    /// `23 objects of an earlier load, such as a, b, c`.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let plural = if self.count == 1 { "" } else { "s" };
        write!(f, "{} object{plural} of an earlier load", thousands(self.count))?;
        for (nth, name) in self.names().take(EXAMPLES).enumerate() {
            write!(f, "{} {name}", if nth == 0 { ", such as" } else { "," })?;
        }
        Ok(())
    }
}

/// All that an earlier load left.
pub(super) async fn find(
    job: &Arc<Job>,
    sink: &TimedSink,
    retry: &Retry,
    stats: &Stats,
) -> Result<Leftovers, Error> {
    let mut all = Leftovers::default();
    let on_other = |stored: Stored| {
        if job.images.names.could_make(&stored.name) {
            all.add(stored.name, usize::MAX);
        }
    };
    list_existing(job, sink, retry, stats, Purpose::Write, on_other).await?;
    for name in earlier::manifests(job, sink, retry, stats).await? {
        all.add(name, usize::MAX);
    }
    match all.twin(job.items().map(|item| job.images.names.name(&item))) {
        Some((left, name)) if sink.names_are_files() => {
            Err(Error::Twins { url: sink.url().to_owned(), left, name })
        }
        _ => Ok(all),
    }
}

/// The objects of this load that exist. Nothing else may lie under names that its template could give
/// but what is deleted when this load is complete.
pub(super) async fn existing_without_others(
    job: &Arc<Job>,
    sink: &TimedSink,
    retry: &Retry,
    stats: &Stats,
    deleted_later: &Leftovers,
) -> Result<Existing, Error> {
    let mut others = Leftovers::default();
    let on_other = |stored: Stored| {
        let name = stored.name;
        if job.images.names.could_make(&name) && !deleted_later.names.contains(&name) {
            others.add(name, EXAMPLES);
        }
    };
    let existing = list_existing(job, sink, retry, stats, Purpose::Write, on_other).await?;
    for name in earlier::manifests(job, sink, retry, stats).await? {
        if !deleted_later.names.contains(&name) {
            others.add(name, EXAMPLES);
        }
    }
    if others.count == 0 {
        return Ok(existing);
    }
    let (url, as_a_whole) = (sink.url().to_owned(), sink.counts_as_a_whole());
    Err(Error::Leftovers { url, leftovers: others, as_a_whole })
}

/// Deletes them. `deleted` counts those that are gone, also where some cannot be deleted.
pub(super) async fn delete(
    leftovers: &Leftovers,
    storing: &Storing,
    deleted: &mut u64,
) -> Result<(), Error> {
    let names = stream::iter(leftovers.names.clone());
    let mut gone = names.map(|name| delete_one(storing, name)).buffer_unordered(DELETIONS);
    while gone.try_next().await?.is_some() {
        *deleted += 1;
    }
    Ok(())
}

async fn delete_one(storing: &Storing, name: String) -> Result<(), Error> {
    let Storing { sink, retry, stats, pace, .. } = storing;
    let on_retry = |fault: &Fault| stats.note_retry(&name, fault);
    let gate = pace.as_deref().map_or(Gate::Open, Gate::Turn);
    let gone = retry.run_through(gate, on_retry, |within| sink.delete(&name, within)).await;
    gone.result.map_err(|fault| {
        let url = format!("{}/{name}", sink.url());
        match fault.kind {
            FaultKind::Stopped => Error::StoppedBefore("the earlier load's objects were deleted"),
            kind if is_refusal(kind) => Error::Refused { url, fault },
            _ => Error::NotDeleted { url, fault },
        }
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_that_differ_in_case_alone_are_found() {
        let mut left = Leftovers::default();
        for name in ["a/1.jpg", "B/2.jpg"] {
            left.add(name.to_owned(), usize::MAX);
        }
        let twin = |names: &[&str]| left.twin(names.iter().map(|name| (*name).to_owned()));
        let both = Some(("B/2.jpg".to_owned(), "b/2.jpg".to_owned()));
        assert_eq!(twin(&["a/2.jpg", "b/2.jpg"]), both);
        assert_eq!(twin(&["b/1.jpg"]), None);
    }

    #[test]
    fn a_message_gives_a_number_and_the_first_names() {
        let mut few = Leftovers::default();
        few.add("b".to_owned(), EXAMPLES);
        assert_eq!(few.to_string(), "1 object of an earlier load, such as b");
        for n in (0..2000).rev() {
            few.add(format!("a{n:04}"), EXAMPLES);
        }
        let text = "2,001 objects of an earlier load, such as a0000, a0001, a0002";
        assert_eq!(few.to_string(), text);
        assert_eq!((few.count(), few.names().count()), (2001, 3));
    }
}
