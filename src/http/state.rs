//! What every call needs.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};

use super::listings::Listings;
use super::rate::Rates;
use super::ticket::Tickets;
use crate::auth::Auth;
use crate::config::Config;
use crate::environment::Environments;
use crate::gateway::Forwarder;
use crate::id::PreviewId;
use crate::metrics::Metrics;
use crate::preview::{Active, Previews};
use crate::store::Store;

/// The server, as its routes see it. Clones share everything.
#[derive(Clone)]
pub struct App {
    /// The settings in force.
    pub config: Arc<Config>,
    /// Who is calling.
    pub auth: Arc<Auth>,
    /// Projects, generations, previews, logs.
    pub store: Store,
    /// What runs.
    pub previews: Previews,
    /// What makes environments.
    pub environments: Environments,
    /// What is counted.
    pub metrics: Arc<Metrics>,
    pub(super) tickets: Arc<Tickets>,
    pub(super) rates: Arc<Rates>,
    pub(super) listings: Arc<Listings>,
    forwarders: Arc<Mutex<HashMap<PreviewId, Forwarder>>>,
}

impl App {
    /// Puts the parts together.
    #[must_use]
    pub fn new(
        config: Arc<Config>,
        auth: Arc<Auth>,
        store: Store,
        previews: Previews,
        environments: Environments,
        metrics: Arc<Metrics>,
    ) -> Self {
        let rates = Arc::new(Rates::new(config.launches_per_minute, config.uploads_per_minute));
        Self {
            config,
            auth,
            store,
            previews,
            environments,
            metrics,
            tickets: Arc::default(),
            rates,
            listings: Arc::default(),
            forwarders: Arc::default(),
        }
    }

    /// The way to the code of a preview, with its open connections.
    pub(super) fn forwarder(&self, preview: &Arc<Active>) -> Forwarder {
        let mut forwarders = self.forwarders.lock().unwrap_or_else(PoisonError::into_inner);
        forwarders.retain(|_, forwarder| !forwarder.preview().state().is_over());
        let make = || Forwarder::new(Arc::clone(preview));
        forwarders.entry(preview.id.clone()).or_insert_with(make).clone()
    }
}
