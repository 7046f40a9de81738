//! What a generation offers.

use std::sync::Arc;

use axum::extract::State;
use serde::Serialize;
use serde_json::{Value, json};

use super::caller::Owned;
use super::listings::{Key, Of};
use super::openapi::Failure;
use super::state::App;
use crate::endpoints::{ask, merge_running, read_offer};
use crate::environment::Environment;
use crate::error::{Error, Result};
use crate::generation::{Plan, plan_of_read};
use crate::preview::State as Life;
use crate::runtime::Undescribed;
use crate::store::Generation;

/// The answer of `GET /endpoints`.
#[derive(Clone, Debug, Serialize)]
pub(super) struct Listing {
    /// What there is.
    pub endpoints: Vec<pysource::Endpoint>,
    /// `static` or `openapi`.
    pub source: &'static str,
    /// What could not be known.
    pub warnings: Vec<Value>,
    /// How the application is imported, where its source leaves something open and it can be launched.
    #[serde(skip)]
    plan: Option<Arc<Plan>>,
}

impl Listing {
    /// The application's own word; the source describes what that leaves out.
    fn from_application(offer: crate::endpoints::Running, read: Self) -> Self {
        let endpoints = merge_running(offer, read.endpoints);
        Self { endpoints, source: "openapi", warnings: Vec::new(), plan: read.plan }
    }

    /// What was read from the source, as the application did not answer; nor is it asked again in another way.
    fn instead(mut self, why: &str) -> Self {
        self.warnings.insert(0, json!({ "message": why }));
        Self { plan: None, ..self }
    }
}

/// What the generation offers
///
/// From the running application where there is one, else from the source. Where that leaves something open and the
/// packages are there, the application is imported in a sandbox and asked.
#[utoipa::path(get, operation_id = "list_endpoints", path = "/api/generations/{id}/endpoints", tag = "preview", params(("id" = String, Path)),
    responses((status = 200, description = "What it offers, and what of that could not be known.", body = super::shapes::Endpoints), (status = 401, body = Failure), (status = 403, body = Failure),
        (status = 404, body = Failure)))]
pub(super) async fn list(State(app): State<App>, owned: Owned) -> Result<axum::Json<Listing>> {
    let generation = &owned.generation;
    let listing = listing(&app, generation).await?;
    let listing = match importable(&app, &listing) {
        Some((plan, environment)) => imported(&app, generation, &plan, &environment, listing).await?,
        None => listing,
    };
    Ok(axum::Json((*listing).clone()))
}

/// The listing of the code that serves now, or of the generation's files. Made once for each revision and start.
pub(super) async fn listing(app: &App, generation: &Generation) -> Result<Arc<Listing>> {
    let active = app.previews.active(&generation.id);
    let running = active.filter(|active| matches!(active.state(), Life::Running(_)));
    let of =
        running.as_ref().map_or(Of::Source, |running| Of::Start(running.id.clone(), running.serving_slot()));
    let make = async {
        let read = from_source(app, generation).await?;
        let Some(running) = running else { return Ok(read) };
        Ok(match ask(&app.gateway.forwarder(&running), &running.options.probe).await {
            Ok(offer) => Listing::from_application(offer, read),
            Err(why) => read.instead(&why.to_string()),
        })
    };
    app.listings.get(Key::new(generation, of), make).await
}

/// How to import the application and with which packages, if its source leaves something open and they are there.
fn importable(app: &App, listing: &Listing) -> Option<(Arc<Plan>, Environment)> {
    let open = listing.source == "static" && !listing.warnings.is_empty();
    let plan = listing.plan.as_ref().filter(|_| open)?;
    Some((Arc::clone(plan), app.environments.existing(&plan.requirements)?))
}

/// The listing of the imported application. Made once for each revision and environment, unless it was the server's
/// own fault that it could not be.
async fn imported(
    app: &App,
    generation: &Generation,
    plan: &Plan,
    environment: &Environment,
    read: Arc<Listing>,
) -> Result<Arc<Listing>> {
    let key = Key::new(generation, Of::Import(environment.key.clone()));
    let make = async {
        let read = (*read).clone();
        let offered = match app.previews.describe(generation, plan, environment).await? {
            Ok(text) => read_offer(&text).map_err(|error| error.to_string()),
            Err(Undescribed::Host(error)) => return Err(Error::internal(error)),
            Err(why) => Err(format!("The application was not asked what it offers: {why}.")),
        };
        Ok(match offered {
            Ok(offer) => Listing::from_application(offer, read),
            Err(why) => read.instead(&why),
        })
    };
    match app.listings.get(key, make).await {
        Ok(listing) => Ok(listing),
        Err(error) => {
            tracing::warn!(%error, "an application could not be imported");
            let why = "This server could not import the application to ask it what it offers.";
            Ok(Arc::new((*read).clone().instead(why)))
        }
    }
}

async fn from_source(app: &App, generation: &Generation) -> Result<Listing> {
    let files = Arc::new(app.store.contents(&generation.id).await?);
    let named = generation.entrypoint.clone();
    let read = tokio::task::spawn_blocking(move || {
        let analysis = crate::endpoints::from_source(&files, named.as_deref());
        // It matters only where the application may have to be asked.
        let served = Some(analysis.served.clone()).filter(|_| !analysis.warnings.is_empty());
        let plan = served.and_then(|served| plan_of_read(&files, named.as_deref(), served).ok());
        (analysis, plan.map(Arc::new))
    });
    let (analysis, plan) = read.await.map_err(Error::internal)?;
    let warnings = analysis.warnings.iter().filter_map(|w| serde_json::to_value(w).ok()).collect();
    Ok(Listing { endpoints: analysis.endpoints, source: "static", warnings, plan })
}
