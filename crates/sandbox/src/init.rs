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
use rustix::thread::{Gid, Uid};
use serde::{Deserialize, Serialize};

use crate::copy::Owner;
use crate::error::{Context as _, Error, Result};
use crate::helper::HOLD;
use crate::policy::{INNER_ID, Network, Policy};
use crate::privilege::is_privileged;
use crate::root::Root;
use crate::rules::{Rules, ruleset};
use crate::sys::{self, Cloned};
use crate::wire::{self, Reply};

/// What a maker is told.
#[derive(Serialize, Deserialize)]
pub(crate) struct Order {
    pub(crate) policy: Policy,
    pub(crate) landlock: bool,
}

/// First step, outside: makes the namespaces and says who is who in them.
pub(crate) fn make(socket: &OwnedFd) -> Result<()> {
    let (order, _): (Order, _) = wire::receive_order(socket.as_fd())?;
    let program: OwnedFd = fs::File::open("/proc/self/exe").step("open this program")?.into();
    let privileged = is_privileged();
    let root =
        if privileged { Some(Root::build(&order.policy, Owner(outer_id(&order.policy)))?) } else { None };
    let (ours, theirs) = wire::pair()?;
    match clone_into_namespaces(&order.policy, privileged)? {
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
            let outcome = map_identity(pid, &order.policy, privileged).and_then(|()| go(ours.as_fd()));
            if outcome.is_err() {
                // Its reason, if it has one of its own, was sent before.
                let _ = rustix::process::pidfd_send_signal(&pidfd, Signal::KILL);
            }
            outcome
        }
    }
}

fn outer_id(policy: &Policy) -> u32 {
    policy.identity.unwrap_or_else(|| rustix::process::geteuid().as_raw())
}

/// The user namespace belongs to whom it was made by, and only its owner (and root) may join it: so
/// this is done under the joiner's id.
fn clone_into_namespaces(policy: &Policy, privileged: bool) -> Result<Cloned> {
    let mut flags = libc::CLONE_NEWUSER
        | libc::CLONE_NEWNS
        | libc::CLONE_NEWPID
        | libc::CLONE_NEWIPC
        | libc::CLONE_NEWUTS
        | libc::CLONE_PARENT;
    if policy.network == Network::None {
        flags |= libc::CLONE_NEWNET;
    }
    let joiner = policy.joiner.filter(|_| privileged).map(Uid::from_raw);
    let root = rustix::process::getuid();
    if let Some(uid) = joiner {
        rustix::thread::set_thread_res_uid(root, uid, root).step("take the joiner's id")?;
    }
    let cloned = sys::clone(flags).step("create namespaces")?;
    if joiner.is_some() && matches!(cloned, Cloned::Parent { .. }) {
        rustix::thread::set_thread_res_uid(root, root, root).step("return to the own id")?;
    }
    Ok(cloned)
}

/// Inside there is one user: `INNER_ID`.
fn map_identity(child: Pid, policy: &Policy, privileged: bool) -> Result<()> {
    let of_child = |name: &str| format!("/proc/{}/{name}", child.as_raw_nonzero());
    let (uid, gid) = if privileged {
        (outer_id(policy), outer_id(policy))
    } else {
        fs::write(of_child("setgroups"), "deny").step("forbid setgroups")?;
        (rustix::process::geteuid().as_raw(), rustix::process::getegid().as_raw())
    };
    fs::write(of_child("uid_map"), format!("{INNER_ID} {uid} 1")).step("map the user id")?;
    fs::write(of_child("gid_map"), format!("{INNER_ID} {gid} 1")).step("map the group id")
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
    rustix::mount::mount_change("/", MountPropagationFlags::PRIVATE | MountPropagationFlags::REC)
        .step("make mounts private")?;
    if order.policy.network == Network::None {
        sys::loopback_up().step("bring up the loopback")?;
    }
    rustix::system::sethostname(b"sandbox").step("name the host")?;
    root.enter()?;
    let fence = if order.landlock { fence(&readable, &writable, order.policy.network)? } else { None };
    hold_on(caller.as_fd(), fence, program)
}

fn take_inner_identity() -> Result<()> {
    let (uid, gid) = (Uid::from_raw(INNER_ID), Gid::from_raw(INNER_ID));
    // Refused to those who are unprivileged outside: they keep their groups.
    let _ = rustix::thread::set_thread_groups(&[]);
    rustix::thread::set_thread_res_gid(gid, gid, gid).step("take the inner group id")?;
    rustix::thread::set_thread_res_uid(uid, uid, uid).step("take the inner user id")
}

fn fence(readable: &[PathBuf], writable: &[PathBuf], network: Network) -> Result<Option<OwnedFd>> {
    ruleset(&Rules { readable, writable, bind_tcp: network == Network::None })
}

/// Executes the holder: it starts with the two descriptors, no capability and no environment.
fn hold_on(caller: BorrowedFd<'_>, fence: Option<OwnedFd>, program: &OwnedFd) -> Result<()> {
    rustix::thread::set_no_new_privs(true).step("forbid new privileges")?;
    let high = sys::duplicate_above(caller, 10).step("move a descriptor")?;
    let fence = fence.map(|fd| sys::duplicate_above(fd.as_fd(), 10)).transpose().step("move a descriptor")?;
    let program = sys::duplicate_above(program.as_fd(), 10).step("move a descriptor")?;
    sys::duplicate(high.as_fd(), 3).step("pass a descriptor on")?;
    if let Some(fence) = &fence {
        sys::duplicate(fence.as_fd(), 4).step("pass a descriptor on")?;
    }
    let landlock = if fence.is_some() { c"4" } else { c"-" };
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
    let fence = landlock.map(sys::inherited).transpose().step("find the ruleset")?;
    rustix::process::set_dumpable_behavior(DumpableBehavior::NotDumpable).step("hide the init")?;
    rustix::process::set_parent_process_death_signal(Some(Signal::KILL)).step("die with the caller")?;
    {
        let own =
            rustix::process::pidfd_open(rustix::process::getpid(), rustix::process::PidfdFlags::empty())
                .step("open the own pidfd")?;
        let mut fds = vec![own.as_fd()];
        fds.extend(fence.as_ref().map(AsFd::as_fd));
        wire::send(caller.as_fd(), &Reply::Ready, &fds)?;
    }
    drop(fence);
    sys::close_from(caller.as_raw_fd() + 1).step("close descriptors")?;
    // The caller never says more: this returns when it is gone, whatever became of the signal above.
    while let Err(rustix::io::Errno::INTR) = rustix::io::read(&caller, &mut [0_u8; 1][..]) {}
    Ok(())
}
