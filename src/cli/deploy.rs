//! `idx2gcs deploy`: the files of `deploy/`, filled in from the settings.

use std::process::ExitCode;

use clap::builder::PossibleValuesParser;
use clap::{Arg, ArgMatches, Command, value_parser};

use super::error::Error;
use super::{say, settings};
use crate::config::keys::{SHARD, SHARD_COUNT};
use crate::config::{ConfigError, Settings};
use crate::exit::Exit;
use crate::sink::{Endpoint, Place};

/// A scheduler with its template.
///
/// A template is a whole file of its own, for 8 slices: lines that contain `IDX2GCS_` stand together
/// and are replaced by the settings.
struct Scheduler {
    name: &'static str,
    template: &'static str,
    /// The texts that hold the numbers of slices, and what replaces them for a number of slices and how many
    /// run at the same time.
    numbers: fn(u32, u32) -> Vec<(&'static str, String)>,
    /// A line that sets a variable, without what separates it from the next.
    variable: fn(&str, &str) -> String,
    /// What separates such lines.
    separator: &'static str,
    /// Whether tasks run in containers, which share no folder with this machine.
    containers: bool,
    /// Whether a task can always know the number of slices from the scheduler.
    counts: bool,
}

const SCHEDULERS: [Scheduler; 4] = [
    Scheduler {
        name: "slurm",
        template: include_str!("../../deploy/slurm.sh"),
        numbers: |slices, parallel| {
            let at_once = if parallel < slices { format!("%{parallel}") } else { String::new() };
            vec![(":-0-7}", format!(":-0-{}{at_once}}}", slices - 1))]
        },
        variable: |name, value| format!("export {name}='{}'", value.replace('\'', r"'\''")),
        separator: "",
        containers: false,
        counts: false,
    },
    Scheduler {
        name: "kubernetes",
        template: include_str!("../../deploy/kubernetes-job.yaml"),
        numbers: |slices, parallel| {
            vec![
                ("completions: 8", format!("completions: {slices}")),
                ("parallelism: 8", format!("parallelism: {parallel}")),
            ]
        },
        variable: yaml,
        separator: "",
        containers: true,
        counts: false,
    },
    Scheduler {
        name: "cloud-run",
        template: include_str!("../../deploy/cloud-run-job.yaml"),
        numbers: |slices, parallel| {
            vec![
                ("taskCount: 8", format!("taskCount: {slices}")),
                ("parallelism: 8", format!("parallelism: {parallel}")),
            ]
        },
        variable: yaml,
        separator: "",
        containers: true,
        counts: true,
    },
    Scheduler {
        name: "batch",
        template: include_str!("../../deploy/batch-job.json"),
        numbers: |slices, parallel| {
            vec![
                (r#""taskCount": "8""#, format!(r#""taskCount": "{slices}""#)),
                (r#""parallelism": "8""#, format!(r#""parallelism": "{parallel}""#)),
            ]
        },
        variable: |name, value| format!(r#""{name}": {}"#, json(value)),
        separator: ",",
        containers: true,
        counts: true,
    },
];

/// Where the templates mount the bucket that holds the source. Batch's machines permit no folder elsewhere.
const MOUNT: &str = "/mnt/disks/source";

/// What the lines contain that mount it.
const MOUNTS: [&str; 3] = ["SOURCE_BUCKET", "gke-gcsfuse/", "volumeMounts:"];

/// A text as JSON has it, and YAML in double quotes.
fn json(text: &str) -> String {
    serde_json::Value::from(text).to_string()
}

fn yaml(name: &str, value: &str) -> String {
    format!("- {{ name: {name}, value: {} }}", json(value))
}

pub(super) fn command() -> Command {
    let command = Command::new("deploy")
        .about("Prints a job file that loads in slices, for a scheduler; sends nothing")
        .after_help(
            "Takes the settings of `load`, which the file sets as environment variables. Names of project, \
             region, image and service account are left to fill in. In containers a source below \
             /mnt/disks/source is mounted from a bucket; a named data set needs none.",
        );
    let names = SCHEDULERS.map(|scheduler| scheduler.name);
    settings::add_flags(command)
        .arg(
            Arg::new("scheduler")
                .value_name("SCHEDULER")
                .required(true)
                .value_parser(PossibleValuesParser::new(names))
                .help("Who runs the tasks"),
        )
        .arg(
            Arg::new("shards")
                .long("shards")
                .value_name("N")
                .required(true)
                // The most tasks that Cloud Run and Batch give a job.
                .value_parser(value_parser!(u32).range(1..=10_000))
                .help("The number of slices, 1 to 10000"),
        )
}

pub(super) fn run(args: &ArgMatches) -> Result<ExitCode, Error> {
    let name = args.get_one::<String>("scheduler").map(String::as_str);
    let scheduler = SCHEDULERS.iter().find(|scheduler| Some(scheduler.name) == name);
    let (Some(scheduler), Some(&slices)) = (scheduler, args.get_one::<u32>("shards")) else {
        return Ok(Exit::Usage.into());
    };
    let mut layers = settings::layers(args)?;
    if layers.get(SHARD.about.path).is_some() {
        let problem = "each task finds out which slice it has: leave out --shard (shard.of)";
        return Err(ConfigError::Unfit(problem.to_owned()).into());
    }
    layers.add_flag(&SHARD.about, "auto");
    let settings = Settings::validate(&layers)?;
    if let Some(problem) = unfit(scheduler, &settings) {
        return Err(ConfigError::Unfit(problem).into());
    }
    let count = SHARD_COUNT.about.variable();
    let mut variables = layers.variables()?;
    variables.retain(|(name, _)| *name != count);
    if !scheduler.counts {
        variables.push((count, slices.to_string()));
    }
    let parallel = settings.shard.and_then(|slicing| slicing.parallel).unwrap_or(slices);
    let mounted = settings.source.path.is_some_and(|path| path.starts_with(MOUNT));
    say(fill(scheduler, slices, parallel.min(slices), &variables, mounted))?;
    Ok(Exit::Complete.into())
}

/// What keeps tasks from working with these settings.
fn unfit(scheduler: &Scheduler, settings: &Settings) -> Option<String> {
    if matches!(settings.endpoint, Endpoint::Embedded(_)) {
        return Some("an emulator in one task is none for the others: give an address".to_owned());
    }
    if !scheduler.containers {
        return None;
    }
    let name = scheduler.name;
    if !matches!(settings.place, Place::Bucket { .. }) {
        let url = &settings.url;
        return Some(format!("{url}: tasks of {name} keep no folder: give gs://bucket/prefix"));
    }
    let files = [settings.source.path.as_ref(), settings.split.file.as_ref()];
    let local = files.into_iter().flatten().find(|path| !path.has_root())?;
    Some(format!(
        "{}: tasks of {name} do not have this machine's folders: give a path below {MOUNT}, where the \
         file mounts a bucket, or one that the image has",
        local.display()
    ))
}

/// The template with these numbers and variables, and with the source's bucket mounted or not.
fn fill(
    scheduler: &Scheduler,
    slices: u32,
    parallel: u32,
    variables: &[(String, String)],
    mounted: bool,
) -> String {
    let mut text = scheduler.template.trim_end().to_owned();
    for (number, replaced) in (scheduler.numbers)(slices, parallel) {
        text = text.replace(number, &replaced);
    }
    let mut lines = Vec::new();
    let mut waiting = Some(variables);
    for line in text.lines() {
        if line.contains("IDX2GCS_") {
            let indent = line.len() - line.trim_start().len();
            let variables = waiting.take().unwrap_or_default();
            lines.extend(variables.iter().enumerate().map(|(position, (name, value))| {
                let last = position + 1 == variables.len();
                let separator = if last { "" } else { scheduler.separator };
                format!("{:indent$}{}{separator}", "", (scheduler.variable)(name, value))
            }));
        } else if mounted || !MOUNTS.iter().any(|mount| line.contains(mount)) {
            lines.push(line.to_owned());
        }
    }
    lines.join("\n")
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The files themselves are what the command prints for 8 slices and their own settings.
    #[test]
    fn templates_are_filled_in_with_what_they_hold() {
        for scheduler in &SCHEDULERS {
            let own = |name: &str, value: &str| (format!("IDX2GCS_{name}"), value.to_owned());
            let mut variables = vec![
                own("SOURCE_PATH", if scheduler.containers { MOUNT } else { "SHARED/FOLDER" }),
                own("DESTINATION_URL", "gs://BUCKET/PREFIX"),
                own("SHARD_OF", "auto"),
                own("SHARD_COUNT", "8"),
            ];
            if scheduler.counts {
                variables.pop();
            }
            let text = fill(scheduler, 8, 8, &variables, true);
            assert_eq!(text, scheduler.template.trim_end(), "{}", scheduler.name);
            for (number, _) in (scheduler.numbers)(9, 9) {
                assert_eq!(scheduler.template.matches(number).count(), 1, "{number}");
            }
        }
    }

    #[test]
    fn values_are_quoted() {
        let variables = [("IDX2GCS_A".to_owned(), "it's \"$x\"\n".to_owned())];
        let lines = SCHEDULERS.map(|scheduler| {
            let text = fill(&scheduler, 3, 2, &variables, false);
            let from = text.find("IDX2GCS_A").unwrap();
            text.get(from..).unwrap().lines().next().unwrap().to_owned()
        });
        assert_eq!(
            lines[0], r#"IDX2GCS_A='it'\''s "$x""#,
            "a shell's text goes on in the next line"
        );
        assert_eq!(lines[1], r#"IDX2GCS_A, value: "it's \"$x\"\n" }"#);
        assert_eq!(lines[3], r#"IDX2GCS_A": "it's \"$x\"\n""#);
    }
}
