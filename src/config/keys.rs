//! Every setting there is: one table from which flags, environment variables, the config file's
//! keys, their defaults and their documentation are made.

use strum::VariantNames;

use crate::check::Duplicates;
use crate::encode::{OutputFormat, Scale};
use crate::pace::Ramp;
use crate::pipeline::OnError;
use crate::report::{LogFormat, Progress};
use crate::sink::{Http, IfExists};
use crate::source::Transposed;
use crate::split::SplitMethod;

/// The words of a switch.
const SWITCH: &[&str] = &["true", "false"];

/// One setting.
#[derive(Debug)]
pub struct Key {
    /// `section.name` as in the config file.
    pub path: &'static str,
    /// The flag, without dashes, where there is one.
    pub flag: Option<&'static str>,
    /// What stands for the value in help texts.
    pub value: &'static str,
    /// The default as TOML writes it; `None` where there is none.
    pub default: Option<&'static str>,
    /// The values there are, where they can be listed.
    pub choices: &'static [&'static str],
    /// What it means, in a sentence.
    pub help: &'static str,
}

impl Key {
    /// The section of the config file.
    pub fn section(&self) -> &'static str {
        self.path.split_once('.').map_or("", |(section, _)| section)
    }

    /// The name within its section.
    pub fn name(&self) -> &'static str {
        self.path.split_once('.').map_or(self.path, |(_, name)| name)
    }

    /// `IDX2GCS_<SECTION>_<KEY>`.
    pub fn variable(&self) -> String {
        format!("IDX2GCS_{}_{}", self.section(), self.name()).to_uppercase()
    }
}

const fn key(
    path: &'static str,
    flag: Option<&'static str>,
    value: &'static str,
    default: Option<&'static str>,
    help: &'static str,
) -> Key {
    Key { path, flag, value, default, choices: &[], help }
}

const fn one_of(
    path: &'static str,
    flag: Option<&'static str>,
    default: &'static str,
    choices: &'static [&'static str],
    help: &'static str,
) -> Key {
    Key { path, flag, value: "WHICH", default: Some(default), choices, help }
}

