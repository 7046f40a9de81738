//! What a generation's previews were asked: to look at, to send again, to take along.

use axum::extract::State;
use axum::http::{HeaderMap, HeaderName, HeaderValue, header};
use axum::response::{IntoResponse, Response};
use serde::Serialize;
use utoipa::ToSchema;

use super::body::{Json, Query};
use super::caller::{Owned, parameter};
use super::har;
use super::openapi::Failure;
use super::request::{self, Answer, Content, Outgoing};
use super::state::App;
use crate::error::{Error, Result};
use crate::history::{Detail, Via};
use crate::store::{RequestQuery, RequestRow};
use crate::time::UnixMillis;

/// Requests of a page: not given, and at the most.
const PAGE: usize = 50;
const LARGEST_PAGE: usize = 500;
/// Headers of the way to the preview, which a replay goes anew.
const OF_THE_WAY: [&str; 10] = [
    "host",
    "content-length",
    "connection",
    "expect",
    "x-request-id",
    "x-forwarded-for",
    "x-forwarded-host",
    "x-forwarded-proto",
    "traceparent",
    "tracestate",
];

/// A request of the history.
#[derive(Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub(super) struct KeptRequest {
    /// Counts up from 1 within a generation.
    id: i64,
    /// Its name in the log.
    request_id: String,
    /// Which launch it was.
    preview_instance_id: String,
    /// Revision of the code that answered.
    revision: i64,
    /// When it was asked.
    #[schema(value_type = String, format = DateTime)]
    timestamp: UnixMillis,
    /// Whether it came by the preview's own address, by the API or from the history.
    #[schema(value_type = Via)]
    via: String,
    /// Its method.
    method: String,
    /// With its query.
    path: String,
    /// The answer's status; null if there was no answer.
    #[schema(required = true)]
    status_code: Option<i64>,
    /// Milliseconds, from sending to the last byte.
    duration_ms: f64,
    /// Bytes of its body.
    request_bytes: i64,
    /// Bytes of the answer's body.
    response_bytes: i64,
}

/// A page of the history.
#[derive(Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub(super) struct KeptRequests {
    /// Newest first.
    requests: Vec<KeptRequest>,
    /// For `beforeId` of the next page; null where this is the last.
    #[schema(required = true)]
    next_before_id: Option<i64>,
}

/// A request of the history with what it and its answer held, but for what is secret.
#[derive(Serialize, ToSchema)]
pub(super) struct KeptExchange {
    #[serde(flatten)]
    request: KeptRequest,
    #[serde(flatten)]
    detail: Detail,
}

impl From<&RequestRow> for KeptRequest {
    fn from(row: &RequestRow) -> Self {
        Self {
            id: row.id,
            request_id: row.request_id.clone(),
            preview_instance_id: row.preview_id.to_string(),
            revision: row.revision,
            timestamp: row.at,
            via: row.via.clone(),
            method: row.method.clone(),
            path: row.target.clone(),
            status_code: row.status,
            duration_ms: millis(row.duration_micros),
            request_bytes: row.request_bytes,
            response_bytes: row.response_bytes,
        }
    }
}

/// The last requests to the generation's previews, newest first
///
/// At most 500 are kept. Secrets in headers, queries and bodies are not kept.
#[utoipa::path(get, operation_id = "list_requests", path = "/api/generations/{id}/preview/requests", tag = "history",
    params(("id" = String, Path), ("beforeId" = Option<i64>, Query),
        ("limit" = Option<u64>, Query, minimum = 1, maximum = 500), ("method" = Option<String>, Query),
        ("status" = Option<String>, Query, pattern = "^([1-9][0-9]{2}|[1-5]xx)$", description = "`404`, or `4xx`"), ("q" = Option<String>, Query)),
    responses((status = 200, description = "A page of the history.", body = KeptRequests), (status = 400, body = Failure), (status = 401, body = Failure),
        (status = 403, body = Failure), (status = 404, body = Failure)))]
pub(super) async fn list(
    State(app): State<App>,
    owned: Owned,
    query: Query,
) -> Result<axum::Json<KeptRequests>> {
    let in_range = |text: &str| text.parse().ok().filter(|n| (1..=LARGEST_PAGE).contains(n));
    let limit = query.parse("limit", "a number from 1 to 500", in_range)?.unwrap_or(PAGE);
    let wanted = RequestQuery {
        before_id: query.parse("beforeId", "the id of a request", |text| text.parse().ok())?,
        limit: limit + 1,
        method: query.get("method").map(str::to_owned),
        status: query.parse("status", "a status such as 404, or 4xx", status)?,
        q: query.get("q").map(str::to_owned),
    };
    app.gateway.history.flush().await;
    let mut rows = app.store.requests(&owned.generation.id, &wanted).await?;
    let more = rows.len() > limit;
    rows.truncate(limit);
    let next_before_id = rows.last().filter(|_| more).map(|row| row.id);
    Ok(axum::Json(KeptRequests { requests: rows.iter().map(KeptRequest::from).collect(), next_before_id }))
}

/// One request with its headers and bodies
#[utoipa::path(get, operation_id = "get_request", path = "/api/generations/{id}/preview/requests/{requestId}", tag = "history",
    params(("id" = String, Path), ("requestId" = i64, Path)),
    responses((status = 200, description = "The request and its answer, without their secrets.", body = KeptExchange), (status = 401, body = Failure), (status = 403, body = Failure),
        (status = 404, body = Failure)))]
