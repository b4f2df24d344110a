//! From values as text to settings that work together.

mod data;

use std::path::PathBuf;
use std::str::FromStr;
use std::time::Duration;

use self::data::{encoding, source, split};
use strum::VariantNames;

use super::{ConfigError, Layers, Origin, Settings};
use crate::load::DEFAULT_NAME;
use crate::manifest::ManifestFormat;
use crate::naming::{Template, check_bucket_name, check_object_name};
use crate::pace::{Bounds, Concurrency};
use crate::retry::Limits;
use crate::retry::backoff::Backoff;
use crate::sink::{Endpoint, Place};

/// More requests in flight than this no machine's ports allow.
const MOST_IN_FLIGHT: u32 = 16_384;

impl Settings {
    /// Checks every value and that they go together.
    ///
    /// # Errors
    /// The first that cannot work, with where it was said and what is allowed.
    pub fn validate(layers: &Layers) -> Result<Self, ConfigError> {
        let url = layers
            .maybe("destination.url", URL, some_text)?
            .ok_or_else(|| ConfigError::Unfit(format!("no destination: give --to with {URL}")))?;
        let place = place(layers, &url)?;
        let prefix = match &place {
            Place::Bucket { prefix, .. } => prefix.as_str(),
            Place::Folder(_) | Place::Zip(_) => "",
        };
        let default_name = match &place {
            // Importers of archives take a folder for a class.
            Place::Zip(_) => ZIP_NAME,
            Place::Bucket { .. } | Place::Folder(_) => DEFAULT_NAME,
        };
        let user_name = if is_default(layers, "destination.name") {
            None
        } else {
            Some(layers.need("destination.name", "a template", some_text)?)
        };
        let name = user_name.clone().unwrap_or_else(|| default_name.to_owned());
        let endpoint = endpoint(layers)?;
        let out: PathBuf = layers.need("output.dir", "a folder", some_text)?.into();
        if let Place::Folder(folder) | Place::Zip(folder) = &place
            && let (Ok(inner), Ok(outer)) = (std::path::absolute(&out), std::path::absolute(folder))
            && inner.starts_with(&outer)
        {
            return Err(layers.refuse("output.dir", "outside of the destination"));
        }
        let files = !matches!(place, Place::Bucket { .. })
            || matches!(endpoint, Endpoint::Embedded(Some(_)));
        let name = Template::parse(&name, prefix)
            .and_then(|name| if files { name.check_file_names().map(|()| name) } else { Ok(name) })
            .map_err(|e| layers.refuse("destination.name", &format!("a usable template: {e}")))?;
        let manifests = manifests(layers, &name)?;
        Ok(Self {
            catalogue: layers.catalogue().clone(),
            source: source(layers)?,
            split: split(layers)?,
            duplicates: word(layers, "check.duplicates")?,
            encoding: encoding(layers)?,
            url: url.trim_end_matches('/').to_owned(),
            place,
            endpoint,
            name: user_name.map(|_| name),
            default_name,
            metadata: switch(layers, "destination.metadata")?,
            if_exists: word(layers, "destination.if_exists")?,
            pace: Bounds {
                concurrency: concurrency(layers)?,
                max_rate: number(layers, "upload.max_rate", 0, u32::MAX)?,
                ramp: word(layers, "upload.ramp")?,
            },
            memory: 64_000_000,
            queue: number(layers, "upload.queue", 1, 1 << 20)?,
            http: word(layers, "upload.http")?,
            connections: number(layers, "upload.connections", 1, MOST_IN_FLIGHT)?,
            on_error: word(layers, "upload.on_error")?,
            retry: limits(layers)?,
            manifests,
            out,
            report: switch(layers, "output.report")?,
            progress: word(layers, "output.progress")?,
            log_format: word(layers, "output.log_format")?,
        })
    }
}

const URL: &str = "gs://bucket/prefix, a folder or a .zip file (a path or file:///path)";

/// Names in an archive, unless others are asked for.
const ZIP_NAME: &str = "{class}/image_{index}.{ext}";

fn is_default(layers: &Layers, key: &str) -> bool {
    layers.get(key).is_none_or(|value| value.origin == Origin::Default)
}

