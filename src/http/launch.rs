//! Launching a preview.

use std::collections::BTreeMap;
use std::sync::Arc;

use axum::extract::State;
use axum::http::{HeaderMap, StatusCode};
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use super::body::{Json, Query};
use super::caller::Owned;
use super::openapi::Failure;
use super::rate::Kind;
use super::state::App;
use crate::error::{Error, Result};
use crate::preview::{Active, LaunchRequest, Phases, State as Life};
use crate::store::Generation;
use crate::time::UnixMillis;

/// Bytes of all names and values of a launch's environment: the kernel's limit for one string is 128 KiB.
const ENVIRONMENT: usize = 64 * 1024;

/// How to launch. Everything may be left out.
#[derive(Debug, Default, Deserialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub(super) struct LaunchBody {
    /// The generation of the path, once more.
    generation_id: Option<String>,
    /// The project that it belongs to.
    project_id: Option<String>,
    /// Environment variables of this launch.
    env: Option<BTreeMap<String, String>>,
    /// `fresh` (the default) or `keep`.
    database: Option<Database>,
}

/// Which database a launch uses.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize, ToSchema)]
#[serde(rename_all = "lowercase")]
enum Database {
    /// An empty one, gone with the preview.
    Fresh,
    /// The generation's own.
    Keep,
}

/// A preview that was launched, or is being launched.
#[derive(Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub(super) struct Launched {
    /// `launched`, or `launching` where it was not waited for.
    status: &'static str,
    /// `preview_…`
    preview_instance_id: String,
    /// What was launched.
    generation_id: String,
    /// The preview's own address.
    base_url: String,
    /// Opens it.
    preview_token: String,
    /// When its time is over.
    #[schema(value_type = String, format = DateTime)]
    expires_at: UnixMillis,
    /// Answers 200 or 503, without a token.
    health_check_url: String,
    /// Milliseconds from the request to the first answer of the application.
    launch_ms: Option<u64>,
    /// Where they went.
    #[schema(value_type = Option<super::shapes::LaunchPhases>)]
    phases: Option<Phases>,
}

/// Launches a preview
///
/// Answers when it really serves, or when it is known that it will not; with `wait=false` at once.
#[utoipa::path(post, operation_id = "launch_preview", path = "/api/generations/{id}/preview/launch", tag = "preview",
    params(("id" = String, Path), ("wait" = Option<bool>, Query)), request_body = Option<LaunchBody>,
    responses((status = 200, description = "The preview serves.", body = Launched), (status = 202, description = "The launch has begun: `status` and the log tell what becomes of it.", body = Launched), (status = 400, body = Failure),
        (status = 401, body = Failure), (status = 403, body = Failure), (status = 404, body = Failure),
        (status = 409, body = Failure), (status = 429, body = Failure), (status = 500, body = Failure),
        (status = 504, body = Failure)))]
pub(super) async fn launch(
    State(app): State<App>,
    owned: Owned,
    query: Query,
    headers: HeaderMap,
    Json(body): Json<Option<LaunchBody>>,
) -> Result<(StatusCode, axum::Json<Launched>)> {
    let body = body.unwrap_or_default();
    check_ids(&body, &owned.generation)?;
    let env = body.env.unwrap_or_default();
    check_environment(&env)?;
    let wait = query.parse("wait", "true or false", |text| text.parse().ok())?.unwrap_or(true);
    app.rates.take(Kind::Launches, &owned.caller.user)?;
    let request = LaunchRequest {
        env,
        keep_database: body.database == Some(Database::Keep),
        limit: app.config.limit_for(owned.caller.tier),
        parent: app.gateway.traces.parent(&headers),
    };
    // A task of its own: a client that leaves in the middle must not leave half a launch behind.
    let (previews, generation) = (app.previews.clone(), owned.generation);
    let begun = tokio::spawn(async move { previews.launch(&generation, request).await });
    let preview = begun.await.map_err(Error::internal)??;
    if !wait {
        return Ok((StatusCode::ACCEPTED, axum::Json(describe(&app, &preview, None))));
    }
    match preview.wait_for(|state| *state != Life::Launching).await {
        Life::Running(running) | Life::Asleep(running) => {
            Ok((StatusCode::OK, axum::Json(describe(&app, &preview, Some(running.phases)))))
        }
        Life::Failed(failure) => Err(Error::LaunchFailed(Box::new(failure))),
        Life::Stopped { .. } | Life::Launching => Err(Error::LaunchCancelled),
    }
}

fn describe(app: &App, preview: &Arc<Active>, phases: Option<Phases>) -> Launched {
    Launched {
        status: if phases.is_some() { "launched" } else { "launching" },
        preview_instance_id: preview.id.to_string(),
        generation_id: preview.generation_id.to_string(),
        base_url: preview.base_url.clone(),
        preview_token: app.auth.preview_token(&preview.id),
        expires_at: preview.expires_at,
        health_check_url: format!("{}/health", preview.base_url),
        launch_ms: phases.map(|phases| phases.total()),
        phases,
    }
}

fn check_ids(body: &LaunchBody, generation: &Generation) -> Result<()> {
    if body.generation_id.as_deref().is_some_and(|id| id != generation.id.as_str()) {
        return Err(Error::invalid("generationId", "The body names another generation than the address."));
    }
    if body.project_id.as_deref().is_some_and(|id| id != generation.project_id.as_str()) {
        return Err(Error::invalid("projectId", "The generation is not of the project that the body names."));
    }
    Ok(())
}

fn check_environment(env: &BTreeMap<String, String>) -> Result<()> {
    for (name, value) in env {
        if name.is_empty() || name.contains(['=', '\0']) || value.contains('\0') {
            let message = "A variable has a name, without `=`, and neither name nor value has a NUL.";
            return Err(Error::invalid("env", message));
        }
    }
    let bytes: usize = env.iter().map(|(name, value)| name.len() + value.len() + 2).sum();
    if bytes > ENVIRONMENT {
        return Err(Error::TooLarge { what: "The environment".to_owned(), limit: ENVIRONMENT as u64 });
    }
    Ok(())
}
