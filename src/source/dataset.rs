//! The opened data set around a source of any kind.

use std::sync::Arc;

use super::catalogue::Entry;
use super::error::SourceError;
use super::labels::Labels;
use super::{Images, Part, Source};
use crate::classes::Classes;
use crate::model::{Image, ImageFormat, Partition, Size};

/// One image with its label.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Record {
    /// Position in source order, from 0.
    pub index: u32,
    /// The label, where images have labels.
    pub label: Option<u32>,
    /// The image.
    pub image: Image,
}

/// An opened data set: counts, labels and classes agree. A clone shares the source.
#[derive(Debug, Clone)]
pub struct DataSet {
    source: Arc<dyn Source>,
    classes: Arc<Classes>,
    images: u32,
    entry: Option<Arc<Entry>>,
}

impl DataSet {
    /// The data set of a source whose labels are of the classes.
    ///
    /// # Errors
    /// A source without images or with more than 4,294,967,295; labels that are not of the classes, and
    /// classes that get the same label.
    pub(super) fn new(
        source: Arc<dyn Source>,
        naming: Naming,
        entry: Option<Entry>,
    ) -> Result<Self, SourceError> {
        let parts = source.parts();
        let total = parts.iter().map(|part| u64::from(part.images)).sum::<u64>();
        let images = u32::try_from(total).map_err(|_| {
            let path = parts.last().map(|part| part.path.clone()).unwrap_or_default();
            SourceError::unfit(&path, "the data set holds more than 4,294,967,295 images")
        })?;
        if images == 0 {
            return Err(SourceError::Empty);
        }
        let Naming { required, fallback, first_label } = naming;
        let must_fit = required.is_some();
        let names = required.or_else(|| source.class_names()).or(fallback).unwrap_or_default();
        let classes = Classes::new(names, first_label)?;
        check_labels(source.labels(), &parts, &classes, must_fit)?;
        Ok(Self { source, classes: Arc::new(classes), images, entry: entry.map(Arc::new) })
    }

    /// Partition and number of images of each part, in source order.
    pub fn parts(&self) -> Vec<(Partition, u32)> {
        self.source.parts().iter().map(|part| (part.partition, part.images)).collect()
    }

    /// Images in all parts.
    pub fn images(&self) -> u32 {
        self.images
    }

    /// The labels of all images.
    pub fn labels(&self) -> &Arc<Labels> {
        self.source.labels()
    }

    /// The classes that labels may name.
    pub fn classes(&self) -> &Arc<Classes> {
        &self.classes
    }

    /// The size of the images, where all have the same.
    pub fn size(&self) -> Option<Size> {
        self.source.size()
    }

    /// The format of image number `index` where it is an image file; `None` for pixels.
    pub fn format(&self, index: u32) -> Option<ImageFormat> {
        self.source.format(index)
    }

    /// The most bytes that one image takes in memory, known before any is read.
    pub fn largest_image(&self) -> u64 {
        self.source.largest_image()
    }

    /// Images of the training part that are held out where nothing else is asked for: as the data set
    /// has it, and none where it has a validation part.
    pub fn validation(&self) -> Option<u32> {
        let has_validation =
            self.source.parts().iter().any(|part| part.partition == Partition::Validation);
        if has_validation { Some(0) } else { self.entry.as_ref()?.validation }
    }

    /// The catalogue's entry of a named data set, named so or recognised by the content of its files.
    pub fn entry(&self) -> Option<&Entry> {
        self.entry.as_deref()
    }

    /// Proves that the images are whole, which may take reading them once. Ends early, proving nothing,
    /// once `stopped` returns true.
    ///
    /// # Errors
    /// The first file that is damaged, or shorter or longer than it says.
    pub fn prove(&self, stopped: &dyn Fn() -> bool) -> Result<(), SourceError> {
        self.source.prove(stopped)
    }

    /// All records in order, each read when it is asked for; nothing follows an error.
    pub fn records(&self) -> Records {
        Records {
            images: Some(self.source.images()),
            labels: Arc::clone(self.source.labels()),
            next: 0,
            end: self.images,
        }
    }
}

/// Where the names of classes come from.
pub(super) struct Naming {
    /// Names that somebody gave for these very labels: the last of them must occur too.
    pub(super) required: Option<Vec<String>>,
    /// Names for where neither those nor the source's own are known.
    pub(super) fallback: Option<Vec<String>>,
    /// The label of the first class.
    pub(super) first_label: u32,
}

/// The records of a data set in order.
pub struct Records {
    /// Taken away after the last record, and after an error.
    images: Option<Images>,
    labels: Arc<Labels>,
    next: u32,
    end: u32,
}

impl Iterator for Records {
    type Item = Result<Record, SourceError>;

    fn next(&mut self) -> Option<Self::Item> {
        let image = match self.images.as_mut()?.next() {
            Some(Ok(image)) if self.next < self.end => image,
            Some(Err(error)) => {
                self.images = None;
                return Some(Err(error));
            }
            None if self.next == self.end => {
                self.images = None;
                return None;
            }
            other => {
                self.images = None;
                let (images, more) = (self.end, other.is_some());
                return Some(Err(SourceError::OtherCount { images, more }));
            }
        };
        let index = self.next;
        self.next += 1;
        Some(Ok(Record { index, label: self.labels.get(index), image }))
    }
}

