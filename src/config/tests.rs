//! What is accepted, what is refused in which words, and which layer counts.

use std::path::Path;
use std::time::Duration;

use proptest::prelude::*;

use strum::VariantNames;

use super::destination::FORMATS;
use super::keys::{NAME, PATH, QUALITY, URL};
use super::*;
use crate::model::Partition;
use crate::source::Files;
use crate::split::ValidationSize;

/// The layers of a config file `c.toml` in a folder of its own.
fn layers(toml: &str) -> Result<Layers, ConfigError> {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("c.toml");
    std::fs::write(&path, toml).unwrap();
    let mut layers = Layers::default();
    layers.add_file(&path)?;
    Ok(layers)
}

/// The settings of a config file, with a source and a destination where it names none.
fn settings(toml: &str) -> Result<Settings, ConfigError> {
    let mut layers = layers(toml)?;
    if ![keys::PATH.about.path, keys::DATASET.about.path, keys::FILES.about.path]
        .iter()
        .any(|key| layers.get(key).is_some())
    {
        layers.add_flag(&PATH.about, "d");
    }
    if layers.get(URL.about.path).is_none() {
        layers.add_flag(&URL.about, "gs://demo/fm");
    }
    Settings::validate(&layers)
}

fn says(toml: &str) -> String {
    settings(toml).err().unwrap_or_else(|| panic!("{toml:?} is accepted")).to_string()
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
    assert_eq!((s.memory, s.queue), (64_000_000, 256));
    assert_eq!(s.retry.max_elapsed, Duration::from_mins(5));
    assert_eq!((s.name, s.default_name), (None, "image_{index}.{ext}"));
}

#[test]
fn parquet_is_a_format_of_builds_that_have_it() {
    let all = "[manifest]\nformats = [\"automl\", \"vertex\", \"vertex-jsonl\", \"huggingface\", \
               \"csv\", \"parquet\"]";
    if cfg!(feature = "parquet") {
        assert_eq!(settings(all).unwrap().manifests.len(), 6);
    } else {
        assert!(says(all).contains("parquet, which this build does not have"), "{}", says(all));
    }
}

