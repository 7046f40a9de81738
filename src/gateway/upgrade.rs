//! Connections that change their protocol: bytes both ways until one side ends.

use std::io;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};

use hyper::upgrade::OnUpgrade;
use hyper_util::rt::TokioIo;
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};

use crate::preview::Active;

/// Joins both sides once both have switched. Ends with the first of them, or with the preview.
pub async fn join(client: OnUpgrade, code: OnUpgrade, preview: Arc<Active>) {
    let (Ok(client), Ok(code)) = tokio::join!(client, code) else { return };
    let mut client = Noticed { inner: TokioIo::new(client), preview: Arc::clone(&preview) };
    let mut code = Noticed { inner: TokioIo::new(code), preview: Arc::clone(&preview) };
    tokio::select! {
        // A side that breaks off is an end like any other.
        _ = tokio::io::copy_bidirectional(&mut client, &mut code) => {}
        _ = preview.wait_for(crate::preview::State::is_over) => {}
    }
}

/// A stream whose data counts as use of the preview; that it is merely open does not.
struct Noticed<T> {
    inner: T,
    preview: Arc<Active>,
}

impl<T: AsyncRead + Unpin> AsyncRead for Noticed<T> {
    fn poll_read(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buf: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        let before = buf.filled().len();
        let result = Pin::new(&mut self.inner).poll_read(cx, buf);
        if buf.filled().len() > before {
            self.preview.touch();
        }
        result
    }
}

impl<T: AsyncWrite + Unpin> AsyncWrite for Noticed<T> {
    fn poll_write(mut self: Pin<&mut Self>, cx: &mut Context<'_>, buf: &[u8]) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.inner).poll_write(cx, buf)
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.inner).poll_flush(cx)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.inner).poll_shutdown(cx)
    }
}
