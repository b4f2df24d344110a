//! Class labels as Vertex AI accepts them.

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

/// The label of each class: its cleaned name, or `class_<n>` where it has none.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Labels(Vec<String>);

impl Labels {
    /// Cleans the class names; `classes[n]` is the name of label `n`.
    ///
    /// # Errors
    /// When two names become one label.
    pub fn new(classes: &[String]) -> Result<Self, LabelClash> {
        let mut seen = HashMap::new();
        let mut labels = Vec::with_capacity(classes.len());
        for class in classes {
            let label = clean(class);
            if let Some(first) = seen.insert(label.clone(), class) {
                return Err(LabelClash { first: first.clone(), second: class.clone(), label });
            }
            labels.push(label);
        }
        Ok(Self(labels))
    }

    /// The label of class `label`.
    pub fn get(&self, label: u8) -> String {
        self.0.get(usize::from(label)).cloned().unwrap_or_else(|| clean(&label.to_string()))
    }
}

/// A name that both importers take: a letter, then letters, digits and underscores, at most 32.
/// Every other run of characters becomes one underscore; a name that does not begin with a letter
/// gets `class_` before it. `T-shirt/top` becomes `T_shirt_top`, `7` becomes `class_7`.
fn clean(name: &str) -> String {
    let words: Vec<&str> =
        name.split(|c: char| !c.is_ascii_alphanumeric()).filter(|word| !word.is_empty()).collect();
    let mut label = words.join("_");
    if !label.starts_with(|c: char| c.is_ascii_alphabetic()) {
        label = format!("class_{label}");
    }
    label.truncate(LONGEST_LABEL);
    label
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

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
    fn unnamed_classes_get_their_number() {
        let labels = Labels::new(&["Coat".to_owned()]).unwrap();
        assert_eq!((labels.get(0), labels.get(1)), ("Coat".to_owned(), "class_1".to_owned()));
    }

    #[test]
    fn a_clash_is_an_error() {
        let names = ["A b", "A/b"].map(str::to_owned);
        let says = Labels::new(&names).unwrap_err().to_string();
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
