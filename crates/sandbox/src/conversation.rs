//! Talking with a helper process, with or without waiting for it.

use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::process::Child;

use rustix::event::{PollFd, PollFlags, poll};

use crate::error::{Context as _, Result};
use crate::wire::{self, Reply};

/// A helper at work. It is reaped when this is dropped.
#[derive(Debug)]
pub(crate) struct Conversation {
    helper: Child,
    socket: OwnedFd,
}

/// What came from a helper.
pub(crate) enum News {
    /// Nothing yet.
    Nothing,
    /// A message with its descriptors.
    Said(Reply, Vec<OwnedFd>),
    /// It has closed its side.
    Over,
}

impl Conversation {
    pub(crate) fn new(helper: Child, socket: OwnedFd) -> Self {
        Self { helper, socket }
    }

    pub(crate) fn socket(&self) -> BorrowedFd<'_> {
        self.socket.as_fd()
    }

    pub(crate) fn helper_pid(&self) -> Option<rustix::process::Pid> {
        i32::try_from(self.helper.id()).ok().and_then(rustix::process::Pid::from_raw)
    }

    /// The next message, if there is one already.
    pub(crate) fn news(&self) -> Result<News> {
        if !readable(self.socket(), 0)? {
            return Ok(News::Nothing);
        }
        Ok(match wire::receive(self.socket())? {
            Some((reply, fds)) => News::Said(reply, fds),
            None => News::Over,
        })
    }

    /// Waits until [`Conversation::news`] has something to tell.
    pub(crate) fn wait(&self) -> Result<()> {
        readable(self.socket(), -1).map(|_| ())
    }

    /// The helper has done all it was asked to.
    pub(crate) fn finish(self) -> Result<OwnedFd> {
        self.socket.try_clone().step("keep a socket")
    }
}

impl Drop for Conversation {
    fn drop(&mut self) {
        // One that has said its last word is leaving anyway, unless somebody stopped it; nobody waits for that.
        let _ = self.helper.kill();
        let _ = self.helper.wait();
    }
}

/// Polls for reading; `timeout` in milliseconds, -1 for ever.
pub(crate) fn readable(fd: BorrowedFd<'_>, timeout: i64) -> Result<bool> {
    let deadline = rustix::event::Timespec { tv_sec: timeout / 1000, tv_nsec: timeout % 1000 * 1_000_000 };
    let limit = (timeout >= 0).then_some(&deadline);
    loop {
        match poll(&mut [PollFd::from_borrowed_fd(fd, PollFlags::IN)], limit) {
            Err(rustix::io::Errno::INTR) => {}
            other => return other.map(|ready| ready > 0).step("poll"),
        }
    }
}
