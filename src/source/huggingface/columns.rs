//! Which columns of a Parquet file hold images and labels.

use std::path::Path;

use parquet::basic::Type as PhysicalType;
use parquet::schema::types::SchemaDescriptor;
use serde_json::Value;

use crate::source::error::SourceError;
use crate::source::options::ReadOptions;

/// The column with the bytes of the images: that of the only feature of type `Image`, or without a
/// description the only struct with `bytes`.
pub(super) fn image_column(
    schema: &SchemaDescriptor,
    features: Option<&Value>,
    path: &Path,
) -> Result<usize, SourceError> {
    let found = schema.columns().iter().enumerate().filter(|(_, column)| {
        let [name, field] = column.path().parts() else { return false };
        let described = features.and_then(|features| features.get(name)?.get("_type")?.as_str());
        let is_image = described.is_none_or(|kind| kind == "Image");
        let is_value = column.physical_type() == PhysicalType::BYTE_ARRAY;
        field == "bytes" && is_image && is_value && column.max_rep_level() == 0
    });
    let found: Vec<_> = found.collect();
    match found.as_slice() {
        [(column, _)] => Ok(*column),
        [] => {
            let problem =
                "has no column of images, a struct of bytes and path as datasets writes it";
            Err(SourceError::unfit(path, problem))
        }
        several => {
            let names: Vec<_> = several.iter().map(|(_, column)| column.path().string()).collect();
            let names = names.join(", ");
            Err(SourceError::unfit(path, format!("has several columns of images: {names}")))
        }
    }
}

/// Name and number of the column of labels: the features of type `ClassLabel`, or without any the whole
/// numbers called `label`. Of several, `source.label_column` says which, else the one called `label` is it.
pub(super) fn label_column(
    schema: &SchemaDescriptor,
    features: Option<&Value>,
    options: &ReadOptions,
    path: &Path,
) -> Result<Option<(String, usize)>, SourceError> {
    let numbers = schema.columns().iter().enumerate().filter_map(|(at, column)| {
        let [name] = column.path().parts() else { return None };
        let is_number = matches!(column.physical_type(), PhysicalType::INT32 | PhysicalType::INT64);
        (is_number && column.max_rep_level() == 0).then(|| (name.clone(), at))
    });
    let numbers: Vec<_> = numbers.collect();
    let is_class = |name: &str| {
        features.and_then(|features| features.get(name)?.get("_type")?.as_str())
            == Some("ClassLabel")
    };
    let mut labels: Vec<_> = numbers.iter().filter(|(name, _)| is_class(name)).cloned().collect();
    if labels.is_empty() {
        labels = numbers.into_iter().filter(|(name, _)| name == "label").collect();
    }
    let names = labels.iter().map(|(name, _)| name.as_str()).collect::<Vec<_>>().join(", ");
    if let Some(column) = options.label_column {
        return labels.into_iter().nth(column as usize).map(Some).ok_or_else(|| {
            let problem = format!("source.label_column = {column}, but its labels are: {names}");
            SourceError::unfit(path, problem)
        });
    }
    let several = labels.len() > 1;
    match labels.iter().position(|(name, _)| !several || name == "label") {
        Some(at) => Ok(Some(labels.swap_remove(at))),
        None if several => {
            let problem = format!(
                "has several labels ({names}); say which is the class, from 0: source.label_column"
            );
            Err(SourceError::unfit(path, problem))
        }
        None => Ok(None),
    }
}
