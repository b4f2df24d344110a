//! The flags that are settings, made from the table of keys.

use std::path::PathBuf;

use clap::builder::PossibleValuesParser;
use clap::{Arg, ArgMatches, Command};

use crate::config::{ConfigError, KEYS, Key, Layers};

/// Adds `--config`, `--source` and a flag for each key that has one.
pub(super) fn add_flags(command: Command) -> Command {
    let command = command
        .arg(
            Arg::new("config")
                .long("config")
                .value_name("FILE")
                .value_parser(clap::value_parser!(PathBuf))
                .help("Settings in TOML; flags and environment variables stand over it"),
        )
        .arg(Arg::new("source").long("source").value_name("NAME|DIR").help(
            "A named data set, a folder with the four usual files, .gz or not, or one file: a \
                     .npz, or images without labels",
        ));
    command.args(KEYS.iter().filter_map(flag))
}

fn flag(key: &'static Key) -> Option<Arg> {
    let flag = key.flag?;
    let mut help = key.help.to_owned();
    if let Some(default) = key.default {
        help.push_str(&format!(" [default: {}]", default.trim_matches('"')));
    }
    let mut arg = Arg::new(key.path).long(flag).value_name(key.value).help(help);
    if key.choices == ["true", "false"] {
        // A switch: alone it means true.
        arg = arg.num_args(0..=1).require_equals(true).default_missing_value("true");
    } else if key.choices.is_empty() {
        // A value such as -1 reaches our own check, which says what is allowed.
        arg = arg.allow_hyphen_values(true);
    }
    if !key.choices.is_empty() {
        arg = arg.value_parser(PossibleValuesParser::new(key.choices));
    }
    Some(arg)
}

/// All layers of settings: defaults, `STORAGE_EMULATOR_HOST`, file, environment, flags.
pub(super) fn layers(args: &ArgMatches) -> Result<Layers, ConfigError> {
    let mut layers = Layers::defaults()?;
    if let Ok(host) = std::env::var("STORAGE_EMULATOR_HOST")
        && !host.is_empty()
    {
        layers.add_emulator_host(&host);
    }
    if let Some(path) = args.get_one::<PathBuf>("config") {
        layers.add_file(path)?;
    }
    layers.add_environment(std::env::vars_os().filter_map(|(name, value)| {
        Some((name.into_string().ok()?, value.to_string_lossy().into_owned()))
    }))?;
    // A name of the catalogue is that; anything else is a path. `./mnist` always is one.
    let source = args.get_one::<String>("source").and_then(|text| {
        let path =
            if layers.catalogue().get(text).is_some() { "source.dataset" } else { "source.path" };
        let key = KEYS.iter().find(|key| key.path == path)?;
        Some((key, "source", text.clone()))
    });
    let flags = KEYS.iter().filter_map(|key| {
        let text = args.get_one::<String>(key.flag.map(|_| key.path)?)?;
        Some((key, key.flag?, text.clone()))
    });
    layers.add_flags(source.into_iter().chain(flags));
    Ok(layers)
}
