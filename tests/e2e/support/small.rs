//! A small data set at a mirror, described by a user's entry, and its way to a folder.

use std::fs;
use std::io::Read;
use std::path::PathBuf;
use std::sync::Mutex;

use idx2gcs::source::{Catalogue, FetchProgress, SourceError, payload};
use tempfile::TempDir;

use crate::support::family::{Kind, kind, zip};
use crate::support::gzip;
use crate::support::mirror::Mirror;

/// A small data set at a mirror, and a folder to bring it to.
pub struct Small {
    pub mirror: Mirror,
    pub published: TempDir,
    pub target: TempDir,
    pub kind: &'static Kind,
    /// The user's entry, to be changed before it is used.
    pub text: String,
    /// Addresses that failed, and why.
    pub failed: Mutex<Vec<String>>,
}

impl Small {
    pub async fn new(name: &str) -> Self {
        let published = tempfile::tempdir().unwrap();
        let kind = kind(name);
        kind.publish(published.path());
        let mirror = Mirror::of(published.path()).await;
        let text = kind.entry(&mirror.url, published.path());
        let target = tempfile::tempdir().unwrap();
        Self { mirror, published, target, kind, text, failed: Mutex::default() }
    }

    /// Fetches from the entry's own mirrors, after others.
    pub async fn fetch_from(&self, before: &[&str]) -> Result<(), SourceError> {
        let catalogue = Catalogue::builtin().with_text(&self.text).unwrap();
        let entry = catalogue.get(self.kind.name).unwrap();
        let mut mirrors: Vec<_> = before.iter().map(|&url| url.to_owned()).collect();
        mirrors.extend(entry.mirrors.clone());
        let failed = |progress: FetchProgress<'_>| {
            if let FetchProgress::Failed(url, why) = progress {
                self.failed.lock().unwrap().push(format!("{url}: {why}"));
            }
        };
        idx2gcs::source::fetch(entry, &mirrors, self.target.path(), &failed).await
    }

    pub async fn fetch(&self) -> Result<(), SourceError> {
        self.fetch_from(&[]).await
    }

    pub async fn error(&self) -> String {
        let error = self.fetch().await.unwrap_err().to_string();
        assert!(!error.contains('\n'), "{error}");
        error
    }

    pub fn target(&self, name: &str) -> PathBuf {
        self.target.path().join(name)
    }

    /// What lies in the target folder.
    pub fn names(&self) -> Vec<String> {
        let names = fs::read_dir(&self.target).unwrap();
        let mut names: Vec<_> =
            names.map(|name| name.unwrap().file_name().into_string().unwrap()).collect();
        names.sort();
        names
    }

    /// All files are there with their content, and nothing else is.
    pub fn assert_complete(&self) {
        let mut names = Vec::new();
        for (name, bytes) in self.kind.files() {
            names.push(format!("{name}.gz"));
            let mut found = Vec::new();
            let path = self.target(names.last().unwrap());
            payload(&path).unwrap().read_to_end(&mut found).unwrap();
            assert!(found == bytes, "{name}");
        }
        names.sort();
        assert_eq!(self.names(), names);
    }

    /// Puts another zip in the place of the mirror's, with true sums in the entry or without sums.
    pub fn replace_zip(&mut self, members: &[(String, Vec<u8>)], sums: bool) {
        let (archive, _) = self.kind.archive.unwrap();
        fs::write(self.published.path().join(archive), zip(members)).unwrap();
        self.text = self.kind.entry(&self.mirror.url, self.published.path());
        if !sums {
            self.text = without(&self.text, "archive.bytes");
            self.text = without(&self.text, "archive.md5");
            self.text = without(&self.text, "archive.sha256");
        }
    }

    /// The members of a zip as it should be.
    pub fn members(&self) -> Vec<(String, Vec<u8>)> {
        let files = self.kind.files().into_iter();
        files.map(|(name, bytes)| (format!("gzip/{name}.gz"), gzip(&bytes))).collect()
    }
}

/// A text without the lines that begin so.
pub fn without(text: &str, key: &str) -> String {
    text.lines().filter(|line| !line.starts_with(key)).collect::<Vec<_>>().join("\n")
}
