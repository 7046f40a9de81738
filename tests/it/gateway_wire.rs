//! What HTTP has beyond requests and answers: trailers, interim answers, other protocols. The application speaks by the byte.

use std::convert::Infallible;
use std::net::SocketAddr;
use std::time::{Duration, Instant};

use futures_util::stream;
use http_body_util::{BodyExt, StreamBody};
use hyper::body::{Bytes, Frame};
use hyper::{HeaderMap, Request};
use hyper_util::rt::{TokioExecutor, TokioIo};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;

use crate::harness::{Guest, PATIENCE, Preview, directory, raw_head};

async fn started(server: &Guest) -> (SocketAddr, Preview) {
    let app = server.user().upload(&directory("tests/apps/wire")).await;
    let preview = app.launch().await;
    (SocketAddr::from(([127, 0, 0, 1], preview.port())), preview)
}

fn head(preview: &Preview, line: &str, headers: &str) -> String {
    format!("{line} HTTP/1.1\r\nHost: localhost\r\nX-Preview-Token: {}\r\n{headers}\r\n", preview.token)
}

#[tokio::test]
async fn trailers_pass_both_ways() {
    let server = Guest::arrive().await;
    let (address, preview) = started(&server).await;
    let headers =
        "TE: trailers\r\nConnection: TE, close\r\nTransfer-Encoding: chunked\r\nTrailer: x-sent\r\n";
    let body = "5\r\nhello\r\n0\r\nx-sent: yes\r\n\r\n";
    let request = head(&preview, "POST /", headers) + body;
    let (status, answer) = raw_head(address, request.as_bytes()).await;
    assert_eq!(status, 200);
    assert!(answer.contains(body), "as it was sent: {answer}");
    assert!(answer.contains("\r\nte: trailers\r\n"), "the application learns that they are wanted: {answer}");
    assert!(answer.ends_with("0\r\nx-sum: 7\r\n\r\n"), "{answer}");
    // Nobody gets them who did not ask.
    let (_, answer) = raw_head(address, head(&preview, "GET /", "Connection: close\r\n").as_bytes()).await;
    assert!(answer.ends_with("\r\n0\r\n\r\n") && !answer.contains("te: trailers"), "{answer}");

    let stream = TcpStream::connect(address).await.unwrap();
    let (mut http2, connection) =
        hyper::client::conn::http2::handshake(TokioExecutor::new(), TokioIo::new(stream)).await.unwrap();
    tokio::spawn(connection);
    let mut sent = HeaderMap::new();
    sent.insert("x-sent", "over HTTP/2".parse().unwrap());
    let frames = [Frame::data(Bytes::from_static(b"hello")), Frame::trailers(sent)];
    let body = StreamBody::new(stream::iter(frames.map(Ok::<_, Infallible>)));
    let request = Request::post(format!("http://localhost:{}/", preview.port()));
    let request = request.header("x-preview-token", &preview.token).header("trailer", "x-sent");
    let answer = http2.send_request(request.header("te", "trailers").body(body).unwrap()).await.unwrap();
    let answer = answer.into_body().collect().await.unwrap();
    assert_eq!(answer.trailers().unwrap()["x-sum"], "7");
    let seen = String::from_utf8(answer.to_bytes().to_vec()).unwrap();
    assert!(seen.ends_with("5\r\nhello\r\n0\r\nx-sent: over HTTP/2\r\n\r\n"), "{seen}");
}

/// One byte after the other until this much has come.
async fn until(stream: &mut TcpStream, end: &str) -> String {
    let mut text = Vec::new();
    let read = async {
        while !text.ends_with(end.as_bytes()) {
            text.push(stream.read_u8().await.unwrap());
        }
    };
    if tokio::time::timeout(PATIENCE, read).await.is_err() {
        panic!("no {end:?} in {:?}", String::from_utf8_lossy(&text));
    }
    String::from_utf8(text).unwrap()
}

