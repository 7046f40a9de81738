//! A request to a preview in an envelope, for callers that cannot reach the preview's own address.

use std::time::Duration;

use axum::body::Body;
use axum::extract::State;
use axum::http::{HeaderMap, HeaderName, HeaderValue, Method, Request, header};
use base64::Engine;
use base64::prelude::BASE64_STANDARD;
use bytes::Bytes;
use http_body_util::BodyExt;
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value, json};
use tokio::time::Instant;
use utoipa::ToSchema;

use super::body::{json as read_json, read};
use super::caller::Owned;
use super::openapi::Failure;
use super::state::App;
use crate::error::{Error, Result};
use crate::gateway::{Forwarder, REQUEST_ID_HEADER, TOKEN_HEADER};
use crate::preview::Active;

/// Bytes of a body, each way.
const BODY: usize = 10 * 1024 * 1024;
/// Bytes of the envelope: the body as base64, and what stands around it.
const ENVELOPE: u64 = 16 * 1024 * 1024;

/// The request to send.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub(super) struct Envelope {
    /// `GET`, `POST`, …
    method: String,
    /// Starts with `/`; without a query.
    path: String,
    /// Values are scalars or lists of them.
    #[serde(default)]
    #[schema(value_type = Option<Object>)]
    query: Option<Map<String, Value>>,
    /// Any JSON, as `bodyEncoding` says.
    #[serde(default)]
    body: Value,
    /// Values are texts or lists of them.
    #[serde(default)]
    #[schema(value_type = Option<Object>)]
    headers: Option<Map<String, Value>>,
    /// What `body` is.
    #[serde(default)]
    body_encoding: Encoding,
}

/// How a body stands in the envelope.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize, Serialize, ToSchema)]
#[serde(rename_all = "lowercase")]
pub(super) enum Encoding {
    /// As JSON.
    #[default]
    Json,
    /// A text.
    Text,
    /// A text that is base64.
    Base64,
    /// An object whose members are sent as a form.
    Form,
}

/// What the preview answered, whatever that was.
#[derive(Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub(super) struct Answer {
    /// Its HTTP status.
    status_code: u16,
    /// Its body, as `dataEncoding` says.
    data: Value,
    /// Its headers; one that occurs more than once is an array.
    #[schema(value_type = Object)]
    headers: Map<String, Value>,
    /// Milliseconds, from sending to the last byte.
    duration_ms: f64,
    /// `json`, `text` or `base64`.
    data_encoding: Encoding,
    /// Whether the body went on beyond the limit.
    truncated: bool,
    /// Names the request in the log.
    request_id: String,
}

/// Sends a request to the preview
///
/// The preview's token is sent as `X-Preview-Token`, among the inner `headers` or on this request itself.
#[utoipa::path(post, operation_id = "send_request", path = "/api/generations/{id}/preview/request", tag = "preview",
    params(("id" = String, Path), ("X-Preview-Token" = Option<String>, Header)), request_body = Envelope,
    responses((status = 200, body = Answer), (status = 400, body = Failure), (status = 401, body = Failure),
        (status = 403, body = Failure), (status = 404, body = Failure), (status = 413, body = Failure),
        (status = 503, body = Failure), (status = 504, body = Failure)))]
pub(super) async fn send(
    State(app): State<App>,
    owned: Owned,
    outer: HeaderMap,
    body: Body,
) -> Result<axum::Json<Answer>> {
    let body = read(body, ENVELOPE).await?;
    let envelope: Envelope = read_json(&outer, &body)?;
    drop(body);
    let mut headers = inner_headers(envelope.headers.as_ref())?;
    let preview = match app.previews.require_active(&owned.generation.id).await {
        Ok(preview) => preview,
        Err(Error::NoActivePreview { message, .. }) => return Err(Error::PreviewUnavailable { message }),
        Err(other) => return Err(other),
    };
    check_token(&app, &preview, &mut headers, &outer)?;
    let request = build(&envelope, headers, &preview)?;
    app.metrics.request();
    let seconds = app.config.request_timeout;
    let exchange = exchange(app.forwarder(&preview), request);
    match tokio::time::timeout(Duration::from_secs(seconds), exchange).await {
        Ok(answer) => Ok(axum::Json(answer?)),
        Err(_elapsed) => Err(Error::RequestTimeout { seconds }),
    }
}

