//! This API, described by itself.

use axum::Router;
use axum::http::header;
use axum::response::Html;
use axum::routing::get;
use serde::Serialize;
use utoipa::openapi::response::Response as OpenApiResponse;
use utoipa::openapi::schema::{SchemaType, Type};
use utoipa::openapi::security::{ApiKey, ApiKeyValue, Http, HttpAuthScheme, SecurityScheme};
use utoipa::openapi::{
    ContactBuilder, ContentBuilder, InfoBuilder, OpenApi, PathItem, Ref, RefOr, ResponseBuilder, Schema,
    SecurityRequirement,
};
use utoipa::{OpenApi as _, ToSchema};
use utoipa_axum::router::OpenApiRouter;

use super::state::App;
use super::words;

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
#[openapi(components(schemas(Failure, super::shapes::LogSource, super::shapes::LogFormat)))]
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
    let ticket = SecurityScheme::ApiKey(ApiKey::Query(ApiKeyValue::new("ticket")));
    let components = document.components.get_or_insert_default();
    components.add_security_scheme("bearer", bearer);
    components.add_security_scheme("ticket", ticket);
    document.security = Some(vec![SecurityRequirement::new::<_, [&str; 0], &str>("bearer", [])]);
    let paths = std::mem::take(&mut document.paths.paths);
    document.paths.paths = paths.into_iter().map(complete).collect();
    document
}

/// Adds what every call of a path may answer, and writes the path as OpenAPI does, which has no sign for the rest of it.
fn complete((path, mut item): (String, PathItem)) -> (String, PathItem) {
    let open = !path.starts_with("/api/");
    let calls = [&mut item.get, &mut item.post, &mut item.patch, &mut item.put, &mut item.delete];
    for call in calls.into_iter().flatten() {
        let with_body = call.request_body.is_some();
        // A name that is not known here, a body that is too long or no JSON, a store that is away.
        let common =
            [("400", !open || path == "/metrics"), ("413", with_body), ("415", with_body), ("503", !open)];
        for (status, _) in common.into_iter().filter(|(_, may)| *may) {
            call.responses.responses.entry(status.to_owned()).or_insert_with(|| RefOr::T(failure()));
        }
        for (status, response) in &mut call.responses.responses {
            if let RefOr::T(response) = response
                && response.description.is_empty()
            {
                response.description = words::refusal(status).to_owned();
            }
        }
        if open {
            call.security = Some(Vec::new());
        }
        for parameter in call.parameters.iter_mut().flatten() {
            if let RefOr::T(parameter) = parameter {
                parameter.schema = parameter.schema.take().map(not_null);
                let meaning = words::parameter(&parameter.parameter_in, &parameter.name);
                parameter.description = parameter.description.take().or(meaning.map(str::to_owned));
            }
        }
    }
    (path.replace("{*", "{"), item)
}

/// What may be left out of a query is never null in it.
fn not_null(schema: RefOr<Schema>) -> RefOr<Schema> {
    match schema {
        RefOr::T(Schema::Object(mut object)) => {
            if let SchemaType::Array(types) = &object.schema_type
                && let Some(plain) = types.iter().find(|kind| **kind != Type::Null)
            {
                object.schema_type = SchemaType::Type(plain.clone());
            }
            RefOr::T(Schema::Object(object))
        }
        RefOr::T(Schema::OneOf(mut one_of)) => {
            let named = one_of.items.iter().position(|item| matches!(item, RefOr::Ref(_)));
            named.map_or(RefOr::T(Schema::OneOf(one_of.clone())), |at| one_of.items.swap_remove(at))
        }
        other => other,
    }
}

fn failure() -> OpenApiResponse {
    let content = ContentBuilder::new().schema(Some(Ref::from_schema_name("Failure"))).build();
    ResponseBuilder::new().content("application/json", content).build()
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
