//! One way to send a request to a service and to read its response. What goes wrong becomes a
//! [`Fault`] here; nothing above looks at the error types of a client.
//!
//! A request and the connection that carries it are one task, so that nothing is handed from one to
//! another and woken there ([`connection`]); how a connection is made, directly or through a proxy, is
//! in [`route`].

mod connection;
mod fault;
mod pieces;
mod pool;
mod route;

use std::time::Duration;

use bytes::{Bytes, BytesMut};
use http::{HeaderMap, HeaderValue, Request, Response, header};
use hyper::body::Incoming;

use self::connection::Connection;
use self::pieces::Pieces;
use self::pool::Pool;
use self::route::Route;
use super::{Fault, FaultKind};
use crate::http::USER_AGENT;

/// No response is longer: a page of 1,000 objects with names of 1,024 bytes takes 1.2 MB.
const LONGEST_RESPONSE: usize = 4 << 20;

/// The explanation of a refusal is waited for no longer than this.
const EXPLANATION_TIMEOUT: Duration = Duration::from_secs(2);

/// A service, and the connections to it that nobody uses now.
pub(super) struct Transport {
    route: Route,
    /// The headers of every request.
    headers: HeaderMap,
    idle: Pool,
}

impl Transport {
    /// To an endpoint, through the system's proxy if there is one for it.
    ///
    /// # Errors
    /// An endpoint that is not understood, or TLS that cannot be set up.
    pub(super) fn new(endpoint: &str) -> Result<Self, Fault> {
        let route = Route::to(endpoint)?;
        let mut headers = HeaderMap::new();
        headers.insert(header::USER_AGENT, HeaderValue::from_static(USER_AGENT));
        headers.insert(header::HOST, route.host().clone());
        headers.extend(route.proxy_authorization().map(|it| (header::PROXY_AUTHORIZATION, it)));
        Ok(Self { route, headers, idle: Pool::default() })
    }

    /// Sends a request, whose address is a path with its query, and reads the response to its end. It
    /// goes over a connection that is there, or over a new one. Dropping the future closes that.
    ///
    /// # Errors
    /// No connection, or no whole response. A status that is no success is none, and its body, which
    /// only explains it, may be missing.
    pub(super) async fn send(&self, mut request: Request<Bytes>) -> Result<Response<Bytes>, Fault> {
        for (name, value) in &self.headers {
            request.headers_mut().insert(name, value.clone());
        }
        self.route.address(&mut request);
        let mut request = request.map(Pieces::new);
        loop {
            let (reused, mut connection) = match self.idle.take() {
                Some(connection) => (true, connection),
                // Rare, and larger than all the rest of the future.
                None => (false, Box::pin(self.route.connect()).await?),
            };
            match connection.exchange(request).await {
                Ok(response) => return self.read(response, connection).await,
                Err(mut failed) => match failed.take_message() {
                    // It closed before the request went out: that was no attempt.
                    Some(unsent) if reused => request = unsent,
                    _ => return Err(fault::unanswered(failed.error(), reused)),
                },
            }
        }
    }

    async fn read(
        &self,
        response: Response<Incoming>,
        mut connection: Connection,
    ) -> Result<Response<Bytes>, Fault> {
        let (head, mut incoming) = response.into_parts();
        let reading = read_body(&mut incoming, &mut connection);
        let body = if head.status.is_success() {
            reading.await?
        } else {
            // The status alone decides; a body that does not come takes the connection with it.
            match tokio::time::timeout(EXPLANATION_TIMEOUT, reading).await {
                Ok(Ok(body)) => body,
                Ok(Err(_)) | Err(_) => return Ok(Response::from_parts(head, Bytes::new())),
            }
        };
        self.idle.give_back(connection);
        Ok(Response::from_parts(head, body))
    }
}

/// Reads a body to its end.
async fn read_body(incoming: &mut Incoming, connection: &mut Connection) -> Result<Bytes, Fault> {
    // One piece, nearly always.
    let mut first = Bytes::new();
    let mut whole = BytesMut::new();
    while let Some(frame) = connection.frame(incoming).await {
        let Ok(piece) = frame.map_err(|e| fault::cut_off(&e))?.into_data() else { continue };
        if first.len() + whole.len() + piece.len() > LONGEST_RESPONSE {
            let size = LONGEST_RESPONSE >> 20;
            return Err(Fault::new(
                FaultKind::Unparsable,
                format!("the response is longer than {size} MiB"),
            ));
        }
        if first.is_empty() && whole.is_empty() {
            first = piece;
        } else {
            whole.extend_from_slice(&std::mem::take(&mut first));
            whole.extend_from_slice(&piece);
        }
    }
    Ok(if whole.is_empty() { first } else { whole.freeze() })
}

#[cfg(test)]
mod tests;
