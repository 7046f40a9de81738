//! What a preview is doing, and ending it.

use axum::extract::State;
use serde::Serialize;
use serde_json::Value;
use utoipa::ToSchema;

use super::caller::Owned;
use super::openapi::Failure;
use super::state::App;
use crate::auth::Caller;
use crate::error::{Error, LaunchFailure, Result};
use crate::preview::{Active, State as Life, StopReason};
use crate::store::{Generation, Health, Preview};
use crate::time::UnixMillis;

/// A preview's status.
#[derive(Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub(super) struct StatusBody {
    /// `preview_…`
    preview_instance_id: String,
    /// What was launched.
    generation_id: String,
    /// `launching`, `running` or `failed`; in a list of previews `stopped` as well.
    #[schema(value_type = super::shapes::PreviewState)]
    status: &'static str,
    /// The preview's own address.
    base_url: Option<String>,
    /// Opens it; only its owner sees this answer.
    preview_token: Option<String>,
    /// Whole seconds since it first answered.
    uptime: i64,
    /// When its health was last looked at.
    #[schema(value_type = Option<String>, format = DateTime)]
    last_health_check: Option<UnixMillis>,
    /// `unknown` (it has no health route), `healthy` or `unhealthy`.
    #[schema(value_type = super::shapes::HealthState)]
    health_status: Health,
    /// When the launch was asked for.
    #[schema(value_type = String, format = DateTime)]
    created_at: UnixMillis,
    /// When it first answered.
    #[schema(value_type = Option<String>, format = DateTime)]
    started_at: Option<UnixMillis>,
    /// When its time is over.
    #[schema(value_type = String, format = DateTime)]
    expires_at: UnixMillis,
    /// What it offers, as `GET /endpoints` lists it, in short.
    #[schema(value_type = Vec<super::shapes::EndpointBrief>)]
    generated_endpoints: Vec<Value>,
    /// Revision of the code that serves.
    revision: i64,
    /// Whether it sleeps: it runs, but has no process until the next request.
    asleep: bool,
    /// Resident bytes of its processes.
    memory_bytes: Option<u64>,
    /// Why it failed, in one sentence.
    error_message: Option<String>,
    /// Why it failed.
    #[schema(value_type = Option<super::shapes::LaunchFailure>)]
    failure: Option<LaunchFailure>,
}

/// A preview that was stopped.
#[derive(Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub(super) struct Stopped {
    /// `stopped`
    status: &'static str,
    /// For people.
    message: &'static str,
    /// When.
    #[schema(value_type = String, format = DateTime)]
    stopped_at: UnixMillis,
}

/// The caller's previews.
#[derive(Serialize, ToSchema)]
pub(super) struct Mine {
    /// Newest first: those that launch or run, and what became of the last one of each other generation.
    #[schema(value_type = Vec<StatusBody>)]
    previews: Vec<Value>,
}

/// What the preview is doing
#[utoipa::path(get, operation_id = "get_preview_status", path = "/api/generations/{id}/preview/status", tag = "preview", params(("id" = String, Path)),
    responses((status = 200, description = "What the preview is doing, or how it failed.", body = StatusBody), (status = 401, body = Failure), (status = 403, body = Failure),
        (status = 404, body = Failure)))]
pub(super) async fn status(State(app): State<App>, owned: Owned) -> Result<axum::Json<StatusBody>> {
    let Some(active) = app.previews.active(&owned.generation.id) else {
        let failed = app.previews.require_failed(&owned.generation.id).await?;
        return Ok(axum::Json(of_failed(failed)));
    };
    let endpoints = short_endpoints(&app, &owned.generation).await;
    Ok(axum::Json(of_active(&app, &active, endpoints).await))
}