#[test]
fn errors_name_file_line_key_and_what_is_allowed() {
    for (toml, part) in [
        (
            "[image]\nquality = 0",
            "c.toml:2: image.quality = \"0\": must be a whole number from 1 to 100",
        ),
        ("[image]\nquality = 101", "\"101\": must be a whole number from 1 to 100"),
        ("[image]\nquality = 7.5", "\"7.5\": must be a whole number"),
        (
            "[image]\n\nqualty = 7",
            "c.toml:3: there is no key \"qualty\" in [image]; there are format, quality, subsampling, scale, size",
        ),
        ("[pictures]", ":1: there is no section \"pictures\"; there are source, split, image"),
        ("pictures = 1", ":1: there is no section \"pictures\"; there are source, split, image"),
        ("image = 3", ":1: image is a section: write [image]"),
        ("dataset.mine = 3", ":1: mine is a data set: write [dataset.mine]"),
        ("[image]\nquality = {}", "image.quality cannot be a table"),
        ("[image]\nquality = 2026-01-01", "image.quality cannot be a table or a date"),
        ("[upload]\nconcurrency = 0", "must be auto, or a whole number from 1 to 16384"),
        ("[upload]\nqueue = 0", "upload.queue"),
        ("[upload]\nmemory = \"64 pages\"", "must be a number of bytes such as \"64MB\""),
        (
            "[retry]\nmax_backoff = \"5\"",
            "must be a time above zero and up to a day, such as \"30s\"",
        ),
        ("[retry]\ninitial_backoff = \"5m\"", "at most retry.max_backoff"),
        ("[manifest]\nformats = [\"automl\", \"tsv\"]", "must be a list of automl, vertex"),
        ("[manifest]\nformats = [\"vertex\", \"vertex\"]", "must be a list of automl, vertex"),
        (
            "[manifest]\nformats = [\"huggingface\"]\n[destination]\n\
             name = \"{label}/{partition}/{index}\"",
            "must be one that begins with {partition}/ or has no {partition}",
        ),
        ("[destination]\nname = \"vertex.csv/{index}\"", "without the folder \"vertex.csv\""),
        (
            "[manifest]\nformats = [\"huggingface\"]\n[destination]\n\
             name = \"{partition}/metadata.jsonl/{index}\"",
            "without the folder \"metadata.jsonl\"",
        ),
        ("[destination]\nurl = \"p\"\nname = \"aux/{index}\"", "the name of a device on Windows"),
        ("[source]\nclasses = [\"a\", \"b\\u001b\"]", "of visible characters"),
        ("[source]\nclasses = [\"a\\u202e\"]", "of visible characters"),
        ("[source]\nrange = [1, 1]", "two different numbers, [black, white]"),
        ("[source]\ndataset = \"cifar\"", "must be one of "),
        ("[source]\nlimit = 0", "source.limit"),
        ("[source]\nlimit = 9\nsample = 9", "must be left out where source.limit is set"),
        (
            "[[source.files]]\nimage = \"a\"",
            ":1: source.files = \"{ image = \\\"a\\\" }\": unknown field `image`, expected one of `images`, `labels`, `partition`",
        ),
        (
            "[source]\npath = \"d\"\n[[source.files]]\nimages = \"a\"\npartition = \"test\"",
            "must be left out where source.dataset or source.path is set",
        ),
        ("[image]\nsize = 0", "must be a width and a height from 1 to 65535, such as 640x480"),
        ("[image]\nsize = 70000", "must be a width and a height"),
        ("[image]\nsize = \"224x\"", "must be a width and a height"),
        ("[image]\nsize = \"8x8x3\"", "must be a width and a height"),
        ("[split]\nmethod = \"file\"", "split.file"),
        ("[split]\nfile = \"s.csv\"", "must be \"file\" where split.file is set"),
        ("[split]\nvalidation = 1.0", "or a share above 0 and below 1"),
        ("[split]\nmethod = \"hash\"\nvalidation = 10", "must be a share such as 0.15"),
        ("[destination]\nurl = \"gs://Upper/x\"", "lower-case letters"),
        ("[destination]\nurl = \"s3://demo/x\"", "must be gs://bucket/prefix, a folder or"),
        ("[destination]\nurl = \"gs://demo/x \"", "without blanks before or behind it"),
        ("[destination]\nurl = \" pictures\"", "without blanks before or behind it"),
        ("[destination]\nurl = \"gs:/demo/x\"", "did you mean \"gs://demo/x\"?"),
        ("[destination]\nurl = \"gs:demo/x\"", "did you mean \"gs://demo/x\"?"),
        ("[destination]\nurl = \"gs//demo/x\"", "did you mean \"gs://demo/x\"?"),
        ("[destination]\nurl = \"GS://demo/x\"", "did you mean \"gs://demo/x\"?"),
        ("[destination]\nurl = \"gcs://demo/x\"", "did you mean \"gs://demo/x\"?"),
        ("[destination]\nurl = 'gs:\\\\demo\\x'", "did you mean \"gs://demo/x\"?"),
        (
            "[destination]\nurl = \"https://console.cloud.google.com/storage/browser/demo/x\"",
            "did you mean \"gs://demo/x\"?",
        ),
        (
            "[destination]\nurl = \"https://storage.googleapis.com/demo/x\"",
            "did you mean \"gs://demo/x\"?",
        ),
        ("[destination]\nurl = \"file:x\"", "did you mean \"x\"?"),
        ("[destination]\nurl = \"~/x\"", "~ is a home folder only to a shell"),
        ("[destination]\nurl = \"x.tar\"", "no .tar archive can be written"),
        ("[destination]\nurl = \"x.TAR.GZ\"", "no .gz archive can be written"),
        ("[destination]\nurl = \"gs://demo/../x\"", "has the part \"..\""),
        ("[destination]\nname = \"image.jpg\"", "it has no {index}"),
        ("[destination]\nname = \"{index}{x}\"", "unknown token {x}"),
        ("[destination]\nendpoint = \"http://user:secret@host\"", "\"http://…@host\": must be"),
        ("[destination]\nendpoint = \"embedded:\"", "embedded[:DIR]"),
        ("[destination]\nendpoint = \"https://host/#part\"", "https://host, or embedded[:DIR]"),
        ("[destination]\nendpoint = \"http://fake-gcs:1\"", "--allow-http permits"),
        ("[destination]\nendpoint = \"HTTP://fake-gcs:1\"", "--allow-http permits"),
        ("[destination]\nallow_http = 1", "true or false"),
        ("[destination]\nurl = \"p\"\n[output]\ndir = \"p/out\"", "outside of the destination"),
        ("[image", ":1: "),
    ] {
        let error = says(toml);
        assert!(error.contains(part), "{toml:?} says {error:?}");
        assert!(!error.contains('\n'), "one line: {error:?}");
    }
}