/// All settings, in the order of the config file.
pub const KEYS: &[Key] = &[
    key(
        "source.dataset",
        None,
        "NAME",
        None,
        "A named data set, looked for in /usr/share/datasets, then in the user's cache, then downloaded",
    ),
    key(
        "source.path",
        None,
        "DIR",
        None,
        "A folder with the four usual files, or one file: a .npz with arrays of the usual names, or images without labels; with `dataset`, where that data set's files lie",
    ),
    key(
        "source.files",
        None,
        "LIST",
        None,
        "Instead: parts of a data set as [[source.files]] with images, labels (left out where there are none) and partition (train, validation or test); IDX, .npy or archive.npz#array",
    ),
    key(
        "source.classes",
        None,
        "LIST",
        None,
        "Names of the classes; a label outside of them is an error [default: as the data set says, else any label is a class]",
    ),
    key(
        "source.first_label",
        None,
        "N",
        None,
        "The label of the first class [default: as the data set says, else 0]",
    ),
    key(
        "source.label_column",
        None,
        "N",
        None,
        "Where labels have several columns: which is the class, from 0",
    ),
    key(
        "source.range",
        None,
        "LIST",
        None,
        "For images that are not bytes: the values that become black and white, such as [0.0, 1.0]",
    ),
    one_of(
        "source.transposed",
        None,
        "\"auto\"",
        Transposed::VARIANTS,
        "Whether rows and columns are exchanged in the file; auto is as the data set says",
    ),
    key(
        "source.limit",
        Some("limit"),
        "N",
        None,
        "Only the first N images; the partition of each stays what it is without a limit",
    ),
    one_of(
        "split.method",
        None,
        "\"random\"",
        SplitMethod::VARIANTS,
        "How images are held out of the training part; hash goes by the content, so that an image keeps its partition as data grows",
    ),
    key(
        "split.validation",
        Some("validation"),
        "N",
        Some("10000"),
        "Images held out of the training part for validation, or a share of it such as 0.15; a data set can have another default, and one with a validation part of its own has none",
    ),
    key(
        "split.seed",
        Some("seed"),
        "S",
        Some("42"),
        "Seed of the split, as scikit-learn's random_state",
    ),
    key(
        "split.file",
        None,
        "FILE",
        None,
        "With method = \"file\": CSV lines of index and partition; images that it leaves out stay in their part",
    ),
    one_of(
        "image.format",
        Some("format"),
        "\"auto\"",
        OutputFormat::VARIANTS,
        "How images are encoded; auto: pixels become JPEG, image files of the source stay unchanged",
    ),
    key("image.quality", Some("quality"), "Q", Some("75"), "JPEG quality, 1 to 100"),
    one_of(
        "image.scale",
        None,
        "\"none\"",
        Scale::VARIANTS,
        "Stretch each image's contrast as Keras' array_to_img does, or leave it",
    ),
    key("image.upscale", None, "N", Some("1"), "Make N × N pixels of each"),
    one_of("image.rgb", None, "false", SWITCH, "Make colour images of grey ones"),
    one_of(
        "check.duplicates",
        Some("duplicates"),
        "\"error\"",
        Duplicates::VARIANTS,
        "What images of the same pixels are: an error where their labels or partitions differ, a warning, or not looked for, which saves 12 bytes an image",
    ),
    key(
        "destination.url",
        Some("to"),
        "URL",
        None,
        "Where the objects go: gs://bucket/prefix, a folder, or a .zip file (a path or file://)",
    ),
    key(
        "destination.endpoint",
        Some("endpoint"),
        "URL",
        None,
        "Where the GCS API is, over STORAGE_EMULATOR_HOST; `embedded[:DIR]` starts an emulator in the process [default: Google's]",
    ),
    key(
        "destination.name",
        Some("name"),
        "TEMPLATE",
        Some("\"image_{index}.{ext}\""),
        "Object name below the prefix; tokens are {index}, {index:05}, {label}, {class}, {partition}, {hash} of the pixels, {hash:2} for its first digits, {ext}; in a zip the default is {class}/image_{index}.{ext}",
    ),
    one_of(
        "destination.metadata",
        Some("metadata"),
        "false",
        SWITCH,
        "Give each image's object its label, class and partition as custom metadata; objects that are there keep theirs, folders and zips have none",
    ),
    one_of(
        "destination.allow_http",
        Some("allow-http"),
        "false",
        SWITCH,
        "Permit an endpoint without TLS that is not on this machine; credentials are never sent there",
    ),
    one_of(
        "destination.if_exists",
        Some("if-exists"),
        "\"skip\"",
        IfExists::VARIANTS,
        "What to do with an object that is there: skip it if it has the same content (else it is a conflict), overwrite it, or fail before the first write",
    ),
    key(
        "upload.concurrency",
        Some("concurrency"),
        "auto|N",
        Some("\"auto\""),
        "Requests in flight; auto finds the number that is best, from 32 on",
    ),
    key("upload.max_concurrency", Some("max-concurrency"), "N", Some("1024"), "Bound of auto"),
    key(
        "upload.max_rate",
        Some("max-rate"),
        "N",
        Some("0"),
        "Object writes a second at the most; 0 is no bound",
    ),
    one_of(
        "upload.ramp",
        Some("ramp"),
        "\"none\"",
        Ramp::VARIANTS,
        "How fast writes a second may rise; google: from 1,000, doubled every 20 minutes",
    ),
    key(
        "upload.queue",
        None,
        "N",
        Some("256"),
        "Decoded images that may wait between the decoder and the uploaders",
    ),
    one_of(
        "upload.http",
        None,
        "\"1.1\"",
        Http::VARIANTS,
        "The version of HTTP for uploads; 1.1 keeps a connection for each request in flight, 2 shares a few and needs a service that speaks it from the first byte",
    ),
    key(
        "upload.connections",
        None,
        "N",
        Some("4"),
        "With http = \"2\": connections that requests are spread over; Google allows 100 requests at a time on each",
    ),
    one_of(
        "upload.on_error",
        Some("on-error"),
        "\"continue\"",
        OnError::VARIANTS,
        "After an image's attempts are used up: go on with the others, or stop the run",
    ),
    key("retry.max_attempts", None, "N", Some("10"), "Attempts for one image, the first included"),
    key("retry.max_elapsed", None, "TIME", Some("\"5m\""), "Time for all attempts of one image"),
    key(
        "retry.initial_backoff",
        None,
        "TIME",
        Some("\"1s\""),
        "Upper bound of the first wait; it doubles",
    ),
    key("retry.max_backoff", None, "TIME", Some("\"32s\""), "Upper bound of any wait"),
    key(
        "retry.max_outage",
        None,
        "TIME",
        Some("\"45s\""),
        "Time without any success, once requests fail, after which the run is given up",
    ),
    key("retry.attempt_timeout", None, "TIME", Some("\"30s\""), "Time for one attempt"),
    key(
        "manifest.formats",
        Some("manifests"),
        "LIST",
        Some("[\"automl\", \"vertex\"]"),
        "Manifests to publish once every image is stored: automl, vertex, vertex-jsonl, huggingface, csv, parquet",
    ),
    key(
        "output.dir",
        Some("out"),
        "DIR",
        Some("\"out\""),
        "Where manifests, summary, report and failures are written locally",
    ),
    one_of(
        "output.report",
        Some("report"),
        "true",
        SWITCH,
        "Write report.html, a page about the data set and its load, and report.json",
    ),
    one_of(
        "output.progress",
        Some("progress"),
        "\"auto\"",
        Progress::VARIANTS,
        "How progress is shown on stderr; auto is a bar on a terminal, else a line every few seconds",
    ),
    one_of(
        "output.log_format",
        Some("log-format"),
        "\"text\"",
        LogFormat::VARIANTS,
        "How log lines on stderr are written",
    ),
];

