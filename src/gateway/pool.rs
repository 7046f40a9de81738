//! Connections to the code of one preview, kept open between requests.

use std::future::poll_fn;
use std::pin::{Pin, pin};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::task::{Context, Poll, Waker};
use std::time::Duration;

use axum::body::Body;
use axum::http::{Request, Response, header};
use hyper::body::{Body as _, Bytes, Frame, Incoming, SizeHint};
use hyper::client::conn::http1::{Builder, SendRequest};
use hyper_util::rt::TokioIo;

use super::watched::holding;
use crate::preview::Active;

type BoxError = Box<dyn std::error::Error + Send + Sync>;

/// Connections that are kept of one preview.
const MOST: usize = 256;
/// Bytes that one connection buffers, the headers of an answer with them.
const BUFFER: usize = 128 * 1024;
/// For how long the head of an answer waits for its body. uvicorn writes both one right after the other, but apart.
const MOMENT: Duration = Duration::from_millis(10);

/// One connection to the code. It takes a request when the answer before has passed.
pub struct Connection {
    requests: SendRequest<Body>,
    exchange: Exchange,
}

/// What reads and writes.
enum Exchange {
    /// It is driven by whoever waits for the answer: a task of its own would cost each request two changes of the thread.
    Here(Pin<Box<dyn Future<Output = ()> + Send>>),
    /// It has a task of its own.
    Elsewhere,
    /// It has ended.
    Over,
}

impl Exchange {
    fn drive(&mut self, cx: &mut Context<'_>) {
        if let Self::Here(exchange) = self
            && exchange.as_mut().poll(cx).is_ready()
        {
            *self = Self::Over;
        }
    }

    /// For what it brings: where it is driven here it wakes the task itself.
    fn quiet<'a>(&self, cx: &Context<'a>) -> Context<'a> {
        Context::from_waker(if matches!(self, Self::Here(_)) { Waker::noop() } else { cx.waker() })
    }
}

impl Connection {
    /// A new one.
    ///
    /// # Errors
    /// If nothing listens there.
    pub async fn open(preview: &Active, slot: u32) -> Result<Self, BoxError> {
        let stream = preview.dial(slot).await?;
        let mut client = Builder::new();
        client.max_buf_size(BUFFER);
        let (requests, exchange) = client.handshake(TokioIo::new(stream)).await?;
        // How it ends, those are told who wait for an answer on it.
        let exchange = async move {
            let _told_elsewhere = exchange.with_upgrades().await;
        };
        Ok(Self { requests, exchange: Exchange::Here(Box::pin(exchange)) })
    }

    /// Sends a request and gives the head of its answer. A body that is sent goes on whether or not somebody reads the answer,
    /// and so does another protocol.
    ///
    /// # Errors
    /// If the code ends the connection before.
    pub async fn send(&mut self, request: Request<Body>) -> hyper::Result<Response<Incoming>> {
        if request.headers().contains_key(header::UPGRADE) {
            self.detach();
        }
        let sending = (!request.body().is_end_stream()).then(|| Arc::new(()));
        let request = match &sending {
            Some(sending) => request.map(|body| holding(body, Arc::clone(sending))),
            None => request,
        };
        let Self { requests, exchange } = self;
        let mut answer = pin!(requests.send_request(request));
        let answer = poll_fn(|cx| {
            exchange.drive(cx);
            answer.as_mut().poll(&mut exchange.quiet(cx))
        })
        .await;
        if sending.is_some_and(|sending| Arc::strong_count(&sending) > 1) {
            self.detach();
        }
        answer
    }

    fn detach(&mut self) {
        if let Exchange::Here(exchange) = std::mem::replace(&mut self.exchange, Exchange::Elsewhere) {
            tokio::spawn(exchange);
        }
    }

    /// Does what is left to do behind an answer, so that it can take the next request. From here on it wakes nobody.
    fn settle(&mut self) {
        self.exchange.drive(&mut Context::from_waker(Waker::noop()));
    }

    /// Whether it can take a request, for all that was heard of it.
    fn is_free(&self) -> bool {
        self.requests.is_ready()
    }
}

/// Those of one start of the code; another start's are none of its own.
#[derive(Default)]
pub struct Pool(Mutex<Kept>);

#[derive(Default)]
struct Kept {
    slot: u32,
    connections: Vec<Connection>,
    /// One that no request was sent on yet.
    unused: Option<Connection>,
}

impl std::fmt::Debug for Pool {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Pool")
    }
}

impl Pool {
    /// One that is free. The code may have closed it: a request that is sent on it tells.
    pub fn take(&self, slot: u32) -> Option<Connection> {
        let mut kept = self.of(slot);
        while let Some(connection) = kept.connections.pop() {
            if connection.is_free() {
                return Some(connection);
            }
        }
        None
    }

    /// One that was never used. The code closes it at its end and not before.
    pub fn take_unused(&self, slot: u32) -> Option<Connection> {
        let mut unused = self.of(slot).unused.take()?;
        unused.settle();
        unused.is_free().then_some(unused)
    }

    /// Opens one for the next who needs one that was never used.
    pub async fn open_ahead(&self, preview: &Active, slot: u32) {
        if self.lock().unused.is_some() {
            return;
        }
        // If nothing listens there any more, whoever needs it will be told.
        let Ok(opened) = Connection::open(preview, slot).await else { return };
        let mut kept = self.lock();
        if kept.slot == slot {
            kept.unused = Some(opened);
        }
    }

    /// Those of this start; another one's are let go.
    fn of(&self, slot: u32) -> MutexGuard<'_, Kept> {
        let mut kept = self.lock();
        if kept.slot != slot {
            *kept = Kept { slot, ..Kept::default() };
        }
        kept
    }

    fn lock(&self) -> MutexGuard<'_, Kept> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn put(&self, slot: u32, mut connection: Connection) {
        connection.settle();
        let mut kept = self.lock();
        if kept.slot == slot && kept.connections.len() < MOST {
            kept.connections.push(connection);
        }
    }
}

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
    /// a second reading. What has no length is a stream, which may say that it has begun.
    pub async fn begin(&mut self) {
        if self.body.is_end_stream() || self.body.size_hint().exact().is_none() {
            return;
        }
        let first = poll_fn(|cx| Pin::new(&mut *self).poll_frame(cx));
        if let Ok(first) = tokio::time::timeout(MOMENT, first).await {
            self.early = first;
        }
    }

    fn give_back_if_over(&mut self) {
        if self.body.is_end_stream() {
            self.give_back();
        }
    }

    fn give_back(&mut self) {
        if let Some(connection) = self.connection.take() {
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
                // What came with the head is to leave with the head.
                let first = Pin::new(&mut this.body).poll_frame(&mut connection.exchange.quiet(cx));
                // That more is wanted the connection has learnt by that.
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
            Poll::Ready(None) => this.give_back(),
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
