//! Every setting there is. Flags, environment variables, the keys of config files, their defaults and
//! their documentation follow from this list.

use std::path::PathBuf;
use std::time::Duration;

use super::data::{
    HELD_OUT, SIZES, read_classes, read_files, read_held_out, read_range, read_size,
};
use super::destination::{
    ENDPOINT_FORMS, FORMATS, IN_FLIGHT, Location, URL_FORMS, read_concurrency, read_endpoint,
    read_manifests, read_url,
};
use super::display::{LogFormat, Progress};
use super::key::{About, Key, Kind};
use super::shard::{SLICES, read_shard};
use crate::check::Duplicates;
use crate::encode::{Filter, Fit, OutputFormat, Scale, Subsampling};
use crate::manifest::ManifestFormat;
use crate::pace::Ramp;
use crate::pipeline::OnError;
use crate::shard::ShardSpec;
use crate::sink::{Endpoint, IfExists};
use crate::source::{Files, LabelEncoding, Range, Transposed};
use crate::split::{SplitMethod, ValidationSize};

/// Makes a constant of each key, and one list of all.
macro_rules! keys {
    ($($name:ident: $type:ty = $key:expr;)*) => {
        $(pub(crate) const $name: Key<$type> = $key;)*

        /// All settings, in the order of the config file.
        pub(crate) const KEYS: &[&About] = &[$(&$name.about),*];
    };
}

const MOST: i64 = u32::MAX as i64;

/// Requests in flight that the ports of one machine allow, roughly.
pub(super) const MOST_IN_FLIGHT: i64 = 16_384;

