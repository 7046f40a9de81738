use std::process::ExitCode;

use super::USAGE;
use crate::config::Config;

/// Runs the server.
pub(super) fn run(_config: Config) -> ExitCode {
    eprintln!("previewd serve: not in this build yet");
    ExitCode::from(USAGE)
}
