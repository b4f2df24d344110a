//! Connections for uploads, without a client's machinery between them and the requests: a request and
//! the connection that carries it are one task, so that nothing is handed from one to another and
//! woken there.

use std::pin::{Pin, pin};
use std::sync::{Mutex, PoisonError};
use std::task::{Context, Poll, Waker, ready};
use std::time::Duration;

use bytes::Bytes;
use http::{HeaderMap, HeaderValue, Request, Response, Uri, header};
use http_body::{Body, Frame};
use http_body_util::Full;
use hyper::body::Incoming;
use hyper::client::conn::TrySendError;
use hyper::client::conn::http1;
use hyper::service::Service;
use hyper_util::client::legacy::connect::HttpConnector;
use hyper_util::client::proxy::matcher::Matcher;
use hyper_util::rt::TokioIo;
use hyper_util::service::TowerToHyperService;
use reqwest::Url;
use rustls::ClientConfig;
use rustls::pki_types::ServerName;
use rustls_platform_verifier::BuilderVerifierExt;
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::time::Instant;
use tokio_rustls::TlsConnector;

use super::super::{Fault, FaultKind};
use super::answer;
use crate::http::{CONNECT_TIMEOUT, USER_AGENT, is_loopback, use_ring};

/// Bytes that a connection may hold of an answer that nobody has taken yet. Answers to uploads have
/// some 150, and there may be thousands of connections.
const READ_BUFFER: usize = 8 * 1024;

/// The system asks a silent peer after this time and as often again, and gives it up after so many
/// questions without an answer. By default it would take 11 minutes.
const KEEPALIVE: Duration = Duration::from_secs(15);
const KEEPALIVE_RETRIES: u32 = 3;

/// A connection that was idle for so long is not used again: a firewall between may have forgotten it.
const LONGEST_IDLE: Duration = Duration::from_mins(1);

/// A service that is reached directly, and the connections to it that nobody uses now.
pub(super) struct Connections {
    /// Scheme, host and port.
    address: Uri,
    /// The headers of every request.
    headers: HeaderMap,
    tcp: TowerToHyperService<HttpConnector>,
    tls: Option<(TlsConnector, ServerName<'static>)>,
    /// The one last used is used next: the others may close one after the other.
    idle: Mutex<Vec<Connection>>,
}

trait Stream: AsyncRead + AsyncWrite + Send + Unpin {}

impl<T: AsyncRead + AsyncWrite + Send + Unpin> Stream for T {}

type Io = TokioIo<Box<dyn Stream>>;

/// Both ends of one connection. Bytes move only when the driver is polled.
struct Connection {
    sender: http1::SendRequest<Full<Bytes>>,
    /// When it was last used.
    since: Instant,
    /// Large, and handed on with every request. `None` once it ended: dropping it is what fails a request
    /// that it took and can no longer send.
    driver: Option<Box<http1::Connection<Io, Full<Bytes>>>>,
}

/// The body of an answer, which goes on to drive its connection; read to the end, it gives it back.
pub(super) struct Content<'a> {
    incoming: Incoming,
    /// Gone once there is no more to come.
    connection: Option<Connection>,
    pool: &'a Connections,
}

/// Whoever drives a connection polls both its ends, and needs to be woken by the system alone.
fn quiet() -> Context<'static> {
    Context::from_waker(Waker::noop())
}

impl Connections {
    /// To an endpoint; `None` if that is reached through a proxy, or cannot be understood here.
    /// `content_type` is that of every request.
    ///
    /// # Errors
    /// When TLS cannot be set up.
    pub(super) fn direct(endpoint: &str, content_type: &str) -> Result<Option<Self>, Fault> {
        let Some((url, address)) = understood(endpoint) else { return Ok(None) };
        // As the client does it for all other requests.
        if !is_loopback(endpoint) && Matcher::from_system().intercept(&address).is_some() {
            return Ok(None);
        }
        let host = url.host_str().unwrap_or_default();
        let authority = url.port().map_or(host.to_owned(), |port| format!("{host}:{port}"));
        let mut headers = HeaderMap::new();
        headers.insert(header::USER_AGENT, HeaderValue::from_static(USER_AGENT));
        for (name, value) in
            [(header::HOST, authority.as_str()), (header::CONTENT_TYPE, content_type)]
        {
            let Ok(value) = HeaderValue::from_str(value) else { return Ok(None) };
            headers.insert(name, value);
        }
        let tls = if url.scheme() == "https" { Some(tls(host)?) } else { None };
        let mut tcp = HttpConnector::new();
        tcp.enforce_http(false);
        tcp.set_nodelay(true);
        tcp.set_keepalive(Some(KEEPALIVE));
        tcp.set_keepalive_interval(Some(KEEPALIVE));
        tcp.set_keepalive_retries(Some(KEEPALIVE_RETRIES));
        let tcp = TowerToHyperService::new(tcp);
        Ok(Some(Self { address, headers, tcp, tls, idle: Mutex::default() }))
    }

