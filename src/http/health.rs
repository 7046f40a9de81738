//! For those who watch the server.

use axum::extract::State;
use axum::http::{HeaderMap, StatusCode, header};
use axum::response::{IntoResponse, Response};
use serde_json::json;

use super::state::App;

/// Whether the process answers
#[utoipa::path(get, path = "/healthz", tag = "operation", responses((status = 200, body = serde_json::Value)))]
pub(super) async fn healthz() -> Response {
    axum::Json(json!({ "status": "ok" })).into_response()
}

/// Whether it can do its work
#[utoipa::path(get, path = "/readyz", tag = "operation",
    responses((status = 200, body = serde_json::Value), (status = 503, body = serde_json::Value)))]
pub(super) async fn readyz(State(app): State<App>) -> Response {
    let store = app.store.ping().await.is_ok();
    let runtime = app.previews.runtime_answers().await;
    let status = if store && runtime { StatusCode::OK } else { StatusCode::SERVICE_UNAVAILABLE };
    let word = |ok: bool| if ok { "ok" } else { "unavailable" };
    let body = json!({ "status": word(store && runtime), "store": word(store), "keeper": word(runtime) });
    (status, axum::Json(body)).into_response()
}

/// Metrics in Prometheus' text format
#[utoipa::path(get, path = "/metrics", tag = "operation",
    responses((status = 200, body = String, content_type = "text/plain")))]
pub(super) async fn metrics(State(app): State<App>, headers: HeaderMap) -> Response {
    let states = app.previews.all_active().into_iter().map(|preview| preview.state().name());
    app.metrics.set_previews(states);
    let accepted = headers.get(header::ACCEPT).and_then(|value| value.to_str().ok()).unwrap_or_default();
    // The text is both; older readers take it by its older name only.
    let kind = match accepted.contains("application/openmetrics-text") {
        true => "application/openmetrics-text; version=1.0.0; charset=utf-8",
        false => "text/plain; version=0.0.4; charset=utf-8",
    };
    ([(header::CONTENT_TYPE, kind)], app.metrics.encode()).into_response()
}
