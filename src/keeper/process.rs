//! Starting, watching and ending the processes of a preview.

use std::cell::RefCell;
use std::fs::File;
use std::io::{self, Write};
use std::os::fd::{AsFd, AsRawFd, OwnedFd, RawFd};
use std::os::unix::process::CommandExt;
use std::path::Path;
use std::process::{Command, Stdio};
use std::time::Duration;

use rustix::fs::MemfdFlags;
use rustix::process::{Pid, PidfdFlags, Signal, WaitId, WaitIdOptions, waitid};
use sandbox::{Leaf, Sandbox};
use tokio::io::unix::AsyncFd;

use super::housing::Ends;
use super::protocol::{Exit, Start};
use super::readiness::watched;

/// Names the preview and the start in the environment of its processes, so that strays can be told.
pub const MARKER: &str = "PREVIEWD_PROCESS";

/// What the runner finds where: its instructions, the socket it serves on, the channel for its records.
const SPEC_FD: RawFd = 3;
const LISTENER_FD: RawFd = 4;
const RECORDS_FD: RawFd = 5;

/// A child of the keeper, with all that it started.
#[derive(Debug)]
pub struct Process {
    pid: Pid,
    pidfd: AsyncFd<OwnedFd>,
    held_by: HeldBy,
}

/// What reaches everything that a process started.
#[derive(Debug)]
enum HeldBy {
    /// A variable of their environment, where there is no sandbox.
    Marker(String),
    /// The sandbox that they cannot leave.
    Sandbox(RefCell<Option<Sandbox>>),
}

/// Starts code as a plain child of the keeper, in `start.files`.
pub fn start_plain(start: &Start, ends: Ends) -> io::Result<Process> {
    let marker = marker(&start.preview, start.slot);
    let spec = super::housing::spec(start, &start.files, None)?;
    let mut command = Command::new(&start.warm.python);
    command.args(start.arguments()).current_dir(&start.files).env_clear();
    command.envs(start.env.iter().map(|(k, v)| (k, v))).env(MARKER, &marker);
    command.stdin(Stdio::null()).stdout(ends.stdout).stderr(ends.stderr);
    let inherited = places(spec, ends.listener, ends.records);
    let inherited = inherited.map(|(fd, place)| above_targets(&fd).map(|fd| (fd, place)));
    let inherited: [(OwnedFd, RawFd); 3] = match inherited {
        [Ok(a), Ok(b), Ok(c)] => [a, b, c],
        [Err(e), ..] | [_, Err(e), _] | [.., Err(e)] => return Err(e),
    };
    let parent = rustix::process::getpid();
    // SAFETY: between fork and exec only async-signal-safe calls are made (setsid, prctl, getppid, dup2), and nothing is allocated.
    unsafe {
        command.pre_exec(move || in_child(parent, &inherited));
    }
    let child = command.spawn()?;
    let pid = Pid::from_child(&child);
    let pidfd = watched(rustix::process::pidfd_open(pid, PidfdFlags::NONBLOCK)?)?;
    Ok(Process { pid, pidfd, held_by: HeldBy::Marker(marker) })
}

/// Takes over code that runs in a sandbox.
pub fn housed(pid: Pid, pidfd: OwnedFd, sandbox: Sandbox) -> io::Result<Process> {
    Ok(Process { pid, pidfd: watched(pidfd)?, held_by: HeldBy::Sandbox(RefCell::new(Some(sandbox))) })
}

/// Descriptors and the numbers under which the runner looks for them.
pub fn places(spec: OwnedFd, listener: OwnedFd, records: OwnedFd) -> [(OwnedFd, RawFd); 3] {
    [(spec, SPEC_FD), (listener, LISTENER_FD), (records, RECORDS_FD)]
}

