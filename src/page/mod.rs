//! The report page: what a data set holds, how its load went and how to import it, as
//! `report.html` for people and `report.json` for programs.
//!
//! A [`Report`] is plain data. Everything in it is passed in, and what is not known stays out: each
//! part may be absent, and the page has no heading for it then. The page is one file without scripts
//! that asks nothing of any network.

mod axis;
mod chart;
mod classes;
mod data;
mod document;
mod findings;
mod imports;
mod outcome;
mod sheet;
mod text;
mod timeline;

use std::io::{self, Write};
use std::path::Path;

pub use self::data::{
    ByPartition, Class, Figures, Outcome, Psnr, Report, SampleImage, SplitUsed, Spread,
};
pub(crate) use self::data::{HTML, JSON};
pub use self::sheet::Sampler;
use crate::files::{Complete, Partial};

impl Report {
    /// The page.
    pub fn html(&self) -> String {
        document::page(self).into_string()
    }

    /// The same for programs.
    ///
    /// # Errors
    /// None that this type can cause.
    pub fn json(&self) -> serde_json::Result<String> {
        serde_json::to_string_pretty(self).map(|text| text + "\n")
    }

    /// Writes `report.html` and `report.json` into the folder, each whole or not at all: neither
    /// takes its name before both are written.
    ///
    /// # Errors
    /// When the folder cannot be written.
    pub fn write(&self, folder: &Path) -> io::Result<()> {
        let file = |name, text: String| -> io::Result<Complete> {
            let mut partial = Partial::create(&folder.join(name))?;
            partial.write_all(text.as_bytes())?;
            partial.complete()
        };
        let files = [file(HTML, self.html())?, file(JSON, self.json()?)?];
        files.into_iter().try_for_each(|file| file.publish().map(drop))
    }
}

#[cfg(test)]
mod tests;
