//! Locks on files, held against other tasks and other processes alike, and let go by a process that dies.

use std::fs::{File, OpenOptions};
use std::io;
use std::path::{Path, PathBuf};

use rustix::fs::{FlockOperation, flock};

/// Held until dropped.
#[derive(Debug)]
pub struct FileLock(#[expect(dead_code, reason = "closing it lets go of the lock")] File);

impl FileLock {
    /// Waits for it.
    pub(super) async fn acquire(path: PathBuf) -> io::Result<Self> {
        let locking = move || {
            let file = open(&path)?;
            flock(&file, FlockOperation::LockExclusive)?;
            Ok(Self(file))
        };
        tokio::task::spawn_blocking(locking).await.map_err(io::Error::other)?
    }

    /// Takes it if nobody has it.
    ///
    /// # Errors
    /// If the file cannot be made or locked.
    pub fn try_acquire(path: &Path) -> io::Result<Option<Self>> {
        let file = open(path)?;
        match flock(&file, FlockOperation::NonBlockingLockExclusive) {
            Ok(()) => Ok(Some(Self(file))),
            Err(rustix::io::Errno::WOULDBLOCK) => Ok(None),
            Err(error) => Err(error.into()),
        }
    }
}

fn open(path: &Path) -> io::Result<File> {
    OpenOptions::new().create(true).truncate(false).write(true).open(path)
}