#[test]
fn numbers_are_read_in_each_form_of_toml() {
    for (toml, seed) in [("0x2A", 42), ("0o17", 15), ("0b11", 3), ("1_000", 1000), ("\"7\"", 7)] {
        assert_eq!(settings(&format!("[split]\nseed = {toml}")).unwrap().split.seed, seed);
    }
    for (toml, validation) in [
        ("0", ValidationSize::Count(0)),
        ("4294967295", ValidationSize::Count(u32::MAX)),
        ("0.25", ValidationSize::Share(0.25)),
        ("\"0.25\"", ValidationSize::Share(0.25)),
    ] {
        let split = settings(&format!("[split]\nvalidation = {toml}")).unwrap().split;
        assert_eq!(split.validation, Some(validation), "{toml}");
    }
    for (toml, bytes) in [
        ("\"64MB\"", 64_000_000),
        ("\"256 MiB\"", 256 << 20),
        ("\"1 kB\"", 1000),
        ("\"2GiB\"", 2 << 30),
        ("5000", 5000),
        ("\"5000 B\"", 5000),
    ] {
        assert_eq!(
            settings(&format!("[upload]\nmemory = {toml}")).unwrap().memory,
            bytes,
            "{toml}"
        );
    }
    for toml in ["0", "-1", "\"MB\"", "\"1 mB\"", "\"18446744073709551615 kB\"", "1.5"] {
        assert!(says(&format!("[upload]\nmemory = {toml}")).contains("upload.memory"), "{toml}");
    }
}

#[test]
fn lists_are_arrays_or_texts_with_commas() {
    let classes = |layers: &Layers| layers.find(&keys::CLASSES).unwrap();
    let names = |names: &[&str]| Some(names.iter().map(|&name| name.to_owned()).collect());
    let with = |text: &str| {
        let mut layers = Layers::default();
        layers.add_flag(&keys::CLASSES.about, text);
        layers
    };
    assert_eq!(classes(&with("a, b ,c")), names(&["a", "b", "c"]));
    assert_eq!(classes(&with("[\"a, b\", 'c']")), names(&["a, b", "c"]));
    assert_eq!(
        classes(&layers("[source]\nclasses = [\"a,b\", \"c\"]").unwrap()),
        names(&["a,b", "c"])
    );
    assert!(with("[\"a\"").find(&keys::CLASSES).is_err());
    assert!(with("a,,b").find(&keys::CLASSES).is_err());
    let range = settings("[source]\nrange = [-1, 0.5]").unwrap().source.range.unwrap();
    assert!(range.black < -0.9 && (range.white - 0.5).abs() < 0.01);
}

#[test]
fn later_layers_take_precedence() {
    let mut layers =
        layers("[split]\nseed = 1\nvalidation = 1\n[source]\npath = \"file\"").unwrap();
    let variables = [
        ("IDX2GCS_SPLIT_VALIDATION", "2"),
        ("IDX2GCS_SOURCE_DATASET", "fashion-mnist"),
        ("IDX2GCS_SERVICE_HOST", "another program's"),
        ("PATH", "/bin"),
    ];
    layers
        .add_environment(variables.map(|(name, text)| (name.into(), text.into())).into_iter())
        .unwrap();
    layers.add_emulator_host("127.0.0.1:1");
    layers.add_flag(&QUALITY.about, "3");

    let origin = |key| layers.get(key).map(|value| value.origin.to_string());
    assert!(origin("split.seed").unwrap().ends_with("c.toml:2"));
    assert_eq!(origin("split.validation").unwrap(), "environment: IDX2GCS_SPLIT_VALIDATION");
    assert_eq!(origin("image.quality").unwrap(), "flag: --quality");
    assert_eq!(origin("upload.queue").unwrap(), "default");
    assert!(origin("source.path").unwrap().ends_with("c.toml:5"), "where the data set lies");
    assert_eq!(layers.get("destination.endpoint").unwrap().shown(), "http://127.0.0.1:1");
    layers.add_source("d".into());
    assert_eq!(layers.get("source.dataset"), None, "--source names one or the other");
    assert_eq!(origin_of(&layers, "source.path"), "flag: --source");
}

