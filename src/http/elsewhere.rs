//! Previews that another server of the same store holds: calls about them go there, so that it is all the same which server is
//! asked. The caller's token goes with them, and the other server checks it; nothing is trusted that did not come from the caller.

use std::time::Duration;

use axum::body::Body;
use axum::extract::{MatchedPath, Request, State};
use axum::http::{HeaderName, HeaderValue, Method, Uri, header};
use axum::middleware::Next;
use axum::response::{IntoResponse, Response};
use hyper_util::rt::TokioIo;
use tokio::net::TcpStream;

use super::caller::parameter;
use super::state::App;
use crate::config::Config;
use crate::error::{Error, Result};
use crate::gateway::{Reached, Tls, hop};
use crate::id::GenerationId;

/// Says that a call has come from another server, and goes no further.
const FORWARDED: HeaderName = HeaderName::from_static("x-previewd-forwarded");
/// For the other server to be reached.
const PATIENCE: Duration = Duration::from_secs(5);
/// Before the address of a server that has a certificate.
const WITH_TLS: &str = "https://";
const GENERATION: &str = "/api/generations/{id}";

/// Around every call.
pub(super) async fn forwarded(State(app): State<App>, request: Request, next: Next) -> Response {
    let (mut parts, body) = request.into_parts();
    let route = parts.extensions.get().map_or("", MatchedPath::as_str);
    if !app.store.is_shared()
        || !concerns_preview(&parts.method, route)
        || parts.headers.contains_key(FORWARDED)
    {
        return next.run(Request::from_parts(parts, body)).await;
    }
    let id = parameter(&mut parts, "id").await;
    let request = Request::from_parts(parts, body);
    let Some(id) = id.as_deref().and_then(GenerationId::parse) else { return next.run(request).await };
    if app.previews.active(&id).is_some() {
        return next.run(request).await;
    }
    match app.store.held_elsewhere(&id).await {
        Ok(Some(address)) => {
            pass_on(&app.gateway.tls, request, &address).await.unwrap_or_else(IntoResponse::into_response)
        }
        Ok(None) => next.run(request).await,
        Err(e) => Error::from(e).into_response(),
    }
}

/// Files and names of generations are in the store; what runs, or is about to, is where it is.
fn concerns_preview(method: &Method, route: &str) -> bool {
    let Some(rest) = route.strip_prefix(GENERATION) else { return false };
    let changes = [Method::PATCH, Method::DELETE].contains(method);
    changes || ["/preview", "/endpoints", "/openapi.json"].iter().any(|part| rest.starts_with(part))
}

/// Asks the other server the same, and gives its answer as it comes.
async fn pass_on(tls: &Tls, mut request: Request, address: &str) -> Result<Response> {
    let away = |reason: String| {
        tracing::warn!(server = address, reason, "the server that holds a preview does not answer");
        let message = "The server that holds this preview does not answer: try again in a minute, or when its time is over.";
        Error::PreviewUnavailable { message: message.to_owned() }
    };
    let target = request.uri().path_and_query().map_or("/", |target| target.as_str());
    *request.uri_mut() = target.parse::<Uri>().map_err(Error::internal)?;
    hop::strip(request.headers_mut());
    // A name without a dot is answered to by everyone, whatever it is known as.
    request.headers_mut().insert(header::HOST, HeaderValue::from_static("previewd"));
    request.headers_mut().insert(FORWARDED, HeaderValue::from_static("1"));
    let connecting = tokio::time::timeout(PATIENCE, connect(tls, address)).await;
    let stream = connecting.map_err(|_| away("no connection in time".to_owned()))?;
    let stream = stream.map_err(|e| away(e.to_string()))?;
    let (mut sender, connection) =
        hyper::client::conn::http1::handshake(TokioIo::new(stream)).await.map_err(|e| away(e.to_string()))?;
    // It ends with the answer, or with whoever reads that.
    tokio::spawn(connection);
    let mut response = sender.send_request(request).await.map_err(|e| away(e.to_string()))?.map(Body::new);
    hop::strip(response.headers_mut());
    Ok(response)
}

/// The address says whether the other server has a certificate, as [`found_at`] wrote it.
async fn connect(tls: &Tls, address: &str) -> std::io::Result<Reached> {
    let plain = address.strip_prefix(WITH_TLS);
    let stream = TcpStream::connect(plain.unwrap_or(address)).await?;
    // Small writes are log lines that somebody waits for.
    let _not_fatal = stream.set_nodelay(true);
    tls.reach(stream, plain.is_some()).await
}

/// How the store is told where this server is: at `address`.
pub fn found_at(config: &Config, address: &str) -> String {
    let scheme = if config.tls_certificate.is_some() { WITH_TLS } else { "" };
    format!("{scheme}{address}")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_the_store_knows_is_answered_here() {
        for (method, route, elsewhere) in [
            (Method::POST, "/api/generations/{id}/preview/launch", true),
            (Method::GET, "/api/generations/{id}/preview/logs/stream", true),
            (Method::DELETE, "/api/generations/{id}/preview", true),
            (Method::GET, "/api/generations/{id}/endpoints", true),
            (Method::PATCH, "/api/generations/{id}/files", true),
            (Method::DELETE, "/api/generations/{id}", true),
            (Method::GET, "/api/generations/{id}", false),
            (Method::GET, "/api/generations/{id}/files/{*path}", false),
            (Method::POST, "/api/projects/{projectId}/generations", false),
        ] {
            assert_eq!(concerns_preview(&method, route), elsewhere, "{method} {route}");
        }
    }
}
