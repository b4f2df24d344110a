//! One record's way from pixels to an object.

use std::sync::Arc;

use serde::Serialize;

use super::samples::Samples;
use super::store::Refusal;
use crate::encode::{EncodeError, Encoder};
use crate::manifest::Contents;
use crate::model::Item;
use crate::naming::Names;
use crate::sink::{Body, Fault, FaultKind, NewObject};
use crate::source::Record;
use crate::split::Split;

/// How records become objects.
#[derive(Debug, Clone)]
pub struct Images {
    /// Makes image files.
    pub encoder: Encoder,
    /// Index to partition.
    pub split: Arc<Split>,
    /// What is known of an image to its name.
    pub names: Names,
    /// Where each object's checksum and size are noted, if somebody wants them.
    pub contents: Option<Arc<Contents>>,
    /// Whether objects carry label, class and partition as custom metadata.
    pub metadata: bool,
    /// What the report page shows of them, where there will be one.
    pub samples: Option<Arc<Samples>>,
}

/// An image that could not be stored, or is not stored as it should be: a line of
/// `failures.jsonl`.
#[derive(Debug, Clone, Serialize)]
pub struct ImageFailure {
    /// The image's index.
    pub index: u32,
    /// The object's name below the prefix.
    pub object: String,
    /// Upload attempts made.
    pub attempts: u32,
    /// What the last one met.
    #[serde(rename = "last_error", serialize_with = "as_text")]
    pub refusal: Refusal,
}

fn as_text<S: serde::Serializer>(refusal: &Refusal, to: S) -> Result<S::Ok, S::Error> {
    to.collect_str(refusal)
}

impl Images {
    /// The name of an image's object.
    pub fn name(&self, record: &Record) -> String {
        let partition = self.split.partition(record.index);
        let hash = if self.names.template.uses_hash() { record.image.hash() } else { 0 };
        let format = self.encoder.format(record.image.format());
        let item = Item { index: record.index, label: record.label, partition, format, hash };
        self.names.name(&item)
    }

    /// Encodes one record into the object of that name.
    ///
    /// # Errors
    /// Pixels that do not make an image.
    pub fn object(&self, record: &Record, name: String) -> Result<NewObject, EncodeError> {
        let body = self.encoder.encode(&record.image)?;
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
            metadata: self.metadata(record),
        })
    }

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

impl ImageFailure {
    /// The failure of an image whose task panicked: the run goes on, and says so.
    pub(super) fn panicked(index: u32, object: String) -> Self {
        let fault = Fault::new(FaultKind::Internal, "the worker panicked; this is a defect");
        Self { index, object, attempts: 0, refusal: fault.into() }
    }

    /// The failure of an image that was in flight when the run could wait no longer.
    pub(super) fn abandoned(index: u32, object: String) -> Self {
        let fault = Fault::new(
            FaultKind::Timeout,
            "abandoned in flight when the run was stopped; it may be stored, a rerun will tell",
        );
        Self { index, object, attempts: 1, refusal: fault.into() }
    }

    /// The failure as the destination's fault.
    pub(super) fn fault(&self) -> Fault {
        match &self.refusal {
            Refusal::Fault(fault) => fault.clone(),
            other => Fault::new(FaultKind::Precondition, other.to_string()),
        }
    }
}
