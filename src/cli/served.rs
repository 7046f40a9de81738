//! Which server has a data directory: the lock that it holds, and the address that it writes there.

use std::fs::File;
use std::io;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::time::Duration;

use rustix::fs::{FlockOperation, flock};
use tokio::time::Instant;

use crate::environment::FileLock;
use crate::private;

/// The file that a server locks in its data directory, and writes its address to.
const LOCK: &str = "serve.lock";
/// For a server that was killed to be gone: its memory goes before its lock does, and a child of it between fork and exec
/// has the lock until the exec.
pub(super) const HELD_ON: Duration = Duration::from_secs(2);
/// Between tries to have the lock.
const PAUSE: Duration = Duration::from_millis(20);

/// The data directory is this server's, until the value is dropped or its process ends, however that does.
#[derive(Debug)]
pub(super) struct Served {
    path: PathBuf,
    _lock: FileLock,
}

/// Why a data directory cannot be had.
#[derive(Debug, thiserror::Error)]
pub(super) enum NotHad {
    /// Somebody else has it, and goes on having it.
    #[error("another previewd serves this data directory; end it, or name another --data-dir")]
    Another,
    /// It cannot be made.
    #[error("it cannot be made")]
    Make(#[source] io::Error),
    /// Its lock cannot be made or taken.
    #[error("it cannot be locked")]
    Lock(#[from] io::Error),
}

impl Served {
    /// Makes the data directory, if there is none, and has it for its own. One server per data directory: two would serve
    /// the same previews. Who is about to let go of it is waited for, as long as `patience` says.
    ///
    /// # Errors
    /// If another server has it, it cannot be made, or the file system has no such lock.
    pub async fn hold(data_dir: &Path, patience: Duration) -> Result<Self, NotHad> {
        private::make_dir(data_dir).map_err(NotHad::Make)?;
        let (path, asked) = (data_dir.join(LOCK), Instant::now());
        loop {
            if let Some(lock) = FileLock::try_acquire(&path)? {
                return Ok(Self { path, _lock: lock });
            }
            if asked.elapsed() >= patience {
                return Err(NotHad::Another);
            }
            tokio::time::sleep(PAUSE).await;
        }
    }

    /// For commands that talk to whoever holds the lock.
    ///
    /// # Errors
    /// If it cannot be written.
    pub fn at(&self, address: SocketAddr) -> io::Result<()> {
        std::fs::write(&self.path, format!("{address}\n"))
    }
}

/// The address of the last server of this data directory, if there was one. Whether it still serves is to be tried.
pub(super) fn address_of(data_dir: &Path) -> Option<SocketAddr> {
    std::fs::read_to_string(data_dir.join(LOCK)).ok()?.trim().parse().ok()
}

/// Whether a server has this data directory.
pub(super) fn is_served(data_dir: &Path) -> bool {
    let Ok(file) = File::open(data_dir.join(LOCK)) else { return false };
    flock(&file, FlockOperation::NonBlockingLockShared).is_err()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::test_support::TempDir;

    #[tokio::test]
    async fn who_is_about_to_let_go_is_waited_for() {
        let root = TempDir::new();
        let first = Served::hold(root.path(), Duration::ZERO).await.unwrap();
        assert!(is_served(root.path()));
        let second = tokio::spawn({
            let data_dir = root.path().to_owned();
            async move { Served::hold(&data_dir, HELD_ON).await.map(drop) }
        });
        // It has found the lock held.
        tokio::task::yield_now().await;
        drop(first);
        second.await.unwrap().unwrap();
        assert!(!is_served(root.path()));
    }

    #[tokio::test]
    async fn who_goes_on_having_it_is_not() {
        let root = TempDir::new();
        let _first = Served::hold(root.path(), Duration::ZERO).await.unwrap();
        let second = Served::hold(root.path(), PAUSE * 2).await;
        assert!(matches!(second, Err(NotHad::Another)));
    }

    #[tokio::test]
    async fn the_address_is_that_of_the_last_one() {
        let root = TempDir::new();
        assert_eq!(address_of(root.path()), None);
        for address in ["127.0.0.1:65535", "[::1]:80"] {
            let address = address.parse().unwrap();
            Served::hold(root.path(), Duration::ZERO).await.unwrap().at(address).unwrap();
            assert_eq!(address_of(root.path()), Some(address));
        }
    }
}
