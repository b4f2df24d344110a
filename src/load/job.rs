//! What is known before the destination is asked, and what loading and verifying share.

use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};

use tokio_util::sync::CancellationToken;

use crate::config::Settings;
use crate::encode::Encoder;
use crate::error::Error;
use crate::manifest::{Labels, Row};
use crate::pipeline::{Existing, Images, list_all};
use crate::report::Stats;
use crate::retry::policy::{Decision, decide};
use crate::retry::{Chance, Limits, Retry};
use crate::sink::{Fault, FaultKind, NameRange, Purpose, Sink, Stored};
use crate::source::{DataSet, SourceError};
use crate::split::Split;

/// Before the work begins a destination that cannot be reached is given up after so many attempts.
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
        let encoder = Encoder::new(settings.quality, settings.scale, data.rows, data.cols);
        let images = Images { encoder, split: Arc::new(split), names: settings.name.clone() };
        let labels = Labels::new(&data.classes)?;
        let count = settings.source.limit.unwrap_or(u32::MAX).min(data.images());
        Ok(Self { data, images, labels, count })
    }

    /// Proves that the source is whole, on a thread of its own. A stop ends it early.
    ///
    /// # Errors
    /// A file that is damaged, or shorter or longer than it says.
    pub async fn prove(&self, stop: &CancellationToken) -> Result<(), Error> {
        let (data, stop) = (self.data.clone(), stop.clone());
        let proof = tokio::task::spawn_blocking(move || data.prove(&|| stop.is_cancelled()));
        let proved = proof.await.map_err(|panic| Error::Incomplete(panic.to_string()))?;
        Ok(proved?)
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

/// Asks the destination whether it is there and may be used, and what it holds: for writing, of the
/// names that can be the job's; for reading, of everything below the prefix. `on_other` hears of every
/// object that is none of the job's images. A stop ends it at once: nothing is under way that would
/// matter.
pub(super) async fn look(
    settings: &Settings,
    job: &Job,
    sink: &dyn Sink,
    retry: &Retry,
    stats: &Stats,
    purpose: Purpose,
    on_other: impl FnMut(Stored),
) -> Result<Existing, Error> {
    let on_retry = |fault: &Fault| {
        tracing::debug!(%fault, cause = %fault.kind, "trying again");
        stats.retried(fault.kind);
    };
    let labels = job.all_labels()?;
    let within = match purpose {
        // A prefix may be shared, and a bucket may be large.
        Purpose::Write => NameRange::beginning_with(job.images.names.literal_prefix()),
        Purpose::Read => NameRange::default(),
    };
    let stop = retry.stop();
    let looking = async {
        check(settings, sink, stop, purpose, on_retry).await?;
        job.existing(&labels, sink, retry, on_retry, within, on_other).await
    };
    let looked = tokio::select! {
        looked = looking => looked,
        () = stop.cancelled() => {
            return Err(Error::Incomplete("stopped before the work began".to_owned()));
        }
    };
    looked.map_err(|fault| match decide(fault.kind) {
        // It is there and may be used, but it does not work.
        Decision::Retry => Error::Incomplete(format!(
            "{} does not work: {fault}; nothing was written, run the same command again when it does",
            settings.url
        )),
        _ => Error::Destination { url: settings.url.clone(), fault },
    })
}

/// A service that answers is waited for as in an outage, one that is not there only for a moment.
async fn check(
    settings: &Settings,
    sink: &dyn Sink,
    stop: &CancellationToken,
    purpose: Purpose,
    on_retry: impl FnMut(&Fault),
) -> Result<(), Fault> {
    let max_elapsed = settings.retry.max_elapsed.min(settings.retry.max_outage);
    let limits = Limits { max_elapsed, ..settings.retry };
    let retry = Retry::new(limits, Chance::default(), stop.clone());
    let unreachable = AtomicU32::new(0);
    let attempt = || async {
        let checked = sink.check(purpose).await;
        checked.map_err(|mut fault| {
            if fault.kind == FaultKind::Connect
                && unreachable.fetch_add(1, Ordering::Relaxed) + 1 >= CHECK_ATTEMPTS
            {
                fault.kind = FaultKind::Unreachable;
            }
            fault
        })
    };
    retry.run(on_retry, attempt).await.result
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
