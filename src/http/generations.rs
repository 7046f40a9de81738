//! Generations: one uploaded backend each.

use std::time::Duration;

use axum::body::Body;
use axum::extract::State;
use axum::http::{HeaderMap, StatusCode, header};
use serde::Serialize;
use utoipa::ToSchema;

use super::body::{Query, read};
use super::caller::{Owned, OwnedProject, project_of};
use super::openapi::Failure;
use super::projects::check_name;
use super::rate::Kind;
use super::state::App;
use crate::auth::Caller;
use crate::environment::Requirements;
use crate::error::{Error, Result};
use crate::generation::{self, Files, Format};
use crate::preview::StopReason;
use crate::store::{Found, Generation, NewGeneration};
use crate::time::UnixMillis;

/// Bytes of an upload's body: 50 MiB of files, a third more as base64, and their names.
const UPLOAD: u64 = 72 * 1024 * 1024;
/// What is launched as soon as it is uploaded has the processors for itself: what would be made ready meanwhile would be late for it.
const AT_ONCE: Duration = Duration::from_millis(400);
/// How long its launch is left alone then.
const LAUNCH: Duration = Duration::from_secs(3);

/// A generation, without its files.
#[derive(Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub(super) struct GenerationBody {
    /// `gen_…`
    generation_id: String,
    /// Where it belongs.
    project_id: String,
    /// What its user calls it.
    name: String,
    /// 1 as uploaded, one more with each change of its files.
    revision: i64,
    /// What serves it, `package.module:attribute`; null where nothing was found yet.
    entrypoint: Option<String>,
    /// How many files it has.
    file_count: i64,
    /// Their sizes together.
    total_bytes: i64,
    /// When it was uploaded.
    #[schema(value_type = String, format = DateTime)]
    created_at: UnixMillis,
    /// What would keep it from being launched, or should be known before.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    #[schema(required = false)]
    warnings: Vec<String>,
}

/// A list of generations.
#[derive(Serialize, ToSchema)]
pub(super) struct Generations {
    /// Newest first.
    generations: Vec<GenerationBody>,
}

impl From<Generation> for GenerationBody {
    fn from(generation: Generation) -> Self {
        Self {
            generation_id: generation.id.to_string(),
            project_id: generation.project_id.to_string(),
            name: generation.name,
            revision: generation.revision,
            entrypoint: generation.found.and_then(|found| found.entrypoint).or(generation.entrypoint),
            file_count: generation.file_count,
            total_bytes: generation.total_bytes,
            created_at: generation.created_at,
            warnings: Vec::new(),
        }
    }
}

/// Uploads a generation
///
/// As JSON `{"name"?, "entrypoint"?, "files": {path: "text" | {"base64": "…"}}}`, or as a zip, tar.gz or tar archive
/// with `name` and `entrypoint` in the query. Its environment is made in the background.
#[utoipa::path(post, operation_id = "upload_generation", path = "/api/projects/{projectId}/generations", tag = "generations",
    params(("projectId" = String, Path), ("name" = Option<String>, Query), ("entrypoint" = Option<String>, Query)),
    request_body(content((super::shapes::Upload = "application/json"), (Vec<u8> = "application/zip"),
        (Vec<u8> = "application/gzip"), (Vec<u8> = "application/x-tar"))),
    responses((status = 201, description = "The generation that was made.", body = GenerationBody), (status = 400, body = Failure), (status = 401, body = Failure),
        (status = 403, body = Failure), (status = 404, body = Failure), (status = 413, body = Failure),
        (status = 415, body = Failure), (status = 429, body = Failure)))]
pub(super) async fn upload(
    State(app): State<App>,
    OwnedProject { caller, project }: OwnedProject,
    query: Query,
    headers: HeaderMap,
    body: Body,
) -> Result<(StatusCode, axum::Json<GenerationBody>)> {
    app.rates.take(Kind::Uploads, &caller.user)?;
    let format = format_of(&headers)?;
    let body = read(body, UPLOAD).await?;
    let entrypoint = query.get("entrypoint").map(str::to_owned);
    let read = tokio::task::spawn_blocking(move || {
        let upload = generation::read_upload(format, &body)?;
        let named = entrypoint.or(upload.entrypoint.clone());
        let looked = look(&upload.files, named.as_deref())?;
        Ok::<_, Error>((upload, named, looked))
    });
    let (upload, named, looked) = read.await.map_err(Error::internal)??;
    let name = query.get("name").map(str::to_owned).or(upload.name);
    let name = name.unwrap_or_else(|| project.name.clone());
    check_name(&name)?;
    let modules = generation::modules(&upload.files);
    let new = NewGeneration {
        project_id: project.id,
        user_id: caller.user,
        name,
        entrypoint: named,
        found: looked.entrypoint,
        files: upload.files,
    };
    let generation = app.store.create_generation(new).await?;
    warm(&app, &generation, modules, looked.requirements);
    let body = GenerationBody { warnings: looked.warnings, ..generation.into() };
    Ok((StatusCode::CREATED, axum::Json(body)))
}

fn format_of(headers: &HeaderMap) -> Result<Format> {
    let kind = headers.get(header::CONTENT_TYPE).and_then(|v| v.to_str().ok()).unwrap_or("application/json");
    Format::from_content_type(kind).ok_or_else(|| Error::UnsupportedMediaType {
        message:
            "An upload is application/json, application/zip, application/gzip (tar.gz) or application/x-tar."
                .to_owned(),
    })
}

/// What is known of a project before it is launched.
struct Looked {
    entrypoint: Option<String>,
    requirements: Option<Requirements>,
    warnings: Vec<String>,
}

