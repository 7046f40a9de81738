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
    Bytes {
        /// The bytes, in base64.
        base64: String,
    },
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
    Bytes {
        /// The bytes, in base64.
        base64: String,
    },
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
    /// `GET`, …
    method: String,
    /// The full path, parameters in braces.
    path: String,
    /// The description, or else the summary.
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
    /// What it is filed under.
    tags: Vec<String>,
    /// The operation's name in OpenAPI.
    operation_id: String,
    /// Whether it is marked as one not to be used any more.
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
    /// Of the query.
    #[schema(required = false)]
    query: BTreeMap<String, String>,
    /// Of the path.
    #[schema(required = false)]
    path: BTreeMap<String, String>,
    /// Of headers.
    #[schema(required = false)]
    header: BTreeMap<String, String>,
    /// Of cookies.
    #[schema(required = false)]
    cookie: BTreeMap<String, String>,
}

/// A parameter. `schema` is JSON Schema without references, cut where it gets long.
#[derive(ToSchema)]
pub(super) struct Parameter {
    /// Its name.
    name: String,
    /// `path`, `query`, `header` or `cookie`.
    r#in: String,
    /// Whether it may not be left out.
    required: bool,
    /// What it may be.
    #[schema(value_type = Object)]
    schema: serde_json::Value,
}

/// A request body. `schema` is JSON Schema without references, cut where it gets long.
#[derive(ToSchema)]
#[schema(rename_all = "camelCase")]
pub(super) struct RequestBody {
    /// `application/json`, `multipart/form-data`, …
    content_type: String,
    /// Whether it may not be left out.
    required: bool,
    /// What it may be.
    #[schema(value_type = Object)]
    schema: serde_json::Value,
}

/// What of the endpoints could not be known.
#[derive(ToSchema)]
pub(super) struct EndpointWarning {
    /// Where in the source, if it is there.
    file: Option<String>,
    /// The line of that file.
    line: Option<u64>,
    /// What could not be known, and why.
    message: String,
}

/// What a generation offers.
#[derive(ToSchema)]
pub(super) struct Endpoints {
    /// In the application's own order.
    endpoints: Vec<Endpoint>,
    /// `static` (read from the source) or `openapi` (told by the running application).
    source: String,
    /// What could not be known.
    warnings: Vec<EndpointWarning>,
}

/// What is in force for the caller. Times are in seconds.
#[derive(ToSchema)]
#[schema(rename_all = "camelCase")]
pub(super) struct PreviewConfig {
    /// How long a preview lives.
    preview_timeout: u64,
    /// How many previews the caller may have at once.
    max_instances: u64,
    /// The same as `previewTimeout`.
    session_expiry: u64,
    /// After how long without a request it is stopped, or sleeps.
    auto_stop_inactive_after: u64,
    /// What becomes of a preview that nobody uses: `stop` or `sleep`.
    idle_action: String,
    /// What previews get.
    environment: BTreeMap<String, String>,
    /// The same, with the caller's tier and what it has.
    #[schema(value_type = Object)]
    limitations: serde_json::Value,
    /// What one preview may use.
    limits: PreviewLimits,
    /// What the caller may keep.
    quotas: Quotas,
    /// How often the caller may do what is expensive.
    rates: Rates,
}

/// What a user may keep, and keeps.
#[derive(ToSchema)]
#[schema(rename_all = "camelCase")]
pub(super) struct Quotas {
    /// Projects.
    projects: Quota,
    /// Generations of all projects.
    generations: Quota,
    /// Bytes of the files of all generations.
    stored_bytes: Quota,
}

/// A limit, null where there is none, and what there is.
#[derive(ToSchema)]
pub(super) struct Quota {
    /// How much there may be.
    limit: Option<u64>,
    /// How much there is.
    used: u64,
}

/// How often a user may do what is expensive, null where as often as they like.
#[derive(ToSchema)]
#[schema(rename_all = "camelCase")]
pub(super) struct Rates {
    /// Launches.
    launches_per_minute: Option<u64>,
    /// Uploads.
    uploads_per_minute: Option<u64>,
}

/// What one preview may use.
#[derive(ToSchema)]
#[schema(rename_all = "camelCase")]
pub(super) struct PreviewLimits {
    /// Memory, in MiB.
    memory_mb: u64,
    /// Processes and threads.
    tasks: u64,
    /// Open files and connections.
    open_files: u64,
    /// Files that it writes, in MiB.
    disk_mb: u64,
    /// Processors.
    cpu: f64,
    /// Whether it reaches the network: `off` or `on`.
    egress: String,
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
    /// When it was printed.
    #[schema(format = DateTime)]
    timestamp: String,
    /// How grave it is.
    level: LogLevel,
    /// The line, or a traceback as a whole.
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
    /// In the order of their ids.
    logs: Vec<LogLine>,
    /// For `afterId` of the next page; null where this is the last.
    next_after_id: Option<u64>,
}
