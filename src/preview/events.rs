//! What the operator's log is told of previews, each event with the ids that it is about. Nothing of it comes from the
//! program or from whoever launched it but the user's id: a message, a variable or a query may hold a secret.

use super::active::Active;
use super::state::{Running, StopReason};
use crate::error::LaunchFailure;
use crate::store::Health;

macro_rules! tell {
    ($level:ident, $preview:expr, $message:literal $(, $name:ident = $value:expr)*) => {
        tracing::$level!(
            preview = %$preview.id,
            generation = %$preview.generation_id,
            user = $preview.user_id.0.as_str(),
            $($name = $value,)*
            $message
        )
    };
}

/// A launch has its place and begins.
pub(super) fn launching(preview: &Active) {
    tell!(info, preview, "preview launching", port = preview.port, revision = preview.revision());
}

/// It serves.
pub(super) fn launched(preview: &Active, running: &Running) {
    let phases = running.phases;
    tell!(
        info,
        preview,
        "preview launched",
        port = preview.port,
        ms = phases.total(),
        plan_ms = phases.plan,
        environment_ms = phases.environment,
        start_ms = phases.start,
        ready_ms = phases.ready
    );
}

/// It ended by itself: before it served, or after.
pub(super) fn failed(preview: &Active, failure: &LaunchFailure, served: Option<u64>) {
    let (reason, signal) = (failure.reason.as_str(), failure.signal.as_deref());
    match served {
        None => {
            tell!(
                error,
                preview,
                "launch failed",
                reason = reason,
                exit_code = failure.exit_code,
                signal = signal
            );
        }
        Some(uptime) => {
            tell!(
                error,
                preview,
                "preview crashed",
                reason = reason,
                exit_code = failure.exit_code,
                signal = signal,
                uptime_s = uptime
            );
        }
    }
}

/// It was ended, after so many seconds of serving.
pub(super) fn stopped(preview: &Active, reason: StopReason, uptime: Option<u64>) {
    match reason {
        StopReason::Expired => tell!(warn, preview, "preview expired", uptime_s = uptime),
        _ => tell!(info, preview, "preview stopped", reason = reason.as_str(), uptime_s = uptime),
    }
}

/// Its health route says something else than before.
pub(super) fn health(preview: &Active, health: Health) {
    match health {
        Health::Unhealthy => tell!(warn, preview, "preview unhealthy"),
        Health::Healthy | Health::Unknown => tell!(info, preview, "preview healthy"),
    }
}

/// New code was to take over.
pub(super) fn reloaded(preview: &Active, revision: i64, result: Result<(), &LaunchFailure>) {
    match result {
        Ok(()) => tell!(info, preview, "preview reloaded", revision = revision),
        Err(failure) => {
            tell!(warn, preview, "reload failed", revision = revision, reason = failure.reason.as_str());
        }
    }
}

/// It has no process any more until somebody asks.
pub(super) fn asleep(preview: &Active) {
    tell!(info, preview, "preview asleep");
}

/// It was to wake.
pub(super) fn woken(preview: &Active, ms: u64, result: Result<(), &LaunchFailure>) {
    match result {
        Ok(()) => tell!(info, preview, "preview awake", ms = ms),
        Err(failure) => tell!(warn, preview, "wake failed", reason = failure.reason.as_str()),
    }
}

/// It runs since before this server was started.
pub(super) fn taken_over(preview: &Active) {
    tell!(info, preview, "preview taken over", port = preview.port);
}
