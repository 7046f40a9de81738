use std::process::ExitCode;

use super::USAGE;
use crate::config::Config;

/// Says what this host offers.
pub(super) fn run(_config: &Config, _json: bool) -> ExitCode {
    eprintln!("previewd doctor: not in this build yet");
    ExitCode::from(USAGE)
}