/// The text of `config/default.toml`.
pub(super) fn default_file() -> String {
    let mut text = String::from(
        "# Every setting with its default. Flags stand over environment variables\n\
         # (IDX2GCS_<SECTION>_<KEY>), those over the file given with --config, that over these\n\
         # defaults. Keys without a default are commented out.\n",
    );
    let mut section = "";
    for key in KEYS {
        if key.section() != section {
            section = key.section();
            text.push_str(&format!("\n[{section}]\n"));
        }
        text.push_str(&format!("# {}.", key.help));
        if !key.choices.is_empty() {
            text.push_str(&format!(" One of: {}.", key.choices.join(", ")));
        }
        if let Some(flag) = key.flag {
            text.push_str(&format!(" Flag: --{flag}."));
        }
        match key.default {
            Some(default) => text.push_str(&format!("\n{} = {default}\n", key.name())),
            None => text.push_str(&format!("\n# {} = {}\n", key.name(), key.value)),
        }
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    /// To write the file anew: `IDX2GCS_BLESS=1 cargo test default_file`.
    #[test]
    fn the_default_file_says_what_the_code_does() {
        let path = concat!(env!("CARGO_MANIFEST_DIR"), "/config/default.toml");
        if std::env::var_os("IDX2GCS_BLESS").is_some() {
            std::fs::write(path, default_file()).unwrap();
        }
        let text = std::fs::read_to_string(path).unwrap();
        assert_eq!(text, default_file(), "config/default.toml differs from the table of keys");
    }

    #[test]
    fn keys_are_named_once() {
        let mut paths: Vec<_> = KEYS.iter().map(|key| key.path).collect();
        let mut flags: Vec<_> = KEYS.iter().filter_map(|key| key.flag).collect();
        let (n, m) = (paths.len(), flags.len());
        paths.sort_unstable();
        paths.dedup();
        flags.sort_unstable();
        flags.dedup();
        assert_eq!((paths.len(), flags.len()), (n, m));
    }
}
