//! Gets files from the first mirror that has them.

use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use super::archive::{self, Extracted};
use super::check::{SLACK, check_archive, check_file, check_whole};
use super::download::{Download, Verify, partial_of};
use super::present::{Missing, Wanted};
use super::progress::{FetchError, FetchProgress, cannot_write};
use crate::source::catalogue::{Archive, Entry};
use crate::source::error::SourceError;

/// Bytes of a file of which nothing is known.
const MOST: u64 = 1 << 36;

pub(super) type OnProgress<'a> = dyn Fn(FetchProgress<'_>) + Sync + 'a;

/// What all downloads of an entry have in common.
pub(super) struct Fetch<'a> {
    pub(super) client: reqwest::Client,
    /// After all mirrors failed, those whose fault may pass are asked again after these times.
    pub(super) waits: &'a [Duration],
    pub(super) entry: &'a Entry,
    pub(super) mirrors: &'a [String],
    pub(super) folder: &'a Path,
    pub(super) progress: &'a OnProgress<'a>,
}

/// A file to download.
struct Target<'a> {
    name: &'a str,
    /// Its size, where known exactly.
    whole: Option<u64>,
    /// More bytes than this are refused.
    most: u64,
    verify: Verify,
    then: Then,
}

/// What is done with a file that is complete and right.
enum Then {
    /// It gets its name.
    Keep,
    /// Members are taken out of it, and it is removed.
    Extract(Archive, Arc<Vec<Wanted>>),
}

impl Fetch<'_> {
    /// Downloads all files that are missing.
    ///
    /// # Errors
    /// Names each mirror that was asked and what it answered, or the file that cannot be written.
    pub(super) async fn bring(&self, missing: Missing) -> Result<(), SourceError> {
        for file in missing.files {
            let (name, whole) = (&file.name.clone(), file.bytes);
            let verify: Verify = Arc::new(move |path: &Path| check_whole(path, &file));
            let most = whole.unwrap_or(MOST);
            let target = Target { name, whole, most, verify, then: Then::Keep };
            self.download(&target, Failed::new(self, name)).await?;
        }
        match &self.entry.archive {
            Some(archive) if !missing.parts.is_empty() => {
                self.unpack(archive, Arc::new(missing.parts)).await
            }
            _ => {
                for Wanted { file, name, records } in missing.parts {
                    let most = file.bytes.map_or(MOST, |bytes| bytes + SLACK);
                    let verify: Verify =
                        Arc::new(move |path: &Path| check_file(path, &file, records));
                    let (whole, then) = (None, Then::Keep);
                    let target = Target { name: &name, whole, most, verify, then };
                    self.download(&target, Failed::new(self, &name)).await?;
                }
                Ok(())
            }
        }
    }

    /// Takes the wanted files out of an archive, which is downloaded unless it is in the folder.
    async fn unpack(&self, archive: &Archive, wanted: Arc<Vec<Wanted>>) -> Result<(), SourceError> {
        let known = archive.clone();
        let verify: Verify = Arc::new(move |path: &Path| check_archive(path, &known));
        let mut failed = Failed::new(self, &archive.name);
        let own = self.folder.join(&archive.name);
        if own.is_file() {
            // It was put here by hand, and stays.
            let (verify, path) = (Arc::clone(&verify), own.clone());
            let right = tokio::task::spawn_blocking(move || verify(&path)).await;
            let extracted = match right {
                Ok(Ok(())) => self.extract(&own, archive, &wanted).await,
                Ok(Err(why)) => Err(FetchError::Mirror(why.into_text())),
                Err(panic) => Err(panic.into()),
            };
            match extracted {
                Ok(()) => return Ok(()),
                Err(e) => {
                    failed.add(&own.display().to_string(), e, !self.mirrors.is_empty())?;
                }
            }
        }
        let (name, whole) = (&archive.name, archive.bytes);
        let then = Then::Extract(archive.clone(), wanted);
        let target = Target { name, whole, most: whole.unwrap_or(MOST), verify, then };
        self.download(&target, failed).await
    }

    /// Asks one mirror after the other, and after a while once more those whose fault may pass.
    async fn download(
        &self,
        target: &Target<'_>,
        mut failed: Failed<'_>,
    ) -> Result<(), SourceError> {
        let mut urls: Vec<String> = self.addresses(target.name).collect();
        let mut waits = self.waits.iter();
        loop {
            let mut again = Vec::new();
            for (i, url) in urls.iter().enumerate() {
                let Err(error) = self.attempt(url, target).await else { return Ok(()) };
                if matches!(error, FetchError::Passing(_)) {
                    again.push(url.clone());
                }
                failed.add(url, error, i + 1 < urls.len())?;
            }
            match waits.next() {
                Some(wait) if !again.is_empty() => {
                    (self.progress)(FetchProgress::Waiting(*wait));
                    tokio::time::sleep(*wait).await;
                    urls = again;
                }
                _ => return Err(failed.into_error()),
            }
        }
    }

    async fn attempt(&self, url: &str, target: &Target<'_>) -> Result<(), FetchError> {
        let path = self.folder.join(target.name);
        let partial = partial_of(&path);
        let download = Download {
            client: &self.client,
            url,
            name: target.name,
            partial: &partial,
            whole: target.whole,
            most: target.most,
            verify: Arc::clone(&target.verify),
            progress: self.progress,
        };
        download.run().await?;
        match &target.then {
            Then::Keep => {
                let renamed = tokio::fs::rename(&partial, &path).await;
                renamed.map_err(|e| FetchError::Final(cannot_write(&path, e)))?;
                (self.progress)(FetchProgress::Done(false));
                Ok(())
            }
            Then::Extract(archive, wanted) => {
                let extracted = self.extract(&partial, archive, wanted).await;
                // A full disk or a defect does not make the archive worthless.
                if !matches!(extracted, Err(FetchError::Final(_))) {
                    download.discard().await;
                }
                extracted
            }
        }
    }

    async fn extract(
        &self,
        path: &Path,
        archive: &Archive,
        wanted: &Arc<Vec<Wanted>>,
    ) -> Result<(), FetchError> {
        let (path, archive, folder) = (path.to_owned(), archive.clone(), self.folder.to_owned());
        let wanted = Arc::clone(wanted);
        let (report, mut reports) = tokio::sync::mpsc::unbounded_channel();
        let task = tokio::task::spawn_blocking(move || {
            archive::extract(&path, &archive, &folder, &wanted, &|what| {
                // Nobody listens any more once the download has been given up.
                let _ = report.send(what);
            })
        });
        while let Some(what) = reports.recv().await {
            match what {
                Extracted::Member(name, size) => {
                    (self.progress)(FetchProgress::File(&name, Some(size)));
                }
                Extracted::Bytes(more) => (self.progress)(FetchProgress::Bytes(more)),
            }
        }
        task.await??;
        (self.progress)(FetchProgress::Done(false));
        Ok(())
    }

    fn addresses(&self, name: &str) -> impl Iterator<Item = String> {
        self.mirrors.iter().map(move |mirror| format!("{}/{name}", mirror.trim_end_matches('/')))
    }
}

