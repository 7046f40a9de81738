use std::ffi::OsString;
use std::process::ExitCode;

use super::USAGE;

/// Keeps what must survive the server.
pub(super) fn run(_args: &[OsString]) -> ExitCode {
    eprintln!("previewd keeper: not in this build yet");
    ExitCode::from(USAGE)
}

/// First process of a sandbox.
pub(super) fn sandbox_init(_args: &[OsString]) -> ExitCode {
    eprintln!("previewd sandbox-init: not in this build yet");
    ExitCode::from(USAGE)
}
