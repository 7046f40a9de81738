//! Reads a project from its entry point on.

use crate::endpoint::{Analysis, Endpoint, Entrypoint};
use crate::interp::value::{RouteKind, Value};
use crate::interp::{Interp, Sources};
use crate::modules::{Files, Modules};

/// What the application at `entrypoint` offers, as far as its source settles it. Executes nothing.
#[must_use]
pub fn endpoints(files: &Files, entrypoint: &Entrypoint) -> Analysis {
    let sources = Sources::new(Modules::new(files));
    let mut interp = Interp::new(&sources, false);
    let mut analysis = Analysis::default();
    let Some(_) = interp.load(&entrypoint.module) else { return analysis };
    let mut app = interp.attribute(&Value::Module(entrypoint.module.as_str().into()), &entrypoint.attribute);
    if entrypoint.factory {
        app = interp.call(&app, Vec::new(), Vec::new());
    }
    if let Value::Router(id) = app {
        for route in interp.routes_of(id) {
            let Value::Route(route) = route else { continue };
            let route = interp.heap.routes[route].clone();
            let methods = match route.kind {
                RouteKind::WebSocket => vec!["WEBSOCKET".into()],
                RouteKind::Mount => vec!["MOUNT".into()],
                _ => route.methods.clone(),
            };
            for method in methods {
                analysis.endpoints.push(Endpoint {
                    method: method.to_string(),
                    path: route.context.prefix.to_string(),
                    in_schema: (!(route.kind == RouteKind::Http && route.context.include_in_schema))
                        .then_some(false),
                    ..Endpoint::default()
                });
            }
        }
    }
    analysis.warnings = interp.take_warnings();
    analysis
}
