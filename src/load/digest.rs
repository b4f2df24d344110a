//! What tells one load from another, where its slices are stored by several processes.

use sha2::{Digest, Sha256};

use super::job::Job;
use crate::shard::VERSION;

/// Bytes that are hashed at once.
const AT_ONCE: usize = 64 * 1024;

/// SHA-256 (in lower-case base 16) of all that the load stores and publishes: how images are encoded, and
/// by which version of the encoders; the classes, the manifests, whether there is metadata; and of each image
/// a hash of its pixels, its label, its partition and its name. What a load does not depend on is not in it:
/// the destination, how fast it is, and how many slices there are. `hashes` are those of the pixels, by
/// position.
pub(super) fn of(job: &Job, hashes: &[u64]) -> String {
    let mut sha256 = Sha256::new();
    let formats: Vec<&str> = job.load.manifests.iter().map(|format| (*format).into()).collect();
    let settings = format!(
        "idx2gcs slices {VERSION}\n{:?}\n{:?}\n{:?}\n{}\n{}\n",
        job.load.encoding,
        job.encoders(),
        job.data().size(),
        formats.join(","),
        job.load.metadata,
    );
    sha256.update(settings);
    let classes = job.data().classes();
    for label in classes.numbers() {
        sha256.update(classes.name(label).unwrap_or_default());
        sha256.update([0]);
    }
    let mut bytes = Vec::with_capacity(AT_ONCE + 2048);
    for (item, hash) in job.items().zip(hashes) {
        bytes.extend(hash.to_le_bytes());
        bytes.extend(item.label.map_or(u64::MAX, u64::from).to_le_bytes());
        bytes.push(item.partition as u8);
        bytes.extend(job.images.names.name(&item).as_bytes());
        bytes.push(0);
        if bytes.len() >= AT_ONCE {
            sha256.update(&bytes);
            bytes.clear();
        }
    }
    sha256.update(&bytes);
    data_encoding::HEXLOWER.encode(&sha256.finalize())
}