#[tokio::test]
async fn a_client_that_waits_with_its_body_is_asked_when_the_application_asks() {
    let server = Guest::arrive().await;
    let (address, preview) = started(&server).await;
    let expects = "Expect: 100-continue\r\nContent-Length: 4\r\n";
    let open = async |path: &str| {
        let mut stream = TcpStream::connect(address).await.unwrap();
        stream.write_all(head(&preview, &format!("POST {path}"), expects).as_bytes()).await.unwrap();
        stream
    };
    let mut asked = open("/asks").await;
    assert_eq!(until(&mut asked, "\r\n\r\n").await, "HTTP/1.1 100 Continue\r\n\r\n");
    asked.write_all(b"body").await.unwrap();
    let answer = until(&mut asked, "\r\n0\r\n\r\n").await;
    assert!(answer.starts_with("HTTP/1.1 200 ") && answer.contains("\r\n\r\nbody\r\n"), "{answer}");

    let mut refused = open("/refuses").await;
    let answer = until(&mut refused, "no").await;
    assert!(answer.starts_with("HTTP/1.1 417 "), "not asked for what nobody wants: {answer}");

    // One that never asks is not waited for, and neither is the client.
    let began = Instant::now();
    let mut unasked = open("/").await;
    assert_eq!(until(&mut unasked, "\r\n\r\n").await, "HTTP/1.1 100 Continue\r\n\r\n");
    assert!(began.elapsed() >= Duration::from_millis(900), "{:?}", began.elapsed());
    unasked.write_all(b"body").await.unwrap();
    assert!(until(&mut unasked, "\r\n0\r\n\r\n").await.contains("\r\n\r\nbody\r\n"));
    // One that is refused at the door is not asked either.
    let mut stranger = TcpStream::connect(address).await.unwrap();
    stranger.write_all(format!("POST /asks HTTP/1.1\r\nHost: x\r\n{expects}\r\n").as_bytes()).await.unwrap();
    let answer = until(&mut stranger, "}").await;
    assert!(answer.starts_with("HTTP/1.1 403 "), "{answer}");
}

#[tokio::test]
async fn a_head_leaves_whose_body_is_late() {
    let server = Guest::arrive().await;
    let (address, preview) = started(&server).await;
    let mut stream = TcpStream::connect(address).await.unwrap();
    for _ in 0..2 {
        let sent = head(&preview, "POST /late", "Content-Length: 4\r\n");
        stream.write_all(sent.as_bytes()).await.unwrap();
        let answer = until(&mut stream, "\r\n\r\n").await;
        assert!(answer.starts_with("HTTP/1.1 200 ") && answer.contains("content-length: 4"), "{answer}");
        // The application sends it when it has heard this.
        stream.write_all(b"body").await.unwrap();
        assert_eq!(until(&mut stream, "late").await, "late");
    }
}

#[tokio::test]
async fn other_interim_answers_are_no_answers() {
    let server = Guest::arrive().await;
    let (address, preview) = started(&server).await;
    let request = head(&preview, "GET /hints", "Connection: close\r\n");
    let (status, answer) = raw_head(address, request.as_bytes()).await;
    assert!(status == 200 && answer.contains("GET /hints"), "{answer}");
}

#[tokio::test]
async fn another_protocol_is_bytes_both_ways() {
    const SIZE: usize = 3_000_000;
    let server = Guest::arrive().await;
    let (address, preview) = started(&server).await;
    let mut stream = TcpStream::connect(address).await.unwrap();
    // The first bytes come with the head, as an eager client sends them.
    let request = head(&preview, "GET /switch", "Connection: upgrade\r\nUpgrade: wire\r\n") + "eager";
    stream.write_all(request.as_bytes()).await.unwrap();
    let head = until(&mut stream, "\r\n\r\n").await;
    assert!(head.starts_with("HTTP/1.1 101 ") && head.contains("\r\nupgrade: wire\r\n"), "{head}");
    assert_eq!(until(&mut stream, "eager").await, "helloeager");
    let sent: Vec<u8> = (0..SIZE).map(|n| (n * n % 253) as u8).collect();
    let (mut reading, mut writing) = stream.split();
    let write = async {
        writing.write_all(&sent).await.unwrap();
        writing.shutdown().await.unwrap();
    };
    let mut came = Vec::new();
    let read = async { reading.read_to_end(&mut came).await.unwrap() };
    tokio::time::timeout(PATIENCE, async { tokio::join!(write, read) }).await.expect("all of it");
    let (echoed, last) = came.split_at(came.len().min(SIZE));
    assert!(echoed == sent, "byte for byte");
    assert_eq!(last, b"goodbye", "after the client has said all, the application may go on");
}
