//! What is in force for whoever asks.

use axum::extract::State;
use serde_json::{Value, json};

use super::caller::Owned;
use super::openapi::Failure;
use super::state::App;
use crate::error::Result;

/// What is in force for this user
#[utoipa::path(get, operation_id = "get_preview_config", path = "/api/generations/{id}/preview/config", tag = "preview", params(("id" = String, Path)),
    responses((status = 200, description = "Limits and times as they are now.", body = super::shapes::PreviewConfig), (status = 401, body = Failure), (status = 403, body = Failure),
        (status = 404, body = Failure)))]
pub(super) async fn get(State(app): State<App>, owned: Owned) -> Result<axum::Json<Value>> {
    let config = &app.config;
    let limit = config.limit_for(owned.caller.tier);
    let mut limits = json!(config.limits);
    limits["egress"] = json!(if config.egress { "on" } else { "off" });
    let (quotas, used) = (config.quotas, app.store.usage(&owned.caller.user).await?);
    let stored = quotas.stored_mb.map(|mb| mb.saturating_mul(1 << 20));
    let quota = |limit: Option<u64>, used: u64| json!({ "limit": limit, "used": used });
    Ok(axum::Json(json!({
        "previewTimeout": config.session_timeout,
        "maxInstances": limit,
        "sessionExpiry": config.session_timeout,
        "autoStopInactiveAfter": config.inactive_timeout,
        "idleAction": config.idle_action,
        "environment": { "NODE_ENV": "development", "LOG_LEVEL": config.log_level },
        "limitations": {
            "tier": owned.caller.tier,
            "maxConcurrentPreviews": limit,
            "maxSessionDuration": config.session_timeout,
            // Logs are streamed as server-sent events; a WebSocket for them is not there.
            "features": { "websocketLogs": false, "advancedMetrics": false },
        },
        "limits": limits,
        "quotas": {
            "projects": quota(quotas.projects, used.projects),
            "generations": quota(quotas.generations, used.generations),
            "storedBytes": quota(stored, used.stored_bytes),
        },
        "rates": {
            "launchesPerMinute": config.launches_per_minute,
            "uploadsPerMinute": config.uploads_per_minute,
        },
    })))
}
