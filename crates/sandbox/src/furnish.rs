//! Files for a sandbox that was made before they were known: a helper copies them, in the sandbox's cgroup, so that what
//! they take counts there.

use std::os::fd::{AsFd as _, BorrowedFd, OwnedFd};
use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};

use crate::conversation::{Conversation, News};
use crate::copy::{self, Owner};
use crate::error::{Error, Result};
use crate::wire::{self, Reply};

/// What a furnishing helper is told; the target's descriptor comes along.
#[derive(Serialize, Deserialize)]
pub(crate) struct Order {
    pub(crate) files: PathBuf,
    pub(crate) owner: u32,
}

/// Runs in the helper.
pub(crate) fn run(caller: &OwnedFd) -> Result<()> {
    let (order, fds): (Order, _) = wire::receive_order(caller.as_fd())?;
    let target = fds.first().ok_or_else(|| Error::Helper("there is nothing to furnish".into()))?;
    copy::copy_tree(&order.files, target.as_fd(), Owner(order.owner))?;
    wire::send(caller.as_fd(), &Reply::Furnished, &[])
}

/// A helper that waits to copy files into a sandbox.
#[derive(Debug)]
pub struct Furnisher {
    talk: Conversation,
    target: OwnedFd,
    owner: u32,
}

impl Furnisher {
    pub(crate) fn new(talk: Conversation, target: OwnedFd, owner: u32) -> Self {
        Self { talk, target, owner }
    }

    /// Copies the files below a directory of the host to the work directory, as [`crate::Policy::files`] would have
    /// been. Before anything runs inside.
    pub fn furnish(self, files: &Path) -> Result<Furnishing> {
        let order = Order { files: files.to_owned(), owner: self.owner };
        wire::send_order(self.talk.socket(), &order, &[self.target.as_fd()])?;
        Ok(Furnishing { talk: self.talk })
    }
}

/// A copying that is under way.
#[derive(Debug)]
pub struct Furnishing {
    talk: Conversation,
}

impl Furnishing {
    /// Readable whenever [`Furnishing::progress`] is worth a call.
    #[must_use]
    pub fn as_fd(&self) -> BorrowedFd<'_> {
        self.talk.socket()
    }

    /// Takes notice of what has happened; never waits. `None` once the files are there.
    pub fn progress(self) -> Result<Option<Self>> {
        match self.talk.news()? {
            News::Nothing => Ok(Some(self)),
            News::Said(Reply::Furnished, _) => self.talk.finish().map(|_| None),
            News::Said(Reply::Failed(reason), _) => Err(Error::Helper(reason)),
            News::Said(..) | News::Over => Err(Error::Helper("the helper died while it copied files".into())),
        }
    }

    /// Waits for it.
    pub fn wait(mut self) -> Result<()> {
        loop {
            self.talk.wait()?;
            match self.progress()? {
                None => return Ok(()),
                Some(later) => self = later,
            }
        }
    }
}
