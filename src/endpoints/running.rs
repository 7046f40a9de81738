//! Asking the running application what it offers.
//!
//! The runner answers one path of its own, to whoever knows the probe's secret: the application's OpenAPI document and
//! every route that it has, so that it does not matter where the application publishes the document, or whether.

use std::collections::BTreeSet;
use std::time::Duration;

use axum::body::Body;
use axum::http::Request;
use http_body_util::{BodyExt, Limited};
use pysource::Endpoint;
use serde::Deserialize;
use serde_json::Value;

use super::{from_openapi_value, merge};
use crate::gateway::Forwarder;

/// The runner's own path.
const PATH: &str = "/__previewd__/endpoints";
/// Bytes of its answer that are believed.
const LIMIT: usize = 8 * 1024 * 1024;
/// Making the document of a large application takes a while.
const PATIENCE: Duration = Duration::from_secs(10);
/// Routes that are listed.
const MAX_ROUTES: usize = 5000;

/// Why the application could not be asked.
#[derive(Debug, thiserror::Error)]
pub enum Unanswered {
    /// It gave no answer in time, or one over the limit.
    #[error("The application did not say what it offers; this is read from its source.")]
    NoAnswer,
    /// It could not make its document.
    #[error("The application's OpenAPI document cannot be made ({0}); this is read from its source.")]
    Broken(String),
}

/// What the application says of itself.
#[derive(Debug)]
pub struct Running {
    documented: Vec<Endpoint>,
    routes: Vec<Route>,
}

#[derive(Debug, Deserialize)]
struct Answer {
    openapi: Option<Value>,
    error: Option<String>,
    #[serde(default)]
    routes: Vec<Route>,
}

#[derive(Debug, Deserialize)]
struct Route {
    method: String,
    path: String,
    #[serde(default)]
    description: String,
}

/// Asks the application.
///
/// # Errors
/// If it does not answer, or has no document that can be used.
pub async fn ask(forwarder: &Forwarder, probe: &str) -> Result<Running, Unanswered> {
    let answer = tokio::time::timeout(PATIENCE, fetch(forwarder, probe)).await;
    read_offer(&answer.ok().flatten().ok_or(Unanswered::NoAnswer)?)
}

/// Reads what the runner writes of an application.
///
/// # Errors
/// If it is no such text, or the application has no document that can be used.
pub fn read_offer(text: &[u8]) -> Result<Running, Unanswered> {
    let answer: Answer = serde_json::from_slice(text).map_err(|_| Unanswered::NoAnswer)?;
    let documented = match (answer.openapi, answer.error) {
        (Some(document), _) => {
            from_openapi_value(&document).map_err(|e| Unanswered::Broken(e.to_string()))?
        }
        (None, Some(error)) => return Err(Unanswered::Broken(error.chars().take(200).collect())),
        (None, None) => Vec::new(),
    };
    let mut routes = answer.routes;
    routes.truncate(MAX_ROUTES);
    Ok(Running { documented, routes })
}

async fn fetch(forwarder: &Forwarder, probe: &str) -> Option<bytes::Bytes> {
    let request = Request::get(PATH).header("host", "localhost").header("x-previewd-probe", probe);
    let response = forwarder.send(request.body(Body::empty()).ok()?).await.ok()?;
    let body = Limited::new(response.into_body(), LIMIT).collect().await.ok()?;
    Some(body.to_bytes())
}

/// The application's own word, with what its document leaves out: from its routes, described by its source where it can be.
#[must_use]
pub fn merge_running(running: Running, source: Vec<Endpoint>) -> Vec<Endpoint> {
    let real: BTreeSet<_> = running.routes.iter().map(|r| (r.method.clone(), r.path.clone())).collect();
    let known = |e: &Endpoint| real.contains(&(e.method.clone(), e.path.clone()));
    let unlisted = |endpoint: Endpoint| Endpoint { in_schema: Some(false), ..endpoint };
    let confirmed = source.into_iter().filter(known).map(unlisted).collect();
    let undescribed = running.routes.into_iter().map(|route| Endpoint {
        operation_id: format!("{} {}", route.method, route.path),
        method: route.method,
        path: route.path,
        description: route.description,
        in_schema: Some(false),
        ..Endpoint::default()
    });
    merge(merge(running.documented, confirmed), undescribed.collect())
}
