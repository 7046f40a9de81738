//! The API over HTTP: one file per group of routes. Nothing imports this but the command line.

mod body;
mod caller;
mod config;
mod described;
mod docs;
mod elsewhere;
mod endpoints;
mod files;
mod generations;
mod guards;
mod har;
mod health;
mod history;
mod launch;
mod listings;
mod logs;
mod openapi;
mod preview;
mod projects;
mod rate;
mod request;
mod shapes;
mod state;
mod ticket;
mod trail;
pub mod ui;
mod words;

use axum::Router;
use axum::extract::DefaultBodyLimit;
use axum::middleware;
use axum::routing::any;
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

pub use elsewhere::found_at;
pub use state::App;

use crate::error::Error;

/// All routes.
pub fn router(app: App) -> Router {
    let (api, document) = api().split_for_parts();
    let ui = ui::routes(app.config.ui_dir.clone());
    api.merge(openapi::routes(document))
        .route("/api/{*rest}", any(unknown))
        .fallback_service(ui)
        .method_not_allowed_fallback(|| async { Error::MethodNotAllowed })
        .layer(middleware::from_fn_with_state(app.clone(), elsewhere::forwarded))
        // Each call has its own limit, told in its own words.
        .layer(DefaultBodyLimit::disable())
        .layer(middleware::from_fn_with_state(app.clone(), guards::shared))
        .layer(middleware::from_fn(guards::guarded))
        .layer(middleware::from_fn_with_state(app.clone(), trail::follow))
        .with_state(app)
}

/// This API as an OpenAPI 3.1 document.
#[must_use]
pub fn document() -> utoipa::openapi::OpenApi {
    openapi::finish(api().split_for_parts().1)
}

fn api() -> OpenApiRouter<App> {
    openapi::base()
        .routes(routes!(projects::create, projects::list))
        .routes(routes!(generations::upload))
        .routes(routes!(generations::list))
        .routes(routes!(generations::get, generations::delete))
        .routes(routes!(files::list, files::patch))
        .routes(routes!(files::get))
        .routes(routes!(launch::launch))
        .routes(routes!(preview::status))
        .routes(routes!(preview::stop))
        .routes(routes!(preview::mine))
        .routes(routes!(endpoints::list))
        .routes(routes!(described::get))
        .routes(routes!(request::send))
        .routes(routes!(history::list))
        .routes(routes!(history::get))
        .routes(routes!(history::replay))
        .routes(routes!(history::har))
        .routes(routes!(config::get))
        .routes(routes!(logs::page))
        .routes(routes!(logs::stream))
        .routes(routes!(logs::ticket))
        .routes(routes!(logs::download))
        .routes(routes!(health::healthz))
        .routes(routes!(health::readyz))
        .routes(routes!(health::metrics))
}

async fn unknown() -> Error {
    Error::NotFound { message: "No such address: /docs lists them.".to_owned() }
}
