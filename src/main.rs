//! The `previewd` binary: everything is in the library, so that tests and benches reach it.

use std::process::ExitCode;

fn main() -> ExitCode {
    // Helper processes of the sandbox are this binary; they must not have a second thread.
    sandbox::helper::dispatch(std::env::args_os()).unwrap_or_else(previewd::cli::main)
}
