//! The flags that are settings, made from the list of keys.

use std::ffi::OsString;
use std::path::PathBuf;

use clap::builder::PossibleValuesParser;
use clap::{Arg, ArgMatches, Command, value_parser};

use crate::config::{About, ConfigError, KEYS, Kind, Layers};

/// Adds `--config`, `--source` and a flag for each key that has one.
pub(super) fn add_flags(command: Command) -> Command {
    let config = Arg::new("config")
        .long("config")
        .value_name("FILE")
        .value_parser(value_parser!(PathBuf))
        .help("Settings in TOML; flags and environment variables take precedence over it");
    let source = Arg::new("source")
        .long("source")
        .value_name("NAME|DIR")
        .value_parser(value_parser!(OsString))
        .help(
            "A named data set, a folder of IDX, CIFAR or Parquet files, or one file: .npz, Parquet, CIFAR's \
             .tar.gz, or images without labels",
        );
    command.arg(config).arg(source).args(KEYS.iter().filter_map(|key| flag(key)))
}

fn flag(key: &'static About) -> Option<Arg> {
    let mut help = key.help.to_owned();
    if let Some(default) = key.default {
        help.push_str(&format!(" [default: {default}]"));
    }
    let arg = Arg::new(key.path).long(key.flag?).value_name(key.placeholder).help(help);
    Some(match key.kind {
        Kind::Switch => arg
            .num_args(0..=1)
            .require_equals(true)
            .default_missing_value("true")
            .value_parser(PossibleValuesParser::new(["true", "false"])),
        Kind::Words(words) => arg.value_parser(PossibleValuesParser::new(words)),
        // A value such as -1 reaches the check of settings, which says what is allowed.
        _ => arg.value_parser(value_parser!(OsString)).allow_hyphen_values(true),
    })
}

/// All layers of settings: defaults, `STORAGE_EMULATOR_HOST`, file, environment, flags.
pub(super) fn layers(args: &ArgMatches) -> Result<Layers, ConfigError> {
    let mut layers = Layers::default();
    if let Ok(host) = std::env::var("STORAGE_EMULATOR_HOST")
        && !host.is_empty()
    {
        layers.add_emulator_host(&host);
    }
    if let Some(path) = args.get_one::<PathBuf>("config") {
        layers.add_file(path)?;
    }
    layers.add_environment(std::env::vars_os())?;
    if let Some(source) = args.get_one::<OsString>("source") {
        layers.add_source(source.clone());
    }
    for key in KEYS.iter().filter(|key| key.flag.is_some()) {
        if let Some(text) = args.get_raw(key.path).and_then(|mut texts| texts.next_back()) {
            layers.add_flag(key, text);
        }
    }
    Ok(layers)
}
