//! Serving a preview's public address for as long as the preview is there.

use std::convert::Infallible;
use std::net::SocketAddr;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};
use std::time::Duration;

use axum::body::Body;
use axum::http::{HeaderMap, HeaderValue, Method, Request, Response, StatusCode, header};
use axum::response::IntoResponse;
use hyper::body::{Bytes, Frame, Incoming, SizeHint};
use hyper::service::service_fn;
use hyper_util::rt::{TokioExecutor, TokioIo, TokioTimer};
use hyper_util::server::conn::auto;
use tokio::net::TcpStream;
use tokio_util::sync::CancellationToken;

use super::forward::{Forwarder, upgrade_of};
use super::token::{self, Shown};
use super::{REQUEST_ID_HEADER, upgrade};
use crate::auth::Auth;
use crate::error::Error;
use crate::id::random_hex;
use crate::metrics::Metrics;
use crate::preview::{Active, InUse, PublicAddress, State};
use crate::store::Health;

/// Between an accept that failed (no descriptors left, say) and the next try.
const ACCEPT_PAUSE: Duration = Duration::from_millis(50);
/// For a client to send its request's headers.
const HEADER_TIMEOUT: Duration = Duration::from_secs(30);

/// What all connections of one origin share.
struct Origin {
    forwarder: Forwarder,
    auth: Arc<Auth>,
    metrics: Arc<Metrics>,
    /// Whether browsers reach it by https, through somebody's proxy.
    secure: bool,
}

