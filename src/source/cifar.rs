//! CIFAR-10 and CIFAR-100 in their binary form (<https://www.cs.toronto.edu/~kriz/cifar.html>): records
//! of one or two bytes of labels and 32 × 32 pixels, all red values first, then green, then blue; in a
//! folder, or in the `.tar.gz` that their authors publish.

use std::collections::BTreeMap;
use std::io::Read;
use std::path::Path;
use std::sync::Arc;

use super::bundle::{Bundle, Member};
use super::candidate::Candidate;
use super::error::SourceError;
use super::labels::Labels;
use super::options::ReadOptions;
use super::{Images, Part, Source};
use crate::model::{Image, ImageFormat, Partition, Size};

const SIZE: Size = Size { rows: 32, cols: 32, channels: 3 };

/// Bytes of one channel of an image, and of all.
const PLANE: usize = 32 * 32;
const PIXELS: usize = 3 * PLANE;

/// More bytes of class names than this are not read.
const LONGEST_NAMES: u64 = 64 * 1024;

/// The files of one of the two data sets.
#[derive(Debug)]
struct Layout {
    title: &'static str,
    /// A file that no other data set has.
    sign: &'static str,
    /// A file of class names for each byte of labels.
    names: &'static [&'static str],
    /// Which of the labels is the class by default.
    column: u32,
    /// The files of images in order.
    images: &'static [(Partition, &'static str)],
}

const LAYOUTS: [Layout; 2] = [
    Layout {
        title: "CIFAR-10",
        sign: "data_batch_1.bin",
        names: &["batches.meta.txt"],
        column: 0,
        images: &[
            (Partition::Train, "data_batch_1.bin"),
            (Partition::Train, "data_batch_2.bin"),
            (Partition::Train, "data_batch_3.bin"),
            (Partition::Train, "data_batch_4.bin"),
            (Partition::Train, "data_batch_5.bin"),
            (Partition::Test, "test_batch.bin"),
        ],
    },
    Layout {
        title: "CIFAR-100",
        sign: "fine_label_names.txt",
        names: &["coarse_label_names.txt", "fine_label_names.txt"],
        column: 1,
        images: &[(Partition::Train, "train.bin"), (Partition::Test, "test.bin")],
    },
];

impl Layout {
    /// The data set that a file of images belongs to.
    fn of_images(name: &str) -> Option<&'static Self> {
        LAYOUTS.iter().find(|layout| layout.images.iter().any(|(_, file)| *file == name))
    }

    /// Whether a file holds class names.
    fn is_names(name: &str) -> bool {
        LAYOUTS.iter().any(|layout| layout.names.contains(&name))
    }

    /// Bytes of a record.
    fn record(&self) -> usize {
        self.names.len() + PIXELS
    }

    /// Which of the labels is the class.
    fn column(&self, options: &ReadOptions, path: &Path) -> Result<usize, SourceError> {
        let column = options.label_column.unwrap_or(self.column) as usize;
        if column < self.names.len() {
            return Ok(column);
        }
        let (columns, title) = (self.names.len(), self.title);
        let problem =
            format!("source.label_column = {column}, but {title} has {columns} labels each");
        Err(SourceError::unfit(path, problem))
    }
}

/// A data set of either kind.
#[derive(Debug)]
struct Cifar {
    layout: &'static Layout,
    parts: Vec<(Part, Member)>,
    labels: Arc<Labels>,
    class_names: Option<Vec<String>>,
}

