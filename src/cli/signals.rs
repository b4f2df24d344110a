//! SIGINT and SIGTERM: the first ends the run in order, the second at once.

use std::sync::Arc;
use std::sync::atomic::{AtomicU8, Ordering};

use tokio_util::sync::CancellationToken;

use crate::error::Exit;
use crate::report::Reporter;

/// Which signal came, if one did.
#[derive(Debug, Clone, Default)]
pub(super) struct Signalled(Arc<AtomicU8>);

impl Signalled {
    /// The exit code that the signal asks for.
    pub(super) fn exit(&self) -> Option<Exit> {
        match self.0.load(Ordering::Relaxed) {
            2 => Some(Exit::Interrupted),
            15 => Some(Exit::Terminated),
            _ => None,
        }
    }
}

/// Cancels `stop` at the first signal, leaves the process at the second.
pub(super) fn watch(stop: &CancellationToken, reporter: &Arc<dyn Reporter>) -> Signalled {
    let signalled = Signalled::default();
    let (seen, stop, reporter) = (signalled.clone(), stop.clone(), Arc::clone(reporter));
    tokio::spawn(async move {
        while let Some(number) = next().await {
            if seen.0.swap(number, Ordering::Relaxed) != 0 {
                // The user wants out; what is stored is stored, a rerun finishes the rest.
                #[allow(clippy::exit)]
                std::process::exit(128 + i32::from(number));
            }
            reporter.note("stopping: finishing what is in flight; once more to leave at once");
            stop.cancel();
        }
    });
    signalled
}

#[cfg(unix)]
pub(super) async fn next() -> Option<u8> {
    use tokio::signal::unix::{SignalKind, signal};
    let mut interrupt = signal(SignalKind::interrupt()).ok()?;
    let mut terminate = signal(SignalKind::terminate()).ok()?;
    tokio::select! {
        got = interrupt.recv() => got.map(|()| 2),
        got = terminate.recv() => got.map(|()| 15),
    }
}

#[cfg(not(unix))]
pub(super) async fn next() -> Option<u8> {
    tokio::signal::ctrl_c().await.ok().map(|()| 2)
}
