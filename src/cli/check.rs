use std::path::Path;
use std::process::ExitCode;

use super::USAGE;
use crate::config::Config;

/// Validates a project.
pub(super) fn run(_config: &Config, _dir: &Path, _json: bool) -> ExitCode {
    eprintln!("previewd check: not in this build yet");
    ExitCode::from(USAGE)
}