/// Opens a folder or an archive with the files of a CIFAR data set, which are read through for their
/// labels.
pub(super) fn open(
    candidate: &Candidate,
    options: &ReadOptions,
) -> Result<Option<Arc<dyn Source>>, SourceError> {
    let Some(bundle) = Bundle::at(candidate) else { return Ok(None) };
    if let Bundle::Folder(files) = &bundle
        && !LAYOUTS.iter().any(|layout| files.contains_key(layout.sign))
    {
        return Ok(None);
    }
    let (mut labels, mut names) = (BTreeMap::new(), BTreeMap::new());
    let wanted = |name: &str| Layout::of_images(name).is_some() || Layout::is_names(name);
    let members = bundle.visit(wanted, |name, path, reader| {
        if let Some(layout) = Layout::of_images(name) {
            let column = layout.column(options, path)?;
            labels.insert(name.to_owned(), read_labels(layout, column, path, reader)?);
        } else {
            let mut text = String::new();
            let read = reader.take(LONGEST_NAMES).read_to_string(&mut text);
            read.map_err(|e| SourceError::unreadable(path, e))?;
            let lines = text.lines().map(str::trim).filter(|line| !line.is_empty());
            names.insert(name.to_owned(), lines.map(str::to_owned).collect::<Vec<_>>());
        }
        Ok(())
    })?;
    let Some(layout) = LAYOUTS.iter().find(|layout| members.contains_key(layout.sign)) else {
        return Ok(None);
    };
    options.must_be_bytes(candidate.path())?;
    let (mut parts, mut missing, mut all) = (Vec::new(), Vec::new(), Labels::None);
    for (partition, name) in layout.images {
        let (Some(labels), Some(member)) = (labels.get(*name), members.get(*name)) else {
            missing.push(*name);
            continue;
        };
        let images = u32::try_from(labels.len()).unwrap_or(u32::MAX);
        let part = Part { partition: *partition, images, path: member.path.clone() };
        parts.push((part, member.clone()));
        for label in labels {
            all.push((*label).into());
        }
    }
    if !missing.is_empty() {
        let (title, missing) = (layout.title, missing.join(", "));
        return Err(SourceError::unfit(
            candidate.path(),
            format!("not all of {title}: it lacks {missing}"),
        ));
    }
    let class_names = names.remove(layout.names[layout.column(options, candidate.path())?]);
    Ok(Some(Arc::new(Cifar { layout, parts, labels: Arc::new(all), class_names })))
}

/// Reads a file of images to its end, and keeps the labels.
fn read_labels(
    layout: &Layout,
    column: usize,
    path: &Path,
    reader: &mut dyn Read,
) -> Result<Vec<u8>, SourceError> {
    let mut record = vec![0; layout.record()];
    let mut labels = Vec::new();
    while read_record(reader, &mut record, path)? {
        labels.push(record[column]);
    }
    Ok(labels)
}

/// Fills a record; `false` at the end of the file.
fn read_record(reader: &mut dyn Read, record: &mut [u8], path: &Path) -> Result<bool, SourceError> {
    let mut filled = 0;
    while filled < record.len() {
        match reader.read(&mut record[filled..]) {
            Ok(0) => break,
            Ok(read) => filled += read,
            Err(e) if e.kind() == std::io::ErrorKind::Interrupted => {}
            Err(e) => return Err(SourceError::unreadable(path, e)),
        }
    }
    match filled {
        0 => Ok(false),
        all if all == record.len() => Ok(true),
        rest => {
            let len = record.len();
            let problem = format!("truncated: its last record has {rest} of {len} bytes");
            Err(SourceError::unfit(path, problem))
        }
    }
}

/// Pixels of a record, of which all red values come first, then green, then blue.
fn interleaved(planes: &[u8]) -> Vec<u8> {
    let (red, rest) = planes.split_at(PLANE);
    let (green, blue) = rest.split_at(PLANE);
    let pixels = red.iter().zip(green).zip(blue);
    pixels.flat_map(|((red, green), blue)| [*red, *green, *blue]).collect()
}

impl Source for Cifar {
    fn parts(&self) -> Vec<Part> {
        self.parts.iter().map(|(part, _)| part.clone()).collect()
    }

    fn labels(&self) -> &Arc<Labels> {
        &self.labels
    }

    fn class_names(&self) -> Option<Vec<String>> {
        self.class_names.clone()
    }

    fn size(&self) -> Option<Size> {
        Some(SIZE)
    }

    fn format(&self, _: u32) -> Option<ImageFormat> {
        None
    }

    fn largest_image(&self) -> u64 {
        SIZE.bytes()
    }

    fn images(&self) -> Images {
        let members: Vec<_> = self.parts.iter().map(|(_, member)| member.clone()).collect();
        let (labels, len) = (self.layout.names.len(), self.layout.record());
        Box::new(members.into_iter().flat_map(move |member| {
            let (mut record, mut reader) = (vec![0; len], None);
            std::iter::from_fn(move || {
                let reader = match &mut reader {
                    Some(reader) => reader,
                    none => match member.open() {
                        Ok(opened) => none.insert(opened),
                        Err(e) => return Some(Err(SourceError::unreadable(&member.path, e))),
                    },
                };
                match read_record(reader, &mut record, &member.path) {
                    Ok(true) => {
                        let pixels = interleaved(&record[labels..]);
                        Some(Ok(Image::Raw { size: SIZE, pixels }))
                    }
                    Ok(false) => None,
                    Err(error) => Some(Err(error)),
                }
            })
        }))
    }

