//! The hidden commands alone, for the tests of this crate.

use std::process::ExitCode;

fn main() -> ExitCode {
    sandbox::helper::dispatch(std::env::args_os()).unwrap_or(ExitCode::FAILURE)
}
