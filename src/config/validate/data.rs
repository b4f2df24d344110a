//! What is read, how it is split, and what is made of it.

use std::path::PathBuf;

use super::super::{ConfigError, Layers, Origin};
use super::{list, number, some_text, switch, word};
use crate::encode::Encoding;
use crate::model::Partition;
use crate::source::{Files, Range, SourceOptions};
use crate::split::{HeldOut, SplitMethod, SplitSettings};

pub(super) fn source(layers: &Layers) -> Result<SourceOptions, ConfigError> {
    let catalogue = layers.catalogue();
    let names = catalogue.names().collect::<Vec<_>>().join(", ");
    let dataset = layers.maybe("source.dataset", &format!("one of {names}"), |text| {
        catalogue.get(text).map(|entry| entry.name.clone())
    })?;
    let path = layers.maybe("source.path", "a folder", some_text)?.map(PathBuf::from);
    let files = files(layers)?;
    if !files.is_empty() && (dataset.is_some() || path.is_some()) {
        let allowed = "left out where source.dataset or source.path is set";
        return Err(layers.refuse("source.files", allowed));
    }
    if dataset.is_none() && path.is_none() && files.is_empty() {
        return Err(ConfigError::Unfit(format!(
            "no source: give --source with a folder or a named data set ({names})"
        )));
    }
    let limit = layers.maybe("source.limit", "a whole number from 1 to 4294967295", |text| {
        text.parse().ok().filter(|n| *n > 0)
    })?;
    let maybe = |key| layers.maybe(key, "a whole number from 0", |text| text.parse().ok());
    let first_label = maybe("source.first_label")?;
    let label_column = maybe("source.label_column")?;
    let classes =
        layers.maybe("source.classes", "a list of names, each of visible characters", |text| {
            let names = list(text);
            let usable = |name: &String| !name.is_empty() && !name.contains(char::is_control);
            names.iter().all(usable).then_some(names)
        })?;
    let transposed = word(layers, "source.transposed")?;
    let range = layers.maybe("source.range", "two different numbers, [black, white]", |text| {
        let (black, white) = text.trim_matches(['[', ']']).split_once(',')?;
        let (black, white) = (black.trim().parse().ok()?, white.trim().parse().ok()?);
        let usable = f64::is_finite(black) && f64::is_finite(white) && (black - white).abs() > 0.0;
        usable.then_some(Range { black, white })
    })?;
    Ok(SourceOptions {
        dataset,
        path,
        files,
        classes,
        first_label,
        label_column,
        range,
        transposed,
        limit,
    })
}

/// A part of a data set as the config file has it.
#[derive(serde::Deserialize)]
#[serde(deny_unknown_fields)]
struct Listed {
    images: PathBuf,
    labels: Option<PathBuf>,
    partition: Partition,
}

fn files(layers: &Layers) -> Result<Vec<Files>, ConfigError> {
    const ALLOWED: &str = "[[source.files]] tables of images = \"FILE\", labels = \"FILE\" (or \
                           without), partition = \"train\", \"validation\" or \"test\"";
    let files = layers.maybe("source.files", ALLOWED, |text| {
        let listed: Vec<Listed> = serde_json::from_str(text).ok()?;
        let files = listed.into_iter();
        let files =
            files.map(|Listed { images, labels, partition }| Files { partition, images, labels });
        Some(files.collect::<Vec<_>>())
    })?;
    Ok(files.unwrap_or_default())
}

pub(super) fn split(layers: &Layers) -> Result<SplitSettings, ConfigError> {
    let method = word(layers, "split.method")?;
    let allowed = "a whole number from 0 to 4294967295, or a share above 0 and below 1";
    let validation = layers.need("split.validation", allowed, |text| {
        let share = || text.parse().ok().filter(|share| *share > 0.0 && *share < 1.0);
        text.parse().ok().map(HeldOut::Count).or_else(|| share().map(HeldOut::Share))
    })?;
    let said = layers.get("split.validation").map(|value| &value.origin);
    let file = layers.maybe("split.file", "a file", some_text)?.map(PathBuf::from);
    match (method, &file) {
        (SplitMethod::File, None) => {
            return Err(layers.refuse("split.method", "given a list of the partitions: split.file"));
        }
        (SplitMethod::Hash, _) if !matches!(validation, HeldOut::Share(_)) => {
            let allowed = "a share such as 0.15: the number of images may grow";
            return Err(layers.refuse("split.validation", allowed));
        }
        (_, Some(_)) if method != SplitMethod::File => {
            return Err(layers.refuse("split.method", "\"file\" where split.file is set"));
        }
        _ => {}
    }
    Ok(SplitSettings {
        method,
        validation: said.is_some_and(|origin| *origin != Origin::Default).then_some(validation),
        seed: number(layers, "split.seed", 0, u32::MAX)?,
        file,
    })
}

pub(super) fn encoding(layers: &Layers) -> Result<Encoding, ConfigError> {
    Ok(Encoding {
        format: word(layers, "image.format")?,
        quality: u8::try_from(number(layers, "image.quality", 1, 100)?).unwrap_or(100),
        scale: word(layers, "image.scale")?,
        upscale: u16::try_from(number(layers, "image.upscale", 1, 1024)?).unwrap_or(1),
        rgb: switch(layers, "image.rgb")?,
    })
}
