//! Waiting for a descriptor.

use std::io;
use std::os::fd::OwnedFd;

use tokio::io::Interest;
use tokio::io::unix::AsyncFd;

/// Puts a descriptor under the runtime's watch.
pub fn watched(fd: OwnedFd) -> io::Result<AsyncFd<OwnedFd>> {
    watched_for(fd, Interest::READABLE | Interest::WRITABLE)
}

/// The same, for one way only.
pub fn watched_for(fd: OwnedFd, interest: Interest) -> io::Result<AsyncFd<OwnedFd>> {
    // SAFETY: an `OwnedFd` keeps the same open descriptor for as long as it lives, and the `AsyncFd` owns it.
    let watched = unsafe { AsyncFd::register_with_interest(fd, interest) };
    Ok(watched?)
}
