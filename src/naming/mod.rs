//! Object names: a template filled in for each image; and the rules for names.

mod error;
mod piece;
mod rules;
mod template;

use std::sync::Arc;

pub use self::error::NameError;
pub use self::piece::Identity;
pub use self::rules::{check_bucket_name, check_object_name};
pub use self::template::Template;
use crate::classes::Classes;
use crate::model::Item;

/// A template together with what is the same for all images of a run.
#[derive(Debug, Clone)]
pub struct Names {
    /// The template.
    pub template: Template,
    /// The classes, for `{class}`.
    pub classes: Arc<Classes>,
}

impl Names {
    /// The name of one image, below the prefix.
    pub fn name(&self, item: &Item) -> String {
        self.template.fill(item, &self.classes)
    }

    /// The text with which every name begins.
    pub fn literal_prefix(&self) -> &str {
        self.template.literal_prefix()
    }
}
