//! The init of a sandbox: pid 1 of namespaces of its own. While it lives the sandbox exists; killing it
//! kills everything inside.
//!
//! It is made in three steps by helper processes, so that nothing of the caller's memory is in it:
//! `maker` (outside, with the caller's rights) builds what needs rights and clones the `builder` into fresh
//! namespaces, as a child of the caller; `builder` assembles the root and executes the
//! binary once more; `holder` has no rights, no memory of anybody and only waits.

use std::ffi::CString;
use std::fs;
use std::os::fd::{AsFd, AsRawFd, BorrowedFd, OwnedFd};
use std::path::PathBuf;

use rustix::mount::MountPropagationFlags;
use rustix::process::{DumpableBehavior, Pid, Signal};
use rustix::thread::{Gid, ThreadNameSpaceType, Uid};
use serde::{Deserialize, Serialize};

use crate::copy::Owner;
use crate::error::{Context as _, Error, Result};
use crate::helper::HOLD;
use crate::policy::{INNER_ID, Network, Policy, Role};
use crate::privilege::is_privileged;
use crate::root::Root;
use crate::rules::{Rules, ruleset};
use crate::sys::{self, Cloned};
use crate::wire::{self, Reply};

/// How much a maker gives way when nobody waits.
const LEISURE: i32 = 10;

/// What a maker is told.
#[derive(Serialize, Deserialize)]
pub(crate) struct Order {
    pub(crate) policy: Policy,
    pub(crate) landlock: bool,
    /// Whether a pidfd of a sandbox that this one is made within comes along.
    pub(crate) within: bool,
}

/// First step, outside: makes the namespaces and says who is who in them.
pub(crate) fn make(socket: &OwnedFd) -> Result<()> {
    let (order, fds): (Order, _) = wire::receive_order(socket.as_fd())?;
    if order.policy.ahead {
        // Refused or not, it is made.
        let _ = rustix::process::nice(LEISURE);
    }
    let program: OwnedFd = fs::File::open("/proc/self/exe").step("open this program")?.into();
    let privileged = is_privileged();
    let root =
        if privileged { Some(Root::build(&order.policy, Owner(outer_id(&order.policy)))?) } else { None };
    let (ours, theirs) = wire::pair()?;
    let outside = Outside::stand(fds.first().filter(|_| order.within), privileged)?;
    match sys::clone(namespaces(&order.policy)).step("create namespaces")? {
        Cloned::Child => {
            drop(ours);
            let outcome = build(&order, root, &theirs, socket, &program);
            if let Err(error) = outcome {
                wire::send(socket.as_fd(), &Reply::Failed(error.to_string()), &[])?;
            }
            Ok(())
        }
        Cloned::Parent { pid, pidfd } => {
            drop(theirs);
            // First of all, so that it can be given up, whatever keeps it from going on.
            let outcome = wire::send(socket.as_fd(), &Reply::Begun, &[pidfd.as_fd()])
                .and_then(|()| outside.map(pid, &order.policy))
                .and_then(|()| go(ours.as_fd()));
            if outcome.is_err() {
                // Its reason, if it has one of its own, was sent before.
                let _ = rustix::process::pidfd_send_signal(&pidfd, Signal::KILL);
            }
            outcome
        }
    }
}

/// Whose, on the host, is what belongs to the sandbox's user.
pub(crate) fn outer_id(policy: &Policy) -> u32 {
    policy.identity.unwrap_or_else(|| rustix::process::geteuid().as_raw())
}

fn namespaces(policy: &Policy) -> i32 {
    let mut flags = libc::CLONE_NEWUSER
        | libc::CLONE_NEWNS
        | libc::CLONE_NEWIPC
        | libc::CLONE_NEWUTS
        | libc::CLONE_PARENT;
    if policy.network == Network::None {
        flags |= libc::CLONE_NEWNET;
    }
    if policy.role == Role::Program {
        flags |= libc::CLONE_NEWPID;
    }
    flags
}

