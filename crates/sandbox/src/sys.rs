//! The system calls that no crate wraps safely. All of this crate's `unsafe` is here.

use std::convert::Infallible;
use std::ffi::{CString, c_int, c_long, c_void};
use std::io;
use std::os::fd::{AsFd, AsRawFd, BorrowedFd, FromRawFd, OwnedFd, RawFd};

use rustix::process::Pid;
use seccompiler::sock_filter;

/// Helpers keep their own descriptors at this number and above, while they arrange the ones below.
pub(crate) const ASIDE: RawFd = 64;

/// What a clone is to its caller.
pub(crate) enum Cloned {
    /// We are the new process.
    Child,
    /// We are the caller.
    Parent {
        /// Id of the new process, as the caller sees it.
        pid: Pid,
        /// Its pidfd.
        pidfd: OwnedFd,
    },
}

/// Forks with `flags` (`CLONE_NEW*`, `CLONE_PARENT`) and a pidfd of the child.
///
/// Only for helper processes, which have a single thread: there is nobody whose lock the child could
/// find held, so it may go on to run ordinary code.
pub(crate) fn clone(flags: c_int) -> io::Result<Cloned> {
    let mut pidfd: c_int = -1;
    let all = c_long::from(flags | libc::CLONE_PIDFD | libc::SIGCHLD);
    // SAFETY: without CLONE_VM the child has its own copy of everything; a null stack means the caller's.
    // `pidfd` outlives the call, which is the only time the kernel writes to it.
    let result = unsafe {
        libc::syscall(libc::SYS_clone, all, std::ptr::null_mut::<c_void>(), &raw mut pidfd, 0usize, 0usize)
    };
    match c_int::try_from(result).ok().and_then(Pid::from_raw) {
        _ if result < 0 => Err(io::Error::last_os_error()),
        None => Ok(Cloned::Child),
        // SAFETY: the call succeeded, so that `pidfd` is a new descriptor which nobody else owns.
        Some(pid) => Ok(Cloned::Parent { pid, pidfd: unsafe { OwnedFd::from_raw_fd(pidfd) } }),
    }
}

/// Sets attributes on a mount and everything below it.
pub(crate) fn mount_setattr(mount: BorrowedFd<'_>, set: u64) -> io::Result<()> {
    let attributes = libc::mount_attr { attr_set: set, attr_clr: 0, propagation: 0, userns_fd: 0 };
    let flags = libc::AT_EMPTY_PATH | libc::AT_RECURSIVE;
    // SAFETY: the path is a constant, and `attributes` outlives the call and is as long as said.
    let result = unsafe {
        libc::syscall(
            libc::SYS_mount_setattr,
            mount.as_raw_fd(),
            c"".as_ptr(),
            flags,
            &raw const attributes,
            size_of::<libc::mount_attr>(),
        )
    };
    check(result)
}

/// Installs a seccomp program on this process, which has a single thread and `no_new_privs`.
pub(crate) fn install_filter(program: &[sock_filter]) -> io::Result<()> {
    let header = libc::sock_fprog {
        len: u16::try_from(program.len()).map_err(io::Error::other)?,
        filter: program.as_ptr().cast_mut().cast(),
    };
    // SAFETY: `header` and the program it points to outlive the call; `sock_filter` has the kernel's layout.
    let result =
        unsafe { libc::syscall(libc::SYS_seccomp, libc::SECCOMP_SET_MODE_FILTER, 0, &raw const header) };
    check(result)
}

/// Restricts this process to a landlock ruleset. Needs `no_new_privs`.
pub(crate) fn landlock_restrict(ruleset: BorrowedFd<'_>) -> io::Result<()> {
    // SAFETY: takes two integers.
    check(unsafe { libc::syscall(libc::SYS_landlock_restrict_self, ruleset.as_raw_fd(), 0) })
}

