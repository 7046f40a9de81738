//! What whoever supervises the server wants to hear of it, as systemd does of a unit with `Type=notify`.

use std::ffi::OsStr;
use std::io;
use std::os::linux::net::SocketAddrExt as _;
use std::os::unix::ffi::OsStrExt as _;
use std::os::unix::net::{SocketAddr, UnixDatagram};

/// Names the socket to be told at, if anybody is.
const SOCKET: &str = "NOTIFY_SOCKET";

/// What is told.
#[derive(Clone, Copy, Debug)]
pub(super) enum State {
    /// It serves.
    Ready,
    /// It is about to end.
    Stopping,
}

/// Tells whoever wants to hear it.
pub(super) fn tell(state: State) {
    let Some(socket) = std::env::var_os(SOCKET) else { return };
    if let Err(error) = send(&socket, state) {
        tracing::warn!(%error, "the supervisor could not be told");
    }
}

fn send(socket: &OsStr, state: State) -> io::Result<()> {
    let address = match socket.as_bytes().strip_prefix(b"@") {
        Some(name) => SocketAddr::from_abstract_name(name)?,
        None => SocketAddr::from_pathname(socket)?,
    };
    let word = match state {
        State::Ready => "READY=1",
        State::Stopping => "STOPPING=1",
    };
    UnixDatagram::unbound()?.send_to_addr(word.as_bytes(), &address).map(drop)
}
