use std::path::Path;
use std::process::ExitCode;

use super::USAGE;
use crate::config::Config;

/// Serves one directory.
pub(super) fn run(_config: Config, _dir: &Path) -> ExitCode {
    eprintln!("previewd up: not in this build yet");
    ExitCode::from(USAGE)
}
