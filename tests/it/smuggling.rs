//! Requests as bytes that a well-behaved client would not send: the application never sees two where one was sent.

use std::net::SocketAddr;

use serde_json::{Value, json};

use crate::harness::{Generation, Guest, Preview, probe, raw_head};

/// How each begins; the token comes with it.
fn head(preview: &Preview, line: &str) -> String {
    format!("{line}\r\nHost: localhost:{}\r\nX-Preview-Token: {}\r\n", preview.port(), preview.token)
}

/// What the application was asked since the last look.
async fn seen(app: &Generation, after: &mut u64) -> Vec<Value> {
    let page = app.get("/preview/requests?limit=500").await.expect(200);
    let all = page["requests"].as_array().unwrap();
    let new: Vec<_> = all.iter().filter(|r| r["id"].as_u64().unwrap() > *after).cloned().collect();
    *after = all.first().map_or(*after, |r| r["id"].as_u64().unwrap());
    new
}

#[tokio::test]
async fn nothing_is_smuggled_in_a_body() {
    let server = Guest::arrive().await;
    let app = server.user().upload(&probe()).await;
    let preview = app.launch().await;
    let address = SocketAddr::from(([127, 0, 0, 1], preview.port()));
    let inner = "GET /env HTTP/1.1\r\nHost: x\r\n\r\n";
    let chunked = format!("0\r\n\r\n{inner}");
    // Headers after the first lines, the body, and whether the request may reach the application at all.
    let corpus: Vec<(String, String)> = vec![
        (format!("Content-Length: {}\r\nTransfer-Encoding: chunked\r\n", chunked.len()), chunked.clone()),
        (format!("Transfer-Encoding: chunked\r\nContent-Length: {}\r\n", chunked.len()), chunked.clone()),
        (format!("Content-Length: 0\r\nContent-Length: {}\r\n", inner.len()), inner.to_owned()),
        (format!("Content-Length: {}, 0\r\n", inner.len()), inner.to_owned()),
        (format!("Content-Length: +{}\r\n", inner.len()), inner.to_owned()),
        (format!("Content-Length: {}\r\n", "-1"), inner.to_owned()),
        ("Content-Length: 99999999999999999999\r\n".to_owned(), inner.to_owned()),
        (format!("Content-Length : {}\r\n", inner.len()), inner.to_owned()),
        ("Transfer-Encoding : chunked\r\n".to_owned(), chunked.clone()),
        ("Transfer-Encoding: xchunked\r\n".to_owned(), chunked.clone()),
        ("Transfer-Encoding: chunked, identity\r\n".to_owned(), chunked.clone()),
        ("Transfer-Encoding:\x0bchunked\r\n".to_owned(), chunked.clone()),
        ("Transfer-Encoding: identity\r\nTransfer-Encoding: chunked, x\r\n".to_owned(), chunked.clone()),
        ("X: y\r\n Transfer-Encoding: chunked\r\n".to_owned(), chunked.clone()),
        ("X: y\nTransfer-Encoding: x\r\n".to_owned(), chunked.clone()),
        ("X: y\rTransfer-Encoding: chunked\r\n".to_owned(), chunked.clone()),
        ("X: \0y\r\n".to_owned(), String::new()),
        ("Transfer-Encoding: chunked\r\n".to_owned(), format!("-1\r\n{inner}")),
        ("Transfer-Encoding: chunked\r\n".to_owned(), format!("FFFFFFFFFFFFFFFFF\r\n{inner}")),
        ("Transfer-Encoding: chunked\r\n".to_owned(), format!("0x5\r\nhello\r\n0\r\n\r\n{inner}")),
        ("Transfer-Encoding: chunked\r\n".to_owned(), format!("5\r\nhelloX\r\n0\r\n\r\n{inner}")),
        ("Transfer-Encoding: chunked\r\n".to_owned(), format!("5\nhello\n0\n\n{inner}")),
        (format!("X: {}\r\n", "y".repeat(200_000)), String::new()),
        ("X: y\r\n".repeat(500), String::new()),
        (
            format!(
                "Upgrade: h2c\r\nHTTP2-Settings: AAMAAABk\r\nConnection: Upgrade, HTTP2-Settings\r\nContent-Length: {}\r\n",
                inner.len()
            ),
            inner.to_owned(),
        ),
    ];
    let mut after = 0;
    for (headers, body) in corpus {
        let request =
            format!("{}{headers}Connection: close\r\n\r\n{body}", head(&preview, "POST /echo/one HTTP/1.1"));
        let (status, _) = raw_head(address, request.as_bytes()).await;
        let asked = seen(&app, &mut after).await;
        let shown = &headers[..headers.len().min(80)];
        assert!(asked.len() <= 1, "{shown:?}: {asked:?}");
        assert!(asked.iter().all(|r| r["path"] == "/echo/one"), "{shown:?}: {asked:?}");
        // Also by the application's own word, which the history is not.
        let log = app.log().await;
        assert!(!log.iter().any(|line| line["source"] == "request" && line["path"] == "/env"), "{shown:?}");
        assert!(status == 200 || (400..600).contains(&status), "{shown:?}: {status}");
    }
    for line in [
        "GET  /echo/two HTTP/1.1",
        "GET /echo/two HTTP/1.1 x",
        "GET /echo/two\tHTTP/1.1",
        "GET /a b HTTP/1.1",
        "GET /echo/two HTTP/3.0",
        "G\0T / HTTP/1.1",
        "CONNECT evil:80 HTTP/1.1",
    ] {
        let request = format!("{}Connection: close\r\n\r\n", head(&preview, line));
        let (status, _) = raw_head(address, request.as_bytes()).await;
        assert!((400..600).contains(&status), "{line:?}: {status}");
        assert_eq!(seen(&app, &mut after).await, Vec::<Value>::new(), "{line:?}");
    }
    // Nobody takes off what we add, and nobody calls another host in its place.
    let request = format!(
        "{}Connection: close, x-forwarded-for, x-forwarded-proto, host, x-request-id\r\nForwarded: for=6.6.6.6\r\n\r\n",
        head(&preview, "GET http://evil.example/echo HTTP/1.1")
    );
    let (status, answer) = raw_head(address, request.as_bytes()).await;
    let echoed: Value = serde_json::from_str(answer.split_once("\r\n\r\n").unwrap().1).unwrap();
    let headers = echoed["headers"].as_array().unwrap();
    assert_eq!((status, &echoed["client"]), (200, &json!("127.0.0.1")), "{echoed}");
    assert!(headers.contains(&json!(["x-forwarded-proto", "http"])), "{echoed}");
    assert!(
        headers.iter().any(|pair| pair[0] == "host") && !headers.iter().any(|pair| pair[0] == "forwarded")
    );
}
