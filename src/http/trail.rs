//! What becomes of calls: each in the server's log, and those that matter in the audit log.

use std::net::SocketAddr;
use std::sync::{Arc, OnceLock};

use axum::extract::{ConnectInfo, MatchedPath, Request, State};
use axum::http::{Method, StatusCode};
use axum::middleware::Next;
use axum::response::Response;
use tokio::time::Instant;

use super::caller::parameter;
use super::state::App;
use crate::audit::Entry;
use crate::gateway;
use crate::id::{GenerationId, UserId};
use crate::time::UnixMillis;
use crate::traces::{Parent, Span};

/// Goes with a call, so that whoever finds out who is calling can say so.
#[derive(Clone, Debug, Default)]
pub(super) struct Trail(Arc<OnceLock<UserId>>);

impl Trail {
    /// The caller is known now.
    pub fn is_of(&self, user: &UserId) {
        let _known_already = self.0.set(user.clone());
    }
}

/// Around every call.
pub(super) async fn follow(State(app): State<App>, request: Request, next: Next) -> Response {
    let (mut parts, body) = request.into_parts();
    let trail = Trail::default();
    parts.extensions.insert(trail.clone());
    let route = parts.extensions.get().map_or("", MatchedPath::as_str).to_owned();
    let span = if route.starts_with("/api/") {
        let name = || format!("{} {route}", parts.method);
        app.gateway.traces.answer(name, &mut parts.headers, Parent::default())
    } else {
        Span::default()
    };
    let peer = parts.extensions.get().map(|ConnectInfo(peer): &ConnectInfo<SocketAddr>| peer.ip());
    let entry = Entry {
        action: action(&parts.method, &route).unwrap_or_default().to_owned(),
        project: parameter(&mut parts, "projectId").await,
        generation: parameter(&mut parts, "id").await,
        file: parameter(&mut parts, "path").await,
        address: peer.map(|peer| peer.to_canonical().to_string()),
        ..Entry::default()
    };
    let mut call =
        Call { app, trail, method: parts.method.clone(), route, began: Instant::now(), span, entry };
    call.find_preview();
    let under_way = call.app.gateway.drain.under_way();
    let response = next.run(Request::from_parts(parts, body)).await;
    call.entry.status = Some(response.status().as_u16());
    gateway::hold(response, under_way)
}

/// A call under way. It is written down when it is over, also when the caller has left before.
struct Call {
    app: App,
    trail: Trail,
    method: Method,
    route: String,
    began: Instant,
    span: Span,
    entry: Entry,
}

impl Call {
    /// Before a stop and after a launch it is there.
    fn find_preview(&mut self) {
        if self.entry.action.is_empty() || self.entry.preview.is_some() {
            return;
        }
        let generation = self.entry.generation.as_deref().and_then(GenerationId::parse);
        let active = generation.and_then(|generation| self.app.previews.active(&generation));
        self.entry.preview = active.map(|active| active.id.to_string());
    }

    fn log(&self, user: Option<&UserId>) {
        tracing::debug!(
            method = %self.method,
            route = self.route,
            status = self.entry.status,
            generation = self.entry.generation,
            user = user.map(|user| user.0.as_str()),
            ms = u64::try_from(self.began.elapsed().as_millis()).unwrap_or(u64::MAX),
            "call"
        );
    }
}

impl Call {
    fn trace(&mut self, user: Option<&UserId>) {
        if !self.span.is_kept() {
            return;
        }
        self.span.set("http.request.method", self.method.to_string());
        self.span.set("http.route", self.route.clone());
        match self.entry.status.and_then(|status| StatusCode::from_u16(status).ok()) {
            Some(status) => self.span.answered(status),
            None => self.span.fail("the caller left"),
        }
        let ids = [
            ("previewd.user", user.map(|user| user.0.clone())),
            ("previewd.generation", self.entry.generation.clone()),
            ("previewd.preview", self.entry.preview.clone()),
        ];
        for (key, id) in ids {
            if let Some(id) = id {
                self.span.set(key, id);
            }
        }
    }
}

impl Drop for Call {
    fn drop(&mut self) {
        let user = self.trail.0.get().cloned();
        self.log(user.as_ref());
        self.trace(user.as_ref());
        // Of nobody there is nothing to say, and anybody could fill the log with it.
        let (Some(user), false) = (user, self.entry.action.is_empty()) else { return };
        self.find_preview();
        let mut entry = std::mem::take(&mut self.entry);
        if entry.status == Some(403) {
            // It is worth knowing that somebody named what is another's; the preview was not reached.
            entry.preview = None;
        }
        entry.user = user.0;
        entry.timestamp = UnixMillis::now().to_rfc3339();
        self.app.audit.record(entry);
    }
}

/// What the audit log calls it; `None` for what it leaves out: lists and states, which pages ask for all the time.
fn action(method: &Method, route: &str) -> Option<&'static str> {
    let of_generation = route.strip_prefix("/api/generations/{id}").unwrap_or(route);
    Some(match (method.as_str(), of_generation) {
        ("POST", "/api/projects") => "project.create",
        ("POST", "/api/projects/{projectId}/generations") => "generation.upload",
        ("DELETE", "") => "generation.delete",
        ("GET", "/files") => "files.list",
        ("GET", "/files/{*path}") => "files.read",
        ("PATCH", "/files") => "files.change",
        ("POST", "/preview/launch") => "preview.launch",
        ("DELETE", "/preview") => "preview.stop",
        ("GET", "/preview/logs" | "/preview/logs/stream" | "/preview/logs/download") => "logs.read",
        ("POST", "/preview/logs/ticket") => "logs.ticket",
        ("POST", "/preview/request" | "/preview/requests/{requestId}/replay") => "request.send",
        ("GET", "/preview/requests" | "/preview/requests/{requestId}" | "/preview/requests.har") => {
            "requests.read"
        }
        _ => return None,
    })
}