fn origin_of(layers: &Layers, key: &str) -> String {
    layers.get(key).unwrap().origin.to_string()
}

#[test]
fn an_endpoint_may_be_written_as_the_api_documentation_does() {
    for url in
        ["https://host", "https://host/", "https://host/storage/v1", "https://host/storage/v1/"]
    {
        let mut layers = Layers::default();
        layers.add_flag(&keys::ENDPOINT.about, url);
        let endpoint = layers.find(&keys::ENDPOINT).unwrap();
        assert_eq!(endpoint, Some(Endpoint::Url("https://host".parse().unwrap())), "{url}");
    }
}

#[test]
fn what_a_file_says_of_its_source_is_not_said_of_another() {
    let file = "[source]\ndataset = \"mnist\"\nclasses = [\"a\", \"b\"]\ntransposed = true\n\
                first_label = 3\nlimit = 9";
    let with = |file: &str, source: &str| {
        let mut layers = layers(file).unwrap();
        layers.add_source(source.into());
        data::source(&layers).unwrap()
    };
    let other = with(file, "fashion-mnist");
    assert_eq!((other.dataset.as_deref(), other.path), (Some("fashion-mnist"), None));
    assert_eq!((other.classes, other.first_label, other.limit), (None, None, Some(9)));
    assert_eq!(other.transposed, crate::source::Transposed::Auto);
    let same = with(file, "mnist");
    assert_eq!((same.classes.map(|all| all.len()), same.first_label), (Some(2), Some(3)));
    // A file that names no source speaks of whichever is named.
    let any = with("[source]\nclasses = [\"a\"]", "mnist");
    assert_eq!(any.classes.map(|all| all.len()), Some(1));
}

#[test]
fn paths_in_a_file_are_relative_to_it() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("c.toml");
    let toml = "[source]\nfiles = [{ images = \"i\", labels = \"/l\", partition = \"train\" }]\n\
                [destination]\nurl = \"objects/\"\nendpoint = \"embedded:b\"\n[output]\ndir = \"../out\"\n\
                [split]\nmethod = \"file\"\nfile = \"s.csv\"";
    std::fs::write(&path, toml).unwrap();
    let mut layers = Layers::default();
    layers.add_file(&path).unwrap();
    let s = Settings::validate(&layers).unwrap();
    let partition = Partition::Train;
    let files = Files { partition, images: dir.path().join("i"), labels: Some("/l".into()) };
    assert_eq!(s.source.files, [files]);
    assert_eq!(s.place, Place::Folder(dir.path().join("objects/")));
    assert_eq!(s.address("a"), dir.path().join("objects/a").to_str().unwrap());
    assert_eq!(s.endpoint, Endpoint::Embedded(Some(dir.path().join("b"))));
    assert_eq!(s.out, dir.path().join("../out"));
    assert_eq!(s.split.file, Some(dir.path().join("s.csv")));
    // Elsewhere they are relative to the working folder.
    layers.add_flag(&keys::OUT.about, "out");
    assert_eq!(Settings::validate(&layers).unwrap().out, Path::new("out"));
}

#[cfg(unix)]
#[test]
fn a_path_need_not_be_text() {
    use std::os::unix::ffi::OsStringExt;
    let name = std::ffi::OsString::from_vec(b"d\xff".to_vec());
    let mut layers = Layers::default();
    layers.add_source(name.clone());
    assert_eq!(data::source(&layers).unwrap().path, Some(name.clone().into()));
    layers.add_flag(&NAME.about, name);
    let error = layers.find(&NAME).unwrap_err().to_string();
    assert!(error.ends_with("must be a template"), "{error}");
}

#[test]
fn a_misspelt_variable_is_an_error() {
    let variable = ("IDX2GCS_UPLOAD_CONCURENCY".into(), "3".into());
    let error = Layers::default().add_environment([variable].into_iter()).unwrap_err().to_string();
    assert!(error.starts_with("environment variable IDX2GCS_UPLOAD_CONCURENCY: there is no such"));
    assert!(error.contains("IDX2GCS_UPLOAD_CONCURRENCY"), "{error}");
}