/// The token is never passed on, wherever it stood.
fn check_token(app: &App, preview: &Active, inner: &mut HeaderMap, outer: &HeaderMap) -> Result<()> {
    let given = inner.remove(TOKEN_HEADER).or_else(|| outer.get(TOKEN_HEADER).cloned());
    let token = given.as_ref().and_then(|value| value.to_str().ok());
    if token.is_some_and(|token| app.auth.check_preview_token(&preview.id, token)) {
        Ok(())
    } else {
        Err(Error::InvalidPreviewToken)
    }
}

fn build(envelope: &Envelope, mut headers: HeaderMap, preview: &Active) -> Result<Request<Body>> {
    let method = Method::from_bytes(envelope.method.as_bytes())
        .map_err(|_| Error::invalid("method", "This is no HTTP method."))?;
    if method == Method::CONNECT {
        return Err(Error::invalid("method", "CONNECT is not for applications."));
    }
    check_path(&envelope.path)?;
    let mut target = encode_path(&envelope.path);
    if let Some(query) = envelope.query.as_ref().filter(|query| !query.is_empty()) {
        target.push('?');
        target.push_str(&pairs("query", query)?);
    }
    let (body, kind) = encode_body(envelope)?;
    if body.len() > BODY {
        return Err(Error::TooLarge { what: "The request's body".to_owned(), limit: BODY as u64 });
    }
    for name in [header::HOST, header::CONTENT_LENGTH, HeaderName::from_static("x-previewd-probe")] {
        headers.remove(name);
    }
    if let Some(kind) = kind {
        headers.entry(header::CONTENT_TYPE).or_insert(HeaderValue::from_static(kind));
    }
    let authority = preview.base_url.split_once("://").map_or("localhost", |(_, rest)| rest);
    if let Ok(host) = HeaderValue::from_str(authority) {
        headers.insert(header::HOST, host.clone());
        headers.insert("x-forwarded-host", host);
    }
    headers.insert("x-forwarded-proto", HeaderValue::from_static("http"));
    let mut request = Request::new(Body::from(body));
    *request.method_mut() = method;
    *request.uri_mut() =
        target.parse().map_err(|_| Error::invalid("path", "This is no path of a request."))?;
    *request.headers_mut() = headers;
    Ok(request)
}

/// A path of the preview and nothing else: no authority, no way out, no query in disguise.
fn check_path(path: &str) -> Result<()> {
    let wrong = |message: &str| Err(Error::invalid("path", message));
    if !path.starts_with('/') || path.starts_with("//") {
        return wrong("The path starts with one `/` and names no host.");
    }
    if path.contains(['?', '#', '\\']) || path.chars().any(char::is_control) {
        return wrong("The path has no `?`, `#`, backslash or control character; a query goes in `query`.");
    }
    let decoded = percent_encoding::percent_decode_str(path).decode_utf8_lossy().into_owned();
    // Once more: some servers decode twice.
    let twice = percent_encoding::percent_decode_str(&decoded).decode_utf8_lossy().into_owned();
    for text in [path, &decoded, &twice] {
        if text.split(['/', '\\']).any(|segment| segment == "..") || text.contains(['\0', '\r', '\n']) {
            return wrong(
                "The path stays in the preview: no `..`, encoded or not, and no control characters.",
            );
        }
    }
    Ok(())
}

/// What may not stand in a request line as it is; `%` is left, since a path may be encoded already.
fn encode_path(path: &str) -> String {
    const ENCODED: percent_encoding::AsciiSet =
        percent_encoding::CONTROLS.add(b' ').add(b'"').add(b'<').add(b'>').add(b'`').add(b'{').add(b'}');
    percent_encoding::utf8_percent_encode(path, &ENCODED).to_string()
}

