//! What every call needs.

use std::sync::Arc;

use super::listings::Listings;
use super::rate::Rates;
use super::request::SharedJars;
use super::ticket::Tickets;
use crate::audit::Audit;
use crate::auth::Auth;
use crate::config::Config;
use crate::environment::Environments;
use crate::gateway::Gateway;
use crate::metrics::Metrics;
use crate::preview::Previews;
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
    /// Who asked for what.
    pub audit: Audit,
    pub(super) tickets: Arc<Tickets>,
    pub(super) rates: Arc<Rates>,
    pub(super) listings: Arc<Listings>,
    /// The ways to previews.
    pub gateway: Gateway,
    pub(super) jars: SharedJars,
}

impl App {
    /// Puts the parts together.
    #[must_use]
    #[expect(clippy::too_many_arguments, reason = "one for each part")]
    pub fn new(
        config: Arc<Config>,
        auth: Arc<Auth>,
        store: Store,
        previews: Previews,
        environments: Environments,
        metrics: Arc<Metrics>,
        gateway: Gateway,
        audit: Audit,
    ) -> Self {
        let rates = Arc::new(Rates::new(config.launches_per_minute, config.uploads_per_minute));
        Self {
            config,
            auth,
            store,
            previews,
            environments,
            metrics,
            audit,
            tickets: Arc::default(),
            rates,
            listings: Arc::default(),
            gateway,
            jars: Arc::default(),
        }
    }
}