    /// Opening has read all.
    fn prove(&self, _: &dyn Fn() -> bool) -> Result<(), SourceError> {
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::fs;

    /// A record whose red values count up from `label`, whose green ones are 1, and whose blue ones 2.
    fn record(labels: &[u8]) -> Vec<u8> {
        let red = (0..PLANE).map(|i| i.to_le_bytes()[0].wrapping_add(labels[0]));
        labels.iter().copied().chain(red).chain([1; PLANE]).chain([2; PLANE]).collect()
    }

    fn opened(folder: &Path, column: Option<u32>) -> Result<Option<Arc<dyn Source>>, SourceError> {
        let options = ReadOptions { label_column: column, ..ReadOptions::default() };
        open(&Candidate::of(folder).unwrap(), &options)
    }

    #[test]
    fn ten_classes_in_six_files() {
        let dir = tempfile::tempdir().unwrap();
        let write = |name: &str, bytes: &[u8]| fs::write(dir.path().join(name), bytes).unwrap();
        for batch in 1..=5 {
            write(&format!("data_batch_{batch}.bin"), &[record(&[batch]), record(&[0])].concat());
        }
        let lacks = opened(dir.path(), None).unwrap_err().to_string();
        assert!(lacks.ends_with("not all of CIFAR-10: it lacks test_batch.bin"), "{lacks}");
        write("test_batch.bin", &record(&[9]));
        write("batches.meta.txt", b"airplane\nautomobile\n\n");
        let source = opened(dir.path(), None).unwrap().unwrap();
        assert_eq!(source.class_names().unwrap(), ["airplane", "automobile"]);
        let parts: Vec<_> = source.parts().iter().map(|p| (p.partition, p.images)).collect();
        assert_eq!(parts[..5], [(Partition::Train, 2); 5]);
        assert_eq!(parts[5..], [(Partition::Test, 1)]);
        let labels: Vec<_> = (0..11).map(|index| source.labels().get(index).unwrap()).collect();
        assert_eq!(labels, [1, 0, 2, 0, 3, 0, 4, 0, 5, 0, 9]);
        let images: Vec<_> = source.images().map(Result::unwrap).collect();
        assert_eq!(images.len(), 11);
        assert_eq!(images[10].bytes()[..6], [9, 1, 2, 10, 1, 2], "channels beside each other");
        assert_eq!(images[10].bytes().len() as u64, source.largest_image());

        write("data_batch_3.bin", &record(&[3])[1..]);
        let says = opened(dir.path(), None).unwrap_err().to_string();
        assert!(
            says.ends_with("data_batch_3.bin: truncated: its last record has 3072 of 3073 bytes")
        );
        let changed = source.images().find_map(Result::err).unwrap().to_string();
        assert!(changed.contains("truncated"), "{changed}");
    }

    #[test]
    fn a_hundred_classes_in_twenty() {
        let dir = tempfile::tempdir().unwrap();
        let write = |name: &str, bytes: &[u8]| fs::write(dir.path().join(name), bytes).unwrap();
        write("train.bin", &[record(&[4, 30]), record(&[1, 0])].concat());
        write("test.bin", &record(&[0, 7]));
        assert!(opened(dir.path(), None).unwrap().is_none(), "files of any origin");
        write("fine_label_names.txt", b"apple\naquarium_fish\n");
        write("coarse_label_names.txt", b"aquatic_mammals\nfish\n");
        for (column, labels, first) in
            [(None, [30, 0, 7], "apple"), (Some(0), [4, 1, 0], "aquatic_mammals")]
        {
            let source = opened(dir.path(), column).unwrap().unwrap();
            assert_eq!([0, 1, 2].map(|index| source.labels().get(index).unwrap()), labels);
            assert_eq!(source.class_names().unwrap()[0], first);
            let image = source.images().next().unwrap().unwrap();
            assert_eq!(image.bytes()[..3], [4, 1, 2], "two labels come first");
        }
        let says = opened(dir.path(), Some(2)).unwrap_err().to_string();
        assert!(says.ends_with("label_column = 2, but CIFAR-100 has 2 labels each"), "{says}");
    }
}
