//! Where objects go and how: destination, names, manifests, requests.

use std::num::NonZeroU32;
use std::path::PathBuf;

use super::key::Kind;
use super::keys::{
    ALLOW_HTTP, ATTEMPT_TIMEOUT, CONCURRENCY, ENDPOINT, INITIAL_BACKOFF, MANIFESTS, MAX_ATTEMPTS,
    MAX_BACKOFF, MAX_CONCURRENCY, MAX_ELAPSED, MAX_OUTAGE, MAX_RATE, NAME, OUT, PRUNE, RAMP,
};
use super::layers::{ConfigError, Layers};
use super::value::Value;
use crate::load::DEFAULT_NAME;
use crate::manifest::{Manifest, ManifestFormat};
use crate::naming::{NameError, Template, check_bucket_name, check_object_name};
use crate::pace::{Bounds, Concurrency};
use crate::retry::Limits;
use crate::retry::backoff::Backoff;
use crate::sink::{Endpoint, Place};

/// How a destination is written.
pub(super) const URL_FORMS: &str =
    "gs://bucket/prefix, a folder or a .zip file (a path or file:///path)";

/// A destination and its address as manifests give it, without a slash at its end.
#[derive(Debug)]
pub(crate) struct Location {
    pub(super) place: Place,
    pub(super) url: String,
}

/// Google's pages and addresses that go on with the bucket.
const WEB: [&str; 3] = [
    "https://storage.googleapis.com/",
    "https://storage.cloud.google.com/",
    "https://console.cloud.google.com/storage/browser/",
];

/// Archives that are not written; a folder's name hardly ever ends so.
const OTHER_ARCHIVES: [&str; 7] = [".tar", ".gz", ".tgz", ".bz2", ".xz", ".zst", ".7z"];

/// What a destination that would be taken for a folder looks like instead, if so: what to write.
fn mistaken(text: &str) -> Option<String> {
    let lower = text.to_ascii_lowercase();
    let bucket = |rest: &str| {
        let rest = rest.trim_start_matches(['/', '\\', ':']).replace('\\', "/");
        Some(format!("did you mean \"gs://{rest}\"?"))
    };
    if let Some(web) = WEB.iter().find(|web| lower.starts_with(**web)) {
        return bucket(text.get(web.len()..)?);
    }
    // `gs/demo` may be a folder, and is refused where there is no folder `gs`.
    if let Some(scheme) = ["gs:", "gs//", "gs\\", "gcs:"].iter().find(|it| lower.starts_with(**it))
    {
        return bucket(text.get(scheme.len()..)?);
    }
    if let Some(path) = text.strip_prefix("file:").filter(|path| !path.starts_with("//")) {
        return Some(format!("did you mean {path:?}?"));
    }
    if text == "~" || text.starts_with("~/") {
        return Some("~ is a home folder only to a shell: write its path".to_owned());
    }
    let archive = OTHER_ARCHIVES.iter().find(|ending| lower.ends_with(**ending))?;
    Some(format!("no {archive} archive can be written; end it in / for a folder of that name"))
}

pub(super) fn read_url(value: &Value, _: Kind) -> Result<Location, Option<String>> {
    let text = value.as_str().filter(|text| !text.is_empty()).ok_or(None)?;
    if text.trim() != text {
        return Err(Some(format!("must be {URL_FORMS}, without blanks before or behind it")));
    }
    if let Some(rest) = text.strip_prefix("gs://") {
        let (bucket, prefix) = rest.split_once('/').unwrap_or((rest, ""));
        let prefix = prefix.trim_end_matches('/');
        let checked = check_bucket_name(bucket).and_then(|()| match prefix {
            "" => Ok(()),
            prefix => check_object_name(prefix),
        });
        checked.map_err(|why| Some(format!("must be {URL_FORMS}; {why}")))?;
        let place = Place::Bucket { bucket: bucket.to_owned(), prefix: prefix.to_owned() };
        return Ok(Location { place, url: text.trim_end_matches('/').to_owned() });
    }
    if let Some(meant) = mistaken(text) {
        return Err(Some(format!("must be {URL_FORMS}; {meant}")));
    }
    let path = if text.contains("://") {
        let file = reqwest::Url::parse(text).ok().filter(|url| url.scheme() == "file");
        file.and_then(|url| url.to_file_path().ok())
    } else {
        Some(value.relative(text))
    };
    let path = path.ok_or(None)?;
    let url = if text.contains("://") { text } else { path.to_str().unwrap_or(text) };
    let url = url.trim_end_matches('/').to_owned();
    let is_zip = text.to_ascii_lowercase().ends_with(".zip");
    Ok(Location { place: if is_zip { Place::Zip(path) } else { Place::Folder(path) }, url })
}

