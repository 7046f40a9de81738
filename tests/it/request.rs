//! Requests through the API.

use serde_json::{Value, json};

use crate::harness::{Generation, Guest, Preview, Server, asgi, probe};

async fn started() -> (Guest, Generation, Preview) {
    let server = Guest::arrive().await;
    let app = server.user().upload(&probe()).await;
    let preview = app.launch().await;
    (server, app, preview)
}

fn header<'a>(echoed: &'a Value, name: &str) -> Option<&'a str> {
    let mut headers = echoed["headers"].as_array().unwrap().iter();
    headers.find(|pair| pair[0] == name).map(|pair| pair[1].as_str().unwrap())
}

#[tokio::test]
async fn what_is_sent_is_what_arrives() {
    let (_server, app, preview) = started().await;
    let send = async |body: &Value| app.request(&preview, body).await.expect(200);
    let query = json!({ "a": [1, "zwei", true], "b": "x y&z", "empty": "" });
    let echoed =
        send(&json!({ "method": "PUT", "path": "/echo/a b/ü%2F", "query": query, "body": { "k": [1, null] },
        "headers": { "X-Own": "1", "X-Preview-Token": preview.token, "Accept": "x/y" } }))
        .await;
    assert_eq!(
        (&echoed["statusCode"], &echoed["truncated"], &echoed["dataEncoding"]),
        (&json!(200), &json!(false), &json!("json"))
    );
    assert!(
        echoed["durationMs"].as_f64().unwrap() > 0.0 && !echoed["requestId"].as_str().unwrap().is_empty()
    );
    let seen = &echoed["data"];
    assert_eq!((&seen["method"], &seen["path"]), (&json!("PUT"), &json!("/echo/a%20b/%C3%BC%2F")));
    let mut pairs: Vec<_> = seen["query"].as_str().unwrap().split('&').collect();
    pairs.sort_unstable();
    assert_eq!(pairs, ["a=1", "a=true", "a=zwei", "b=x+y%26z", "empty="]);
    assert_eq!((header(seen, "x-own"), header(seen, "accept")), (Some("1"), Some("x/y")));
    assert_eq!(header(seen, "x-preview-token"), None, "never passed on");
    assert_eq!(header(seen, "content-type"), Some("application/json"));
    assert_eq!(seen["body"], "eyJrIjpbMSxudWxsXX0=");

    let bodies = [
        (json!({ "bodyEncoding": "text", "body": "hé" }), "aMOp", "text/plain; charset=utf-8"),
        (json!({ "bodyEncoding": "base64", "body": "AP8=" }), "AP8=", "application/octet-stream"),
        (
            json!({ "bodyEncoding": "form", "body": { "a": "1 2", "b": 3 } }),
            "YT0xKzImYj0z",
            "application/x-www-form-urlencoded",
        ),
        (json!({ "bodyEncoding": "json", "body": "text" }), "InRleHQi", "application/json"),
        (json!({ "body": 0 }), "MA==", "application/json"),
        (json!({ "body": "x", "headers": { "content-type": "a/b" } }), "Ingi", "a/b"),
    ];
    for (mut body, expected, kind) in bodies {
        body["method"] = json!("POST");
        body["path"] = json!("/echo");
        let echoed = send(&body).await;
        assert_eq!(
            (&echoed["data"]["body"], header(&echoed["data"], "content-type")),
            (&json!(expected), Some(kind)),
            "{body}"
        );
    }
}

