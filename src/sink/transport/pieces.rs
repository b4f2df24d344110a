//! A request's body, handed to the connection a piece at a time.

use std::convert::Infallible;
use std::pin::Pin;
use std::task::{Context, Poll};

use bytes::Bytes;
use http_body::{Body, Frame, SizeHint};

/// Bytes of a piece. The connection copies each one behind what it has not sent yet, into a buffer that
/// grows to what it is handed and stays with it: a whole file would be in memory twice.
const PIECE: usize = 32 * 1024;

/// A body that is in memory. An image up to 32 KiB is one piece.
#[derive(Debug)]
pub(super) struct Pieces(Bytes);

impl Pieces {
    pub(super) fn new(body: Bytes) -> Self {
        Self(body)
    }
}

impl Body for Pieces {
    type Data = Bytes;
    type Error = Infallible;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        _: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, Infallible>>> {
        let length = self.0.len().min(PIECE);
        Poll::Ready((length > 0).then(|| Ok(Frame::data(self.0.split_to(length)))))
    }

    fn is_end_stream(&self) -> bool {
        self.0.is_empty()
    }

    fn size_hint(&self) -> SizeHint {
        SizeHint::with_exact(self.0.len() as u64)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_body_comes_in_pieces_and_its_length_is_known() {
        let whole: Vec<u8> = (0..=u8::MAX).cycle().take(2 * PIECE + 1).collect();
        let mut body = Pieces::new(whole.clone().into());
        assert_eq!(body.size_hint().exact(), Some(whole.len() as u64));
        let mut context = Context::from_waker(std::task::Waker::noop());
        let mut pieces = Vec::new();
        while let Poll::Ready(Some(Ok(frame))) = Pin::new(&mut body).poll_frame(&mut context) {
            pieces.push(frame.into_data().unwrap());
        }
        assert_eq!(pieces.iter().map(Bytes::len).collect::<Vec<_>>(), [PIECE, PIECE, 1]);
        assert_eq!(pieces.concat(), whole);
        assert!(body.is_end_stream());
        assert!(Pieces::new(Bytes::new()).is_end_stream());
    }
}
