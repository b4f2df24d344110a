//! What is known before the destination is asked, and what loading and verifying share.

use std::collections::BTreeSet;
use std::ops::Range;
use std::sync::Arc;

use super::error::Error;
use super::images::Images;
use super::{DEFAULT_NAME, Load, Part};
use crate::check::{self, CheckInput, Finding, Frequencies, Survey};
use crate::encode::Encoder;
use crate::manifest::{Contents, Manifest, Row};
use crate::model::{How, Item, Partition, Selected, Selection};
use crate::naming::{Names, Template};
use crate::report::SliceSummary;
use crate::shard::Shard;
use crate::source::{DataSet, Labels, Record, SourceError};
use crate::split::{self, Split, SplitMethod, ValidationSize};

/// The share of the training part that is held out where neither the user nor the data set says more.
const DEFAULT_VALIDATION: ValidationSize = ValidationSize::Share(0.1);

/// A data set with its split, its names and its encoder.
#[derive(Debug)]
pub(super) struct Job {
    /// The options that it was made of.
    pub(super) load: Load,
    /// How records become objects.
    pub(super) images: Images,
    /// Images of this load: the data set's, or the first of them, or a sample.
    pub(super) selection: Selection,
    /// Those that this process stores, by position in the selection: all, or a slice.
    pub(super) slice: Range<u32>,
    /// What tells this load from others, where it is done in slices: see [`super::digest`].
    pub(super) digest: Option<String>,
    /// The files that list the images: see [`Manifest::all`], without those that would have no row.
    pub(super) manifests: Vec<Manifest>,
    /// Images of the run by class and partition.
    pub(super) frequencies: Frequencies,
    /// Whether names become those of files: see [`crate::sink::Sink::names_are_files`].
    names_are_files: bool,
    /// Hashes of the pixels by position in the selection, where names use them.
    hashes: Option<Vec<u64>>,
}

impl Job {
    /// Draws the split and checks that the options fit the data set. `hashes` are those of the pixels,
    /// by index, which names and split may need.
    ///
    /// # Errors
    /// A split that leaves nothing to train on, a list of partitions that does not fit, names that ask
    /// for labels where there are none, that cannot be those of files where they become such, or that
    /// are in a manifest's way, images that are too large when they are enlarged.
    pub(super) fn new(
        load: &Load,
        names_are_files: bool,
        hashes: Option<Vec<u64>>,
    ) -> Result<Self, Error> {
        if load.needs_hashes() && hashes.is_none() {
            return Err(Error::Internal("the pixels were not hashed".to_owned()));
        }
        let data = &load.data;
        let split = Arc::new(draw_split(load, hashes.as_deref().unwrap_or_default())?);
        let encoder = Encoder::new(load.encoding);
        let template = template(load)?;
        if names_are_files {
            let usable = template.check_file_names();
            usable.map_err(|e| Error::Template(format!("must be a usable template: {e}")))?;
        }
        let manifests = Manifest::all(&load.manifests, &template).map_err(Error::Template)?;
        let selection = select(load, &split)?;
        let mut hashes = hashes.filter(|_| template.uses_hash());
        if let Some(hashes) = &mut hashes {
            selection.keep(hashes);
        }
        let names = Names { template, classes: Arc::clone(data.classes()) };
        let lists_contents = load.manifests.iter().any(|format| format.lists_content());
        let contents = lists_contents.then(|| Arc::new(Contents::new(selection.clone())));
        let images =
            Images { encoder, split, names, contents, metadata: load.metadata, samples: None };
        let all = selection.count();
        let slice = match load.part {
            Part::Slice(shard) => shard.range(all),
            Part::Whole | Part::Merge => 0..all,
        };
        let mut job = Self {
            load: load.clone(),
            images,
            selection,
            slice,
            digest: None,
            manifests,
            frequencies: Frequencies::count(data.classes(), std::iter::empty()),
            names_are_files,
            hashes,
        };
        job.frequencies = Frequencies::count(data.classes(), job.items());
        let partitions = job.frequencies.totals();
        job.manifests
            .retain(|manifest| manifest.only.is_none_or(|only| partitions[only as usize] > 0));
        Ok(job)
    }

    /// Which of the data set's images the run is about; `None` for all.
    pub(super) fn selected(&self) -> Option<Selected> {
        let (images, of) = (self.selection.count(), self.data().images());
        let seed = self.load.sample.map(|_| self.load.split.seed);
        let how = if seed.is_some() { How::Sample } else { How::First };
        (images < of).then_some(Selected { how, images, of, seed })
    }

    /// The encoders that make the objects' bytes, such as `jpeg/1`; `None` where all images are files that
    /// are stored unchanged.
    pub(super) fn encoders(&self) -> Option<String> {
        let formats = self.selection.indices().map(|index| self.data().format(index));
        let encoders = formats.filter_map(|format| self.images.encoder.identity(format));
        let encoders: BTreeSet<&str> = encoders.collect();
        let names: Vec<_> = encoders.into_iter().collect();
        (!names.is_empty()).then(|| names.join(", "))
    }

    pub(super) fn data(&self) -> &DataSet {
        &self.load.data
    }

    /// What is known of an image.
    pub(super) fn item(&self, index: u32) -> Item {
        Item {
            index,
            label: self.data().labels().get(index),
            partition: self.images.split.partition(index),
            format: self.images.encoder.format(self.data().format(index)),
            // Names do not use it where there are none.
            hash: self.hash(index).unwrap_or(0),
        }
    }

    fn hash(&self, index: u32) -> Option<u64> {
        let hashes = self.hashes.as_ref()?;
        hashes.get(self.selection.position(index)?).copied()
    }

