//! Scripted answers: exactly which request goes wrong, and how.

use std::fmt;
use std::ops::RangeInclusive;
use std::sync::Arc;
use std::time::Duration;

/// Which kind of request a rule is aimed at.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Operation {
    /// A request that carries an object's bytes: media, multipart, a `PUT` of a resumable session,
    /// or a part of the XML API. The key is the object name.
    Insert,
    /// The `POST` that opens a resumable session, or a multipart upload of the XML API. The key is the object name.
    Session,
    /// An object's metadata. The key is the object name.
    Get,
    /// An object's bytes. The key is the object name.
    Download,
    /// A change of an object's metadata. The key is the object name.
    Patch,
    /// A copy, a rewrite or a move. The key is the new object's name.
    Copy,
    /// A composition, or the end of a multipart upload of the XML API. The key is the new object's name.
    Compose,
    /// An object's deletion. The key is the object name.
    Delete,
    /// A page of a listing. The key is the `prefix`, empty without one.
    List,
    /// Any request about a bucket itself. The key is the bucket's name, empty for the list of
    /// buckets.
    Bucket,
}

/// What the client gets instead of, or around, the true answer.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Answer {
    /// A status without doing the work. [`Answer::status`] is the short form.
    Status {
        /// The HTTP status code.
        code: u16,
        /// The `reason` in Google's error JSON; a usual one when absent.
        reason: Option<String>,
        /// A `Retry-After` header, in whole seconds, rounded up.
        retry_after: Option<Duration>,
        /// The body instead of Google's error JSON.
        body: Option<String>,
    },
    /// Closes the connection; the work is not done.
    ResetBefore,
    /// Does the work, then closes the connection without an answer.
    ResetAfterWrite,
    /// Does the work, sends half of the answer's body, then closes.
    CutBody,
    /// Does the work, then answers 200 with a body that is not JSON.
    Garbage,
    /// Never answers; the work is not done and the connection stays open.
    Stall,
    /// Waits, then does the work and answers truly.
    Delay(Duration),
    /// Does the work, waits, then answers truly.
    LateAnswer(Duration),
    /// Does the work and answers with another `crc32c`.
    WrongCrc32c,
    /// Does the work and answers with another `name`.
    WrongName,
    /// Does the work and answers with another `size`.
    WrongSize,
}

impl Operation {
    /// Whether it writes an object, as the random faults and the write rate have it.
    pub(crate) fn is_write(self) -> bool {
        matches!(self, Self::Insert | Self::Patch | Self::Copy | Self::Compose)
    }
}

impl Answer {
    /// A status with Google's usual reason and message for it.
    pub fn status(code: u16) -> Self {
        Self::Status { code, reason: None, retry_after: None, body: None }
    }

    /// 401 `authError`, as for an access token that has run out.
    pub fn unauthorized() -> Self {
        Self::status(401)
    }

    /// Whether the request's work is done under this answer.
    pub(crate) fn does_the_work(&self) -> bool {
        !matches!(self, Self::Status { .. } | Self::ResetBefore | Self::Stall)
    }
}

type Predicate = Arc<dyn Fn(&str) -> bool + Send + Sync>;

/// Which requests get one [`Answer`].
///
/// Without further calls a rule fits every key and every attempt.
#[derive(Clone)]
pub struct Rule {
    operation: Operation,
    key: Option<Predicate>,
    attempts: RangeInclusive<u32>,
    answer: Answer,
}

impl Rule {
    /// Answers every request of one kind.
    pub fn new(operation: Operation, answer: Answer) -> Self {
        Self { operation, key: None, attempts: 1..=u32::MAX, answer }
    }

    /// Only for this exact key (see [`Operation`]).
    #[must_use]
    pub fn named(self, key: impl Into<String>) -> Self {
        let key = key.into();
        self.matching(move |other| other == key)
    }

    /// Only for keys (see [`Operation`]) that the predicate accepts.
    #[must_use]
    pub fn matching(mut self, predicate: impl Fn(&str) -> bool + Send + Sync + 'static) -> Self {
        self.key = Some(Arc::new(predicate));
        self
    }

    /// Only for the `number`th request with the same operation, bucket and key, counted from 1.
    #[must_use]
    pub fn attempt(self, number: u32) -> Self {
        self.attempts(number..=number)
    }

    /// Only for these attempts, counted from 1.
    #[must_use]
    pub fn attempts(mut self, numbers: RangeInclusive<u32>) -> Self {
        self.attempts = numbers;
        self
    }

    fn fits(&self, operation: Operation, key: &str, attempt: u32) -> bool {
        self.operation == operation
            && self.attempts.contains(&attempt)
            && self.key.as_ref().is_none_or(|predicate| predicate(key))
    }
}

impl fmt::Debug for Rule {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Rule")
            .field("operation", &self.operation)
            .field("any_key", &self.key.is_none())
            .field("attempts", &self.attempts)
            .field("answer", &self.answer)
            .finish()
    }
}

/// Rules in order of precedence: the first that fits decides, before the random
/// [`Faults`](crate::Faults).
///
/// ```
/// use idx2gcs_emulator::{Answer, Operation, Rule, Script};
///
/// let script = Script::new()
///     .with(Rule::new(Operation::Insert, Answer::status(503)).named("a.jpg").attempts(1..=2))
///     .with(Rule::new(Operation::List, Answer::ResetBefore).attempt(1));
/// # drop(script);
/// ```
#[derive(Debug, Clone, Default)]
pub struct Script {
    rules: Vec<Rule>,
}

impl Script {
    /// A script without rules: every request is answered truly.
    pub fn new() -> Self {
        Self::default()
    }

    /// Adds a rule after those that are there.
    #[must_use]
    pub fn with(mut self, rule: Rule) -> Self {
        self.rules.push(rule);
        self
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.rules.is_empty()
    }

    pub(crate) fn answer(&self, operation: Operation, key: &str, attempt: u32) -> Option<&Answer> {
        self.rules.iter().find(|rule| rule.fits(operation, key, attempt)).map(|rule| &rule.answer)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_first_rule_that_fits_decides() {
        let script = Script::new()
            .with(Rule::new(Operation::Insert, Answer::Stall).named("a").attempt(2))
            .with(Rule::new(Operation::Insert, Answer::Garbage).matching(|n| n.starts_with('a')))
            .with(Rule::new(Operation::List, Answer::CutBody));
        let insert = |key, attempt| script.answer(Operation::Insert, key, attempt);
        assert_eq!(insert("a", 1), Some(&Answer::Garbage));
        assert_eq!(insert("a", 2), Some(&Answer::Stall));
        assert_eq!(insert("ab", 2), Some(&Answer::Garbage));
        assert_eq!(insert("b", 1), None);
        assert_eq!(script.answer(Operation::Get, "a", 2), None);
        assert_eq!(script.answer(Operation::List, "", 9), Some(&Answer::CutBody));
    }
}
