//! A request to a preview in an envelope, for callers that cannot reach the preview's own address.

mod decode;
mod encode;
mod exchange;
mod jar;

use axum::body::Body;
use axum::extract::State;
use axum::http::{HeaderMap, HeaderName, HeaderValue, Method, Request, header};
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};
use utoipa::ToSchema;

pub(super) use exchange::{Answer, Outgoing, exchange};
pub(super) use jar::SharedJars;

use super::body::{json as read_json, read};
use super::caller::Owned;
use super::openapi::Failure;
use super::state::App;
use crate::error::{Error, Result};
use crate::gateway::{TOKEN_HEADER, strip_request};
use crate::history::Via;
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
    #[serde(flatten)]
    rest: Content,
}

/// What a request has beside method and path.
#[derive(Debug, Default, Deserialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub(super) struct Content {
    /// Values are scalars or lists of them.
    #[serde(default)]
    #[schema(value_type = Option<Object>)]
    pub query: Option<Map<String, Value>>,
    /// Any JSON, as `bodyEncoding` says.
    #[serde(default)]
    pub body: Value,
    /// Values are texts or lists of them.
    #[serde(default)]
    #[schema(value_type = Option<Object>)]
    pub headers: Option<Map<String, Value>>,
    /// What `body` is.
    #[serde(default)]
    pub body_encoding: Encoding,
    /// Names a jar: cookies that answers set in this session are sent with its next requests.
    #[serde(default)]
    pub session: Option<String>,
    /// Gives up earlier than the server would; an answer that has begun is cut then.
    #[serde(default)]
    pub timeout_ms: Option<u64>,
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
    /// An object whose members are sent as the parts of a form, files among them.
    Multipart,
}

/// Sends a request to the preview
///
/// The preview's token is sent as `X-Preview-Token`, among the inner `headers` or on this request itself.
#[utoipa::path(post, operation_id = "send_request", path = "/api/generations/{id}/preview/request", tag = "preview",
    params(("id" = String, Path), ("X-Preview-Token" = Option<String>, Header)), request_body = Envelope,
    responses((status = 200, description = "What the preview answered, whatever that was: its status is `statusCode`.", body = Answer), (status = 400, body = Failure), (status = 401, body = Failure),
        (status = 403, description = "The generation is another user's, or the preview's token is missing or wrong.", body = Failure), (status = 404, body = Failure), (status = 413, body = Failure),
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
    let mut headers = encode::headers(envelope.rest.headers.as_ref())?;
    let preview = active(&app, &owned).await?;
    check_token(&app, &preview, &mut headers, &outer)?;
    let target = target(&envelope.path, envelope.rest.query.as_ref())?;
    let (body, kind) = encode::body(&envelope.rest.body, envelope.rest.body_encoding)?;
    if let Some(kind) = kind.and_then(|kind| HeaderValue::from_str(&kind).ok()) {
        headers.entry(header::CONTENT_TYPE).or_insert(kind);
    }
    let outgoing = Outgoing {
        request: build(&preview, method(&envelope.method)?, &target, headers, body)?,
        parent: app.gateway.traces.parent(&outer),
        via: Via::Api,
        session: envelope.rest.session,
        timeout_ms: envelope.rest.timeout_ms,
    };
    Ok(axum::Json(exchange(&app, preview, outgoing).await?))
}

/// The preview to ask; that there is none is no fault of the caller's.
pub(super) async fn active(app: &App, owned: &Owned) -> Result<std::sync::Arc<Active>> {
    match app.previews.require_active(&owned.generation.id).await {
        Err(Error::NoActivePreview { message, .. }) => Err(Error::PreviewUnavailable { message }),
        other => other,
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

pub(super) fn method(name: &str) -> Result<Method> {
    let method = Method::from_bytes(name.as_bytes())
        .map_err(|_| Error::invalid("method", "This is no HTTP method."))?;
    if method == Method::CONNECT {
        return Err(Error::invalid("method", "CONNECT is not for applications."));
    }
    Ok(method)
}

pub(super) fn target(path: &str, query: Option<&Map<String, Value>>) -> Result<String> {
    encode::check_path(path)?;
    let mut target = encode::encode_path(path);
    if let Some(query) = query.filter(|query| !query.is_empty()) {
        target.push('?');
        target.push_str(&encode::pairs("query", query)?);
    }
    Ok(target)
}

/// The request as it is passed on.
pub(super) fn build(
    preview: &Active,
    method: Method,
    target: &str,
    mut headers: HeaderMap,
    body: Vec<u8>,
) -> Result<Request<Body>> {
    if body.len() > BODY {
        return Err(Error::TooLarge { what: "The request's body".to_owned(), limit: BODY as u64 });
    }
    // Framing is ours: nothing of it is taken from the envelope.
    strip_request(&mut headers);
    for name in [
        header::HOST,
        header::CONTENT_LENGTH,
        header::CONNECTION,
        header::UPGRADE,
        header::EXPECT,
        HeaderName::from_static("x-previewd-probe"),
    ] {
        headers.remove(name);
    }
    let authority = preview.base_url.split_once("://").map_or("localhost", |(_, rest)| rest);
    let authority = authority.split('/').next().unwrap_or("localhost");
    if let Ok(host) = HeaderValue::from_str(authority) {
        headers.insert(header::HOST, host.clone());
        headers.insert("x-forwarded-host", host);
    }
    let secure = preview.base_url.starts_with("https:");
    headers.insert("x-forwarded-proto", HeaderValue::from_static(if secure { "https" } else { "http" }));
    let mut request = Request::new(Body::from(body));
    *request.method_mut() = method;
    *request.uri_mut() =
        target.parse().map_err(|_| Error::invalid("path", "This is no path of a request."))?;
    *request.headers_mut() = headers;
    Ok(request)
}

/// The headers of an envelope.
pub(super) fn given_headers(headers: Option<&Map<String, Value>>) -> Result<HeaderMap> {
    encode::headers(headers)
}

/// The body of an envelope with its content type.
pub(super) fn given_body(content: &Content) -> Result<(Vec<u8>, Option<String>)> {
    encode::body(&content.body, content.body_encoding)
}
