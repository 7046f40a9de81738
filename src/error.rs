//! What can go wrong, without a word about HTTP. `http::error` alone turns these into answers.

use serde::{Deserialize, Serialize};

use crate::id::PreviewId;

/// Result of everything that a caller of the API may be told about.
pub type Result<T, E = Error> = std::result::Result<T, E>;

/// The errors of the contract's table. Messages are written for the person who called:
/// what happened, and what to do next; never a path of the host, a secret or a trace.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// A request that cannot be meant: wrong types, ids that disagree, a path that leaves its root.
    #[error("{message}")]
    InvalidRequest {
        /// What is wrong with it.
        message: String,
        /// The field, header, query key or file name to blame.
        field: Option<String>,
    },
    /// The project has nothing to serve.
    #[error("Cannot launch: missing required files ({}). Upload them, or name an entrypoint.", .missing.join(", "))]
    InvalidGeneration {
        /// `app/main.py`, `requirements.txt` or both.
        missing: Vec<String>,
    },
    /// No token, or one that is not ours.
    #[error("{message}")]
    Unauthorized {
        /// Why it was not taken.
        message: String,
    },
    /// Somebody else's.
    #[error("This {what} belongs to another user.")]
    Forbidden {
        /// `project`, `generation` or `preview`.
        what: &'static str,
    },
    /// A proxied request without the preview's token.
    #[error(
        "The preview's token is missing or wrong: send the previewToken of the launch as X-Preview-Token."
    )]
    InvalidPreviewToken,
    /// No such route or file.
    #[error("{message}")]
    NotFound {
        /// What was looked for.
        message: String,
    },
    /// No such generation.
    #[error("Generation not found: check its id, or upload it first.")]
    GenerationNotFound,
    /// No such project.
    #[error("Project not found: check its id, or create it first.")]
    ProjectNotFound,
    /// Nothing runs for this generation.
    #[error("{message}")]
    NoActivePreview {
        /// "No active preview for this generation", "Preview expired" or "Preview stopped".
        message: String,
        /// The last one there was.
        last: Option<Box<LastPreview>>,
    },
    /// This route does not take that method.
    #[error("This address does not take that method.")]
    MethodNotAllowed,
    /// The generation has an active preview.
    #[error("A preview of this generation is already running: stop it first, or use it.")]
    PreviewAlreadyRunning {
        /// The one that runs.
        preview_id: PreviewId,
    },
    /// The user has as many previews as the tier allows.
    #[error("The limit of {limit} running preview(s) is reached: stop one first.")]
    PreviewLimitReached {
        /// What the tier allows.
        limit: u32,
        /// What runs now.
        active: u32,
    },
    /// The preview was stopped while its launch was awaited.
    #[error("The launch was cancelled: the preview was stopped while it was starting.")]
    LaunchCancelled,
    /// A body, file, archive or number of files over its limit.
    #[error("{what} is over the limit of {limit}.")]
    TooLarge {
        /// What is too large, at the start of a sentence.
        what: String,
        /// In bytes, or in files.
        limit: u64,
    },
    /// The user would keep more than the operator allows.
    #[error("{}", over_quota(.what, *.limit, *.used))]
    QuotaReached {
        /// `projects`, `generations` or `storedBytes`.
        what: &'static str,
        /// What is allowed.
        limit: u64,
        /// What there is.
        used: u64,
    },
    /// A body of a type that the call does not take.
    #[error("{message}")]
    UnsupportedMediaType {
        /// What it takes.
        message: String,
    },
    /// Too many calls.
    #[error("Too many {what}: try again in {retry_after} s.")]
    RateLimited {
        /// `launches` or `uploads`.
        what: &'static str,
        /// Seconds until the next may succeed.
        retry_after: u64,
    },
    /// The code could not be started.
    #[error("{}", .0.message)]
    LaunchFailed(Box<LaunchFailure>),
    /// Every port of the pool is taken.
    #[error(
        "No port is free in the pool {min}-{max}: stop a preview, or widen PREVIEW_PORT_MIN and PREVIEW_PORT_MAX."
    )]
    PortsExhausted {
        /// First port of the pool.
        min: u16,
        /// Last port of the pool.
        max: u16,
    },
    /// Not running, still launching, or died under the request.
    #[error("{message}")]
    PreviewUnavailable {
        /// Which of them.
        message: String,
    },
    /// A proxied request took too long.
    #[error("The preview did not answer within {seconds} s: look at its logs, or make the route faster.")]
    RequestTimeout {
        /// The limit.
        seconds: u64,
    },
    /// The database is full, locked, slow or gone: told to the log in full.
    #[error(
        "The server's store takes or gives nothing at the moment; what runs goes on. Try again in a minute, or ask who runs this server."
    )]
    StoreUnavailable(#[source] Box<dyn std::error::Error + Send + Sync>),
    /// Ours: told to the log in full, to the caller not at all.
    #[error("Something went wrong inside previewd; it has been logged. Try again.")]
    Internal(#[source] Box<dyn std::error::Error + Send + Sync>),
}

impl Error {
    /// A malformed request, with the field to blame.
    pub fn invalid(field: impl Into<String>, message: impl Into<String>) -> Self {
        Self::InvalidRequest { message: message.into(), field: Some(field.into()) }
    }

    /// A failure of ours.
    pub fn internal(source: impl Into<Box<dyn std::error::Error + Send + Sync>>) -> Self {
        Self::Internal(source.into())
    }
}

fn over_quota(what: &str, limit: u64, used: u64) -> String {
    match what {
        "projects" => format!("You have {used} projects and may have {limit}: use one of them."),
        "generations" => {
            format!("You keep {used} generations and may keep {limit}: delete one that you do not need.")
        }
        _ => format!(
            "You keep {used} bytes of files and may keep {limit}: delete a generation that you do not need."
        ),
    }
}

/// A preview that is over, as `details.lastPreview` tells it.
#[derive(Clone, Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct LastPreview {
    /// Its id.
    pub preview_instance_id: PreviewId,
    /// `stopped` or `failed`.
    pub status: String,
    /// When it ended.
    pub stopped_at: Option<crate::time::UnixMillis>,
    /// Why it ended.
    pub stop_reason: Option<String>,
}

