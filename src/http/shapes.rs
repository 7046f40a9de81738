//! What stands in bodies that are not made here, for the API's own description and nothing else: the types of a
//! generated client come from it.

#![expect(dead_code, reason = "nothing is ever made of these: they are only described")]

use std::collections::BTreeMap;

use serde::Serialize;
use utoipa::ToSchema;

/// What a preview is doing, or what became of it.
#[derive(ToSchema)]
#[schema(rename_all = "lowercase")]
pub(super) enum PreviewState {
    Launching,
    Running,
    Failed,
    Stopped,
}

/// What its health route says; `unknown` where it has none.
#[derive(ToSchema)]
#[schema(rename_all = "lowercase")]
pub(super) enum HealthState {
    Unknown,
    Healthy,
    Unhealthy,
}

/// Why a launch failed, a preview died or new code does not start.
#[derive(ToSchema)]
#[schema(rename_all = "camelCase")]
pub(super) struct LaunchFailure {
    /// `dependency_install_failed`, `import_failed`, `exited`, `unhealthy`, `launch_timeout`, …
    reason: String,
    /// One sentence for the person.
    message: String,
    /// Status that the program exited with.
    exit_code: Option<i32>,
    /// Signal that ended it, as `SIGKILL`.
    signal: Option<String>,
    /// Its last lines, as it printed them.
    log_tail: Option<Vec<String>>,
    /// What to change, for the well-known causes.
    hint: Option<String>,
}

/// Milliseconds of a launch.
#[derive(ToSchema)]
pub(super) struct LaunchPhases {
    /// Reading the project.
    plan: u64,
    /// Finding, or making, the environment.
    environment: u64,
    /// Writing the files and starting the process.
    start: u64,
    /// From then to the first answer.
    ready: u64,
}

/// A file: its text, or its bytes.
#[derive(Serialize, ToSchema)]
#[serde(untagged)]
pub(super) enum FileContent {
    Text(String),
    Bytes { base64: String },
}

/// An upload as JSON.
#[derive(ToSchema)]
pub(super) struct Upload {
    /// What to call it; the project's name if not given.
    name: Option<String>,
    /// `package.module:attribute`; found by reading the source if not given.
    entrypoint: Option<String>,
    /// By path.
    files: BTreeMap<String, FileContent>,
}

/// What becomes of a file: another text, other bytes, or null, which deletes it.
#[derive(Serialize, ToSchema)]
#[serde(untagged)]
pub(super) enum FileChange {
    Text(String),
    Bytes { base64: String },
    Deleted,
}

/// Changes of files, all of them or none.
#[derive(ToSchema)]
pub(super) struct Patch {
    /// By path.
    files: BTreeMap<String, FileChange>,
}

/// An endpoint, in short.
#[derive(ToSchema)]
pub(super) struct EndpointBrief {
    method: String,
    path: String,
    description: String,
}

/// An endpoint. Types are OpenAPI's names of types.
#[derive(ToSchema)]
#[schema(rename_all = "camelCase")]
pub(super) struct Endpoint {
    /// `GET`, …; `WEBSOCKET`, `MOUNT` for a mounted application that cannot be read.
    method: String,
    /// The full path, parameters in braces.
    path: String,
    /// The description, or else the summary.
    description: String,
    /// Types of parameters, by place and name.
    #[schema(required = false)]
    request_schema: ParameterTypes,
    /// Types of the body's fields; `{"$": type}` for a body that is not an object.
    #[schema(required = false)]
    request_body: BTreeMap<String, String>,
    /// Types of the response's fields; `{"$": type}` for what is not an object.
    #[schema(required = false)]
    response_schema: BTreeMap<String, String>,
    /// What it takes besides the body, with all that a form must know of it.
    #[schema(required = false)]
    parameters: Vec<Parameter>,
    /// The body that it takes, likewise.
    #[schema(required = false)]
    body: RequestBody,
    tags: Vec<String>,
    operation_id: String,
    deprecated: bool,
    /// Asks for credentials.
    secured: bool,
    /// `false` for what the application's own OpenAPI document leaves out.
    #[schema(required = false)]
    in_schema: bool,
}

/// Types by name.
#[derive(ToSchema)]
pub(super) struct ParameterTypes {
    #[schema(required = false)]
    query: BTreeMap<String, String>,
    #[schema(required = false)]
    path: BTreeMap<String, String>,
    #[schema(required = false)]
    header: BTreeMap<String, String>,
    #[schema(required = false)]
    cookie: BTreeMap<String, String>,
}

