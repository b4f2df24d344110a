//! What is known before the destination is asked, and what loading and verifying share.

use std::sync::Arc;

use crate::config::Settings;
use crate::encode::Encoder;
use crate::error::Error;
use crate::manifest::{Labels, Row};
use crate::pipeline::{Existing, Images, list_all};
use crate::report::Stats;
use crate::retry::{Chance, Limits, Retry};
use crate::sink::{Fault, NameRange, Sink, Stored};
use crate::source::{DataSet, SourceError};
use crate::split::Split;

/// Before the work begins a destination that does not answer is given up after so many attempts.
const CHECK_ATTEMPTS: u32 = 4;

/// A data set and what is to be made of it.
pub struct Job {
    /// The opened data set.
    pub data: DataSet,
    /// How records become objects.
    pub images: Images,
    /// The labels that manifests use.
    pub labels: Labels,
    /// Images of this run: the data set's, or the limit.
    pub count: u32,
}

impl Job {
    /// Draws the split and checks that the settings fit the data set.
    ///
    /// # Errors
    /// A split that leaves nothing to train on, or classes that cannot be told apart.
    pub fn new(settings: &Settings, data: DataSet) -> Result<Self, Error> {
        let split = Split::random(data.training(), settings.validation, settings.seed)?;
        let encoder = Encoder {
            quality: settings.quality,
            scale: settings.scale,
            rows: data.rows,
            cols: data.cols,
        };
        let images = Images { encoder, split: Arc::new(split), names: settings.name.clone() };
        let labels = Labels::new(&data.classes)?;
        let count = settings.source.limit.unwrap_or(u32::MAX).min(data.images());
        Ok(Self { data, images, labels, count })
    }

    /// Images of the run by partition, in the order of [`crate::split::Partition::ALL`].
    pub fn partitions(&self) -> [u32; 3] {
        let mut counts = [0; 3];
        for index in 0..self.count {
            counts[self.images.split.partition(index) as usize] += 1;
        }
        counts
    }

    /// The rows of a manifest at `url`, in index order, made from the labels alone.
    pub fn rows(&self, url: &str) -> impl Iterator<Item = Result<Row, SourceError>> {
        self.data.labels().take(self.count as usize).map(move |item| {
            let (index, label) = item?;
            let url = format!("{url}/{}", self.images.name(index, label));
            Ok(Row { url, partition: self.images.split.partition(index), label })
        })
    }
}

/// Asks the destination whether it is there and may be used, and what it holds of the names in
/// `within`. `on_other` hears of every object that is none of the job's images. A stop ends it at
/// once: nothing is under way that would matter.
pub(super) async fn look(
    settings: &Settings,
    job: &Job,
    sink: &dyn Sink,
    retry: &Retry,
    stats: &Stats,
    within: NameRange,
    on_other: impl FnMut(Stored),
) -> Result<Existing, Error> {
    let on_retry = |fault: &Fault| {
        tracing::debug!(%fault, cause = %fault.kind, "trying again");
        stats.retried(fault.kind);
    };
    let labels = job.all_labels()?;
    let attempts = settings.retry.max_attempts.min(CHECK_ATTEMPTS);
    let limits = Limits { max_attempts: attempts, ..settings.retry };
    let stop = retry.stop();
    let first = Retry::new(limits, Chance::default(), stop.clone());
    let looking = async {
        first.run(on_retry, || sink.check()).await.result?;
        job.existing(&labels, sink, retry, on_retry, within, on_other).await
    };
    let looked = tokio::select! {
        looked = looking => looked,
        () = stop.cancelled() => {
            return Err(Error::Incomplete("stopped before the work began".to_owned()));
        }
    };
    looked.map_err(|fault| Error::Destination { url: settings.url.clone(), fault })
}

impl Job {
    /// A name counts only if it is exactly the one that this run would write; that takes the
    /// labels, a byte each.
    fn all_labels(&self) -> Result<Vec<u8>, SourceError> {
        let labels = self.data.labels().take(self.count as usize);
        labels.map(|item| item.map(|(_, label)| label)).collect()
    }

    async fn existing(
        &self,
        labels: &[u8],
        sink: &dyn Sink,
        retry: &Retry,
        on_retry: impl Fn(&Fault) + Copy + Send + Sync,
        within: NameRange,
        mut on_other: impl FnMut(Stored),
    ) -> Result<Existing, Fault> {
        let index_of = |name: &str| {
            let index = self.images.names.index_in(name)?;
            let label = *labels.get(index as usize)?;
            (self.images.name(index, label) == name).then_some(index)
        };
        let mut existing = Existing::new();
        let stem = self.images.names.literal_prefix();
        let on_object = |stored: Stored| match index_of(&stored.name) {
            Some(index) => existing.insert(index, self.count, &stored),
            None => on_other(stored),
        };
        list_all(sink, retry, within, stem, on_retry, on_object).await?;
        Ok(existing)
    }
}
