//! The preview's own address: everything that HTTP can do passes through.

use std::time::Duration;

use futures_util::future::join_all;
use futures_util::{SinkExt, StreamExt};
use reqwest::Method;
use serde_json::{Value, json};
use sha2::{Digest, Sha256};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio::sync::mpsc;
use tokio_tungstenite::tungstenite::{self, Message};

use crate::harness::{
    Answer, Generation, Guest, PATIENCE, Preview, Server, User, eventually, example, probe,
    probe_with_websockets, shim,
};

async fn started(user: User) -> (Generation, Preview) {
    launched(user, &probe()).await
}

async fn launched(user: User, files: &Value) -> (Generation, Preview) {
    let app = user.upload(files).await;
    let preview = app.launch().await;
    (app, preview)
}

async fn echo(call: reqwest::RequestBuilder) -> Value {
    Answer::of(call.send().await.unwrap()).await.expect(200)
}

fn values<'a>(echoed: &'a Value, name: &str) -> Vec<&'a str> {
    let headers = echoed["headers"].as_array().unwrap().iter();
    headers.filter(|pair| pair[0] == name).map(|pair| pair[1].as_str().unwrap()).collect()
}

#[tokio::test]
async fn a_request_arrives_as_it_was_sent() {
    let server = Guest::arrive().await;
    let (_, preview) = started(server.user()).await;
    for method in [Method::GET, Method::POST, Method::PUT, Method::PATCH, Method::DELETE, Method::OPTIONS] {
        let call = preview.call(method.clone(), "/echo/a%20b/%C3%BC//c;d=1?x=1&y=%20&x=2&z");
        let call = call.header("x-own", "one").header("x-own", "two").header("accept", "a/b").body("body");
        let seen = echo(call).await;
        assert_eq!(seen["method"], method.as_str());
        assert_eq!(seen["path"], "/echo/a%20b/%C3%BC//c;d=1", "byte for byte");
        assert_eq!(seen["query"], "x=1&y=%20&x=2&z");
        assert_eq!(seen["body"], "Ym9keQ==");
        assert_eq!(values(&seen, "x-own"), ["one", "two"]);
        assert_eq!(values(&seen, "accept"), ["a/b"]);
        let host = preview.base_url.strip_prefix("http://").unwrap();
        assert_eq!((values(&seen, "host"), values(&seen, "x-forwarded-host")), (vec![host], vec![host]));
        assert_eq!(values(&seen, "x-forwarded-proto"), ["http"]);
        assert_eq!((seen["client"].as_str(), seen["scheme"].as_str()), (Some("127.0.0.1"), Some("http")));
        assert_eq!(values(&seen, "connection").iter().filter(|v| v.contains("x-hop")).count(), 0);
    }
    let call =
        preview.call(Method::GET, "/echo").header("x-forwarded-for", "6.6.6.6").header("connection", "x-hop");
    let seen = echo(call.header("x-hop", "mine").header("x-previewd-probe", "guess")).await;
    assert_eq!(values(&seen, "x-forwarded-for"), ["127.0.0.1"], "what a client claims of itself is replaced");
    assert_eq!(values(&seen, "x-hop"), Vec::<&str>::new(), "hop by hop");
}

#[tokio::test]
async fn an_answer_arrives_as_it_was_given() {
    let server = Guest::arrive().await;
    let (_, preview) = started(server.user()).await;
    for status in [200, 201, 299, 304, 400, 404, 418, 500, 503] {
        assert_eq!(preview.get(&format!("/status/{status}")).await.status, status);
    }
    assert_eq!(preview.get("/empty").await.status, 204);
    let cookies = preview.get("/cookies").await;
    assert_eq!(cookies.headers.get_all("set-cookie").iter().count(), 2);
    let redirect = preview.get("/redirect?to=/there").await;
    assert_eq!((redirect.status, redirect.header("location")), (302, Some("/there")));
    assert_eq!(preview.get("/binary").await.bytes.as_ref(), (0..=255).collect::<Vec<u8>>());
    assert_eq!(
        preview.get("/nowhere").await.expect(404),
        json!({ "detail": "Not Found" }),
        "the app's own 404"
    );
    let head = Answer::of(preview.call(Method::HEAD, "/status/200").send().await.unwrap()).await;
    assert_eq!((head.status, head.bytes.len()), (405, 0), "the app's own answer to HEAD");
    assert!(head.header("content-length").is_some_and(|length| length != "0"), "{:?}", head.headers);
}