/// Why a launch failed or a preview died. Kept with the preview, shown by `status`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct LaunchFailure {
    /// Which kind.
    pub reason: FailureReason,
    /// One sentence for the person.
    pub message: String,
    /// Status that the program exited with.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub exit_code: Option<i32>,
    /// Signal that ended it, as `SIGKILL`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub signal: Option<String>,
    /// Its last lines, as it printed them.
    #[serde(default)]
    pub log_tail: Vec<String>,
    /// What to change, for the well-known causes.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub hint: Option<String>,
}

/// The contract's reasons of a failed launch.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum FailureReason {
    /// The requirements could not be resolved or installed.
    DependencyInstallFailed,
    /// The application could not be imported.
    ImportFailed,
    /// The process ended.
    Exited,
    /// It serves, but not in a usable way.
    Unhealthy,
    /// It never answered within the launch timeout.
    LaunchTimeout,
    /// It used more memory than it is given.
    OutOfMemory,
    /// The host could not start it (its isolation, its keeper).
    HostFailure,
}

impl FailureReason {
    /// All of them.
    pub const ALL: [Self; 7] = [
        Self::DependencyInstallFailed,
        Self::ImportFailed,
        Self::Exited,
        Self::Unhealthy,
        Self::LaunchTimeout,
        Self::OutOfMemory,
        Self::HostFailure,
    ];

    /// The stable code.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::DependencyInstallFailed => "dependency_install_failed",
            Self::ImportFailed => "import_failed",
            Self::Exited => "exited",
            Self::Unhealthy => "unhealthy",
            Self::LaunchTimeout => "launch_timeout",
            Self::OutOfMemory => "out_of_memory",
            Self::HostFailure => "host_failure",
        }
    }
}
