//! SIGINT and SIGTERM: the first ends the run in order, the second at once.

use std::sync::Arc;
use std::sync::atomic::{AtomicU8, Ordering};

use parking_lot::Mutex;
use tokio_util::sync::CancellationToken;

use crate::exit::Exit;

/// The signals of a run, watched from before it begins.
#[derive(Clone, Default)]
pub(super) struct Signals {
    /// Cancelled by the first signal.
    pub(super) stop: CancellationToken,
    number: Arc<AtomicU8>,
    hooks: Arc<Mutex<Option<Arc<Hooks>>>>,
}

/// What the run wants to be done at a signal.
pub(super) struct Hooks {
    /// At the first: tells the person.
    pub(super) stopping: Box<dyn Fn() + Send + Sync>,
    /// At the second, just before the process leaves with that code.
    pub(super) leaving: Box<dyn Fn(Exit) + Send + Sync>,
}

impl Signals {
    /// Begins to watch, on a thread of its own: whatever the run's threads wait for, a second signal
    /// ends the process.
    pub(super) fn watch() -> Self {
        let signals = Self::default();
        let watched = signals.clone();
        std::thread::spawn(move || {
            let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
            let Ok(runtime) = runtime else { return };
            runtime.block_on(async {
                let mut source = Source::listen();
                while let Some(exit) = source.next().await {
                    watched.caught(exit);
                }
            });
        });
        signals
    }

    /// Says what is to be done; in place of what an earlier call asked for.
    pub(super) fn set_hooks(&self, hooks: Hooks) {
        *self.hooks.lock() = Some(Arc::new(hooks));
    }

    /// The exit code that the last signal asks for.
    pub(super) fn exit(&self) -> Option<Exit> {
        [Exit::Interrupted, Exit::Terminated]
            .into_iter()
            .find(|exit| *exit as u8 == self.number.load(Ordering::Relaxed))
    }

    fn caught(&self, exit: Exit) {
        let first = self.number.swap(exit as u8, Ordering::Relaxed) == 0;
        self.stop.cancel();
        if first {
            // Standard error may block, and must not keep the next signal waiting.
            let hooks = self.hooks.lock().clone();
            std::thread::spawn(move || hooks.map(|hooks| (hooks.stopping)()));
            return;
        }
        let hooks = self.hooks.lock().clone();
        if let Some(hooks) = hooks {
            (hooks.leaving)(exit);
        }
        // The user wants out; what is stored is stored, a rerun finishes the rest.
        #[allow(clippy::exit)]
        std::process::exit(i32::from(exit as u8));
    }
}

/// The system's signals that end a program. From [`Source::listen`] on none is missed.
#[cfg(unix)]
pub(super) struct Source {
    interrupt: Option<tokio::signal::unix::Signal>,
    terminate: Option<tokio::signal::unix::Signal>,
}

#[cfg(unix)]
impl Source {
    pub(super) fn listen() -> Self {
        use tokio::signal::unix::{SignalKind, signal};
        Self {
            interrupt: signal(SignalKind::interrupt()).ok(),
            terminate: signal(SignalKind::terminate()).ok(),
        }
    }

    /// The exit code of the next signal; `None` where the system has no signals to give.
    pub(super) async fn next(&mut self) -> Option<Exit> {
        tokio::select! {
            Some(()) = self.interrupt.as_mut()?.recv() => Some(Exit::Interrupted),
            Some(()) = self.terminate.as_mut()?.recv() => Some(Exit::Terminated),
            else => None,
        }
    }
}

/// The system's signals that end a program.
#[cfg(not(unix))]
pub(super) struct Source;

#[cfg(not(unix))]
impl Source {
    pub(super) fn listen() -> Self {
        Self
    }

    /// The exit code of the next signal, as Unix has it.
    pub(super) async fn next(&mut self) -> Option<Exit> {
        tokio::signal::ctrl_c().await.ok().map(|()| Exit::Interrupted)
    }
}
