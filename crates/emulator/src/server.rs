//! The accept loop, and the faults that need the connection itself.

use std::io;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use axum::Router;
use axum::body::Body;
use axum::http::{Request, Response};
use axum::response::IntoResponse;
use hyper::body::Incoming;
use hyper::server::conn::http1;
use hyper::service::{Service, service_fn};
use hyper_util::rt::TokioIo;
use hyper_util::service::TowerToHyperService;
use thiserror::Error;
use tokio::net::{TcpListener, TcpSocket, TcpStream};
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

use crate::call::App;
use crate::counters::bump;
use crate::gate::CloseConnection;
use crate::origin;

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

/// Accepts connections until `stop` is cancelled. Every connection is a task of `tasks` and ends
/// with `stop`, too.
pub(crate) async fn serve(
    listener: TcpListener,
    router: Router,
    app: Arc<App>,
    stop: CancellationToken,
    tasks: TaskTracker,
) {
    loop {
        let accepted = tokio::select! {
            () = stop.cancelled() => return,
            accepted = listener.accept() => accepted,
        };
        match accepted {
            Ok((stream, _)) => {
                bump(&app.stats.connections);
                let connection = connection(stream, router.clone(), Arc::clone(&app));
                let stop = stop.clone();
                tasks.spawn(async move {
                    tokio::select! {
                        () = stop.cancelled() => {}
                        () = connection => {}
                    }
                });
            }
            Err(error) => {
                tracing::debug!(%error, "accept failed");
                tokio::time::sleep(ACCEPT_PAUSE).await;
            }
        }
    }
}

async fn connection(stream: TcpStream, router: Router, app: Arc<App>) {
    // Small answers must not wait for the acknowledgement of those before.
    if let Err(error) = stream.set_nodelay(true) {
        tracing::trace!(%error, "TCP_NODELAY");
    }
    let service = TowerToHyperService::new(router);
    let answer = service_fn(|request: Request<Incoming>| {
        bump(&app.stats.requests);
        let allowed = origin::check(&request, app.any_host);
        let response = allowed.map(|()| service.call(request.map(Body::new)));
        async {
            let response: Response<Body> = match response {
                Err(refused) => refused.into_response(),
                Ok(response) => match response.await {
                    Ok(response) => response,
                    Err(never) => match never {},
                },
            };
            if response.extensions().get::<CloseConnection>().is_some() {
                return Err(Closed);
            }
            Ok(response)
        }
    });
    // An error here is a client that left, or a fault done on purpose.
    let http = http1::Builder::new();
    if let Err(error) = http.serve_connection(TokioIo::new(stream), answer).await {
        tracing::trace!(%error, "connection ended");
    }
}
