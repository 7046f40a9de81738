//! Projects.

use axum::extract::State;
use axum::http::StatusCode;
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use super::body::Json;
use super::openapi::Failure;
use super::state::App;
use crate::auth::Caller;
use crate::error::{Error, Result};
use crate::store::Project;
use crate::time::UnixMillis;

/// Characters of a name that somebody gives.
pub(super) const LONGEST_NAME: usize = 200;

/// What a new project is to be called.
#[derive(Deserialize, ToSchema)]
pub(super) struct NewProject {
    /// 1 to 200 characters.
    #[schema(
        min_length = 1,
        max_length = 200,
        pattern = "^[^\\x00-\\x1f\\x7f-\\x9f]*[^\\s\\x00-\\x1f\\x7f-\\x9f][^\\x00-\\x1f\\x7f-\\x9f]*$"
    )]
    name: String,
}

/// A project.
#[derive(Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub(super) struct ProjectBody {
    /// `proj_…`
    project_id: String,
    /// What its user calls it.
    name: String,
    /// When it was made.
    #[schema(value_type = String, format = DateTime)]
    created_at: UnixMillis,
}

/// The caller's projects.
#[derive(Serialize, ToSchema)]
pub(super) struct Projects {
    /// Newest first.
    projects: Vec<ProjectBody>,
}

impl From<Project> for ProjectBody {
    fn from(project: Project) -> Self {
        Self { project_id: project.id.to_string(), name: project.name, created_at: project.created_at }
    }
}

/// Refuses a name that is empty, too long or cannot be shown.
pub(super) fn check_name(name: &str) -> Result<()> {
    if name.trim().is_empty() || name.chars().count() > LONGEST_NAME || name.chars().any(char::is_control) {
        let takes = format!("A name has 1 to {LONGEST_NAME} characters and no control characters.");
        return Err(Error::invalid("name", takes));
    }
    Ok(())
}

/// Makes a project
#[utoipa::path(post, operation_id = "create_project", path = "/api/projects", tag = "projects", request_body = NewProject,
    responses((status = 201, description = "The project that was made.", body = ProjectBody), (status = 400, body = Failure), (status = 401, body = Failure),
        (status = 413, body = Failure)))]
pub(super) async fn create(
    State(app): State<App>,
    caller: Caller,
    Json(new): Json<NewProject>,
) -> Result<(StatusCode, axum::Json<ProjectBody>)> {
    check_name(&new.name)?;
    let project = app.store.create_project(&caller.user, &new.name).await?;
    Ok((StatusCode::CREATED, axum::Json(project.into())))
}

/// The caller's projects
#[utoipa::path(get, operation_id = "list_projects", path = "/api/projects", tag = "projects",
    responses((status = 200, description = "The projects, newest first.", body = Projects), (status = 401, body = Failure)))]
pub(super) async fn list(State(app): State<App>, caller: Caller) -> Result<axum::Json<Projects>> {
    let projects = app.store.projects(&caller.user).await?;
    Ok(axum::Json(Projects { projects: projects.into_iter().map(Into::into).collect() }))
}