#[tokio::test]
async fn large_bodies_pass_both_ways() {
    const SIZE: usize = 30 * 1024 * 1024;
    let server = Guest::arrive().await;
    let (_, preview) = started(server.user()).await;
    let down = preview.get(&format!("/bytes/{SIZE}")).await;
    assert_eq!((down.status, down.bytes.len()), (200, SIZE));
    let body = (0..251).collect::<Vec<u8>>().repeat(SIZE / 251);
    let size = body.len();
    let digest = hex::encode(Sha256::digest(&body));
    let up = echo(preview.call(Method::POST, "/digest").body(body)).await;
    assert_eq!(up, json!({ "size": size, "sha256": digest }));
}

#[tokio::test]
async fn streams_flow_both_ways_at_once() {
    let server = Guest::arrive().await;
    let (_, preview) = started(server.user()).await;
    let (parts, body) = mpsc::channel::<Result<&'static str, std::io::Error>>(1);
    let body = futures_util::stream::unfold(body, |mut body| async { Some((body.recv().await?, body)) });
    let call = preview.call(Method::POST, "/mirror/").body(reqwest::Body::wrap_stream(body));
    parts.send(Ok("first")).await.unwrap();
    let answer = call.send().await.unwrap();
    let mut back = answer.bytes_stream();
    for part in ["first", "second", "third"] {
        if part != "first" {
            parts.send(Ok(part)).await.unwrap();
        }
        let came = tokio::time::timeout(PATIENCE, back.next()).await.expect("while the request goes on");
        assert_eq!(came.unwrap().unwrap(), part);
    }
    drop(parts);
    assert!(back.next().await.is_none());
}

#[tokio::test]
async fn server_sent_events_come_one_by_one() {
    let server = Guest::arrive().await;
    let shop = server.user().upload(&example()).await;
    let preview = shop.launch().await;
    let began = std::time::Instant::now();
    let answer = preview.call(Method::GET, "/live/sales?count=2&interval=6").send().await.unwrap();
    let mut stream = crate::harness::Stream::new(answer);
    assert_eq!(stream.next().await.unwrap().kind, "sale");
    assert!(began.elapsed() < Duration::from_secs(6), "not kept back: {:?}", began.elapsed());
    assert_eq!(stream.rest().await.len(), 1);
}

#[tokio::test]
async fn websockets_pass_both_ways() {
    let server = Guest::arrive().await;
    let (_, preview) = launched(server.user(), &probe_with_websockets()).await;
    let address =
        format!("{}/ws?preview_token={}&room=1", preview.base_url.replace("http", "ws"), preview.token);
    let (mut socket, _) = tokio_tungstenite::connect_async(&address).await.unwrap();
    let greeting: Value =
        serde_json::from_str(socket.next().await.unwrap().unwrap().to_text().unwrap()).unwrap();
    assert_eq!(greeting["query"], "room=1", "the token is taken off");
    let large = "x".repeat(1_000_000);
    for text in ["hello", "✓", &large] {
        socket.send(Message::text(text)).await.unwrap();
        assert_eq!(socket.next().await.unwrap().unwrap(), Message::text(format!("heard {text}")));
    }
    socket.send(Message::binary(vec![1, 2, 3])).await.unwrap();
    assert_eq!(socket.next().await.unwrap().unwrap(), Message::binary(vec![3, 2, 1]));
    socket.close(None).await.unwrap();
    while let Some(Ok(_)) = socket.next().await {}

    let mut request = tungstenite::client::IntoClientRequest::into_client_request(
        format!("{}/ws", preview.base_url.replace("http", "ws")).as_str(),
    )
    .unwrap();
    let refused = tokio_tungstenite::connect_async(request.clone()).await;
    let Err(tungstenite::Error::Http(answer)) = refused else { panic!("without a token: {refused:?}") };
    assert_eq!(answer.status(), 403);
    request.headers_mut().insert("x-preview-token", preview.token.parse().unwrap());
    let (mut socket, _) = tokio_tungstenite::connect_async(request).await.unwrap();
    let greeting = socket.next().await.unwrap().unwrap();
    assert!(!greeting.to_text().unwrap().contains("x-preview-token"), "{greeting}");
}

#[tokio::test]
async fn open_websockets_end_with_the_preview() {
    let server = Server::start().await;
    let (app, preview) = launched(server.user("ana"), &probe_with_websockets()).await;
    let address = format!("{}/ws?preview_token={}", preview.base_url.replace("http", "ws"), preview.token);
    let (mut socket, _) = tokio_tungstenite::connect_async(&address).await.unwrap();
    socket.next().await.unwrap().unwrap();
    app.stop().await.expect(200);
    let end = async { while let Some(Ok(_)) = socket.next().await {} };
    tokio::time::timeout(PATIENCE, end).await.expect("an end of the connection");
    let refused = preview.call(Method::GET, "/").send().await;
    assert!(refused.is_err_and(|e| e.is_connect()), "nobody listens there any more");
}