/// Accepts connections until the preview is over or the server ends. The socket itself is kept by the runtime,
/// so that clients who come while the server restarts wait and are not refused.
pub async fn serve(
    address: PublicAddress,
    auth: Arc<Auth>,
    metrics: Arc<Metrics>,
    shutdown: CancellationToken,
) {
    let PublicAddress { preview, listener } = address;
    let secure = preview.base_url.starts_with("https:");
    let origin = Arc::new(Origin { forwarder: Forwarder::new(Arc::clone(&preview)), auth, metrics, secure });
    let ended = shutdown.child_token();
    let accept = async {
        loop {
            match listener.accept().await {
                Ok((stream, peer)) => {
                    tokio::spawn(connection(stream, peer, Arc::clone(&origin), ended.clone()));
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
        _ = preview.wait_for(State::is_over) => {}
        () = shutdown.cancelled() => {}
    }
    ended.cancel();
}

async fn connection(stream: TcpStream, peer: SocketAddr, origin: Arc<Origin>, ended: CancellationToken) {
    // Small writes are answers that somebody waits for.
    let _not_fatal = stream.set_nodelay(true);
    let service = service_fn(move |request| {
        let origin = Arc::clone(&origin);
        async move { Ok::<_, Infallible>(origin.answer(request, peer).await) }
    });
    let mut server = auto::Builder::new(TokioExecutor::new());
    server.http1().timer(TokioTimer::new()).header_read_timeout(HEADER_TIMEOUT);
    let connection = server.serve_connection_with_upgrades(TokioIo::new(stream), service);
    tokio::pin!(connection);
    tokio::select! {
        // A client that breaks off is none of our errors.
        _ = connection.as_mut() => return,
        () = ended.cancelled() => connection.as_mut().graceful_shutdown(),
    }
    let _broken_off = connection.await;
}

impl Origin {
    async fn answer(&self, request: Request<Incoming>, peer: SocketAddr) -> Response<Body> {
        let preview = self.forwarder.preview();
        match token::shown(request.headers(), request.uri(), &self.auth, &preview.id) {
            Shown::Nothing if is_health_check(&request) => health(preview),
            Shown::Nothing | Shown::Wrong => Error::InvalidPreviewToken.into_response(),
            Shown::InQuery if is_page_visit(&request) => self.trade(&request),
            Shown::Token | Shown::InQuery => self.pass_on(request, peer).await,
        }
    }

    /// The token for a cookie, so that it does not stay in the address bar, in the history and in links.
    fn trade(&self, request: &Request<Incoming>) -> Response<Body> {
        let id = &self.forwarder.preview().id;
        let cookie = token::cookie(id, &self.auth.preview_token(id), self.secure);
        let target = token::without_token(request.uri()).map_or_else(|| "/".to_owned(), |u| u.to_string());
        // `//host` would be another origin to a browser.
        let target = format!("/{}", target.trim_start_matches(['/', '\\']));
        let headers = [
            (header::LOCATION, target),
            (header::SET_COOKIE, cookie),
            (header::CACHE_CONTROL, "no-store".to_owned()),
            (header::REFERRER_POLICY, "no-referrer".to_owned()),
        ];
        (StatusCode::SEE_OTHER, headers).into_response()
    }

    async fn pass_on(&self, request: Request<Incoming>, peer: SocketAddr) -> Response<Body> {
        let preview = Arc::clone(self.forwarder.preview());
        let in_use = preview.in_use();
        self.metrics.request();
        let (mut parts, body) = request.into_parts();
        let upgrades = upgrade_of(&parts.headers).is_some();
        let client_side = parts.extensions.remove::<hyper::upgrade::OnUpgrade>();
        if let Some(uri) = token::without_token(&parts.uri) {
            parts.uri = uri;
        }
        token::strip(&mut parts.headers, &self.auth, &preview.id);
        let request_id = prepare(&mut parts.headers, &parts.uri, peer, self.secure);
        let request = Request::from_parts(parts, Body::new(body));
        let mut response = match self.forwarder.send(request).await {
            Ok(response) => response,
            Err(error) => return error.into_response(),
        };
        if let Ok(value) = HeaderValue::from_str(&request_id) {
            response.headers_mut().entry(REQUEST_ID_HEADER).or_insert(value);
        }
        if response.status() == StatusCode::SWITCHING_PROTOCOLS && upgrades {
            if let Some(client_side) = client_side {
                tokio::spawn(upgrade::join(client_side, hyper::upgrade::on(&mut response), preview));
            }
            return response;
        }
        response.map(|body| Body::new(Counted { body, _in_use: in_use }))
    }
}

/// What the application learns of the client. Whatever the client claims of itself is replaced.
fn prepare(headers: &mut HeaderMap, uri: &axum::http::Uri, peer: SocketAddr, secure: bool) -> String {
    let host = headers.get(header::HOST).cloned();
    let host = host.or_else(|| HeaderValue::from_str(uri.authority()?.as_str()).ok());
    if let Some(host) = host {
        headers.insert(header::HOST, host.clone());
        headers.insert("x-forwarded-host", host);
    }
    if let Ok(address) = HeaderValue::from_str(&peer.ip().to_canonical().to_string()) {
        headers.insert("x-forwarded-for", address);
    }
    let proto = if secure { "https" } else { "http" };
    headers.insert("x-forwarded-proto", HeaderValue::from_static(proto));
    headers.remove("x-previewd-probe");
    request_id(headers)
}

/// The request's own id if it has a usable one, else a new one.
pub fn request_id(headers: &mut HeaderMap) -> String {
    const LONGEST: usize = 128;
    let given = headers.get(REQUEST_ID_HEADER).and_then(|v| v.to_str().ok());
    let usable =
        |id: &&str| !id.is_empty() && id.len() <= LONGEST && id.bytes().all(|b| b.is_ascii_graphic());
    if let Some(id) = given.filter(usable) {
        return id.to_owned();
    }
    let id = random_hex::<8>().unwrap_or_default();
    if let Ok(value) = HeaderValue::from_str(&id) {
        headers.insert(REQUEST_ID_HEADER, value);
    }
    id
}

fn is_health_check(request: &Request<Incoming>) -> bool {
    request.uri().path() == "/health" && matches!(*request.method(), Method::GET | Method::HEAD)
}

/// A request that can follow a redirect without losing anything.
fn is_page_visit(request: &Request<Incoming>) -> bool {
    matches!(*request.method(), Method::GET | Method::HEAD) && upgrade_of(request.headers()).is_none()
}

/// Whether it serves, and nothing else of it.
fn health(preview: &Active) -> Response<Body> {
    let ok = matches!(preview.state(), State::Running(running) if running.health != Health::Unhealthy);
    let (status, text) =
        if ok { (StatusCode::OK, "ok\n") } else { (StatusCode::SERVICE_UNAVAILABLE, "unavailable\n") };
    (status, [(header::CACHE_CONTROL, "no-store")], text).into_response()
}

/// An answer's body; the preview is in use until its end.
struct Counted {
    body: Body,
    _in_use: InUse,
}

impl hyper::body::Body for Counted {
    type Data = Bytes;
    type Error = axum::Error;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, axum::Error>>> {
        Pin::new(&mut self.body).poll_frame(cx)
    }

    fn is_end_stream(&self) -> bool {
        self.body.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        self.body.size_hint()
    }
}