/// Where the maker stands when it clones, which decides whose the new user namespace is.
enum Outside {
    /// In the caller's user namespace, with every right.
    Privileged,
    /// In the caller's user namespace, with none.
    Ordinary,
    /// In a sandbox's, as the user who runs there: so that this user may join what is made.
    Within { privileged: bool },
}

impl Outside {
    fn stand(within: Option<&OwnedFd>, privileged: bool) -> Result<Self> {
        let Some(pidfd) = within else {
            return Ok(if privileged { Self::Privileged } else { Self::Ordinary });
        };
        rustix::thread::move_into_thread_name_spaces(pidfd.as_fd(), ThreadNameSpaceType::USER)
            .step("join the outer sandbox")?;
        take_inner_identity()?;
        // Else the child's maps would belong to the host's root, whom nobody can be here.
        rustix::process::set_dumpable_behavior(DumpableBehavior::Dumpable).step("show the helper")?;
        Ok(Self::Within { privileged })
    }

    /// Inside there is one user, `INNER_ID`; besides, the ids that are delegated.
    fn map(&self, child: Pid, policy: &Policy) -> Result<()> {
        let of_child = |name: &str| format!("/proc/{}/{name}", child.as_raw_nonzero());
        let (uid, gid) = match self {
            Self::Privileged => (outer_id(policy), outer_id(policy)),
            Self::Within { privileged: true } => {
                (policy.identity.unwrap_or(INNER_ID), policy.identity.unwrap_or(INNER_ID))
            }
            Self::Within { privileged: false } => (INNER_ID, INNER_ID),
            Self::Ordinary => {
                fs::write(of_child("setgroups"), "deny").step("forbid setgroups")?;
                (rustix::process::geteuid().as_raw(), rustix::process::getegid().as_raw())
            }
        };
        let more = match (self, policy.delegated) {
            (Self::Privileged, Some((first, count))) => format!("\n{first} {first} {count}"),
            _ => String::new(),
        };
        fs::write(of_child("uid_map"), format!("{INNER_ID} {uid} 1{more}")).step("map the user id")?;
        fs::write(of_child("gid_map"), format!("{INNER_ID} {gid} 1{more}")).step("map the group id")
    }
}

fn go(socket: BorrowedFd<'_>) -> Result<()> {
    rustix::io::write(socket, b"!").step("let the builder go on").map(|_| ())
}

fn wait_to_go(socket: BorrowedFd<'_>) -> Result<()> {
    match rustix::io::read(socket, &mut [0_u8; 1][..]).step("wait for the maker")? {
        0 => Err(Error::Helper("the maker gave up".into())),
        _ => Ok(()),
    }
}

/// Second step, inside as pid 1 with every right over its own namespaces: the root, then exec.
fn build(
    order: &Order,
    root: Option<Root>,
    maker: &OwnedFd,
    caller: &OwnedFd,
    program: &OwnedFd,
) -> Result<()> {
    wait_to_go(maker.as_fd())?;
    take_inner_identity()?;
    let root = match root {
        Some(root) => root,
        None => Root::build(&order.policy, Owner(INNER_ID))?,
    };
    let (readable, writable) = (root.readable.clone(), root.writable.clone());
    let work_dir = root.work_dir()?;
    rustix::mount::mount_change("/", MountPropagationFlags::PRIVATE | MountPropagationFlags::REC)
        .step("make mounts private")?;
    if order.policy.network == Network::None {
        sys::loopback_up().step("bring up the loopback")?;
    }
    rustix::system::sethostname(b"sandbox").step("name the host")?;
    root.enter(order.policy.role == Role::Program)?;
    let fence = if order.landlock { fence(&order.policy, &readable, &writable)? } else { None };
    hold_on(caller.as_fd(), &work_dir, fence, program)
}

