//! A connection to the code of a preview.

use std::io::{self, IoSlice};
use std::os::fd::OwnedFd;
use std::path::Path;
use std::pin::Pin;
use std::task::{Context, Poll, ready};

use rustix::io::Errno;
use rustix::net::{AddressFamily, Shutdown, SocketAddrUnix, SocketFlags, SocketType};
use tokio::io::unix::AsyncFd;
use tokio::io::{AsyncRead, AsyncWrite, Interest, ReadBuf};

use crate::keeper::watched_for;

/// A unix socket that is woken by what arrives. tokio's own waits for room as well, for as long as it is open, and there is more of
/// that each time the other end has read something: with each request it would be woken once for nothing.
#[derive(Debug)]
pub struct CodeStream {
    socket: AsyncFd<OwnedFd>,
    /// Waits for room, from when there was none until something arrives.
    room: Option<AsyncFd<OwnedFd>>,
}

impl CodeStream {
    /// Connects at once or not at all.
    pub fn connect(path: &Path) -> io::Result<Self> {
        let flags = SocketFlags::NONBLOCK | SocketFlags::CLOEXEC;
        let socket = rustix::net::socket_with(AddressFamily::UNIX, SocketType::STREAM, flags, None)?;
        rustix::net::connect(&socket, &SocketAddrUnix::new(path)?)?;
        Ok(Self { socket: watched_for(socket, Interest::READABLE)?, room: None })
    }

    fn poll_writing(
        &mut self,
        cx: &mut Context<'_>,
        write: impl Fn(&OwnedFd) -> rustix::io::Result<usize>,
    ) -> Poll<io::Result<usize>> {
        loop {
            match write(self.socket.get_ref()) {
                Err(Errno::AGAIN) => {}
                Err(Errno::INTR) => continue,
                written => return Poll::Ready(Ok(written?)),
            }
            let room = match &mut self.room {
                Some(room) => room,
                None => {
                    let same = self.socket.get_ref().try_clone()?;
                    self.room.insert(watched_for(same, Interest::WRITABLE)?)
                }
            };
            ready!(room.poll_write_ready(cx))?.clear_ready();
        }
    }
}

impl AsyncRead for CodeStream {
    fn poll_read(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        space: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        loop {
            let mut ready = ready!(self.socket.poll_read_ready(cx))?;
            // SAFETY: what is written there stays initialised.
            let unfilled = unsafe { space.unfilled_mut() };
            let size = unfilled.len();
            let count = match rustix::io::read(ready.get_ref(), unfilled) {
                Ok((filled, _)) => filled.len(),
                Err(Errno::AGAIN) => {
                    ready.clear_ready();
                    continue;
                }
                Err(Errno::INTR) => continue,
                Err(e) => return Poll::Ready(Err(e.into())),
            };
            // Less than there was space for: there is no more until it is told.
            if count > 0 && count < size {
                ready.clear_ready();
            }
            drop(ready);
            // SAFETY: so many bytes were read into it.
            unsafe { space.assume_init(count) };
            space.advance(count);
            self.room = None;
            return Poll::Ready(Ok(()));
        }
    }
}

impl AsyncWrite for CodeStream {
    fn poll_write(mut self: Pin<&mut Self>, cx: &mut Context<'_>, data: &[u8]) -> Poll<io::Result<usize>> {
        self.poll_writing(cx, |socket| rustix::io::write(socket, data))
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        data: &[IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        self.poll_writing(cx, |socket| rustix::io::writev(socket, data))
    }

    fn is_write_vectored(&self) -> bool {
        true
    }

    fn poll_flush(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<io::Result<()>> {
        Poll::Ready(Ok(()))
    }

    fn poll_shutdown(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<io::Result<()>> {
        Poll::Ready(Ok(rustix::net::shutdown(self.socket.get_ref(), Shutdown::Write)?))
    }
}
