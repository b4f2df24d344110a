//! The accept loop, and the faults that need the connection itself.

use std::io;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use http::Request;
use hyper::body::Incoming;
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper_util::rt::TokioIo;
use thiserror::Error;
use tokio::net::{TcpListener, TcpSocket, TcpStream};
use tokio::sync::oneshot;
use tokio::task::JoinSet;

use crate::call::App;
use crate::counters::bump;
use crate::gate::CloseConnection;
use crate::{origin, routes};

/// How long to wait after an accept that failed, as it does while the process has no file
/// descriptor left.
const ACCEPT_PAUSE: Duration = Duration::from_millis(20);

/// Makes hyper close a connection without an answer.
#[derive(Debug, Error)]
#[error("the connection was closed on purpose")]
struct Closed;

/// Connections that may wait to be accepted: a client that opens a thousand at once finds room. One
/// that does not waits a second before it asks again.
const BACKLOG: u32 = 4096;

/// Listens on an address.
pub(crate) fn listen(addr: SocketAddr) -> io::Result<TcpListener> {
    let socket = if addr.is_ipv4() { TcpSocket::new_v4() } else { TcpSocket::new_v6() }?;
    // As Tokio's own `bind` does; elsewhere it means that two may listen on one port.
    #[cfg(unix)]
    socket.set_reuseaddr(true)?;
    socket.bind(addr)?;
    socket.listen(BACKLOG)
}

/// Accepts connections until the other end of `stop` is dropped, and closes all of them then.
pub(crate) async fn serve(listener: TcpListener, app: Arc<App>, mut stop: oneshot::Receiver<()>) {
    let mut connections = JoinSet::new();
    loop {
        let accepted = tokio::select! {
            _ = &mut stop => break,
            Some(_ended) = connections.join_next() => continue,
            accepted = listener.accept() => accepted,
        };
        match accepted {
            Ok((stream, _)) => {
                bump(&app.stats.connections);
                connections.spawn(connection(stream, Arc::clone(&app)));
            }
            Err(error) => {
                tracing::debug!(%error, "accept failed");
                tokio::time::sleep(ACCEPT_PAUSE).await;
            }
        }
    }
    connections.shutdown().await;
}

async fn connection(stream: TcpStream, app: Arc<App>) {
    // Small answers must not wait for the acknowledgement of those before.
    if let Err(error) = stream.set_nodelay(true) {
        tracing::trace!(%error, "TCP_NODELAY");
    }
    let answer = service_fn(async |request: Request<Incoming>| {
        bump(&app.stats.requests);
        let response = match origin::check(&request, app.any_host) {
            Err(refused) => refused.into_json(),
            Ok(()) => routes::answer(&app, request).await,
        };
        if response.extensions().get::<CloseConnection>().is_some() {
            return Err(Closed);
        }
        Ok(response)
    });
    // An error here is a client that left, or a fault done on purpose.
    let http = http1::Builder::new();
    if let Err(error) = http.serve_connection(TokioIo::new(stream), answer).await {
        tracing::trace!(%error, "connection ended");
    }
}
