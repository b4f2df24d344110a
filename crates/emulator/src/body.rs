//! The body of an answer.

use std::io;
use std::pin::Pin;
use std::task::{Context, Poll, ready};
use std::time::Duration;

use bytes::Bytes;
use http_body::{Frame, SizeHint};
use tokio::time::Sleep;

/// An answer.
pub(crate) type Response = http::Response<Body>;

/// Bytes that are in memory.
#[derive(Debug, Default)]
pub(crate) struct Body {
    content: Bytes,
    end: End,
}

/// What follows the bytes.
#[derive(Debug, Default)]
enum End {
    #[default]
    Regular,
    /// An error, which makes the server close the connection.
    Broken,
    /// The same, once the server has had time to send what it has.
    Breaking(Pin<Box<Sleep>>),
}

impl Body {
    /// The bytes, and after them an error instead of the end.
    pub(crate) fn broken(content: Bytes) -> Self {
        Self { content, end: End::Broken }
    }

    /// The bytes.
    pub(crate) fn into_bytes(self) -> Bytes {
        self.content
    }
}

impl<T: Into<Bytes>> From<T> for Body {
    fn from(content: T) -> Self {
        Self { content: content.into(), end: End::Regular }
    }
}

impl http_body::Body for Body {
    type Data = Bytes;
    type Error = io::Error;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<io::Result<Frame<Bytes>>>> {
        if !self.content.is_empty() {
            let content = std::mem::take(&mut self.content);
            return Poll::Ready(Some(Ok(Frame::data(content))));
        }
        if matches!(self.end, End::Broken) {
            self.end = End::Breaking(Box::pin(tokio::time::sleep(Duration::from_millis(5))));
        }
        let End::Breaking(pause) = &mut self.end else {
            return Poll::Ready(None);
        };
        ready!(pause.as_mut().poll(cx));
        Poll::Ready(Some(Err(io::Error::from(io::ErrorKind::BrokenPipe))))
    }

    fn is_end_stream(&self) -> bool {
        self.content.is_empty() && matches!(self.end, End::Regular)
    }

    fn size_hint(&self) -> SizeHint {
        match self.end {
            End::Regular => SizeHint::with_exact(self.content.len() as u64),
            _ => SizeHint::default(),
        }
    }
}