#[tokio::test]
async fn a_request_waits_for_a_preview_that_launches_or_is_told() {
    let server = Guest::arrive().await;
    let slow = crate::harness::asgi("import time\nprint('importing', flush=True)\ntime.sleep(2)");
    let app = server.user().upload(&slow).await;
    let began = app.launch_unawaited().await;
    app.line("importing").await;
    let early = began.get("/x").await;
    assert!(early.status == 200 || early.error(503, "preview_unavailable")["statusCode"] == 503);
    let health = began.anonymous(Method::GET, "/health").send().await.unwrap().status();
    assert!(health == 503 || health == 200);
    app.until_status("running").await;
    assert_eq!(began.get("/x").await.text(), "you asked for /x");
    assert_eq!(began.anonymous(Method::GET, "/health").send().await.unwrap().status(), 200);
}

/// The next preview may have the same port at once: who comes over an old connection would be told that all is over.
#[tokio::test]
async fn no_connection_to_a_preview_outlives_it() {
    const CONNECTIONS: usize = 40;
    let server = Guest::arrive().await;
    let (app, preview) = started(server.user()).await;
    let request =
        format!("GET /echo HTTP/1.1\r\nHost: 127.0.0.1\r\nX-Preview-Token: {}\r\n\r\n", preview.token);
    let mut kept = Vec::new();
    for _ in 0..CONNECTIONS {
        let mut stream = TcpStream::connect(("127.0.0.1", preview.port())).await.unwrap();
        stream.write_all(request.as_bytes()).await.unwrap();
        let mut status = [0; 12];
        stream.read_exact(&mut status).await.unwrap();
        assert_eq!(status, *b"HTTP/1.1 200");
        kept.push(stream.into_std().unwrap());
    }
    app.stop().await.expect(200);
    for mut stream in kept {
        // What is not there yet is an error here: nobody waits for it.
        let rest = std::io::Read::read_to_end(&mut stream, &mut Vec::new());
        assert!(rest.is_ok(), "still open: {rest:?}");
    }
}

/// Has another file opened in the place of the kernel's device, which tells what all on the machine ask for in sum.
const OTHER_DEVICE: &str = r#"
#define _GNU_SOURCE
#include <fcntl.h>
#include <stdarg.h>
#include <string.h>
#include <sys/syscall.h>
#include <unistd.h>

int open64(const char *path, int flags, ...) {
    va_list more;
    va_start(more, flags);
    unsigned mode = va_arg(more, unsigned);
    va_end(more);
    return syscall(SYS_openat, AT_FDCWD, strcmp(path, "/dev/cpu_dma_latency") ? path : PLACE, flags, mode);
}
"#;

#[tokio::test]
async fn processors_wait_awake_while_requests_follow_at_once_on_each_other() {
    let server = Server::with(&[("CPU_AWAKE", "on")]).await;
    let directory = server.data_dir().parent().unwrap().to_owned();
    let asked = directory.join("asked");
    server.preload(&shim(&directory, OTHER_DEVICE, &asked));
    let again = async || {
        assert!(server.terminate_serve().success());
        server.serve_again().await;
    };
    // There is none yet.
    again().await;
    assert!(server.log().contains("PREVIEW_CPU_AWAKE is on, and processors halt as they like"));
    std::fs::write(&asked, "").unwrap();
    again().await;

    let microseconds = || {
        let bytes = std::fs::read(&asked).unwrap();
        bytes.as_chunks().0.iter().map(|number| i32::from_ne_bytes(*number)).collect::<Vec<_>>()
    };
    let (_app, preview) = started(server.user("ada")).await;
    let before = microseconds().len();
    eventually("processors that wait awake", async || {
        let at_once = (0..16).map(|_| echo(preview.call(Method::GET, "/echo")));
        join_all(at_once).await;
        (microseconds().len() > before).then_some(())
    })
    .await;
    // Whatever was asked for is taken back: numbers come in pairs.
    eventually("processors that may halt", async || microseconds().len().is_multiple_of(2).then_some(()))
        .await;
    for pair in microseconds().chunks(2) {
        assert!(pair[0] == 0 && pair[1] > 1_000_000, "{pair:?}");
    }
}