/// A session of its own (no terminal's signals), dead with the keeper's only thread, three descriptors in their places.
fn in_child(parent: Pid, inherited: &[(OwnedFd, RawFd); 3]) -> io::Result<()> {
    rustix::process::setsid()?;
    rustix::process::set_parent_process_death_signal(Some(Signal::KILL))?;
    if rustix::process::getppid() != Some(parent) {
        return Err(io::Error::other("the keeper is gone"));
    }
    for (fd, target) in inherited {
        // SAFETY: the targets are above the standard streams and below every descriptor duplicated by `above_targets`,
        // so nothing that is still needed is closed; ownership stays with the kernel across exec.
        if unsafe { libc::dup2(fd.as_raw_fd(), *target) } < 0 {
            return Err(io::Error::last_os_error());
        }
    }
    Ok(())
}

/// A duplicate that cannot be overwritten while the targets are filled.
fn above_targets(fd: impl std::os::fd::AsFd) -> io::Result<OwnedFd> {
    Ok(rustix::io::fcntl_dupfd_cloexec(fd, RECORDS_FD + 1)?)
}

/// The runner's instructions: in memory, since they hold the user's environment.
pub fn spec_file(spec: &str) -> io::Result<OwnedFd> {
    let mut file = File::from(rustix::fs::memfd_create("spec", MemfdFlags::CLOEXEC)?);
    file.write_all(spec.as_bytes())?;
    rustix::fs::seek(&file, rustix::fs::SeekFrom::Start(0))?;
    Ok(file.into())
}

fn marker(preview: &str, slot: u32) -> String {
    format!("{preview}.{slot}")
}

impl Process {
    /// The process's number.
    pub fn pid(&self) -> Pid {
        self.pid
    }

    /// Waits for the end of it and reaps it.
    pub async fn wait(&self) -> Exit {
        if self.pidfd.readable().await.is_err() {
            return Exit::Lost;
        }
        let killed_for_memory = self.was_killed_for_memory();
        match self.reap().await {
            Exit::Signal(9) if killed_for_memory => Exit::OutOfMemory,
            exit => exit,
        }
    }

    async fn reap(&self) -> Exit {
        // A forked process becomes the keeper's child when the one between them has ended: a moment later, and on a
        // machine that is short of processors a long one.
        const TRIES: u32 = 10_000;
        for _ in 0..TRIES {
            match waitid(WaitId::PidFd(self.pidfd.get_ref().as_fd()), WaitIdOptions::EXITED) {
                Ok(Some(status)) => {
                    return match (status.exit_status(), status.terminating_signal()) {
                        (Some(code), _) => Exit::Code(code),
                        (None, Some(signal)) => Exit::Signal(signal),
                        (None, None) => Exit::Lost,
                    };
                }
                Err(rustix::io::Errno::CHILD) => tokio::time::sleep(Duration::from_millis(1)).await,
                _ => break,
            }
        }
        Exit::Lost
    }

    fn was_killed_for_memory(&self) -> bool {
        let HeldBy::Sandbox(sandbox) = &self.held_by else { return false };
        let sandbox = sandbox.borrow();
        sandbox.as_ref().and_then(Sandbox::cgroup).is_some_and(|leaf| leaf.out_of_memory_kills() > 0)
    }

    /// Asks it to end.
    pub fn terminate(&self) {
        let _already_gone = rustix::process::pidfd_send_signal(self.pidfd.get_ref(), Signal::TERM);
    }

    /// Ends it and everything that it started.
    pub fn kill_all(&self) {
        let _already_gone = rustix::process::pidfd_send_signal(self.pidfd.get_ref(), Signal::KILL);
        match &self.held_by {
            HeldBy::Marker(marker) => kill_marked(marker),
            HeldBy::Sandbox(sandbox) => {
                if let Some(Err(e)) = sandbox.borrow().as_ref().map(Sandbox::kill) {
                    tracing::error!(error = %e, "a sandbox cannot be ended");
                }
            }
        }
    }

    /// Whether it, or something that it started, was refused a process or a thread.
    pub fn was_refused_tasks(&self) -> bool {
        self.in_sandbox(|sandbox| sandbox.cgroup().map_or(0, Leaf::refused_tasks) > 0)
    }

    /// Whether there is no room left for its files.
    pub fn has_full_disk(&self) -> bool {
        self.in_sandbox(Sandbox::is_full)
    }

