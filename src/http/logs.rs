//! Reading a preview's log.

use std::convert::Infallible;

use axum::body::Body;
use axum::extract::{FromRequestParts, State};
use axum::http::request::Parts;
use axum::http::{HeaderMap, StatusCode, header};
use axum::response::{IntoResponse, Response};
use futures_util::stream;
use serde::Serialize;
use utoipa::ToSchema;

use super::body::Query;
use super::caller::{Owned, parameter};
use super::openapi::Failure;
use super::state::App;
use super::ticket::LIFETIME;
use crate::config::LogLevel;
use crate::error::{Error, Result};
use crate::id::GenerationId;
use crate::logs::{Event, Filter, Follow, Page, Source, Start};
use crate::time::UnixMillis;

/// Entries of a page: not given, and at the most.
const PAGE: usize = 200;
const LARGEST_PAGE: usize = 1000;
/// Entries that `tail` can ask for.
const LARGEST_TAIL: usize = 100_000;

/// What opens one log stream.
#[derive(Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub(super) struct Ticket {
    /// For `?ticket=`.
    ticket: String,
    /// When it is too old.
    #[schema(value_type = String, format = DateTime)]
    expires_at: UnixMillis,
}

/// A page of the log
#[utoipa::path(get, operation_id = "get_log_page", path = "/api/generations/{id}/preview/logs", tag = "logs",
    params(("id" = String, Path), ("afterId" = Option<u64>, Query), ("limit" = Option<u64>, Query, minimum = 1, maximum = 1000),
        ("level" = Option<String>, Query), ("source" = Option<String>, Query), ("q" = Option<String>, Query),
        ("requestId" = Option<String>, Query)),
    responses((status = 200, body = super::shapes::LogPage), (status = 400, body = Failure), (status = 401, body = Failure),
        (status = 403, body = Failure), (status = 404, body = Failure)))]
pub(super) async fn page(State(app): State<App>, owned: Owned, query: Query) -> Result<axum::Json<Page>> {
    let after = query.parse("afterId", "the id of an entry", |text| text.parse().ok())?.unwrap_or(0);
    let in_range = |text: &str| text.parse().ok().filter(|n| (1..=LARGEST_PAGE).contains(n));
    let limit = query.parse("limit", "a number from 1 to 1000", in_range)?.unwrap_or(PAGE);
    let filter = filter(&query)?;
    let hub = app.previews.log(&owned.generation.id).await?;
    Ok(axum::Json(hub.page(after, limit, &filter)))
}

/// The log as it is written, as server-sent events
#[utoipa::path(get, operation_id = "stream_log", path = "/api/generations/{id}/preview/logs/stream", tag = "logs",
    params(("id" = String, Path), ("Last-Event-ID" = Option<u64>, Header), ("lastEventId" = Option<u64>, Query),
        ("level" = Option<String>, Query), ("source" = Option<String>, Query), ("tail" = Option<u64>, Query),
        ("requestId" = Option<String>, Query), ("ticket" = Option<String>, Query)),
    responses((status = 200, body = String, content_type = "text/event-stream"), (status = 204),
        (status = 400, body = Failure), (status = 401, body = Failure), (status = 403, body = Failure),
        (status = 404, body = Failure)))]
pub(super) async fn stream(
    State(app): State<App>,
    reader: Reader,
    query: Query,
    headers: HeaderMap,
) -> Result<Response> {
    let filter = filter(&query)?;
    let start = start(&headers, &query)?;
    let hub = app.previews.log(&reader.generation).await?;
    let follow = Follow::new(hub, start, filter);
    let resumes = matches!(start, Start::After(_));
    if resumes && follow.has_seen_the_end() {
        return Ok(StatusCode::NO_CONTENT.into_response());
    }
    let counted = app.metrics.subscriber();
    let events = stream::unfold((follow, counted), |(mut follow, counted)| async {
        match follow.next().await {
            Event::Frames(frames) => Some((Ok::<_, Infallible>(frames), (follow, counted))),
            Event::End => None,
        }
    });
    let headers = [
        (header::CONTENT_TYPE.as_str(), "text/event-stream"),
        (header::CACHE_CONTROL.as_str(), "no-cache, no-transform"),
        // nginx, and those who copied it, else keep events back until a buffer is full.
        ("x-accel-buffering", "no"),
    ];
    Ok((headers, Body::from_stream(events)).into_response())
}

