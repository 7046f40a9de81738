//! The last steps before strangers' code runs: identity, capabilities, limits, landlock, seccomp.

use std::os::fd::OwnedFd;

use rustix::process::{Resource, Rlimit};
use rustix::thread::{Gid, Uid};
use serde::{Deserialize, Serialize};

use crate::cgroup::Controller;
use crate::error::{Context as _, Result};
use crate::policy::{Limits, Role};
use crate::privilege::drop_capabilities;
use crate::{seccomp, sys};

/// What a process that enters must do to itself. Plain data, so that it can be told to helpers
/// in other languages too.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Confinement {
    /// User and group id to take, as seen inside; `None` keeps the caller's.
    pub identity: Option<u32>,
    /// Whether supplementary groups can be given up.
    pub drop_groups: bool,
    /// Soft and hard limits, by the kernel's number of the resource.
    pub rlimits: Vec<(u32, u64)>,
    /// The seccomp programs to install; `None` for no such layer.
    pub seccomp: Option<Role>,
}

/// How much of its own the memory of a process may exceed the limit, where only rlimits are there
/// to bound it: stacks of threads are reserved, not used.
const RESERVED_STACKS: u64 = 512 << 20;

/// The rlimits that go with `limits`. `bounded` says what a cgroup counts already: for whole sandboxes, where these count for each
/// process or user.
pub(crate) fn rlimits(limits: &Limits, role: Role, bounded: impl Fn(Controller) -> bool) -> Vec<(u32, u64)> {
    let mut all =
        vec![(libc::RLIMIT_CORE, 0), (libc::RLIMIT_MEMLOCK, 64 << 10), (libc::RLIMIT_MSGQUEUE, 64 << 10)];
    // What it forks could have no more than it has itself, and is told its own.
    if role == Role::Program {
        all.extend([(libc::RLIMIT_NOFILE, limits.open_files), (libc::RLIMIT_FSIZE, limits.disk)]);
    }
    if !bounded(Controller::Pids) {
        all.push((libc::RLIMIT_NPROC, limits.tasks));
    }
    if !bounded(Controller::Memory) {
        all.push((libc::RLIMIT_DATA, limits.memory + RESERVED_STACKS));
    }
    all
}

/// Confines this process. Nothing of it can be undone.
pub(crate) fn confine(to: &Confinement, landlock: Option<&OwnedFd>) -> Result<()> {
    if to.drop_groups {
        rustix::thread::set_thread_groups(&[]).step("give up groups")?;
    }
    if let Some(id) = to.identity {
        let (uid, gid) = (Uid::from_raw(id), Gid::from_raw(id));
        rustix::thread::set_thread_res_gid(gid, gid, gid).step("take a group id")?;
        // Without this the change of user would clear the capability that dropping the bounding set needs.
        rustix::thread::set_keep_capabilities(true).step("keep capabilities")?;
        rustix::thread::set_thread_res_uid(uid, uid, uid).step("take a user id")?;
    }
    for (resource, value) in &to.rlimits {
        set_rlimit(*resource, *value)?;
    }
    drop_capabilities()?;
    rustix::thread::set_no_new_privs(true).step("forbid new privileges")?;
    if let Some(ruleset) = landlock {
        use std::os::fd::AsFd as _;
        sys::landlock_restrict(ruleset.as_fd()).step("enforce landlock")?;
    }
    if let Some(role) = to.seccomp {
        for program in seccomp::programs(role)? {
            sys::install_filter(&program).step("install a seccomp program")?;
        }
    }
    Ok(())
}

/// Never raises a hard limit, which would need a right.
fn set_rlimit(number: u32, value: u64) -> Result<()> {
    let resource = match number {
        libc::RLIMIT_CORE => Resource::Core,
        libc::RLIMIT_NOFILE => Resource::Nofile,
        libc::RLIMIT_NPROC => Resource::Nproc,
        libc::RLIMIT_FSIZE => Resource::Fsize,
        libc::RLIMIT_MEMLOCK => Resource::Memlock,
        libc::RLIMIT_MSGQUEUE => Resource::Msgqueue,
        _ => Resource::Data,
    };
    let hard = rustix::process::getrlimit(resource).maximum.unwrap_or(u64::MAX);
    let limit = Some(value.min(hard));
    rustix::process::setrlimit(resource, Rlimit { current: limit, maximum: limit }).step("set an rlimit")
}