#[tokio::test]
async fn what_is_answered_is_what_comes_back() {
    let (_server, app, preview) = started().await;
    let get = async |path: &str| app.fetch(&preview, path).await;
    let binary = get("/binary").await;
    assert_eq!(binary["dataEncoding"], "base64");
    assert!(binary["data"].as_str().unwrap().starts_with("AAECAwQF"), "{binary}");
    let text = get("/text").await;
    assert_eq!((&text["dataEncoding"], &text["data"]), (&json!("text"), &json!("grüß Gott")));
    let broken = get("/broken.json").await;
    assert_eq!((&broken["dataEncoding"], &broken["data"]), (&json!("text"), &json!("{\"half\": ")));
    for status in [201, 404, 418, 500, 503] {
        let answer = get(&format!("/status/{status}")).await;
        assert_eq!(
            (&answer["statusCode"], &answer["data"]),
            (&json!(status), &json!(format!("status {status}")))
        );
    }
    assert_eq!(get("/empty").await["statusCode"], 204);
    let cookies = get("/cookies").await;
    assert_eq!(cookies["headers"]["set-cookie"].as_array().unwrap().len(), 2, "{cookies}");
    assert!(cookies["headers"]["content-type"].is_string());
    let redirect = get("/redirect").await;
    assert_eq!(
        (&redirect["statusCode"], &redirect["headers"]["location"]),
        (&json!(302), &json!("/elsewhere"))
    );
    let outside =
        json!({ "method": "GET", "path": "/redirect", "query": { "to": "http://169.254.169.254/" } });
    assert_eq!(app.request(&preview, &outside).await.expect(200)["statusCode"], 302, "shown, not followed");
    assert_eq!(get("/crash").await["statusCode"], 500);
    let head = json!({ "method": "HEAD", "path": "/text" });
    assert_eq!(app.request(&preview, &head).await.expect(200)["statusCode"], 405);
}

#[tokio::test]
async fn a_path_stays_in_the_preview() {
    let (server, app, preview) = started().await;
    let api = server.address();
    let authority = format!("@{api}/healthz");
    let absolute = format!("http://{api}/healthz");
    let two_slashes = format!("//{api}/healthz");
    let attacks = [
        "",
        "health",
        "@evil/x",
        &authority,
        &absolute,
        &two_slashes,
        "/../x",
        "/a/../../x",
        "/a/..",
        "/%2e%2e/x",
        "/.%2e/x",
        "/%2E%2E%2Fx",
        "/a%2f..%2fx",
        "/%252e%252e/x",
        "/a\\..\\x",
        "/%5c..%5cx",
        "/a\r\nHost: evil",
        "/a b\nX: y",
        "/%0d%0aX:%20y",
        "/a\u{0}",
        "/%00",
        "/a#b",
        "/a?b=c",
        "\u{7f}/",
        "/\u{7f}",
        "/\u{85}",
        "*",
    ];
    for path in attacks {
        let answer = app.request(&preview, &json!({ "method": "GET", "path": path })).await;
        assert_eq!(answer.status, 400, "{path:?}: {}", answer.text());
        assert_eq!(answer.error(400, "invalid_request")["details"]["field"], "path", "{path:?}");
    }
    for path in [
        "/echo/@evil",
        "/echo/a:80",
        "/echo/a..b",
        "/echo/...",
        "/echo/%20",
        "/echo//x",
        "/echo/%",
        "/echo/%zz",
    ] {
        let answer = app.request(&preview, &json!({ "method": "GET", "path": path })).await.expect(200);
        assert_eq!((&answer["statusCode"], &answer["data"]["path"]), (&json!(200), &json!(path)));
    }
}

#[tokio::test]
async fn a_request_that_cannot_be_meant_is_refused() {
    let (_server, app, preview) = started().await;
    let with = |extra: Value| {
        let mut body = json!({ "method": "POST", "path": "/echo" });
        body.as_object_mut().unwrap().extend(extra.as_object().unwrap().clone());
        body
    };
    let wrong = [
        (json!({ "path": "/" }), "method"),
        (json!({ "method": "GET" }), "path"),
        (with(json!({ "method": "G T" })), "method"),
        (with(json!({ "method": "CONNECT" })), "method"),
        (with(json!({ "method": "" })), "method"),
        (with(json!({ "query": { "a": { "b": 1 } } })), "query"),
        (with(json!({ "query": { "a": [[1]] } })), "query"),
        (with(json!({ "headers": { "a b": "c" } })), "headers"),
        (with(json!({ "headers": { "a": "b\r\nc: d" } })), "headers"),
        (with(json!({ "headers": { "": "c" } })), "headers"),
        (with(json!({ "bodyEncoding": "base64", "body": "?" })), "body"),
        (with(json!({ "bodyEncoding": "text", "body": {} })), "body"),
        (with(json!({ "bodyEncoding": "form", "body": "a=b" })), "body"),
    ];
    for (body, field) in wrong {
        let error = app.request(&preview, &body).await.error(400, "invalid_request");
        assert_eq!(error["details"]["field"], field, "{body}: {error}");
    }
    for body in [
        json!([]),
        json!("x"),
        with(json!({ "bodyEncoding": "xml" })),
        with(json!({ "query": 1 })),
        with(json!({ "path": 1 })),
    ] {
        app.request(&preview, &body).await.error(400, "invalid_request");
    }
    // Framing is ours: headers of the envelope change nothing about it.
    let smuggling = json!({ "headers": { "Content-Length": "3", "Transfer-Encoding": "chunked", "Connection": "upgrade",
        "Upgrade": "h2c", "Host": "evil.example", "X-Previewd-Probe": "guess" }, "body": "the whole body" });
    let echoed = app.request(&preview, &with(smuggling)).await.expect(200);
    assert_eq!(echoed["data"]["body"], "InRoZSB3aG9sZSBib2R5Ig==", "{echoed}");
    let host = preview.base_url.strip_prefix("http://").unwrap();
    assert_eq!(header(&echoed["data"], "host"), Some(host));
}

