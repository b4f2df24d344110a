//! What images are sent through.

use http::Uri;

use super::super::{Fault, Precondition};
use super::connection::{Connections, path};
use super::request::Requests;

/// The way of uploads, chosen once.
pub(super) enum Uploads {
    /// HTTP/1.1 over connections of our own.
    Direct(Box<Direct>),
    /// Through a proxy: the client of all other requests.
    Client,
}

/// Connections, and where to send most requests.
pub(super) struct Direct {
    pub(super) connections: Connections,
    absent: Uri,
}

impl Uploads {
    /// Over own connections, or through the client where that goes through a proxy.
    ///
    /// # Errors
    /// When TLS cannot be set up.
    pub(super) fn new(requests: &Requests) -> Result<Self, Fault> {
        let connections = Connections::direct(requests.endpoint(), requests.content_type())?;
        let absent = path(&requests.insert_url(Precondition::Absent));
        Ok(match connections.zip(absent) {
            Some((connections, absent)) => Self::Direct(Box::new(Direct { connections, absent })),
            None => Self::Client,
        })
    }
}

impl Direct {
    /// Where to send an insert; `None` if that is no address, which [`Uploads::new`] found out.
    pub(super) fn path(&self, requests: &Requests, condition: Precondition) -> Option<Uri> {
        match condition {
            Precondition::Absent => Some(self.absent.clone()),
            Precondition::Generation(_) => path(&requests.insert_url(condition)),
        }
    }
}