pub(super) async fn get(State(app): State<App>, owned: Owned, id: Id) -> Result<axum::Json<KeptExchange>> {
    let (row, detail) = find(&app, &owned, &id).await?;
    Ok(axum::Json(KeptExchange { request: KeptRequest::from(&row), detail }))
}

/// Sends a request of the history again, to the preview that runs now
///
/// What the body names takes the place of what was kept; the secrets that were not kept can be given so.
#[utoipa::path(post, operation_id = "replay_request", path = "/api/generations/{id}/preview/requests/{requestId}/replay", tag = "history",
    params(("id" = String, Path), ("requestId" = i64, Path)), request_body = Option<Content>,
    responses((status = 200, description = "What the preview answered this time.", body = Answer), (status = 400, body = Failure), (status = 401, body = Failure),
        (status = 403, body = Failure), (status = 404, body = Failure), (status = 503, body = Failure),
        (status = 504, body = Failure)))]
pub(super) async fn replay(
    State(app): State<App>,
    owned: Owned,
    id: Id,
    outer: HeaderMap,
    Json(changes): Json<Option<Content>>,
) -> Result<axum::Json<Answer>> {
    let changes = changes.unwrap_or_default();
    let (row, detail) = find(&app, &owned, &id).await?;
    let preview = request::active(&app, &owned).await?;
    let mut headers = HeaderMap::new();
    for (name, value) in &detail.request_headers {
        let left_out = OF_THE_WAY.contains(&name.as_str()) || detail.redacted.contains(name);
        if let (false, Ok(name), Ok(value)) =
            (left_out, HeaderName::try_from(name), HeaderValue::from_str(value))
        {
            headers.append(name, value);
        }
    }
    let (body, kind) = if changes.body.is_null() {
        let kept = detail.request_body.as_ref().map_or(Some(Vec::new()), crate::history::Body::bytes);
        let too_long = "The request's body was too long to be kept: send it as `body`.";
        (kept.ok_or_else(|| Error::invalid("body", too_long))?, None)
    } else {
        request::given_body(&changes)?
    };
    if let Some(kind) = kind.and_then(|kind| HeaderValue::from_str(&kind).ok()) {
        headers.insert(header::CONTENT_TYPE, kind);
    }
    let given = request::given_headers(changes.headers.as_ref())?;
    for name in given.keys() {
        headers.remove(name);
    }
    headers.extend(given.iter().map(|(name, value)| (name.clone(), value.clone())));
    let target = match &changes.query {
        Some(query) => request::target(row.target.split('?').next().unwrap_or("/"), Some(query))?,
        None => row.target.clone(),
    };
    let outgoing = Outgoing {
        request: request::build(&preview, request::method(&row.method)?, &target, headers, body)?,
        parent: app.gateway.traces.parent(&outer),
        via: Via::Replay,
        session: changes.session,
        timeout_ms: changes.timeout_ms,
    };
    let mut answer = request::exchange(&app, preview, outgoing).await?;
    answer.redacted = Some(detail.redacted);
    Ok(axum::Json(answer))
}

/// The history as HAR 1.2
#[utoipa::path(get, operation_id = "export_requests", path = "/api/generations/{id}/preview/requests.har", tag = "history", params(("id" = String, Path)),
    responses((status = 200, description = "The history, without its secrets.", body = har::Har), (status = 401, body = Failure), (status = 403, body = Failure),
        (status = 404, body = Failure)))]
pub(super) async fn har(State(app): State<App>, owned: Owned) -> Result<Response> {
    app.gateway.history.flush().await;
    let all = RequestQuery { limit: usize::MAX, ..RequestQuery::default() };
    let mut entries = Vec::new();
    for row in app.store.requests(&owned.generation.id, &all).await?.iter().rev() {
        let Some((row, detail)) = app.store.request(&owned.generation.id, row.id).await? else { continue };
        entries.push(har::HarEntry::of(row, read(&detail)));
    }
    let named = format!("attachment; filename=\"{}.har\"", owned.generation.id);
    Ok(([(header::CONTENT_DISPOSITION, named)], axum::Json(har::Har::of(entries))).into_response())
}

/// The number of a request in the path.
pub(super) struct Id(i64);

impl axum::extract::FromRequestParts<App> for Id {
    type Rejection = Error;

    async fn from_request_parts(parts: &mut axum::http::request::Parts, _: &App) -> Result<Self> {
        let id = parameter(parts, "requestId").await;
        id.and_then(|id| id.parse().ok()).map(Self).ok_or_else(unknown)
    }
}

async fn find(app: &App, owned: &Owned, id: &Id) -> Result<(RequestRow, Detail)> {
    app.gateway.history.flush().await;
    let (row, detail) = app.store.request(&owned.generation.id, id.0).await?.ok_or_else(unknown)?;
    Ok((row, read(&detail)))
}

fn unknown() -> Error {
    Error::NotFound { message: "There is no such request in the history, or not any more.".to_owned() }
}

fn read(detail: &str) -> Detail {
    serde_json::from_str(detail).unwrap_or_default()
}

fn status(text: &str) -> Option<i64> {
    let hundred = text.strip_suffix("xx").map(|digit| (digit, 1..=5));
    let (number, range) = hundred.unwrap_or((text, 100..=999));
    number.parse().ok().filter(|status| range.contains(status))
}

#[expect(clippy::cast_precision_loss, reason = "a duration")]
pub(super) fn millis(micros: i64) -> f64 {
    (micros as f64 / 100.0).round() / 10.0
}
