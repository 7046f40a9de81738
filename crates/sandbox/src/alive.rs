//! Whether a process lives.

use std::fs;
use std::os::fd::{AsRawFd as _, BorrowedFd};

use crate::conversation::readable;

/// `PF_EXITING` of the kernel's `include/linux/sched.h`: on its way out.
const EXITING: u64 = 4;
/// Among the signals that a process has still to take.
const KILLED: u64 = 1 << (libc::SIGKILL - 1);

/// Whether a process of the caller's lives and nobody has killed it. One that was killed still has to end, which takes time where
/// others want the processors, and the first one of a sandbox waits for all inside.
#[must_use]
pub fn lives(pidfd: BorrowedFd<'_>) -> bool {
    readable(pidfd, 0).is_ok_and(|ended| !ended) && is_to_go_on(pidfd).unwrap_or(false)
}

/// `None` if it is gone. A pidfd tells of the end alone, and not that there will be one. The fields are numbered as in proc_pid_stat(5).
fn is_to_go_on(pidfd: BorrowedFd<'_>) -> Option<bool> {
    let told = fs::read_to_string(format!("/proc/self/fdinfo/{}", pidfd.as_raw_fd())).ok()?;
    let pid: i32 = told.lines().find_map(|line| line.strip_prefix("Pid:"))?.trim().parse().ok()?;
    let stat = fs::read_to_string(format!("/proc/{pid}/stat")).ok()?;
    // The name, which may hold anything, is the second.
    let after_name: Vec<_> = stat.rsplit_once(')')?.1.split_ascii_whitespace().collect();
    let field = |number: usize| after_name.get(number - 3)?.parse::<u64>().ok();
    let (flags, pending) = (field(9)?, field(31)?);
    Some(flags & EXITING == 0 && pending & KILLED == 0)
}
