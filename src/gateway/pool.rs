//! Connections to the code of one preview, kept open between requests.

use std::future::poll_fn;
use std::pin::{Pin, pin};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::task::{Context, Waker};

use axum::body::Body;
use axum::http::{Request, Response, header};
use hyper::body::{Body as _, Incoming};
use hyper::client::conn::http1::{Builder, SendRequest};
use hyper_util::rt::TokioIo;

use super::glance::Glances;
use super::watched::holding;
use crate::preview::{Active, Look};

type BoxError = Box<dyn std::error::Error + Send + Sync>;

/// Connections that are kept of one preview.
const MOST: usize = 256;
/// Bytes that one connection buffers, the headers of an answer with them.
const BUFFER: usize = 128 * 1024;

/// One connection to the code. It takes a request when the answer before has passed.
pub struct Connection {
    requests: SendRequest<Body>,
    /// For more of an answer.
    pub(super) look: Look,
    pub(super) exchange: Exchange,
}

/// What reads and writes.
pub(super) enum Exchange {
    /// It is driven by whoever waits for the answer: a task of its own would cost each request two changes of the thread.
    Here(Pin<Box<dyn Future<Output = ()> + Send>>),
    /// It has a task of its own.
    Elsewhere,
    /// It has ended.
    Over,
}

impl Exchange {
    /// Lets it read and write what it can.
    pub fn drive(&mut self, cx: &mut Context<'_>) {
        if let Self::Here(exchange) = self
            && exchange.as_mut().poll(cx).is_ready()
        {
            *self = Self::Over;
        }
    }

    /// For what it brings: where it is driven here it wakes the task itself.
    pub fn quiet<'a>(&self, cx: &Context<'a>) -> Context<'a> {
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
        let look = stream.look();
        let mut client = Builder::new();
        client.max_buf_size(BUFFER);
        let (requests, exchange) = client.handshake(TokioIo::new(stream)).await?;
        // How it ends, those are told who wait for an answer on it.
        let exchange = async move {
            let _told_elsewhere = exchange.with_upgrades().await;
        };
        Ok(Self { requests, look, exchange: Exchange::Here(Box::pin(exchange)) })
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
        let sending = Arc::new(());
        let request =
            request.map(|body| if body.is_end_stream() { body } else { holding(body, Arc::clone(&sending)) });
        let Self { requests, exchange, .. } = self;
        let mut answer = pin!(requests.send_request(request));
        let answer = poll_fn(|cx| {
            exchange.drive(cx);
            answer.as_mut().poll(&mut exchange.quiet(cx))
        })
        .await;
        if Arc::strong_count(&sending) > 1 {
            self.detach();
        }
        answer
    }

    fn detach(&mut self) {
        if let Exchange::Here(exchange) = std::mem::replace(&mut self.exchange, Exchange::Elsewhere) {
            tokio::spawn(exchange);
        }
    }

    /// Whether it can take a request. One that is kept is looked at by nobody meanwhile.
    fn is_free(&mut self) -> bool {
        self.exchange.drive(&mut Context::from_waker(Waker::noop()));
        !matches!(self.exchange, Exchange::Over) && self.requests.is_ready()
    }
}

/// Those of one start of the code; another start's are none of its own.
#[derive(Default)]
pub struct Pool {
    kept: Mutex<Kept>,
    /// Looks for the beginnings of bodies.
    pub(super) glances: Glances,
}

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
    /// One that is open and free.
    pub fn take(&self, slot: u32) -> Option<Connection> {
        let mut kept = self.of(slot);
        while let Some(mut connection) = kept.connections.pop() {
            if connection.is_free() {
                return Some(connection);
            }
        }
        None
    }

    /// One that was never used. The code closes it at its end and not before.
    pub fn take_unused(&self, slot: u32) -> Option<Connection> {
        self.of(slot).unused.take().and_then(|mut unused| unused.is_free().then_some(unused))
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
        self.kept.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// One that is free again.
    pub fn put(&self, slot: u32, connection: Connection) {
        let mut kept = self.lock();
        if kept.slot == slot && kept.connections.len() < MOST {
            kept.connections.push(connection);
        }
    }
}