    fn in_sandbox(&self, is_so: impl FnOnce(&Sandbox) -> bool) -> bool {
        match &self.held_by {
            HeldBy::Sandbox(sandbox) => sandbox.borrow().as_ref().is_some_and(is_so),
            HeldBy::Marker(_) => false,
        }
    }

    /// Removes what held it. Everything in it has ended.
    pub fn clear(&self) {
        if let HeldBy::Sandbox(sandbox) = &self.held_by
            && let Some(sandbox) = sandbox.take()
        {
            super::housing::destroy(sandbox);
        }
    }

    /// Bytes of memory of it and everything that it started.
    pub fn memory_bytes(&self) -> u64 {
        match &self.held_by {
            HeldBy::Marker(marker) => self.resident_bytes(marked(marker)),
            HeldBy::Sandbox(sandbox) => {
                let sandbox = sandbox.borrow();
                let used = sandbox.as_ref().and_then(Sandbox::cgroup).and_then(Leaf::memory_used);
                used.unwrap_or_else(|| self.resident_bytes(Vec::new()))
            }
        }
    }

    fn resident_bytes(&self, mut pids: Vec<i32>) -> u64 {
        let page = rustix::param::page_size() as u64;
        let resident = |pid: i32| -> Option<u64> {
            let statm = std::fs::read_to_string(format!("/proc/{pid}/statm")).ok()?;
            statm.split_ascii_whitespace().nth(1)?.parse::<u64>().ok()
        };
        pids.push(self.pid.as_raw_nonzero().get());
        pids.sort_unstable();
        pids.dedup();
        pids.into_iter().filter_map(resident).sum::<u64>() * page
    }
}

/// Kills every process of one start, and looks again until there is none: a fork may race with the look.
pub fn kill_marked(marker: &str) {
    for _ in 0..100 {
        let found = marked(marker);
        if found.is_empty() {
            return;
        }
        for pid in found.into_iter().filter_map(Pid::from_raw) {
            let _already_gone = rustix::process::kill_process(pid, Signal::KILL);
        }
    }
}

/// Processes, not zombies, that carry a marker which begins with `prefix` up to a dot or its end.
pub fn marked(prefix: &str) -> Vec<i32> {
    let wanted = format!("{MARKER}={prefix}");
    let Ok(entries) = std::fs::read_dir("/proc") else { return Vec::new() };
    let pids = entries.flatten().filter_map(|e| e.file_name().to_str()?.parse::<i32>().ok());
    pids.filter(|pid| carries(*pid, wanted.as_bytes())).collect()
}

fn carries(pid: i32, wanted: &[u8]) -> bool {
    // A zombie's environment reads as empty.
    let Ok(environ) = std::fs::read(Path::new("/proc").join(pid.to_string()).join("environ")) else {
        return false;
    };
    environ.split(|b| *b == 0).any(|variable| {
        variable.strip_prefix(wanted).is_some_and(|rest| rest.is_empty() || rest.starts_with(b"."))
    })
}

/// Reaps orphans that were handed to the keeper, leaving alone the `known` children and the sandboxes' own helpers,
/// which bear the keeper's name and are reaped by whoever started them.
pub fn reap_strays(known: &[Pid]) {
    let path = format!("/proc/self/task/{}/children", rustix::process::getpid().as_raw_nonzero());
    let Ok(children) = std::fs::read_to_string(path) else { return };
    let ours = std::fs::read("/proc/self/comm").unwrap_or_default();
    let strays = children.split_ascii_whitespace().filter_map(|p| Pid::from_raw(p.parse().ok()?));
    for pid in strays.filter(|pid| !known.contains(pid)) {
        if std::fs::read(format!("/proc/{}/comm", pid.as_raw_nonzero())).is_ok_and(|comm| comm == ours) {
            continue;
        }
        let _not_dead_yet = waitid(WaitId::Pid(pid), WaitIdOptions::EXITED | WaitIdOptions::NOHANG);
    }
}
