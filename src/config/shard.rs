//! Which slice of a load is asked for, and whether the other settings permit slices.

use super::key::Kind;
use super::keys::{IF_EXISTS, PARALLEL, PRUNE, SHARD, SHARD_COUNT};
use super::layers::{ConfigError, Layers};
use super::value::Value;
use crate::shard::{ShardError, ShardSpec};
use crate::sink::{IfExists, Place};

/// A load in slices.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Slicing {
    /// Which slice.
    pub of: ShardSpec,
    /// How many there are, where that is given beside it.
    pub count: Option<u32>,
    /// How many run at the same time; `None` for all.
    pub parallel: Option<u32>,
}

/// How a slice is given.
pub(super) const SLICES: &str = "auto, auto/n, or i/n with i from 0 to n-1";

pub(super) fn read_shard(value: &Value, _: Kind) -> Result<ShardSpec, Option<String>> {
    let text = value.as_str().map(str::trim).filter(|text| !text.is_empty()).ok_or(None)?;
    text.parse().map_err(|error: ShardError| Some(format!("must be {SLICES}: {error}")))
}

/// The slice that is asked for, in a destination and with options that permit slices.
pub(super) fn slicing(layers: &Layers, place: &Place) -> Result<Option<Slicing>, ConfigError> {
    let Some(of) = layers.find(&SHARD)? else { return Ok(None) };
    let refused = if matches!(place, Place::Zip(_)) {
        Some("a zip is written by one process: load without slices, or into a folder or a bucket")
    } else if layers.need(&IF_EXISTS)? == IfExists::Fail {
        Some("with --if-exists fail a slice that is started again would refuse its own objects")
    } else if layers.need(&PRUNE)? {
        Some("no slice knows what the others need: --prune with the load as a whole, afterwards")
    } else {
        None
    };
    if let Some(problem) = refused {
        return Err(layers.refuse(&SHARD, &format!("cannot be: {problem}")));
    }
    Ok(Some(Slicing { of, count: layers.find(&SHARD_COUNT)?, parallel: layers.find(&PARALLEL)? }))
}
