//! The hidden commands of the binary: helper processes that start as a fresh image, with one thread
//! and nothing of their caller's memory.

use std::ffi::{CStr, OsString};
use std::os::fd::{AsFd as _, OwnedFd};
use std::path::PathBuf;
use std::process::{Child, Command, ExitCode, Stdio};

use crate::error::{Context as _, Result};
use crate::wire::{self, Reply};
use crate::{enter, furnish, init, probe, sys};

/// Name of the command that an init executes.
pub(crate) const HOLD: &CStr = c"sandbox-hold";
const MAKE: &str = "sandbox-make";
const ENTER: &str = "sandbox-enter";
const FURNISH: &str = "sandbox-furnish";
const PROBE: &str = "sandbox-probe";

/// The program that has [`dispatch`] in its `main`.
#[derive(Clone, Debug)]
pub struct Helper {
    program: PathBuf,
}

impl Helper {
    /// The program that runs now, even if its file was replaced since it started.
    #[must_use]
    pub fn this_program() -> Self {
        Self::program("/proc/self/exe")
    }

    /// Another program.
    pub fn program(program: impl Into<PathBuf>) -> Self {
        Self { program: program.into() }
    }

    pub(crate) fn make(&self) -> Result<(Child, OwnedFd)> {
        self.start(MAKE, Stdio::null(), Stdio::null())
    }

    pub(crate) fn enter(&self, stdout: Stdio, stderr: Stdio) -> Result<(Child, OwnedFd)> {
        self.start(ENTER, stdout, stderr)
    }

    pub(crate) fn furnish(&self) -> Result<(Child, OwnedFd)> {
        self.start(FURNISH, Stdio::null(), Stdio::null())
    }

    pub(crate) fn probe(&self) -> Command {
        let mut command = Command::new(&self.program);
        command.arg(PROBE).env_clear();
        command
    }

    /// Starts a helper whose stdin is a socket to us.
    fn start(&self, command: &str, stdout: Stdio, stderr: Stdio) -> Result<(Child, OwnedFd)> {
        let (ours, theirs) = wire::pair()?;
        let child = Command::new(&self.program)
            .arg(command)
            .env_clear()
            .stdin(theirs)
            .stdout(stdout)
            .stderr(stderr)
            .spawn()
            .step("start a sandbox helper")?;
        Ok((child, ours))
    }
}

/// Runs a hidden command if `arguments` (with the program's name first) name one. The binary's
/// `main` calls this before anything else: before threads, above all.
pub fn dispatch(arguments: impl IntoIterator<Item = OsString>) -> Option<ExitCode> {
    let mut arguments = arguments.into_iter().skip(1);
    let command = arguments.next()?;
    let outcome = match command.to_str()? {
        MAKE => with_caller(init::make),
        ENTER => with_caller(enter::run),
        FURNISH => with_caller(furnish::run),
        PROBE => probe::run(),
        name if name.as_bytes() == HOLD.to_bytes() => {
            init::hold(arguments.next().and_then(|fd| fd.to_str()?.parse().ok()))
        }
        _ => return None,
    };
    Some(if outcome.is_ok() { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}

/// Takes stdin, the socket to the caller, out of the way of others, and tells a failure to it.
fn with_caller(run: impl FnOnce(&OwnedFd) -> Result<()>) -> Result<()> {
    // What the caller itself was started with may lack the flag.
    sys::close_on_exec_from(3).step("close descriptors on exec")?;
    let socket = sys::duplicate_above(rustix::stdio::stdin(), sys::ASIDE).step("move the socket")?;
    let null = std::fs::File::open("/dev/null").step("open /dev/null")?;
    sys::duplicate(null.as_fd(), 0).step("close stdin")?;
    drop(null);
    let outcome = run(&socket);
    if let Err(error) = &outcome {
        wire::send(socket.as_fd(), &Reply::Failed(error.to_string()), &[])?;
    }
    outcome
}
