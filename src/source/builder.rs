//! From what somebody wants to read to an opened data set.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use super::arrays::{Array, ArrayPart, Arrays};
use super::catalogue::{Catalogue, Entry};
use super::dataset::{DataSet, Naming};
use super::error::SourceError;
use super::fetch::{FetchProgress, fetch};
use super::locate::{Folders, Found, files_in, find};
use super::options::{Files, Range, ReadOptions, SourceOptions};
use super::recognise::recognise;
use super::{Source, formats};
use crate::model::Partition;

/// What a data set is read from, and how: made by [`DataSet::named`], [`DataSet::folder`] and the like,
/// ended by [`DataSetBuilder::open`].
pub struct DataSetBuilder {
    from: From,
    options: ReadOptions,
    catalogue: Catalogue,
    folders: Folders,
    on_progress: Box<dyn Fn(FetchProgress<'_>) + Send + Sync>,
}

enum From {
    /// A named data set, and where its files are if not in the known folders.
    Named(String, Option<PathBuf>),
    Path(PathBuf),
    Files(Vec<Files>),
    Arrays(Vec<ArrayPart>),
    Source(Arc<dyn Source>),
}

impl DataSet {
    /// A data set of the catalogue, such as `fashion-mnist`. It is looked for in the system's folders
    /// and in the cache, and downloaded into the cache where it is in neither.
    pub fn named(name: &str) -> DataSetBuilder {
        DataSetBuilder::new(From::Named(name.to_owned(), None))
    }

    /// The data set in a folder, of any format that is known. Where the files are those of a named data set
    /// by their sums, it is that data set: [`DataSet::entry`].
    pub fn folder(path: impl Into<PathBuf>) -> DataSetBuilder {
        DataSetBuilder::new(From::Path(path.into()))
    }

    /// The data set in a single file, of any format that is known, such as a `.npz` archive.
    pub fn file(path: impl Into<PathBuf>) -> DataSetBuilder {
        DataSetBuilder::new(From::Path(path.into()))
    }

    /// The parts of a data set, each a file of images and one of their labels.
    pub fn files(files: impl IntoIterator<Item = Files>) -> DataSetBuilder {
        DataSetBuilder::new(From::Files(files.into_iter().collect()))
    }

    /// A training part of arrays: `n × rows × cols` or `n × rows × cols × channels` pixels, and `n`
    /// labels. [`DataSetBuilder::part`] adds others.
    pub fn arrays(images: Array, labels: Option<Array>) -> DataSetBuilder {
        DataSetBuilder::new(From::Arrays(Vec::new())).part(Partition::Train, images, labels)
    }

    /// A data set of a source of any kind.
    pub fn of(source: impl Source) -> DataSetBuilder {
        DataSetBuilder::new(From::Source(Arc::new(source)))
    }
}

/// The images of a folder or a file whose format says that it holds images; `None` for arrays, which may
/// hold anything.
///
/// # Errors
/// As [`DataSetBuilder::open`].
pub fn open_images(path: &Path) -> Result<Option<Arc<dyn Source>>, SourceError> {
    formats::open_images(path, &ReadOptions::default())
}

impl std::convert::From<&SourceOptions> for DataSetBuilder {
    fn from(options: &SourceOptions) -> Self {
        let path = options.path.clone();
        let from = match (&options.dataset, path) {
            (Some(name), path) => From::Named(name.clone(), path),
            (None, Some(path)) => From::Path(path),
            (None, None) => From::Files(options.files.clone()),
        };
        Self { options: options.read(), ..Self::new(from) }
    }
}

impl DataSetBuilder {
    fn new(from: From) -> Self {
        Self {
            from,
            options: ReadOptions::default(),
            catalogue: Catalogue::builtin(),
            folders: Folders::default(),
            on_progress: Box::new(|_| {}),
        }
    }

    /// Adds a part of arrays; beside [`DataSet::arrays`] alone.
    #[must_use]
    pub fn part(mut self, partition: Partition, images: Array, labels: Option<Array>) -> Self {
        let part = ArrayPart { partition, images, labels };
        match &mut self.from {
            From::Arrays(parts) => parts.push(part),
            _ => self.from = From::Arrays(vec![part]),
        }
        self
    }

    /// Names the classes, the first of which has the label [`Self::first_label`]. A label outside of them
    /// is an error.
    #[must_use]
    pub fn classes(mut self, names: impl IntoIterator<Item = impl Into<String>>) -> Self {
        self.options.classes = Some(names.into_iter().map(Into::into).collect());
        self
    }

    /// The label of the first class; 0 unless the catalogue says otherwise.
    #[must_use]
    pub fn first_label(mut self, label: u32) -> Self {
        self.options.first_label = Some(label);
        self
    }

    /// Which column of labels with several is the class, from 0.
    #[must_use]
    pub fn label_column(mut self, column: u32) -> Self {
        self.options.label_column = Some(column);
        self
    }

    /// The values that become black and white, for arrays that do not hold bytes.
    #[must_use]
    pub fn range(mut self, black: f64, white: f64) -> Self {
        self.options.range = Some(Range { black, white });
        self
    }

    /// Whether rows and columns are exchanged in the arrays.
    #[must_use]
    pub fn transposed(mut self, transposed: bool) -> Self {
        self.options.transposed = Some(transposed);
        self
    }

    /// The named data sets, in place of those that come with the program.
    #[must_use]
    pub fn catalogue(mut self, catalogue: Catalogue) -> Self {
        self.catalogue = catalogue;
        self
    }

