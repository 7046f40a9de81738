//! Who is calling, and whether what they name is theirs. A handler that takes one of these has had both checked.

use axum::extract::{FromRequestParts, RawPathParams};
use axum::http::header;
use axum::http::request::Parts;

use super::state::App;
use super::trail::Trail;
use crate::auth::Caller;
use crate::error::{Error, Result};
use crate::id::{GenerationId, ProjectId};
use crate::store::{Generation, Project};

impl FromRequestParts<App> for Caller {
    type Rejection = Error;

    async fn from_request_parts(parts: &mut Parts, app: &App) -> Result<Self> {
        let caller = app.auth.verify(bearer(parts)?)?;
        if let Some(trail) = parts.extensions.get::<Trail>() {
            trail.is_of(&caller.user);
        }
        Ok(caller)
    }
}

fn bearer(parts: &Parts) -> Result<&str> {
    let missing = |message: &str| Error::Unauthorized { message: message.to_owned() };
    let value = parts.headers.get(header::AUTHORIZATION);
    let value = value
        .ok_or_else(|| missing("Send a token as `Authorization: Bearer …`; `previewd token` makes one."))?;
    let text = value.to_str().ok().and_then(|text| text.split_once(' '));
    match text {
        Some((scheme, token)) if scheme.eq_ignore_ascii_case("bearer") => Ok(token.trim()),
        _ => Err(missing("The Authorization header is not of the form `Bearer …`.")),
    }
}

/// The generation that the path names, the caller's own.
pub(super) struct Owned {
    /// Who is calling.
    pub caller: Caller,
    /// What they named.
    pub generation: Generation,
}

impl FromRequestParts<App> for Owned {
    type Rejection = Error;

    async fn from_request_parts(parts: &mut Parts, app: &App) -> Result<Self> {
        let caller = Caller::from_request_parts(parts, app).await?;
        let id = parameter(parts, "id").await;
        let id = id.as_deref().and_then(GenerationId::parse).ok_or(Error::GenerationNotFound)?;
        let generation = app.store.generation(&id).await?.ok_or(Error::GenerationNotFound)?;
        if generation.user_id != caller.user {
            return Err(Error::Forbidden { what: "generation" });
        }
        Ok(Self { caller, generation })
    }
}

/// The project that the path names, the caller's own.
pub(super) struct OwnedProject {
    /// Who is calling.
    pub caller: Caller,
    /// What they named.
    pub project: Project,
}

impl FromRequestParts<App> for OwnedProject {
    type Rejection = Error;

    async fn from_request_parts(parts: &mut Parts, app: &App) -> Result<Self> {
        let caller = Caller::from_request_parts(parts, app).await?;
        let id = parameter(parts, "projectId").await.unwrap_or_default();
        let project = project_of(app, &caller, &id).await?;
        Ok(Self { caller, project })
    }
}

/// A project by its id, if it is the caller's.
pub(super) async fn project_of(app: &App, caller: &Caller, id: &str) -> Result<Project> {
    let id = ProjectId::parse(id).ok_or(Error::ProjectNotFound)?;
    let project = app.store.project(&id).await?.ok_or(Error::ProjectNotFound)?;
    if project.user_id != caller.user {
        return Err(Error::Forbidden { what: "project" });
    }
    Ok(project)
}

/// A parameter of the path, percent-decoded. `None` where it is no text.
pub(super) async fn parameter(parts: &mut Parts, name: &str) -> Option<String> {
    let parameters = RawPathParams::from_request_parts(parts, &()).await.ok()?;
    parameters.iter().find(|(key, _)| *key == name).map(|(_, value)| value.to_owned())
}
