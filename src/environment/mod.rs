//! Python environments: made by a real installer, shared by all whose packages are the same, complete or absent.
//!
//! A set of requirements is resolved to exact versions; their hash names the environment. It is built aside and
//! renamed when it is complete, so that whoever kills a build leaves nothing that looks finished.
//!
//! uv links packages from its cache, so environments share files with each other, bytecode included: previews see
//! them read-only. Packages come as wheels; nothing of a package is executed to install it, and installers are
//! confined like previews, but for the network.

mod bytecode;
mod entry;
mod explain;
mod installer;
mod interpreter;
mod lease;
mod lock;
mod packages;
mod prepare;
mod pyproject;
mod requirements;
mod shelf;
mod tool;
mod yard;

use std::path::PathBuf;
use std::sync::Arc;

pub use bytecode::cached;
pub use installer::find_uv;
pub use interpreter::Interpreter;
pub use lock::FileLock;
pub use prepare::{Environments, Means};
pub use requirements::{Requirements, RequirementsError};
pub use shelf::Census;

use crate::error::{FailureReason, LaunchFailure};

/// An environment that is ready. It is not removed while a clone of this is alive.
#[derive(Clone, Debug)]
pub struct Environment {
    /// Names the packages, the Python and the platform.
    pub key: String,
    /// The interpreter itself, no shim and no link.
    pub python: PathBuf,
    /// Where the packages are: for `PYTHONPATH`, read-only for previews.
    pub site_packages: PathBuf,
    /// Each package with its version, as `fastapi==0.165.0`.
    pub packages: Vec<String>,
    #[expect(dead_code, reason = "holding it is what keeps the environment")]
    lease: Arc<lease::Lease>,
}

/// Why there is no environment.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{message}")]
pub struct EnvironmentError {
    /// One sentence for the person.
    pub message: String,
    /// The installer's last lines.
    pub tail: Vec<String>,
    /// What to change, for the well-known causes.
    pub hint: Option<String>,
}

impl EnvironmentError {
    fn new(message: impl Into<String>) -> Self {
        Self { message: message.into(), tail: Vec::new(), hint: None }
    }

    fn with_hint(message: impl Into<String>, hint: impl Into<String>) -> Self {
        Self { hint: Some(hint.into()), ..Self::new(message) }
    }
}

impl From<std::io::Error> for EnvironmentError {
    fn from(error: std::io::Error) -> Self {
        tracing::error!(%error, "environment directory");
        Self::with_hint(
            "The directory of the environments could not be used.",
            "Check that the data directory is writable and has space left.",
        )
    }
}

impl From<EnvironmentError> for LaunchFailure {
    fn from(error: EnvironmentError) -> Self {
        dependency_failure(error.message, error.tail, error.hint)
    }
}

impl From<RequirementsError> for LaunchFailure {
    fn from(error: RequirementsError) -> Self {
        dependency_failure(error.message, Vec::new(), Some(error.hint))
    }
}

fn dependency_failure(message: String, log_tail: Vec<String>, hint: Option<String>) -> LaunchFailure {
    let reason = FailureReason::DependencyInstallFailed;
    LaunchFailure { reason, message, exit_code: None, signal: None, log_tail, hint }
}
