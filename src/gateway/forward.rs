//! Passing a request on to the code of a preview.

use std::sync::Arc;
use std::time::Duration;

use axum::body::Body;
use axum::http::{HeaderValue, Method, Request, Response, StatusCode, Uri, header};
use hyper::body::{Body as _, Incoming};
use tokio::sync::{OwnedSemaphorePermit, Semaphore};
use tokio::time::Instant;

use super::pool::{Answering, Connection, Pool};
use super::record::{Recording, Watchers};
use super::report::Report;
use super::watched::holding;
use super::{Gateway, expect, hop};
use crate::drain::Drain;
use crate::error::{Error, Result};
use crate::history::{History, Via};
use crate::metrics::Traffic;
use crate::preview::{Active, Place};
use crate::processors::Processors;
use crate::traces::{Parent, Span, Traces};

type BoxError = Box<dyn std::error::Error + Send + Sync>;

/// The way to one preview's code.
#[derive(Clone, Debug)]
pub struct Forwarder {
    preview: Arc<Active>,
    pool: Arc<Pool>,
    history: History,
    traffic: Traffic,
    drain: Drain,
    processors: Processors,
    traces: Traces,
    room: Arc<Semaphore>,
}

/// An answer that has begun.
#[derive(Debug)]
pub struct Answered {
    /// Its head, and its body as it comes.
    pub response: Response<Body>,
    /// How long it took to be connected to the code: nothing, on a connection that was open.
    pub connect: Duration,
}

impl Forwarder {
    /// For one preview, with room for as many requests at once by its name as may have connections.
    #[must_use]
    pub(super) fn new(preview: Arc<Active>, gateway: &Gateway) -> Self {
        Self {
            preview,
            pool: Arc::default(),
            history: gateway.history.clone(),
            traffic: gateway.metrics.traffic.clone(),
            drain: gateway.drain.clone(),
            processors: gateway.processors.clone(),
            traces: gateway.traces.clone(),
            room: Arc::new(Semaphore::new(gateway.config.connection_limit)),
        }
    }

    /// What passes by this way and all others.
    #[must_use]
    pub fn traffic(&self) -> &Traffic {
        &self.traffic
    }

    /// A place for a request that comes by the preview's name, once there is one.
    pub(super) async fn place(&self) -> Option<OwnedSemaphorePermit> {
        Arc::clone(&self.room).acquire_owned().await.ok()
    }

    /// Whose code it talks to.
    #[must_use]
    pub fn preview(&self) -> &Arc<Active> {
        &self.preview
    }

    /// Sends a request, keeps it in the history, and gives the answer as it comes. Both bodies are streams.
    /// A preview that sleeps is woken. Until the end of the answer's body `held` is held.
    ///
    /// # Errors
    /// `preview_unavailable` if the code does not run yet or any more, or ends before it answers.
    pub async fn send(
        &self,
        request: Request<Body>,
        via: Via,
        request_id: &HeaderValue,
        held: impl Send + Unpin + 'static,
    ) -> Result<Answered> {
        let under_way = self.drain.under_way();
        self.processors.request();
        let report = Report::begin(&self.traffic, &request, via, request_id);
        let watchers = Watchers { history: &self.history, traffic: &self.traffic };
        let (mut request, recording) = Recording::begin(&watchers, &self.preview, request, via, request_id);
        let mut span = self.trace(&mut request, via);
        let answered = self.send_awake(request, &span).await;
        report.end(&self.preview, &answered);
        span.answered(
            answered.as_ref().map_or_else(Error::status, |(answered, _)| answered.response.status()),
        );
        drop(span);
        let (answered, place) = answered?;
        let awaited = is_awaited(&answered.response).then_some((place, under_way));
        let response = recording.answered(answered.response, (awaited, held));
        Ok(Answered { response, ..answered })
    }

    /// A request as a span: what history keeps of it was said before.
    fn trace(&self, request: &mut Request<Body>, via: Via) -> Span {
        let method = request.method().clone();
        let parent = request.extensions_mut().remove::<Parent>().unwrap_or_default();
        let mut span = self.traces.answer(|| format!("{method} preview"), request.headers_mut(), parent);
        if span.is_kept() {
            span.set("http.request.method", method.to_string());
            span.set("url.path", request.uri().path().to_owned());
            span.set("previewd.via", via.as_str());
            span.set("previewd.preview", self.preview.id.to_string());
            span.set("previewd.generation", self.preview.generation_id.to_string());
            span.set("previewd.user", self.preview.user_id.0.clone());
        }
        span
    }

