//! Bodies that are watched as they pass.

use std::pin::Pin;
use std::task::{Context, Poll};

use axum::body::Body;
use hyper::body::{Body as _, Bytes, Frame, SizeHint};

/// What comes of a body.
pub(super) type Polled = Poll<Option<Result<Frame<Bytes>, axum::Error>>>;

/// Who stands between a body and its reader.
pub(super) trait Watch: Send + Unpin + 'static {
    /// The next of the body, or what is to be told in its place.
    fn poll(&mut self, body: &mut Body, cx: &mut Context<'_>) -> Polled {
        Pin::new(body).poll_frame(cx)
    }
}

/// A body that somebody watches.
struct Watched<W> {
    body: Body,
    watch: W,
}

/// Has a body watched.
pub(super) fn watched(body: Body, watch: impl Watch) -> Body {
    Body::new(Watched { body, watch })
}

impl<W: Watch> hyper::body::Body for Watched<W> {
    type Data = Bytes;
    type Error = axum::Error;

    fn poll_frame(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Polled {
        let Self { body, watch } = &mut *self;
        watch.poll(body, cx)
    }

    fn is_end_stream(&self) -> bool {
        self.body.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        self.body.size_hint()
    }
}

/// Holds something until the end of a body: a place in the code, the preview's being in use.
struct Held<T> {
    _held: T,
}

impl<T: Send + Unpin + 'static> Watch for Held<T> {}

/// Holds `held` as long as there is more of `body`.
pub(super) fn holding(body: Body, held: impl Send + Unpin + 'static) -> Body {
    watched(body, Held { _held: held })
}