#[test]
fn an_archive_has_a_folder_for_each_class_by_default() {
    let template = |text| Template::parse(text, "").unwrap();
    let zip = "[destination]\nurl = \"p.zip\"\n";
    assert_eq!(settings(zip).unwrap().default_name, "{class}/image_{index}.{ext}");
    let named = settings(&format!("{zip}name = \"image_{{index}}.{{ext}}\"")).unwrap();
    assert_eq!(named.name, Some(template("image_{index}.{ext}")));
    assert_eq!((named.address("a"), named.metadata), ("a".to_owned(), false));
}

#[test]
fn destinations_are_told_apart() {
    let place = |url: &str| {
        let mut layers = Layers::default();
        layers.add_flag(&URL.about, url);
        layers.find(&URL).map(|location| location.unwrap().place)
    };
    let bucket =
        |prefix: &str| Place::Bucket { bucket: "demo".to_owned(), prefix: prefix.to_owned() };
    assert_eq!(place("gs://demo").unwrap(), bucket(""));
    assert_eq!(place("gs://demo/").unwrap(), bucket(""));
    assert_eq!(place("gs://demo/a/b/").unwrap(), bucket("a/b"));
    assert_eq!(place("some/dir/").unwrap(), Place::Folder("some/dir/".into()));
    assert_eq!(place("file:///some/a%20dir").unwrap(), Place::Folder("/some/a dir".into()));
    assert_eq!(place("pictures.zip").unwrap(), Place::Zip("pictures.zip".into()));
    assert_eq!(place("file:///some/P.ZIP").unwrap(), Place::Zip("/some/P.ZIP".into()));
    assert_eq!(place("pictures.zip/").unwrap(), Place::Folder("pictures.zip/".into()));
    assert_eq!(place("gs://demo/a.zip").unwrap(), bucket("a.zip"));
    for url in ["file://dir", "gs://", "", "http://host/dir"] {
        assert!(place(url).is_err(), "{url}");
    }
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
        let mut layers = Layers::default();
        layers.add_flag(&PATH.about, "d");
        layers.add_flag(&URL.about, "gs://demo/fm");
        layers.add_flag(KEYS[key], text);
        if let Err(e) = Settings::validate(&layers) {
            prop_assert!(!e.to_string().contains('\n'), "{e}");
        }
    }
}

/// The text of `config/default.toml`.
fn default_file() -> String {
    let mut text = String::from(
        "# Every setting with its default. Precedence: flags, then environment variables\n\
         # (IDX2GCS_<SECTION>_<KEY>), then the file given with --config, then these defaults. A\n\
         # relative path is relative to the folder of its file. Keys without a default are commented\n\
         # out.\n",
    );
    let mut section = "";
    for key in KEYS {
        if key.section() != section {
            section = key.section();
            text.push_str(&format!("\n[{section}]\n"));
        }
        text.push_str(&format!("# {}.", key.help));
        if let Kind::Words(words) = key.kind {
            text.push_str(&format!(" One of: {}.", words.join(", ")));
        }
        if let Some(flag) = key.flag {
            text.push_str(&format!(" Flag: --{flag}."));
        }
        let default = key.default.map(|text| match key.kind {
            Kind::Switch | Kind::Number(..) => text.to_owned(),
            Kind::Words(_) | Kind::Text(_) => format!("{text:?}"),
            Kind::List(_) => format!("{:?}", text.split(',').collect::<Vec<_>>()),
        });
        match default {
            Some(default) => text.push_str(&format!("\n{} = {default}\n", key.name())),
            None => text.push_str(&format!("\n# {} = {}\n", key.name(), key.placeholder)),
        }
    }
    text
}

/// To write the file anew: `IDX2GCS_BLESS=1 cargo test default_file`.
#[test]
fn the_default_file_says_what_the_code_does() {
    let path = concat!(env!("CARGO_MANIFEST_DIR"), "/config/default.toml");
    if std::env::var_os("IDX2GCS_BLESS").is_some() {
        std::fs::write(path, default_file()).unwrap();
    }
    let text = std::fs::read_to_string(path).unwrap();
    assert_eq!(text, default_file(), "config/default.toml differs from the keys");
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

#[test]
fn every_manifest_format_is_named_in_messages_and_help() {
    let all = ManifestFormat::VARIANTS.join(", ");
    assert!(FORMATS.starts_with(&all), "{FORMATS}");
    assert!(keys::MANIFESTS.about.help.ends_with(&all), "{}", keys::MANIFESTS.about.help);
}