keys! {
    DATASET: String = Key::text("source.dataset", "a named data set").placeholder("NAME")
        .help("A named data set, looked for in /usr/share/datasets, then in the user's cache, then downloaded");
    PATH: PathBuf = Key::path("source.path", "a folder or a file").placeholder("DIR")
        .help("A folder of IDX, CIFAR or Parquet files under their common names, or one file: .npz, Parquet, CIFAR's .tar.gz, or images without labels; with `dataset`, where that data set's files are");
    FILES: Vec<Files> = Key::new("source.files", Kind::List("[[source.files]] tables"), read_files)
        .help("Instead: parts of a data set as [[source.files]] with images, labels (left out where there are none) and partition (train, validation or test); IDX, .npy or archive.npz#array");
    CLASSES: Vec<String> = Key::new("source.classes", Kind::List("names, each of visible characters"), read_classes)
        .help("Names of the classes; a label outside of them is an error [default: those of the data set; without any, each label is a class]");
    FIRST_LABEL: u32 = Key::number("source.first_label", 0, MOST)
        .help("The label of the first class [default: that of the data set, else 0]");
    LABEL_COLUMN: u32 = Key::number("source.label_column", 0, MOST)
        .help("Where images have several labels: which is the class, from 0");
    LABEL_ENCODING: LabelEncoding = Key::word("source.label_encoding").default("number")
        .help("How arrays hold labels: as numbers, or one-hot, with a column for each class");
    RANGE: Range = Key::new("source.range", Kind::List("two different numbers, [black, white]"), read_range)
        .help("For images that are not bytes: the values that become black and white, such as [0.0, 1.0]");
    TRANSPOSED: Transposed = Key::word("source.transposed").default("auto")
        .help("Whether rows and columns are exchanged in the file; auto takes it from the data set");
    LIMIT: u32 = Key::number("source.limit", 1, MOST).flag("limit")
        .help("Only the first N images; the partition of each stays what it is without a limit");
    SAMPLE: u32 = Key::number("source.sample", 1, MOST).flag("sample")
        .help("Only N images, each partition and class its share, chosen by split.seed: the same in every run, and among those of a larger sample");

    METHOD: SplitMethod = Key::word("split.method").default("random")
        .help("How images are held out of the training part; hash goes by the content, so that an image keeps its partition as data grows");
    VALIDATION: ValidationSize = Key::new("split.validation", Kind::Text(HELD_OUT), read_held_out)
        .flag("validation").placeholder("N")
        .help("Images held out of the training part for validation, or a share of it such as 0.15 [default: that of the named data set, else 0.1; 0 where the source has a validation part]");
    SEED: u32 = Key::number("split.seed", 0, MOST).flag("seed").placeholder("S").default("42")
        .help("Seed of the split, as scikit-learn's random_state");
    SPLIT_FILE: PathBuf = Key::path("split.file", "a file").placeholder("FILE")
        .help("With method = \"file\": CSV lines of index and partition; images that it leaves out stay in their part");

    FORMAT: OutputFormat = Key::word("image.format").flag("format").default("auto")
        .help("How images are encoded; auto: pixels become JPEG, image files of the source stay unchanged");
    QUALITY: u8 = Key::number("image.quality", 1, 100)
        .flag("quality").placeholder("Q").default("75")
        .help("JPEG quality, 1 to 100, as in Pillow");
    SUBSAMPLING: Subsampling = Key::word("image.subsampling").default("auto")
        .help("How many samples of colour a JPEG has: one for each pixel (4:4:4), or for 2 × 2 (4:2:0); auto takes 4:2:0 where both sides have 128 pixels or more");
    SCALE: Scale = Key::word("image.scale").default("none")
        .help("Stretch each image's contrast as Keras' array_to_img does, or leave it");
    SIZE: (u16, u16) = Key::new("image.size", Kind::Text(SIZES), read_size)
        .flag("size").placeholder("SIZE")
        .help("The one size of all images, such as 224 or 640x480 (width x height); image files are then decoded and encoded again [default: each keeps its own]");
    FILTER: Filter = Key::word("image.filter").flag("filter").default("lanczos3")
        .help("With image.size: how pixels are made of others, as in Pillow");
    FIT: Fit = Key::word("image.fit").flag("fit").default("stretch")
        .help("With image.size, for images of another ratio: change the ratio, pad with black, or crop to the middle");
    RGB: bool = Key::switch("image.rgb", "false")
        .help("Make colour images of grey ones");

    DUPLICATES: Duplicates = Key::word("check.duplicates").flag("duplicates").default("error")
        .help("Images with identical pixels: an error where their labels or partitions differ, a warning, or off, which does not look for them and saves 12 bytes an image");

    URL: Location = Key::new("destination.url", Kind::Text(URL_FORMS), read_url)
        .flag("to").placeholder("URL")
        .help("Where the objects go: gs://bucket/prefix, a folder, or a .zip file (a path or file://)");
    ENDPOINT: Endpoint = Key::new("destination.endpoint", Kind::Text(ENDPOINT_FORMS), read_endpoint)
        .flag("endpoint").placeholder("URL")
        .help("Where the GCS API is, over STORAGE_EMULATOR_HOST; `embedded[:DIR]` starts an emulator in the process [default: Google's]");
    NAME: String = Key::text("destination.name", "a template")
        .flag("name").placeholder("TEMPLATE").default("image_{index}.{ext}")
        .help("Object name below the prefix; tokens are {index}, {index:05}, {label}, {label:02}, {class}, {partition}, {hash} of the pixels, {hash:2} for its first digits, {ext}; in a zip the default is {class}/image_{index}.{ext}");
    METADATA: bool = Key::switch("destination.metadata", "false").flag("metadata")
        .help("Give each image's object its label, class, partition and encoder as custom metadata; existing objects keep theirs, folders and zips have none");
    USER_PROJECT: String = Key::text("destination.user_project", "a project's name")
        .help("The project that pays for the requests to a bucket with \"requester pays\"");
    ALLOW_HTTP: bool = Key::switch("destination.allow_http", "false").flag("allow-http")
        .help("Permit an endpoint without TLS that is not on this machine; credentials are never sent there");
    IF_EXISTS: IfExists = Key::word("destination.if_exists").flag("if-exists").default("skip")
        .help("What to do with an existing object: skip it if it has the same content (else it is a conflict), overwrite it, or fail before the first write");

    CONCURRENCY: Option<u32> = Key::new("upload.concurrency", Kind::Text(IN_FLIGHT), read_concurrency)
        .flag("concurrency").placeholder("auto|N").default("auto").live()
        .help("Requests in flight; auto finds the number that is best, from 32 on");
    MAX_CONCURRENCY: u32 = Key::number("upload.max_concurrency", 1, MOST_IN_FLIGHT)
        .flag("max-concurrency").default("1024").live()
        .help("Bound of auto");
    MAX_RATE: u32 = Key::number("upload.max_rate", 0, MOST).flag("max-rate").default("0").live()
        .help("Object writes a second at the most; 0 is no bound");
    RAMP: Ramp = Key::word("upload.ramp").flag("ramp").default("none").live()
        .help("How fast writes a second may rise; google: from 1,000, doubled every 20 minutes");
    MEMORY: u64 = Key::bytes("upload.memory").default("64MB")
        .help("Bytes that decoded images and requests in flight may take together; an image larger than that goes alone");
    QUEUE: u32 = Key::number("upload.queue", 1, 1 << 20).default("256")
        .help("Decoded images that may wait between the decoder and the uploaders");
    ON_ERROR: OnError = Key::word("upload.on_error").flag("on-error").default("continue")
        .help("After an image's attempts are used up: go on with the others, or stop the run");
    PRUNE: bool = Key::switch("upload.prune", "false").flag("prune")
        .help("Delete what an earlier load left under names that the template could give, once this load is complete; lists it and asks before the first write, or takes --yes");

    SHARD: ShardSpec = Key::new("shard.of", Kind::Text(SLICES), read_shard).flag("shard")
        .help("Load only slice i of n, from 0, as one of several processes; auto takes it from the variables of Cloud Run, Batch, Slurm arrays, Kubernetes or AWS Batch, auto/n where these do not say how many there are");
    SHARD_COUNT: u32 = Key::number("shard.count", 1, MOST)
        .help("The number of slices, for auto where the scheduler does not say it");
    PARALLEL: u32 = Key::number("shard.parallel", 1, MOST)
        .help("Slices that run at the same time, each with its share of max_concurrency, max_rate and ramp [default: all]");

    MAX_ATTEMPTS: u32 = Key::number("retry.max_attempts", 1, 1000).default("10")
        .help("Attempts for one image, the first included");
    MAX_ELAPSED: Duration = Key::duration("retry.max_elapsed").default("5m")
        .help("Time for all attempts of one image");
    INITIAL_BACKOFF: Duration = Key::duration("retry.initial_backoff").default("1s")
        .help("Upper bound of the first wait; it doubles");
    MAX_BACKOFF: Duration = Key::duration("retry.max_backoff").default("32s")
        .help("Upper bound of any wait");
    MAX_OUTAGE: Duration = Key::duration("retry.max_outage").default("45s")
        .help("Time without any success, once requests fail, after which the run is given up");
    ATTEMPT_TIMEOUT: Duration = Key::duration("retry.attempt_timeout").default("30s")
        .help("Time for one attempt");

    MANIFESTS: Vec<ManifestFormat> = Key::new("manifest.formats", Kind::List(FORMATS), read_manifests)
        .flag("manifests").default("automl,vertex")
        .help("Manifests to publish once every image is stored: automl, vertex, vertex-jsonl, huggingface, csv, parquet");

    OUT: PathBuf = Key::path("output.dir", "a folder").flag("out").placeholder("DIR").default("out")
        .help("Where manifests, summary, report and failures are written locally");
    REPORT: bool = Key::switch("output.report", "true").flag("report")
        .help("Write report.html, a page about the data set and its load, and report.json");
    PROGRESS: Progress = Key::word("output.progress").flag("progress").default("auto")
        .help("How progress is shown on stderr; auto is a bar on a terminal, else a line every few seconds");
    LOG_FORMAT: LogFormat = Key::word("output.log_format").flag("log-format").default("text")
        .help("How log lines on stderr are written");
}
