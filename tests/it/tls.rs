//! Addresses that speak TLS, where a certificate is configured.

use std::process::Command;
use std::sync::Arc;

use http_body_util::{BodyExt, Full};
use hyper::body::Bytes;
use hyper::{Request, Version};
use hyper_util::rt::{TokioExecutor, TokioIo};
use serde_json::{Value, json};
use tokio::io::AsyncReadExt;
use tokio::net::TcpStream;
use tokio_rustls::rustls::pki_types::CertificateDer;
use tokio_rustls::rustls::pki_types::pem::PemObject;
use tokio_rustls::rustls::{ClientConfig, RootCertStore, crypto};
use tokio_rustls::{TlsConnector, client::TlsStream};
use tokio_tungstenite::tungstenite::Message;

use crate::harness::{PATIENCE, Server, directory, testdata};

/// A connection of a client that trusts the certificate and speaks these protocols.
async fn connect(port: u16, protocols: &[&[u8]]) -> TlsStream<TcpStream> {
    let mut trusted = RootCertStore::empty();
    trusted.add(CertificateDer::from_pem_file(testdata("localhost.pem")).unwrap()).unwrap();
    let provider = Arc::new(crypto::ring::default_provider());
    let versions =
        ClientConfig::builder_with_provider(provider).with_safe_default_protocol_versions().unwrap();
    let mut config = versions.with_root_certificates(trusted).with_no_client_auth();
    config.alpn_protocols = protocols.iter().map(|name| name.to_vec()).collect();
    let stream = TcpStream::connect(("127.0.0.1", port)).await.unwrap();
    TlsConnector::from(Arc::new(config)).connect("localhost".try_into().unwrap(), stream).await.unwrap()
}

#[tokio::test]
async fn with_a_certificate_addresses_speak_tls_and_http2() {
    let (certificate, key) = (testdata("localhost.pem"), testdata("localhost.key.pem"));
    let settings = [("TLS_CERTIFICATE", certificate.as_str()), ("TLS_KEY", &key), ("HEADER_TIMEOUT", "2")];
    let server = Server::with(&settings).await;
    // This machine's own programs may go on in the clear.
    let app = server.user("ana").upload(&directory("tests/apps/sockets")).await;
    let preview = app.launch().await;
    assert_eq!(preview.base_url, format!("https://localhost:{}", preview.port()));

    for (protocols, version) in [
        (vec![b"h2".as_slice(), b"http/1.1"], Version::HTTP_2),
        (vec![b"http/1.1".as_slice()], Version::HTTP_11),
    ] {
        let stream = connect(preview.port(), &protocols).await;
        assert_eq!(stream.get_ref().1.alpn_protocol(), Some(protocols[0]));
        let body = Full::new(Bytes::from(vec![b'x'; 2_000_000]));
        let request = Request::post(format!("https://localhost:{}/echo/up", preview.port()));
        let request = request.header("host", "localhost").header("x-preview-token", &preview.token);
        let request = request.body(body).unwrap();
        let answer = if version == Version::HTTP_2 {
            let io = TokioIo::new(stream);
            let (mut sender, connection) =
                hyper::client::conn::http2::handshake(TokioExecutor::new(), io).await.unwrap();
            tokio::spawn(connection);
            sender.send_request(request).await.unwrap()
        } else {
            let (mut sender, connection) =
                hyper::client::conn::http1::handshake(TokioIo::new(stream)).await.unwrap();
            tokio::spawn(connection);
            sender.send_request(request).await.unwrap()
        };
        assert_eq!((answer.status().as_u16(), answer.version()), (200, version));
        let bytes = answer.into_body().collect().await.unwrap().to_bytes();
        let seen: Value = serde_json::from_slice(&bytes).unwrap();
        assert_eq!(seen["size"], 2_000_000);
        assert!(
            seen["headers"].as_array().unwrap().contains(&json!(["x-forwarded-proto", "https"])),
            "{seen}"
        );
    }

    // A WebSocket, and the API itself.
    use futures_util::{SinkExt, StreamExt};
    let address = format!("wss://localhost:{}/told?preview_token={}", preview.port(), preview.token);
    let stream = connect(preview.port(), &[b"http/1.1"]).await;
    let (mut socket, _) = tokio_tungstenite::client_async(address, stream).await.unwrap();
    socket.send(Message::text("over TLS")).await.unwrap();
    assert_eq!(socket.next().await.unwrap().unwrap(), Message::text("over TLS"));
    drop(socket);
    let stream = connect(server.address().port(), &[b"http/1.1"]).await;
    let (mut sender, connection) = hyper::client::conn::http1::handshake(TokioIo::new(stream)).await.unwrap();
    tokio::spawn(connection);
    let request =
        Request::get("/healthz").header("host", "localhost").body(Full::<Bytes>::default()).unwrap();
    assert_eq!(sender.send_request(request).await.unwrap().status(), 200);

    // A browser's cookie stays within TLS; curl trusts whom it is told to trust.
    let curl = |arguments: &[&str], address: String| {
        let mut command = Command::new("curl");
        command
            .args(["-sS", "-m", "60", "--noproxy", "*", "--cacert", &certificate])
            .args(arguments)
            .arg(address);
        String::from_utf8(command.output().unwrap().stdout).unwrap().to_ascii_lowercase()
    };
    let traded = curl(&["-i"], format!("{}/echo/?preview_token={}", preview.base_url, preview.token));
    assert!(traded.starts_with("http/2 303") && traded.contains("; secure"), "{traded}");

    // Who says nothing does not hold a place for ever, and a handshake that is none ends.
    let mut silent = TcpStream::connect(("127.0.0.1", preview.port())).await.unwrap();
    let mut rest = Vec::new();
    tokio::time::timeout(PATIENCE, silent.read_to_end(&mut rest)).await.expect("an end").unwrap();
    assert!(rest.is_empty());
}

#[tokio::test]
async fn a_certificate_that_cannot_be_used_is_told_at_the_start() {
    let server = Server::start().await;
    let serve = |certificate: &str, key: &str| {
        let other = server.data_dir().join("other");
        let mut command = server.command(&["serve", "--listen", "127.0.0.1:0"]);
        command.env("PREVIEW_DATA_DIR", other);
        command.args(["--tls-certificate", certificate, "--tls-key", key]);
        let output = command.output().unwrap();
        assert!(!output.status.success());
        String::from_utf8(output.stderr).unwrap()
    };
    let certificate = testdata("localhost.pem");
    for (certificate, key) in [(certificate.as_str(), certificate.as_str()), ("/nowhere.pem", "/nowhere.key")]
    {
        let said = serve(certificate, key);
        assert!(said.contains("the certificate cannot be used"), "{said}");
    }
}
