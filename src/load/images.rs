//! One record's way from pixels to an object.

use std::sync::Arc;

use super::samples::Samples;
use crate::encode::Encoder;
use crate::manifest::Contents;
use crate::model::{ImageFormat, Item};
use crate::naming::Names;
use crate::pipeline::{NotStored, Objects};
use crate::sink::NewObject;
use crate::source::Record;
use crate::split::Split;

/// How records become objects.
#[derive(Debug, Clone)]
pub(super) struct Images {
    /// Pixels to JPEG or PNG.
    pub(super) encoder: Encoder,
    /// Index to partition.
    pub(super) split: Arc<Split>,
    /// What is known of an image to its name.
    pub(super) names: Names,
    /// Where each object's checksum and size are noted, if somebody wants them.
    pub(super) contents: Option<Arc<Contents>>,
    /// Whether objects carry label, class, partition and encoder as custom metadata.
    pub(super) metadata: bool,
    /// What the report page shows of them, where there will be one.
    pub(super) samples: Option<Arc<Samples>>,
}

impl Objects for Images {
    fn name(&self, record: &Record) -> String {
        let partition = self.split.partition(record.index);
        let hash = if self.names.template.uses_hash() { record.image.hash() } else { 0 };
        let format = self.encoder.format(record.image.format());
        let item = Item { index: record.index, label: record.label, partition, format, hash };
        self.names.name(&item)
    }

    fn cost(&self, record: &Record) -> u64 {
        self.encoder.memory(&record.image)
    }

    fn object(&self, record: Record, name: String) -> Result<NewObject, NotStored> {
        let encoded = self.encoder.encode(&record.image);
        let body = encoded.map_err(NotStored::Encoding)?;
        if let Some(samples) = &self.samples {
            samples.see(record.index, &record.image, &body);
        }
        let content_type = self.encoder.format(record.image.format()).media_type();
        let object = NewObject::of_bytes(name, body, content_type);
        if let Some(contents) = &self.contents {
            contents.note(record.index, object.crc32c, object.body.size());
        }
        let metadata = self.metadata(record.index, record.label, record.image.format());
        Ok(NewObject { metadata, ..object })
    }
}

impl Images {
    /// Partition, label, the class as importers accept it, and the encoder: images without labels have no
    /// label and class, files that are stored unchanged no encoder.
    pub(super) fn metadata(
        &self,
        index: u32,
        label: Option<u32>,
        from: Option<ImageFormat>,
    ) -> Vec<(&'static str, String)> {
        if !self.metadata {
            return Vec::new();
        }
        let partition = self.split.partition(index).name().to_owned();
        let mut pairs = vec![("partition", partition)];
        if let Some(label) = label {
            pairs.push(("label", label.to_string()));
            pairs.push(("class", self.names.classes.label(label).into_owned()));
        }
        if let Some(encoder) = self.encoder.identity(from) {
            pairs.push(("encoder", encoder.to_owned()));
        }
        pairs
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::classes::Classes;
    use crate::encode::{Encoding, Filter, Fit, Resize};
    use crate::model::{Image, Partition, Selection, Size};
    use crate::naming::Template;
    use crate::pace::Pace;
    use crate::pipeline::{
        self, DRAIN, Existing, ImageFailure, Pipeline, State, Stats, Stop, Work,
    };
    use crate::sink::Stored;
    use std::sync::atomic::{AtomicU32, Ordering};
    use tokio_util::sync::CancellationToken;

    const IMAGES: u32 = 12;

    /// Images whose first files are made only when the decoder has read as many as it may.
    struct Counted {
        images: Images,
        /// Records that the decoder has read.
        read: Arc<AtomicU32>,
        /// Files that have been made.
        made: Arc<AtomicU32>,
        /// Records that may be read before the first file is made.
        most: u32,
    }

    impl Objects for Counted {
        fn name(&self, record: &Record) -> String {
            self.images.name(record)
        }

        fn cost(&self, record: &Record) -> u64 {
            self.images.cost(record)
        }

        fn object(&self, record: Record, name: String) -> Result<NewObject, NotStored> {
            while self.read.load(Ordering::SeqCst) < self.most {
                std::thread::yield_now();
            }
            let object = self.images.object(record, name);
            self.made.fetch_add(1, Ordering::SeqCst);
            object
        }
    }

    struct Storing;

    impl Work for Storing {
        async fn object(
            &self,
            object: NewObject,
            _: Option<Stored>,
        ) -> Result<State, (NotStored, u32)> {
            Ok(State::Uploaded(object.body.size()))
        }

        fn stops_at(&self, _: &ImageFailure) -> Option<Stop> {
            None
        }
    }

    /// Pictures of 1 KiB that become pictures of 256 KiB: three fit into the budget, and one more waits in
    /// the decoder's hands.
    #[tokio::test(flavor = "multi_thread")]
    async fn enlarged_pictures_stay_within_the_budget() {
        let (filter, fit) = (Filter::Lanczos3, Fit::Stretch);
        let resize = Some(Resize { cols: 512, rows: 512, filter, fit });
        let images = Images {
            encoder: Encoder::new(Encoding { resize, ..Encoding::default() }),
            split: Arc::new(Split::none(&[(Partition::Train, IMAGES)])),
            names: Names {
                template: Template::parse("{index}.{ext}", "").unwrap(),
                classes: Arc::new(Classes::new(Vec::new(), 0).unwrap()),
            },
            contents: None,
            metadata: false,
            samples: None,
        };
        let (read, made) = (Arc::new(AtomicU32::new(0)), Arc::new(AtomicU32::new(0)));
        let objects = Counted { images, read: Arc::clone(&read), made: Arc::clone(&made), most: 4 };
        let stats = Arc::new(Stats::new(IMAGES, Arc::new(Pace::fixed(16))));
        let run = Pipeline {
            images: IMAGES,
            objects: Arc::new(objects),
            work: Storing,
            existing: Existing::none(Selection::First(IMAGES)),
            pace: Arc::clone(stats.pace()),
            // Each with its 32 lines of full width on the way.
            memory: 3 * (1024 + 16 * 1024 + 2 * 256 * 1024 + 2048),
            queue: 256,
            stats,
            stop: CancellationToken::new(),
            drain: DRAIN,
            on_failure: Box::new(|_| ()),
        };
        let ahead = Arc::new(AtomicU32::new(0));
        let most_ahead = Arc::clone(&ahead);
        let records = (0..IMAGES).map(move |index| {
            let read = read.fetch_add(1, Ordering::SeqCst) + 1;
            most_ahead.fetch_max(read - made.load(Ordering::SeqCst), Ordering::SeqCst);
            let size = Size { rows: 32, cols: 32, channels: 1 };
            let image = Image::Raw { size, pixels: vec![0; 1024] };
            Ok(Record { index, label: None, image })
        });
        let counts = pipeline::run(Arc::new(run), records).await.counts;
        assert_eq!((counts.uploaded, counts.is_complete()), (IMAGES, true));
        assert_eq!(ahead.load(Ordering::SeqCst), 4);
    }
}
