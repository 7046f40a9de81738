//! What a client may take of a preview's own address: time to ask, time in all, bytes, connections.

use std::net::SocketAddr;
use std::time::{Duration, Instant};

use futures_util::future::join_all;
use futures_util::{StreamExt, stream};
use http_body_util::Empty;
use hyper::Request;
use hyper::body::Bytes;
use hyper_util::rt::{TokioExecutor, TokioIo};
use reqwest::Method;
use rustix::process::Signal;
use serde_json::{Value, json};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;

use crate::harness::{
    Answer, Generation, Guest, PATIENCE, Preview, Server, User, probe, probe_with_websockets, raw, signal,
};

const MIB: usize = 1024 * 1024;

async fn started(user: User) -> (Generation, Preview, SocketAddr) {
    launched(user, &probe()).await
}

async fn launched(user: User, files: &Value) -> (Generation, Preview, SocketAddr) {
    let app = user.upload(files).await;
    let preview = app.launch().await;
    let address = SocketAddr::from(([127, 0, 0, 1], preview.port()));
    (app, preview, address)
}

fn head(preview: &Preview, line: &str) -> String {
    format!("{line} HTTP/1.1\r\nHost: localhost\r\nX-Preview-Token: {}\r\n", preview.token)
}

/// What comes until the server closes, and after how long.
async fn until_closed(stream: &mut TcpStream) -> (String, Duration) {
    let began = Instant::now();
    let mut bytes = Vec::new();
    let read = async {
        let _reset = stream.read_to_end(&mut bytes).await;
    };
    tokio::time::timeout(PATIENCE, read).await.expect("an end");
    (String::from_utf8_lossy(&bytes).into_owned(), began.elapsed())
}

/// While the server does something else the kernel takes who comes, as many as come at once.
#[tokio::test]
async fn a_crowd_waits_to_be_accepted() {
    const CROWD: usize = 300;
    let server = Server::start().await;
    let (_, preview, address) = started(server.user("ana")).await;
    for (address, path) in [(address, "/text"), (server.address(), "/healthz")] {
        let request = head(&preview, &format!("GET {path}")) + "Connection: close\r\n\r\n";
        signal(server.serve_pid(), Signal::STOP);
        let comes = async || {
            let mut stream = TcpStream::connect(address).await.unwrap();
            stream.write_all(request.as_bytes()).await.unwrap();
            stream
        };
        let crowd = tokio::time::timeout(PATIENCE, join_all((0..CROWD).map(|_| comes()))).await;
        signal(server.serve_pid(), Signal::CONT);
        for mut stream in crowd.expect("nobody is left outside") {
            let (answer, _) = until_closed(&mut stream).await;
            assert!(answer.starts_with("HTTP/1.1 200"), "{answer:?}");
        }
    }
}

#[tokio::test]
async fn who_takes_his_time_to_ask_is_not_waited_for() {
    let server = Server::with(&[("HEADER_TIMEOUT", "2")]).await;
    let (_, preview, address) = started(server.user("ana")).await;
    let mut silent = TcpStream::connect(address).await.unwrap();
    let mut halfway = TcpStream::connect(address).await.unwrap();
    halfway.write_all(b"GET / HTTP/1.1\r\nHost: loca").await.unwrap();
    let mut idle = TcpStream::connect(address).await.unwrap();
    idle.write_all((head(&preview, "GET /text") + "\r\n").as_bytes()).await.unwrap();
    let second = TcpStream::connect(address).await.unwrap();
    let (mut http2, connection) =
        hyper::client::conn::http2::handshake(TokioExecutor::new(), TokioIo::new(second)).await.unwrap();
    let http2_ended = tokio::spawn(connection);
    let request = Request::get(format!("http://localhost:{}/text", preview.port()));
    let request = request.header("x-preview-token", &preview.token).body(Empty::<Bytes>::new()).unwrap();
    assert_eq!(http2.send_request(request).await.unwrap().status(), 200);
    // A byte from time to time is no more than that.
    let dripping = tokio::spawn(async move {
        let mut stream = TcpStream::connect(address).await.unwrap();
        let began = Instant::now();
        while began.elapsed() < PATIENCE {
            let written = stream.write_all(b"G").await.is_ok();
            let read = tokio::time::timeout(Duration::from_millis(100), stream.read_u8()).await;
            if !written || read.is_ok_and(|byte| byte.is_err()) {
                return;
            }
        }
        panic!("still open");
    });
    // Whoever asks and waits for the answer is no idler.
    assert_eq!(preview.get("/slow?seconds=4").await.expect(200)["slept"], 4.0);
    assert_eq!(until_closed(&mut silent).await.0, "");
    let (answer, _) = until_closed(&mut halfway).await;
    assert!(answer.is_empty() || answer.starts_with("HTTP/1.1 408"), "{answer}");
    assert!(until_closed(&mut idle).await.0.ends_with("grüß Gott"), "the answer, and then the end");
    tokio::time::timeout(PATIENCE, http2_ended).await.expect("an end of HTTP/2 as well").unwrap().unwrap();
    dripping.await.unwrap();
}