/// The addresses that were asked in vain, and why, the last time.
struct Failed<'a> {
    fetch: &'a Fetch<'a>,
    file: String,
    tried: Vec<(String, String)>,
}

impl<'a> Failed<'a> {
    fn new(fetch: &'a Fetch<'a>, file: &str) -> Self {
        Self { fetch, file: file.to_owned(), tried: Vec::new() }
    }

    /// Notes an address that failed, and reports it where another follows; what no mirror can mend
    /// ends everything.
    fn add(&mut self, url: &str, error: FetchError, more: bool) -> Result<(), SourceError> {
        let why = match error {
            FetchError::Final(error) => return Err(error),
            FetchError::Mirror(why) | FetchError::Passing(why) => why,
        };
        if more {
            (self.fetch.progress)(FetchProgress::Failed(url, &why));
        }
        match self.tried.iter_mut().find(|(tried, _)| tried == url) {
            Some((_, before)) => *before = why,
            None => self.tried.push((url.to_owned(), why)),
        }
        Ok(())
    }

    fn into_error(self) -> SourceError {
        let Self { fetch, file, tried } = self;
        SourceError::NotFetched { file, dataset: fetch.entry.name.clone(), tried }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::source::Catalogue;

    #[tokio::test]
    async fn a_panic_is_a_defect_and_no_mirrors_fault() {
        let dir = tempfile::tempdir().unwrap();
        let catalogue = Catalogue::builtin();
        let (failures, mirrors) =
            (std::sync::Mutex::new(0), ["http://a.invalid", "http://b.invalid"]);
        let fetch = Fetch {
            client: crate::http::client().build().unwrap(),
            waits: &[],
            entry: catalogue.get("mnist").unwrap(),
            mirrors: &mirrors.map(str::to_owned),
            folder: dir.path(),
            progress: &|what| {
                *failures.lock().unwrap() += u32::from(matches!(what, FetchProgress::Failed(..)));
            },
        };
        // A whole file from an earlier run is verified before any mirror is asked.
        std::fs::write(partial_of(&dir.path().join("file")), b"abc").unwrap();
        let verify: Verify = Arc::new(|_: &Path| panic!("index out of bounds"));
        let target = Target { name: "file", whole: Some(3), most: 3, verify, then: Then::Keep };
        let error = fetch.download(&target, Failed::new(&fetch, "file")).await.unwrap_err();
        assert!(
            matches!(&error, SourceError::Defect(what) if what.contains("index out of bounds"))
        );
        assert_eq!(*failures.lock().unwrap(), 0, "no mirror is blamed");
        assert!(dir.path().join("file.partial").is_file(), "what was downloaded is kept");
    }
}