fn take_inner_identity() -> Result<()> {
    let (uid, gid) = (Uid::from_raw(INNER_ID), Gid::from_raw(INNER_ID));
    // Refused to those who are unprivileged outside: they keep their groups.
    let _ = rustix::thread::set_thread_groups(&[]);
    rustix::thread::set_thread_res_gid(gid, gid, gid).step("take the inner group id")?;
    rustix::thread::set_thread_res_uid(uid, uid, uid).step("take the inner user id")
}

/// A forker has no ruleset: its children would inherit it, and any ruleset that does not know their
/// directories keeps files from being moved between them.
fn fence(policy: &Policy, readable: &[PathBuf], writable: &[PathBuf]) -> Result<Option<OwnedFd>> {
    match policy.role {
        Role::Program => {
            let bind_tcp = policy.network == Network::None;
            ruleset(&Rules { readable, writable, listable: &["/".into()], bind_tcp })
        }
        Role::Forker => Ok(None),
    }
}

/// Executes the holder: it starts with these descriptors, no capability and no environment.
fn hold_on(
    caller: BorrowedFd<'_>,
    work_dir: &OwnedFd,
    fence: Option<OwnedFd>,
    program: &OwnedFd,
) -> Result<()> {
    rustix::thread::set_no_new_privs(true).step("forbid new privileges")?;
    let high = sys::duplicate_above(caller, 10).step("move a descriptor")?;
    let work_dir = sys::duplicate_above(work_dir.as_fd(), 10).step("move a descriptor")?;
    let fence = fence.map(|fd| sys::duplicate_above(fd.as_fd(), 10)).transpose().step("move a descriptor")?;
    let program = sys::duplicate_above(program.as_fd(), 10).step("move a descriptor")?;
    sys::duplicate(high.as_fd(), 3).step("pass a descriptor on")?;
    sys::duplicate(work_dir.as_fd(), 4).step("pass a descriptor on")?;
    if let Some(fence) = &fence {
        sys::duplicate(fence.as_fd(), 5).step("pass a descriptor on")?;
    }
    let landlock = if fence.is_some() { c"5" } else { c"-" };
    let arguments: [CString; 3] = [c"sandbox".into(), HOLD.into(), landlock.into()];
    sys::exec_fd(program.as_fd(), &arguments)
        .step("execute the init (is the binary readable for others?)")?;
    Ok(())
}

/// Last step: says that all is ready and waits until the caller is gone, or kills.
pub(crate) fn hold(landlock: Option<i32>) -> Result<()> {
    sys::ignore(libc::SIGCHLD);
    for signal in [libc::SIGTERM, libc::SIGINT, libc::SIGHUP, libc::SIGPIPE] {
        sys::ignore(signal);
    }
    let caller = sys::inherited(3).step("find the caller")?;
    let work_dir = sys::inherited(4).step("find the work directory")?;
    let fence = landlock.map(sys::inherited).transpose().step("find the ruleset")?;
    rustix::process::set_dumpable_behavior(DumpableBehavior::NotDumpable).step("hide the init")?;
    rustix::process::set_parent_process_death_signal(Some(Signal::KILL)).step("die with the caller")?;
    {
        let own =
            rustix::process::pidfd_open(rustix::process::getpid(), rustix::process::PidfdFlags::empty())
                .step("open the own pidfd")?;
        let mut fds = vec![own.as_fd(), work_dir.as_fd()];
        fds.extend(fence.as_ref().map(AsFd::as_fd));
        wire::send(caller.as_fd(), &Reply::Ready, &fds)?;
    }
    drop((work_dir, fence));
    sys::close_from(caller.as_raw_fd() + 1).step("close descriptors")?;
    // The caller never says more: this returns when it is gone, whatever became of the signal above.
    while let Err(rustix::io::Errno::INTR) = rustix::io::read(&caller, &mut [0_u8; 1][..]) {}
    Ok(())
}
