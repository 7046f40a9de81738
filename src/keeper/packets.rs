//! Packets with file descriptors beside them, over `SOCK_SEQPACKET`.

use std::io::{self, IoSlice, IoSliceMut};
use std::mem::MaybeUninit;
use std::os::fd::{AsRawFd, BorrowedFd, OwnedFd};
use std::path::Path;
use std::sync::{Mutex, PoisonError};

use rustix::fs::{Mode, OFlags};
use rustix::net::{
    AddressFamily, RecvAncillaryBuffer, RecvAncillaryMessage, RecvFlags, ReturnFlags, SendAncillaryBuffer,
    SendAncillaryMessage, SendFlags, SocketAddrUnix, SocketFlags, SocketType,
};
use tokio::io::unix::AsyncFd;

use super::protocol::MAX_PACKET;
use super::readiness::watched;

/// Descriptors beside one packet, at the most: those of a fork.
const MAX_FDS: usize = 8;

/// One end of a connection.
#[derive(Debug)]
pub struct Packets {
    fd: AsyncFd<OwnedFd>,
    /// Room for one packet. To make it for each costs more than a packet.
    room: Mutex<Vec<u8>>,
}

impl Packets {
    /// Takes over a connected, non-blocking socket.
    pub fn new(fd: OwnedFd) -> io::Result<Self> {
        Ok(Self { fd: watched(fd)?, room: Mutex::new(vec![0; MAX_PACKET]) })
    }

