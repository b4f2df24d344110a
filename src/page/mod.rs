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

use std::fs;
use std::io;
use std::path::{Path, PathBuf};

pub use self::data::{
    ByPartition, Class, Figures, HTML, Import, JSON, Outcome, Psnr, Report, SampleImage, SplitUsed,
    Spread,
};
pub use self::sheet::Sampler;

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
        let drafts =
            [Draft::write(folder, HTML, &self.html())?, Draft::write(folder, JSON, &self.json()?)?];
        drafts.iter().try_for_each(Draft::publish)
    }
}

/// Removes pages that are not whole, for a process that leaves at once.
pub fn remove_drafts(folder: &Path) {
    for name in [HTML, JSON] {
        // There may be none.
        let _ = fs::remove_file(partial_path(folder, name));
    }
}

fn partial_path(folder: &Path, name: &str) -> PathBuf {
    folder.join(format!("{name}.partial"))
}

/// A file under a name that is not its own. Dropped, it is removed.
struct Draft {
    partial: PathBuf,
    path: PathBuf,
}

impl Draft {
    fn write(folder: &Path, name: &str, text: &str) -> io::Result<Self> {
        let draft = Self { partial: partial_path(folder, name), path: folder.join(name) };
        fs::write(&draft.partial, text)?;
        Ok(draft)
    }

    fn publish(&self) -> io::Result<()> {
        fs::rename(&self.partial, &self.path)
    }
}

impl Drop for Draft {
    fn drop(&mut self) {
        // After a publication there is nothing left to remove.
        let _ = fs::remove_file(&self.partial);
    }
}

#[cfg(test)]
mod tests;
