//! Exchanges on their way into the history.

use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};

use axum::body::Body;
use axum::http::{HeaderValue, Request, Response};
use hyper::body::Body as _;
use prometheus_client::metrics::counter::Counter;
use tokio::time::Instant;

use super::watched::{Polled, Watch, watched};
use crate::history::{Capture, Draft, Head, History, TakenDown, Via};
use crate::metrics::Traffic;
use crate::preview::Active;
use crate::time::UnixMillis;

/// Who is told of what passes.
pub struct Watchers<'a> {
    /// Keeps it.
    pub history: &'a History,
    /// Counts it.
    pub traffic: &'a Traffic,
}

/// A request on its way into the history, where it arrives whatever becomes of it.
#[derive(Debug)]
pub struct Recording {
    taken_down: TakenDown,
    response_body: Capture,
    to_clients: Counter,
}

impl Recording {
    /// Takes down the head of a request; its body is taken down as it passes.
    pub fn begin(
        watchers: &Watchers<'_>,
        preview: &Arc<Active>,
        request: Request<Body>,
        via: Via,
        request_id: &HeaderValue,
    ) -> (Request<Body>, Self) {
        let Watchers { history, traffic } = *watchers;
        let is_empty = request.body().is_end_stream();
        let request_body = if is_empty { Capture::of_nothing() } else { history.capture() };
        let response_body = history.capture();
        let draft = Draft {
            generation_id: preview.generation_id.clone(),
            preview_id: preview.id.clone(),
            revision: preview.revision(),
            at: UnixMillis::now(),
            began: Instant::now(),
            request_id: request_id.clone(),
            via,
            method: request.method().clone(),
            target: request.uri().path_and_query().map_or("/", |target| target.as_str()).to_owned(),
            request_headers: Head::from(request.headers()),
            request_body: request_body.clone(),
            status: None,
            response_headers: Head::default(),
            response_body: response_body.clone(),
            micros: 0,
        };
        let request = if is_empty {
            request
        } else {
            let bytes = traffic.from_clients.clone();
            request.map(|body| watched(body, Captured { capture: request_body, bytes, _held: () }))
        };
        let (taken_down, to_clients) = (history.take_down(draft), traffic.to_clients.clone());
        (request, Self { taken_down, response_body, to_clients })
    }

    /// The head of the answer has come. Until the end of its body something else is held with what is taken down.
    pub fn answered<T: Send + Unpin + 'static>(
        mut self,
        response: Response<Body>,
        held: T,
    ) -> Response<Body> {
        self.taken_down.answered(response.status(), response.headers());
        if response.body().is_end_stream() {
            return response;
        }
        let Self { taken_down, response_body: capture, to_clients: bytes } = self;
        response.map(|body| watched(body, Captured { capture, bytes, _held: (taken_down, held) }))
    }
}

/// Takes down the first bytes of a body. The request is over when its answer's body is dropped.
struct Captured<T> {
    capture: Capture,
    bytes: Counter,
    _held: T,
}

impl<T: Send + Unpin + 'static> Watch for Captured<T> {
    fn poll(&mut self, body: &mut Body, cx: &mut Context<'_>) -> Polled {
        let polled = Pin::new(body).poll_frame(cx);
        if let Poll::Ready(Some(Ok(frame))) = &polled
            && let Some(data) = frame.data_ref()
        {
            self.capture.push(data);
            self.bytes.inc_by(data.len() as u64);
        }
        polled
    }
}