/// Each image has a label of the named classes, or none has one.
fn check_labels(
    labels: &Labels,
    parts: &[Part],
    classes: &Classes,
    must_fit: bool,
) -> Result<(), SourceError> {
    if *labels == Labels::None {
        return Ok(());
    }
    let mut highest = 0;
    let mut index = 0;
    for part in parts {
        for _ in 0..part.images {
            let Some(label) = labels.get(index) else {
                let problem = format!("image {index} has no label, but others have one");
                return Err(SourceError::unfit(&part.path, problem));
            };
            if !classes.allow(label) {
                return Err(SourceError::unfit(&part.path, outside(index, label, classes)));
            }
            highest = highest.max(label);
            index += 1;
        }
    }
    // A list of classes that goes on after the highest label was written for other labels.
    match (classes.numbers().last().filter(|_| must_fit), parts.first()) {
        (Some(last), Some(part)) if highest < last => {
            let named = classes.len();
            let problem = format!(
                "its highest label is {highest}, but source.classes names {named} classes, up to {last}"
            );
            Err(SourceError::unfit(&part.path, problem))
        }
        _ => Ok(()),
    }
}

fn outside(index: u32, label: u32, classes: &Classes) -> String {
    let mut numbers = classes.numbers();
    let first = numbers.next().unwrap_or(0);
    let last = numbers.last().unwrap_or(first);
    let hint = if first == 0 && label == last + 1 {
        "; where labels begin with 1, set source.first_label = 1"
    } else {
        ""
    };
    format!("image {index} has the label {label}, but the classes are {first} to {last}{hint}")
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::path::PathBuf;

    /// A source that says it has so many images, and yields so many.
    #[derive(Debug)]
    struct Liar {
        parts: Vec<(Partition, u32)>,
        yields: u32,
        labels: Arc<Labels>,
    }

    impl Source for Liar {
        fn parts(&self) -> Vec<Part> {
            let part = |(partition, images): &(Partition, u32)| Part {
                partition: *partition,
                images: *images,
                path: PathBuf::from("liar"),
            };
            self.parts.iter().map(part).collect()
        }

        fn labels(&self) -> &Arc<Labels> {
            &self.labels
        }

        fn class_names(&self) -> Option<Vec<String>> {
            Some(vec!["a".to_owned(), "b".to_owned()])
        }

        fn size(&self) -> Option<Size> {
            None
        }

        fn format(&self, _: u32) -> Option<ImageFormat> {
            None
        }

        fn largest_image(&self) -> u64 {
            1
        }

        fn images(&self) -> Images {
            let image = |_| {
                Ok(Image::Raw { size: Size { rows: 1, cols: 1, channels: 1 }, pixels: vec![0] })
            };
            Box::new((0..self.yields).map(image))
        }

        fn prove(&self, _: &dyn Fn() -> bool) -> Result<(), SourceError> {
            Ok(())
        }
    }

    fn data(yields: u32, labels: &[u32], naming: Naming) -> Result<DataSet, SourceError> {
        let parts = vec![(Partition::Train, 2), (Partition::Test, 1)];
        let labels = Arc::new(labels.iter().copied().collect());
        DataSet::new(Arc::new(Liar { parts, yields, labels }), naming, None)
    }

    fn naming(required: Option<&[&str]>) -> Naming {
        let required =
            required.map(|names| names.iter().map(|&name| name.to_owned()).collect::<Vec<_>>());
        Naming { required, fallback: Some(vec!["x".to_owned()]), first_label: 0 }
    }

    #[test]
    fn records_are_as_many_as_the_source_says() {
        let labels = [1, 0, 1];
        let records: Vec<_> = data(3, &labels, naming(None)).unwrap().records().collect();
        let labelled: Vec<_> = records
            .iter()
            .map(|record| record.as_ref().map(|record| (record.index, record.label)).unwrap())
            .collect();
        assert_eq!(labelled, [(0, Some(1)), (1, Some(0)), (2, Some(1))]);
        for (yields, says) in [(2, "yields fewer than its 3 images"), (4, "yields more than its 3")]
        {
            let records = data(yields, &labels, naming(None)).unwrap().records();
            let results: Vec<_> = records.collect();
            let last = results.last().unwrap().as_ref().unwrap_err().to_string();
            assert!(last.contains(says), "{last}");
            assert_eq!(results.iter().filter(|result| result.is_err()).count(), 1);
        }
    }

    #[test]
    fn all_images_have_labels_of_the_classes_or_none_has_one() {
        assert_eq!(*data(3, &[], naming(None)).unwrap().labels().as_ref(), Labels::None);
        for (labels, names, says) in [
            (&[0, 1][..], None, "liar: image 2 has no label, but others have one"),
            (&[0, 1, 2], None, "liar: image 2 has the label 2, but the classes are 0 to 1"),
            (
                &[0, 1, 1],
                Some(&["a", "b", "c"][..]),
                "its highest label is 1, but source.classes names 3",
            ),
        ] {
            let error = data(3, labels, naming(names)).unwrap_err().to_string();
            assert!(error.contains(says), "{error}");
        }
        let clash = data(3, &[0, 0, 0], naming(Some(&["a b", "a/b"]))).unwrap_err();
        assert!(matches!(clash, SourceError::Classes(_)));
    }

    #[test]
    fn names_that_were_given_come_before_those_of_the_source() {
        let name = |names: Option<&[&str]>| {
            let data = data(3, &[0, 0, 1], naming(names)).unwrap();
            assert_eq!((data.images(), data.validation()), (3, None));
            data.classes().name(1).map(str::to_owned)
        };
        assert_eq!(name(Some(&["c", "d"])).as_deref(), Some("d"));
        assert_eq!(name(None).as_deref(), Some("b"), "and those before the catalogue's");
    }
}
