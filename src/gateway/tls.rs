//! TLS, where a certificate is configured.

use std::io;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use tokio::io::AsyncWriteExt;
use tokio::net::TcpStream;
use tokio::time::timeout;
use tokio_rustls::TlsAcceptor;
use tokio_rustls::rustls::pki_types::pem::{self, PemObject};
use tokio_rustls::rustls::pki_types::{CertificateDer, PrivateKeyDer};
use tokio_rustls::rustls::{self, ServerConfig, crypto};
use tokio_rustls::server::TlsStream;
use tokio_util::either::Either;

use crate::config::Config;

/// How every handshake begins, and no request in the clear.
const HANDSHAKE: u8 = 0x16;
/// For those who speak HTTP to an address that is not to be spoken to in the clear.
const REFUSAL: &[u8] = b"HTTP/1.1 400 Bad Request\r\nContent-Type: text/plain\r\nContent-Length: 46\r\n\
    Connection: close\r\n\r\nThis address speaks TLS: call it with https.\r\n";

/// A client's connection, with or without TLS.
pub type Transport = Either<TcpStream, Box<TlsStream<TcpStream>>>;

/// What the addresses of a server speak. Clones share it.
#[derive(Clone)]
pub struct Tls(Option<TlsAcceptor>);

/// Why a certificate cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum TlsError {
    /// A file is no PEM, or is not there.
    #[error(transparent)]
    File(#[from] pem::Error),
    /// They do not belong together, or the key is of a kind that is not known.
    #[error(transparent)]
    Pair(#[from] rustls::Error),
}

impl Tls {
    /// With the configured certificate. A later one is read by the next start.
    ///
    /// # Errors
    /// If certificate and key cannot be read or do not belong together.
    pub fn open(config: &Config) -> Result<Self, TlsError> {
        let (Some(certificate), Some(key)) = (&config.tls_certificate, &config.tls_key) else {
            return Ok(Self(None));
        };
        let chain = CertificateDer::pem_file_iter(certificate)?.collect::<Result<Vec<_>, _>>()?;
        let key = PrivateKeyDer::from_pem_file(key)?;
        let provider = Arc::new(crypto::ring::default_provider());
        let versions = ServerConfig::builder_with_provider(provider).with_safe_default_protocol_versions()?;
        let mut server = versions.with_no_client_auth().with_single_cert(chain, key)?;
        server.alpn_protocols = vec![b"h2".to_vec(), b"http/1.1".to_vec()];
        Ok(Self(Some(TlsAcceptor::from(Arc::new(server)))))
    }

    /// Takes a connection. With a certificate the clear is for this machine alone: its proxies, previewd's own commands.
    ///
    /// # Errors
    /// If the client breaks off, takes longer than `patience`, or speaks something else.
    pub async fn take(
        &self,
        mut stream: TcpStream,
        peer: SocketAddr,
        patience: Duration,
    ) -> io::Result<Transport> {
        let Some(acceptor) = &self.0 else { return Ok(Either::Left(stream)) };
        let taken = async {
            let mut first = [0];
            let encrypted = stream.peek(&mut first).await? == 1 && first[0] == HANDSHAKE;
            if encrypted {
                return Ok(Either::Right(Box::new(acceptor.accept(stream).await?)));
            }
            if peer.ip().is_loopback() || stream.local_addr()?.ip() == peer.ip() {
                return Ok(Either::Left(stream));
            }
            stream.write_all(REFUSAL).await?;
            Err(io::ErrorKind::ConnectionRefused.into())
        };
        timeout(patience, taken).await?
    }
}
