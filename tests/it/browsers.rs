//! What pages of strangers can make a browser do to us: a name pointed at this machine, calls from other origins, frames.

use std::net::SocketAddr;

use http_body_util::{BodyExt, Empty};
use hyper::Request;
use hyper::body::Bytes;
use hyper_util::rt::{TokioExecutor, TokioIo};
use reqwest::Method;
use serde_json::{Value, json};

use crate::harness::{Answer, Guest, Preview, Server, User, asgi, raw, raw_head};

const BROWSER: &str = "text/html,application/xhtml+xml,*/*;q=0.8";

/// A call of the server's own address by another name.
async fn called(user: &User, path: &str, host: &str) -> Answer {
    user.send(user.call(Method::GET, path).header("host", host)).await
}

/// The same of a preview's.
async fn opened(preview: &Preview, path: &str, host: &str) -> Answer {
    Answer::of(preview.call(Method::GET, path).header("host", host).send().await.unwrap()).await
}

/// The answer in HTTP/2, where the target names the host.
async fn over_http2(address: SocketAddr, uri: &str, more: &[(&str, &str)]) -> u16 {
    let stream = tokio::net::TcpStream::connect(address).await.unwrap();
    let io = TokioIo::new(stream);
    let (mut sender, connection) =
        hyper::client::conn::http2::handshake(TokioExecutor::new(), io).await.unwrap();
    tokio::spawn(connection);
    let mut request = Request::get(uri);
    for (name, value) in more {
        request = request.header(*name, *value);
    }
    let answer = sender.send_request(request.body(Empty::<Bytes>::new()).unwrap()).await.unwrap();
    let status = answer.status().as_u16();
    answer.into_body().collect().await.unwrap();
    status
}

#[track_caller]
fn refused(answer: &Answer) {
    let body = answer.error(400, "invalid_request");
    assert_eq!(body["details"]["field"], "Host", "{body}");
    assert!(body["message"].as_str().unwrap().contains("PREVIEW_ALLOWED_HOSTS"), "{body}");
}

#[tokio::test]
async fn a_name_that_a_stranger_points_at_us_opens_nothing() {
    let server = Guest::arrive().await;
    let user = server.user();
    let app = user.upload(&asgi("")).await;
    let preview = app.launch().await;
    let port = server.address().port();
    for host in ["localhost".to_owned(), format!("127.0.0.1:{port}"), format!("[::1]:{port}")] {
        called(&user, "/api/projects", &host).await.expect(200);
        assert_eq!(opened(&preview, "/x", &host).await.text(), "you asked for /x", "{host}");
    }
    for host in ["evil.example", &format!("evil.example:{port}"), "localhost.evil.example"] {
        for path in ["/api/projects", "/", "/docs", "/openapi.json", "/metrics", "/api/nothing"] {
            refused(&called(&user, path, host).await);
        }
        // Whoever has a preview's token may call it as they like; its pages see the name.
        assert_eq!(opened(&preview, "/x", host).await.text(), "you asked for /x", "{host}");
        // Those who balance load call as they are told to.
        called(&user, "/healthz", host).await.expect(200);
        called(&user, "/readyz", host).await.expect(200);
    }
    // The name that a proxy says it was called by is nobody's word.
    let claimed = user.call(Method::GET, "/api/projects").header("host", "evil.example");
    refused(&user.send(claimed.header("x-forwarded-host", "localhost")).await);
    let page = user.call(Method::GET, "/").header("host", "evil.example").header("accept", BROWSER);
    let page = user.send(page).await;
    assert_eq!((page.status, page.header("content-type")), (400, Some("text/html; charset=utf-8")));
    assert!(
        page.text().contains("PREVIEW_ALLOWED_HOSTS") && !page.text().contains("<script"),
        "{}",
        page.text()
    );
    app.stop().await.expect(200);
}

