//! The accept loop, and the faults that need the connection itself.

use std::sync::Arc;
use std::time::Duration;

use axum::Router;
use axum::body::Body;
use axum::http::{Request, Response};
use hyper::body::Incoming;
use hyper::server::conn::http1;
use hyper::service::{Service, service_fn};
use hyper_util::rt::TokioIo;
use hyper_util::service::TowerToHyperService;
use thiserror::Error;
use tokio::net::{TcpListener, TcpStream};
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

use super::counters::bump;
use super::gate::CloseConnection;
use super::routes::{App, count_request};

/// How long to wait after an accept that failed, as it does while the process
/// has no file descriptor left.
const ACCEPT_PAUSE: Duration = Duration::from_millis(20);

/// Makes hyper close a connection without an answer.
#[derive(Debug, Error)]
#[error("the connection was closed on purpose")]
struct Closed;

/// Accepts connections until `stop` is cancelled. Every connection is a task
/// of `tasks` and ends with `stop`, too.
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
                let (router, app, stop) = (router.clone(), Arc::clone(&app), stop.clone());
                tasks.spawn(async move {
                    tokio::select! {
                        () = stop.cancelled() => {}
                        () = connection(stream, router, app) => {}
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
        count_request(&app);
        let response = service.call(request.map(Body::new));
        async {
            let response: Response<Body> = match response.await {
                Ok(response) => response,
                Err(never) => match never {},
            };
            if response.extensions().get::<CloseConnection>().is_some() {
                return Err(Closed);
            }
            Ok(response)
        }
    });
    // An error here is a client that left, or a fault done on purpose.
    if let Err(error) = http1::Builder::new()
        .serve_connection(TokioIo::new(stream), answer)
        .await
    {
        tracing::trace!(%error, "connection ended");
    }
}
