//! Which slice a task has, by the variables that its engine gives it.

use super::{Shard, ShardError, ShardSpec, number};

/// An engine that numbers its tasks in variables.
struct Engine {
    name: &'static str,
    /// Says which task this is, from 0.
    index: &'static str,
    /// Says how many there are, where the engine does.
    count: Option<&'static str>,
}

/// Engines by their own documentation: [Cloud Run][run], [Batch][batch], [Slurm][slurm],
/// [Kubernetes][k8s], [AWS Batch][aws].
///
/// [run]: https://cloud.google.com/run/docs/container-contract#jobs-env-vars
/// [batch]: https://cloud.google.com/batch/docs/create-run-job-environment-variables
/// [slurm]: https://slurm.schedmd.com/job_array.html
/// [k8s]: https://kubernetes.io/docs/concepts/workloads/controllers/job/#completion-mode
/// [aws]: https://docs.aws.amazon.com/batch/latest/userguide/job_env_vars.html
const ENGINES: [Engine; 5] = [
    Engine {
        name: "Cloud Run",
        index: "CLOUD_RUN_TASK_INDEX",
        count: Some("CLOUD_RUN_TASK_COUNT"),
    },
    Engine { name: "Batch", index: "BATCH_TASK_INDEX", count: Some("BATCH_TASK_COUNT") },
    Engine { name: SLURM, index: "SLURM_ARRAY_TASK_ID", count: Some("SLURM_ARRAY_TASK_COUNT") },
    Engine { name: "Kubernetes", index: "JOB_COMPLETION_INDEX", count: None },
    Engine {
        name: "AWS Batch",
        index: "AWS_BATCH_JOB_ARRAY_INDEX",
        count: Some("AWS_BATCH_JOB_ARRAY_SIZE"),
    },
];

const SLURM: &str = "Slurm";

impl ShardSpec {
    /// The slice of this task. `auto` takes it from the variables of the one engine that it runs under;
    /// `variable` returns the value of a variable. `count` is the number of slices where it is given
    /// beside the slice.
    ///
    /// # Errors
    /// No engine or several, an index without a number of tasks, an index behind the last, two numbers of
    /// tasks that contradict each other, or a part of a Slurm array, from which the number of tasks of the
    /// whole cannot be known.
    pub fn resolve(
        self,
        count: Option<u32>,
        variable: impl Fn(&str) -> Option<String>,
    ) -> Result<Shard, ShardError> {
        let said = match self {
            ShardSpec::Exactly(shard) => return Ok(shard),
            ShardSpec::Auto(said) => said.map(u32::from).or(count),
        };
        let variable = |name: &str| variable(name).filter(|value| !value.is_empty());
        let found: Vec<_> =
            ENGINES.iter().filter(|engine| variable(engine.index).is_some()).collect();
        let engine = match found[..] {
            [engine] => engine,
            [] => return Err(ShardError::NoEngine(ENGINES.map(|engine| engine.index).join(", "))),
            _ => {
                let names: Vec<_> = found.iter().map(|engine| engine.name).collect();
                return Err(ShardError::Several(names.join(" and ")));
            }
        };
        let read = |name: &'static str| {
            let Some(value) = variable(name) else { return Ok(None) };
            number(value.trim()).map(Some).ok_or(ShardError::NoNumber { name, value })
        };
        let needed = || ShardError::CountNeeded { engine: engine.name };
        let index = read(engine.index)?.ok_or_else(needed)?;
        let found = engine.count.map_or(Ok(None), read)?;
        let count = match (said, found) {
            // A part of an array has ids of the whole one, and a number of its own.
            (Some(said), _) if engine.name == SLURM => said,
            (Some(given), Some(found)) if given != found => {
                return Err(ShardError::Contradiction { engine: engine.name, found, given });
            }
            (Some(count), _) => count,
            (None, Some(count)) => {
                if engine.name == SLURM {
                    let read = |name| read(name)?.ok_or_else(needed);
                    whole_array(
                        count,
                        read("SLURM_ARRAY_TASK_MIN")?,
                        read("SLURM_ARRAY_TASK_MAX")?,
                        read("SLURM_ARRAY_TASK_STEP")?,
                    )?;
                }
                count
            }
            (None, None) => return Err(needed()),
        };
        Shard::new(index, count)
    }
}

/// Slurm describes what was submitted: `--array=2`, a failed task submitted again, is one task of one.
fn whole_array(count: u32, min: u32, max: u32, step: u32) -> Result<(), ShardError> {
    let whole = min == 0 && step == 1 && u64::from(max) + 1 == u64::from(count);
    if whole { Ok(()) } else { Err(ShardError::PartOfArray { count, min, max, step }) }
}

#[cfg(test)]
mod tests {
    use super::*;

    type Variables<'a> = &'a [(&'a str, &'a str)];

    fn shard(of: &str, variables: Variables<'_>) -> Result<Shard, ShardError> {
        let of: ShardSpec = of.parse().unwrap();
        of.resolve(None, |name| {
            let found = variables.iter().find(|(known, _)| *known == name);
            found.map(|(_, value)| (*value).to_owned())
        })
    }