#[tokio::test]
async fn however_the_name_is_sent() {
    let server = Guest::arrive().await;
    let user = server.user();
    let address = server.address();
    let bearer = format!("Bearer {}", user.token);
    let told = [("authorization", bearer.as_str())];
    let uri = |host: &str| format!("http://{host}/api/projects");
    assert_eq!(over_http2(address, &uri("localhost"), &told).await, 200);
    assert_eq!(over_http2(address, &uri("evil.example"), &told).await, 400);
    let both = [told[0], ("host", "localhost")];
    assert_eq!(over_http2(address, &uri("evil.example"), &both).await, 400);
    let get = |line: &str, headers: &str| {
        format!("GET {line}\r\n{headers}Authorization: {bearer}\r\nConnection: close\r\n\r\n").into_bytes()
    };
    for (line, headers, status) in [
        ("/api/projects HTTP/1.1", "Host: localhost\r\n", 200),
        ("/api/projects HTTP/1.1", "", 400),
        ("/api/projects HTTP/1.1", "Host:\r\n", 400),
        ("/api/projects HTTP/1.1", "Host: localhost\r\nHost: evil.example\r\n", 400),
        ("/api/projects HTTP/1.1", "Host: evil.example\r\nHost: localhost\r\n", 400),
        ("http://evil.example/api/projects HTTP/1.1", "Host: localhost\r\n", 400),
        ("http://localhost/api/projects HTTP/1.1", "Host: localhost\r\n", 200),
        ("/api/projects HTTP/1.0", "", 200),
        ("/api/projects HTTP/1.0", "Host: evil.example\r\n", 400),
    ] {
        let (got, body) = raw(address, &get(line, headers)).await;
        assert_eq!(got, status, "{line} {headers}: {body}");
        let error: Value =
            if got == 200 { json!({ "message": "" }) } else { serde_json::from_str(&body).unwrap() };
        assert!(error["message"].is_string(), "{error}");
    }
}

#[tokio::test]
async fn names_and_origins_that_the_operator_sets_are_served() {
    let settings = [
        ("ALLOWED_HOSTS", "previews.example.com,*.apps.example.com"),
        ("ALLOWED_ORIGINS", "https://app.example.com, http://localhost:5173"),
    ];
    let server = Server::with(&settings).await;
    let user = server.user("ana");
    called(&user, "/api/projects", "previews.example.com:443").await.expect(200);
    called(&user, "/api/projects", "x.apps.example.com").await.expect(200);
    refused(&called(&user, "/api/projects", "example.com").await);

    let from =
        |origin: &str, method: Method| user.call(method, "/api/projects").header("origin", origin.to_owned());
    for origin in ["https://app.example.com", "http://localhost:5173"] {
        let answer = user.send(from(origin, Method::GET)).await;
        assert_eq!(answer.header("access-control-allow-origin"), Some(origin));
        assert_eq!(
            (answer.header("vary"), answer.header("access-control-allow-credentials")),
            (Some("origin"), None)
        );
        // Errors can be read, too.
        let call = user.client().get(format!("http://{}/api/previews", server.address()));
        let refusal = user.send(call.header("origin", origin)).await;
        refusal.error(401, "unauthorized");
        assert_eq!(refusal.header("access-control-allow-origin"), Some(origin));
        let ask = from(origin, Method::OPTIONS).header("access-control-request-method", "PATCH");
        let granted = user.send(ask.header("access-control-request-headers", "authorization")).await;
        assert_eq!(granted.status, 204);
        assert!(granted.header("access-control-allow-headers").unwrap().contains("authorization"));
        assert!(granted.header("access-control-allow-methods").unwrap().contains("PATCH"));
    }
    for origin in
        ["https://evil.example", "null", "https://app.example.com.evil.example", "http://app.example.com"]
    {
        let answer = user.send(from(origin, Method::GET)).await;
        assert_eq!((answer.status, answer.header("access-control-allow-origin")), (200, None), "{origin}");
        let ask = from(origin, Method::OPTIONS).header("access-control-request-method", "POST");
        let ask = user.send(ask).await;
        assert_eq!((ask.status, ask.header("access-control-allow-origin")), (405, None), "{origin}");
    }
}