    /// The records of the run, each read when it is asked for, what lies between them too.
    pub(super) fn records(
        &self,
    ) -> impl Iterator<Item = Result<Record, SourceError>> + Send + use<> {
        let (selection, slice) =
            (self.selection.clone(), self.slice.start as usize..self.slice.end as usize);
        let last = self.slice.end.checked_sub(1).filter(|_| !self.slice.is_empty());
        let end = last.map_or(0, |last| selection.index(last) as usize + 1);
        let all = self.data().records().take(end);
        all.filter(move |record| {
            let position = |record: &Record| selection.position(record.index);
            record
                .as_ref()
                .map_or(true, |record| position(record).is_some_and(|at| slice.contains(&at)))
        })
    }

    /// Whether other processes store other images of the load.
    pub(super) fn is_slice(&self) -> bool {
        matches!(self.load.part, Part::Slice(_))
    }

    /// From which name on, and before which, the names of this process's images lie, and no others.
    pub(super) fn names_here(&self) -> Option<(String, String)> {
        let Range { start, end } = self.slice;
        let last = end.checked_sub(1).filter(|last| *last >= start)?;
        let indices = self.selection.index(start)..self.selection.index(last) + 1;
        self.images.names.between(&indices)
    }

    /// Which slice this process stores.
    pub(super) fn slice_summary(
        &self,
        missing: &[Range<u32>],
        to_merge: bool,
    ) -> Option<SliceSummary> {
        let shard = match self.load.part {
            Part::Whole => return None,
            Part::Slice(shard) => Some(shard),
            Part::Merge => None,
        };
        Some(SliceSummary {
            index: shard.map(Shard::index),
            count: shard.map(Shard::count),
            start: self.slice.start,
            end: self.slice.end,
            of: self.selection.count(),
            missing: missing.iter().map(|gap| (gap.start, gap.end)).collect(),
            to_merge,
        })
    }

    /// The images that this process stores.
    pub(super) fn count_here(&self) -> u32 {
        self.slice.end - self.slice.start
    }

    /// What is known of each image of the run, in order.
    pub(super) fn items(&self) -> impl Iterator<Item = Item> {
        self.selection.indices().map(|index| self.item(index))
    }

    /// The name of an image's object.
    pub(super) fn name(&self, index: u32) -> String {
        self.images.names.name(&self.item(index))
    }

    /// Looks for what is wrong with the images of the run, or worth knowing.
    pub(super) fn findings(&self, survey: &Survey) -> Vec<Finding> {
        let mut in_all = [0; Partition::ALL.len()];
        for index in 0..self.data().images() {
            in_all[self.images.split.partition(index) as usize] += 1;
        }
        let input = CheckInput {
            frequencies: &self.frequencies,
            selection: &self.selection,
            in_all,
            hashes: &survey.hashes,
            flat: &survey.flat,
            values: survey.values,
            template: &self.images.names.template,
            names_are_files: self.names_are_files,
            duplicates: self.load.duplicates,
        };
        check::findings(&input, |index| self.item(index))
    }

    /// The rows of manifests, in index order; `address` makes an object's address of its name. Rows
    /// have checksum and size once the image's object was made.
    pub(super) fn rows(&self, address: impl Fn(&str) -> String) -> impl Iterator<Item = Row> {
        self.items().map(move |item| {
            let index = item.index;
            let name = self.images.names.name(&item);
            let url = address(&name);
            let content = self.images.contents.as_ref().and_then(|contents| contents.get(index));
            Row { index, name, url, partition: item.partition, label: item.label, content }
        })
    }
}

fn template(load: &Load) -> Result<Template, Error> {
    let default = |text| {
        Template::parse(text, "")
            .map_err(|e| Error::Internal(format!("{text} is no template: {e}")))
    };
    let labelled = *load.data.labels().as_ref() != Labels::None;
    match &load.name {
        Some(template) if template.uses_label() && !labelled => Err(Error::Unlabelled),
        Some(template) => Ok(template.clone()),
        None => default(if labelled { load.default_name } else { DEFAULT_NAME }),
    }
}

/// The images of the run, of a data set that is split so.
fn select(load: &Load, split: &Split) -> Result<Selection, Error> {
    let (images, labels) = (load.data.images(), load.data.labels());
    match (load.limit, load.sample) {
        (Some(_), Some(_)) => Err(Error::SampleOfLimit),
        (limit, None) => Ok(Selection::First(limit.unwrap_or(images).min(images))),
        (None, Some(n)) => Ok(split::sample(images, n, load.split.seed, |index| {
            (split.partition(index), labels.get(index))
        })),
    }
}

fn draw_split(load: &Load, hashes: &[u64]) -> Result<Split, Error> {
    let (data, options) = (&load.data, &load.split);
    let parts = data.parts();
    let held_out = options.validation.or_else(|| data.validation().map(ValidationSize::Count));
    let held_out = held_out.unwrap_or(DEFAULT_VALIDATION);
    Ok(match (options.method, &options.file) {
        (SplitMethod::Random, _) => Split::random(&parts, held_out, options.seed)?,
        (SplitMethod::Stratified, _) => {
            Split::stratified(&parts, held_out, options.seed, |index| data.labels().get(index))?
        }
        (SplitMethod::Hash, _) => {
            Split::by_content(&parts, held_out, |index: u32| hashes[index as usize])?
        }
        (SplitMethod::File, Some(path)) => {
            let list = std::fs::File::open(path).map_err(|e| SourceError::unreadable(path, e))?;
            let list = split::read_file(list, data.images());
            let list = list.map_err(|e| SourceError::unfit(path, e.to_string()))?;
            Split::listed(&parts, list)
        }
        (SplitMethod::None | SplitMethod::File, _) => Split::none(&parts),
    })
}
