//! The `previewd` binary: everything is in the library, so that tests and benches reach it.

use std::process::ExitCode;

use rustix::fs::Mode;

/// What others may never do with files that are made, if their mode does not say it.
const UMASK: u32 = 0o022;

fn main() -> ExitCode {
    // Sandboxes and packages are read by other users than us, whatever umask we were started with. What is private says so.
    rustix::process::umask(Mode::from_raw_mode(UMASK));
    // A sandbox's helpers are this binary as well, and must not have started anything.
    sandbox::helper::dispatch(std::env::args_os()).unwrap_or_else(previewd::cli::main)
}
