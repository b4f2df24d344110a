//! Why it is not known which slice a task has.

/// Why it is not known which slice a task has.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum ShardError {
    /// Not one of the forms.
    #[error("{0:?} is no slice: i/n (from 0), auto or auto/n")]
    Unknown(String),
    /// Of nothing.
    #[error("the number of slices must be at least 1")]
    NoSlices,
    /// An index behind the last.
    #[error("there is no slice {index} of {count}: slices are numbered from 0 to {}", count - 1)]
    Beyond {
        /// The one asked for.
        index: u32,
        /// How many there are.
        count: u32,
    },
    /// `auto` outside of any engine that is known.
    #[error("auto finds no engine's variables ({0}): give the slice as --shard i/n")]
    NoEngine(String),
    /// Variables of several engines.
    #[error("auto finds the variables of {0}: give the slice as --shard i/n")]
    Several(String),
    /// A variable whose value is no number.
    #[error("{name}={value:?} is no number")]
    NoNumber {
        /// The variable.
        name: &'static str,
        /// Its value.
        value: String,
    },
    /// The engine says the index alone.
    #[error("{engine} does not say how many tasks there are: give their number as --shard auto/n")]
    CountNeeded {
        /// The engine.
        engine: &'static str,
    },
    /// A part of an array of Slurm.
    #[error(
        "this is a part of a Slurm array, from which the whole cannot be known \
         (count {count}, from {min} to {max} by {step}): give the number of tasks of the whole array as \
         --shard auto/n; the task's id is the slice"
    )]
    PartOfArray {
        /// Tasks of the part.
        count: u32,
        /// The lowest id.
        min: u32,
        /// The highest.
        max: u32,
        /// From one to the next.
        step: u32,
    },
    /// Two different numbers of tasks.
    #[error("{engine} says that there are {found} tasks, and --shard says {given}")]
    Contradiction {
        /// The engine.
        engine: &'static str,
        /// Its number.
        found: u32,
        /// The number given.
        given: u32,
    },
}
