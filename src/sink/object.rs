//! Objects: one to be written, one that is stored; and what is known of where they are.

use bytes::Bytes;

use super::Body;

/// An object to be written.
#[derive(Debug, Clone)]
pub struct NewObject {
    /// Name below the sink's prefix.
    pub name: String,
    /// Its content.
    pub body: Body,
    /// CRC32C (Castagnoli) of the content.
    pub crc32c: u32,
    /// Its media type.
    pub content_type: &'static str,
    /// Custom metadata where the destination has such, at most [`MOST_METADATA`] bytes; empty, it
    /// takes no memory.
    pub metadata: Vec<(&'static str, String)>,
}

/// Bytes that the keys and values of an object's custom metadata may take together
/// (<https://cloud.google.com/storage/docs/metadata#custom-metadata>).
pub const MOST_METADATA: usize = 8 * 1024;

impl NewObject {
    /// An object of bytes in memory, without custom metadata.
    pub fn of_bytes(
        name: impl Into<String>,
        content: impl Into<Bytes>,
        content_type: &'static str,
    ) -> Self {
        let content = content.into();
        let crc32c = crc32c::crc32c(&content);
        let (name, body) = (name.into(), Body::Bytes(content));
        Self { name, body, crc32c, content_type, metadata: Vec::new() }
    }

    /// Bytes of the custom metadata, keys and values.
    pub fn metadata_size(&self) -> usize {
        self.metadata.iter().map(|(key, value)| key.len() + value.len()).sum()
    }
}

/// What can be known of a destination beside its objects; `None` is unknown.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct About {
    /// Where a bucket's data is, as Google writes it: `US-CENTRAL1`, `EU`.
    pub location: Option<String>,
    /// `region`, `dual-region` or `multi-region`.
    pub location_type: Option<String>,
    /// The number of the project that a bucket belongs to.
    pub project_number: Option<u64>,
    /// Whether the bucket's own policy lets a service agent of Vertex AI read objects. A policy of the
    /// project may do so where the bucket's does not: the agent of the bucket's own project has a role
    /// there.
    pub vertex_agent_reads: Option<bool>,
}

/// What is stored, as the destination tells it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Stored {
    /// Name below the sink's prefix.
    pub name: String,
    /// Bytes.
    pub size: u64,
    /// CRC32C (Castagnoli) of the content, where the destination tells it: a folder's listing does
    /// not, nor does Google for objects under a customer's own key.
    pub crc32c: Option<u32>,
    /// Which write of this name it is. A folder has no generations and says 1.
    pub generation: u64,
}

impl Stored {
    /// Whether this is what `object` would write.
    pub fn holds(&self, object: &NewObject) -> bool {
        self.size == object.body.size() && self.crc32c == Some(object.crc32c)
    }

    /// In words, how it differs from what `object` would write.
    pub fn diff(&self, object: &NewObject) -> String {
        let crc32c = self.crc32c.map_or("unknown".to_owned(), |crc32c| format!("{crc32c:08x}"));
        format!(
            "{} exists with other content: {} bytes with CRC32C {crc32c} at the destination, {} \
             bytes with {:08x} here",
            self.name,
            self.size,
            object.body.size(),
            object.crc32c
        )
    }
}