    /// A `POST` of a body to a path, with these headers beside those of every request.
    pub(super) fn post(&self, path: Uri, body: Bytes, more: HeaderMap) -> Request<Full<Bytes>> {
        let mut request = Request::new(Full::new(body));
        *request.method_mut() = http::Method::POST;
        *request.uri_mut() = path;
        *request.headers_mut() = self.headers.clone();
        request.headers_mut().extend(more);
        request
    }

    /// Sends a request over a connection that is there, or over a new one. Dropping the future or the
    /// answer's body closes it.
    pub(super) async fn send(
        &self,
        mut request: Request<Full<Bytes>>,
    ) -> Result<Response<Content<'_>>, Fault> {
        loop {
            let (kept, mut connection) = match self.take() {
                Some(connection) => (true, connection),
                // Rare, and larger than all the rest of the future.
                None => (false, Box::pin(self.connect()).await?),
            };
            match connection.exchange(request).await {
                Ok(answer) => {
                    return Ok(answer.map(|incoming| Content {
                        incoming,
                        connection: Some(connection),
                        pool: self,
                    }));
                }
                Err(mut failed) => match failed.take_message() {
                    // It closed before the request went out: that was no attempt.
                    Some(unsent) if kept => request = unsent,
                    _ => return Err(answer::unanswered(failed.error(), kept)),
                },
            }
        }
    }

    /// A connection that is open, as far as the system has told.
    fn take(&self) -> Option<Connection> {
        loop {
            let mut connection = self.idle().pop()?;
            if connection.since.elapsed() < LONGEST_IDLE && connection.is_ready() {
                return Some(connection);
            }
        }
    }

    fn idle(&self) -> std::sync::MutexGuard<'_, Vec<Connection>> {
        self.idle.lock().unwrap_or_else(PoisonError::into_inner)
    }

    async fn connect(&self) -> Result<Connection, Fault> {
        tokio::time::timeout(CONNECT_TIMEOUT, self.open()).await.unwrap_or_else(|_| {
            let within = humantime::format_duration(CONNECT_TIMEOUT);
            Err(Fault::new(FaultKind::Timeout, format!("no connection within {within}")))
        })
    }

    async fn open(&self) -> Result<Connection, Fault> {
        let tcp = self.tcp.call(self.address.clone()).await;
        let tcp = tcp.map_err(|e| answer::unconnected(&e))?.into_inner();
        let stream: Box<dyn Stream> = match &self.tls {
            None => Box::new(tcp),
            Some((tls, name)) => {
                let agreed = tls.connect(name.clone(), tcp).await;
                Box::new(agreed.map_err(|e| answer::unconnected(&e))?)
            }
        };
        let mut http = http1::Builder::new();
        // Copying head and body together is cheaper for the system than to gather them.
        http.max_buf_size(READ_BUFFER).writev(false);
        let (sender, driver) =
            http.handshake(TokioIo::new(stream)).await.map_err(|e| answer::unconnected(&e))?;
        Ok(Connection { sender, driver: Some(Box::new(driver)), since: Instant::now() })
    }
}

/// An endpoint, and where to connect to.
fn understood(endpoint: &str) -> Option<(Url, Uri)> {
    let url = Url::parse(endpoint).ok()?;
    let address = format!("{}://{}", url.scheme(), url.host_str()?);
    let address = format!("{address}:{}", url.port_or_known_default()?).parse().ok()?;
    Some((url, address))
}

/// Path and query of an address, as a request's first line has it.
pub(super) fn path(url: &str) -> Option<Uri> {
    let url = Url::parse(url).ok()?;
    let query = url.query().map_or(String::new(), |query| format!("?{query}"));
    format!("{}{query}", url.path()).parse().ok()
}

fn tls(host: &str) -> Result<(TlsConnector, ServerName<'static>), Fault> {
    use_ring();
    let refused = |e: &dyn std::fmt::Display| {
        Fault::new(FaultKind::Connect, format!("TLS cannot be set up: {e}"))
    };
    let mut config = ClientConfig::builder()
        .with_platform_verifier()
        .map_err(|e| refused(&e))?
        .with_no_client_auth();
    config.alpn_protocols = vec![b"http/1.1".to_vec()];
    let bare = host.trim_start_matches('[').trim_end_matches(']').to_owned();
    let name = ServerName::try_from(bare).map_err(|e| refused(&e))?;
    Ok((TlsConnector::from(std::sync::Arc::new(config)), name))
}