#[tokio::test]
async fn connections_beyond_the_limit_wait_for_their_turn() {
    let server = Server::with(&[("CONNECTION_LIMIT", "3"), ("HEADER_TIMEOUT", "5")]).await;
    let (_, preview, address) = started(server.user("ana")).await;
    let request = head(&preview, "GET /text") + "Connection: close\r\n\r\n";
    assert_eq!(raw(address, request.as_bytes()).await.0, 200);
    let mut held = Vec::new();
    for _ in 0..3 {
        held.push(TcpStream::connect(address).await.unwrap());
    }
    let mut waiting = tokio::spawn({
        let request = request.clone();
        async move { raw(address, request.as_bytes()).await.0 }
    });
    let early = tokio::time::timeout(Duration::from_millis(500), &mut waiting).await;
    assert!(early.is_err(), "no place for a fourth yet");
    drop(held.pop());
    assert_eq!(waiting.await.unwrap(), 200);
    // Those who say nothing hold their places for the time to ask and no longer.
    assert_eq!(raw(address, request.as_bytes()).await.0, 200);
    drop(held);
}

#[tokio::test]
async fn on_one_host_for_all_requests_beyond_the_limit_wait_for_their_turn() {
    let template = ("BASE_URL_TEMPLATE", "http://{id}.preview.example.com");
    let server = Server::with(&[template, ("CONNECTION_LIMIT", "1")]).await;
    let app = server.user("ana").upload(&probe()).await;
    let launched = app.try_launch(&json!({})).await.expect(200);
    let host = launched["baseUrl"].as_str().unwrap().trim_start_matches("http://").to_owned();
    let token = launched["previewToken"].as_str().unwrap().to_owned();
    let request = |path: &str| {
        format!(
            "GET {path} HTTP/1.1\r\nHost: {host}\r\nX-Preview-Token: {token}\r\nConnection: close\r\n\r\n"
        )
    };
    let mut ticking = TcpStream::connect(server.address()).await.unwrap();
    ticking.write_all(request("/ticks").as_bytes()).await.unwrap();
    ticking.readable().await.unwrap();
    let (address, text) = (server.address(), request("/text"));
    let mut waiting = tokio::spawn(async move { raw(address, text.as_bytes()).await.0 });
    let early = tokio::time::timeout(Duration::from_millis(500), &mut waiting).await;
    assert!(early.is_err(), "no place for a second yet");
    drop(ticking);
    assert_eq!(waiting.await.unwrap(), 200);
}

#[tokio::test]
async fn headers_have_a_limit() {
    let server = Guest::arrive().await;
    let (_, preview, address) = started(server.user()).await;
    let ask = async |more: &str| {
        let request = head(&preview, "GET /text") + more + "Connection: close\r\n\r\n";
        raw(address, request.as_bytes()).await.0
    };
    assert_eq!(ask(&format!("X: {}\r\n", "y".repeat(30_000))).await, 200);
    assert_eq!(ask(&format!("X: {}\r\n", "y".repeat(200_000))).await, 431);
    assert_eq!(ask(&"X: y\r\n".repeat(200)).await, 431);
    let path = format!("GET /text?{} HTTP/1.1\r\nHost: x\r\n\r\n", "y".repeat(100_000));
    assert_eq!(raw(address, path.as_bytes()).await.0, 414);
}

