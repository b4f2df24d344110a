//! An embedded Google Cloud Storage: as much of the JSON and XML APIs as uploads need, on loopback,
//! inside the process.
//!
//! ```text
//!  TCP ─ server ─ routes ─┬ insert, resumable  (JSON: uploads)  ┐
//!                         ├ objects, copies    (JSON: the rest) ├─ gate ─ store ─ memory | folder
//!                         ├ buckets, batch                      │
//!                         ├ xml                (XML API)        ┘    │
//!                         └ counters                        faults, script, recording
//! ```
//!
//! It exists to rehearse: throughput, since an insert costs the same whatever the number of
//! objects, and bad days, since [`Faults`] and [`Script`] make answers fail, hang or get lost.
//! Behaviour follows Google's documentation of the JSON API
//! (<https://cloud.google.com/storage/docs/json_api/v1>) and the XML API
//! (<https://cloud.google.com/storage/docs/xml-api/overview>). Of the XML API it has what puts, also
//! in parts, gets, heads, copies, deletes and lists objects.
//!
//! Whatever is asked and not here is answered with 501, which names it: methods, parameters, fields.
//! Not here are versioning, soft deletion, access control lists, retention,
//! folders, keys of the customer's, the gRPC API and TLS.
//!
//! ```
//! use idx2gcs_emulator::{Emulator, Options};
//!
//! # async fn run() -> Result<(), Box<dyn std::error::Error>> {
//! let options = Options { buckets: vec!["pictures".to_owned()], ..Options::default() };
//! let emulator = Emulator::start(options).await?;
//! let endpoint = emulator.url();
//! // … upload to `endpoint` …
//! assert_eq!(emulator.counters().inserts, 0);
//! emulator.stop().await;
//! # drop(endpoint);
//! # Ok(())
//! # }
//! ```

mod answers;
mod apart;
mod batch;
mod body;
mod buckets;
mod call;
mod chunk;
mod copies;
mod counters;
mod error;
mod faults;
mod folder;
mod gate;
mod glob;
mod headers;
mod insert;
mod listing;
mod media;
mod metadata;
mod multipart;
mod names;
mod object;
mod objects;
mod origin;
mod params;
mod query;
mod resource;
mod resumable;
mod routes;
mod script;
mod server;
mod sessions;
mod store;
mod upload;
mod uploads;
mod xml;

use std::collections::BTreeMap;
use std::io;
use std::net::{Ipv4Addr, SocketAddr};
use std::path::PathBuf;
use std::sync::Arc;
use std::time::SystemTime;

use bytes::Bytes;
use tokio::sync::oneshot;
use tokio::task::JoinHandle;

pub use counters::{Counters, FaultCounters};
pub use error::EmulatorError;
pub use faults::Faults;
pub use gate::RecordedRequest;
pub use script::{Answer, Operation, Rule, Script};

use call::App;
use counters::Stats;
use gate::Gate;
use object::Object;
use sessions::Sessions;
use store::Store;
use uploads::Uploads;

/// How to start an [`Emulator`].
#[derive(Debug, Clone)]
pub struct Options {
    /// Where to listen; port 0 takes a free one. Default: `127.0.0.1:0`.
    pub addr: SocketAddr,
    /// Permits an `addr` that is not loopback, and requests to any host name. The emulator asks
    /// nobody for credentials, so this opens it to everyone who reaches the address.
    pub allow_remote: bool,
    /// Keeps objects as `ROOT/<bucket>/<object name>`; `None` keeps them in memory. What lies in
    /// the folder at the start is served.
    pub root: Option<PathBuf>,
    /// Buckets that exist from the start.
    pub buckets: Vec<String>,
    /// Random faults; none by default.
    pub faults: Faults,
    /// Scripted answers; none by default.
    pub script: Script,
    /// Keeps every request's head for [`Emulator::requests`]. Costs memory with every request, so
    /// it is off by default.
    pub record: bool,
    /// The largest request body and object, in bytes. Default: 4 GiB.
    pub max_body: usize,
}

impl Default for Options {
    fn default() -> Self {
        Self {
            addr: SocketAddr::from((Ipv4Addr::LOCALHOST, 0)),
            allow_remote: false,
            root: None,
            buckets: Vec::new(),
            faults: Faults::default(),
            script: Script::default(),
            record: false,
            max_body: 4 << 30,
        }
    }
}

/// What is known of one stored object.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ObjectInfo {
    /// The object name.
    pub name: String,
    /// The generation: unique, growing with every write.
    pub generation: i64,
    /// The size in bytes.
    pub size: u64,
    /// The CRC32C (Castagnoli) of the bytes.
    pub crc32c: u32,
    /// The MD5 of the bytes.
    pub md5: [u8; 16],
    /// The content type, where one was given.
    pub content_type: Option<String>,
    /// Custom metadata.
    pub metadata: BTreeMap<String, String>,
    /// When the generation was written.
    pub created: SystemTime,
}

