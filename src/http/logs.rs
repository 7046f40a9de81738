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
use super::trail::Trail;
use crate::config::LogLevel;
use crate::error::{Error, Result};
use crate::id::GenerationId;
use crate::logs::{Entry, Event, Filter, Follow, Page, RequestId, Source, Start, Text, plain};
use crate::time::UnixMillis;

/// Entries of a page: not given, and at the most.
const PAGE: usize = 200;
const LARGEST_PAGE: usize = 1000;
/// Characters of a search.
const LONGEST_SEARCH: usize = 1000;
/// Entries that become text together.
const DOWNLOADED_AT_ONCE: usize = 1000;
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
        ("level" = Option<super::shapes::LogLevel>, Query), ("source" = Option<super::shapes::LogSource>, Query), ("q" = Option<String>, Query, max_length = 1000),
        ("requestId" = Option<String>, Query)),
    responses((status = 200, description = "Lines in the order of their ids.", body = super::shapes::LogPage), (status = 400, body = Failure), (status = 401, body = Failure),
        (status = 403, body = Failure), (status = 404, body = Failure)))]
pub(super) async fn page(State(app): State<App>, owned: Owned, query: Query) -> Result<axum::Json<Page>> {
    let after = query.parse("afterId", "the id of an entry", id)?.unwrap_or(0);
    let in_range = |text: &str| text.parse().ok().filter(|n| (1..=LARGEST_PAGE).contains(n));
    let limit = query.parse("limit", "a number from 1 to 1000", in_range)?.unwrap_or(PAGE);
    let filter = filter(&query)?;
    Ok(axum::Json(app.previews.log_page(&owned.generation.id, after, limit, &filter).await?))
}

/// The log as it is written, as server-sent events
#[utoipa::path(get, operation_id = "stream_log", path = "/api/generations/{id}/preview/logs/stream", tag = "logs",
    security(("bearer" = []), ("ticket" = [])),
    params(("id" = String, Path), ("Last-Event-ID" = Option<u64>, Header), ("lastEventId" = Option<u64>, Query),
        ("level" = Option<super::shapes::LogLevel>, Query), ("source" = Option<super::shapes::LogSource>, Query), ("tail" = Option<u64>, Query, maximum = 100_000),
        ("q" = Option<String>, Query, max_length = 1000), ("requestId" = Option<String>, Query), ("ticket" = Option<String>, Query)),
    responses((status = 200, description = "What is kept of the log, then what comes.", body = super::shapes::Event, content_type = "text/event-stream"), (status = 204, description = "The preview is over, and the client has all of its log."),
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
    responses((status = 200, description = "A ticket that nobody has used.", body = Ticket), (status = 401, body = Failure), (status = 403, body = Failure),
        (status = 404, body = Failure)))]
pub(super) async fn ticket(State(app): State<App>, owned: Owned) -> Result<axum::Json<Ticket>> {
    const { assert!(LIFETIME <= 60) };
    let (ticket, expires_at) =
        app.tickets.issue(&owned.generation.id, &owned.caller.user, UnixMillis::now())?;
    Ok(axum::Json(Ticket { ticket, expires_at }))
}

/// The log as a file
///
/// As text without colours, or with `format=ndjson` as the stream's own JSON, a line each.
#[utoipa::path(get, operation_id = "download_log", path = "/api/generations/{id}/preview/logs/download", tag = "logs",
    params(("id" = String, Path), ("format" = Option<super::shapes::LogFormat>, Query), ("level" = Option<super::shapes::LogLevel>, Query),
        ("source" = Option<super::shapes::LogSource>, Query), ("q" = Option<String>, Query, max_length = 1000), ("requestId" = Option<String>, Query)),
    responses((status = 200, description = "The log as a file.", content((String = "text/plain"), (String = "application/x-ndjson"))), (status = 400, body = Failure),
        (status = 401, body = Failure), (status = 403, body = Failure), (status = 404, body = Failure)))]