    /// The folder below which named data sets are downloaded, each into a folder of its name. Without
    /// one nothing is downloaded.
    #[must_use]
    pub fn cache(mut self, folder: impl Into<PathBuf>) -> Self {
        self.folders.cache = Some(folder.into());
        self
    }

    /// The folders in which named data sets are looked for, and the cache.
    #[must_use]
    pub fn folders(mut self, folders: Folders) -> Self {
        self.folders = folders;
        self
    }

    /// Calls a function for each event of a download.
    #[must_use]
    pub fn on_progress(
        mut self,
        on_progress: impl Fn(FetchProgress<'_>) + Send + Sync + 'static,
    ) -> Self {
        self.on_progress = Box::new(on_progress);
        self
    }

    /// Downloads the data set if it must be, and opens it: all labels are read, and all that can be
    /// checked without unpacking images is checked.
    ///
    /// # Errors
    /// Files that are missing, damaged, or do not fit each other; a download that fails; labels that are
    /// not of the classes.
    pub async fn open(self) -> Result<DataSet, SourceError> {
        if let From::Named(name, None) = &self.from {
            let entry = self.entry(name)?;
            if find(entry, &self.folders).is_none() {
                let folder = self.folders.cache_of(name).ok_or_else(|| no_cache(name))?;
                fetch(entry, &entry.mirrors, &folder, &*self.on_progress).await?;
            }
        }
        // Opening reads from disk and unpacks.
        let opened = tokio::task::spawn_blocking(move || self.open_blocking());
        opened
            .await
            .unwrap_or_else(|panic| Err(SourceError::panicked("opening the source", &panic)))
    }

    /// Opens the data set on this thread. A named one must be on this machine: nothing is downloaded.
    ///
    /// # Errors
    /// As [`Self::open`].
    pub fn open_blocking(self) -> Result<DataSet, SourceError> {
        let (entry, recognised) = match &self.from {
            From::Named(name, _) => (Some(self.entry(name)?.clone()), None),
            From::Path(path) => recognise(&self.catalogue, path)
                .map(|(entry, found)| (entry.clone(), found))
                .unzip(),
            _ => (None, None),
        };
        let entry = entry.as_ref();
        let options = &self.options.over(entry);
        let found = match (&self.from, entry) {
            _ if recognised.is_some() => recognised,
            (From::Named(_, Some(path)), Some(entry)) => match files_in(entry, path) {
                // They may be unpacked, or a file may be named itself.
                Err(_) if !entry.files.is_empty() => Some(Found::Path(path.clone())),
                found => Some(found?),
            },
            (From::Named(name, _), Some(entry)) => {
                Some(find(entry, &self.folders).ok_or_else(|| no_cache(name))?)
            }
            (From::Path(path), _) => Some(Found::Path(path.clone())),
            _ => None,
        };
        let source: Arc<dyn Source> = match (found, self.from) {
            (Some(Found::Path(path)), _) => formats::open(&path, options)
                .map_err(|error| perhaps_named(error, &self.catalogue))?,
            (Some(Found::Files(files)), _) | (None, From::Files(files)) => {
                Arc::new(Arrays::open(&files, options)?)
            }
            (None, From::Arrays(parts)) => Arc::new(Arrays::new(parts, options)?),
            (None, From::Source(source)) => source,
            (None, From::Named(..) | From::Path(_)) => unreachable!("they are found above"),
        };
        let naming = Naming {
            required: self.options.classes.clone(),
            fallback: entry.map(|entry| entry.classes.clone()).filter(|_| {
                let column = self.options.label_column;
                // Another column has other classes.
                column.is_none() || column == entry.and_then(|entry| entry.label_column)
            }),
            first_label: options.first_label.unwrap_or(0),
        };
        let data = DataSet::new(source, naming, entry.cloned())?;
        entry.map_or(Ok(()), |entry| fits(entry, &data))?;
        Ok(data)
    }

    fn entry(&self, name: &str) -> Result<&Entry, SourceError> {
        self.catalogue.find(name).ok_or_else(|| {
            let known = self.catalogue.names().map(str::to_owned).collect();
            let nearest = self.catalogue.nearest(name).map(str::to_owned);
            SourceError::Unknown { name: name.to_owned(), nearest, known }
        })
    }
}

/// The error of a path, with the named data set that was probably meant.
fn perhaps_named(error: SourceError, catalogue: &Catalogue) -> SourceError {
    match error {
        SourceError::NoFolder { path, exists: false, .. } => {
            let nearest = path.to_str().and_then(|name| catalogue.nearest(name)).map(str::to_owned);
            SourceError::NoFolder { path, exists: false, nearest }
        }
        error => error,
    }
}

fn no_cache(name: &str) -> SourceError {
    SourceError::NoCache { dataset: name.to_owned() }
}

/// Files that have the names of a named data set's are not always those.
fn fits(entry: &Entry, data: &DataSet) -> Result<(), SourceError> {
    let parts = data.parts();
    for partition in Partition::ALL {
        let of_it = parts.iter().filter(|(part, _)| *part == partition);
        let found = of_it.map(|(_, images)| u64::from(*images)).sum::<u64>();
        match entry.records(partition) {
            Some(expected) if expected != found => {
                let dataset = entry.name.clone();
                return Err(SourceError::OtherDataSet { dataset, partition, expected, found });
            }
            _ => {}
        }
    }
    Ok(())
}
