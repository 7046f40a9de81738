//! A request in the server's own log, for those who turn that on.

use axum::body::Body;
use axum::http::{Method, Request};
use tokio::time::Instant;

use super::Answered;
use crate::error::Result;
use crate::history::Via;
use crate::preview::{Active, Place};

/// What is to be told once the head of the answer has come; nothing where nobody listens.
pub(super) struct Report(Option<Begun>);

struct Begun {
    at: Instant,
    method: Method,
    /// Without its query, which may have a secret in it.
    path: String,
    via: Via,
    request_id: String,
}

impl Report {
    pub(super) fn begin(request: &Request<Body>, via: Via, request_id: &str) -> Self {
        Self(tracing::enabled!(tracing::Level::DEBUG).then(|| Begun {
            at: Instant::now(),
            method: request.method().clone(),
            path: request.uri().path().to_owned(),
            via,
            request_id: request_id.to_owned(),
        }))
    }

    pub(super) fn end(self, preview: &Active, answered: &Result<(Answered, Place)>) {
        let Some(begun) = self.0 else { return };
        let status = match answered {
            Ok((answered, _)) => answered.response.status(),
            Err(error) => error.status(),
        };
        tracing::debug!(
            preview = %preview.id,
            generation = %preview.generation_id,
            user = preview.user_id.0.as_str(),
            request = begun.request_id,
            via = begun.via.as_str(),
            method = %begun.method,
            path = begun.path,
            status = status.as_u16(),
            ms = u64::try_from(begun.at.elapsed().as_millis()).unwrap_or(u64::MAX),
            "request"
        );
    }
}
