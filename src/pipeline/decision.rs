//! What is done about an object that exists under the name that is to be written (pure).

use crate::sink::{IfExists, NewObject, Stored};

use super::State;

/// What is done about an existing object.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum ExistingAction {
    /// Write over the generation that was seen.
    Replace,
    /// Give the generation that was seen its custom metadata: the content is right.
    Annotate,
    /// Nothing: it is what would be written. The state is that of the image.
    Keep(State),
    /// Nothing: it may not be changed; why, for a person.
    Conflict(String),
}

/// How an object is written.
#[derive(Debug, Clone, Copy)]
pub(super) struct Rule {
    /// What the user wants of existing objects.
    pub(super) if_exists: IfExists,
    /// Whether an object that somebody else wrote since the start is replaced as well.
    pub(super) last_wins: bool,
}

/// The decision about one object: `existing` has its name, `round` counts the times that it was looked
/// up for this write, from 0, and `attempts` the write attempts until now.
pub(super) fn decide(
    rule: Rule,
    object: &NewObject,
    existing: &Stored,
    round: u32,
    attempts: u32,
) -> ExistingAction {
    if existing.holds(object) && existing.carries(&object.metadata) {
        // After two attempts or more the first may have been carried out unseen.
        return match rule.if_exists {
            _ if attempts > 1 => ExistingAction::Keep(State::Uploaded(object.body.size())),
            IfExists::Skip | IfExists::Overwrite => ExistingAction::Keep(State::AlreadyPresent),
            IfExists::Fail => ExistingAction::Conflict(format!("{} exists already", object.name)),
        };
    }
    match rule.if_exists {
        // The content from before the start; what came since is somebody else's.
        IfExists::Overwrite if round == 0 || rule.last_wins => {
            if existing.holds(object) {
                ExistingAction::Annotate
            } else {
                ExistingAction::Replace
            }
        }
        IfExists::Overwrite => ExistingAction::Conflict(format!(
            "{} was written by somebody else meanwhile",
            object.name
        )),
        IfExists::Skip | IfExists::Fail => ExistingAction::Conflict(existing.diff(object)),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::sink::{Body, Metadata};

    fn object() -> NewObject {
        NewObject {
            name: "a".to_owned(),
            body: Body::Bytes("abc".into()),
            crc32c: 7,
            content_type: "image/png",
            metadata: Vec::new(),
        }
    }

    fn existing(crc32c: u32) -> Stored {
        Stored::new("a".to_owned(), 3, Some(crc32c), 5)
    }

    fn decided(if_exists: IfExists, last_wins: bool, same: bool, round: u32, n: u32) -> String {
        let rule = Rule { if_exists, last_wins };
        let existing = existing(if same { 7 } else { 8 });
        match decide(rule, &object(), &existing, round, n) {
            ExistingAction::Replace => "replace".to_owned(),
            ExistingAction::Annotate => "annotate".to_owned(),
            ExistingAction::Keep(State::Uploaded(3)) => "uploaded".to_owned(),
            ExistingAction::Keep(state) => format!("{state:?}"),
            ExistingAction::Conflict(why) => why,
        }
    }

    /// Rows: the rule, whether the last writer wins, whether the content is the same, round, attempts.
    #[test]
    fn every_combination_has_its_decision() {
        use IfExists::{Fail, Overwrite, Skip};
        let differs = "a exists with other content";
        for (if_exists, last_wins, same, round, attempts, says) in [
            (Skip, false, true, 0, 0, "AlreadyPresent"),
            (Skip, false, true, 1, 1, "AlreadyPresent"),
            (Skip, false, true, 1, 2, "uploaded"),
            (Skip, false, false, 0, 0, differs),
            (Skip, true, false, 1, 2, differs),
            (Overwrite, false, true, 0, 0, "AlreadyPresent"),
            (Overwrite, false, true, 1, 2, "uploaded"),
            (Overwrite, false, false, 0, 0, "replace"),
            (Overwrite, false, false, 1, 1, "a was written by somebody else meanwhile"),
            (Overwrite, true, false, 1, 1, "replace"),
            (Fail, false, true, 0, 0, "a exists already"),
            (Fail, false, true, 1, 1, "a exists already"),
            (Fail, false, true, 1, 2, "uploaded"),
            (Fail, false, false, 0, 0, differs),
        ] {
            let decided = decided(if_exists, last_wins, same, round, attempts);
            assert!(
                decided.starts_with(says),
                "{if_exists} {last_wins} {same} {round} {attempts}: {decided}"
            );
        }
    }

    #[test]
    fn the_same_content_with_other_metadata_is_annotated_or_a_conflict() {
        use IfExists::{Fail, Overwrite, Skip};
        let mut object = object();
        object.metadata = vec![("label", "7".to_owned())];
        let existing = |value: &str| {
            let pairs = [("label".to_owned(), value.to_owned())].into();
            Stored { metadata: Metadata::Pairs(pairs), ..existing(7) }
        };
        let decided = |if_exists, last_wins, value, round| {
            decide(Rule { if_exists, last_wins }, &object, &existing(value), round, 1)
        };
        let present = ExistingAction::Keep(State::AlreadyPresent);
        assert_eq!(decided(Skip, false, "7", 0), present);
        assert_eq!(decided(Overwrite, false, "7", 0), present);
        assert_eq!(decided(Overwrite, false, "8", 0), ExistingAction::Annotate);
        assert_eq!(decided(Overwrite, true, "8", 1), ExistingAction::Annotate);
        for conflict in [(Skip, 0), (Fail, 0), (Overwrite, 1)] {
            let decided = decided(conflict.0, false, "8", conflict.1);
            assert!(matches!(decided, ExistingAction::Conflict(_)), "{conflict:?} {decided:?}");
        }
    }
}