    fn slurm(of: &str, [id, count, min, max, step]: [&str; 5]) -> Result<Shard, ShardError> {
        shard(
            of,
            &[
                ("SLURM_ARRAY_TASK_ID", id),
                ("SLURM_ARRAY_TASK_COUNT", count),
                ("SLURM_ARRAY_TASK_MIN", min),
                ("SLURM_ARRAY_TASK_MAX", max),
                ("SLURM_ARRAY_TASK_STEP", step),
            ],
        )
    }

    fn of(index: u32, count: u32) -> Result<Shard, ShardError> {
        Shard::new(index, count)
    }

    #[test]
    fn engines_say_which_slice_a_task_has() {
        let run = [("CLOUD_RUN_TASK_INDEX", "3"), ("CLOUD_RUN_TASK_COUNT", "8")];
        assert_eq!(shard("auto", &run), of(3, 8));
        assert_eq!(shard("auto/8", &run), of(3, 8));
        let batch = [("BATCH_TASK_INDEX", "0"), ("BATCH_TASK_COUNT", "1")];
        assert_eq!(shard("auto", &batch), of(0, 1));
        let k8s = [("JOB_COMPLETION_INDEX", "7")];
        assert_eq!(shard("auto/8", &k8s), of(7, 8));
        assert_eq!(shard("auto", &k8s), Err(ShardError::CountNeeded { engine: "Kubernetes" }));
        let aws = [("AWS_BATCH_JOB_ARRAY_INDEX", "2"), ("AWS_BATCH_JOB_ARRAY_SIZE", "5")];
        assert_eq!(shard("auto", &aws), of(2, 5));
        assert_eq!(shard("auto/5", &aws[..1]), of(2, 5));
    }

    #[test]
    fn a_slice_that_is_given_needs_no_engine() {
        assert_eq!(shard("3/8", &[]), of(3, 8));
        assert_eq!(shard("3/8", &[("JOB_COMPLETION_INDEX", "1")]), of(3, 8));
    }

    #[test]
    fn a_whole_array_of_slurm_is_enough() {
        assert_eq!(slurm("auto", ["5", "8", "0", "7", "1"]), of(5, 8), "--array=0-7");
        assert_eq!(slurm("auto/8", ["5", "8", "0", "7", "1"]), of(5, 8));
    }

    #[test]
    fn parts_of_an_array_of_slurm_need_the_number_and_keep_their_ids() {
        // --array=2, --array=1,2,7, --array=0-6:2, --array=5-8%2: as Slurm 22.05 describes them
        for part in [
            ["2", "1", "2", "2", "1"],
            ["7", "3", "1", "7", "1"],
            ["4", "4", "0", "6", "2"],
            ["6", "4", "5", "8", "1"],
        ] {
            assert!(matches!(slurm("auto", part), Err(ShardError::PartOfArray { .. })), "{part:?}");
            let id = part[0].parse().unwrap();
            assert_eq!(slurm("auto/9", part), of(id, 9), "{part:?}");
        }
    }

    #[test]
    fn the_number_may_be_given_beside_the_slice() {
        let k8s = |name: &str| (name == "JOB_COMPLETION_INDEX").then(|| "1".to_owned());
        assert_eq!(ShardSpec::Auto(None).resolve(Some(4), k8s), of(1, 4));
        assert_eq!(
            "auto/3".parse::<ShardSpec>().unwrap().resolve(Some(4), k8s),
            of(1, 3),
            "the nearer one"
        );
    }

    #[test]
    fn what_is_not_certain_is_refused() {
        let two =
            [("SLURM_ARRAY_TASK_ID", "0"), ("BATCH_TASK_INDEX", "0"), ("BATCH_TASK_COUNT", "1")];
        assert_eq!(shard("auto", &two), Err(ShardError::Several("Batch and Slurm".to_owned())));
        assert!(matches!(shard("auto", &[]), Err(ShardError::NoEngine(_))), "never all of it");
        assert!(matches!(shard("auto/8", &[]), Err(ShardError::NoEngine(_))));
        assert!(matches!(
            shard("auto/8", &[("JOB_COMPLETION_INDEX", "")]),
            Err(ShardError::NoEngine(_))
        ));
        let run = |index, count| [("CLOUD_RUN_TASK_INDEX", index), ("CLOUD_RUN_TASK_COUNT", count)];
        assert_eq!(shard("auto", &run("8", "8")), Err(ShardError::Beyond { index: 8, count: 8 }));
        assert_eq!(shard("auto", &run("0", "0")), Err(ShardError::NoSlices));
        assert_eq!(
            shard("auto/4", &run("0", "8")),
            Err(ShardError::Contradiction { engine: "Cloud Run", found: 8, given: 4 })
        );
        for junk in ["x", "-1", "1.0", "99999999999"] {
            let refused = shard("auto", &run(junk, "8"));
            assert!(matches!(refused, Err(ShardError::NoNumber { .. })), "{junk}");
        }
        assert_eq!(
            slurm("auto", ["0", "8", "", "", ""]),
            Err(ShardError::CountNeeded { engine: "Slurm" })
        );
    }
}
