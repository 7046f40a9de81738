//! Connections that wait to be accepted.

use std::io;
use std::os::fd::AsFd;

/// How many wait for each address, or `net.core.somaxconn` where that is less. Linux makes it 4096 unless it is told otherwise.
const WAITING: i32 = 4096;

/// Has a socket that listens keep so many. The libraries ask for 128: of more that come at once the kernel lets the others knock again,
/// half a second to some seconds later.
///
/// # Errors
/// If it does not listen.
pub fn widen<L: AsFd>(listener: L) -> io::Result<L> {
    rustix::net::listen(&listener, WAITING)?;
    Ok(listener)
}
