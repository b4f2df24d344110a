//! One record's way from pixels to an object.

use std::sync::Arc;

use bytes::Bytes;
use serde::Serialize;

use super::existing::Existing;
use super::store::{Ending, Refusal, Storing};
use crate::encode::Encoder;
use crate::naming::Template;
use crate::report::State;
use crate::sink::{Body, Fault, FaultKind, NewObject};
use crate::source::Record;
use crate::split::Split;

/// How records become objects.
#[derive(Debug, Clone)]
pub struct Images {
    /// Pixels to JPEG.
    pub encoder: Encoder,
    /// Index to partition.
    pub split: Arc<Split>,
    /// Index, label and partition to name.
    pub names: Template,
}

/// An image that could not be stored: a line of `failures.jsonl`.
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
    pub fn name(&self, index: u32, label: u8) -> String {
        self.names.name(index, label, self.split.partition(index))
    }

    /// Encodes one record and stores it.
    pub(super) async fn store(
        &self,
        record: Record,
        existing: &Existing,
        storing: &Storing,
    ) -> Result<State, ImageFailure> {
        let Record { index, label, pixels } = record;
        let name = self.name(index, label);
        let jpeg = match self.encoder.encode(&pixels) {
            Ok(jpeg) => jpeg,
            Err(e) => {
                let fault = Fault::new(FaultKind::Unparsable, e.to_string());
                return Err(ImageFailure {
                    index,
                    object: name,
                    attempts: 0,
                    refusal: fault.into(),
                });
            }
        };
        drop(pixels);
        let size = jpeg.len() as u64;
        let object = NewObject {
            crc32c: crc32c::crc32c(&jpeg),
            body: Body::Bytes(Bytes::from(jpeg)),
            name,
            content_type: "image/jpeg",
        };
        let seen = existing.get(index, &object.name);
        match storing.store(&object, seen).await {
            (Ok(Ending::Written), _) => Ok(State::Uploaded(size)),
            (Ok(Ending::AlreadyPresent), _) => Ok(State::AlreadyPresent),
            (Err(refusal), attempts) => {
                Err(ImageFailure { index, object: object.name, attempts, refusal })
            }
        }
    }
}

impl ImageFailure {
    /// The failure of an image whose task panicked: the run goes on, and says so.
    pub(super) fn panicked(index: u32) -> Self {
        let fault = Fault::new(FaultKind::Unparsable, "the uploader panicked; this is a defect");
        Self { index, object: format!("of image {index}"), attempts: 0, refusal: fault.into() }
    }

    /// The failure as the destination's, with the object's name.
    pub(super) fn fault(&self) -> Fault {
        match &self.refusal {
            Refusal::Fault(fault) => fault.clone(),
            Refusal::Conflict(why) => Fault::new(FaultKind::Precondition, why.clone()),
        }
    }
}
