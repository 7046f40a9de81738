//! What a zygote forks, and the forks that are under way.

use std::cell::{Cell, RefCell};
use std::collections::BTreeMap;
use std::io;
use std::os::fd::{AsFd, OwnedFd};
use std::rc::Rc;
use std::time::{Duration, Instant};

use rustix::process::Pid;
use serde::Deserialize;
use tokio::sync::oneshot;

use super::imports::Names;
use super::packets::{Packets, send_once};

/// What a forked preview is handed.
#[derive(Debug)]
pub struct Handover {
    /// The runner's instructions, to be read from the start.
    pub spec: OwnedFd,
    /// The listening socket.
    pub listener: OwnedFd,
    /// Where structured records go.
    pub records: OwnedFd,
    /// Standard output.
    pub stdout: OwnedFd,
    /// Standard error.
    pub stderr: OwnedFd,
}

/// A process that was forked into its sandbox and cgroup: a child of the keeper. It makes itself ready and waits for
/// [`Forked::go`], and ends if that does not come.
#[derive(Debug)]
pub struct Forked {
    /// Its id, as the keeper sees it.
    pub pid: Pid,
    /// Its pidfd.
    pub pidfd: OwnedFd,
    gate: OwnedFd,
}

impl Forked {
    pub(super) fn new(child: Child, gate: OwnedFd) -> Self {
        Self { pid: child.pid, pidfd: child.pidfd, gate }
    }

    /// Lets it become a preview.
    ///
    /// # Errors
    /// If it has ended.
    pub fn go(&self, handover: &Handover) -> io::Result<()> {
        let Handover { spec, listener, records, stdout, stderr } = handover;
        send_once(&self.gate, b"!", &[spec, listener, records, stdout, stderr].map(AsFd::as_fd))
    }

    /// Whether it [`lives`](sandbox::lives).
    #[must_use]
    pub fn is_alive(&self) -> bool {
        sandbox::lives(self.pidfd.as_fd())
    }
}

/// Forks that are under way, by number; none is taken on once the zygote is gone.
#[derive(Debug, Default)]
pub(super) struct Waiting {
    forks: RefCell<BTreeMap<u64, oneshot::Sender<Result<Child, String>>>>,
    gone: Cell<bool>,
    /// When the zygote last said something.
    heard: Cell<Option<Instant>>,
}

/// A process that a zygote made.
#[derive(Debug)]
pub(super) struct Child {
    pub(super) pid: Pid,
    pub(super) pidfd: OwnedFd,
}

/// What a zygote says.
#[derive(Deserialize)]
#[serde(tag = "say", rename_all = "snake_case")]
pub(super) enum Reply {
    Ready {
        single: bool,
        #[serde(flatten)]
        names: Names,
    },
    Started {
        id: u64,
        pid: i32,
    },
    Failed {
        id: u64,
        message: String,
    },
}

impl Waiting {
    pub(super) fn add(&self, id: u64, sender: oneshot::Sender<Result<Child, String>>) -> io::Result<()> {
        if self.gone.get() {
            return Err(io::Error::other("the zygote died"));
        }
        self.forks.borrow_mut().insert(id, sender);
        Ok(())
    }

    pub(super) async fn read(self: Rc<Self>, control: Rc<Packets>) {
        while let Ok(Some((bytes, fds))) = control.receive().await {
            self.heard.set(Some(Instant::now()));
            match serde_json::from_slice(&bytes) {
                Ok(Reply::Started { id, pid }) => self.answer(id, started(pid, fds)),
                Ok(Reply::Failed { id, message }) => self.answer(id, Err(message)),
                Ok(Reply::Ready { .. }) => {}
                Err(e) => {
                    tracing::warn!(error = %e, "a zygote said what cannot be understood");
                    break;
                }
            }
        }
        self.close();
    }

    /// Whether the zygote has said something less long ago.
    pub(super) fn has_heard_within(&self, patience: Duration) -> bool {
        self.heard.get().is_some_and(|heard| heard.elapsed() < patience)
    }

    fn answer(&self, id: u64, result: Result<Child, String>) {
        if let Some(sender) = self.forks.borrow_mut().remove(&id) {
            // Whoever waited may have given up; then the child reads an end at its gate and exits.
            let _given_up = sender.send(result);
        }
    }

    pub(super) fn is_closed(&self) -> bool {
        self.gone.get()
    }

    pub(super) fn close(&self) {
        self.gone.set(true);
        self.forks.borrow_mut().clear();
    }
}

fn started(pid: i32, mut fds: Vec<OwnedFd>) -> Result<Child, String> {
    match (Pid::from_raw(pid), fds.pop()) {
        (Some(pid), Some(pidfd)) => Ok(Child { pid, pidfd }),
        _ => Err("it named no process".to_owned()),
    }
}
