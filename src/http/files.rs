//! The files of a generation.

use axum::body::Body;
use axum::extract::State;
use axum::http::{HeaderMap, Request, StatusCode, header};
use axum::response::{IntoResponse, Response};
use serde::Serialize;
use serde_json::Value;
use utoipa::ToSchema;

use super::body::read;
use super::caller::{Owned, parameter};
use super::openapi::Failure;
use super::state::App;
use crate::answer::failure_details;
use crate::error::{Error, Result};
use crate::generation;

/// Bytes of a patch's body.
const PATCH: u64 = 72 * 1024 * 1024;

/// One file, without its content.
#[derive(Serialize, ToSchema)]
pub(super) struct FileBody {
    /// Relative, with `/`.
    path: String,
    /// In bytes.
    size: i64,
    /// Of the content, in hexadecimal.
    sha256: String,
}

/// The files of a generation.
#[derive(Serialize, ToSchema)]
pub(super) struct Files {
    /// By path.
    files: Vec<FileBody>,
}

/// What a patch did.
#[derive(Serialize, ToSchema)]
pub(super) struct Patched {
    /// The generation's revision now.
    revision: i64,
    /// Whether a running preview serves it now.
    reloaded: bool,
    /// Why the new code does not start, where it does not; the old goes on serving.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(value_type = super::shapes::LaunchFailure, required = false)]
    details: Option<Value>,
}

/// The files of a generation
#[utoipa::path(get, operation_id = "list_files", path = "/api/generations/{id}/files", tag = "generations", params(("id" = String, Path)),
    responses((status = 200, description = "Every file with its size and digest.", body = Files), (status = 401, body = Failure), (status = 403, body = Failure),
        (status = 404, body = Failure)))]
pub(super) async fn list(State(app): State<App>, owned: Owned) -> Result<axum::Json<Files>> {
    let files = app.store.files(&owned.generation.id).await?;
    let body = |f: crate::store::FileEntry| FileBody { path: f.path, size: f.size, sha256: f.sha256 };
    Ok(axum::Json(Files { files: files.into_iter().map(body).collect() }))
}

/// One file's bytes
#[utoipa::path(get, operation_id = "get_file", path = "/api/generations/{id}/files/{*path}", tag = "generations",
    params(("id" = String, Path), ("path" = String, Path)),
    responses((status = 200, description = "The file's bytes, as a download.", body = Vec<u8>, content_type = "application/octet-stream"),
        (status = 401, body = Failure), (status = 403, body = Failure), (status = 404, body = Failure)))]
pub(super) async fn get(State(app): State<App>, owned: Owned, request: Request<Body>) -> Result<Response> {
    let (mut parts, _) = request.into_parts();
    let path = parameter(&mut parts, "path").await.unwrap_or_default();
    let missing = || Error::NotFound { message: "This generation has no such file.".to_owned() };
    let bytes = app.store.file(&owned.generation.id, &path).await?.ok_or_else(missing)?;
    // Strangers' bytes on the API's origin: never as something that a browser would run.
    let headers = [
        (header::CONTENT_TYPE, "application/octet-stream"),
        (header::CONTENT_SECURITY_POLICY, "sandbox; default-src 'none'"),
        (header::CACHE_CONTROL, "no-store"),
    ];
    Ok((StatusCode::OK, headers, bytes).into_response())
}

/// Changes files, all of them or none
///
/// `{"files": {path: "text" | {"base64": "…"} | null}}`; null deletes. A running preview moves to the new code; if that
/// does not start, the old goes on serving and `details` says why.
#[utoipa::path(patch, operation_id = "patch_files", path = "/api/generations/{id}/files", tag = "generations", params(("id" = String, Path)),
    request_body = super::shapes::Patch,
    responses((status = 200, description = "The files have changed; whether what runs has is `reloaded`.", body = Patched), (status = 400, body = Failure), (status = 401, body = Failure),
        (status = 403, body = Failure), (status = 404, body = Failure), (status = 413, body = Failure)))]
pub(super) async fn patch(
    State(app): State<App>,
    owned: Owned,
    headers: HeaderMap,
    body: Body,
) -> Result<axum::Json<Patched>> {
    let body = read(body, PATCH).await?;
    let _is_json: serde::de::IgnoredAny = super::body::json(&headers, &body)?;
    let changes = generation::read_patch(&body)?;
    let present = app.store.files(&owned.generation.id).await?;
    let present = present.iter().map(|f| (f.path.as_str(), u64::try_from(f.size).unwrap_or(0)));
    generation::check_patch(present, &changes)?;
    // A task of its own: a client that leaves in the middle must not leave new files without their reload.
    let (id, store, previews) = (owned.generation.id, app.store.clone(), app.previews.clone());
    let parent = app.gateway.traces.parent(&headers);
    let patched = tokio::spawn(async move {
        let generation = store.patch_files(&id, changes).await?.ok_or(Error::GenerationNotFound)?;
        let outcome = previews.reload(&generation, parent).await?;
        Ok::<_, Error>((generation, outcome))
    });
    let (generation, outcome) = patched.await.map_err(Error::internal)??;
    let reloaded = matches!(outcome, Some(None));
    let details = outcome.flatten().map(|failure| {
        let mut details = failure_details(&failure);
        details["message"] = failure.message.into();
        details
    });
    Ok(axum::Json(Patched { revision: generation.revision, reloaded, details }))
}
