//! HTTP as bytes, for what a well-behaved client would not send.

use std::net::SocketAddr;

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;

use super::PATIENCE;

/// Sends these bytes and reads until the server closes, which `Connection: close` asks for. Gives status and body.
pub async fn raw(address: SocketAddr, request: &[u8]) -> (u16, String) {
    let (status, answer) = raw_head(address, request).await;
    (status, answer.split_once("\r\n\r\n").map(|(_, body)| body.to_owned()).unwrap_or_default())
}

/// The same, with the answer's head.
pub async fn raw_head(address: SocketAddr, request: &[u8]) -> (u16, String) {
    let exchange = async {
        let mut stream = TcpStream::connect(address).await.unwrap();
        // The server may answer, and close, before it has read all of it.
        let _closed_early = stream.write_all(request).await;
        let mut answer = Vec::new();
        let _reset = stream.read_to_end(&mut answer).await;
        answer
    };
    let answer = tokio::time::timeout(PATIENCE, exchange).await.expect("an answer and an end");
    let text = String::from_utf8_lossy(&answer).into_owned();
    let status = text.split(' ').nth(1).and_then(|status| status.parse().ok());
    (status.unwrap_or_else(|| panic!("no HTTP: {text:?} to {:?}", String::from_utf8_lossy(request))), text)
}
