//! Buckets and objects: an ordered map each, in memory or over a folder.

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::{AtomicI64, Ordering};
use std::time::SystemTime;

use bytes::Bytes;
use parking_lot::{Mutex, MutexGuard, RwLock};

use crate::EmulatorError;
use crate::answers::ApiError;
use crate::counters::Stats;
use crate::folder::Folder;
use crate::names::check_bucket_name;
use crate::object::{Attributes, Checksums, Object, ObjectMap, Place, micros};
use crate::query::{Preconditions, Verdict};

/// Writes to one name are serialised by one of this many locks.
const NAME_LOCKS: usize = 64;

/// Everything the emulator holds.
pub(crate) struct Store {
    buckets: RwLock<BTreeMap<String, Arc<Bucket>>>,
    last_generation: AtomicI64,
    folder: Option<Folder>,
    stats: Arc<Stats>,
}

/// One bucket.
pub(crate) struct Bucket {
    pub(crate) name: String,
    pub(crate) created: SystemTime,
    objects: Mutex<ObjectMap>,
    /// Held over check, rename and entry of a name in the folder, so that the map's own lock is
    /// never held over disk work.
    name_locks: [Mutex<()>; NAME_LOCKS],
}

/// An object about to be stored; names and checksums are checked already.
pub(crate) struct NewObject {
    pub(crate) name: String,
    pub(crate) attributes: Attributes,
    pub(crate) checksums: Checksums,
    /// Of how many objects it is composed.
    pub(crate) components: Option<u32>,
    pub(crate) content: Bytes,
    pub(crate) preconditions: Preconditions,
}

impl Bucket {
    pub(crate) fn new(name: String, created: SystemTime, objects: ObjectMap) -> Self {
        let name_locks = std::array::from_fn(|_| Mutex::new(()));
        Self { name, created, objects: Mutex::new(objects), name_locks }
    }

    /// Runs `read` over the objects; it must be short.
    pub(crate) fn with_objects<T>(&self, read: impl FnOnce(&ObjectMap) -> T) -> T {
        read(&self.objects.lock())
    }

    pub(crate) fn object(&self, name: &str) -> Option<Arc<Object>> {
        self.objects.lock().get(name).cloned()
    }

    /// The live object, if it is there, is the generation asked for, and meets the preconditions.
    pub(crate) fn find(
        &self,
        name: &str,
        generation: Option<i64>,
        preconditions: Preconditions,
    ) -> Result<Arc<Object>, ApiError> {
        let object = self.object(name);
        let object = object.filter(|o| generation.is_none_or(|wanted| wanted == o.generation));
        let object = object.ok_or_else(|| ApiError::no_object(&self.name, name))?;
        match preconditions.judge(versions(Some(&object))) {
            Verdict::Holds => Ok(object),
            Verdict::Failed => Err(ApiError::condition_not_met()),
            Verdict::NotModified => Err(ApiError::not_modified()),
        }
    }

    fn name_lock(&self, name: &str) -> MutexGuard<'_, ()> {
        let slot = crc32c::crc32c(name.as_bytes()) as usize % NAME_LOCKS;
        self.name_locks[slot].lock()
    }
}

fn versions(object: Option<&Arc<Object>>) -> Option<(i64, i64)> {
    object.map(|object| (object.generation, object.metageneration))
}

impl Store {
    /// An empty store, or one that serves what lies in `root`.
    pub(crate) fn open(root: Option<PathBuf>, stats: Arc<Stats>) -> Result<Self, EmulatorError> {
        let (folder, found) = match root {
            None => (None, Vec::new()),
            Some(root) => {
                let (folder, found) = Folder::open(root)?;
                (Some(folder), found)
            }
        };
        let objects = found.iter().flat_map(|bucket| bucket.objects.values());
        let newest = objects.map(|object| object.generation).max();
        let buckets = found.into_iter().map(|found| {
            let bucket = Bucket::new(found.name.clone(), found.created, found.objects);
            (found.name, Arc::new(bucket))
        });
        Ok(Self {
            buckets: RwLock::new(buckets.collect()),
            last_generation: AtomicI64::new(newest.unwrap_or(0)),
            folder,
            stats,
        })
    }

    pub(crate) fn bucket(&self, name: &str) -> Result<Arc<Bucket>, ApiError> {
        let buckets = self.buckets.read();
        buckets.get(name).cloned().ok_or_else(ApiError::no_bucket)
    }

    pub(crate) fn buckets(&self) -> Vec<Arc<Bucket>> {
        let buckets = self.buckets.read();
        buckets.values().cloned().collect()
    }

