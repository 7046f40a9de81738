//! Reading request bodies, each under a limit.

use std::time::Duration;

use axum::body::Body;
use axum::extract::{FromRequest, Request};
use axum::http::{HeaderMap, header};
use bytes::{Bytes, BytesMut};
use http_body_util::BodyExt;
use serde::de::DeserializeOwned;

use crate::error::{Error, Result};

/// Bytes of the body of an ordinary call.
const ORDINARY: u64 = 1024 * 1024;

/// For a client to finish sending what is refused for its size.
const DRAIN: Duration = Duration::from_secs(10);

/// The whole body, at most `limit` bytes.
pub(super) async fn read(body: Body, limit: u64) -> Result<Bytes> {
    let mut body = body;
    let mut kept = BytesMut::new();
    let mut left = limit;
    while let Some(frame) = body.frame().await {
        let Ok(data) = frame.map_err(|_| ended_early())?.into_data() else { continue };
        let Some(rest) = left.checked_sub(data.len() as u64) else {
            drop(kept);
            drain(body).await;
            return Err(Error::TooLarge { what: "The request's body".to_owned(), limit });
        };
        left = rest;
        kept.extend_from_slice(&data);
    }
    Ok(kept.freeze())
}

fn ended_early() -> Error {
    let message = "The request's body ended too early: send it again.".to_owned();
    Error::InvalidRequest { message, field: None }
}

/// Reads on for a while: a client that is still sending when the connection is closed never sees the answer.
async fn drain(mut body: Body) {
    let rest = async { while let Some(Ok(_)) = body.frame().await {} };
    let _too_long = tokio::time::timeout(DRAIN, rest).await;
}

/// A JSON document. An absent body is read as `null`, so that calls whose fields are all optional need none.
pub(super) fn json<T: DeserializeOwned>(headers: &HeaderMap, body: &[u8]) -> Result<T> {
    if body.is_empty() {
        return parse(b"null");
    }
    let kind = headers.get(header::CONTENT_TYPE).and_then(|v| v.to_str().ok());
    match kind {
        None => parse(body),
        Some(kind) if is_json(kind) => parse(body),
        Some(_) => Err(Error::UnsupportedMediaType {
            message: "This call takes JSON: send `Content-Type: application/json`.".to_owned(),
        }),
    }
}

fn is_json(content_type: &str) -> bool {
    let essence = content_type.split(';').next().unwrap_or_default().trim().to_ascii_lowercase();
    essence == "application/json" || (essence.starts_with("application/") && essence.ends_with("+json"))
}

fn parse<T: DeserializeOwned>(body: &[u8]) -> Result<T> {
    serde_json::from_slice(body).map_err(|e| {
        // Serde's text names the field and the types, and quotes at most a short value of the caller's own.
        let field = field_of(&e.to_string());
        Error::InvalidRequest { message: format!("The body is not what this call takes: {e}."), field }
    })
}

fn field_of(message: &str) -> Option<String> {
    let (_, rest) = message.split_once("missing field `")?;
    rest.split_once('`').map(|(field, _)| field.to_owned())
}

/// An ordinary call's JSON body.
pub(super) struct Json<T>(pub T);

impl<T: DeserializeOwned, S: Send + Sync> FromRequest<S> for Json<T> {
    type Rejection = Error;

    async fn from_request(request: Request, _: &S) -> Result<Self> {
        let (parts, body) = request.into_parts();
        let body = read(body, ORDINARY).await?;
        json(&parts.headers, &body).map(Self)
    }
}

/// A query string's values; `None` where a key is absent.
pub(super) struct Query(Vec<(String, String)>);

impl Query {
    /// The last value of a key.
    pub fn get(&self, key: &str) -> Option<&str> {
        self.0.iter().rev().find(|(k, _)| k == key).map(|(_, value)| value.as_str())
    }

    /// A value that is to be understood, or the error that names its key.
    pub fn parse<T>(
        &self,
        key: &str,
        takes: &str,
        read: impl FnOnce(&str) -> Option<T>,
    ) -> Result<Option<T>> {
        let Some(value) = self.get(key) else { return Ok(None) };
        let wrong = || Error::invalid(key, format!("The query value `{key}` takes {takes}."));
        read(value).map(Some).ok_or_else(wrong)
    }
}

impl<S: Send + Sync> axum::extract::FromRequestParts<S> for Query {
    type Rejection = Error;

    async fn from_request_parts(parts: &mut axum::http::request::Parts, _: &S) -> Result<Self> {
        let query = parts.uri.query().unwrap_or_default().as_bytes();
        Ok(Self(form_urlencoded::parse(query).into_owned().collect()))
    }
}
