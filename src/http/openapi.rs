//! This API, described by itself.

use axum::Router;
use axum::http::header;
use axum::response::Html;
use axum::routing::get;
use serde::Serialize;
use utoipa::openapi::security::{Http, HttpAuthScheme, SecurityScheme};
use utoipa::openapi::{ContactBuilder, InfoBuilder, OpenApi, SecurityRequirement};
use utoipa::{OpenApi as _, ToSchema};
use utoipa_axum::router::OpenApiRouter;

use super::state::App;

/// Every error of the API.
#[derive(Serialize, ToSchema)]
pub(super) struct Failure {
    /// `failed`, or `not_found` for a 404.
    status: String,
    /// A stable code.
    error: String,
    /// What happened, and what to do next.
    message: String,
    /// What helps, where there is something.
    #[schema(value_type = Object)]
    details: serde_json::Value,
}

#[derive(utoipa::OpenApi)]
#[openapi(components(schemas(Failure)))]
struct Base;

/// An empty router with the document's frame.
pub(super) fn base() -> OpenApiRouter<App> {
    OpenApiRouter::with_openapi(Base::openapi())
}

/// Adds what is the same for all calls.
pub(super) fn finish(mut document: OpenApi) -> OpenApi {
    document.info = InfoBuilder::new()
        .title("previewd")
        .version(env!("CARGO_PKG_VERSION"))
        .description(Some("Shows people the FastAPI backend that was just generated for them, running."))
        .contact(Some(ContactBuilder::new().build()))
        .build();
    let bearer = SecurityScheme::Http(Http::new(HttpAuthScheme::Bearer));
    document.components.get_or_insert_default().add_security_scheme("bearer", bearer);
    document.security = Some(vec![SecurityRequirement::new::<_, [&str; 0], &str>("bearer", [])]);
    document
}

/// `/openapi.json`, and `/docs` for people.
pub(super) fn routes(document: OpenApi) -> Router<App> {
    let document = finish(document);
    let json = document.to_pretty_json().unwrap_or_default();
    let page = super::docs::page(&document);
    let kind = [(header::CONTENT_TYPE, "application/json")];
    // The page has no scripts at all.
    let policy = "default-src 'none'; style-src 'unsafe-inline'; frame-ancestors 'none'; base-uri 'none'";
    let policy = [(header::CONTENT_SECURITY_POLICY, policy)];
    Router::new()
        .route("/openapi.json", get(move || async move { (kind, json) }))
        .route("/docs", get(move || async move { (policy, Html(page)) }))
}
