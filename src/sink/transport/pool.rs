//! Connections that nobody uses now.

use std::time::Duration;

use parking_lot::Mutex;
use tokio::time::Instant;

use super::connection::Connection;

/// A connection that was idle longer than this is closed: what lies between may have forgotten it
/// without a word, which would cost an attempt.
const LONGEST_IDLE: Duration = Duration::from_mins(1);

/// Idle connections and since when they are. The one last used is used next, so the others may close one
/// after the other.
#[derive(Default)]
pub(super) struct Pool(Mutex<Vec<(Connection, Instant)>>);

impl Pool {
    /// A connection that is open, as far as the system has told.
    pub(super) fn take(&self) -> Option<Connection> {
        loop {
            let (mut connection, since) = self.0.lock().pop()?;
            if since.elapsed() > LONGEST_IDLE {
                // Those that are left are older.
                self.0.lock().retain(|(_, since)| since.elapsed() <= LONGEST_IDLE);
            } else if connection.is_ready() {
                return Some(connection);
            }
        }
    }

    /// Keeps a connection for another request, if it stays open.
    pub(super) fn give_back(&self, mut connection: Connection) {
        if connection.is_ready() {
            self.0.lock().push((connection, Instant::now()));
        }
    }
}