#[tokio::test]
async fn a_previews_page_cannot_call_the_api() {
    let server = Server::start().await;
    let app = server.user("ana").upload(&asgi("")).await;
    let preview = app.launch().await;
    // As its page would: without the person's token, which no page of it ever sees, and with all that it has itself.
    let call = |method: Method, rest: &str| {
        let url = format!("http://{}{rest}", server.address());
        let call = app.user.client().request(method, url).header("origin", preview.base_url.clone());
        let cookie = format!("preview_token_{}={}", preview.id.trim_start_matches("preview_"), preview.token);
        call.header("cookie", cookie).header("x-preview-token", preview.token.clone())
    };
    for (method, rest) in [
        (Method::GET, "/api/projects".to_owned()),
        (Method::DELETE, app.path("/preview")),
        (Method::POST, app.path("/preview/launch")),
        (Method::GET, app.path("/preview/logs/stream")),
    ] {
        let answer = app.user.send(call(method, &rest)).await;
        answer.error(401, "unauthorized");
        assert_eq!(answer.header("access-control-allow-origin"), None);
    }
    let asked = call(Method::OPTIONS, "/api/projects").header("access-control-request-method", "POST");
    let asked = app.user.send(asked).await;
    assert!(asked.status == 405 && asked.header("access-control-allow-origin").is_none(), "{}", asked.status);
    // Nobody can allow it by mistake.
    for origin in [preview.base_url.clone(), format!("http://127.0.0.1:{}", preview.port())] {
        let mut other = server.command(&["check", "."]);
        let output = other.env("PREVIEW_ALLOWED_ORIGINS", &origin).output().unwrap();
        let said = String::from_utf8_lossy(&output.stderr).into_owned();
        assert!(!output.status.success() && said.contains("PREVIEW_ALLOWED_ORIGINS"), "{origin}: {said}");
    }
    app.stop().await.expect(200);
}

/// Every answer of ours, whatever it is.
#[tokio::test]
async fn nothing_of_ours_is_framed_guessed_at_or_told_to_others() {
    let server = Guest::arrive().await;
    let app = server.user().upload(&asgi("")).await;
    let pages =
        ["/", "/g/gen_x", "/docs", "/openapi.json", "/healthz", "/metrics", "/api/projects", "/api/nothing"];
    for path in pages.map(str::to_owned).into_iter().chain([app.path("/files/app/main.py"), app.path("")]) {
        let answer = app.user.send(app.user.call(Method::GET, &path).header("accept", BROWSER)).await;
        for (name, part) in [
            ("x-content-type-options", "nosniff"),
            ("x-frame-options", "DENY"),
            ("referrer-policy", "no-referrer"),
            ("content-security-policy", "default-src 'none'"),
            ("cross-origin-opener-policy", "same-origin"),
            ("cross-origin-resource-policy", "same-origin"),
        ] {
            assert!(
                answer.header(name).is_some_and(|value| value.contains(part)),
                "{path}: {:?}",
                answer.headers
            );
        }
        let policy = answer.header("content-security-policy").unwrap();
        assert!(
            policy.contains("frame-ancestors 'none'") || policy.starts_with("sandbox"),
            "{path}: {policy}"
        );
        assert!(!policy.contains("script-src 'unsafe") && !policy.contains('*'), "{path}: {policy}");
        assert_eq!((answer.header("set-cookie"), answer.header("server")), (None, None), "{path}");
    }
    let options =
        b"OPTIONS /api/projects HTTP/1.1\r\nHost: localhost\r\nOrigin: null\r\nConnection: close\r\n\r\n";
    let (_, head) = raw_head(server.address(), options).await;
    assert!(!head.to_ascii_lowercase().contains("access-control"), "{head}");
}
