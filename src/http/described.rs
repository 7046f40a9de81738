//! A generation's OpenAPI document, for editors and generated clients.

use std::sync::Arc;

use axum::extract::State;
use serde_json::Value;

use super::caller::Owned;
use super::openapi::Failure;
use super::state::App;
use crate::error::{Error, Result};
use crate::preview::State as Life;

/// The generation's OpenAPI document
///
/// The running application's own where it has one, else one of version 3.1 that is read from the source.
#[utoipa::path(get, path = "/api/generations/{id}/openapi.json", tag = "preview", params(("id" = String, Path)),
    responses((status = 200, description = "An OpenAPI document of the generation's application.", body = serde_json::Value), (status = 401, body = Failure), (status = 403, body = Failure),
        (status = 404, body = Failure)))]
pub(super) async fn get(State(app): State<App>, owned: Owned) -> Result<axum::Json<Value>> {
    let active = app.previews.active(&owned.generation.id);
    if let Some(running) = active.filter(|active| matches!(active.state(), Life::Running(_)))
        && let Ok(offer) =
            crate::endpoints::ask(&app.gateway.forwarder(&running), &running.options.probe).await
        && let Some(document) = offer.document
    {
        return Ok(axum::Json(document));
    }
    let files = Arc::new(app.store.contents(&owned.generation.id).await?);
    let named = owned.generation.entrypoint;
    let read = tokio::task::spawn_blocking(move || crate::endpoints::from_source(&files, named.as_deref()));
    Ok(axum::Json(read.await.map_err(Error::internal)?.openapi))
}