/// Moves bytes, until the connection ends. Whoever waits for an answer receives the reason of that.
fn drive(driver: &mut Option<Box<http1::Connection<Io, Full<Bytes>>>>, cx: &mut Context<'_>) {
    if driver.as_mut().is_some_and(|driver| Pin::new(&mut **driver).poll(cx).is_ready()) {
        *driver = None;
    }
}

impl Connection {
    fn drive(&mut self, cx: &mut Context<'_>) {
        drive(&mut self.driver, cx);
    }

    /// Whether another request may be sent.
    fn is_ready(&mut self) -> bool {
        self.drive(&mut quiet());
        self.driver.is_some() && self.sender.is_ready()
    }

    async fn exchange(
        &mut self,
        request: Request<Full<Bytes>>,
    ) -> Result<Response<Incoming>, TrySendError<Request<Full<Bytes>>>> {
        let mut answer = pin!(self.sender.try_send_request(request));
        std::future::poll_fn(|cx| {
            drive(&mut self.driver, cx);
            answer.as_mut().poll(&mut quiet())
        })
        .await
    }
}

impl Content<'_> {
    /// Nothing more comes: the connection is free for another request, if it stays open.
    fn give_back(&mut self) {
        if let Some(mut connection) = self.connection.take()
            && connection.is_ready()
        {
            connection.since = Instant::now();
            self.pool.idle().push(connection);
        }
    }
}

impl Body for Content<'_> {
    type Data = Bytes;
    type Error = hyper::Error;

    fn poll_frame(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, hyper::Error>>> {
        let this = self.get_mut();
        let Some(connection) = &mut this.connection else { return Poll::Ready(None) };
        let mut frame = Pin::new(&mut this.incoming).poll_frame(&mut quiet());
        if frame.is_pending() {
            connection.drive(cx);
            frame = Pin::new(&mut this.incoming).poll_frame(&mut quiet());
        }
        let frame = ready!(frame);
        match &frame {
            Some(Ok(_)) if !this.incoming.is_end_stream() => {}
            Some(Err(_)) => this.connection = None,
            Some(Ok(_)) | None => this.give_back(),
        }
        Poll::Ready(frame)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use http_body_util::BodyExt;
    use tokio::io::{AsyncReadExt, AsyncWriteExt};
    use tokio::net::{TcpListener, TcpStream};

    async fn answer(stream: &mut TcpStream) {
        let mut request = [0; 4096];
        assert!(stream.read(&mut request).await.unwrap() > 0);
        stream.write_all(b"HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\nok").await.unwrap();
    }

    fn post(connections: &Connections) -> Request<Full<Bytes>> {
        connections.post("/upload".parse().unwrap(), "body".into(), HeaderMap::new())
    }

    async fn send(connections: &Connections) -> Bytes {
        let answer = connections.send(post(connections)).await.unwrap();
        answer.into_body().collect().await.unwrap().to_bytes()
    }

    /// A service may close a kept connection after it was taken out of the pool and before the request
    /// goes out. The request comes back at once, and is sent over another connection.
    #[tokio::test]
    async fn a_close_between_taking_and_sending_gives_the_request_back() {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let endpoint = format!("http://{}", listener.local_addr().unwrap());
        let connections = Connections::direct(&endpoint, "text/plain").unwrap().unwrap();
        let (answered, stream) = tokio::join!(send(&connections), async {
            let (mut stream, _) = listener.accept().await.unwrap();
            answer(&mut stream).await;
            stream
        });
        assert_eq!(answered, "ok");
        drop(stream);
        let mut taken = connections.idle().pop().expect("the connection was kept");
        // The system has seen the close; nobody has polled the connection since.
        tokio::time::sleep(Duration::from_millis(100)).await;
        let exchanged = taken.exchange(post(&connections));
        let exchanged = tokio::time::timeout(Duration::from_secs(5), exchanged).await;
        let mut failed = exchanged.expect("it ends at once").expect_err("nobody answered");
        assert!(failed.take_message().is_some(), "the request did not go out");
    }

    #[tokio::test]
    async fn a_connection_that_was_idle_for_long_is_not_used_again() {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let endpoint = format!("http://{}", listener.local_addr().unwrap());
        let connections = Connections::direct(&endpoint, "text/plain").unwrap().unwrap();
        let (_, first) = tokio::join!(send(&connections), async {
            let (mut stream, _) = listener.accept().await.unwrap();
            answer(&mut stream).await;
            stream
        });
        let mut kept = connections.take().expect("it is fresh");
        kept.since = Instant::now().checked_sub(LONGEST_IDLE).unwrap();
        connections.idle().push(kept);
        assert!(connections.take().is_none());
        drop(first);
    }
}
