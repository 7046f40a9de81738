//! The one place that turns an [`Error`] into an HTTP answer.

use axum::Json;
use axum::http::{HeaderValue, StatusCode, header};
use axum::response::{IntoResponse, Response};
use serde_json::{Value, json};

use crate::error::{Error, FailureReason, LaunchFailure};

impl Error {
    /// Its HTTP status.
    #[must_use]
    pub fn status(&self) -> StatusCode {
        match self {
            Self::InvalidRequest { .. } | Self::InvalidGeneration { .. } => StatusCode::BAD_REQUEST,
            Self::Unauthorized { .. } => StatusCode::UNAUTHORIZED,
            Self::Forbidden { .. } | Self::InvalidPreviewToken => StatusCode::FORBIDDEN,
            Self::NotFound { .. }
            | Self::GenerationNotFound
            | Self::ProjectNotFound
            | Self::NoActivePreview { .. } => StatusCode::NOT_FOUND,
            Self::MethodNotAllowed => StatusCode::METHOD_NOT_ALLOWED,
            Self::PreviewAlreadyRunning { .. } | Self::PreviewLimitReached { .. } | Self::LaunchCancelled => {
                StatusCode::CONFLICT
            }
            Self::TooLarge { .. } | Self::QuotaReached { .. } => StatusCode::PAYLOAD_TOO_LARGE,
            Self::UnsupportedMediaType { .. } => StatusCode::UNSUPPORTED_MEDIA_TYPE,
            Self::RateLimited { .. } => StatusCode::TOO_MANY_REQUESTS,
            Self::LaunchFailed(failure) if failure.reason == FailureReason::LaunchTimeout => {
                StatusCode::GATEWAY_TIMEOUT
            }
            Self::LaunchFailed(_) | Self::PortsExhausted { .. } | Self::Internal(_) => {
                StatusCode::INTERNAL_SERVER_ERROR
            }
            Self::PreviewUnavailable { .. } | Self::StoreUnavailable(_) => StatusCode::SERVICE_UNAVAILABLE,
            Self::RequestTimeout { .. } => StatusCode::GATEWAY_TIMEOUT,
        }
    }

    /// Its stable code.
    #[must_use]
    pub fn code(&self) -> &'static str {
        match self {
            Self::InvalidRequest { .. } => "invalid_request",
            Self::LaunchFailed(failure) if failure.reason == FailureReason::LaunchTimeout => "launch_timeout",
            Self::InvalidGeneration { .. } | Self::LaunchFailed(_) => "launch_failed",
            Self::Unauthorized { .. } => "unauthorized",
            Self::Forbidden { .. } => "forbidden",
            Self::InvalidPreviewToken => "invalid_preview_token",
            Self::NotFound { .. } => "not_found",
            Self::GenerationNotFound => "generation_not_found",
            Self::ProjectNotFound => "project_not_found",
            Self::NoActivePreview { .. } => "no_active_preview",
            Self::MethodNotAllowed => "method_not_allowed",
            Self::PreviewAlreadyRunning { .. } => "preview_already_running",
            Self::PreviewLimitReached { .. } => "preview_limit_reached",
            Self::LaunchCancelled => "launch_cancelled",
            Self::TooLarge { .. } | Self::QuotaReached { .. } => "too_large",
            Self::UnsupportedMediaType { .. } => "unsupported_media_type",
            Self::RateLimited { .. } => "rate_limited",
            Self::PortsExhausted { .. } => "port_allocation_failed",
            Self::PreviewUnavailable { .. } => "preview_unavailable",
            Self::RequestTimeout { .. } => "request_timeout",
            Self::StoreUnavailable(_) => "store_unavailable",
            Self::Internal(_) => "internal_error",
        }
    }

    fn details(&self) -> Value {
        match self {
            Self::InvalidRequest { field: Some(field), .. } => json!({ "field": field }),
            Self::InvalidGeneration { missing } => {
                json!({ "reason": "invalid_generation", "missingFiles": missing })
            }
            Self::NoActivePreview { last: Some(last), .. } => json!({ "lastPreview": last }),
            Self::PreviewAlreadyRunning { preview_id } => json!({ "previewInstanceId": preview_id }),
            Self::PreviewLimitReached { limit, active } => json!({ "limit": limit, "active": active }),
            Self::TooLarge { limit, .. } => json!({ "limit": limit }),
            Self::QuotaReached { what, limit, used } => {
                json!({ "quota": what, "limit": limit, "used": used })
            }
            Self::RateLimited { retry_after, .. } => json!({ "retryAfter": retry_after }),
            Self::LaunchFailed(failure) => failure_details(failure),
            Self::PortsExhausted { min, max } => json!({ "portMin": min, "portMax": max }),
            _ => json!({}),
        }
    }

    /// The body of the answer.
    #[must_use]
    pub fn body(&self) -> Value {
        let status = if self.status() == StatusCode::NOT_FOUND { "not_found" } else { "failed" };
        let mut body = json!({
            "status": status, "error": self.code(), "message": self.to_string(), "details": self.details(),
        });
        if matches!(self, Self::PreviewUnavailable { .. } | Self::RequestTimeout { .. }) {
            body["statusCode"] = self.status().as_u16().into();
        }
        body
    }
}

/// A failure as `details` tells it: all but the message, which stands beside.
#[must_use]
pub fn failure_details(failure: &LaunchFailure) -> Value {
    let mut details = serde_json::to_value(failure).unwrap_or_default();
    if let Some(details) = details.as_object_mut() {
        details.remove("message");
    }
    details
}

impl IntoResponse for Error {
    fn into_response(self) -> Response {
        if let Self::Internal(source) | Self::StoreUnavailable(source) = &self {
            // The person is told nothing of it; the operator everything.
            let source: &dyn std::error::Error = source.as_ref();
            tracing::error!(error = chain(source), code = self.code(), "a call failed");
        }
        let mut response = (self.status(), Json(self.body())).into_response();
        let headers = response.headers_mut();
        headers.insert(header::CACHE_CONTROL, HeaderValue::from_static("no-store"));
        match &self {
            Self::RateLimited { retry_after, .. } => {
                headers.insert(header::RETRY_AFTER, HeaderValue::from(*retry_after));
            }
            Self::Unauthorized { .. } => {
                headers.insert(header::WWW_AUTHENTICATE, HeaderValue::from_static("Bearer"));
            }
            _ => {}
        }
        response
    }
}

fn chain(error: &dyn std::error::Error) -> String {
    let causes = std::iter::successors(Some(error), |error| error.source());
    causes.map(ToString::to_string).collect::<Vec<_>>().join(": ")
}
