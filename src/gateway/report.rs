//! A request in the metrics, and in the server's own log for those who turn that on.

use axum::body::Body;
use axum::http::{HeaderValue, Method, Request};
use tokio::time::Instant;

use super::Answered;
use crate::error::Result;
use crate::history::Via;
use crate::metrics::Traffic;
use crate::preview::{Active, Place};

/// What is to be told once the head of the answer has come.
pub(super) struct Report<'a> {
    traffic: &'a Traffic,
    began: Instant,
    /// For the log; nothing where nobody listens.
    asked: Option<Asked>,
}

struct Asked {
    method: Method,
    /// Without its query, which may have a secret in it.
    path: String,
    via: Via,
    request_id: HeaderValue,
}

impl<'a> Report<'a> {
    pub(super) fn begin(
        traffic: &'a Traffic,
        request: &Request<Body>,
        via: Via,
        request_id: &HeaderValue,
    ) -> Self {
        traffic.request();
        let asked = tracing::enabled!(tracing::Level::DEBUG).then(|| Asked {
            method: request.method().clone(),
            path: request.uri().path().to_owned(),
            via,
            request_id: request_id.clone(),
        });
        Self { traffic, began: Instant::now(), asked }
    }

    pub(super) fn end(self, preview: &Active, answered: &Result<(Answered, Place)>) {
        let status = match answered {
            Ok((answered, _)) => answered.response.status(),
            Err(error) => error.status(),
        };
        let took = self.began.elapsed();
        self.traffic.answered(status.as_u16(), took);
        let Some(asked) = self.asked else { return };
        tracing::debug!(
            preview = %preview.id,
            generation = %preview.generation_id,
            user = preview.user_id.0.as_str(),
            request = asked.request_id.to_str().unwrap_or_default(),
            via = asked.via.as_str(),
            method = %asked.method,
            path = asked.path,
            status = status.as_u16(),
            ms = u64::try_from(took.as_millis()).unwrap_or(u64::MAX),
            "request"
        );
    }
}
