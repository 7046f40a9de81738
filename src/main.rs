//! The `previewd` binary: everything is in the library, so that tests and benches reach it.

use std::process::ExitCode;

fn main() -> ExitCode {
    // A sandbox's helpers are this binary as well, and must not have started anything.
    sandbox::helper::dispatch(std::env::args_os()).unwrap_or_else(previewd::cli::main)
}
