use std::ffi::OsString;
use std::path::Path;
use std::process::ExitCode;

use super::{USAGE, fail};
use crate::keeper;

/// Keeps what must survive the server, for the data directory that is the only argument.
pub(super) fn run(args: &[OsString]) -> ExitCode {
    let [data_dir] = args else {
        eprintln!("previewd keeper: takes the data directory; `previewd serve` starts it");
        return ExitCode::from(USAGE);
    };
    // Its log is on the disk that may be full, and to complain of that where it fails would be a panic.
    let log = tracing_subscriber::fmt().with_writer(std::io::stderr).with_ansi(false);
    log.log_internal_errors(false).init();
    match keeper::run(Path::new(data_dir)) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => fail(1, &error),
    }
}

/// First process of a sandbox.
pub(super) fn sandbox_init(_args: &[OsString]) -> ExitCode {
    eprintln!("previewd sandbox-init: not in this build yet");
    ExitCode::from(USAGE)
}
