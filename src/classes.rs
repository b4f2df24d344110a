//! The classes of a data set: their names, and their names as importers accept them.

use std::borrow::Cow;
use std::collections::HashMap;

/// The longest label, in characters.
const LONGEST_LABEL: usize = 32;

/// Two classes would get the same label.
#[derive(Debug, thiserror::Error, PartialEq, Eq)]
#[error("classes {first:?} and {second:?} both become the label {label:?}; rename one of them")]
pub struct LabelClash {
    first: String,
    second: String,
    label: String,
}

/// The classes that are named, by their numbers. Without any name every number is a class.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Classes {
    first: u32,
    names: Vec<String>,
    labels: Vec<String>,
}

impl Classes {
    /// Takes the names of the classes `first`, `first + 1` … and cleans them.
    ///
    /// # Errors
    /// When two names become one label.
    pub fn new(names: Vec<String>, first: u32) -> Result<Self, LabelClash> {
        let label = |(nth, name): (usize, &String)| {
            if name.contains(|c: char| c.is_ascii_alphanumeric()) {
                return clean(name);
            }
            // Nothing of it would be left.
            format!("class_{}", nth as u64 + u64::from(first))
        };
        let labels: Vec<String> = names.iter().enumerate().map(label).collect();
        let mut seen = HashMap::new();
        for (label, name) in labels.iter().zip(&names) {
            if let Some(before) = seen.insert(label, name) {
                let (first, second) = (before.clone(), name.clone());
                return Err(LabelClash { first, second, label: label.clone() });
            }
        }
        Ok(Self { first, names, labels })
    }

    /// How many classes are named.
    pub fn len(&self) -> usize {
        self.names.len()
    }

    /// Whether no class is named.
    pub fn is_empty(&self) -> bool {
        self.names.is_empty()
    }

    /// The numbers of the named classes.
    pub fn numbers(&self) -> impl Iterator<Item = u32> + use<> {
        (0..self.names.len()).map_while({
            let first = self.first;
            move |nth| first.checked_add(u32::try_from(nth).ok()?)
        })
    }

    /// Whether images may be of class `number`: where classes are named, it must be one of them.
    pub fn allow(&self, number: u32) -> bool {
        self.is_empty() || self.position(number).is_some_and(|at| at < self.len())
    }

    /// The name of a class as the data set has it, where it has one.
    pub fn name(&self, number: u32) -> Option<&str> {
        self.names.get(self.position(number)?).map(String::as_str)
    }

    /// The label of a class, which every importer takes: its cleaned name, or `class_<number>` where it
    /// has none.
    pub fn label(&self, number: u32) -> Cow<'_, str> {
        match self.position(number).and_then(|at| self.labels.get(at)) {
            Some(label) => label.into(),
            None => format!("class_{number}").into(),
        }
    }

    fn position(&self, number: u32) -> Option<usize> {
        usize::try_from(number.checked_sub(self.first)?).ok()
    }
}

/// A name that both importers take: a letter, then letters, digits and underscores, at most 32.
/// Every other run of characters becomes one underscore; a name that does not begin with a letter
/// gets `class_` before it. `T-shirt/top` becomes `T_shirt_top`, `7` becomes `class_7`.
pub(crate) fn clean(name: &str) -> String {
    let words: Vec<&str> =
        name.split(|c: char| !c.is_ascii_alphanumeric()).filter(|word| !word.is_empty()).collect();
    let mut label = words.join("_");
    if !label.starts_with(|c: char| c.is_ascii_alphabetic()) {
        label = format!("class_{label}");
    }
    label.truncate(LONGEST_LABEL);
    label
}

/// Whether a text can be the label of a class, whatever the data set.
pub(crate) fn is_label(text: &str) -> bool {
    let allowed = |c: char| c.is_ascii_alphanumeric() || c == '_';
    text.starts_with(|c: char| c.is_ascii_alphabetic())
        && text.len() <= LONGEST_LABEL
        && text.chars().all(allowed)
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn classes(names: &[&str], first: u32) -> Result<Classes, LabelClash> {
        Classes::new(names.iter().map(|&name| name.to_owned()).collect(), first)
    }

    #[test]
    fn cleans_names() {
        for (name, label) in [
            ("T-shirt/top", "T_shirt_top"),
            ("Ankle boot", "Ankle_boot"),
            ("Coat", "Coat"),
            ("7", "class_7"),
            ("あ", "class_"),
            ("_x_", "x"),
        ] {
            assert_eq!(clean(name), label);
        }
    }

    #[test]
    fn classes_are_numbered_from_the_first() {
        let letters = classes(&["A/a", "B"], 1).unwrap();
        assert_eq!(letters.numbers().collect::<Vec<_>>(), [1, 2]);
        let allowed = [0, 1, 2, 3].map(|number| letters.allow(number));
        assert_eq!(allowed, [false, true, true, false]);
        assert_eq!((letters.name(1), letters.name(0)), (Some("A/a"), None));
        assert_eq!((&*letters.label(1), &*letters.label(2)), ("A_a", "B"));
    }

    #[test]
    fn unnamed_classes_get_their_number() {
        let none = Classes::default();
        assert!(none.allow(u32::MAX));
        assert_eq!((none.name(7), &*none.label(7)), (None, "class_7"));
    }

    #[test]
    fn names_of_other_scripts_get_their_number() {
        let kana = classes(&["お", "き", "su す"], 5).unwrap();
        assert_eq!(
            [5, 6, 7].map(|number| kana.label(number).into_owned()),
            ["class_5", "class_6", "su"]
        );
        assert_eq!(classes(&["a", "b"], u32::MAX).unwrap().numbers().count(), 1);
    }

    #[test]
    fn a_clash_is_an_error() {
        let says = classes(&["A b", "A/b"], 0).unwrap_err().to_string();
        assert!(says.contains("\"A b\" and \"A/b\""), "{says}");
    }

    proptest! {
        #[test]
        fn any_name_becomes_a_valid_label(name: String) {
            let label = clean(&name);
            prop_assert!(label.len() <= LONGEST_LABEL);
            prop_assert!(label.starts_with(|c: char| c.is_ascii_alphabetic()));
            prop_assert!(label.chars().all(|c| c.is_ascii_alphanumeric() || c == '_'));
        }
    }
}
