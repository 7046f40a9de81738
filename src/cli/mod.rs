//! The command line: one file per command.

use std::process::ExitCode;

/// Reads the arguments and runs the command that they name.
#[must_use]
pub fn main() -> ExitCode {
    ExitCode::SUCCESS
}
