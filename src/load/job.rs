//! What is known before the destination is asked, and what loading and verifying share.

use std::sync::Arc;

use tokio_util::sync::CancellationToken;

use super::destination::before_the_work;
use crate::check::{self, Duplicates, Facts, Finding, Frequencies, Survey};
use crate::config::{ConfigError, Settings};
use crate::encode::Encoder;
use crate::error::Error;
use crate::manifest::{Contents, Manifest, Row};
use crate::model::Item;
use crate::naming::{Names, Template};
use crate::pipeline::{Existing, Images, list_all};
use crate::report::Stats;
use crate::retry::Retry;
use crate::sink::{Fault, NameRange, Purpose, Sink, Stored};
use crate::source::{DataSet, Labels, SourceError};
use crate::split::{self, HeldOut, Split, SplitMethod, SplitSettings};

/// The names of images without labels where labels would be usual.
const UNLABELLED_NAME: &str = "image_{index}.{ext}";

/// A data set and what is to be made of it.
pub struct Job {
    /// The opened data set.
    pub data: DataSet,
    /// How records become objects.
    pub images: Images,
    /// Images of this run: the data set's, or the limit.
    pub count: u32,
    /// What is wrong with the images, or worth knowing, as far as it was looked for.
    pub findings: Vec<Finding>,
    /// What lists the images: see [`Manifest::all`], without those that would have no row.
    pub manifests: Vec<Manifest>,
    /// Hashes by index, where names tell them.
    hashes: Vec<u64>,
}

impl Job {
    /// Whether the pixels must be hashed before a job can be made of them.
    pub fn needs_hashes(settings: &Settings) -> bool {
        settings.name.uses_hash() || settings.split.method == SplitMethod::Hash
    }

    /// Draws the split and checks that the settings fit the data set, of which `survey` was taken.
    ///
    /// # Errors
    /// A split that leaves nothing to train on, a list of partitions that does not fit, names that ask
    /// for labels where there are none, images that are too large when they are enlarged.
    pub fn new(settings: &Settings, data: DataSet, survey: &Survey) -> Result<Self, Error> {
        let split = Arc::new(split(settings, &data, survey)?);
        let unfit = |problem: String| Error::Config(ConfigError::Unfit(problem));
        let encoder = Encoder::new(settings.encoding);
        if let Some(size) = data.size().filter(|_| settings.encoding.upscale > 1) {
            encoder.size(size).map_err(|e| unfit(format!("image.upscale: {e}")))?;
        }
        let mut template = settings.name.clone();
        if template.uses_label() && *data.labels().as_ref() == Labels::None {
            // What is usual for a place says nothing of these images.
            let usual = Template::parse(UNLABELLED_NAME, "").ok().filter(|_| !settings.name_said);
            template = usual.ok_or_else(|| {
                let problem =
                    "the name template asks for labels, and these images have none: see --name";
                unfit(problem.to_owned())
            })?;
        }
        let names = Names { template, classes: Arc::clone(data.classes()) };
        let count = settings.source.limit.unwrap_or(u32::MAX).min(data.images());
        let tells_content = settings.manifests.iter().any(|format| format.tells_content());
        let contents = tells_content.then(|| Arc::new(Contents::new(count)));
        let (metadata, samples) = (settings.metadata, None);
        let images = Images { encoder, split, names, contents, metadata, samples };
        let hashes = if settings.name.uses_hash() { survey.hashes.clone() } else { Vec::new() };
        let mut job =
            Self { data, images, count, manifests: Vec::new(), findings: Vec::new(), hashes };
        let partitions = job.partitions();
        job.manifests = Manifest::all(&settings.manifests, &settings.name);
        job.manifests
            .retain(|manifest| manifest.only.is_none_or(|only| partitions[only as usize] > 0));
        Ok(job)
    }

    /// What is known of an image.
    pub fn item(&self, index: u32) -> Item {
        Item {
            index,
            label: self.data.labels().get(index),
            partition: self.images.split.partition(index),
            format: self.images.encoder.format(self.data.format(index)),
            hash: self.hashes.get(index as usize).copied().unwrap_or_default(),
        }
    }

    /// The name of an image's object.
    pub fn name(&self, index: u32) -> String {
        self.images.names.name(&self.item(index))
    }

    /// Images of the run by class and partition.
    pub fn frequencies(&self) -> Frequencies {
        Frequencies::count(self.data.classes(), (0..self.count).map(|index| self.item(index)))
    }

    /// Looks for what is wrong with the images of the run, or worth knowing.
    pub fn look_into(&mut self, survey: &Survey, duplicates: Duplicates) {
        // Of a split by content there are hashes beyond a limit.
        let hashes = survey.hashes.get(..self.count as usize).unwrap_or(&survey.hashes);
        let facts = Facts {
            frequencies: &self.frequencies(),
            hashes,
            flat: survey
                .flat
                .get(..survey.flat.partition_point(|i| *i < self.count))
                .unwrap_or(&[]),
            identity: self.images.names.template.identity(),
            duplicates,
        };
        self.findings = check::findings(&facts, |index| self.item(index));
    }

    /// Images of the run by partition, in the order of [`crate::model::Partition::ALL`].
    pub fn partitions(&self) -> [u32; 3] {
        let mut counts = [0; 3];
        for index in 0..self.count {
            counts[self.images.split.partition(index) as usize] += 1;
        }
        counts
    }