/// How an endpoint is written.
pub(super) const ENDPOINT_FORMS: &str = "http://host:port, https://host, or embedded[:DIR]";

pub(super) fn read_endpoint(value: &Value, _: Kind) -> Result<Endpoint, Option<String>> {
    let text = value.as_str().unwrap_or_default().trim();
    match text.split_once(':') {
        None if text == "embedded" => return Ok(Endpoint::Embedded(None)),
        Some(("embedded", dir)) if !dir.is_empty() => {
            return Ok(Endpoint::Embedded(Some(value.relative(dir))));
        }
        _ => {}
    }
    let usable = |url: &reqwest::Url| {
        url.has_host()
            && matches!(url.scheme(), "http" | "https")
            && url.query().is_none()
            && url.fragment().is_none()
            && url.username().is_empty()
            && url.password().is_none()
    };
    // As the documentation of Google's API writes it.
    let text = text.trim_end_matches('/');
    let text = text.strip_suffix("/storage/v1").unwrap_or(text);
    let url = reqwest::Url::parse(text).ok().filter(usable);
    url.map(Endpoint::Url).ok_or(None)
}

pub(super) fn endpoint(layers: &Layers) -> Result<Endpoint, ConfigError> {
    let endpoint = layers.find(&ENDPOINT)?.unwrap_or(Endpoint::Google);
    let allow_http = layers.need(&ALLOW_HTTP)?;
    match &endpoint {
        Endpoint::Url(url)
            if url.scheme() == "http" && !crate::http::is_loopback(url.as_str()) && !allow_http =>
        {
            let problem = "must be https, or on this machine; --allow-http permits an endpoint \
                           without TLS";
            Err(layers.refuse(&ENDPOINT, problem))
        }
        _ => Ok(endpoint),
    }
}

/// Names in an archive by default: importers of archives take a folder for a class.
const ZIP_NAME: &str = "{class}/image_{index}.{ext}";

/// Whether names of objects become those of files.
pub(super) fn names_are_files(place: &Place, endpoint: &Endpoint) -> bool {
    matches!(endpoint, Endpoint::Embedded(Some(_))) || !matches!(place, Place::Bucket { .. })
}

/// The template that the user chose, checked, and the default.
pub(super) fn name(
    layers: &Layers,
    place: &Place,
    endpoint: &Endpoint,
) -> Result<(Option<Template>, &'static str), ConfigError> {
    let (prefix, default) = match place {
        Place::Bucket { prefix, .. } => (prefix.as_str(), DEFAULT_NAME),
        Place::Folder(_) => ("", DEFAULT_NAME),
        Place::Zip(_) => ("", ZIP_NAME),
    };
    let parse = |text: &str| {
        let name = Template::parse(text, prefix)?;
        if names_are_files(place, endpoint) {
            name.check_file_names()?;
        }
        Ok::<_, NameError>(name)
    };
    let chosen = layers.chosen(&NAME)?;
    let name = parse(chosen.as_deref().unwrap_or(default))
        .map_err(|e| layers.refuse(&NAME, &format!("must be a usable template: {e}")))?;
    Ok((chosen.map(|_| name), default))
}

/// What manifests can be.
pub(super) const FORMATS: &str =
    "automl, vertex, vertex-jsonl, huggingface, csv, parquet, each once";