fn some_text(text: &str) -> Option<String> {
    (!text.is_empty()).then(|| text.to_owned())
}

/// The items of a list, written with commas between them or as JSON.
fn list(text: &str) -> Vec<String> {
    let json = text.starts_with('[').then(|| serde_json::from_str(text).ok()).flatten();
    json.unwrap_or_else(|| text.split(',').map(|item| item.trim().to_owned()).collect())
}

fn number(layers: &Layers, key: &'static str, least: u32, most: u32) -> Result<u32, ConfigError> {
    layers.need(key, &format!("a whole number from {least} to {most}"), |text| {
        text.parse().ok().filter(|n| (least..=most).contains(n))
    })
}

/// Reads one of the words of an enum.
fn word<T: VariantNames + FromStr>(layers: &Layers, key: &'static str) -> Result<T, ConfigError> {
    let allowed = format!("one of {}", T::VARIANTS.join(", "));
    layers.need(key, &allowed, |word| word.parse().ok())
}

fn switch(layers: &Layers, key: &'static str) -> Result<bool, ConfigError> {
    layers.need(key, "true or false", |word| word.parse().ok())
}

fn place(layers: &Layers, url: &str) -> Result<Place, ConfigError> {
    let refuse = |allowed: &str| Err(layers.refuse("destination.url", allowed));
    if let Some(rest) = url.strip_prefix("gs://") {
        let (bucket, prefix) = rest.split_once('/').unwrap_or((rest, ""));
        if let Err(e) = check_bucket_name(bucket) {
            return refuse(&format!("{URL}; {e}"));
        }
        let prefix = prefix.trim_end_matches('/').to_owned();
        if !prefix.is_empty()
            && let Err(e) = check_object_name(&prefix)
        {
            return refuse(&format!("{URL}; {e}"));
        }
        return Ok(Place::Bucket { bucket: bucket.to_owned(), prefix });
    }
    let path = match url.split_once("://") {
        Some(("file", path)) if path.starts_with('/') => path,
        Some(_) => return refuse(URL),
        None => url,
    };
    let is_zip = path.to_ascii_lowercase().ends_with(".zip");
    Ok(if is_zip { Place::Zip(path.into()) } else { Place::Folder(path.into()) })
}

fn endpoint(layers: &Layers) -> Result<Endpoint, ConfigError> {
    const ALLOWED: &str = "http://host:port, https://host, or embedded[:DIR]";
    let endpoint =
        layers.maybe("destination.endpoint", ALLOWED, |text| match text.split_once(':') {
            None if text == "embedded" => Some(Endpoint::Embedded(None)),
            Some(("embedded", dir)) if !dir.is_empty() => {
                Some(Endpoint::Embedded(Some(dir.into())))
            }
            _ => {
                let url = reqwest::Url::parse(text).ok()?;
                let plain = url.has_host()
                    && matches!(url.scheme(), "http" | "https")
                    && url.query().is_none()
                    && url.username().is_empty()
                    && url.password().is_none();
                plain.then(|| Endpoint::Url(text.trim_end_matches('/').to_owned()))
            }
        })?;
    let allowed = switch(layers, "destination.allow_http")?;
    match endpoint {
        Some(Endpoint::Url(url))
            if url.starts_with("http:") && !crate::http::is_loopback(&url) && !allowed =>
        {
            Err(layers.refuse(
                "destination.endpoint",
                "https, or on this machine; --allow-http permits an endpoint without TLS",
            ))
        }
        endpoint => Ok(endpoint.unwrap_or(Endpoint::Google)),
    }
}

fn concurrency(layers: &Layers) -> Result<Concurrency, ConfigError> {
    let most = number(layers, "upload.max_concurrency", 1, MOST_IN_FLIGHT)?;
    let allowed = format!("auto, or a whole number from 1 to {MOST_IN_FLIGHT}");
    layers.need("upload.concurrency", &allowed, |text| {
        if text == "auto" {
            return Some(Concurrency { auto: true, limit: most });
        }
        let limit = text.parse().ok().filter(|n| (1..=MOST_IN_FLIGHT).contains(n))?;
        Some(Concurrency { auto: false, limit })
    })
}

