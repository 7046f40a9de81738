//! The answer of the code, from its head to the end of its body.

use std::future::poll_fn;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};
use std::time::Duration;

use hyper::body::{Body as _, Bytes, Frame, Incoming, SizeHint};

use super::pool::{Connection, Pool};

/// For how long the head of an answer waits for its body. uvicorn writes both one right after the other, but apart.
const MOMENT: Duration = Duration::from_millis(10);

/// The body of an answer, which drives its connection and gives it to the pool at its end.
pub struct Answering {
    /// What came of it before it was asked for.
    early: Option<hyper::Result<Frame<Bytes>>>,
    body: Incoming,
    connection: Option<Connection>,
    back: (Arc<Pool>, u32),
}

impl Answering {
    /// What comes over `connection`, which belongs to a start of the code.
    pub fn new(body: Incoming, connection: Connection, pool: &Arc<Pool>, slot: u32) -> Self {
        let (connection, back) = (Some(connection), (Arc::clone(pool), slot));
        let mut answering = Self { early: None, body, connection, back };
        answering.give_back_if_over();
        answering
    }

    /// Waits a moment for the beginning of a body of known length, so that it leaves with its head: written apart, they cost the client
    /// a second reading. What has no length is a stream, which may say that it has begun. Who is `alone` keeps nobody waiting while
    /// he looks.
    pub async fn begin(&mut self, alone: bool) {
        if self.body.is_end_stream() || self.body.size_hint().exact().is_none() {
            return;
        }
        let mut glances = alone;
        let first = poll_fn(|cx| {
            let polled = Pin::new(&mut *self).poll_frame(cx);
            if polled.is_pending() && std::mem::take(&mut glances) { self.glance(cx) } else { polled }
        });
        if let Ok(first) = tokio::time::timeout(MOMENT, first).await {
            self.early = first;
        }
    }

    /// Looks for what comes next, if it is likely to be there at once.
    fn glance(&mut self, cx: &mut Context<'_>) -> Poll<Option<hyper::Result<Frame<Bytes>>>> {
        let Some(look) = self.connection.as_ref().map(|connection| connection.look.clone()) else {
            return Poll::Pending;
        };
        let pool = Arc::clone(&self.back.0);
        pool.glances.take(&look, || Pin::new(&mut *self).poll_frame(cx))
    }

    fn give_back_if_over(&mut self) {
        if self.body.is_end_stream()
            && let Some(connection) = self.connection.take()
        {
            self.back.0.put(self.back.1, connection);
        }
    }
}

impl hyper::body::Body for Answering {
    type Data = Bytes;
    type Error = hyper::Error;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, hyper::Error>>> {
        let this = &mut *self;
        if let Some(early) = this.early.take() {
            return Poll::Ready(Some(early));
        }
        let polled = match &mut this.connection {
            Some(connection) => {
                connection.exchange.drive(cx);
                let first = Pin::new(&mut this.body).poll_frame(&mut connection.exchange.quiet(cx));
                // That the body is wanted the connection learns by that. What came with the head is to leave with the head.
                if first.is_pending() {
                    connection.exchange.drive(cx);
                    Pin::new(&mut this.body).poll_frame(&mut connection.exchange.quiet(cx))
                } else {
                    first
                }
            }
            None => Pin::new(&mut this.body).poll_frame(cx),
        };
        match &polled {
            Poll::Ready(None) => {
                if let Some(connection) = this.connection.take() {
                    this.back.0.put(this.back.1, connection);
                }
            }
            // What broke off is of no use any more.
            Poll::Ready(Some(Err(_))) => this.connection = None,
            Poll::Ready(Some(Ok(_))) => this.give_back_if_over(),
            Poll::Pending => {}
        }
        polled
    }

    fn is_end_stream(&self) -> bool {
        self.early.is_none() && self.body.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        let early = self.early.as_ref().and_then(|early| early.as_ref().ok()?.data_ref());
        let early = early.map_or(0, |data| data.len() as u64);
        let rest = self.body.size_hint();
        rest.exact().map_or(rest, |rest| SizeHint::with_exact(rest + early))
    }
}