/// An object as `application/x-www-form-urlencoded`.
fn pairs(field: &str, object: &Map<String, Value>) -> Result<String> {
    let mut out = form_urlencoded::Serializer::new(String::new());
    for (name, value) in object {
        let values = match value {
            Value::Array(values) => values.as_slice(),
            other => std::slice::from_ref(other),
        };
        for value in values {
            let Some(text) = scalar(value) else {
                let message =
                    format!("The value of `{name}` is a text, a number, true or false, or a list of them.");
                return Err(Error::invalid(field, message));
            };
            out.append_pair(name, &text);
        }
    }
    Ok(out.finish())
}

fn scalar(value: &Value) -> Option<String> {
    match value {
        Value::String(text) => Some(text.clone()),
        Value::Number(number) => Some(number.to_string()),
        Value::Bool(yes) => Some(yes.to_string()),
        Value::Null => Some(String::new()),
        Value::Array(_) | Value::Object(_) => None,
    }
}

fn encode_body(envelope: &Envelope) -> Result<(Vec<u8>, Option<&'static str>)> {
    if envelope.body.is_null() {
        return Ok((Vec::new(), None));
    }
    let text = || {
        let text = envelope.body.as_str();
        text.ok_or_else(|| Error::invalid("body", "With this bodyEncoding the body is a text."))
    };
    match envelope.body_encoding {
        Encoding::Json => Ok((envelope.body.to_string().into_bytes(), Some("application/json"))),
        Encoding::Text => Ok((text()?.as_bytes().to_vec(), Some("text/plain; charset=utf-8"))),
        Encoding::Base64 => {
            let decoded = BASE64_STANDARD.decode(text()?);
            let bytes = decoded.map_err(|_| Error::invalid("body", "The body is not base64."))?;
            Ok((bytes, Some("application/octet-stream")))
        }
        Encoding::Form => {
            let object = envelope.body.as_object();
            let object = object.ok_or_else(|| Error::invalid("body", "A form is an object."))?;
            Ok((pairs("body", object)?.into_bytes(), Some("application/x-www-form-urlencoded")))
        }
    }
}

fn inner_headers(headers: Option<&Map<String, Value>>) -> Result<HeaderMap> {
    let mut out = HeaderMap::new();
    for (name, value) in headers.into_iter().flatten() {
        let wrong = || {
            let message = format!(
                "The header `{}` has a name or a value that HTTP does not allow.",
                name.escape_debug()
            );
            Error::invalid("headers", message)
        };
        let values = match value {
            Value::Array(values) => values.as_slice(),
            other => std::slice::from_ref(other),
        };
        let name = HeaderName::from_bytes(name.as_bytes()).map_err(|_| wrong())?;
        for value in values {
            let text = scalar(value).ok_or_else(wrong)?;
            out.append(name.clone(), HeaderValue::from_str(&text).map_err(|_| wrong())?);
        }
    }
    Ok(out)
}

async fn exchange(forwarder: Forwarder, mut request: Request<Body>) -> Result<Answer> {
    let _in_use = forwarder.preview().in_use();
    let request_id = crate::gateway::request_id(request.headers_mut());
    let began = Instant::now();
    let response = forwarder.send(request).await?;
    let (parts, body) = response.into_parts();
    let (bytes, truncated) = read_up_to(body, BODY).await?;
    let duration_ms = (began.elapsed().as_secs_f64() * 10_000.0).round() / 10.0;
    let kind = parts.headers.get(header::CONTENT_TYPE).and_then(|v| v.to_str().ok());
    let (data, data_encoding) = decode(&bytes, kind.unwrap_or_default());
    Ok(Answer {
        status_code: parts.status.as_u16(),
        data,
        headers: outer_headers(&parts.headers),
        duration_ms,
        data_encoding,
        truncated,
        request_id: own_id(&parts.headers, request_id),
    })
}

