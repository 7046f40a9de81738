//! What browsers are told of every answer, and pages of other origins that may read them.

use axum::extract::{Request, State};
use axum::http::header::{self, HeaderMap, HeaderName, HeaderValue};
use axum::http::{Method, StatusCode};
use axum::middleware::Next;
use axum::response::{IntoResponse, Response};

use super::state::App;

/// What an answer may do that a browser shows as a page: nothing, but for whoever calls the API from its console.
const CSP: &str = "default-src 'none'; connect-src 'self'; frame-ancestors 'none'; base-uri 'none'";
/// Nothing of ours is guessed at, framed, or told to others. An answer may say it better itself.
const GUARDS: [(HeaderName, &str); 6] = [
    (header::X_CONTENT_TYPE_OPTIONS, "nosniff"),
    (header::X_FRAME_OPTIONS, "DENY"),
    (header::REFERRER_POLICY, "no-referrer"),
    (header::CONTENT_SECURITY_POLICY, CSP),
    (HeaderName::from_static("cross-origin-opener-policy"), "same-origin"),
    (HeaderName::from_static("cross-origin-resource-policy"), "same-origin"),
];

/// What a page of an allowed origin may send and see. Never cookies: the API has none.
const GRANTS: [(HeaderName, &str); 3] = [
    (header::ACCESS_CONTROL_ALLOW_METHODS, "GET, POST, PATCH, DELETE"),
    (
        header::ACCESS_CONTROL_ALLOW_HEADERS,
        "authorization, content-type, last-event-id, x-preview-token, x-request-id",
    ),
    (header::ACCESS_CONTROL_MAX_AGE, "600"),
];
const SHOWN: &str = "content-disposition, retry-after, x-request-id";

/// Adds them to whatever is answered.
pub(super) async fn guarded(request: Request, next: Next) -> Response {
    let mut response = next.run(request).await;
    for (name, value) in GUARDS {
        response.headers_mut().entry(name).or_insert(HeaderValue::from_static(value));
    }
    response
}

/// Lets pages of the origins in `PREVIEW_ALLOWED_ORIGINS` call the API; to all others the browser keeps the answers.
pub(super) async fn shared(State(app): State<App>, request: Request, next: Next) -> Response {
    let allowed = &app.config.allowed_origins;
    if allowed.is_empty() || !request.uri().path().starts_with("/api/") {
        return next.run(request).await;
    }
    let origin = request.headers().get(header::ORIGIN).cloned();
    let origin = origin.filter(|origin| allowed.iter().any(|known| known.as_bytes() == origin.as_bytes()));
    let asks_first = request.method() == Method::OPTIONS
        && request.headers().contains_key(header::ACCESS_CONTROL_REQUEST_METHOD);
    let mut response = match &origin {
        Some(_) if asks_first => {
            let mut granted = StatusCode::NO_CONTENT.into_response();
            granted.headers_mut().extend(GRANTS.map(|(name, value)| (name, HeaderValue::from_static(value))));
            granted
        }
        _ => next.run(request).await,
    };
    share(response.headers_mut(), origin);
    response
}

fn share(headers: &mut HeaderMap, origin: Option<HeaderValue>) {
    // Caches keep the answers to different origins apart.
    headers.append(header::VARY, HeaderValue::from_static("origin"));
    if let Some(origin) = origin {
        headers.insert(header::ACCESS_CONTROL_ALLOW_ORIGIN, origin);
        headers.insert(header::ACCESS_CONTROL_EXPOSE_HEADERS, HeaderValue::from_static(SHOWN));
    }
}
