//! Serving a preview's public address for as long as the preview is there.

use std::convert::Infallible;
use std::future::poll_fn;
use std::net::SocketAddr;
use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::task::Poll;
use std::time::Duration;

use hyper::service::service_fn;
use hyper_util::rt::{TokioExecutor, TokioIo, TokioTimer};
use hyper_util::server::conn::auto;
use tokio::net::TcpStream;
use tokio::sync::{OwnedSemaphorePermit, Semaphore};
use tokio_util::sync::CancellationToken;
use tokio_util::task::task_tracker::TaskTrackerToken;

use super::quiet::Quiet;
use super::{Gateway, Origin, Tls, address_of};
use crate::drain::Drain;
use crate::preview::{PublicAddress, State};

/// Between an accept that failed (no descriptors left, say) and the next try.
const ACCEPT_PAUSE: Duration = Duration::from_millis(50);
/// Between two questions to a client of HTTP/2 whether it is still there.
const PING: Duration = Duration::from_secs(30);
/// For what was answered to reach the client, once its connection is to end.
const LAST: Duration = Duration::from_secs(10);
/// For a client of HTTP/2 to say that it is still there.
const PING_TIMEOUT: Duration = Duration::from_secs(20);
/// Bytes that one connection buffers, the headers of a request with them.
const BUFFER: usize = 128 * 1024;
/// Bytes of a request's headers in HTTP/2.
const HEADERS: u32 = 64 * 1024;
/// Requests at once on one connection of HTTP/2.
const STREAMS: u32 = 128;

/// A connection's place within the limit, for as long as anything of the connection is left.
pub(super) type Seat = Arc<OwnedSemaphorePermit>;

/// What speaks HTTP/1.1 and HTTP/2 on a connection, under limits. A client has `header_timeout` to send the headers of
/// a request, and to send the next one on a connection that it keeps.
#[must_use]
pub fn http_server(header_timeout: Duration) -> auto::Builder<TokioExecutor> {
    let mut server = auto::Builder::new(TokioExecutor::new());
    server.http1().timer(TokioTimer::new()).header_read_timeout(header_timeout).max_buf_size(BUFFER);
    server
        .http2()
        .timer(TokioTimer::new())
        .keep_alive_interval(PING)
        .keep_alive_timeout(PING_TIMEOUT)
        .max_concurrent_streams(STREAMS)
        .max_header_list_size(HEADERS);
    server
}

/// Accepts connections until the preview is over or the server ends. The socket itself is kept by the runtime,
/// so that clients who come while the server restarts wait and are not refused.
pub async fn serve(address: PublicAddress, gateway: Gateway) {
    let PublicAddress { preview, listener, listening } = address;
    let origin = Arc::new(gateway.origin(&preview));
    let patience = Duration::from_secs(gateway.config.header_timeout);
    let room = Arc::new(Semaphore::new(gateway.config.connection_limit));
    let idle = gateway.config.exchange.idle.map(Duration::from_secs);
    let (drain, ended) = (gateway.drain.clone(), gateway.drain.token());
    let accept = async {
        // Beyond the limit clients wait in the socket's queue.
        while let Ok(place) = Arc::clone(&room).acquire_owned().await {
            match listener.accept().await {
                Ok((stream, peer)) => {
                    let (tls, drain) = (gateway.tls.clone(), drain.clone());
                    let listening = listening.clone();
                    let client = Client { stream, peer, place, tls, patience, idle, drain, listening };
                    gateway.drain.serve(client.serve(Arc::clone(&origin), ended.clone()));
                }
                Err(e) => {
                    tracing::warn!(preview = %preview.id, error = %e, "a connection could not be accepted");
                    tokio::time::sleep(ACCEPT_PAUSE).await;
                }
            }
        }
    };
    tokio::select! {
        () = accept => {}
        () = preview.address_closes() => {}
        () = drain.deaf() => {}
    }
    drop(listener);
    ended.cancel();
    drop(listening);
    tokio::select! {
        _ = preview.wait_for(State::is_over) => gateway.forget(&preview.id),
        () = drain.deaf() => {}
    }
}

/// A connection that was accepted.
struct Client {
    stream: TcpStream,
    peer: SocketAddr,
    place: OwnedSemaphorePermit,
    tls: Tls,
    /// For a handshake, and for the headers of each request.
    patience: Duration,
    /// For it to read what is written.
    idle: Option<Duration>,
    drain: Drain,
    /// While something here may still be answered in the preview's name: its address is another's soon.
    listening: TaskTrackerToken,
}

impl Client {
    async fn serve(self, origin: Arc<Origin>, ended: CancellationToken) {
        let Self { stream, peer, place, tls, patience, idle, drain, listening } = self;
        // Small writes are answers that somebody waits for.
        let _not_fatal = stream.set_nodelay(true);
        if let Some(idle) = idle {
            // Of a client that does not read only the system knows.
            let idle = u32::try_from(idle.as_millis()).unwrap_or(u32::MAX);
            let _not_fatal = rustix::net::sockopt::set_tcp_user_timeout(&stream, idle);
        }
        let taken = tokio::select! {
            taken = tls.take(stream, peer, patience) => taken,
            () = ended.cancelled() => return,
        };
        let Ok(stream) = taken else { return };
        // A request under way has a part in the place, and so has a connection that was changed to another protocol.
        let place = Arc::new(place);
        let (asked, address) = (AtomicU64::new(0), address_of(peer));
        let service = service_fn(|request: hyper::Request<hyper::body::Incoming>| {
            asked.fetch_add(1, Ordering::Relaxed);
            let (origin, seat, address) = (Arc::clone(&origin), Arc::clone(&place), address.clone());
            async move { Ok::<_, Infallible>(origin.answer(request, address, Some(seat)).await) }
        });
        let server = http_server(patience);
        let connection = server.serve_connection_with_upgrades(TokioIo::new(stream), service);
        tokio::pin!(connection);
        tokio::select! {
            // A client that breaks off is none of our errors.
            _ = Quiet::new(connection.as_mut()) => return,
            () = silence(&place, &asked, patience) => connection.as_mut().graceful_shutdown(),
            () = ended.cancelled() => connection.as_mut().graceful_shutdown(),
        }
        // What waits for nothing is closed by this.
        if poll_once(connection.as_mut()).await.is_ready() {
            return;
        }
        drop(listening);
        // Whoever does not read gets no more. A server that ends has a patience of its own.
        let patience = async {
            if drain.is_deaf() {
                std::future::pending::<()>().await;
            } else {
                tokio::time::sleep(LAST).await;
            }
        };
        tokio::select! {
            _broken_off = connection => {}
            () = patience => {}
        }
    }
}

/// What a future says when it is looked at once.
async fn poll_once<F: Future>(mut future: Pin<&mut F>) -> Poll<F::Output> {
    poll_fn(|cx| Poll::Ready(future.as_mut().poll(cx))).await
}

/// Returns when a client has asked nothing for so long, and at most twice as long. HTTP/1.1 counts that time itself, but only
/// once it is known that it is spoken.
async fn silence(place: &Seat, asked: &AtomicU64, patience: Duration) {
    let mut before = 0;
    loop {
        tokio::time::sleep(patience).await;
        let now = asked.load(Ordering::Relaxed);
        if now == before && Arc::strong_count(place) == 1 {
            return;
        }
        before = now;
    }
}