pub(super) async fn download(State(app): State<App>, owned: Owned, query: Query) -> Result<Response> {
    let format = query.parse("format", "text or ndjson", Format::parse)?.unwrap_or(Format::Text);
    let filter = filter(&query)?;
    let entries = app.previews.log(&owned.generation.id).await?.last(usize::MAX);
    let parts = stream::unfold(0, move |from| {
        let part = entries.get(from..).filter(|rest| !rest.is_empty()).map(|rest| {
            let part = &rest[..rest.len().min(DOWNLOADED_AT_ONCE)];
            let wanted = part.iter().filter(|entry| filter.matches(entry));
            let text: String = wanted.map(|entry| format.line(entry)).collect();
            (Ok::<_, Infallible>(text), from + part.len())
        });
        std::future::ready(part)
    });
    let (kind, extension) = format.media();
    let name = format!("attachment; filename=\"{}.{extension}\"", owned.generation.id);
    let headers = [
        (header::CONTENT_TYPE, kind),
        (header::CONTENT_DISPOSITION, name.as_str()),
        (header::CACHE_CONTROL, "no-store"),
    ];
    Ok((headers, Body::from_stream(parts)).into_response())
}

/// How a log is written into a file.
#[derive(Clone, Copy)]
enum Format {
    Text,
    Ndjson,
}

impl Format {
    fn parse(name: &str) -> Option<Self> {
        match name {
            "text" => Some(Self::Text),
            "ndjson" => Some(Self::Ndjson),
            _ => None,
        }
    }

    fn media(self) -> (&'static str, &'static str) {
        match self {
            Self::Text => ("text/plain; charset=utf-8", "log"),
            Self::Ndjson => ("application/x-ndjson", "ndjson"),
        }
    }

    fn line(self, entry: &Entry) -> String {
        match self {
            Self::Ndjson => format!("{}\n", entry.json()),
            Self::Text => {
                let parsed = entry.read();
                let (level, source) = (entry.level.as_str(), entry.source.as_str());
                format!("{} {level:<5} {source:<7} {}\n", parsed.timestamp, plain(&parsed.message))
            }
        }
    }
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
        let user = app.tickets.redeem(ticket, &generation, UnixMillis::now())?;
        if let Some(trail) = parts.extensions.get::<Trail>() {
            trail.is_of(&user);
        }
        Ok(Self { generation })
    }
}

fn filter(query: &Query) -> Result<Filter> {
    Ok(Filter {
        level: query.parse("level", "DEBUG, INFO, WARN or ERROR", LogLevel::parse)?,
        source: query.parse("source", "install, startup, app, request or server", Source::parse)?,
        text: query.parse("q", "at most 1000 characters", text)?.flatten(),
        request_id: query.get("requestId").map(RequestId::new),
    })
}

fn text(q: &str) -> Option<Option<Text>> {
    (q.chars().count() <= LONGEST_SEARCH).then(|| Text::new(q))
}

/// The id of an entry. They count up from 1, and the store's numbers are signed.
fn id(text: &str) -> Option<u64> {
    text.trim().parse::<i64>().ok().and_then(|id| u64::try_from(id).ok())
}

fn start(headers: &HeaderMap, query: &Query) -> Result<Start> {
    let header = headers.get("last-event-id").map(|value| {
        let wrong = || Error::invalid("Last-Event-ID", "Last-Event-ID is the id of an entry.");
        value.to_str().ok().and_then(id).ok_or_else(wrong)
    });
    let after = header.transpose()?.or(query.parse("lastEventId", "the id of an entry", id)?);
    let in_range = |text: &str| text.parse().ok().filter(|n| *n <= LARGEST_TAIL);
    let tail = query.parse("tail", "a number up to 100000", in_range)?;
    Ok(after.map(Start::After).or(tail.map(Start::Tail)).unwrap_or(Start::Oldest))
}