/// A ticket for one log stream
///
/// Good for one connection within 60 s to this preview's logs and nothing else.
#[utoipa::path(post, operation_id = "create_log_ticket", path = "/api/generations/{id}/preview/logs/ticket", tag = "logs", params(("id" = String, Path)),
    responses((status = 200, body = Ticket), (status = 401, body = Failure), (status = 403, body = Failure),
        (status = 404, body = Failure)))]
pub(super) async fn ticket(State(app): State<App>, owned: Owned) -> Result<axum::Json<Ticket>> {
    const { assert!(LIFETIME <= 60) };
    let (ticket, expires_at) = app.tickets.issue(&owned.generation.id)?;
    Ok(axum::Json(Ticket { ticket, expires_at }))
}

/// The log as text
#[utoipa::path(get, operation_id = "download_log", path = "/api/generations/{id}/preview/logs/download", tag = "logs", params(("id" = String, Path)),
    responses((status = 200, body = String, content_type = "text/plain"), (status = 401, body = Failure),
        (status = 403, body = Failure), (status = 404, body = Failure)))]
pub(super) async fn download(State(app): State<App>, owned: Owned) -> Result<Response> {
    let hub = app.previews.log(&owned.generation.id).await?;
    let mut text = String::new();
    for entry in hub.last(usize::MAX) {
        let parsed = entry.read();
        let (level, source) = (entry.level.as_str(), entry.source.as_str());
        text.push_str(&format!("{} {level:<5} {source:<7} {}\n", parsed.timestamp, parsed.message));
    }
    let name = format!("attachment; filename=\"{}.log\"", owned.generation.id);
    let headers = [
        (header::CONTENT_TYPE, "text/plain; charset=utf-8"),
        (header::CONTENT_DISPOSITION, name.as_str()),
        (header::CACHE_CONTROL, "no-store"),
    ];
    Ok((headers, text).into_response())
}

/// Whoever may read a log stream: the owner, or who has a ticket.
pub(super) struct Reader {
    generation: GenerationId,
}

impl FromRequestParts<App> for Reader {
    type Rejection = Error;

    async fn from_request_parts(parts: &mut Parts, app: &App) -> Result<Self> {
        let query = Query::from_request_parts(parts, app).await?;
        let Some(ticket) = query.get("ticket") else {
            let owned = Owned::from_request_parts(parts, app).await?;
            return Ok(Self { generation: owned.generation.id });
        };
        let id = parameter(parts, "id").await;
        let generation = id.as_deref().and_then(GenerationId::parse).ok_or(Error::GenerationNotFound)?;
        app.tickets.redeem(ticket, &generation)?;
        Ok(Self { generation })
    }
}

fn filter(query: &Query) -> Result<Filter> {
    Ok(Filter {
        level: query.parse("level", "DEBUG, INFO, WARN or ERROR", LogLevel::parse)?,
        source: query.parse("source", "install, startup, app, request or server", Source::parse)?,
        text: query.get("q").filter(|q| !q.is_empty()).map(str::to_owned),
        request_id: query.get("requestId").map(str::to_owned),
    })
}

fn start(headers: &HeaderMap, query: &Query) -> Result<Start> {
    let number = |text: &str| text.trim().parse().ok();
    if let Some(value) = headers.get("last-event-id") {
        let id = value.to_str().ok().and_then(number);
        let wrong = || Error::invalid("Last-Event-ID", "Last-Event-ID is the id of an entry.");
        return Ok(Start::After(id.ok_or_else(wrong)?));
    }
    if let Some(id) = query.parse("lastEventId", "the id of an entry", number)? {
        return Ok(Start::After(id));
    }
    let in_range = |text: &str| text.parse().ok().filter(|n| *n <= LARGEST_TAIL);
    let tail = query.parse("tail", "a number up to 100000", in_range)?;
    Ok(tail.map_or(Start::Oldest, Start::Tail))
}