fn own_id(headers: &HeaderMap, sent: String) -> String {
    headers.get(REQUEST_ID_HEADER).and_then(|id| id.to_str().ok()).map_or(sent, str::to_owned)
}

/// The first `limit` bytes, and whether there were more.
async fn read_up_to(mut body: Body, limit: usize) -> Result<(Bytes, bool)> {
    let mut out = Vec::new();
    while let Some(frame) = body.frame().await {
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
    Ok((out.into(), false))
}

fn decode(bytes: &[u8], content_type: &str) -> (Value, Encoding) {
    let essence = content_type.split(';').next().unwrap_or_default().trim().to_ascii_lowercase();
    let is_json = essence == "application/json" || essence.ends_with("+json");
    if bytes.is_empty() && (is_json || essence.is_empty()) {
        return (Value::Null, Encoding::Json);
    }
    if is_json && let Ok(data) = serde_json::from_slice(bytes) {
        return (data, Encoding::Json);
    }
    let textual = is_json
        || essence.starts_with("text/")
        || ["application/xml", "application/javascript", "application/x-ndjson", "application/yaml"]
            .contains(&essence.as_str())
        || essence.ends_with("+xml");
    if textual && is_latin1(content_type) {
        return (json!(bytes.iter().copied().map(char::from).collect::<String>()), Encoding::Text);
    }
    match std::str::from_utf8(bytes) {
        Ok(text) if textual => (json!(text), Encoding::Text),
        // Cut in the middle of a character, or of another encoding.
        Err(_) if essence.starts_with("text/") => (json!(String::from_utf8_lossy(bytes)), Encoding::Text),
        _ => (json!(BASE64_STANDARD.encode(bytes)), Encoding::Base64),
    }
}

/// Whether each byte is a character of that number.
fn is_latin1(content_type: &str) -> bool {
    let lower = content_type.to_ascii_lowercase();
    ["iso-8859-1", "iso8859-1", "latin-1", "latin1"]
        .iter()
        .any(|name| lower.contains(&format!("charset={name}")))
}

fn outer_headers(headers: &HeaderMap) -> Map<String, Value> {
    let text = |value: &HeaderValue| json!(String::from_utf8_lossy(value.as_bytes()));
    let values = |name: &HeaderName| {
        let mut values: Vec<Value> = headers.get_all(name).iter().map(text).collect();
        if values.len() == 1 { values.remove(0) } else { Value::Array(values) }
    };
    headers.keys().map(|name| (name.to_string(), values(name))).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_path_stays_in_the_preview() {
        for path in ["/", "/a/b%20c", "/a..b", "/..a", "/a/%2e/b", "/ü", "/a:b@c"] {
            check_path(path).unwrap_or_else(|e| panic!("{path}: {e}"));
        }
        for path in [
            "",
            "a",
            "//evil/x",
            "@evil/x",
            "http://evil/",
            "/../x",
            "/a/..",
            "/%2e%2e/x",
            "/.%2E/x",
            "/%252e%252e/x",
            "/a\\b",
            "/%2e%2e%5cx",
            "/a?b",
            "/a#b",
            "/a\r\nb",
            "/%0d%0aX",
            "/a\0",
            "/%00",
        ] {
            assert!(check_path(path).is_err(), "{path}");
        }
    }

    #[test]
    fn bodies_are_told_as_what_they_are() {
        assert_eq!(decode(b"{\"a\":1}", "application/problem+json"), (json!({"a": 1}), Encoding::Json));
        assert_eq!(decode(b"{broken", "application/json"), (json!("{broken"), Encoding::Text));
        assert_eq!(decode(b"hi", "text/plain; charset=utf-8"), (json!("hi"), Encoding::Text));
        assert_eq!(decode(b"caf\xe9", "text/plain; charset=ISO-8859-1"), (json!("café"), Encoding::Text));
        assert_eq!(decode(b"\x89PNG", "image/png"), (json!("iVBORw=="), Encoding::Base64));
        assert_eq!(decode(b"", ""), (Value::Null, Encoding::Json));
    }
}
