//! `idx2gcs inspect`.

use std::collections::BTreeMap;
use std::io::{self, IsTerminal};
use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::sync::Arc;

use clap::{Arg, ArgAction, ArgMatches, Command};
use serde::Serialize;

use super::error::Error;
use super::report::{Picture, Style, draw};
use super::{colour_is_welcome, say, say_json};
use crate::exit::Exit;
use crate::model::Size;
use crate::source::{
    Array, Dtype, Files, Found, Source, SourceError, array_names, array_of, folder_files,
    label_counts, open_images,
};
use crate::text::{shown, thousands};

pub(super) fn command() -> Command {
    Command::new("inspect")
        .about("Says what a data set, its folder or a file of arrays holds")
        .arg(
            Arg::new("path")
                .value_name("PATH|NAME")
                .required(true)
                .action(ArgAction::Append)
                .value_parser(clap::value_parser!(PathBuf))
                .help("Named data sets, files of arrays (IDX, packed or not, .npy, .npz or one FILE.npz#ARRAY), Parquet files, or folders"),
        )
        .arg(
            Arg::new("images")
                .long("images")
                .value_name("N")
                .default_value("3")
                .value_parser(clap::value_parser!(u16))
                .help("Draw the first N images of each file with characters; 0: none"),
        )
        .arg(Arg::new("json").long("json").action(ArgAction::SetTrue).help("For programs"))
}

/// Arrays of one archive that are inspected: for each the archive's directory is read again.
const MOST_ARRAYS: usize = 1000;

/// What a file holds.
#[derive(Serialize)]
struct Finding {
    path: PathBuf,
    r#type: String,
    shape: Vec<u32>,
    records: u32,
    /// Records by label; absent for anything but labels.
    #[serde(skip_serializing_if = "Option::is_none")]
    labels: Option<BTreeMap<u32, u32>>,
    #[serde(skip)]
    drawn: Drawn,
}

/// Where the pictures to draw are.
#[derive(Default)]
enum Drawn {
    /// In the file itself, if it is an array of images, without labels.
    #[default]
    Array,
    /// In the file itself, and their labels in another.
    Labelled(PathBuf),
    /// Behind so many others in a source.
    Source(Arc<dyn Source>, u32),
}

pub(super) fn run(args: &ArgMatches) -> Result<ExitCode, Error> {
    let mut findings = Vec::new();
    let paths = args.get_many::<PathBuf>("path").into_iter().flatten();
    let paths = paths.map(|path| Ok((path.clone(), super::fetch::named(path)?)));
    for (path, named) in paths.collect::<Result<Vec<_>, Error>>()? {
        let path = match named {
            Some(Found::Files(files)) => {
                findings.extend(arrays(files)?);
                continue;
            }
            Some(Found::Path(path)) => path,
            None => path,
        };
        let path = path.as_path();
        if let Some(source) = open_images(path)? {
            findings.extend(parts(&source));
        } else if path.is_dir() {
            findings.extend(arrays(folder_files(path)?)?);
        } else if let Some(arrays) = array_names(path)? {
            if arrays.len() > MOST_ARRAYS {
                let count = thousands(arrays.len() as u64);
                let problem = format!("holds {count} arrays; name one of them as FILE#ARRAY");
                return Err(SourceError::unfit(path, problem).into());
            }
            for array in arrays {
                findings.push(inspect(&array_of(path, &array))?);
            }
        } else {
            findings.push(inspect(path)?);
        }
    }
    let most = args.get_one::<u16>("images").copied().unwrap_or_default();
    if args.get_flag("json") {
        say_json(&findings)?;
        return Ok(Exit::Complete.into());
    }
    for finding in &findings {
        let shape: Vec<_> = finding.shape.iter().map(u32::to_string).collect();
        say(format_args!(
            "{}: {} {} records ({})",
            shown(&finding.path.display().to_string()),
            thousands(finding.records.into()),
            finding.r#type,
            shape.join(" × ")
        ))?;
        for (label, count) in finding.labels.iter().flatten() {
            say(format_args!("  label {label:>3}: {}", thousands((*count).into())))?;
        }
        if let Some(pictures) = pictures(finding, most)? {
            say(format_args!("\n{pictures}"))?;
        }
    }
    Ok(Exit::Complete.into())
}

/// What each file of images and of labels holds.
fn arrays(files: Vec<Files>) -> Result<Vec<Finding>, SourceError> {
    let mut findings = Vec::new();
    for Files { images, labels, .. } in files {
        findings.push(Finding { drawn: labelled(labels.as_deref()), ..inspect(&images)? });
        findings.extend(labels.map(|labels| inspect(&labels)).transpose()?);
    }
    Ok(findings)
}

fn inspect(path: &Path) -> Result<Finding, SourceError> {
    let file = Array::open(path)?;
    file.prove(&|| false)?;
    let header = &file.header;
    let labels = label_counts(&file)?;
    Ok(Finding {
        path: path.to_owned(),
        r#type: header.dtype.to_string(),
        shape: header.shape.0.clone(),
        records: header.records(),
        labels,
        drawn: Drawn::Array,
    })
}

fn labelled(labels: Option<&Path>) -> Drawn {
    labels.map_or(Drawn::Array, |path| Drawn::Labelled(path.to_owned()))
}

