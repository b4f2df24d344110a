//! Objects: one to be written, one that is stored; and what is known of where they are.

use std::collections::BTreeMap;

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
    /// Its custom metadata, as far as that is known.
    pub metadata: Metadata,
}

/// What is known of an object's custom metadata.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub enum Metadata {
    /// Nothing: the destination has none, or was not asked.
    #[default]
    Unknown,
    /// It is not what the object would be given; which keys differ is not known.
    Different,
    /// All keys and their values.
    Pairs(BTreeMap<String, String>),
}

impl Stored {
    /// An object of whose custom metadata nothing is known.
    pub fn new(name: String, size: u64, crc32c: Option<u32>, generation: u64) -> Self {
        Self { name, size, crc32c, generation, metadata: Metadata::Unknown }
    }

    /// Whether this is what `object` would write.
    pub fn holds(&self, object: &NewObject) -> bool {
        self.size == object.body.size() && self.crc32c == Some(object.crc32c)
    }

    /// Whether it has this custom metadata, as far as that is known. Other keys are not compared: other
    /// programs have theirs.
    pub fn carries(&self, pairs: &[(&'static str, String)]) -> bool {
        match &self.metadata {
            Metadata::Unknown => true,
            Metadata::Different => pairs.is_empty(),
            Metadata::Pairs(all) => pairs.iter().all(|(key, value)| all.get(*key) == Some(value)),
        }
    }

    /// In words, how it differs from what `object` would write.
    pub fn diff(&self, object: &NewObject) -> String {
        if self.holds(object) {
            return self.metadata_diff(object);
        }
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

    fn metadata_diff(&self, object: &NewObject) -> String {
        let mut text = format!("{} exists with other custom metadata", self.name);
        if let Metadata::Pairs(all) = &self.metadata {
            let others = object.metadata.iter().filter(|(key, value)| all.get(*key) != Some(value));
            for (nth, (key, value)) in others.enumerate() {
                let there = all.get(*key).map_or("none".to_owned(), |there| format!("{there:?}"));
                let before = if nth == 0 { ":" } else { "," };
                text += &format!("{before} {key} is {there} at the destination and {value:?} here");
            }
        }
        text
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn keys_of_other_programs_make_no_difference() {
        let pairs = |pairs: &[(&str, &str)]| {
            let pairs = pairs.iter().map(|(key, value)| ((*key).to_owned(), (*value).to_owned()));
            let stored = Stored::new("a".to_owned(), 1, Some(2), 3);
            Stored { metadata: Metadata::Pairs(pairs.collect()), ..stored }
        };
        let wanted = vec![("partition", "train".to_owned()), ("label", "7".to_owned())];
        assert!(pairs(&[("partition", "train"), ("label", "7"), ("mtime", "1")]).carries(&wanted));
        assert!(pairs(&[("label", "7")]).carries(&[]));
        let unknown = Stored::new("a".to_owned(), 1, Some(2), 3);
        let different = Stored { metadata: Metadata::Different, ..unknown.clone() };
        assert!(unknown.carries(&wanted) && !different.carries(&wanted));
        let object = NewObject {
            name: "a".to_owned(),
            body: Body::Bytes("x".into()),
            crc32c: 2,
            content_type: "image/png",
            metadata: wanted,
        };
        let says = "a exists with other custom metadata";
        assert_eq!(different.diff(&object), says);
        let other = pairs(&[("label", "8")]);
        assert!(!other.carries(&object.metadata));
        assert_eq!(
            other.diff(&object),
            format!(
                "{says}: partition is none at the destination and \"train\" here, label is \"8\" at \
                 the destination and \"7\" here"
            )
        );
    }
}
