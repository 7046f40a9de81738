//! Starting a program inside: a helper joins the namespaces, clones the program's process into them
//! as a child of the caller, and that confines itself and executes.

use std::ffi::OsString;
use std::os::fd::{AsFd as _, OwnedFd};
use std::os::unix::process::CommandExt as _;
use std::path::PathBuf;
use std::process::Command;

use rustix::process::Signal;
use rustix::thread::ThreadNameSpaceType;
use serde::{Deserialize, Serialize};

use crate::confine::{Confinement, confine};
use crate::error::{Context as _, Error, Result};
use crate::sys::{self, Cloned};
use crate::wire::{self, Reply};

/// What an entering helper is told. Descriptors follow in the order init, landlock, then `fds`.
#[derive(Serialize, Deserialize)]
pub(crate) struct Order {
    pub(crate) confinement: Confinement,
    pub(crate) joins: Option<Joins>,
    pub(crate) has_landlock: bool,
    pub(crate) program: PathBuf,
    pub(crate) arguments: Vec<OsString>,
    pub(crate) environment: Vec<(OsString, OsString)>,
    pub(crate) work_dir: PathBuf,
    /// The number that each passed descriptor gets.
    pub(crate) fds: Vec<i32>,
}

/// Which namespaces are joined.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Joins {
    pub(crate) network: bool,
    pub(crate) processes: bool,
}

/// Runs in the helper.
pub(crate) fn run(caller: &OwnedFd) -> Result<()> {
    let (order, mut fds): (Order, _) = wire::receive_order(caller.as_fd())?;
    // Better this than the server when the machine runs out of memory.
    let _ = std::fs::write("/proc/self/oom_score_adj", "500");
    if let Some(joins) = order.joins {
        join(&fds.remove(0), joins)?;
    }
    let mut fds = fds
        .iter()
        .map(|fd| sys::duplicate_above(fd.as_fd(), sys::ASIDE))
        .collect::<std::io::Result<Vec<_>>>()
        .step("move descriptors")?;
    let landlock = order.has_landlock.then(|| fds.remove(0));
    match sys::clone(libc::CLONE_PARENT).step("create the process")? {
        Cloned::Parent { pid, pidfd } => {
            wire::send(caller.as_fd(), &Reply::Started { pid: pid.as_raw_nonzero().get() }, &[pidfd.as_fd()])
        }
        Cloned::Child => {
            let error = start(order, landlock.as_ref(), &fds);
            wire::send(caller.as_fd(), &Reply::Failed(error.to_string()), &[])
        }
    }
}

fn join(init: &OwnedFd, joins: Joins) -> Result<()> {
    rustix::thread::move_into_thread_name_spaces(init.as_fd(), joins.flags()).step("join the namespaces")
}

impl Joins {
    pub(crate) fn flags(self) -> ThreadNameSpaceType {
        let all = ThreadNameSpaceType::USER
            | ThreadNameSpaceType::MOUNT
            | ThreadNameSpaceType::INTER_PROCESS_COMMUNICATION
            | ThreadNameSpaceType::HOST_NAME_AND_NIS_DOMAIN_NAME;
        let network = if self.network { ThreadNameSpaceType::NETWORK } else { ThreadNameSpaceType::empty() };
        let processes =
            if self.processes { ThreadNameSpaceType::PROCESS_ID } else { ThreadNameSpaceType::empty() };
        all | network | processes
    }
}

/// Returns only if it fails. The socket to the caller is closed by a successful exec.
fn start(order: Order, landlock: Option<&OwnedFd>, fds: &[OwnedFd]) -> Error {
    let prepare = || -> Result<()> {
        rustix::process::setsid().step("start a session")?;
        std::env::set_current_dir(&order.work_dir).step("enter the work directory")?;
        arrange(fds, &order.fds)?;
        confine(&order.confinement, landlock)?;
        // Last, as a change of rights clears it.
        rustix::process::set_parent_process_death_signal(Some(Signal::KILL)).step("die with the caller")
    };
    if let Err(error) = prepare() {
        return error;
    }
    let source =
        Command::new(&order.program).args(&order.arguments).env_clear().envs(order.environment).exec();
    Error::Step { step: format!("execute {}", order.program.display()), source }
}

/// Gives each descriptor its number; everything else is closed on exec already.
fn arrange(fds: &[OwnedFd], numbers: &[i32]) -> Result<()> {
    for (fd, number) in fds.iter().zip(numbers) {
        if *number >= sys::ASIDE {
            return Err(Error::Helper(format!("descriptor number {number} is too high")));
        }
        sys::duplicate(fd.as_fd(), *number).step("pass a descriptor on")?;
    }
    Ok(())
}
