//! Passing a request on to the code of a preview.

use std::io;
use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::task::{Context, Poll};

use axum::body::Body;
use axum::http::{HeaderMap, HeaderName, HeaderValue, Method, Request, Response, Uri, header};
use futures_util::future::BoxFuture;
use hyper::body::{Body as _, Incoming};
use hyper_util::client::legacy::connect::{Connected, Connection};
use hyper_util::client::legacy::{Client, Error as ClientError};
use hyper_util::rt::{TokioExecutor, TokioIo};
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};

use crate::error::{Error, Result};
use crate::preview::{Active, State};
use crate::runtime::Stream;

/// Headers that concern one connection and not the request (RFC 9110, section 7.6.1).
const HOP_BY_HOP: [HeaderName; 7] = [
    header::CONNECTION,
    header::PROXY_AUTHENTICATE,
    header::PROXY_AUTHORIZATION,
    header::TE,
    header::TRANSFER_ENCODING,
    header::UPGRADE,
    HeaderName::from_static("keep-alive"),
];

/// Connections to one preview's code, kept open between requests.
#[derive(Clone, Debug)]
pub struct Forwarder {
    preview: Arc<Active>,
    /// Keeps connections for requests that can be sent twice.
    pooled: Client<Dial, Body>,
    /// A connection for each request.
    single: Client<Dial, Body>,
}

impl Forwarder {
    /// For one preview.
    #[must_use]
    pub fn new(preview: Arc<Active>) -> Self {
        let pooled = Client::builder(TokioExecutor::new()).build(Dial(Arc::clone(&preview)));
        let mut single = Client::builder(TokioExecutor::new());
        let single = single.pool_max_idle_per_host(0).build(Dial(Arc::clone(&preview)));
        Self { preview, pooled, single }
    }

    /// Whose code it talks to.
    #[must_use]
    pub fn preview(&self) -> &Arc<Active> {
        &self.preview
    }

    /// Sends a request and gives the answer as it comes. Both bodies are streams.
    ///
    /// # Errors
    /// `preview_unavailable` if the code does not run yet or any more, or ends before it answers.
    pub async fn send(&self, mut request: Request<Body>) -> Result<Response<Body>> {
        if !matches!(self.preview.state(), State::Running(_)) {
            return Err(unavailable("The preview is not running yet, or not any more: look at its status."));
        }
        let upgrade = upgrade_of(request.headers());
        remove_hop_by_hop(request.headers_mut());
        if let Some(protocol) = &upgrade {
            request.headers_mut().insert(header::CONNECTION, HeaderValue::from_static("upgrade"));
            request.headers_mut().insert(header::UPGRADE, protocol.clone());
        }
        *request.uri_mut() = self.target(request.uri())?;
        *request.version_mut() = axum::http::Version::HTTP_11;
        let response = self.exchange(request).await.map_err(|e| {
            tracing::debug!(preview = %self.preview.id, error = %e, "no answer from a preview");
            unavailable("The preview ended the connection without an answer: its logs may say why.")
        })?;
        let mut response = response.map(Body::new);
        if response.status() != axum::http::StatusCode::SWITCHING_PROTOCOLS {
            remove_hop_by_hop(response.headers_mut());
        }
        Ok(response)
    }

    /// The code may close a connection in the moment that a request is sent on it, as uvicorn does after an exception.
    /// So only what can be sent again goes over a connection that has been used before.
    async fn exchange(&self, request: Request<Body>) -> Result<Response<Incoming>, ClientError> {
        let Some(again) = copy_if_safe(&request) else { return self.single.request(request).await };
        match self.pooled.request(request).await {
            Err(e) if !e.is_connect() => self.single.request(again).await,
            result => result,
        }
    }

    /// The pool of connections goes by authority: one for each start of the code, none shared with the start before.
    fn target(&self, uri: &Uri) -> Result<Uri> {
        let slot = self.preview.serving_slot().load(Ordering::Acquire);
        let path = uri.path_and_query().map_or("/", |path| path.as_str());
        let built = Uri::builder().scheme("http").authority(format!("slot-{slot}")).path_and_query(path);
        built.build().map_err(|e| Error::invalid("path", format!("This is no path of a request: {e}.")))
    }
}

/// The same request once more, if it changes nothing and has no body.
fn copy_if_safe(request: &Request<Body>) -> Option<Request<Body>> {
    let safe = matches!(*request.method(), Method::GET | Method::HEAD | Method::OPTIONS);
    if !safe || !request.body().is_end_stream() || request.headers().contains_key(header::UPGRADE) {
        return None;
    }
    let mut copy = Request::new(Body::empty());
    *copy.method_mut() = request.method().clone();
    *copy.uri_mut() = request.uri().clone();
    *copy.version_mut() = request.version();
    *copy.headers_mut() = request.headers().clone();
    Some(copy)
}

fn unavailable(message: &str) -> Error {
    Error::PreviewUnavailable { message: message.to_owned() }
}

/// What the request wants to switch to, if anything.
pub fn upgrade_of(headers: &HeaderMap) -> Option<HeaderValue> {
    let mut connection = headers.get_all(header::CONNECTION).into_iter().filter_map(|v| v.to_str().ok());
    let wanted = connection.any(|v| v.split(',').any(|token| token.trim().eq_ignore_ascii_case("upgrade")));
    headers.get(header::UPGRADE).filter(|_| wanted).cloned()
}

fn remove_hop_by_hop(headers: &mut HeaderMap) {
    let named: Vec<HeaderName> = headers
        .get_all(header::CONNECTION)
        .into_iter()
        .filter_map(|value| value.to_str().ok())
        .flat_map(|value| value.split(','))
        .filter_map(|name| name.trim().parse().ok())
        .collect();
    for name in HOP_BY_HOP.iter().chain(&named) {
        headers.remove(name);
    }
}

/// Opens streams to the code that serves.
#[derive(Clone, Debug)]
struct Dial(Arc<Active>);

impl tower::Service<Uri> for Dial {
    type Response = TokioIo<Dialled>;
    type Error = io::Error;
    type Future = BoxFuture<'static, io::Result<Self::Response>>;

    fn poll_ready(&mut self, _: &mut Context<'_>) -> Poll<io::Result<()>> {
        Poll::Ready(Ok(()))
    }

    fn call(&mut self, _: Uri) -> Self::Future {
        let preview = Arc::clone(&self.0);
        Box::pin(async move { Ok(TokioIo::new(Dialled(preview.dial().await?))) })
    }
}

/// A stream that the client's pool can keep.
struct Dialled(Box<dyn Stream>);

impl Connection for Dialled {
    fn connected(&self) -> Connected {
        Connected::new()
    }
}

impl AsyncRead for Dialled {
    fn poll_read(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buf: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        Pin::new(&mut self.0).poll_read(cx, buf)
    }
}

impl AsyncWrite for Dialled {
    fn poll_write(mut self: Pin<&mut Self>, cx: &mut Context<'_>, buf: &[u8]) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.0).poll_write(cx, buf)
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.0).poll_flush(cx)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.0).poll_shutdown(cx)
    }
}