/// What each part of a data set holds.
fn parts(source: &Arc<dyn Source>) -> Vec<Finding> {
    let mut first = 0;
    let parts = source.parts().into_iter().map(|part| {
        let indices = first..first + part.images;
        first = indices.end;
        let mut formats = Vec::new();
        let mut labels = BTreeMap::new();
        for index in indices.clone() {
            let format = source.format(index).map_or("u8".to_owned(), |format| format.to_string());
            if !formats.contains(&format) {
                formats.push(format);
            }
            if let Some(label) = source.labels().get(index) {
                *labels.entry(label).or_default() += 1;
            }
        }
        let size = source.size().map(|size| [size.rows, size.cols, size.channels.into()]);
        let shape = [part.images].into_iter().chain(size.into_iter().flatten());
        Finding {
            path: part.path,
            r#type: formats.join(", "),
            shape: shape.collect(),
            records: part.images,
            labels: (!labels.is_empty()).then_some(labels),
            drawn: Drawn::Source(Arc::clone(source), indices.start),
        }
    });
    parts.collect()
}

/// A picture that can be drawn.
struct Shown {
    size: Size,
    pixels: Vec<u8>,
    label: Option<u32>,
}

/// The first images of a file as lines of characters, each with its index and, where known, its
/// label; `None` for a file that holds no images of bytes.
fn pictures(finding: &Finding, most: u16) -> Result<Option<String>, SourceError> {
    let (first, shown) = match &finding.drawn {
        _ if most == 0 => return Ok(None),
        Drawn::Source(source, from) => (*from, images_of(&**source, *from, finding.records, most)?),
        Drawn::Array => (0, images_in(finding, None, most)?),
        Drawn::Labelled(labels) => (0, images_in(finding, Some(labels), most)?),
    };
    let captions: Vec<_> = (first..)
        .zip(&shown)
        .map(|(index, image)| match image.label {
            Some(label) => format!("{index}: label {label}"),
            None => index.to_string(),
        })
        .collect();
    let pictures: Vec<_> = shown
        .iter()
        .zip(&captions)
        .map(|(image, caption)| Picture {
            rows: image.size.rows as usize,
            cols: image.size.cols as usize,
            channels: image.size.channels.into(),
            pixels: &image.pixels,
            caption,
        })
        .collect();
    Ok((!pictures.is_empty()).then(|| draw(&pictures, style(), columns())))
}

/// The first images of a part of a source.
fn images_of(
    source: &dyn Source,
    from: u32,
    count: u32,
    most: u16,
) -> Result<Vec<Shown>, SourceError> {
    let images = source.images().skip(from as usize).take(count.min(most.into()) as usize);
    let shown = (from..).zip(images).map(|(index, image)| {
        let image = image?;
        let decoded = image.pixels().map(|(size, pixels)| (size, pixels.into_owned()));
        // One that cannot be decoded is not drawn.
        let label = source.labels().get(index);
        Ok(decoded.ok().map(|(size, pixels)| Shown { size, pixels, label }))
    });
    Ok(shown.collect::<Result<Vec<_>, SourceError>>()?.into_iter().flatten().collect())
}

/// The first images of an array.
fn images_in(
    finding: &Finding,
    labels: Option<&Path>,
    most: u16,
) -> Result<Vec<Shown>, SourceError> {
    let (rows, cols, channels) = match *finding.shape.as_slice() {
        [_, rows, cols] => (rows, cols, 1),
        // Rows × columns × channels, as NumPy has them.
        [_, rows, cols, channels @ (1 | 3 | 4)] => (rows, cols, channels),
        _ => return Ok(Vec::new()),
    };
    let file = Array::open(&finding.path)?;
    if file.header.dtype != Dtype::U8 || rows == 0 || cols == 0 {
        return Ok(Vec::new());
    }
    let size = Size { rows, cols, channels: u8::try_from(channels).unwrap_or(1) };
    let labels = match labels {
        Some(path) => first(&Array::open(path)?, most)?,
        None => Vec::new(),
    };
    let mut labels = labels.into_iter();
    let shown = first(&file, most)?.into_iter().map(|pixels| {
        let label = labels.next().and_then(|label| match label.as_slice() {
            [label] => Some((*label).into()),
            _ => None,
        });
        Shown { size, pixels, label }
    });
    Ok(shown.collect())
}

fn first(file: &Array, most: u16) -> Result<Vec<Vec<u8>>, SourceError> {
    let mut records = file.records()?;
    let mut first = Vec::new();
    while first.len() < usize::from(most)
        && let Some(record) = records
            .next_record()
            .map_err(|problem| SourceError::File { path: file.path.clone(), problem })?
    {
        first.push(record);
    }
    Ok(first)
}

/// What stdout can show.
fn style() -> Style {
    let says = |name, what: &[&str]| {
        std::env::var(name).is_ok_and(|value| what.iter().any(|what| value.contains(what)))
    };
    if !io::stdout().is_terminal() || !colour_is_welcome() || says("TERM", &["dumb"]) {
        Style::Ascii
    } else if says("COLORTERM", &["truecolor", "24bit"]) {
        Style::TrueColour
    } else {
        Style::Colours256
    }
}

/// The terminal's width; 80 where it tells none.
fn columns() -> usize {
    terminal_size::terminal_size().map_or(80, |(width, _)| usize::from(width.0))
}
