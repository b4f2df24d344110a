//! Both ends of one HTTP/1.1 connection, driven by the task that waits for its response.

use std::pin::{Pin, pin};
use std::task::{Context, Waker};

use bytes::Bytes;
use http::{Request, Response};
use http_body::{Body, Frame};
use hyper::body::Incoming;
use hyper::client::conn::TrySendError;
use hyper::client::conn::http1;
use hyper::rt::{Read, Write};
use tokio::task::coop::unconstrained;

use super::pieces::Pieces;

/// Bytes that a connection may hold of a response that nobody has taken yet. Responses to uploads
/// have some 150, and there may be thousands of connections.
const READ_BUFFER: usize = 8 * 1024;

/// What a connection reads from and writes to: TCP, TLS over it, or either in a proxy's tunnel.
pub(super) trait Stream: Read + Write + Send + Unpin {}

impl<T: Read + Write + Send + Unpin> Stream for T {}

type Driver = http1::Connection<Box<dyn Stream>, Pieces>;

/// A connection. Bytes move only when its driver is polled.
pub(super) struct Connection {
    sender: http1::SendRequest<Pieces>,
    /// Large, and handed on with every request. None once the connection has ended: only dropping the
    /// driver gives back a request that it has not sent, or ends the wait for a response.
    driver: Option<Box<Driver>>,
}

/// Whoever drives a connection polls both its ends, and needs to be woken by the system alone.
fn noop_context() -> Context<'static> {
    Context::from_waker(Waker::noop())
}

impl Connection {
    /// HTTP/1.1 over a stream.
    pub(super) async fn open(stream: Box<dyn Stream>) -> Result<Self, hyper::Error> {
        let mut http = http1::Builder::new();
        // Copying head and body together is cheaper for the system than to gather them.
        http.max_buf_size(READ_BUFFER).writev(false);
        let (sender, driver) = http.handshake(stream).await?;
        Ok(Self { sender, driver: Some(Box::new(driver)) })
    }

    /// Whether another request may be sent, as far as the system has told.
    pub(super) fn is_ready(&mut self) -> bool {
        drive(&mut self.driver, &mut noop_context());
        self.driver.is_some() && self.sender.is_ready()
    }

    /// Sends a request and waits for the head of the response. A request that did not go out comes back
    /// with the error.
    pub(super) async fn exchange(
        &mut self,
        request: Request<Pieces>,
    ) -> Result<Response<Incoming>, TrySendError<Request<Pieces>>> {
        // Tokio keeps what a busy task asks for back and wakes the task for it, which a poll without its
        // waker must not come to.
        let mut response = pin!(unconstrained(self.sender.try_send_request(request)));
        std::future::poll_fn(|cx| {
            drive(&mut self.driver, cx);
            response.as_mut().poll(&mut noop_context())
        })
        .await
    }

    /// The next piece of a response's body; nothing after the last.
    pub(super) async fn frame(
        &mut self,
        body: &mut Incoming,
    ) -> Option<Result<Frame<Bytes>, hyper::Error>> {
        // Nothing more comes: the connection need not be asked.
        if body.is_end_stream() {
            return None;
        }
        std::future::poll_fn(|cx| {
            let mut frame = Pin::new(&mut *body).poll_frame(&mut noop_context());
            if frame.is_pending() {
                drive(&mut self.driver, cx);
                frame = Pin::new(&mut *body).poll_frame(&mut noop_context());
            }
            frame
        })
        .await
    }
}

/// Moves bytes. Why a connection ended is told to whoever waits for a response.
fn drive(driver: &mut Option<Box<Driver>>, cx: &mut Context<'_>) {
    if let Some(polled) = driver
        && Pin::new(&mut **polled).poll(cx).is_ready()
    {
        *driver = None;
    }
}
