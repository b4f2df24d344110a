//! One record's way from pixels to an object.

use std::sync::Arc;

use super::samples::Samples;
use crate::encode::Encoder;
use crate::manifest::Contents;
use crate::model::Item;
use crate::naming::Names;
use crate::pipeline::{NotStored, Objects};
use crate::sink::{Body, NewObject};
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
    /// Whether objects carry label, class and partition as custom metadata.
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

    fn object(&self, record: Record, name: String) -> Result<NewObject, NotStored> {
        let encoded = self.encoder.encode(&record.image);
        let body = encoded.map_err(NotStored::Encoding)?;
        if let Some(samples) = &self.samples {
            samples.see(record.index, &record.image, &body);
        }
        let crc32c = crc32c::crc32c(&body);
        if let Some(contents) = &self.contents {
            contents.note(record.index, crc32c, body.len() as u64);
        }
        Ok(NewObject {
            name,
            crc32c,
            body: Body::Bytes(body),
            content_type: self.encoder.format(record.image.format()).media_type(),
            metadata: self.metadata(&record),
        })
    }
}

impl Images {
    /// The class as importers accept it; images without labels have a partition alone.
    fn metadata(&self, record: &Record) -> Vec<(&'static str, String)> {
        if !self.metadata {
            return Vec::new();
        }
        let partition = self.split.partition(record.index).name().to_owned();
        let mut pairs = vec![("partition", partition)];
        if let Some(label) = record.label {
            pairs.push(("label", label.to_string()));
            pairs.push(("class", self.names.classes.label(label).into_owned()));
        }
        pairs
    }
}
