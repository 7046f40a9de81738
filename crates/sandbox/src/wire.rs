//! Messages between a caller and its helper process: small JSON over a `SOCK_SEQPACKET` pair,
//! with file descriptors beside it. What may be large travels in a memfd.

use std::io::{self, IoSlice, IoSliceMut, Read as _, Seek as _, Write as _};
use std::mem::MaybeUninit;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};

use rustix::fs::MemfdFlags;
use rustix::net::{
    AddressFamily, RecvAncillaryBuffer, RecvAncillaryMessage, RecvFlags, ReturnFlags, SendAncillaryBuffer,
    SendAncillaryMessage, SendFlags, SocketFlags, SocketType, recvmsg, sendmsg, socketpair,
};
use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};

use crate::error::{Context as _, Error, Result};

/// Most descriptors of one message.
const MAX_FDS: usize = 16;
/// Most bytes of one message.
const MAX_BYTES: usize = 4096;

/// What a helper says to its caller.
#[derive(Debug, Serialize, Deserialize)]
pub(crate) enum Reply {
    /// The init is being made; descriptor: its pidfd.
    Begun,
    /// The init is ready; descriptors: its pidfd, the work directory, the landlock ruleset where there is one.
    Ready,
    /// The files are there.
    Furnished,
    /// A program was started; descriptor: its pidfd.
    Started {
        /// Its id, as the caller sees it.
        pid: i32,
    },
    /// A step failed.
    Failed(String),
}

/// A connected pair, closed on exec.
pub(crate) fn pair() -> Result<(OwnedFd, OwnedFd)> {
    socketpair(AddressFamily::UNIX, SocketType::SEQPACKET, SocketFlags::CLOEXEC, None)
        .step("create a socket pair")
}

/// Sends one message.
pub(crate) fn send(socket: BorrowedFd<'_>, reply: &Reply, fds: &[BorrowedFd<'_>]) -> Result<()> {
    let mut body = serde_json::to_vec(reply).map_err(io::Error::from).step("encode a message")?;
    body.truncate(MAX_BYTES);
    send_bytes(socket, &body, fds)
}

/// Receives one message; `None` once the other side has closed.
pub(crate) fn receive(socket: BorrowedFd<'_>) -> Result<Option<(Reply, Vec<OwnedFd>)>> {
    let (body, fds) = receive_bytes(socket)?;
    if body.is_empty() {
        return Ok(None);
    }
    let reply = serde_json::from_slice(&body).map_err(io::Error::from).step("decode a message")?;
    Ok(Some((reply, fds)))
}

/// Sends an order of any size, in a memfd, with further descriptors.
pub(crate) fn send_order(
    socket: BorrowedFd<'_>,
    order: &impl Serialize,
    fds: &[BorrowedFd<'_>],
) -> Result<()> {
    let memfd = rustix::fs::memfd_create("order", MemfdFlags::CLOEXEC).step("create a memfd")?;
    let mut file = std::fs::File::from(memfd);
    let body = serde_json::to_vec(order).map_err(io::Error::from).step("encode an order")?;
    file.write_all(&body).step("write an order")?;
    file.rewind().step("rewind an order")?;
    let mut all = vec![file.as_fd()];
    all.extend_from_slice(fds);
    send_bytes(socket, b"order", &all)
}

/// Receives what [`send_order`] sent.
pub(crate) fn receive_order<T: DeserializeOwned>(socket: BorrowedFd<'_>) -> Result<(T, Vec<OwnedFd>)> {
    let (_, mut fds) = receive_bytes(socket)?;
    if fds.is_empty() {
        return Err(Error::Helper("the caller went away before it gave an order".into()));
    }
    let mut body = Vec::new();
    std::fs::File::from(fds.remove(0)).read_to_end(&mut body).step("read an order")?;
    let order = serde_json::from_slice(&body).map_err(io::Error::from).step("decode an order")?;
    Ok((order, fds))
}

fn send_bytes(socket: BorrowedFd<'_>, body: &[u8], fds: &[BorrowedFd<'_>]) -> Result<()> {
    let mut space = [MaybeUninit::uninit(); rustix::cmsg_space!(ScmRights(MAX_FDS))];
    let mut control = SendAncillaryBuffer::new(&mut space);
    if !fds.is_empty() && !control.push(SendAncillaryMessage::ScmRights(fds)) {
        return Err(Error::Helper(format!("more than {MAX_FDS} descriptors in one message")));
    }
    sendmsg(socket, &[IoSlice::new(body)], &mut control, SendFlags::NOSIGNAL).step("send a message")?;
    Ok(())
}

fn receive_bytes(socket: BorrowedFd<'_>) -> Result<(Vec<u8>, Vec<OwnedFd>)> {
    let mut body = vec![0; MAX_BYTES];
    let mut space = [MaybeUninit::uninit(); rustix::cmsg_space!(ScmRights(MAX_FDS))];
    let mut control = RecvAncillaryBuffer::new(&mut space);
    let received = loop {
        let slices = &mut [IoSliceMut::new(&mut body)];
        match recvmsg(socket, slices, &mut control, RecvFlags::CMSG_CLOEXEC) {
            Err(rustix::io::Errno::INTR) => {}
            Err(rustix::io::Errno::CONNRESET) => return Ok((Vec::new(), Vec::new())),
            other => break other.step("receive a message")?,
        }
    };
    let mut fds = Vec::new();
    for message in control.drain() {
        if let RecvAncillaryMessage::ScmRights(rights) = message {
            fds.extend(rights);
        }
    }
    if received.flags.contains(ReturnFlags::TRUNC) || received.flags.contains(ReturnFlags::CTRUNC) {
        return Err(Error::Helper("a message was cut off".into()));
    }
    body.truncate(received.bytes);
    Ok((body, fds))
}