fn limits(layers: &Layers) -> Result<Limits, ConfigError> {
    const ALLOWED: &str = "a time above zero and up to a day, such as \"30s\", \"500ms\" or \"2m\"";
    let time = |key| {
        layers.need(key, ALLOWED, |text| {
            let time = humantime::parse_duration(text).ok()?;
            (!time.is_zero() && time <= Duration::from_hours(24)).then_some(time)
        })
    };
    let limits = Limits {
        max_attempts: number(layers, "retry.max_attempts", 1, 1000)?,
        max_elapsed: time("retry.max_elapsed")?,
        attempt_timeout: time("retry.attempt_timeout")?,
        max_outage: time("retry.max_outage")?,
        backoff: Backoff {
            initial: time("retry.initial_backoff")?,
            max: time("retry.max_backoff")?,
        },
    };
    if limits.backoff.initial > limits.backoff.max {
        return Err(layers.refuse("retry.initial_backoff", "at most retry.max_backoff"));
    }
    Ok(limits)
}

fn manifests(layers: &Layers, name: &Template) -> Result<Vec<ManifestFormat>, ConfigError> {
    let allowed = format!("a list out of {}", ManifestFormat::VARIANTS.join(", "));
    let formats = layers.need("manifest.formats", &allowed, |text| {
        let words = list(text).into_iter().filter(|word| !word.is_empty());
        let formats: Option<Vec<ManifestFormat>> = words.map(|word| word.parse().ok()).collect();
        // Each once: two of one kind would be written to one place.
        formats.filter(|all| all.iter().enumerate().all(|(i, f)| !all[..i].contains(f)))
    })?;
    if formats.iter().any(|format| !format.is_built()) {
        let allowed = "without parquet, which this build does not have (cargo feature \"parquet\")";
        return Err(layers.refuse("manifest.formats", allowed));
    }
    if let Some(format) = formats.iter().find(|f| name.first_folder() == Some(f.file_name())) {
        let allowed = format!("one without the folder {:?}, a manifest's name", format.file_name());
        return Err(layers.refuse("destination.name", &allowed));
    }
    // `imagefolder` takes what is called after a partition for a split, and loses its labels.
    if formats.contains(&ManifestFormat::HuggingFace)
        && name.uses_partition()
        && !name.begins_with_partition()
    {
        let allowed = "one that begins with {partition}/ or has no {partition}, for the manifest \
                       \"huggingface\"";
        return Err(layers.refuse("destination.name", allowed));
    }
    Ok(formats)
}

#[cfg(test)]
mod tests {
    use super::super::*;
    use super::*;
    use crate::sink::IfExists;
    use proptest::prelude::*;

    fn layers(toml: &str) -> Result<Layers, ConfigError> {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("c.toml");
        std::fs::write(&path, toml).unwrap();
        let mut layers = Layers::defaults()?;
        layers.add_file(&path)?;
        Ok(layers)
    }

    fn settings(toml: &str) -> Result<Settings, ConfigError> {
        let base = "[source]\npath = \"d\"\n[destination]\nurl = \"gs://demo/fm\"\n";
        let mut layers = layers(base)?;
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("c.toml");
        std::fs::write(&path, toml).unwrap();
        layers.add_file(&path)?;
        Settings::validate(&layers)
    }

    #[test]
    fn the_defaults_are_the_documented_ones() {
        let s = settings("").unwrap();
        assert_eq!((s.split.validation, s.split.seed), (None, 42));
        assert_eq!(s.encoding.quality, 75);
        assert_eq!(s.if_exists, IfExists::Skip);
        assert_eq!(s.manifests, [ManifestFormat::Automl, ManifestFormat::Vertex]);
        assert_eq!(s.endpoint, Endpoint::Google);
        assert!(s.pace.concurrency.auto);
        assert_eq!(s.retry.max_elapsed, Duration::from_mins(5));
        assert_eq!((s.name, s.default_name), (None, "image_{index}.{ext}"));
    }