async fn of_active(app: &App, active: &Active, generated_endpoints: Vec<Value>) -> StatusBody {
    let state = active.state();
    let running = state.answering();
    let now = UnixMillis::now();
    let failure = match &state {
        Life::Failed(failure) => Some(failure.clone()),
        _ => None,
    };
    StatusBody {
        preview_instance_id: active.id.to_string(),
        generation_id: active.generation_id.to_string(),
        status: if failure.is_some() { "failed" } else { state.name() },
        base_url: Some(active.base_url.clone()),
        preview_token: Some(app.auth.preview_token(&active.id)),
        uptime: running.map_or(0, |r| (now.0 - r.started_at.0).max(0) / 1000),
        last_health_check: running.map(|r| r.checked_at),
        health_status: running.map_or(Health::Unknown, |r| r.health),
        created_at: active.created_at,
        started_at: running.map(|r| r.started_at),
        expires_at: active.expires_at,
        generated_endpoints,
        revision: active.revision(),
        asleep: matches!(state, Life::Asleep(_)),
        memory_bytes: active.memory_bytes().await,
        error_message: failure.as_ref().map(|f| f.message.clone()),
        failure,
    }
}

/// One that another server of the same store holds, as the store knows it.
fn of_another_servers(app: &App, preview: Preview) -> StatusBody {
    let base_url = preview.port.map(|port| app.config.base_url(port, &preview.id));
    let preview_token = Some(app.auth.preview_token(&preview.id));
    let uptime = preview.started_at.map_or(0, |started| (UnixMillis::now().0 - started.0).max(0) / 1000);
    let (status, asleep, health_status) = (preview.status.as_str(), preview.asleep, preview.health);
    StatusBody { status, base_url, preview_token, uptime, asleep, health_status, ..of_failed(preview) }
}

fn of_failed(preview: Preview) -> StatusBody {
    StatusBody {
        preview_instance_id: preview.id.to_string(),
        generation_id: preview.generation_id.to_string(),
        status: "failed",
        base_url: None,
        preview_token: None,
        uptime: 0,
        last_health_check: preview.last_health_check,
        // What it last said while it served is not what it is now.
        health_status: if preview.started_at.is_some() { Health::Unhealthy } else { preview.health },
        created_at: preview.created_at,
        started_at: preview.started_at,
        expires_at: preview.expires_at,
        generated_endpoints: Vec::new(),
        revision: preview.revision,
        asleep: false,
        memory_bytes: None,
        error_message: preview.failure.as_ref().map(|f| f.message.clone()),
        failure: preview.failure,
    }
}

/// Method, path and description of each endpoint; the list must not make the status slow.
async fn short_endpoints(app: &App, generation: &Generation) -> Vec<Value> {
    let Ok(listing) = super::endpoints::listing(app, generation).await else { return Vec::new() };
    let short = |e: &pysource::Endpoint| serde_json::json!({ "method": e.method, "path": e.path, "description": e.description });
    listing.endpoints.iter().map(short).collect()
}

/// Ends the preview
///
/// Once this has answered, no process of the preview is left, its port is free and its files are gone.
#[utoipa::path(delete, operation_id = "stop_preview", path = "/api/generations/{id}/preview", tag = "preview", params(("id" = String, Path)),
    responses((status = 200, description = "Nothing of the preview is left.", body = Stopped), (status = 401, body = Failure), (status = 403, body = Failure),
        (status = 404, body = Failure)))]
pub(super) async fn stop(State(app): State<App>, owned: Owned) -> Result<axum::Json<Stopped>> {
    let stopped_at = app.previews.stop(&owned.generation.id, StopReason::Stopped).await?;
    let message = "Preview instance stopped successfully";
    Ok(axum::Json(Stopped { status: "stopped", message, stopped_at }))
}

/// The caller's previews
#[utoipa::path(get, operation_id = "list_previews", path = "/api/previews", tag = "preview",
    responses((status = 200, description = "The caller's previews.", body = Mine), (status = 401, body = Failure)))]
pub(super) async fn mine(State(app): State<App>, caller: Caller) -> Result<axum::Json<Mine>> {
    let mut seen = std::collections::HashSet::new();
    let mut previews = Vec::new();
    for preview in app.store.previews_of(&caller.user).await? {
        if !seen.insert(preview.generation_id.clone()) {
            continue;
        }
        let body = match app.previews.active(&preview.generation_id) {
            Some(active) => of_active(&app, &active, Vec::new()).await,
            None if preview.status.is_active() => of_another_servers(&app, preview),
            None => StatusBody { status: preview.status.as_str(), ..of_failed(preview) },
        };
        previews.push(serde_json::to_value(body).map_err(Error::internal)?);
    }
    Ok(axum::Json(Mine { previews }))
}