    /// Sends one packet, waiting while the peer's queue is full.
    pub async fn send(&self, bytes: &[u8], fds: &[BorrowedFd<'_>]) -> io::Result<()> {
        if bytes.len() > MAX_PACKET {
            return Err(io::Error::new(io::ErrorKind::InvalidInput, "packet over the limit"));
        }
        loop {
            let mut guard = self.fd.writable().await?;
            match guard.try_io(|inner| send_once(inner.get_ref(), bytes, fds)) {
                Ok(result) => return result,
                Err(_would_block) => {}
            }
        }
    }

    /// The next packet with its descriptors; `None` when the peer is gone.
    pub async fn receive(&self) -> io::Result<Option<(Vec<u8>, Vec<OwnedFd>)>> {
        loop {
            let mut guard = self.fd.readable().await?;
            let received = guard.try_io(|inner| {
                let mut room = self.room.lock().unwrap_or_else(PoisonError::into_inner);
                receive_once(inner.get_ref(), &mut room)
            });
            match received {
                Ok(Err(e)) if e.kind() == io::ErrorKind::ConnectionReset => return Ok(None),
                Ok(result) => return result,
                Err(_would_block) => {}
            }
        }
    }
}

/// Sends one packet, which must not have to wait.
pub(super) fn send_once(fd: &OwnedFd, bytes: &[u8], fds: &[BorrowedFd<'_>]) -> io::Result<()> {
    let mut space = [MaybeUninit::uninit(); rustix::cmsg_space!(ScmRights(MAX_FDS))];
    let mut ancillary = SendAncillaryBuffer::new(&mut space);
    if !fds.is_empty() && !ancillary.push(SendAncillaryMessage::ScmRights(fds)) {
        return Err(io::Error::new(io::ErrorKind::InvalidInput, "too many descriptors"));
    }
    rustix::net::sendmsg(fd, &[IoSlice::new(bytes)], &mut ancillary, SendFlags::NOSIGNAL)?;
    Ok(())
}

fn receive_once(fd: &OwnedFd, room: &mut [u8]) -> io::Result<Option<(Vec<u8>, Vec<OwnedFd>)>> {
    let mut space = [MaybeUninit::uninit(); rustix::cmsg_space!(ScmRights(MAX_FDS))];
    let mut ancillary = RecvAncillaryBuffer::new(&mut space);
    let received =
        rustix::net::recvmsg(fd, &mut [IoSliceMut::new(room)], &mut ancillary, RecvFlags::CMSG_CLOEXEC)?;
    let mut fds = Vec::new();
    for message in ancillary.drain() {
        if let RecvAncillaryMessage::ScmRights(rights) = message {
            fds.extend(rights);
        }
    }
    if received.bytes == 0 {
        return Ok(None);
    }
    // Descriptors that there is no room for are missed by whoever wanted them, not by everybody who is connected.
    if received.flags.intersects(ReturnFlags::TRUNC) {
        return Err(io::Error::new(io::ErrorKind::InvalidData, "packet was cut"));
    }
    Ok(Some((room[..received.bytes].to_vec(), fds)))
}

fn socket() -> io::Result<OwnedFd> {
    let flags = SocketFlags::CLOEXEC | SocketFlags::NONBLOCK;
    Ok(rustix::net::socket_with(AddressFamily::UNIX, SocketType::SEQPACKET, flags, None)?)
}

/// Connects to the socket `name` in `dir`.
pub fn connect_in(dir: &Path, name: &str) -> io::Result<OwnedFd> {
    let fd = socket()?;
    with_short_path(dir, name, |address| rustix::net::connect(&fd, address))?;
    Ok(fd)
}

/// Binds and listens on the socket `name` in `dir`, replacing a dead one.
pub fn listen_in(dir: &Path, name: &str) -> io::Result<OwnedFd> {
    let fd = socket()?;
    match std::fs::remove_file(dir.join(name)) {
        Err(e) if e.kind() != io::ErrorKind::NotFound => return Err(e),
        _ => {}
    }
    with_short_path(dir, name, |address| rustix::net::bind(&fd, address))?;
    rustix::fs::chmod(dir.join(name), Mode::RUSR | Mode::WUSR)?;
    rustix::net::listen(&fd, 16)?;
    Ok(fd)
}

/// A socket's address holds 107 bytes, a data directory's path may be longer: goes through the directory's descriptor.
pub fn with_short_path<T>(
    dir: &Path,
    name: &str,
    action: impl FnOnce(&SocketAddrUnix) -> rustix::io::Result<T>,
) -> io::Result<T> {
    let flags = OFlags::PATH | OFlags::DIRECTORY | OFlags::CLOEXEC;
    let dir = rustix::fs::open(dir, flags, Mode::empty())?;
    let path = format!("/proc/self/fd/{}/{name}", dir.as_raw_fd());
    Ok(action(&SocketAddrUnix::new(path)?)?)
}

#[cfg(test)]
mod tests {
    use std::io::{Read, Write};
    use std::os::fd::AsFd;

    use super::*;

    fn pair() -> (Packets, Packets) {
        let flags = SocketFlags::CLOEXEC | SocketFlags::NONBLOCK;
        let (a, b) =
            rustix::net::socketpair(AddressFamily::UNIX, SocketType::SEQPACKET, flags, None).unwrap();
        (Packets::new(a).unwrap(), Packets::new(b).unwrap())
    }

    #[tokio::test]
    async fn a_packet_carries_bytes_and_a_descriptor() {
        let (a, b) = pair();
        let (mut reader, writer) = std::io::pipe().unwrap();
        a.send(b"hello", &[writer.as_fd()]).await.unwrap();
        drop(writer);
        let (bytes, mut fds) = b.receive().await.unwrap().unwrap();
        assert_eq!(bytes, b"hello");
        let mut file = std::fs::File::from(fds.pop().unwrap());
        file.write_all(b"through").unwrap();
        drop(file);
        let mut text = String::new();
        reader.read_to_string(&mut text).unwrap();
        assert_eq!(text, "through");
    }

    #[tokio::test]
    async fn the_largest_packet_arrives_whole_and_a_larger_one_is_refused() {
        let (a, b) = pair();
        let large = vec![7_u8; MAX_PACKET];
        a.send(&large, &[]).await.unwrap();
        assert_eq!(b.receive().await.unwrap().unwrap().0.len(), MAX_PACKET);
        assert!(a.send(&vec![7_u8; MAX_PACKET + 1], &[]).await.is_err());
    }

    #[tokio::test]
    async fn the_end_of_the_peer_is_no_error() {
        let (a, b) = pair();
        drop(a);
        assert!(b.receive().await.unwrap().is_none());
    }
}
