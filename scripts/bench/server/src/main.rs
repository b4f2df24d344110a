//! The storage that all contenders of the benchmark load into.
//!
//! `idx2gcs emulate` speaks the JSON API alone, and `object_store` the XML API; so that both load into
//! the same thing, this speaks as much of each as uploads of small objects need. It does as little as
//! it can: it checks checksums and preconditions, and keeps names, sizes and checksums, no content.
//!
//! Usage: `bench-server [LATENCY_MS]`. Its first line of output is as that of `idx2gcs emulate`, and
//! so is `GET /_emulator/counters`.

mod api;
mod store;

use std::convert::Infallible;
use std::net::{Ipv4Addr, SocketAddr};
use std::sync::Arc;
use std::time::Duration;

use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper_util::rt::TokioIo;
use tokio::net::TcpSocket;

#[tokio::main]
async fn main() -> Result<(), Box<dyn std::error::Error>> {
    let latency = match std::env::args().nth(1) {
        Some(text) => Duration::from_millis(text.parse()?),
        None => Duration::ZERO,
    };
    let socket = TcpSocket::new_v4()?;
    socket.bind(SocketAddr::from((Ipv4Addr::LOCALHOST, 0)))?;
    // All of a client's connections may come at once.
    let listener = socket.listen(4096)?;
    println!("serving http://{}; latency {latency:?}", listener.local_addr()?);

    let server = Arc::new(api::Server::new(latency));
    loop {
        let (stream, _) = listener.accept().await?;
        stream.set_nodelay(true)?;
        let server = server.clone();
        tokio::spawn(async move {
            let service = service_fn(|request| {
                let server = server.clone();
                async move { Ok::<_, Infallible>(server.answer(request).await) }
            });
            // A client that goes away is no error.
            let _ = http1::Builder::new().serve_connection(TokioIo::new(stream), service).await;
        });
    }
}
