//! How objects are sent: how many, how fast, how often, and with how much memory.

use std::num::NonZeroU32;
use std::time::Duration;

use crate::pace::{Bounds, Concurrency, Ramp};
use crate::pipeline::{DRAIN, OnError};
use crate::retry::Limits;
use crate::retry::backoff::Backoff;
use crate::sink::IfExists;

/// The options of a transfer. The default is the program's.
#[derive(Debug, Clone, PartialEq)]
pub struct Transfer {
    /// What is done with objects that exist.
    pub if_exists: IfExists,
    /// Whether what an earlier load left under names of the same template is deleted once the load is
    /// complete: see [`super::Prepared::leftovers`].
    pub prune: bool,
    /// What follows an image whose attempts are used up.
    pub on_error: OnError,
    /// Requests in flight and writes a second.
    pub pace: Bounds,
    /// Bounds of trying again.
    pub retry: Limits,
    /// Bytes that decoded images and bodies in flight may take together.
    pub memory: u64,
    /// Decoded images that may wait for an uploader.
    pub queue: u32,
    /// Time that requests in flight get to finish after a stop.
    pub drain: Duration,
}

impl Default for Transfer {
    fn default() -> Self {
        Self {
            if_exists: IfExists::Skip,
            prune: false,
            on_error: OnError::Continue,
            pace: Bounds {
                concurrency: Concurrency { auto: true, limit: 1024 },
                max_rate: 0,
                ramp: Ramp::None,
                parallel: NonZeroU32::MIN,
            },
            retry: Limits {
                max_attempts: 10,
                max_elapsed: Duration::from_mins(5),
                attempt_timeout: Duration::from_secs(30),
                backoff: Backoff { initial: Duration::from_secs(1), max: Duration::from_secs(32) },
                max_outage: Duration::from_secs(45),
            },
            memory: 64_000_000,
            queue: 256,
            drain: DRAIN,
        }
    }
}
