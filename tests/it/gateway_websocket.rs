//! WebSockets and the clients of others: what the `websockets` library, `httpx` and curl do is the same as without us between.

use std::net::SocketAddr;
use std::path::PathBuf;
use std::process::Command;

use base64::Engine;
use base64::prelude::BASE64_STANDARD;
use futures_util::StreamExt;
use reqwest::Method;
use serde_json::json;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio_tungstenite::tungstenite::Message;

use crate::harness::{
    Generation, Guest, PATIENCE, Preview, Server, WITH_WEBSOCKETS, asgi, directory, packages,
    probe_with_websockets,
};

async fn started(server: &Guest) -> (Generation, Preview) {
    let app = server.user().upload(&directory("tests/apps/sockets")).await;
    let preview = app.launch().await;
    (app, preview)
}

/// Runs a client and waits for it to be satisfied.
async fn satisfied(server: &Guest, client: &str, preview: &Preview) {
    let script = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("tests/clients").join(client);
    let mut command = Command::new("python3");
    command
        .arg(script)
        .args([&preview.base_url, &preview.token])
        .env("PYTHONPATH", packages(&server.data_dir(), &["httpx", "h2", "websockets"]));
    command.env("PYTHONDONTWRITEBYTECODE", "1");
    let output = tokio::task::spawn_blocking(move || command.output()).await.unwrap().unwrap();
    let (said, wrong) = (String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr));
    assert!(output.status.success() && said == "well\n", "{client}: {said}{wrong}");
}

#[tokio::test]
async fn the_clients_of_others_notice_nothing() {
    let server = Guest::arrive().await;
    let (_, preview) = started(&server).await;
    satisfied(&server, "with_websockets.py", &preview).await;
    satisfied(&server, "with_httpx.py", &preview).await;
}

#[tokio::test]
async fn curl_notices_nothing() {
    let server = Guest::arrive().await;
    let (_, preview) = started(&server).await;
    let file = std::env::temp_dir().join(crate::harness::unique("previewd-curl"));
    std::fs::write(&file, vec![b'x'; 3_000_000]).unwrap();
    let upload = format!("@{}", file.display());
    for version in ["--http1.1", "--http1.0", "--http2-prior-knowledge"] {
        let curl = |arguments: &[&str], path: &str| {
            let mut command = Command::new("curl");
            command.args(["-sS", "-m", "60", "--noproxy", "*", version, "-H"]);
            command.arg(format!("X-Preview-Token: {}", preview.token)).args(arguments);
            let output = command.arg(format!("{}{path}", preview.base_url)).output().unwrap();
            assert!(output.status.success(), "{version} {path}: {output:?}");
            output.stdout
        };
        let echoed = curl(&[], "/echo/x?y=z");
        let echoed: serde_json::Value = serde_json::from_slice(&echoed).unwrap();
        assert_eq!((&echoed["path"], &echoed["query"]), (&json!("/echo/x"), &json!("y=z")));
        let sent = curl(&["--data-binary", &upload], "/echo/up");
        assert_eq!(serde_json::from_slice::<serde_json::Value>(&sent).unwrap()["size"], 3_000_000);
        if version != "--http1.0" {
            let sent = curl(&["-T", file.to_str().unwrap(), "-H", "Transfer-Encoding: chunked"], "/echo/up");
            assert_eq!(serde_json::from_slice::<serde_json::Value>(&sent).unwrap()["size"], 3_000_000);
        }
        assert_eq!(curl(&[], "/bytes/2000000").len(), 2_000_000);
        let head = String::from_utf8(curl(&["-I"], "/echo/x")).unwrap().to_ascii_lowercase();
        assert!(head.contains(" 200") && head.contains("content-length: "), "{head}");
    }
    std::fs::remove_file(file).unwrap();
}

fn socket_address(preview: &Preview) -> String {
    format!("{}/told?preview_token={}", preview.base_url.replace("http", "ws"), preview.token)
}

/// The code with which the other side closes.
async fn closed(address: &str, what: impl Future) -> Option<u16> {
    let (mut socket, _) = tokio_tungstenite::connect_async(address).await.unwrap();
    what.await;
    let end = async {
        loop {
            match socket.next().await {
                Some(Ok(Message::Close(frame))) => return frame.map(|frame| frame.code.into()),
                Some(Ok(_)) => {}
                Some(Err(_)) | None => return None,
            }
        }
    };
    tokio::time::timeout(PATIENCE, end).await.expect("an end of the connection")
}