    #[test]
    fn parquet_is_a_format_of_builds_that_have_it() {
        let all = "[manifest]\nformats = [\"automl\", \"vertex\", \"vertex-jsonl\", \"huggingface\", \
                   \"csv\", \"parquet\"]";
        let read = settings(all).map(|settings| settings.manifests.len());
        if cfg!(feature = "parquet") {
            assert_eq!(read.unwrap(), 6);
        } else {
            let says = read.unwrap_err().to_string();
            assert!(says.contains("parquet, which this build does not have"), "{says}");
        }
    }

    #[test]
    fn errors_name_file_line_key_and_what_is_allowed() {
        for (toml, says) in [
            (
                "[image]\nquality = 0",
                ":2: image.quality = \"0\": must be a whole number from 1 to 100",
            ),
            (
                "[image]\n\nqualty = 7",
                ":3: there is no key \"qualty\" in [image]; there are format, quality, scale",
            ),
            ("[pictures]", ":1: there is no section \"pictures\"; there are source, split, image"),
            ("image = 3", ":1: image is a section: write [image]"),
            ("[image]\nquality = {}", "image.quality cannot be a table"),
            ("[upload]\nconcurrency = 0", "must be auto, or a whole number from 1 to 16384"),
            ("[upload]\nqueue = 0", "upload.queue"),
            (
                "[retry]\nmax_backoff = \"5\"",
                "must be a time above zero and up to a day, such as \"30s\"",
            ),
            ("[retry]\ninitial_backoff = \"5m\"", "at most retry.max_backoff"),
            ("[manifest]\nformats = [\"automl\", \"tsv\"]", "a list out of automl, vertex"),
            (
                "[manifest]\nformats = [\"huggingface\"]\n[destination]\n\
                 name = \"{label}/{partition}/{index}\"",
                "must be one that begins with {partition}/ or has no {partition}",
            ),
            ("[manifest]\nformats = [\"vertex\", \"vertex\"]", "a list out of automl, vertex"),
            ("[destination]\nname = \"vertex.csv/{index}\"", "without the folder \"vertex.csv\""),
            ("[source]\npath = \"d\"\nclasses = [\"a\", \"b\\u001b\"]", "of visible characters"),
            ("[destination]\nurl = \"gs://Upper/x\"", "lower-case letters"),
            ("[destination]\nurl = \"s3://demo/x\"", "must be gs://bucket/prefix, a folder or"),
            ("[destination]\nurl = \"gs://demo/../x\"", "has the part \"..\""),
            ("[destination]\nname = \"image.jpg\"", "it has no {index}"),
            ("[destination]\nname = \"{index}{x}\"", "unknown token {x}"),
            ("[destination]\nendpoint = \"http://user:secret@host\"", "\"http://…@host\": must be"),
            ("[destination]\nendpoint = \"embedded:\"", "embedded[:DIR]"),
            ("[destination]\nendpoint = \"http://fake-gcs:1\"", "--allow-http permits"),
            ("[destination]\nallow_http = 1", "true or false"),
            ("[source]\ndataset = \"cifar\"", "must be one of emnist-balanced"),
            ("[source]\npath = \"d\"\nlimit = 0", "source.limit"),
            ("[image", ":1: "),
        ] {
            let error = settings(toml).unwrap_err().to_string();
            assert!(error.contains(says), "{toml:?} says {error:?}");
            assert!(!error.contains('\n'), "one line: {error:?}");
        }
    }

    #[test]
    fn later_layers_stand_over_earlier_ones() {
        let mut layers =
            layers("[split]\nseed = 1\nvalidation = 1\n[source]\npath = \"file\"").unwrap();
        let variables = [
            ("IDX2GCS_SPLIT_VALIDATION", "2"),
            ("IDX2GCS_SOURCE_DATASET", "fashion-mnist"),
            ("IDX2GCS_SERVICE_HOST", "somebody else's"),
            ("PATH", "/bin"),
        ];
        let variables = variables.map(|(name, text)| (name.to_owned(), text.to_owned()));
        layers.add_environment(variables.into_iter()).unwrap();
        layers.add_emulator_host("127.0.0.1:1");
        let key = |path: &str| KEYS.iter().find(|key| key.path == path).unwrap();
        layers.add_flags([(key("image.quality"), "quality", "3".to_owned())].into_iter());

        let origin = |key| layers.get(key).map(|value| value.origin.to_string());
        assert!(origin("split.seed").unwrap().ends_with("c.toml:2"));
        assert_eq!(origin("split.validation").unwrap(), "environment: IDX2GCS_SPLIT_VALIDATION");
        assert_eq!(origin("image.quality").unwrap(), "flag: --quality");
        assert_eq!(origin("upload.queue").unwrap(), "default");
        assert!(origin("source.path").unwrap().ends_with("c.toml:5"), "where the data set lies");
        layers.add_flags([(key("source.path"), "source", "d".to_owned())].into_iter());
        assert_eq!(layers.get("source.dataset"), None, "--source names one or the other");
        assert_eq!(layers.get("destination.endpoint").unwrap().text, "http://127.0.0.1:1");
    }

