//! Object names: a template filled in for each image; and the rules for names.

mod error;
mod matching;
mod piece;
mod rules;
mod template;

use std::ops::Range;
use std::sync::Arc;

pub use self::error::NameError;
pub(crate) use self::piece::Identity;
#[cfg(any(feature = "cli", test))]
pub(crate) use self::rules::{check_bucket_name, check_object_name};
pub use self::template::Template;
use crate::classes::Classes;
use crate::model::Item;

/// A template together with what is the same for all images of a run.
#[derive(Debug, Clone)]
pub(crate) struct Names {
    /// The template.
    pub template: Template,
    /// The classes, for `{class}`.
    pub classes: Arc<Classes>,
}

impl Names {
    /// The name of one image, below the prefix.
    pub(crate) fn name(&self, item: &Item) -> String {
        self.template.fill(item, &self.classes)
    }

    /// Whether the template can give this name to an image of any data set.
    pub(crate) fn could_make(&self, name: &str) -> bool {
        self.template.makes(name)
    }

    /// From which name on, and before which, the names of the images with these indices lie, where
    /// names sort by index.
    pub(crate) fn between(&self, indices: &Range<u32>) -> Option<(String, String)> {
        self.template.between(indices)
    }

    /// A text with which every name begins, maybe empty.
    pub(crate) fn literal_prefix(&self) -> &str {
        self.template.literal_prefix()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::{ImageFormat, Partition};

    #[test]
    fn an_image_is_named_by_template_and_classes() {
        let names = |template| Names {
            template: Template::parse(template, "").unwrap(),
            classes: Arc::new(Classes::new(vec!["T-shirt/top".to_owned()], 0).unwrap()),
        };
        let (partition, format) = (Partition::Test, ImageFormat::Png);
        let item = Item { index: 7, label: Some(0), partition, format, hash: 0 };
        let folders = names("{partition}/{class}/{index:03}.{ext}");
        assert_eq!(folders.name(&item), "test/T_shirt_top/007.png");
        // A class of another data set.
        assert!(folders.could_make("train/Bag/007.jpg"));
        assert!(!folders.could_make("train/Bag/007.txt"));
        for (template, prefix) in [
            ("image_{index}", "image_"),
            ("a/b/{index}", "a"),
            ("{index}.jpg", ""),
            ("{class}/{index}", ""),
        ] {
            assert_eq!(names(template).literal_prefix(), prefix, "{template}");
        }
    }
}
