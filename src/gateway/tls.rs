//! TLS, where a certificate is configured.

use std::io;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use tokio::io::AsyncWriteExt;
use tokio::net::TcpStream;
use tokio::time::timeout;
use tokio_rustls::rustls::pki_types::pem::{self, PemObject};
use tokio_rustls::rustls::pki_types::{CertificateDer, PrivateKeyDer};
use tokio_rustls::rustls::{self, ServerConfig, crypto};
use tokio_rustls::server::TlsStream;
use tokio_rustls::{TlsAcceptor, TlsConnector, client};
use tokio_util::either::Either;

use super::peer;
use crate::config::Config;

/// How every handshake begins, and no request in the clear.
const HANDSHAKE: u8 = 0x16;
/// For those who speak HTTP to an address that is not to be spoken to in the clear.
const REFUSAL: &[u8] = b"HTTP/1.1 400 Bad Request\r\nContent-Type: text/plain\r\nContent-Length: 46\r\n\
    Connection: close\r\n\r\nThis address speaks TLS: call it with https.\r\n";

/// A client's connection, with or without TLS.
pub type Transport = Either<TcpStream, Box<TlsStream<TcpStream>>>;

/// A connection to another server, with or without TLS.
pub type Reached = Either<TcpStream, Box<client::TlsStream<TcpStream>>>;

/// What the addresses of a server speak. Clones share it.
#[derive(Clone)]
pub struct Tls(Option<Ends>);

/// With a certificate: how clients are taken, and how others that have it are reached.
#[derive(Clone)]
struct Ends {
    acceptor: TlsAcceptor,
    connector: TlsConnector,
}

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
        let own = chain.first().cloned().ok_or(pem::Error::NoItemsFound)?;
        let connector = peer::connector(own, Arc::clone(&provider))?;
        let versions = ServerConfig::builder_with_provider(provider).with_safe_default_protocol_versions()?;
        let mut server = versions.with_no_client_auth().with_single_cert(chain, key)?;
        server.alpn_protocols = vec![b"h2".to_vec(), b"http/1.1".to_vec()];
        Ok(Self(Some(Ends { acceptor: TlsAcceptor::from(Arc::new(server)), connector })))
    }

    /// Speaks to another server of the same store, with TLS where that has a certificate, which must be this server's own.
    ///
    /// # Errors
    /// If it is another one, or there is none here.
    pub async fn reach(&self, stream: TcpStream, with_tls: bool) -> io::Result<Reached> {
        match &self.0 {
            _ if !with_tls => Ok(Either::Left(stream)),
            Some(ends) => Ok(Either::Right(Box::new(peer::reach(&ends.connector, stream).await?))),
            None => Err(io::Error::other("it has a certificate, and this server has none")),
        }
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
        let Some(Ends { acceptor, .. }) = &self.0 else { return Ok(Either::Left(stream)) };
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

#[cfg(test)]
mod tests {
    use tokio::io::AsyncReadExt;
    use tokio::net::TcpListener;

    use super::*;

    fn with_certificate() -> Tls {
        let directory = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/it/testdata");
        let settings =
            [("PREVIEW_TLS_CERTIFICATE", "localhost.pem"), ("PREVIEW_TLS_KEY", "localhost.key.pem")];
        let settings = settings.map(|(name, value)| (name.into(), value.into()));
        Tls::open(&Config::read(Vec::new(), settings, &directory).unwrap()).unwrap()
    }

    #[tokio::test]
    async fn another_server_is_known_by_the_certificate_that_both_have() {
        let own = with_certificate();
        let acceptor = own.0.clone().unwrap().acceptor;
        let another = CertificateDer::from(b"another certificate".to_vec());
        let connector = peer::connector(another, Arc::new(crypto::ring::default_provider())).unwrap();
        let stranger = Tls(Some(Ends { acceptor, connector }));
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        for (reaching, reached) in [(&own, true), (&stranger, false), (&Tls(None), false)] {
            let stream = TcpStream::connect(listener.local_addr().unwrap()).await.unwrap();
            let (taken, peer) = listener.accept().await.unwrap();
            let taking = own.take(taken, peer, Duration::from_secs(10));
            let (_taken, result) = tokio::join!(taking, reaching.reach(stream, true));
            assert_eq!(result.is_ok(), reached);
        }
    }

    #[tokio::test]
    async fn the_clear_is_for_this_machine_alone() {
        let tls = with_certificate();
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        for (peer, taken) in [("127.0.0.1:9", true), ("192.0.2.1:9", false)] {
            let mut client = TcpStream::connect(listener.local_addr().unwrap()).await.unwrap();
            client.write_all(b"GET / HTTP/1.1\r\nHost: x\r\n\r\n").await.unwrap();
            let (stream, _) = listener.accept().await.unwrap();
            let took = tls.take(stream, peer.parse().unwrap(), Duration::from_secs(10)).await;
            assert_eq!(took.is_ok(), taken, "{peer}");
            if !taken {
                let mut answer = vec![0; REFUSAL.len()];
                client.read_exact(&mut answer).await.unwrap();
                let text = String::from_utf8(answer).unwrap();
                let (head, body) = text.split_once("\r\n\r\n").unwrap();
                assert!(head.starts_with("HTTP/1.1 400 ") && body.contains("https"), "{text}");
                assert!(head.contains(&format!("Content-Length: {}\r\n", body.len())), "{head}");
            }
        }
    }
}
