//! What is read, how it is split, and what is made of it.

use std::path::PathBuf;

use super::key::Kind;
use super::keys::{
    CLASSES, DATASET, FILES, FILTER, FIRST_LABEL, FIT, FORMAT, LABEL_COLUMN, LABEL_ENCODING, LIMIT,
    METHOD, PATH, QUALITY, RANGE, RGB, SAMPLE, SCALE, SEED, SIZE, SPLIT_FILE, SUBSAMPLING,
    TRANSPOSED, VALIDATION,
};
use super::layers::{ConfigError, Layers};
use super::value::Value;
use crate::encode::{Encoding, Resize};
use crate::model::Partition;
use crate::source::{Files, Range, SourceOptions};
use crate::split::{SplitMethod, SplitSettings, ValidationSize};
use crate::text::is_unsafe;

pub(super) fn source(layers: &Layers) -> Result<SourceOptions, ConfigError> {
    let catalogue = layers.catalogue();
    let names = || catalogue.names().collect::<Vec<_>>().join(", ");
    let dataset = layers.find(&DATASET)?;
    let entry = dataset.as_deref().map(|name| {
        let entry = catalogue.find(name).map(|entry| entry.name.clone());
        entry.ok_or_else(|| {
            let nearest = catalogue.nearest(name).map(|name| format!("; did you mean {name}?"));
            let problem = format!("must be one of {}{}", names(), nearest.unwrap_or_default());
            layers.refuse(&DATASET, &problem)
        })
    });
    let options = SourceOptions {
        dataset: entry.transpose()?,
        path: layers.find(&PATH)?,
        files: layers.find(&FILES)?.unwrap_or_default(),
        classes: layers.find(&CLASSES)?,
        first_label: layers.find(&FIRST_LABEL)?,
        label_column: layers.find(&LABEL_COLUMN)?,
        label_encoding: layers.need(&LABEL_ENCODING)?,
        range: layers.find(&RANGE)?,
        transposed: layers.need(&TRANSPOSED)?,
        limit: layers.find(&LIMIT)?,
        sample: layers.find(&SAMPLE)?,
    };
    if options.limit.is_some() && options.sample.is_some() {
        let problem = "must be left out where source.limit is set: there is no sample of a limit";
        return Err(layers.refuse(&SAMPLE, problem));
    }
    let is_named = options.dataset.is_some() || options.path.is_some();
    if is_named && !options.files.is_empty() {
        let problem = "must be left out where source.dataset or source.path is set";
        return Err(layers.refuse(&FILES, problem));
    }
    if !is_named && options.files.is_empty() {
        return Err(ConfigError::Unfit(format!(
            "no source: give --source with a folder or a named data set ({})",
            names()
        )));
    }
    Ok(options)
}

/// A part of a data set as the config file has it.
#[derive(serde::Deserialize)]
#[serde(deny_unknown_fields)]
struct Listed {
    images: PathBuf,
    labels: Option<PathBuf>,
    partition: Partition,
}

pub(super) fn read_files(value: &Value, _: Kind) -> Result<Vec<Files>, Option<String>> {
    let files: Vec<Listed> = value.deserialize().map_err(Some)?;
    let files = files.into_iter().map(|Listed { images, labels, partition }| Files {
        partition,
        images: value.relative(images),
        labels: labels.map(|labels| value.relative(labels)),
    });
    Ok(files.collect())
}

pub(super) fn read_classes(value: &Value, _: Kind) -> Result<Vec<String>, Option<String>> {
    let names = value.list().ok_or(None)?;
    let usable = |name: &Value| {
        let name = name.as_str().filter(|name| !name.is_empty() && !name.contains(is_unsafe));
        name.map(str::to_owned).ok_or(None)
    };
    names.iter().map(usable).collect()
}

pub(super) fn read_range(value: &Value, _: Kind) -> Result<Range, Option<String>> {
    let numbers: Option<Vec<f64>> =
        value.list().and_then(|all| all.iter().map(Value::word).collect());
    match numbers.as_deref() {
        Some(&[black, white])
            if black.is_finite() && white.is_finite() && (black - white).abs() > 0.0 =>
        {
            Ok(Range { black, white })
        }
        _ => Err(None),
    }
}

/// What can be held out.
pub(super) const HELD_OUT: &str =
    "a whole number from 0 to 4294967295, or a share above 0 and below 1";

pub(super) fn read_held_out(value: &Value, _: Kind) -> Result<ValidationSize, Option<String>> {
    if let Some(count) = value.number().and_then(|count| u32::try_from(count).ok()) {
        return Ok(ValidationSize::Count(count));
    }
    let share = value.word().filter(|share| *share > 0.0 && *share < 1.0);
    share.map(ValidationSize::Share).ok_or(None)
}

pub(super) fn split(layers: &Layers) -> Result<SplitSettings, ConfigError> {
    let split = SplitSettings {
        method: layers.need(&METHOD)?,
        validation: layers.find(&VALIDATION)?,
        seed: layers.need(&SEED)?,
        file: layers.find(&SPLIT_FILE)?,
    };
    match (split.method, &split.file, split.validation) {
        (SplitMethod::File, None, _) => {
            Err(layers.refuse(&METHOD, "must be given a list of the partitions: split.file"))
        }
        (SplitMethod::Hash, _, Some(ValidationSize::Count(_))) => {
            let problem = "must be a share such as 0.15: the number of images may grow";
            Err(layers.refuse(&VALIDATION, problem))
        }
        (method, Some(_), _) if method != SplitMethod::File => {
            Err(layers.refuse(&METHOD, "must be \"file\" where split.file is set"))
        }
        _ => Ok(split),
    }
}

/// The forms of a size.
pub(super) const SIZES: &str =
    "a width and a height from 1 to 65535, such as 640x480, or one for both";

/// Width and height.
pub(super) fn read_size(value: &Value, _: Kind) -> Result<(u16, u16), Option<String>> {
    let both = value.number().and_then(|both| u16::try_from(both).ok()).map(|both| (both, both));
    let each = || {
        let (cols, rows) = value.as_str()?.split_once('x')?;
        Some((cols.trim().parse().ok()?, rows.trim().parse().ok()?))
    };
    both.or_else(each).filter(|(cols, rows)| cols.min(rows) > &0).ok_or(None)
}

pub(super) fn encoding(layers: &Layers) -> Result<Encoding, ConfigError> {
    let (filter, fit) = (layers.need(&FILTER)?, layers.need(&FIT)?);
    let size = layers.find(&SIZE)?;
    Ok(Encoding {
        format: layers.need(&FORMAT)?,
        quality: layers.need(&QUALITY)?,
        subsampling: layers.need(&SUBSAMPLING)?,
        scale: layers.need(&SCALE)?,
        resize: size.map(|(cols, rows)| Resize { cols, rows, filter, fit }),
        rgb: layers.need(&RGB)?,
    })
}