/// A parameter. `schema` is JSON Schema without references, cut where it gets long.
#[derive(ToSchema)]
pub(super) struct Parameter {
    name: String,
    /// `path`, `query`, `header` or `cookie`.
    r#in: String,
    required: bool,
    #[schema(value_type = Object)]
    schema: serde_json::Value,
}

/// A request body. `schema` is JSON Schema without references, cut where it gets long.
#[derive(ToSchema)]
#[schema(rename_all = "camelCase")]
pub(super) struct RequestBody {
    /// `application/json`, `multipart/form-data`, …
    content_type: String,
    required: bool,
    #[schema(value_type = Object)]
    schema: serde_json::Value,
}

/// What of the endpoints could not be known.
#[derive(ToSchema)]
pub(super) struct EndpointWarning {
    /// Where in the source, if it is there.
    file: Option<String>,
    line: Option<u64>,
    message: String,
}

/// What a generation offers.
#[derive(ToSchema)]
pub(super) struct Endpoints {
    endpoints: Vec<Endpoint>,
    /// `static` (read from the source) or `openapi` (told by the running application).
    source: String,
    warnings: Vec<EndpointWarning>,
}

/// What is in force for the caller. Times are in seconds.
#[derive(ToSchema)]
#[schema(rename_all = "camelCase")]
pub(super) struct PreviewConfig {
    preview_timeout: u64,
    max_instances: u64,
    session_expiry: u64,
    auto_stop_inactive_after: u64,
    /// What previews get.
    environment: BTreeMap<String, String>,
    #[schema(value_type = Object)]
    limitations: serde_json::Value,
    limits: PreviewLimits,
    /// What the caller may keep.
    quotas: Quotas,
    rates: Rates,
}

/// What a user may keep, and keeps.
#[derive(ToSchema)]
#[schema(rename_all = "camelCase")]
pub(super) struct Quotas {
    projects: Quota,
    generations: Quota,
    stored_bytes: Quota,
}

/// A limit, null where there is none, and what there is.
#[derive(ToSchema)]
pub(super) struct Quota {
    limit: Option<u64>,
    used: u64,
}

/// How often a user may do what is expensive, null where as often as they like.
#[derive(ToSchema)]
#[schema(rename_all = "camelCase")]
pub(super) struct Rates {
    launches_per_minute: Option<u64>,
    uploads_per_minute: Option<u64>,
}

/// What one preview may use.
#[derive(ToSchema)]
#[schema(rename_all = "camelCase")]
pub(super) struct PreviewLimits {
    memory_mb: u64,
    tasks: u64,
    open_files: u64,
    disk_mb: u64,
    cpu: f64,
}

/// How grave a line is.
#[derive(ToSchema)]
#[schema(rename_all = "UPPERCASE")]
pub(super) enum LogLevel {
    Debug,
    Info,
    Warn,
    Error,
}

/// What a line is about.
#[derive(ToSchema)]
#[schema(rename_all = "lowercase")]
pub(super) enum LogSource {
    Install,
    Startup,
    App,
    Request,
    Server,
}

/// An event of a log's stream. Those without a name are lines.
#[derive(ToSchema)]
pub(super) struct Event {
    /// A line's.
    id: Option<String>,
    /// `status`, `gap` or `end`.
    event: Option<String>,
    /// A line, or what the name says, as JSON.
    data: String,
}

/// How a log is written into a file.
#[derive(ToSchema)]
#[schema(rename_all = "lowercase")]
pub(super) enum LogFormat {
    Text,
    Ndjson,
}

/// One line of a log. Lines of requests and of `logging` have further fields.
#[derive(ToSchema)]
#[schema(rename_all = "camelCase")]
pub(super) struct LogLine {
    /// Counts up by one from 1.
    id: u64,
    #[schema(format = DateTime)]
    timestamp: String,
    level: LogLevel,
    message: String,
    /// `install`, `startup`, `app`, `request` or `server`.
    source: String,
    /// `stdout`, `stderr` or `system`.
    stream: String,
    /// The request that it belongs to, as `POST /preview/request` answers it.
    #[schema(required = false)]
    request_id: String,
}

/// A page of a log.
#[derive(ToSchema)]
#[schema(rename_all = "camelCase")]
pub(super) struct LogPage {
    logs: Vec<LogLine>,
    /// For `afterId` of the next page; null where this is the last.
    next_after_id: Option<u64>,
}