impl ObjectInfo {
    fn of(object: &Object) -> Self {
        Self {
            name: object.name.to_string(),
            generation: object.generation,
            size: object.size,
            crc32c: object.checksums.crc32c,
            md5: object.md5(),
            content_type: object.attributes.content_type.clone(),
            metadata: object.attributes.metadata.clone().unwrap_or_default(),
            created: object.created,
        }
    }
}

/// A running emulator. It serves on the runtime it was started on, until
/// [`Emulator::stop`] or until it is dropped.
pub struct Emulator {
    app: Arc<App>,
    addr: SocketAddr,
    /// Dropped to stop.
    stop: oneshot::Sender<()>,
    serving: JoinHandle<()>,
}

impl Emulator {
    /// Binds the address, opens the store, and serves.
    ///
    /// With a folder, everything that lies in it is read once for its checksums, which takes time
    /// in proportion.
    pub async fn start(options: Options) -> Result<Self, EmulatorError> {
        let Options { addr, root, faults, script, record, max_body, .. } = options;
        if !addr.ip().is_loopback() && !options.allow_remote {
            return Err(EmulatorError::NotLoopback(addr));
        }
        faults.validate().map_err(EmulatorError::Faults)?;
        let listen = |source| EmulatorError::Listen { addr, source };
        let listener = server::listen(addr).map_err(listen)?;
        let addr = listener.local_addr().map_err(listen)?;

        let stats = Arc::new(Stats::default());
        let buckets = options.buckets;
        let for_store = Arc::clone(&stats);
        let opened = tokio::task::spawn_blocking(move || open_store(root, &buckets, for_store));
        let store = opened.await.unwrap_or_else(|panic| {
            Err(EmulatorError::Folder { path: PathBuf::new(), source: io::Error::other(panic) })
        })?;
        let app = Arc::new(App {
            store: Arc::new(store),
            gate: Gate::new(faults, script, record, Arc::clone(&stats)),
            stats,
            sessions: Sessions::default(),
            uploads: Uploads::default(),
            max_body,
            authority: addr.to_string(),
            any_host: options.allow_remote,
        });

        let (stop, stopped) = oneshot::channel();
        let serving = tokio::spawn(server::serve(listener, Arc::clone(&app), stopped));
        Ok(Self { app, addr, stop, serving })
    }

    /// The address to use as the API's endpoint: `http://127.0.0.1:PORT`.
    pub fn url(&self) -> String {
        format!("http://{}", self.addr)
    }

    /// The address it listens on.
    pub fn addr(&self) -> SocketAddr {
        self.addr
    }

    /// Everything counted so far.
    pub fn counters(&self) -> Counters {
        self.app.stats.snapshot()
    }

    /// One object and its bytes. Reads the disk where there is a folder.
    pub fn object(&self, bucket: &str, name: &str) -> Option<(ObjectInfo, Bytes)> {
        let bucket = self.app.store.bucket(bucket).ok()?;
        let object = bucket.object(name)?;
        let content = self.app.store.read_blocking(&bucket, &object).ok()?;
        Some((ObjectInfo::of(&object), content))
    }

    /// All objects of a bucket in name order; none where there is no bucket.
    pub fn objects(&self, bucket: &str) -> Vec<ObjectInfo> {
        let Ok(bucket) = self.app.store.bucket(bucket) else {
            return Vec::new();
        };
        let objects: Vec<Arc<Object>> =
            bucket.with_objects(|objects| objects.values().cloned().collect());
        objects.iter().map(|object| ObjectInfo::of(object)).collect()
    }

    /// How many insert attempts an object has seen. Counted only while there is a script, a fault
    /// rate or recording; otherwise 0.
    pub fn insert_attempts(&self, bucket: &str, name: &str) -> u32 {
        self.app.gate.attempts(Operation::Insert, bucket, name)
    }

    /// The requests seen so far, in order of arrival; none without
    /// [`Options::record`].
    pub fn requests(&self) -> Vec<RecordedRequest> {
        self.app.gate.recorded()
    }

    /// Changes [`Faults::max_rate`] from now on; 0 lifts the limit.
    pub fn set_max_rate(&self, writes_per_second: u32) {
        self.app.gate.set_max_rate(writes_per_second);
    }

    /// Stops accepting, closes all connections, and returns once they are closed. What has been
    /// answered is stored.
    pub async fn stop(self) {
        drop(self.stop);
        if let Err(error) = self.serving.await {
            tracing::warn!(%error, "the emulator's server panicked");
        }
    }
}

impl std::fmt::Debug for Emulator {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Emulator").field("addr", &self.addr).finish_non_exhaustive()
    }
}

fn open_store(
    root: Option<PathBuf>,
    buckets: &[String],
    stats: Arc<Stats>,
) -> Result<Store, EmulatorError> {
    let store = Store::open(root, stats)?;
    for bucket in buckets {
        // A folder may hold it from the last time.
        if store.bucket(bucket).is_ok() {
            continue;
        }
        store.create_bucket(bucket).map_err(|error| EmulatorError::Bucket {
            bucket: bucket.clone(),
            reason: error.message,
        })?;
    }
    Ok(store)
}
