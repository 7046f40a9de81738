//! Making sandboxes, and starting programs in them, while the keeper goes on.

use std::io;
use std::os::fd::BorrowedFd;
use std::time::Duration;

use sandbox::{Furnishing, Policy, Preparation, Process, Program, Progress, Sandbox, Workshop};

use super::readiness::watched;

/// How long one step of a helper may take. It is killed then.
const PATIENCE: Duration = Duration::from_secs(10);

/// Makes a sandbox; see [`Workshop::begin`].
///
/// # Errors
/// The step that the host refused.
pub async fn prepare(
    workshop: &Workshop,
    name: &str,
    policy: Policy,
    within: Option<&Sandbox>,
) -> io::Result<Sandbox> {
    complete(workshop.begin(name, policy, within).map_err(io::Error::other)?).await
}

/// Waits for a sandbox that is being made.
///
/// # Errors
/// The step that the host refused.
pub async fn complete(mut preparation: Preparation) -> io::Result<Sandbox> {
    loop {
        match preparation {
            Preparation::Ready(sandbox) => return Ok(sandbox),
            Preparation::Pending(pending) => {
                readable(pending.as_fd()).await?;
                preparation = pending.progress().map_err(io::Error::other)?;
            }
        }
    }
}

/// Waits for files that are being copied.
///
/// # Errors
/// What could not be copied.
pub async fn furnished(mut furnishing: Furnishing) -> io::Result<()> {
    loop {
        readable(furnishing.as_fd()).await?;
        match furnishing.progress().map_err(io::Error::other)? {
            Some(later) => furnishing = later,
            None => return Ok(()),
        }
    }
}

/// Starts a program inside by way of a helper process.
///
/// # Errors
/// The step that failed, executing the program above all.
pub async fn spawn(workshop: &Workshop, sandbox: &mut Sandbox, program: Program) -> io::Result<Process> {
    let mut pending = sandbox.spawn(&workshop.helper, program).map_err(io::Error::other)?;
    loop {
        readable(pending.as_fd()).await?;
        match pending.progress().map_err(io::Error::other)? {
            Progress::Started(process) => {
                sandbox.adopt(process.pidfd()).map_err(io::Error::other)?;
                return Ok(process);
            }
            Progress::Pending(later) => pending = later,
        }
    }
}

async fn readable(fd: BorrowedFd<'_>) -> io::Result<()> {
    let watched = watched(fd.try_clone_to_owned()?)?;
    let ready = tokio::time::timeout(PATIENCE, watched.readable()).await;
    ready.map_err(|_elapsed| io::Error::other("a helper of a sandbox does not answer"))?.map(drop)
}