#[tokio::test]
async fn bodies_may_have_a_limit() {
    let server = Server::with(&[("BODY_LIMIT_MB", "1")]).await;
    let (_, preview, address) = started(server.user("ana")).await;
    let post = |body: reqwest::Body| preview.call(Method::POST, "/digest").body(body);
    let whole = Answer::of(post(vec![1; MIB].into()).send().await.unwrap()).await;
    assert_eq!(whole.expect(200)["size"], MIB);
    let large = Answer::of(post(vec![1; 20 * MIB].into()).send().await.unwrap()).await;
    let error = large.error(413, "too_large");
    assert_eq!(error["details"]["limit"], MIB);
    let chunks = |number: usize| {
        let chunks = stream::iter((0..number).map(|_| Ok::<_, std::io::Error>(vec![1; MIB / 16])));
        reqwest::Body::wrap_stream(chunks)
    };
    assert_eq!(Answer::of(post(chunks(16)).send().await.unwrap()).await.expect(200)["size"], MIB);
    Answer::of(post(chunks(200)).send().await.unwrap()).await.error(413, "too_large");
    // Whoever asks first is told before a byte is sent.
    let headers = format!("Expect: 100-continue\r\nContent-Length: {}\r\nConnection: close\r\n\r\n", 2 * MIB);
    let (status, answer) = raw(address, (head(&preview, "POST /digest") + &headers).as_bytes()).await;
    assert!(status == 413 && answer.contains("too_large"), "{answer}");
    // An upload to a closed door is answered as well.
    let stranger = preview.anonymous(Method::POST, "/digest").body(vec![1; 20 * MIB]).send().await.unwrap();
    Answer::of(stranger).await.error(403, "invalid_preview_token");
}

#[tokio::test]
async fn exchanges_may_have_limits_of_time() {
    let server = Server::with(&[("STREAM_IDLE_TIMEOUT", "1"), ("STREAM_TIMEOUT", "4")]).await;
    let (_, preview, address) = launched(server.user("ana"), &probe_with_websockets()).await;
    // Without an answer, and without a request.
    preview.get("/slow?seconds=20").await.error(504, "request_timeout");
    let mut stalled = TcpStream::connect(address).await.unwrap();
    let headers = "Content-Length: 100\r\nConnection: close\r\n\r\nsome";
    stalled.write_all((head(&preview, "POST /digest") + headers).as_bytes()).await.unwrap();
    let (answer, _) = until_closed(&mut stalled).await;
    assert!(answer.starts_with("HTTP/1.1 504 ") && answer.contains("request_timeout"), "{answer}");
    // One that goes on is cut when its time is over in all.
    let began = Instant::now();
    let mut ticks = preview.call(Method::GET, "/ticks").send().await.unwrap().bytes_stream();
    let mut seen = 0;
    while let Some(Ok(chunk)) = ticks.next().await {
        seen += chunk.len();
    }
    let took = began.elapsed();
    assert!(took >= Duration::from_secs(3) && took < PATIENCE && seen > 50, "{seen} bytes in {took:?}");
    // An open socket on which nothing is said.
    let address = format!("{}/ws?preview_token={}", preview.base_url.replace("http", "ws"), preview.token);
    let (mut socket, _) = tokio_tungstenite::connect_async(&address).await.unwrap();
    let end = async { while let Some(Ok(_)) = socket.next().await {} };
    tokio::time::timeout(PATIENCE, end).await.expect("an end");
}

#[tokio::test]
async fn who_does_not_read_is_not_written_to_for_ever() {
    let server = Server::with(&[("STREAM_IDLE_TIMEOUT", "1"), ("CONNECTION_LIMIT", "1")]).await;
    let (_, preview, address) = started(server.user("ana")).await;
    let mut deaf = TcpStream::connect(address).await.unwrap();
    deaf.write_all((head(&preview, "GET /bytes/1000000000") + "\r\n").as_bytes()).await.unwrap();
    deaf.readable().await.unwrap();
    // The only place is free again although its holder still holds on.
    let request = head(&preview, "GET /text") + "Connection: close\r\n\r\n";
    assert_eq!(raw(address, request.as_bytes()).await.0, 200);
    drop(deaf);
}
