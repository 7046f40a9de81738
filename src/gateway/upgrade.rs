//! Connections that change their protocol: bytes both ways until one side ends.

use std::io;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll, ready};

use hyper::upgrade::OnUpgrade;
use hyper_util::rt::TokioIo;
use prometheus_client::metrics::counter::Counter;
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};

use super::limit::Meter;
use crate::metrics::Traffic;
use crate::preview::{Active, State};

/// Bytes that are moved at once.
const CHUNK: usize = 16 * 1024;

/// Joins both sides once both have switched. Ends with the first of them, with the preview, or with its time.
pub async fn join(client: OnUpgrade, code: OnUpgrade, preview: Arc<Active>, meter: Meter, traffic: &Traffic) {
    let (Ok(client), Ok(code)) = tokio::join!(client, code) else { return };
    let (mut client, mut code) = (TokioIo::new(client), TokioIo::new(code));
    let (mut up, mut down) = (Way::default(), Way::default());
    let both = std::future::poll_fn(|cx| {
        // That a connection is merely open is no use of the preview; that something passes is.
        let passed = |counter: &Counter, bytes: usize| {
            preview.touch();
            meter.touch();
            counter.inc_by(bytes as u64);
        };
        let up = up.poll(cx, &mut client, &mut code, |bytes| passed(&traffic.from_clients, bytes));
        let down = down.poll(cx, &mut code, &mut client, |bytes| passed(&traffic.to_clients, bytes));
        // A side that breaks off is an end like any other.
        match (up, down) {
            (Poll::Ready(Ok(())), Poll::Ready(Ok(())))
            | (Poll::Ready(Err(_)), _)
            | (_, Poll::Ready(Err(_))) => Poll::Ready(()),
            _ => Poll::Pending,
        }
    });
    tokio::select! {
        biased;
        () = both => {}
        _ = preview.wait_for(State::is_over) => {}
        _ = meter.over() => {}
    }
}

/// One direction. While nothing passes it holds no buffer: most of many open connections are idle.
#[derive(Default)]
struct Way {
    /// What was read and not yet written.
    rest: Vec<u8>,
    written: usize,
    flushed: bool,
    ended: bool,
    closed: bool,
}

impl Way {
    fn poll<R, W>(
        &mut self,
        cx: &mut Context<'_>,
        from: &mut R,
        to: &mut W,
        passed: impl Fn(usize),
    ) -> Poll<io::Result<()>>
    where
        R: AsyncRead + Unpin,
        W: AsyncWrite + Unpin,
    {
        loop {
            while self.written < self.rest.len() {
                let rest = &self.rest[self.written..];
                let count = ready!(Pin::new(&mut *to).poll_write(cx, rest))?;
                if count == 0 {
                    return Poll::Ready(Err(io::ErrorKind::WriteZero.into()));
                }
                self.written += count;
                self.flushed = false;
            }
            (self.rest, self.written) = (Vec::new(), 0);
            if self.closed {
                return Poll::Ready(Ok(()));
            }
            if self.ended {
                ready!(Pin::new(&mut *to).poll_shutdown(cx))?;
                self.closed = true;
                continue;
            }
            let mut space = [0; CHUNK];
            let mut buffer = ReadBuf::new(&mut space);
            match Pin::new(&mut *from).poll_read(cx, &mut buffer)? {
                Poll::Pending if self.flushed => return Poll::Pending,
                Poll::Pending => {
                    ready!(Pin::new(&mut *to).poll_flush(cx))?;
                    self.flushed = true;
                    return Poll::Pending;
                }
                Poll::Ready(()) if buffer.filled().is_empty() => self.ended = true,
                Poll::Ready(()) => {
                    passed(buffer.filled().len());
                    self.rest = buffer.filled().to_vec();
                }
            }
        }
    }
}
