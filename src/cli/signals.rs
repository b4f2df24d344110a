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
    let mut signals = Signals::listen();
    tokio::spawn(async move {
        while let Some(number) = signals.next().await {
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

/// The signals that end a program. From [`Signals::listen`] on none is missed.
#[cfg(unix)]
pub(super) struct Signals {
    interrupt: Option<tokio::signal::unix::Signal>,
    terminate: Option<tokio::signal::unix::Signal>,
}

#[cfg(unix)]
impl Signals {
    pub(super) fn listen() -> Self {
        use tokio::signal::unix::{SignalKind, signal};
        Self {
            interrupt: signal(SignalKind::interrupt()).ok(),
            terminate: signal(SignalKind::terminate()).ok(),
        }
    }

    /// The number of the next signal; `None` where the system has no signals to give.
    pub(super) async fn next(&mut self) -> Option<u8> {
        tokio::select! {
            Some(()) = self.interrupt.as_mut()?.recv() => Some(2),
            Some(()) = self.terminate.as_mut()?.recv() => Some(15),
            else => None,
        }
    }
}

/// The signals that end a program.
#[cfg(not(unix))]
pub(super) struct Signals;

#[cfg(not(unix))]
impl Signals {
    pub(super) fn listen() -> Self {
        Self
    }

    /// The number of the next signal, as Unix counts them.
    pub(super) async fn next(&mut self) -> Option<u8> {
        tokio::signal::ctrl_c().await.ok().map(|()| 2)
    }
}