    /// Makes a bucket; 409 where there is one of that name.
    pub(crate) fn create_bucket(&self, name: &str) -> Result<Arc<Bucket>, ApiError> {
        check_bucket_name(name)?;
        // Buckets are few and made rarely: their lock may cover the folder.
        let mut buckets = self.buckets.write();
        if buckets.contains_key(name) {
            return Err(ApiError::conflict(
                "Your previous request to create the named bucket succeeded and you already own it.",
            ));
        }
        if let Some(folder) = &self.folder {
            folder.create_bucket(name).map_err(|error| ApiError::disk(&error))?;
        }
        let bucket =
            Arc::new(Bucket::new(name.to_owned(), SystemTime::now(), ObjectMap::default()));
        buckets.insert(name.to_owned(), Arc::clone(&bucket));
        Ok(bucket)
    }

    /// Removes an empty bucket; 409 where it holds something.
    pub(crate) fn delete_bucket(&self, name: &str) -> Result<(), ApiError> {
        let not_empty = || ApiError::conflict("The bucket you tried to delete is not empty.");
        let mut buckets = self.buckets.write();
        let bucket = buckets.get(name).ok_or_else(ApiError::no_bucket)?;
        if !bucket.with_objects(BTreeMap::is_empty) {
            return Err(not_empty());
        }
        if let Some(folder) = &self.folder {
            folder.delete_bucket(name).map_err(|_| not_empty())?;
        }
        buckets.remove(name);
        Ok(())
    }

    /// Stores an object if its preconditions hold.
    pub(crate) async fn put(
        self: &Arc<Self>,
        bucket: &Arc<Bucket>,
        new: NewObject,
    ) -> Result<Arc<Object>, ApiError> {
        if self.folder.is_none() {
            return self.put_in_memory(bucket, new);
        }
        let (store, bucket) = (Arc::clone(self), Arc::clone(bucket));
        blocking(move || store.put_in_folder(&bucket, new)).await
    }

    fn put_in_memory(&self, bucket: &Bucket, new: NewObject) -> Result<Arc<Object>, ApiError> {
        // A copy of its own size: a slice would keep the whole read buffer of the connection alive
        // as long as the object.
        let content = Bytes::copy_from_slice(&new.content);
        let mut objects = bucket.objects.lock();
        let live = objects.get(new.name.as_str());
        self.judge_write(&new.preconditions, live)?;
        Ok(self.enter(&mut objects, new, Some(content), Place::Path))
    }

    fn put_in_folder(&self, bucket: &Bucket, new: NewObject) -> Result<Arc<Object>, ApiError> {
        let Some(folder) = &self.folder else {
            return self.put_in_memory(bucket, new);
        };
        // Spares the disk what is going to be refused anyway.
        self.judge_write(&new.preconditions, bucket.object(&new.name).as_ref())?;
        // The content does not stay in memory.
        new.checksums.md5(&new.content);
        let written = folder.write(&new.content).map_err(|error| ApiError::disk(&error))?;

        let _same_name = bucket.name_lock(&new.name);
        let live = bucket.object(&new.name);
        self.judge_write(&new.preconditions, live.as_ref())?;
        let place = folder.publish(written, &bucket.name, &new.name)?;
        if let Some(before) = live.filter(|live| live.place != place) {
            let removed = folder.remove(&bucket.name, &before.name, before.place);
            removed.map_err(|error| ApiError::disk(&error))?;
        }
        Ok(self.enter(&mut bucket.objects.lock(), new, None, place))
    }

    /// Enters an object whose preconditions hold. The generation is drawn under the map's lock, so
    /// that it grows with every write of a name.
    fn enter(
        &self,
        objects: &mut ObjectMap,
        new: NewObject,
        content: Option<Bytes>,
        place: Place,
    ) -> Arc<Object> {
        let created = SystemTime::now();
        let object = Arc::new(Object {
            name: Arc::from(new.name),
            generation: self.next_generation(created),
            metageneration: 1,
            created,
            updated: created,
            size: new.content.len() as u64,
            checksums: new.checksums,
            attributes: new.attributes,
            components: new.components,
            content,
            place,
        });
        let replaced = objects.insert(Arc::clone(&object.name), Arc::clone(&object)).is_some();
        self.stats.stored(object.size, replaced);
        object
    }