/// Reads what would serve it, and what would fail. Whether it can be launched is decided at launch; only an entry point
/// that was named must be sound.
fn look(files: &Files, named: Option<&str>) -> Result<Looked> {
    let plan = match generation::plan(files, named) {
        Ok(plan) => plan,
        Err(error @ Error::InvalidRequest { .. }) => return Err(error),
        Err(other) => {
            let (entrypoint, warnings) = (named.map(str::to_owned), vec![other.to_string()]);
            return Ok(Looked { entrypoint, requirements: None, warnings });
        }
    };
    let problems = pysource::problems(files, &plan.served(), &plan.requirements.to_lines());
    let warnings = plan.warnings.iter().cloned().chain(problems.iter().map(ToString::to_string)).collect();
    Ok(Looked { entrypoint: Some(plan.entrypoint), requirements: Some(plan.requirements), warnings })
}

/// Makes the environment, and what a launch begins with, before they are needed.
fn warm(app: &App, generation: &Generation, modules: Files, requirements: Option<Requirements>) {
    let Some(requirements) = requirements else { return };
    let (environments, previews) = (app.environments.clone(), app.previews.clone());
    let (id, user) = (generation.id.clone(), generation.user_id.clone());
    tokio::spawn(async move {
        match environments.prepare(&requirements, &|_line| {}).await {
            Ok(environment) => {
                tokio::time::sleep(AT_ONCE).await;
                if previews.active(&id).is_some() {
                    tokio::time::sleep(LAUNCH).await;
                }
                previews.warm(&environment, &user).await;
                previews.compile(&id, &modules, &environment).await;
            }
            // The launch will say so to the person; here nobody waits.
            Err(e) => tracing::debug!(error = %e, "an environment could not be made ahead"),
        }
    });
}

/// The caller's generations
#[utoipa::path(get, operation_id = "list_generations", path = "/api/generations", tag = "generations", params(("projectId" = Option<String>, Query)),
    responses((status = 200, description = "The generations, newest first.", body = Generations), (status = 401, body = Failure), (status = 403, body = Failure),
        (status = 404, body = Failure)))]
pub(super) async fn list(
    State(app): State<App>,
    caller: Caller,
    query: Query,
) -> Result<axum::Json<Generations>> {
    let project = match query.get("projectId") {
        Some(id) => Some(project_of(&app, &caller, id).await?.id),
        None => None,
    };
    let mut generations = Vec::new();
    for generation in app.store.generations(&caller.user, project.as_ref()).await? {
        let known = generation.found.as_ref().is_some_and(|found| found.revision == generation.revision);
        generations.push(if known { generation.into() } else { read_again(&app, generation).await? });
    }
    Ok(axum::Json(Generations { generations: generations.into_iter().map(without_warnings).collect() }))
}

/// Warnings belong to the one generation that somebody looks at.
fn without_warnings(body: GenerationBody) -> GenerationBody {
    GenerationBody { warnings: Vec::new(), ..body }
}

/// Reads the source of the present revision, and keeps what was found.
async fn read_again(app: &App, generation: Generation) -> Result<GenerationBody> {
    let files = app.store.contents(&generation.id).await?;
    let named = generation.entrypoint.clone();
    let read = tokio::task::spawn_blocking(move || look(&files, named.as_deref()));
    let looked = read.await.map_err(Error::internal)??;
    let (entrypoint, warnings) = (looked.entrypoint, looked.warnings);
    let found = Found { revision: generation.revision, entrypoint: entrypoint.clone() };
    if generation.found.as_ref() != Some(&found) {
        app.store.keep_found(&generation.id, &found).await?;
    }
    Ok(GenerationBody { entrypoint, warnings, ..generation.into() })
}

/// One generation
#[utoipa::path(get, operation_id = "get_generation", path = "/api/generations/{id}", tag = "generations", params(("id" = String, Path)),
    responses((status = 200, description = "The generation.", body = GenerationBody), (status = 401, body = Failure), (status = 403, body = Failure),
        (status = 404, body = Failure)))]
pub(super) async fn get(State(app): State<App>, owned: Owned) -> Result<axum::Json<GenerationBody>> {
    Ok(axum::Json(read_again(&app, owned.generation).await?))
}

/// Deletes a generation, its preview and its kept database
///
/// 503 where its preview does not end, or its kept database cannot be removed: the generation is still there then, to be deleted by
/// another try.
#[utoipa::path(delete, operation_id = "delete_generation", path = "/api/generations/{id}", tag = "generations", params(("id" = String, Path)),
    responses((status = 204, description = "The generation, its preview and its kept database are gone."), (status = 401, body = Failure), (status = 403, body = Failure),
        (status = 404, body = Failure), (status = 503, body = Failure)))]
pub(super) async fn delete(State(app): State<App>, owned: Owned) -> Result<StatusCode> {
    /// Whoever launches it as fast as it is stopped does not keep this call busy for ever.
    const TRIES: usize = 100;
    let id = &owned.generation.id;
    for _ in 0..TRIES {
        match app.previews.stop(id, StopReason::Deleted).await {
            Ok(_) | Err(Error::NoActivePreview { .. }) => {}
            Err(other) => return Err(other),
        }
        let forgotten = app.previews.forget_database(id);
        forgotten.map_err(|error| Error::StoreUnavailable(Box::new(error)))?;
        if app.store.delete_generation(id).await? {
            return Ok(StatusCode::NO_CONTENT);
        }
        // It was launched in between, and its preview is in sight in a moment.
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
    let message = "The generation is not deleted: it has a preview that does not end. Try again in a minute.";
    Err(Error::PreviewUnavailable { message: message.to_owned() })
}