/// Brings the loopback interface of this network namespace up.
pub(crate) fn loopback_up() -> io::Result<()> {
    let socket = rustix::net::socket(rustix::net::AddressFamily::INET, rustix::net::SocketType::DGRAM, None)?;
    // SAFETY: `ifreq` is made of integers and bytes, for which zeroes are valid.
    let mut request: libc::ifreq = unsafe { std::mem::zeroed() };
    request.ifr_name[0] = b'l'.cast_signed();
    request.ifr_name[1] = b'o'.cast_signed();
    #[expect(clippy::cast_possible_truncation, reason = "both flags are below 128")]
    {
        request.ifr_ifru.ifru_flags = (libc::IFF_UP | libc::IFF_RUNNING) as i16;
    }
    // SAFETY: the request outlives the call and has a terminated name.
    let result = unsafe { libc::ioctl(socket.as_raw_fd(), libc::SIOCSIFFLAGS, &raw const request) };
    check(result.into())
}

/// Closes every descriptor from `first` on.
pub(crate) fn close_from(first: RawFd) -> io::Result<()> {
    // SAFETY: only called by the holder, which owns nothing from there on.
    check(unsafe { libc::syscall(libc::SYS_close_range, first, c_int::MAX, 0) })
}

/// Lets no descriptor from `first` on survive an exec, wherever it was inherited from.
pub(crate) fn close_on_exec_from(first: RawFd) -> io::Result<()> {
    // SAFETY: changes a flag of descriptors; takes three integers.
    check(unsafe { libc::syscall(libc::SYS_close_range, first, c_int::MAX, libc::CLOSE_RANGE_CLOEXEC) })
}

/// Makes `target` a copy of `source` that survives exec. They must differ.
pub(crate) fn duplicate(source: BorrowedFd<'_>, target: RawFd) -> io::Result<()> {
    // SAFETY: dup3 takes integers; what `target` was is given up by the caller.
    check(unsafe { libc::dup3(source.as_raw_fd(), target, 0) }.into())
}

/// A copy of `source` numbered `lowest` or above, closed on exec.
pub(crate) fn duplicate_above(source: BorrowedFd<'_>, lowest: RawFd) -> io::Result<OwnedFd> {
    Ok(rustix::io::fcntl_dupfd_cloexec(source, lowest)?)
}

/// Takes ownership of a descriptor that this process was started with.
pub(crate) fn inherited(number: RawFd) -> io::Result<OwnedFd> {
    // SAFETY: a helper process is told its descriptors by number and takes each of them once.
    let fd = unsafe { OwnedFd::from_raw_fd(number) };
    match rustix::io::fcntl_getfd(fd.as_fd()) {
        Ok(_) => Ok(fd),
        Err(error) => {
            std::mem::forget(fd);
            Err(error.into())
        }
    }
}

/// Replaces this process by the program that `program` is open on.
pub(crate) fn exec_fd(program: BorrowedFd<'_>, arguments: &[CString]) -> io::Result<Infallible> {
    let mut pointers: Vec<_> = arguments.iter().map(|argument| argument.as_ptr()).collect();
    pointers.push(std::ptr::null());
    let environment = [std::ptr::null::<std::ffi::c_char>()];
    // SAFETY: both lists end with null and point to terminated strings that outlive the call.
    let result = unsafe {
        libc::execveat(
            program.as_raw_fd(),
            c"".as_ptr(),
            pointers.as_ptr().cast(),
            environment.as_ptr().cast(),
            libc::AT_EMPTY_PATH,
        )
    };
    debug_assert_eq!(result, -1, "exec returns only to report an error");
    Err(io::Error::last_os_error())
}

/// Ignores a signal; for SIGCHLD, children vanish when they end.
pub(crate) fn ignore(signal: c_int) {
    // SAFETY: SIG_IGN runs no code of ours.
    unsafe { libc::signal(signal, libc::SIG_IGN) };
}

fn check(result: c_long) -> io::Result<()> {
    if result < 0 { Err(io::Error::last_os_error()) } else { Ok(()) }
}
