//! What `--prune` would delete is shown, and deleted only with consent.

use std::io::{self, IsTerminal, Write};

use super::error::Error;
use super::invocation::Invocation;
use super::signals::Signals;
use crate::config::ConfigError;
use crate::load::{self, Leftovers, Prepared};
use crate::pipeline::Observer;
use crate::report::JsonLog;

/// The list of what is deleted, in the output folder.
const PRUNED: &str = "prune.jsonl";

/// A line of it.
#[derive(serde::Serialize)]
struct Line<'a> {
    object: &'a str,
}

/// Refuses to prune where nobody can be asked and `yes` was not given.
pub(super) fn check(invocation: &Invocation, yes: bool) -> Result<(), Error> {
    let asked = io::stdin().is_terminal() && io::stderr().is_terminal();
    if !invocation.settings.prune || yes || asked {
        return Ok(());
    }
    let problem = "--prune asks before it deletes, and there is no terminal to ask on: add --yes to \
                   delete without a question";
    Err(ConfigError::Unfit(problem.to_owned()).into())
}

/// Shows what would be deleted, and asks unless `yes` was given.
pub(super) async fn consent(
    invocation: &Invocation,
    prepared: &Prepared,
    observer: &dyn Observer,
    yes: bool,
    signals: &Signals,
) -> Result<(), Error> {
    let path = invocation.settings.out.join(PRUNED);
    let unwritten = |e: io::Error| Error::output(&path, e);
    let leftovers = &prepared.leftovers;
    let log = JsonLog::new(path.clone()).map_err(unwritten)?;
    leftovers.names().for_each(|object| log.add(&Line { object }));
    log.finish().map_err(unwritten)?;
    if leftovers.count() == 0 {
        return Ok(());
    }
    observer.note(&format!(
        "prune: {leftovers}; all are listed in {} and deleted once this load is complete",
        path.display()
    ));
    if yes || ask(leftovers, signals).await? {
        return Ok(());
    }
    let (url, leftovers) = (invocation.settings.url.clone(), leftovers.clone());
    Err(load::Error::Leftovers { url, leftovers, as_a_whole: false }.into())
}

async fn ask(leftovers: &Leftovers, signals: &Signals) -> Result<bool, Error> {
    let mut err = io::stderr().lock();
    // Whether the question can be seen shows in the answer.
    let _ = write!(err, "delete {} objects when this load is complete? [y/N] ", leftovers.count());
    let _ = err.flush();
    drop(err);
    let reading = tokio::task::spawn_blocking(|| {
        let mut answer = String::new();
        io::stdin().read_line(&mut answer).map(|_| answer)
    });
    let answer = tokio::select! {
        answer = reading => answer.map_err(Error::internal)?,
        () = signals.stop.cancelled() => {
            return Err(load::Error::StoppedBefore("the work began").into());
        }
    };
    let answer = answer.unwrap_or_default();
    Ok(["y", "yes"].contains(&answer.trim().to_ascii_lowercase().as_str()))
}