#[tokio::test]
async fn the_token_is_needed_and_checked() {
    let (_server, app, preview) = started().await;
    let mut body = json!({ "method": "GET", "path": "/health" });
    app.post("/preview/request", &body).await.error(403, "invalid_preview_token");
    body["headers"] = json!({ "x-preview-token": "guess" });
    app.post("/preview/request", &body).await.error(403, "invalid_preview_token");
    body["headers"] = json!({ "X-PREVIEW-TOKEN": preview.token });
    assert_eq!(app.post("/preview/request", &body).await.expect(200)["statusCode"], 200);
    app.stop().await.expect(200);
    let error = app.post("/preview/request", &body).await.error(503, "preview_unavailable");
    assert_eq!(error["statusCode"], 503);
}

#[tokio::test]
async fn bodies_have_a_limit_each_way() {
    const LIMIT: usize = 10 * 1024 * 1024;
    let (_server, app, preview) = started().await;
    let digest = |size: usize| json!({ "method": "POST", "path": "/digest", "bodyEncoding": "text", "body": "x".repeat(size) });
    assert_eq!(app.request(&preview, &digest(LIMIT)).await.expect(200)["data"]["size"], LIMIT);
    let error = app.request(&preview, &digest(LIMIT + 1)).await.error(413, "too_large");
    assert_eq!(error["details"]["limit"], LIMIT);
    app.request(&preview, &digest(2 * LIMIT)).await.error(413, "too_large");
    for (size, truncated) in [(LIMIT, false), (LIMIT + 1, true), (5 * LIMIT, true)] {
        let answer = app.fetch(&preview, &format!("/bytes/{size}")).await;
        assert_eq!(answer["truncated"], truncated, "{size}");
        assert_eq!(answer["data"].as_str().unwrap().len(), LIMIT.div_ceil(3) * 4);
    }
}

#[tokio::test]
async fn a_request_that_takes_too_long_is_given_up() {
    let server = Server::with(&[("REQUEST_TIMEOUT", "1")]).await;
    let app = server.user("ana").upload(&probe()).await;
    let preview = app.launch().await;
    let slow =
        app.request(&preview, &json!({ "method": "GET", "path": "/slow", "query": { "seconds": 30 } })).await;
    assert_eq!(slow.error(504, "request_timeout")["statusCode"], 504);
    assert_eq!(app.fetch(&preview, "/health").await["statusCode"], 200);
    // Through the preview's own address only its end cuts an answer.
    assert_eq!(preview.get("/slow?seconds=2").await.expect(200)["slept"], 2.0);
}

#[tokio::test]
async fn without_a_preview_there_is_nobody_to_ask() {
    let server = Guest::arrive().await;
    let app = server.user().upload(&asgi("")).await;
    let body = json!({ "method": "GET", "path": "/", "headers": { "X-Preview-Token": "any" } });
    let error = app.post("/preview/request", &body).await.error(503, "preview_unavailable");
    assert_eq!(error["statusCode"], 503);
}
