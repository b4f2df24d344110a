//! What images are sent through.

use std::sync::atomic::{AtomicUsize, Ordering};

use http::Uri;

use super::super::{Fault, Precondition};
use super::connection::{Connections, path};
use super::request::Requests;

/// The way of uploads, chosen once.
pub(super) enum Uploads {
    /// HTTP/1.1 over connections of our own.
    Direct(Box<Direct>),
    /// Clients in turn: one for HTTP/1.1 through a proxy, several for HTTP/2, which keep a
    /// connection each.
    Clients {
        /// There is at least one.
        clients: Vec<reqwest::Client>,
        /// Whose turn it is, counting on.
        next: AtomicUsize,
    },
}

/// Connections, and where to send most requests.
pub(super) struct Direct {
    pub(super) connections: Connections,
    absent: Uri,
}

impl Uploads {
    /// HTTP/1.1: over own connections, or through `client` where that goes through a proxy.
    ///
    /// # Errors
    /// When TLS cannot be set up.
    pub(super) fn http1(requests: &Requests, client: &reqwest::Client) -> Result<Self, Fault> {
        let connections = Connections::direct(requests.endpoint(), requests.content_type())?;
        let absent = path(&requests.insert_url(Precondition::Absent));
        Ok(match connections.zip(absent) {
            Some((connections, absent)) => Self::Direct(Box::new(Direct { connections, absent })),
            None => Self::through(vec![client.clone()]),
        })
    }

    pub(super) fn through(clients: Vec<reqwest::Client>) -> Self {
        Self::Clients { clients, next: AtomicUsize::new(0) }
    }
}

impl Direct {
    /// Where to send an insert; `None` if that is no address, which [`Uploads::http1`] found out.
    pub(super) fn path(&self, requests: &Requests, condition: Precondition) -> Option<Uri> {
        match condition {
            Precondition::Absent => Some(self.absent.clone()),
            Precondition::Generation(_) => path(&requests.insert_url(condition)),
        }
    }
}

/// The client whose turn it is.
pub(super) fn in_turn<'a>(
    clients: &'a [reqwest::Client],
    next: &AtomicUsize,
) -> &'a reqwest::Client {
    &clients[next.fetch_add(1, Ordering::Relaxed) % clients.len()]
}