/// "Service restart": what uvicorn says when it is asked to end.
const RESTART: Option<u16> = Some(1012);

#[tokio::test]
async fn a_websocket_is_closed_in_order_when_its_preview_ends() {
    let server = Guest::arrive().await;
    let (app, preview) = started(&server).await;
    // The code is exchanged.
    let new = directory("tests/apps/sockets")["app/main.py"].as_str().unwrap().replace("s 1", "s 2");
    let edit = json!({ "files": { "app/main.py": new } });
    let edited = async { app.user.patch(&app.path("/files"), &edit).await.expect(200) };
    assert_eq!(closed(&socket_address(&preview), edited).await, RESTART);
    // It is stopped.
    let stopped = async { app.stop().await.expect(200) };
    assert_eq!(closed(&socket_address(&preview), stopped).await, RESTART);
    // It dies: there is nobody to say anything, but the connection ends.
    let app = server.user().upload(&probe_with_websockets()).await;
    let preview = app.launch().await;
    let address = format!("{}/ws?preview_token={}", preview.base_url.replace("http", "ws"), preview.token);
    let killed = async { preview.call(Method::GET, "/kill").send().await };
    assert_eq!(closed(&address, killed).await, None);
}

#[tokio::test]
async fn a_websocket_is_closed_in_order_when_its_previews_time_is_over() {
    let server = Server::with(&[("SESSION_TIMEOUT", "12")]).await;
    // It imports nothing: a launch takes a small part of its time on any machine.
    let files = asgi(
        "
async def told(receive, send):
    await send({'type': 'websocket.accept'})
    while (await receive())['type'] != 'websocket.disconnect':
        pass
",
    );
    let source = files["app/main.py"].as_str().unwrap();
    let door =
        "    if scope['type'] == 'websocket':\n        return await told(receive, send)\n    assert scope";
    let source = source.replace("    assert scope", door);
    let files = json!({ "app/main.py": source, "requirements.txt": WITH_WEBSOCKETS });
    let app = server.user("ana").upload(&files).await;
    let preview = app.launch().await;
    assert_eq!(closed(&socket_address(&preview), async {}).await, RESTART);
    app.until_status("gone").await;
}

#[tokio::test]
async fn what_is_no_frame_is_the_applications_to_refuse() {
    let server = Guest::arrive().await;
    let (_, preview) = started(&server).await;
    let key = BASE64_STANDARD.encode([7; 16]);
    let head = format!(
        "GET /told HTTP/1.1\r\nHost: localhost\r\nX-Preview-Token: {}\r\nConnection: keep-alive, Upgrade\r\n\
         Upgrade: websocket\r\nSec-WebSocket-Version: 13\r\nSec-WebSocket-Key: {key}\r\n\r\n",
        preview.token
    );
    // Reserved bits, a reserved opcode, no mask, a long ping, text that is none: each a frame with an empty mask.
    let long_ping = [&[0x89, 0xFE, 0, 126][..], &[0; 130]].concat();
    let wrong: [(&[u8], u16); 5] = [
        (&[0xF1, 0x80, 0, 0, 0, 0], 1002),
        (&[0x83, 0x80, 0, 0, 0, 0], 1002),
        (&[0x81, 0x01, b'x'], 1002),
        (&long_ping, 1002),
        (&[0x81, 0x81, 0, 0, 0, 0, 0xFF], 1007),
    ];
    for (frame, code) in wrong {
        let mut stream =
            TcpStream::connect(SocketAddr::from(([127, 0, 0, 1], preview.port()))).await.unwrap();
        stream.write_all(head.as_bytes()).await.unwrap();
        stream.write_all(frame).await.unwrap();
        let answer = async {
            let mut came = Vec::new();
            while !came.ends_with(b"\r\n\r\n") {
                came.push(stream.read_u8().await.unwrap());
            }
            let mut close = [0; 4];
            stream.read_exact(&mut close).await.unwrap();
            close
        };
        let close = tokio::time::timeout(PATIENCE, answer).await.expect("a frame");
        assert_eq!(close[0], 0x88, "{frame:x?}: {close:x?}");
        assert_eq!(u16::from_be_bytes([close[2], close[3]]), code, "{frame:x?}: {close:x?}");
    }
}