    proptest! {
        /// Whatever a file says, it makes settings or an error of one line.
        #[test]
        fn any_file_ends_well(text: String) {
            if let Err(e) = settings(&text) {
                prop_assert!(!e.to_string().trim_end().contains('\n'), "{e}");
            }
        }

        #[test]
        fn any_value_ends_well(key in 0..KEYS.len(), text: String) {
            let mut layers = Layers::defaults().unwrap();
            let path = |path: &str| KEYS.iter().find(|key| key.path == path).unwrap();
            layers.add_flags(
                [
                    (path("source.path"), "source", "d".to_owned()),
                    (path("destination.url"), "to", "gs://demo/fm".to_owned()),
                    (&KEYS[key], "any", text),
                ]
                .into_iter(),
            );
            if let Err(e) = Settings::validate(&layers) {
                prop_assert!(!e.to_string().contains('\n'), "{e}");
            }
        }
    }

    #[test]
    fn a_misspelt_variable_is_an_error() {
        let mut layers = Layers::defaults().unwrap();
        let variable = ("IDX2GCS_UPLOAD_CONCURENCY".to_owned(), "3".to_owned());
        let error = layers.add_environment([variable].into_iter()).unwrap_err().to_string();
        assert!(error.contains("IDX2GCS_UPLOAD_CONCURRENCY"), "{error}");
    }

    #[test]
    fn an_archive_has_a_folder_for_each_class_unless_told_otherwise() {
        let template = |text| Template::parse(text, "").unwrap();
        let zip = "[destination]\nurl = \"p.zip\"\n";
        assert_eq!(settings(zip).unwrap().default_name, "{class}/image_{index}.{ext}");
        let named = settings(&format!("{zip}name = \"image_{{index}}.{{ext}}\"")).unwrap();
        assert_eq!(named.name, Some(template("image_{index}.{ext}")));
        assert_eq!((named.address("a"), named.metadata), ("a".to_owned(), false));
        let settings = settings("[destination]\nurl = \"p\"\nmetadata = true").unwrap();
        assert_eq!((settings.address("a"), settings.metadata), ("p/a".to_owned(), true));
    }

    #[test]
    fn places_are_told_apart() {
        let place = |url: &str| settings(&format!("[destination]\nurl = {url:?}")).map(|s| s.place);
        let bucket =
            |prefix: &str| Place::Bucket { bucket: "demo".to_owned(), prefix: prefix.to_owned() };
        assert_eq!(place("gs://demo").unwrap(), bucket(""));
        assert_eq!(place("gs://demo/").unwrap(), bucket(""));
        assert_eq!(place("gs://demo/a/b/").unwrap(), bucket("a/b"));
        assert_eq!(place("some/dir/").unwrap(), Place::Folder("some/dir/".into()));
        assert_eq!(place("file:///some/dir").unwrap(), Place::Folder("/some/dir".into()));
        assert!(place("file://dir").is_err());
        assert_eq!(place("pictures.zip").unwrap(), Place::Zip("pictures.zip".into()));
        assert_eq!(place("file:///some/P.ZIP").unwrap(), Place::Zip("/some/P.ZIP".into()));
        assert_eq!(place("pictures.zip/").unwrap(), Place::Folder("pictures.zip/".into()));
        assert_eq!(place("gs://demo/a.zip").unwrap(), bucket("a.zip"));
        assert!(place("gs://").is_err());
    }
}
