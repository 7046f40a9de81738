//! Starting, watching and ending the processes of a preview.

use std::fs::File;
use std::io::{self, Write};
use std::os::fd::{AsRawFd, BorrowedFd, OwnedFd, RawFd};
use std::os::unix::process::CommandExt;
use std::path::Path;
use std::process::{Command, Stdio};

use rustix::fs::MemfdFlags;
use rustix::pipe::PipeFlags;
use rustix::process::{Pid, PidfdFlags, Signal, WaitId, WaitIdOptions};
use tokio::io::unix::AsyncFd;

use super::protocol::{Exit, Start};
use super::readiness::watched;

/// Names the preview and the start in the environment of its processes, so that strays can be told.
pub const MARKER: &str = "PREVIEWD_PROCESS";

/// What the runner finds where: its instructions, the socket it serves on, the channel for its records.
const SPEC_FD: RawFd = 3;
const LISTENER_FD: RawFd = 4;
const RECORDS_FD: RawFd = 5;

/// A process that was just started, with the ends of its pipes.
#[derive(Debug)]
pub struct Started {
    /// The process.
    pub process: Process,
    /// Its standard output.
    pub stdout: OwnedFd,
    /// Its standard error.
    pub stderr: OwnedFd,
    /// Its structured records.
    pub records: OwnedFd,
}

/// A child of the keeper.
#[derive(Debug)]
pub struct Process {
    pid: Pid,
    pidfd: AsyncFd<OwnedFd>,
    marker: String,
}

/// Starts what `start` names, serving on `listener`.
pub fn start(start: &Start, listener: BorrowedFd<'_>) -> io::Result<Started> {
    let (program, arguments) = start
        .argv
        .split_first()
        .ok_or_else(|| io::Error::new(io::ErrorKind::InvalidInput, "nothing to start"))?;
    let marker = marker(&start.preview, start.slot);
    let spec = spec_file(&start.spec)?;
    let (stdout, stdout_end) = rustix::pipe::pipe_with(PipeFlags::CLOEXEC)?;
    let (stderr, stderr_end) = rustix::pipe::pipe_with(PipeFlags::CLOEXEC)?;
    let (records, records_end) = rustix::pipe::pipe_with(PipeFlags::CLOEXEC)?;
    let mut command = Command::new(program);
    command.args(arguments).current_dir(&start.dir).env_clear();
    command.envs(start.env.iter().map(|(k, v)| (k, v))).env(MARKER, &marker);
    command.stdin(Stdio::null()).stdout(stdout_end).stderr(stderr_end);
    let inherited = [
        (above_targets(&spec)?, SPEC_FD),
        (above_targets(listener)?, LISTENER_FD),
        (above_targets(&records_end)?, RECORDS_FD),
    ];
    let parent = rustix::process::getpid();
    // SAFETY: between fork and exec only async-signal-safe calls are made (setsid, prctl, getppid, dup2), and nothing is allocated.
    unsafe {
        command.pre_exec(move || in_child(parent, &inherited));
    }
    let child = command.spawn()?;
    let pid = Pid::from_child(&child);
    let pidfd = watched(rustix::process::pidfd_open(pid, PidfdFlags::NONBLOCK)?)?;
    for fd in [&stdout, &stderr, &records] {
        rustix::io::ioctl_fionbio(fd, true)?;
    }
    Ok(Started { process: Process { pid, pidfd, marker }, stdout, stderr, records })
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
fn spec_file(spec: &str) -> io::Result<OwnedFd> {
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
        let id = WaitId::PidFd(std::os::fd::AsFd::as_fd(self.pidfd.get_ref()));
        match rustix::process::waitid(id, WaitIdOptions::EXITED) {
            Ok(Some(status)) => match (status.exit_status(), status.terminating_signal()) {
                (Some(code), _) => Exit::Code(code),
                (None, Some(signal)) => Exit::Signal(signal),
                (None, None) => Exit::Lost,
            },
            _ => Exit::Lost,
        }
    }

    /// Asks it to end.
    pub fn terminate(&self) {
        let _already_gone = rustix::process::pidfd_send_signal(self.pidfd.get_ref(), Signal::TERM);
    }

    /// Ends it and everything that it started.
    pub fn kill_all(&self) {
        let _already_gone = rustix::process::pidfd_send_signal(self.pidfd.get_ref(), Signal::KILL);
        kill_marked(&self.marker);
    }

    /// Resident bytes of it and everything that it started.
    pub fn memory_bytes(&self) -> u64 {
        let page = rustix::param::page_size() as u64;
        let resident = |pid: i32| -> Option<u64> {
            let statm = std::fs::read_to_string(format!("/proc/{pid}/statm")).ok()?;
            statm.split_ascii_whitespace().nth(1)?.parse::<u64>().ok()
        };
        let mut pids = marked(&self.marker);
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

/// Reaps orphans that were handed to the keeper, leaving alone the `known` children.
pub fn reap_strays(known: &[Pid]) {
    let path = format!("/proc/self/task/{}/children", rustix::process::getpid().as_raw_nonzero());
    let Ok(children) = std::fs::read_to_string(path) else { return };
    let strays = children.split_ascii_whitespace().filter_map(|p| Pid::from_raw(p.parse().ok()?));
    for pid in strays.filter(|pid| !known.contains(pid)) {
        let _not_dead_yet =
            rustix::process::waitid(WaitId::Pid(pid), WaitIdOptions::EXITED | WaitIdOptions::NOHANG);
    }
}