    /// The rows of manifests, in index order. Those that ask for checksums and sizes can be had of
    /// images of which the object has been made.
    pub fn rows(&self, settings: &Settings) -> impl Iterator<Item = Row> {
        (0..self.count).map(move |index| {
            let item = self.item(index);
            let name = self.images.names.name(&item);
            let url = settings.address(&name);
            let content = self.images.contents.as_ref().and_then(|contents| contents.get(index));
            Row { index, name, url, partition: item.partition, label: item.label, content }
        })
    }
}

/// Takes the survey that a job of these settings needs, on a thread of its own. A stop ends it early,
/// with an error.
///
/// # Errors
/// A source that is bad.
pub async fn survey(
    settings: &Settings,
    data: &DataSet,
    stop: &CancellationToken,
) -> Result<Survey, Error> {
    let hash = Job::needs_hashes(settings) || settings.duplicates != Duplicates::Off;
    // A split by content is drawn for all images, whatever the limit.
    let limit = settings.source.limit.filter(|_| settings.split.method != SplitMethod::Hash);
    let count = limit.unwrap_or(u32::MAX).min(data.images());
    let (data, stopping) = (data.clone(), stop.clone());
    let taken = tokio::task::spawn_blocking(move || {
        check::survey(&data, count, hash, &|| stopping.is_cancelled())
    });
    let survey = taken.await.map_err(|panic| Error::Incomplete(panic.to_string()))??;
    if stop.is_cancelled() { Err(Error::stopped_early()) } else { Ok(survey) }
}

fn split(settings: &Settings, data: &DataSet, survey: &Survey) -> Result<Split, Error> {
    let parts = data.parts();
    let SplitSettings { method, validation, validation_said, seed, file } = &settings.split;
    let held_out = match data.validation() {
        Some(count) if !validation_said => HeldOut::Count(count),
        _ => *validation,
    };
    Ok(match (method, file) {
        (SplitMethod::Random, _) => Split::random(&parts, held_out, *seed)?,
        (SplitMethod::Stratified, _) => {
            Split::stratified(&parts, held_out, *seed, |index| data.labels().get(index))?
        }
        (SplitMethod::Hash, _) => {
            let hash = |index: u32| survey.hashes.get(index as usize).copied().unwrap_or_default();
            Split::by_content(&parts, held_out, hash)?
        }
        (SplitMethod::File, Some(path)) => {
            let unfit = |problem: String| Error::Source(SourceError::unfit(path, problem));
            let list =
                std::fs::File::open(path).map_err(|e| unfit(format!("cannot be read: {e}")))?;
            let list = split::read_file(list, data.images()).map_err(|e| unfit(e.to_string()))?;
            Split::listed(&parts, list)
        }
        (SplitMethod::None | SplitMethod::File, _) => Split::none(&parts),
    })
}

/// What the destination holds: for writing, of the names that can be the job's; for reading, of
/// everything below the prefix. `on_other` hears of every object that is none of the job's images. A
/// stop ends it at once: nothing is under way that would matter.
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
    let within = match purpose {
        // A prefix may be shared, and a bucket may be large.
        Purpose::Write => NameRange::beginning_with(job.images.names.literal_prefix()),
        Purpose::Read => NameRange::default(),
    };
    let looking = job.existing(sink, retry, on_retry, within, on_other);
    let looked = tokio::select! {
        looked = looking => looked,
        () = retry.stop().cancelled() => return Err(Error::stopped_early()),
    };
    looked.map_err(|fault| before_the_work(settings, fault))
}

impl Job {
    async fn existing(
        &self,
        sink: &dyn Sink,
        retry: &Retry,
        on_retry: impl Fn(&Fault) + Copy + Send + Sync,
        within: NameRange,
        mut on_other: impl FnMut(Stored),
    ) -> Result<Existing, Fault> {
        let mut existing = Existing::new();
        let mut lookup = None;
        let on_object = |stored: Stored| {
            let lookup = lookup.get_or_insert_with(|| Lookup::new(self));
            match lookup.index(self, &stored.name) {
                Some(index) => existing.insert(index, self.count, &stored),
                None => on_other(stored),
            }
        };
        let stem = self.images.names.literal_prefix();
        list_all(sink, retry, within, stem, on_retry, on_object).await?;
        Ok(existing)
    }
}

/// From names to indices. A name counts only if it is exactly the one that this run would write. Eight
/// bytes an image.
struct Lookup(Vec<(u32, u32)>);

impl Lookup {
    fn new(job: &Job) -> Self {
        let mut entries: Vec<_> =
            (0..job.count).map(|index| (Self::hash(&job.name(index)), index)).collect();
        entries.sort_unstable();
        Self(entries)
    }

    #[allow(clippy::cast_possible_truncation)] // some of the bits are enough
    fn hash(name: &str) -> u32 {
        twox_hash::XxHash3_64::oneshot(name.as_bytes()) as u32
    }

    fn index(&self, job: &Job, name: &str) -> Option<u32> {
        let wanted = Self::hash(name);
        let from = self.0.partition_point(|(hash, _)| *hash < wanted);
        let alike = self.0.get(from..)?.iter().take_while(|(hash, _)| *hash == wanted);
        alike.map(|(_, index)| *index).find(|index| job.name(*index) == name)
    }
}