    async fn send_awake(&self, request: Request<Body>, span: &Span) -> Result<(Answered, Place)> {
        let place = self.preview.enter_awake(span).await?;
        Ok((self.send_in(&place, expect::keep_back(request)).await?, place))
    }

    /// Sends a request of our own, which no history has and no sleep is disturbed by.
    ///
    /// # Errors
    /// As [`Self::send`], and if the preview sleeps.
    pub async fn ask(&self, request: Request<Body>) -> Result<Response<Body>> {
        let place = self.preview.enter().ok_or_else(|| unavailable("The preview does not run now."))?;
        let answered = self.send_in(&place, request).await?;
        Ok(hold(answered.response, place))
    }

    async fn send_in(&self, place: &Place, mut request: Request<Body>) -> Result<Answered> {
        if let Some(uri) = origin_form(request.uri())? {
            *request.uri_mut() = uri;
        }
        *request.version_mut() = axum::http::Version::HTTP_11;
        let (mut response, connect) = self.exchange(place.slot, request).await.map_err(|e| {
            tracing::debug!(preview = %self.preview.id, error = %e, "no answer from a preview");
            unavailable("The preview ended the connection without an answer: its logs may say why.")
        })?;
        if response.status() != StatusCode::SWITCHING_PROTOCOLS {
            hop::strip(response.headers_mut());
        }
        Ok(Answered { response, connect })
    }

    /// The code may close a connection in the moment that a request is sent on it, as uvicorn does after an exception.
    /// So only what can be sent again goes over a connection that has been used before.
    async fn exchange(
        &self,
        slot: u32,
        request: Request<Body>,
    ) -> Result<(Response<Body>, Duration), BoxError> {
        let Some(again) = copy_if_safe(&request) else { return self.exchange_once(slot, request).await };
        let Some(mut used) = self.pool.take(slot) else { return self.exchange_anew(slot, request).await };
        match used.send(request).await {
            Ok(response) => Ok((self.answering(slot, used, response).await, Duration::ZERO)),
            Err(_closed) => self.exchange_anew(slot, again).await,
        }
    }

    async fn exchange_once(
        &self,
        slot: u32,
        request: Request<Body>,
    ) -> Result<(Response<Body>, Duration), BoxError> {
        let exchanged = match self.pool.take_unused(slot) {
            Some(mut unused) => {
                let response = unused.send(request).await?;
                (self.answering(slot, unused, response).await, Duration::ZERO)
            }
            None => self.exchange_anew(slot, request).await?,
        };
        // Whoever sends one such request sends another.
        let (preview, pool) = (Arc::clone(&self.preview), Arc::clone(&self.pool));
        tokio::spawn(async move { pool.open_ahead(&preview, slot).await });
        Ok(exchanged)
    }

    async fn exchange_anew(
        &self,
        slot: u32,
        request: Request<Body>,
    ) -> Result<(Response<Body>, Duration), BoxError> {
        let began = Instant::now();
        let mut new = Connection::open(&self.preview, slot).await?;
        let connected = began.elapsed();
        let response = new.send(request).await?;
        Ok((self.answering(slot, new, response).await, connected))
    }

    async fn answering(
        &self,
        slot: u32,
        connection: Connection,
        response: Response<Incoming>,
    ) -> Response<Body> {
        if response.status() == StatusCode::SWITCHING_PROTOCOLS {
            return response.map(Body::new);
        }
        let (head, body) = response.into_parts();
        let mut body = Answering::new(body, connection, &self.pool, slot);
        body.begin().await;
        Response::from_parts(head, Body::new(body))
    }
}

/// Holds something until the answer's end: a place in the code, the server's patience.
pub fn hold<T: Send + Unpin + 'static>(response: Response<Body>, place: T) -> Response<Body> {
    if is_awaited(&response) { response.map(|body| holding(body, place)) } else { response }
}

/// Whether the answer's end is waited for. That of event streams is not, whose readers come back by themselves.
fn is_awaited(response: &Response<Body>) -> bool {
    let kind = response.headers().get(header::CONTENT_TYPE).and_then(|kind| kind.to_str().ok());
    let endless = kind.is_some_and(|kind| kind.starts_with("text/event-stream"));
    !endless && response.status() != StatusCode::SWITCHING_PROTOCOLS && !response.body().is_end_stream()
}

/// Only path and query, unless that is all there is: to whom a request goes is not the client's to say.
fn origin_form(uri: &Uri) -> Result<Option<Uri>> {
    if uri.scheme().is_none() && uri.authority().is_none() {
        return Ok(None);
    }
    let path = uri.path_and_query().map_or("/", |path| path.as_str());
    let parsed = path.parse().map(Some);
    parsed.map_err(|e| Error::invalid("path", format!("This is no path of a request: {e}.")))
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
