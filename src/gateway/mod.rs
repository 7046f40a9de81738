//! A preview's own origin: checks the token, takes it off, and passes everything else through.

mod expect;
mod forward;
pub(crate) mod hop;
mod host;
mod known;
mod limit;
mod origin;
mod page;
mod peer;
mod pool;
mod quiet;
mod record;
mod report;
mod rewrite;
mod serve;
mod tls;
mod token;
mod upgrade;
mod watched;

use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};

use axum::body::Body;
use axum::http::{Request, Response, header};

pub use forward::{Answered, Forwarder, hold};
pub use hop::strip_request;
pub use host::Named;
pub use origin::{Origin, address_of, request_id};
pub use serve::{http_server, serve};
pub use tls::{Reached, Tls};

use self::known::Known;
use crate::auth::Auth;
use crate::config::Config;
use crate::drain::Drain;
use crate::history::History;
use crate::id::PreviewId;
use crate::metrics::Metrics;
use crate::preview::{Active, Previews, State};
use crate::processors::Processors;
use crate::traces::Traces;

/// Request header that carries the preview's token.
pub const TOKEN_HEADER: &str = "x-preview-token";
/// Names a request in the preview's log.
pub const REQUEST_ID_HEADER: &str = "x-request-id";

/// The ways to all previews, by their own addresses and by the API. Clones share them.
#[derive(Clone)]
pub struct Gateway {
    config: Arc<Config>,
    auth: Arc<Auth>,
    metrics: Arc<Metrics>,
    /// What its addresses speak.
    pub tls: Tls,
    /// What was asked and answered.
    pub history: History,
    /// How far the server's end is.
    pub drain: Drain,
    /// Where it is told what became of requests, and of calls.
    pub traces: Traces,
    processors: Processors,
    known: Arc<Known>,
    forwarders: Arc<Mutex<HashMap<PreviewId, Forwarder>>>,
}

impl Gateway {
    /// Puts the parts together.
    #[must_use]
    pub fn new(
        config: Arc<Config>,
        auth: Arc<Auth>,
        metrics: Arc<Metrics>,
        tls: Tls,
        history: History,
        drain: Drain,
        traces: Traces,
    ) -> Self {
        let known = Arc::new(Known::of_server(&config));
        let processors = Processors::of(config.cpu_awake);
        Self {
            config,
            auth,
            metrics,
            tls,
            history,
            drain,
            traces,
            processors,
            known,
            forwarders: Arc::default(),
        }
    }

    /// The way to the code of a preview, with its open connections.
    #[must_use]
    pub fn forwarder(&self, preview: &Arc<Active>) -> Forwarder {
        let mut forwarders = self.forwarders.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(known) = forwarders.get(&preview.id) {
            return known.clone();
        }
        forwarders.retain(|_, forwarder| !forwarder.preview().state().is_over());
        let forwarder = Forwarder::new(Arc::clone(preview), self);
        if !State::is_over(&preview.state()) {
            forwarders.insert(preview.id.clone(), forwarder.clone());
        }
        forwarder
    }

    /// The preview is over. What is kept for it goes, its log in memory with it.
    fn forget(&self, preview: &PreviewId) {
        self.forwarders.lock().unwrap_or_else(PoisonError::into_inner).remove(preview);
    }

    /// A preview's own address.
    #[must_use]
    pub fn origin(&self, preview: &Arc<Active>) -> Origin {
        Origin::new(self.forwarder(preview), self)
    }

    /// The answer to a request to the server itself that calls it by a name which is not its own.
    #[must_use]
    pub fn misdirected<B>(&self, request: &Request<B>) -> Option<Response<Body>> {
        // Load balancers ask by whatever name they are given, and are told nothing that matters.
        if matches!(request.uri().path(), "/healthz" | "/readyz") {
            return None;
        }
        let error = self.known.check(request).err()?;
        Some(page::refuse_here(error, request.headers().get(header::ACCEPT)))
    }

    /// The preview that a request to the server's own address is for, by the name of the host that it calls:
    /// `None` if it is for the server itself.
    #[must_use]
    pub fn named<B>(&self, request: &Request<B>, previews: &Previews) -> Option<Named> {
        let id = host::preview_of(request, &self.config.base_url_template)?;
        Some(match previews.active_by_id(&id) {
            Some(preview) => Named::Preview(Box::new(self.origin(&preview))),
            None => Named::Nobody,
        })
    }
}
