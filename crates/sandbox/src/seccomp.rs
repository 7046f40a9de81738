//! The seccomp programs: which system calls a sandboxed program may make.
//!
//! Three programs are stacked, and the strictest answer of them counts. Calls on the list pass; unknown ones are
//! answered "no such call", which makes libraries fall back to older ones; known dangerous ones are
//! answered "not permitted", as programs expect; a few that nobody calls by mistake end the process.

use std::collections::BTreeMap;

use seccompiler::{
    BpfProgram, SeccompAction, SeccompCmpArgLen, SeccompCmpOp, SeccompCondition, SeccompFilter, SeccompRule,
    TargetArch, sock_filter,
};

use crate::error::{Error, Result};
use crate::policy::Role;
use crate::syscalls::{ALLOWED, DEADLY, FORBIDDEN, LEGACY};

/// What joins a sandbox, and what tells whether there is a single thread.
const JOINING: &[i64] = &[libc::SYS_setns, libc::SYS_unshare];

/// The request of `prctl`, and the advice of `madvise`, by which the kernel's merging of equal memory is asked for or given up: by how
/// long a write takes, who asks for it learns what others have in theirs.
const SET_MEMORY_MERGE: u64 = 67;

type Rules = BTreeMap<i64, Vec<SeccompRule>>;

/// Address families that sockets may have.
const FAMILIES: &[i32] = &[libc::AF_UNIX, libc::AF_INET, libc::AF_INET6];
/// Flags of `clone` that make namespaces.
const NAMESPACES: &[i32] = &[
    libc::CLONE_NEWNS,
    libc::CLONE_NEWCGROUP,
    libc::CLONE_NEWUTS,
    libc::CLONE_NEWIPC,
    libc::CLONE_NEWUSER,
    libc::CLONE_NEWPID,
    libc::CLONE_NEWNET,
];
/// Requests of `ioctl` that type into or take over a terminal.
const TERMINAL_REQUESTS: &[u64] =
    &[libc::TIOCSTI, 0x541c /* TIOCLINUX */, libc::TIOCCONS, libc::TIOCSCTTY];

/// The programs, in the order in which to install them. A forker's leave room for those that the processes
/// which it forks put on besides.
pub fn programs(role: Role) -> Result<Vec<BpfProgram>> {
    match role {
        Role::Program => Ok(vec![allow_list()?, deny_list(FORBIDDEN)?, kill_list()?]),
        Role::Forker => {
            let others: Vec<_> = FORBIDDEN.iter().filter(|call| !JOINING.contains(call)).copied().collect();
            Ok(vec![deny_list(&others)?, kill_list()?])
        }
    }
}

/// A program as the bytes of the kernel's `struct sock_filter` array.
#[must_use]
pub fn as_bytes(program: &[sock_filter]) -> Vec<u8> {
    let mut bytes = Vec::with_capacity(program.len() * 8);
    for instruction in program {
        bytes.extend_from_slice(&instruction.code.to_ne_bytes());
        bytes.push(instruction.jt);
        bytes.push(instruction.jf);
        bytes.extend_from_slice(&instruction.k.to_ne_bytes());
    }
    bytes
}

fn allow_list() -> Result<BpfProgram> {
    let mut rules = unconditional(ALLOWED.iter().chain(LEGACY));
    let mut families = Vec::new();
    for family in FAMILIES {
        families.push(rule(vec![argument(0, SeccompCmpOp::Eq, u64::from(family.unsigned_abs()))?])?);
    }
    // Asking the kernel for the network interfaces: a family of many protocols, this one is read-only here.
    families.push(rule(vec![
        argument(0, SeccompCmpOp::Eq, u64::from(libc::AF_NETLINK.unsigned_abs()))?,
        argument(2, SeccompCmpOp::Eq, u64::from(libc::NETLINK_ROUTE.unsigned_abs()))?,
    ])?);
    rules.insert(libc::SYS_socket, families);
    rules.insert(libc::SYS_prctl, vec![rule(vec![argument(0, SeccompCmpOp::Ne, SET_MEMORY_MERGE)?])?]);
    let advice = argument(2, SeccompCmpOp::Ne, u64::from(libc::MADV_MERGEABLE.unsigned_abs()))?;
    rules.insert(libc::SYS_madvise, vec![rule(vec![advice])?]);
    compile(rules, SeccompAction::Errno(libc::ENOSYS.unsigned_abs()), SeccompAction::Allow)
}

fn deny_list(forbidden: &[i64]) -> Result<BpfProgram> {
    let mut rules = unconditional(forbidden.iter());
    let mut clones = Vec::new();
    for flag in NAMESPACES {
        let bit = u64::from(flag.unsigned_abs());
        clones.push(rule(vec![argument(0, SeccompCmpOp::MaskedEq(bit), bit)?])?);
    }
    rules.insert(libc::SYS_clone, clones);
    let mut requests = Vec::new();
    for request in TERMINAL_REQUESTS {
        requests.push(rule(vec![argument(1, SeccompCmpOp::Eq, *request)?])?);
    }
    rules.insert(libc::SYS_ioctl, requests);
    compile(rules, SeccompAction::Allow, SeccompAction::Errno(libc::EPERM.unsigned_abs()))
}

fn kill_list() -> Result<BpfProgram> {
    compile(unconditional(DEADLY.iter()), SeccompAction::Allow, SeccompAction::KillProcess)
}

fn unconditional<'a>(calls: impl Iterator<Item = &'a i64>) -> Rules {
    calls.map(|call| (*call, Vec::new())).collect()
}

fn argument(index: u8, operator: SeccompCmpOp, value: u64) -> Result<SeccompCondition> {
    SeccompCondition::new(index, SeccompCmpArgLen::Dword, operator, value).map_err(error)
}

fn rule(conditions: Vec<SeccompCondition>) -> Result<SeccompRule> {
    SeccompRule::new(conditions).map_err(error)
}

fn compile(rules: Rules, otherwise: SeccompAction, matched: SeccompAction) -> Result<BpfProgram> {
    let arch = TargetArch::try_from(std::env::consts::ARCH).map_err(error)?;
    let filter = SeccompFilter::new(rules, otherwise, matched, arch).map_err(error)?;
    BpfProgram::try_from(filter).map_err(error)
}

fn error(error: impl std::fmt::Display) -> Error {
    Error::Helper(format!("compile a seccomp program: {error}"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_call_is_both_allowed_and_forbidden() {
        for call in ALLOWED.iter().chain(LEGACY) {
            assert!(!FORBIDDEN.contains(call) && !DEADLY.contains(call), "system call {call}");
        }
    }

    #[test]
    fn programs_fit_the_kernel() {
        for program in programs(Role::Program).unwrap() {
            assert!(program.len() < 4096);
            assert_eq!(as_bytes(&program).len(), program.len() * 8);
        }
    }
}
