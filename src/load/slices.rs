//! A load that several processes store in slices: the records of what is done, and what they cover.

use std::ops::Range;

use futures::{StreamExt, TryStreamExt, stream};

use super::error::Error;
use super::job::Job;
use super::resume::{before_the_work, stopped_early};
use crate::manifest::Contents;
use crate::pipeline::{Pages, Stats, list_all};
use crate::retry::Retry;
use crate::shard::{self, Ended, Entry, Record};
use crate::sink::{Fault, FaultKind, NameRange, NewObject, Precondition, Stored, TimedSink};

/// Records that are read, or deleted, at the same time.
const AT_ONCE: usize = 16;

/// The records of one load at one destination.
pub(super) struct Records<'a> {
    job: &'a Job,
    digest: &'a str,
    sink: &'a TimedSink,
    retry: &'a Retry,
    stats: &'a Stats,
}

impl<'a> Records<'a> {
    /// Those of a load that is done in slices; `None` for any other.
    pub(super) fn of(
        job: &'a Job,
        sink: &'a TimedSink,
        retry: &'a Retry,
        stats: &'a Stats,
    ) -> Option<Self> {
        Some(Self { digest: job.digest.as_deref()?, job, sink, retry, stats })
    }

    fn on_retry(&self) -> impl Fn(&Fault) + Copy + Send + Sync {
        |fault| self.stats.note_retry("the records of slices", fault)
    }

    /// The ranges that are stored, by one listing.
    pub(super) async fn list(&self) -> Result<Vec<Entry>, Error> {
        let folder = shard::folder(self.digest);
        let mut listed = Listed { folder: &folder, entries: Vec::new() };
        let within = NameRange::beginning_with(&folder);
        tokio::select! {
            done = list_all(self.sink, self.retry, within, &folder, self.on_retry(), &mut listed) => {
                done.map_err(|fault| before_the_work(self.sink.url(), fault))?;
            }
            () = self.retry.stop().cancelled() => return Err(stopped_early()),
        }
        let mut entries = listed.entries;
        entries.sort_unstable_by_key(|Entry(range)| (range.start, range.end));
        entries.dedup();
        Ok(entries)
    }

    /// The ranges of images that no record covers.
    pub(super) fn missing(&self, entries: &[Entry]) -> Vec<Range<u32>> {
        let ranges = entries.iter().map(|Entry(range)| range.clone());
        shard::missing(ranges, self.job.selection.count())
    }

    /// Whether this process's images are stored, whoever did it.
    pub(super) fn cover_slice(&self, entries: &[Entry]) -> bool {
        let Range { start, end } = self.job.slice;
        self.missing(entries).iter().all(|gap| gap.end <= start || gap.start >= end)
    }

    /// Writes the record of this process's images, which are all stored.
    pub(super) async fn write(&self, ended: Ended, seconds: f64) -> Result<(), Error> {
        let Range { start, end } = self.job.slice;
        let entry = Entry(start..end);
        let contents = self.job.images.contents.as_ref();
        let record = Record {
            version: shard::VERSION,
            digest: self.digest.to_owned(),
            start,
            end,
            ended,
            seconds,
            contents: contents.map(|contents| self.noted(contents)).transpose()?,
        };
        let name = self.name(&entry);
        let object = NewObject::of_bytes(name, record.to_bytes(), "application/json");
        let put = |within| self.sink.put(&object, Precondition::Absent, within);
        match self.retry.run(self.on_retry(), put).await.result {
            // Somebody else has stored the same range, or an answer was lost.
            Err(fault) if fault.kind == FaultKind::Precondition => Ok(()),
            Err(fault) => {
                let url = format!("{}/{}", self.sink.url(), object.name);
                Err(Error::NotRecorded { url, fault })
            }
            Ok(_) => Ok(()),
        }
    }

    fn noted(&self, contents: &Contents) -> Result<Vec<(u32, u32)>, Error> {
        let noted = self.job.slice.clone().map(|position| {
            let content = contents.get(self.job.selection.index(position));
            content.map(|content| (content.crc32c, content.size))
        });
        let noted: Option<Vec<_>> = noted.collect();
        noted.ok_or_else(|| Error::Internal("an image of the slice has no checksum".to_owned()))
    }

    /// Reads records: their figures together, and what manifests list of each image.
    pub(super) async fn read(&self, entries: &[Entry]) -> Result<Figures, Error> {
        let mut figures = Figures::default();
        let names = stream::iter(entries.to_vec()).map(|entry| self.read_one(entry));
        let mut read = names.buffer_unordered(AT_ONCE);
        while let Some(record) = read.try_next().await? {
            figures.add(&record);
            let (Some(contents), Some(noted)) = (&self.job.images.contents, record.contents) else {
                continue;
            };
            for (position, (crc32c, size)) in (record.start..).zip(noted) {
                contents.note(self.job.selection.index(position), crc32c, size.into());
            }
        }
        Ok(figures)
    }

    async fn read_one(&self, entry: Entry) -> Result<Record, Error> {
        let name = self.name(&entry);
        let url = format!("{}/{name}", self.sink.url());
        let content = self.retry.run(self.on_retry(), |within| self.sink.read(&name, within)).await;
        let content = content.result.map_err(|fault| before_the_work(&url, fault))?;
        let needs = self.job.images.contents.is_some();
        let in_range = entry.0.end <= self.job.selection.count();
        content
            .filter(|_| in_range)
            .ok_or_else(|| "it is gone, or of another load".to_owned())
            .and_then(|content| Record::read(&content, self.digest, &entry, needs))
            .map_err(|problem| Error::BadRecord { url, problem })
    }

    /// Deletes records.
    pub(super) async fn delete(&self, entries: &[Entry]) -> Result<(), Error> {
        let gone = stream::iter(entries.to_vec()).map(|entry| self.delete_one(entry));
        gone.buffer_unordered(AT_ONCE).try_collect::<()>().await
    }

    async fn delete_one(&self, entry: Entry) -> Result<(), Error> {
        let name = self.name(&entry);
        let gone = self.retry.run(self.on_retry(), |within| self.sink.delete(&name, within)).await;
        gone.result.map_err(|fault| {
            let url = format!("{}/{name}", self.sink.url());
            Error::NotDeleted { url, fault }
        })
    }

    fn name(&self, entry: &Entry) -> String {
        format!("{}{}", shard::folder(self.digest), entry.name())
    }
}

/// The records in a listing of their folder.
struct Listed<'a> {
    folder: &'a str,
    entries: Vec<Entry>,
}

impl Pages for Listed<'_> {
    async fn page(&mut self, page: Vec<Stored>) -> Result<(), Fault> {
        let names = page.iter().filter_map(|stored| stored.name.strip_prefix(self.folder));
        self.entries.extend(names.filter_map(Entry::parse));
        Ok(())
    }
}

/// What records say together.
#[derive(Debug, Default, Clone, Copy, PartialEq)]
pub(super) struct Figures {
    /// How images ended. An image that two slices have had counts twice.
    pub(super) ended: Ended,
    /// The seconds of all slices together.
    pub(super) seconds: f64,
}

impl Figures {
    fn add(&mut self, record: &Record) {
        let Ended { uploaded, already_present, retries } = record.ended;
        let sum = &mut self.ended;
        sum.uploaded = sum.uploaded.saturating_add(uploaded);
        sum.already_present = sum.already_present.saturating_add(already_present);
        sum.retries = sum.retries.saturating_add(retries);
        self.seconds += record.seconds;
    }
}