pub(super) fn read_manifests(
    value: &Value,
    _: Kind,
) -> Result<Vec<ManifestFormat>, Option<String>> {
    let words = value.list().ok_or(None)?.into_iter();
    let words = words.filter(|word| word.as_str() != Some(""));
    let formats: Option<Vec<ManifestFormat>> = words.map(|word| word.word()).collect();
    // Two of one format would have one name.
    let formats = formats.filter(|all| all.iter().enumerate().all(|(i, f)| !all[..i].contains(f)));
    let formats = formats.ok_or(None)?;
    match formats.iter().find(|format| !format.is_built()) {
        None => Ok(formats),
        Some(format) => Err(Some(format!(
            "must be without {format}, which this build does not have (cargo feature \"parquet\")"
        ))),
    }
}

pub(super) fn manifests(
    layers: &Layers,
    name: Option<&Template>,
) -> Result<Vec<ManifestFormat>, ConfigError> {
    let formats = layers.need(&MANIFESTS)?;
    let Some(name) = name else { return Ok(formats) };
    Manifest::all(&formats, name).map_err(|problem| layers.refuse(&NAME, &problem))?;
    Ok(formats)
}

/// Whether what an earlier load left is deleted, which an archive does not permit.
pub(super) fn prune(layers: &Layers, place: &Place) -> Result<bool, ConfigError> {
    match layers.need(&PRUNE)? {
        true if matches!(place, Place::Zip(_)) => {
            let problem = "must be false for a zip, from which nothing is deleted; --if-exists \
                           overwrite writes it anew";
            Err(layers.refuse(&PRUNE, problem))
        }
        prune => Ok(prune),
    }
}

/// How many requests there can be in flight.
pub(super) const IN_FLIGHT: &str = "auto, or a whole number from 1 to 16384";

/// A number, or `None` for `auto`.
pub(super) fn read_concurrency(value: &Value, _: Kind) -> Result<Option<u32>, Option<String>> {
    if value.as_str().is_some_and(|text| text.trim() == "auto") {
        return Ok(None);
    }
    let number = value.number().and_then(|number| u32::try_from(number).ok());
    let number = number.filter(|number| (1..=16_384).contains(number));
    number.map(Some).ok_or(None)
}

pub(super) fn pace(layers: &Layers) -> Result<Bounds, ConfigError> {
    let fixed = layers.need(&CONCURRENCY)?;
    let most = layers.need(&MAX_CONCURRENCY)?;
    let concurrency = Concurrency { auto: fixed.is_none(), limit: fixed.unwrap_or(most) };
    let (max_rate, ramp) = (layers.need(&MAX_RATE)?, layers.need(&RAMP)?);
    Ok(Bounds { concurrency, max_rate, ramp, parallel: NonZeroU32::MIN })
}

pub(super) fn limits(layers: &Layers) -> Result<Limits, ConfigError> {
    let backoff =
        Backoff { initial: layers.need(&INITIAL_BACKOFF)?, max: layers.need(&MAX_BACKOFF)? };
    if backoff.initial > backoff.max {
        return Err(layers.refuse(&INITIAL_BACKOFF, "must be at most retry.max_backoff"));
    }
    Ok(Limits {
        max_attempts: layers.need(&MAX_ATTEMPTS)?,
        max_elapsed: layers.need(&MAX_ELAPSED)?,
        attempt_timeout: layers.need(&ATTEMPT_TIMEOUT)?,
        max_outage: layers.need(&MAX_OUTAGE)?,
        backoff,
    })
}

pub(super) fn out(layers: &Layers, place: &Place) -> Result<PathBuf, ConfigError> {
    let out = layers.need(&OUT)?;
    if let Place::Folder(folder) | Place::Zip(folder) = place
        && let (Ok(inner), Ok(outer)) = (std::path::absolute(&out), std::path::absolute(folder))
        && inner.starts_with(&outer)
    {
        return Err(layers.refuse(&OUT, "must be outside of the destination"));
    }
    Ok(out)
}
