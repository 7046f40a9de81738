//! Where a preview is in its life. Pure: no clock, no process, no store.

use serde::Serialize;
use serde_json::{Value, json};

use crate::error::LaunchFailure;
use crate::store::Health;
use crate::time::UnixMillis;

/// The states and what is known in each. `Launching → Running → (Stopped | Failed)`, or `Launching → (Stopped | Failed)`;
/// `Running ⇄ Asleep`, and from there an end as well.
#[derive(Clone, Debug, PartialEq)]
pub enum State {
    /// Not serving yet.
    Launching,
    /// Serving.
    Running(Running),
    /// Without a process until somebody asks; what is known from when it served.
    Asleep(Running),
    /// Ended by itself.
    Failed(LaunchFailure),
    /// Ended by us.
    Stopped {
        /// Why.
        reason: StopReason,
        /// When.
        at: UnixMillis,
    },
}

/// What is known of a preview that serves.
#[derive(Clone, Debug, PartialEq)]
pub struct Running {
    /// When it first answered.
    pub started_at: UnixMillis,
    /// What its health route last said.
    pub health: Health,
    /// When that was.
    pub checked_at: UnixMillis,
    /// How long the launch took.
    pub phases: Phases,
}

/// Milliseconds of a launch, from the request to the first answer.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Phases {
    /// Reading the project.
    pub plan: u64,
    /// Finding, or making, the environment.
    pub environment: u64,
    /// Writing the files and starting the process.
    pub start: u64,
    /// From then to the first answer.
    pub ready: u64,
}

impl Phases {
    /// Each with its name.
    #[must_use]
    pub fn named(&self) -> [(&'static str, u64); 4] {
        let Self { plan, environment, start, ready } = *self;
        [("plan", plan), ("environment", environment), ("start", start), ("ready", ready)]
    }

    /// All of them.
    #[must_use]
    pub fn total(&self) -> u64 {
        self.plan + self.environment + self.start + self.ready
    }
}

/// Why a preview is over.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum StopReason {
    /// Somebody asked for it.
    Stopped,
    /// Its time was over.
    Expired,
    /// Nobody used it.
    Idle,
    /// It ended by itself after it had served.
    Crashed,
    /// It never served.
    LaunchFailed,
    /// Its generation was deleted.
    Deleted,
}

impl StopReason {
    /// The word of the contract.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Stopped => "stopped",
            Self::Expired => "expired",
            Self::Idle => "idle",
            Self::Crashed => "crashed",
            Self::LaunchFailed => "launch_failed",
            Self::Deleted => "deleted",
        }
    }
}

impl State {
    /// `launching`, `running`, `failed` or `stopped`.
    #[must_use]
    pub fn name(&self) -> &'static str {
        match self {
            Self::Launching => "launching",
            // To callers a sleeping preview runs: it answers.
            Self::Running(_) | Self::Asleep(_) => "running",
            Self::Failed(_) => "failed",
            Self::Stopped { .. } => "stopped",
        }
    }

    /// What is known of it, if it answers requests: at once, or when it has been woken.
    #[must_use]
    pub fn answering(&self) -> Option<&Running> {
        match self {
            Self::Running(running) | Self::Asleep(running) => Some(running),
            Self::Launching | Self::Failed(_) | Self::Stopped { .. } => None,
        }
    }

    /// Whether nothing is left of it.
    #[must_use]
    pub fn is_over(&self) -> bool {
        matches!(self, Self::Failed(_) | Self::Stopped { .. })
    }

    /// As the log stream's `status` event tells it.
    #[must_use]
    pub fn to_event(&self) -> Value {
        match self {
            Self::Launching => json!({ "status": self.name() }),
            Self::Running(running) => json!({ "status": self.name(), "healthStatus": running.health }),
            Self::Asleep(running) => {
                json!({ "status": self.name(), "healthStatus": running.health, "asleep": true })
            }
            Self::Failed(failure) => json!({ "status": self.name(), "failure": failure }),
            Self::Stopped { reason, .. } => json!({ "status": self.name(), "reason": reason.as_str() }),
        }
    }
}
