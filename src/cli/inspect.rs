//! `idx2gcs inspect`.

use std::collections::BTreeMap;
use std::io::{self, IsTerminal};
use std::path::{Path, PathBuf};
use std::process::ExitCode;

use clap::{Arg, ArgAction, ArgMatches, Command};
use serde::Serialize;

use super::error::Error;
use super::{colour_is_welcome, say};
use crate::exit::Exit;
use crate::report::picture::{Picture, Style, draw};
use crate::source::{Array, Dtype, Files, SourceError, array_names, folder_files, label_counts};
use crate::text::thousands;

pub(super) fn command() -> Command {
    Command::new("inspect")
        .about("Says what a file of arrays or a data set folder holds")
        .arg(
            Arg::new("path")
                .value_name("PATH")
                .required(true)
                .action(ArgAction::Append)
                .value_parser(clap::value_parser!(PathBuf))
                .help("Files of arrays (IDX, packed or not, .npy, .npz or one FILE.npz#ARRAY), or folders with the four usual files"),
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
    /// The file with the labels of these images, where it is known.
    #[serde(skip)]
    labels_path: Option<PathBuf>,
}

pub(super) fn run(args: &ArgMatches) -> Result<ExitCode, Error> {
    let mut findings = Vec::new();
    for path in args.get_many::<PathBuf>("path").into_iter().flatten() {
        if path.is_dir() {
            for Files { images, labels, .. } in folder_files(path)? {
                findings.push(Finding { labels_path: labels.clone(), ..inspect(&images)? });
                findings.extend(labels.map(|labels| inspect(&labels)).transpose()?);
            }
        } else if let Some(arrays) = array_names(path)? {
            for array in arrays {
                findings.push(inspect(Path::new(&format!("{}#{array}", path.display())))?);
            }
        } else {
            findings.push(inspect(path)?);
        }
    }
    let shown = args.get_one::<u16>("images").copied().unwrap_or_default();
    if args.get_flag("json") {
        let text = serde_json::to_string_pretty(&findings);
        say(text.map_err(Error::internal)?)?;
        return Ok(Exit::Complete.into());
    }
    for finding in &findings {
        let shape: Vec<_> = finding.shape.iter().map(u32::to_string).collect();
        say(format_args!(
            "{}: {} {} records ({})",
            finding.path.display(),
            thousands(finding.records.into()),
            finding.r#type,
            shape.join(" × ")
        ))?;
        for (label, count) in finding.labels.iter().flatten() {
            say(format_args!("  label {label:>3}: {}", thousands((*count).into())))?;
        }
        if let Some(pictures) = pictures(finding, shown)? {
            say(format_args!("\n{pictures}"))?;
        }
    }
    Ok(Exit::Complete.into())
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
        labels_path: None,
    })
}

/// The first images of a file as lines of characters, each with its index and, where known, its
/// label; `None` for a file that holds no images of u8.
fn pictures(finding: &Finding, most: u16) -> Result<Option<String>, SourceError> {
    let (rows, cols, channels) = match *finding.shape.as_slice() {
        [_, rows, cols] => (rows, cols, 1),
        // Rows × columns × channels, as NumPy has them.
        [_, rows, cols, channels @ (1 | 3 | 4)] => (rows, cols, channels),
        _ => return Ok(None),
    };
    let file = Array::open(&finding.path)?;
    if most == 0 || file.header.dtype != Dtype::U8 || rows == 0 || cols == 0 {
        return Ok(None);
    }
    let images = first(&file, most)?;
    let labels = match &finding.labels_path {
        Some(path) => first(&Array::open(path)?, most)?,
        None => Vec::new(),
    };
    let captions: Vec<_> = (0..images.len())
        .map(|index| match labels.get(index).map(Vec::as_slice) {
            Some([label]) => format!("{index}: label {label}"),
            _ => index.to_string(),
        })
        .collect();
    let pictures: Vec<_> = images
        .iter()
        .zip(&captions)
        .map(|(pixels, caption)| Picture {
            rows: rows as usize,
            cols: cols as usize,
            channels: channels as usize,
            pixels,
            caption,
        })
        .collect();
    Ok(Some(draw(&pictures, style(), columns())))
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