    /// Changes an object's attributes if it is the generation asked for and the preconditions hold.
    pub(crate) fn update(
        &self,
        bucket: &Bucket,
        name: &str,
        generation: Option<i64>,
        preconditions: &Preconditions,
        change: impl FnOnce(&Object) -> Result<Attributes, ApiError>,
    ) -> Result<Arc<Object>, ApiError> {
        let mut objects = bucket.objects.lock();
        let live = objects.get(name).cloned();
        self.judge_change(bucket, name, live.as_ref(), generation, preconditions)?;
        let live = live.ok_or_else(|| ApiError::no_object(&bucket.name, name))?;
        let mut object = Object { attributes: change(&live)?, ..Object::clone(&live) };
        object.metageneration += 1;
        object.updated = SystemTime::now();
        let object = Arc::new(object);
        objects.insert(Arc::clone(&object.name), Arc::clone(&object));
        Ok(object)
    }

    /// Deletes an object if the preconditions hold and, where a generation is named, if that is the
    /// live one.
    pub(crate) async fn delete(
        self: &Arc<Self>,
        bucket: &Arc<Bucket>,
        name: String,
        generation: Option<i64>,
        preconditions: Preconditions,
    ) -> Result<(), ApiError> {
        if self.folder.is_none() {
            let mut objects = bucket.objects.lock();
            let live = objects.get(name.as_str());
            self.judge_change(bucket, &name, live, generation, &preconditions)?;
            objects.remove(name.as_str());
            return Ok(());
        }
        let (store, bucket) = (Arc::clone(self), Arc::clone(bucket));
        blocking(move || {
            let _same_name = bucket.name_lock(&name);
            let live = bucket.object(&name);
            store.judge_change(&bucket, &name, live.as_ref(), generation, &preconditions)?;
            if let (Some(folder), Some(live)) = (&store.folder, &live) {
                folder
                    .remove(&bucket.name, &name, live.place)
                    .map_err(|error| ApiError::disk(&error))?;
            }
            bucket.objects.lock().remove(name.as_str());
            Ok(())
        })
        .await
    }

    /// The bytes of an object.
    pub(crate) async fn read(
        self: &Arc<Self>,
        bucket: &Arc<Bucket>,
        object: &Arc<Object>,
    ) -> Result<Bytes, ApiError> {
        if let Some(content) = &object.content {
            return Ok(content.clone());
        }
        let (store, bucket, object) = (Arc::clone(self), Arc::clone(bucket), Arc::clone(object));
        blocking(move || store.read_blocking(&bucket, &object)).await
    }

    /// [`Store::read`] for callers outside the server.
    pub(crate) fn read_blocking(
        &self,
        bucket: &Bucket,
        object: &Object,
    ) -> Result<Bytes, ApiError> {
        match (&object.content, &self.folder) {
            (Some(content), _) => Ok(content.clone()),
            (None, Some(folder)) => folder
                .read(&bucket.name, &object.name, object.place)
                .map_err(|error| ApiError::disk(&error)),
            (None, None) => Err(ApiError::no_object(&bucket.name, &object.name)),
        }
    }

    fn judge_write(
        &self,
        preconditions: &Preconditions,
        live: Option<&Arc<Object>>,
    ) -> Result<(), ApiError> {
        match preconditions.judge(versions(live)) {
            Verdict::Holds => Ok(()),
            Verdict::Failed | Verdict::NotModified => {
                self.stats.precondition_failed();
                Err(ApiError::condition_not_met())
            }
        }
    }

    fn judge_change(
        &self,
        bucket: &Bucket,
        name: &str,
        live: Option<&Arc<Object>>,
        generation: Option<i64>,
        preconditions: &Preconditions,
    ) -> Result<(), ApiError> {
        let Some(object) = live else {
            return Err(ApiError::no_object(&bucket.name, name));
        };
        if generation.is_some_and(|wanted| wanted != object.generation) {
            return Err(ApiError::no_object(&bucket.name, name));
        }
        self.judge_write(preconditions, live)
    }

    /// The time in microseconds, as Google's generations look, but never the same twice nor smaller
    /// than one before.
    fn next_generation(&self, now: SystemTime) -> i64 {
        let now = micros(now);
        let step = |last: i64| Some(now.max(last + 1));
        let last = self.last_generation.fetch_update(Ordering::Relaxed, Ordering::Relaxed, step);
        last.map_or(now, |last| now.max(last + 1))
    }
}

async fn blocking<T: Send + 'static>(
    work: impl FnOnce() -> Result<T, ApiError> + Send + 'static,
) -> Result<T, ApiError> {
    match tokio::task::spawn_blocking(work).await {
        Ok(result) => result,
        Err(error) => Err(ApiError::disk(&std::io::Error::other(error))),
    }
}
