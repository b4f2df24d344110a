//! What is stored: names, sizes, checksums and generations. An insert costs the same however many
//! objects there are.

use std::collections::HashMap;
use std::hash::{BuildHasher, RandomState};
use std::sync::Mutex;
use std::sync::atomic::{AtomicU64, Ordering::Relaxed};

use serde::Serialize;

const SHARDS: usize = 64;

/// One object without its content.
#[derive(Clone, Copy)]
pub struct Object {
    pub size: usize,
    pub crc32c: u32,
    pub generation: u64,
}

#[derive(Default, Serialize)]
pub struct Counters {
    /// Objects stored, overwrites included.
    pub inserts: AtomicU64,
    pub overwrites: AtomicU64,
    pub precondition_failed: AtomicU64,
    pub requests: AtomicU64,
}

pub struct Store {
    hasher: RandomState,
    shards: [Mutex<HashMap<String, Object>>; SHARDS],
    pub counters: Counters,
}

impl Store {
    pub fn new() -> Self {
        Self {
            hasher: RandomState::new(),
            shards: std::array::from_fn(|_| Mutex::default()),
            counters: Counters::default(),
        }
    }

    fn shard(&self, name: &str) -> &Mutex<HashMap<String, Object>> {
        let shard = self.hasher.hash_one(name) % SHARDS as u64;
        &self.shards[usize::try_from(shard).expect("is less than SHARDS")]
    }

    /// Stores an object; nothing if `only_new` and it is there.
    pub fn put(&self, name: String, content: &[u8], only_new: bool) -> Option<Object> {
        let mut object =
            Object { size: content.len(), crc32c: crc32c::crc32c(content), generation: 1 };
        let mut shard = self.shard(&name).lock().expect("no panic while locked");
        if let Some(old) = shard.get(&name) {
            if only_new {
                self.counters.precondition_failed.fetch_add(1, Relaxed);
                return None;
            }
            object.generation = old.generation + 1;
            self.counters.overwrites.fetch_add(1, Relaxed);
        }
        shard.insert(name, object);
        self.counters.inserts.fetch_add(1, Relaxed);
        Some(object)
    }

    pub fn get(&self, name: &str) -> Option<Object> {
        self.shard(name).lock().expect("no panic while locked").get(name).copied()
    }

    /// All objects whose names begin so, by name.
    pub fn list(&self, prefix: &str) -> Vec<(String, Object)> {
        let mut found = Vec::new();
        for shard in &self.shards {
            let shard = shard.lock().expect("no panic while locked");
            let below = shard.iter().filter(|(name, _)| name.starts_with(prefix));
            found.extend(below.map(|(name, object)| (name.clone(), *object)));
        }
        found.sort_by(|(a, _), (b, _)| a.cmp(b));
        found
    }
}
