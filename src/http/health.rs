//! For those who watch the server.

use std::path::Path;
use std::time::Duration;

use axum::extract::State;
use axum::http::{HeaderMap, StatusCode, header};
use axum::response::{IntoResponse, Response};
use serde::Serialize;
use utoipa::ToSchema;

use super::state::App;
use crate::environment::Census;
use crate::metrics::Seen;
use crate::preview::State as Life;

/// For one check of readiness.
const PATIENCE: Duration = Duration::from_secs(3);
/// Bytes that must be free where the server writes.
const ROOM: u64 = 1 << 20;

/// The process answers.
#[derive(Serialize, ToSchema)]
pub(super) struct Alive {
    /// `ok`
    status: &'static str,
}

/// What the server can do: each is `ok` or `unavailable`.
#[derive(Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub(super) struct Readiness {
    /// `ok` if all of them are.
    status: &'static str,
    /// Names of those that are not.
    failing: Vec<&'static str>,
    /// It answers.
    store: &'static str,
    /// It answers.
    keeper: &'static str,
    /// It can be written and has room.
    data_directory: &'static str,
    /// The server was not told to end.
    serving: &'static str,
}

/// Whether the process answers
#[utoipa::path(get, path = "/healthz", tag = "operation", responses((status = 200, description = "The process answers.", body = Alive)))]
pub(super) async fn healthz() -> axum::Json<Alive> {
    axum::Json(Alive { status: "ok" })
}

/// Whether it can do its work
///
/// 503 with the names of the checks that fail, where the store does not answer, the keeper does not, the data directory
/// cannot be written or is full, or the server is about to end.
#[utoipa::path(get, path = "/readyz", tag = "operation",
    responses((status = 200, description = "Everything that it needs is there.", body = Readiness), (status = 503, description = "Something that it needs is not there: `failing` names it.", body = Readiness)))]
pub(super) async fn readyz(State(app): State<App>) -> Response {
    let (store, keeper) = tokio::join!(
        in_time(async { app.store.ping().await.is_ok() }),
        in_time(app.previews.runtime_answers())
    );
    let data_directory = has_room(&app.config.data_dir);
    let serving = !app.gateway.drain.has_begun();
    let checks =
        [("store", store), ("keeper", keeper), ("dataDirectory", data_directory), ("serving", serving)];
    let failing: Vec<_> = checks.iter().filter(|(_, ok)| !ok).map(|(name, _)| *name).collect();
    let word = |ok: bool| if ok { "ok" } else { "unavailable" };
    let status = if failing.is_empty() { StatusCode::OK } else { StatusCode::SERVICE_UNAVAILABLE };
    let body = Readiness {
        status: word(failing.is_empty()),
        failing,
        store: word(store),
        keeper: word(keeper),
        data_directory: word(data_directory),
        serving: word(serving),
    };
    (status, [(header::CACHE_CONTROL, "no-store")], axum::Json(body)).into_response()
}

async fn in_time(check: impl Future<Output = bool>) -> bool {
    tokio::time::timeout(PATIENCE, check).await.unwrap_or(false)
}

/// Whether something could be written there. Nothing is: anybody may ask, as often as they like.
fn has_room(directory: &Path) -> bool {
    let writable = rustix::fs::access(directory, rustix::fs::Access::WRITE_OK).is_ok();
    let room = rustix::fs::statvfs(directory).is_ok_and(|fs| {
        // Some file systems make files out of nothing and count none.
        let files = fs.f_files == 0 || fs.f_favail > 0;
        files && fs.f_bavail.saturating_mul(fs.f_frsize) >= ROOM
    });
    writable && room
}

/// Metrics in Prometheus' text format
#[utoipa::path(get, path = "/metrics", tag = "operation",
    responses((status = 200, description = "All metrics.", body = String, content_type = "text/plain")))]
pub(super) async fn metrics(State(app): State<App>, headers: HeaderMap) -> Response {
    let states: Vec<_> = app.previews.all_active().into_iter().map(|preview| preview.state()).collect();
    app.metrics.set_previews(states.iter().map(Life::name));
    let directory = app.config.data_dir.join("environments");
    let census = tokio::task::spawn_blocking(move || Census::of(&directory).unwrap_or_default()).await;
    let census = census.unwrap_or_default();
    app.metrics.set_seen(Seen {
        asleep: states.iter().filter(|state| matches!(state, Life::Asleep(_))).count(),
        environments: census.environments,
        environment_bytes: census.bytes,
        audit_lost: app.audit.lost(),
    });
    let accepted = headers.get(header::ACCEPT).and_then(|value| value.to_str().ok()).unwrap_or_default();
    // The text is both; older readers take it by its older name only.
    let kind = match accepted.contains("application/openmetrics-text") {
        true => "application/openmetrics-text; version=1.0.0; charset=utf-8",
        false => "text/plain; version=0.0.4; charset=utf-8",
    };
    ([(header::CONTENT_TYPE, kind)], app.metrics.encode()).into_response()
}
