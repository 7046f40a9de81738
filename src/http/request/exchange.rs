//! One request and its answer, under limits of time and size.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use axum::body::Body;
use axum::http::{HeaderMap, HeaderValue, Request, header};
use bytes::Bytes;
use http_body_util::BodyExt;
use serde::Serialize;
use serde_json::{Map, Value};
use tokio::time::{Instant, timeout_at};
use utoipa::ToSchema;

use super::super::state::App;
use super::{BODY, Encoding, decode};
use crate::error::{Error, Result};
use crate::gateway::{REQUEST_ID_HEADER, request_id};
use crate::history::Via;
use crate::preview::Active;
use crate::traces::Parent;

/// A request that is ready to go.
pub(in crate::http) struct Outgoing {
    /// What is sent.
    pub request: Request<Body>,
    /// What it is a part of.
    pub parent: Parent,
    /// Which way it came.
    pub via: Via,
    /// Whose cookies go with it.
    pub session: Option<String>,
    /// How long it may take, if less than the server's limit.
    pub timeout_ms: Option<u64>,
}

/// What the preview answered, whatever that was.
#[derive(Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub(in crate::http) struct Answer {
    /// Its HTTP status.
    status_code: u16,
    /// Its body, as `dataEncoding` says.
    data: Value,
    /// Its headers; one that occurs more than once is an array.
    #[schema(value_type = Object)]
    headers: Map<String, Value>,
    /// Milliseconds, from sending to the last byte.
    duration_ms: f64,
    /// Where they went.
    timing: Timing,
    /// `json`, `text` or `base64`.
    data_encoding: Encoding,
    /// Whether the body went on beyond the limit of size or time.
    truncated: bool,
    /// Names the request in the log.
    request_id: String,
    /// The cookies of the session that was named.
    #[serde(skip_serializing_if = "Option::is_none")]
    cookies: Option<BTreeMap<String, String>>,
    /// Of a replay: the secrets that the history did not have and the preview was not sent.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub redacted: Option<Vec<String>>,
}

/// Milliseconds of an exchange, each from its beginning.
#[derive(Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
struct Timing {
    /// Being connected to the application; 0 where a connection was open.
    connect_ms: f64,
    /// To the head of the answer.
    first_byte_ms: f64,
    /// To the end of its body.
    total_ms: f64,
}

/// Sends it and reads the answer.
pub(in crate::http) async fn exchange(app: &App, preview: Arc<Active>, outgoing: Outgoing) -> Result<Answer> {
    let Outgoing { mut request, parent, via, session, timeout_ms } = outgoing;
    request.extensions_mut().insert(parent);
    let limit = Duration::from_secs(app.config.request_timeout);
    let wished = timeout_ms.map(|ms| Duration::from_millis(ms.max(1)));
    let limit = wished.map_or(limit, |wished| wished.min(limit));
    let in_use = preview.in_use();
    let path = request.uri().path().to_owned();
    if let Some(session) = &session {
        app.jars.fill(&preview.id, session, &path, request.headers_mut())?;
    }
    let sent_id = request_id(request.headers_mut());
    let began = Instant::now();
    let too_late = |_| Error::RequestTimeout { seconds: limit.as_secs().max(1) };
    let forwarder = app.gateway.forwarder(&preview);
    let answered = forwarder.send(request, via, &sent_id, in_use);
    let answered = timeout_at(began + limit, answered).await.map_err(too_late)??;
    let first_byte = began.elapsed();
    let (parts, body) = answered.response.into_parts();
    let (bytes, truncated) = read_until(body, BODY, began + limit).await?;
    let total = began.elapsed();
    let kind = parts.headers.get(header::CONTENT_TYPE).and_then(|v| v.to_str().ok());
    let (data, data_encoding) = decode::body(&bytes, kind.unwrap_or_default());
    let take_up = |session| app.jars.take_up(&app.previews, &preview.id, session, &path, &parts.headers);
    Ok(Answer {
        status_code: parts.status.as_u16(),
        data,
        headers: decode::headers(&parts.headers),
        duration_ms: millis(total),
        timing: Timing {
            connect_ms: millis(answered.connect),
            first_byte_ms: millis(first_byte),
            total_ms: millis(total),
        },
        data_encoding,
        truncated,
        request_id: own_id(&parts.headers, &sent_id),
        cookies: session.as_deref().map(take_up),
        redacted: None,
    })
}

/// To a tenth of a millisecond.
fn millis(duration: Duration) -> f64 {
    (duration.as_secs_f64() * 10_000.0).round() / 10.0
}

fn own_id(headers: &HeaderMap, sent: &HeaderValue) -> String {
    let text = |id: &HeaderValue| id.to_str().map(str::to_owned).ok();
    headers.get(REQUEST_ID_HEADER).and_then(text).or_else(|| text(sent)).unwrap_or_default()
}

/// The first `limit` bytes that come before the deadline, and whether there were more.
async fn read_until(mut body: Body, limit: usize, deadline: Instant) -> Result<(Bytes, bool)> {
    let mut out = Vec::new();
    loop {
        let Ok(next) = timeout_at(deadline, body.frame()).await else { return Ok((out.into(), true)) };
        let Some(frame) = next else { return Ok((out.into(), false)) };
        let frame = frame.map_err(|_| Error::PreviewUnavailable {
            message: "The preview broke its answer off: its logs may say why.".to_owned(),
        })?;
        let Ok(data) = frame.into_data() else { continue };
        let room = limit - out.len();
        out.extend_from_slice(&data[..data.len().min(room)]);
        if data.len() > room {
            return Ok((out.into(), true));
        }
    }
}
