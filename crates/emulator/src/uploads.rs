//! Multipart uploads that are under way.

use std::collections::BTreeMap;
use std::sync::Arc;

use bytes::Bytes;
use parking_lot::Mutex;

use crate::upload::Upload;

/// Uploads remembered; the oldest goes first.
const MOST_UPLOADS: usize = 1_000;

/// The uploads that have begun and not ended, by number.
#[derive(Default)]
pub(crate) struct Uploads {
    under_way: Mutex<Numbered>,
}

#[derive(Default)]
struct Numbered {
    last: u64,
    by_number: BTreeMap<u64, Arc<Parts>>,
}

/// One upload: what is known of its object, and the parts that are here.
pub(crate) struct Parts {
    pub(crate) bucket: String,
    pub(crate) upload: Upload,
    pub(crate) by_number: Mutex<BTreeMap<i64, Part>>,
}

#[derive(Clone)]
pub(crate) struct Part {
    pub(crate) content: Bytes,
    pub(crate) etag: String,
}

impl Uploads {
    pub(crate) fn add(&self, parts: Parts) -> String {
        let mut uploads = self.under_way.lock();
        uploads.last += 1;
        let number = uploads.last;
        uploads.by_number.insert(number, Arc::new(parts));
        if uploads.by_number.len() > MOST_UPLOADS {
            uploads.by_number.pop_first();
        }
        format!("upload-{number}")
    }

    /// The upload of that name, if it is of that object.
    pub(crate) fn find(&self, id: &str, bucket: &str, object: &str) -> Option<(u64, Arc<Parts>)> {
        let number = id.strip_prefix("upload-")?.parse().ok()?;
        let parts = Arc::clone(self.under_way.lock().by_number.get(&number)?);
        (parts.bucket == bucket && parts.upload.name == object).then_some((number, parts))
    }

    pub(crate) fn remove(&self, number: u64) {
        self.under_way.lock().by_number.remove(&number);
    }
}
