//! Serving a preview's public address for as long as the preview is there.

use std::convert::Infallible;
use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use hyper::service::service_fn;
use hyper_util::rt::{TokioExecutor, TokioIo, TokioTimer};
use hyper_util::server::conn::auto;
use tokio::net::TcpStream;
use tokio::sync::{OwnedSemaphorePermit, Semaphore};
use tokio_util::sync::CancellationToken;

use super::{Gateway, Origin};
use crate::preview::{PublicAddress, State};

/// Between an accept that failed (no descriptors left, say) and the next try.
const ACCEPT_PAUSE: Duration = Duration::from_millis(50);
/// For a client to send its request's headers, and for it to send another request on a connection that it keeps.
const HEADER_TIMEOUT: Duration = Duration::from_secs(30);
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

/// What speaks HTTP/1.1 and HTTP/2 on a connection, under limits.
#[must_use]
pub fn http_server() -> auto::Builder<TokioExecutor> {
    let mut server = auto::Builder::new(TokioExecutor::new());
    server.http1().timer(TokioTimer::new()).header_read_timeout(HEADER_TIMEOUT).max_buf_size(BUFFER);
    server
        .http2()
        .timer(TokioTimer::new())
        .keep_alive_interval(HEADER_TIMEOUT)
        .keep_alive_timeout(PING_TIMEOUT)
        .max_concurrent_streams(STREAMS)
        .max_header_list_size(HEADERS);
    server
}

/// Accepts connections until the preview is over or the server ends. The socket itself is kept by the runtime,
/// so that clients who come while the server restarts wait and are not refused.
pub async fn serve(address: PublicAddress, gateway: Gateway, shutdown: CancellationToken) {
    let PublicAddress { preview, listener, listening } = address;
    let origin = gateway.origin(&preview);
    let room = Arc::new(Semaphore::new(gateway.config.connection_limit));
    let ended = shutdown.child_token();
    let accept = async {
        // Beyond the limit clients wait in the socket's queue.
        while let Ok(place) = Arc::clone(&room).acquire_owned().await {
            match listener.accept().await {
                Ok((stream, peer)) => {
                    tokio::spawn(connection(stream, peer, origin.clone(), ended.clone(), place));
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
        () = shutdown.cancelled() => {}
    }
    drop((listener, listening));
    tokio::select! {
        _ = preview.wait_for(State::is_over) => gateway.forget(&preview.id),
        () = shutdown.cancelled() => {}
    }
    ended.cancel();
}

async fn connection(
    stream: TcpStream,
    peer: SocketAddr,
    origin: Origin,
    ended: CancellationToken,
    place: OwnedSemaphorePermit,
) {
    // Small writes are answers that somebody waits for.
    let _not_fatal = stream.set_nodelay(true);
    // A connection that is changed to another protocol keeps its place as long.
    let place = Arc::new(place);
    let asked = Arc::new(AtomicBool::new(false));
    let service = service_fn(|mut request: hyper::Request<hyper::body::Incoming>| {
        asked.store(true, Ordering::Relaxed);
        request.extensions_mut().insert(Arc::clone(&place));
        let origin = origin.clone();
        async move { Ok::<_, Infallible>(origin.answer(request, peer).await) }
    });
    let server = http_server();
    let connection = server.serve_connection_with_upgrades(TokioIo::new(stream), service);
    tokio::pin!(connection);
    // Until it is known which protocol a client speaks, nothing else counts its time.
    let silent = async {
        tokio::time::sleep(HEADER_TIMEOUT).await;
        if asked.load(Ordering::Relaxed) {
            std::future::pending::<()>().await;
        }
    };
    tokio::select! {
        // A client that breaks off is none of our errors.
        _ = connection.as_mut() => return,
        () = silent => return,
        () = ended.cancelled() => connection.as_mut().graceful_shutdown(),
    }
    let _broken_off = connection.await;
}
