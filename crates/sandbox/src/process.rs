//! A program that was started inside.

use std::ffi::OsString;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::os::unix::process::ExitStatusExt as _;
use std::path::PathBuf;
use std::process::{ExitStatus, Stdio};

use rustix::process::{Pid, WaitId, WaitIdOptions, waitid};

use crate::conversation::{Conversation, News, readable};
use crate::error::{Context as _, Error, Result};
use crate::wire::Reply;

/// What to start. Nothing but this reaches it: no other descriptor, no other variable.
#[derive(Debug)]
pub struct Program {
    /// Path inside.
    pub path: PathBuf,
    /// Arguments, without the program's name.
    pub arguments: Vec<OsString>,
    /// Its whole environment.
    pub environment: Vec<(OsString, OsString)>,
    /// Standard output.
    pub stdout: Stdio,
    /// Standard error.
    pub stderr: Stdio,
    /// Further descriptors and the numbers (3 to 63) that they get.
    pub fds: Vec<(OwnedFd, i32)>,
}

/// A child of the caller that runs inside a sandbox. The caller reaps it.
#[derive(Debug)]
pub struct Process {
    pid: Pid,
    pidfd: OwnedFd,
}

impl Process {
    /// Its id, as the caller sees it.
    #[must_use]
    pub fn pid(&self) -> Pid {
        self.pid
    }

    /// Readable once it has ended.
    #[must_use]
    pub fn pidfd(&self) -> BorrowedFd<'_> {
        self.pidfd.as_fd()
    }

    /// Reaps it if it has ended.
    pub fn try_wait(&self) -> Result<Option<ExitStatus>> {
        let options = WaitIdOptions::EXITED | WaitIdOptions::NOHANG;
        let status = waitid(WaitId::PidFd(self.pidfd.as_fd()), options).step("wait for a process")?;
        Ok(status.map(|status| match (status.exit_status(), status.terminating_signal()) {
            (Some(code), _) => ExitStatus::from_raw(code << 8),
            (None, signal) => ExitStatus::from_raw(signal.unwrap_or(9)),
        }))
    }

    /// Waits for its end and reaps it.
    pub fn wait(&self) -> Result<ExitStatus> {
        loop {
            readable(self.pidfd(), -1)?;
            if let Some(status) = self.try_wait()? {
                return Ok(status);
            }
        }
    }
}

/// A program whose start is under way.
#[derive(Debug)]
pub struct PendingProcess {
    talk: Conversation,
    started: Option<Process>,
    failed: Option<String>,
}

impl PendingProcess {
    pub(crate) fn new(talk: Conversation) -> Self {
        Self { talk, started: None, failed: None }
    }

    /// Readable whenever [`PendingProcess::progress`] is worth a call.
    #[must_use]
    pub fn as_fd(&self) -> BorrowedFd<'_> {
        self.talk.socket()
    }

    /// Takes notice of what has happened; never waits. The process is there once it has executed
    /// its program, confined.
    pub fn progress(mut self) -> Result<Progress> {
        loop {
            match self.talk.news()? {
                News::Nothing => return Ok(Progress::Pending(self)),
                News::Said(Reply::Started { pid }, mut fds) => {
                    let (Some(pid), Some(pidfd)) = (Pid::from_raw(pid), fds.pop()) else {
                        return Err(Error::Helper("the helper named no process".into()));
                    };
                    self.started = Some(Process { pid, pidfd });
                }
                // The process may say so before the helper has named it.
                News::Said(Reply::Failed(reason), _) => self.failed = Some(reason),
                News::Said(Reply::Begun | Reply::Ready | Reply::Furnished, _) => {}
                News::Over => return self.complete(),
            }
        }
    }

    /// Waits for it.
    pub fn wait(mut self) -> Result<Process> {
        loop {
            self.talk.wait()?;
            match self.progress()? {
                Progress::Started(process) => return Ok(process),
                Progress::Pending(pending) => self = pending,
            }
        }
    }

    fn complete(mut self) -> Result<Progress> {
        if let Some(reason) = self.failed.take() {
            return Err(self.give_up(reason));
        }
        match self.started.take() {
            Some(process) => {
                self.talk.finish()?;
                Ok(Progress::Started(process))
            }
            None => Err(Error::Helper("the helper died before it started the program".into())),
        }
    }

    /// A process that could not execute its program has ended: it must not stay as a zombie.
    fn give_up(self, reason: String) -> Error {
        if let Some(process) = &self.started {
            let _ = process.wait();
        }
        Error::Helper(reason)
    }
}

/// How far a start is.
#[derive(Debug)]
pub enum Progress {
    /// Not there yet.
    Pending(PendingProcess),
    /// It runs.
    Started(Process),
}
