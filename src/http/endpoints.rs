//! What a generation offers.

use axum::extract::State;
use serde::Serialize;
use serde_json::Value;

use super::caller::Owned;
use super::openapi::Failure;
use super::state::App;
use crate::error::Result;
use crate::preview::State as Life;
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
}

/// What the generation offers
///
/// From the running application where there is one, else from the source, which is read and never executed.
#[utoipa::path(get, path = "/api/generations/{id}/endpoints", tag = "preview", params(("id" = String, Path)),
    responses((status = 200, body = serde_json::Value), (status = 401, body = Failure), (status = 403, body = Failure),
        (status = 404, body = Failure)))]
pub(super) async fn list(State(app): State<App>, owned: Owned) -> Result<axum::Json<Listing>> {
    Ok(axum::Json((*listing(&app, &owned.generation).await?).clone()))
}

/// The listing of the code that serves now, or of the generation's files. Made once for each revision and start.
pub(super) async fn listing(app: &App, generation: &Generation) -> Result<std::sync::Arc<Listing>> {
    let active = app.previews.active(&generation.id);
    let running = active.filter(|active| matches!(active.state(), Life::Running(_)));
    let slot = running.as_ref().map(|running| running.serving_slot());
    let key = (generation.id.clone(), generation.revision, running.as_ref().map(|r| r.id.clone()), slot);
    let make = async {
        let from_source = from_source(app, generation).await?;
        let Some(running) = running else { return Ok(from_source) };
        Ok(match crate::endpoints::ask(&app.gateway.forwarder(&running), &running.options.probe).await {
            Ok(endpoints) => {
                let endpoints = crate::endpoints::merge_running(endpoints, from_source.endpoints);
                Listing { endpoints, source: "openapi", warnings: Vec::new() }
            }
            Err(why) => {
                let mut listing = from_source;
                listing.warnings.insert(0, serde_json::json!({ "message": why.to_string() }));
                listing
            }
        })
    };
    app.listings.get(key, make).await
}

async fn from_source(app: &App, generation: &Generation) -> Result<Listing> {
    let files = app.store.contents(&generation.id).await?;
    let named = generation.entrypoint.clone();
    let read = tokio::task::spawn_blocking(move || crate::endpoints::from_source(&files, named.as_deref()));
    let analysis = read.await.map_err(crate::error::Error::internal)?;
    let warnings = analysis.warnings.iter().filter_map(|w| serde_json::to_value(w).ok()).collect();
    Ok(Listing { endpoints: analysis.endpoints, source: "static", warnings })
}
