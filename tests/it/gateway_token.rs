//! The door of a preview's own address.

use reqwest::Method;
use serde_json::Value;

use crate::harness::{Answer, Generation, Guest, Preview, asgi, probe};

async fn started(server: &Guest) -> (Generation, Preview) {
    let app = server.user().upload(&probe()).await;
    let preview = app.launch().await;
    (app, preview)
}

async fn send(call: reqwest::RequestBuilder) -> Answer {
    Answer::of(call.send().await.unwrap()).await
}

fn header<'a>(echoed: &'a Value, name: &str) -> Option<&'a str> {
    let mut headers = echoed["headers"].as_array().unwrap().iter();
    headers.find(|pair| pair[0] == name).map(|pair| pair[1].as_str().unwrap())
}

#[tokio::test]
async fn the_token_opens_it_and_is_taken_off() {
    let server = Guest::arrive().await;
    let (_, preview) = started(&server).await;
    let get = || preview.anonymous(Method::GET, "/echo");
    let echoed = send(get().header("x-preview-token", &preview.token)).await.expect(200);
    assert_eq!(header(&echoed, "x-preview-token"), None);
    let echoed = send(get().bearer_auth(&preview.token)).await.expect(200);
    assert_eq!(header(&echoed, "authorization"), None);
    // The application's own Authorization stays, where another thing opens the door.
    let call = get().header("x-preview-token", &preview.token).bearer_auth("the application's own");
    assert_eq!(header(&send(call).await.expect(200), "authorization"), Some("Bearer the application's own"));
    assert!(!echoed.to_string().contains(&preview.token));
}

#[tokio::test]
async fn without_the_token_nothing_of_the_application_shows() {
    let server = Guest::arrive().await;
    let user = server.user();
    let (app, other) = (user.upload(&probe()).await, user.upload(&asgi("")).await);
    let (preview, others) = (app.launch().await, other.launch().await);
    let calls = [
        preview.anonymous(Method::GET, "/echo"),
        preview.anonymous(Method::POST, "/health"),
        preview.anonymous(Method::GET, "/health/"),
        preview.anonymous(Method::GET, "/echo").header("x-preview-token", ""),
        preview.anonymous(Method::GET, "/echo").header("x-preview-token", "guess"),
        preview.anonymous(Method::GET, "/echo").header("x-preview-token", &others.token),
        preview.anonymous(Method::GET, "/health").header("x-preview-token", "guess"),
        preview.anonymous(Method::GET, "/echo").bearer_auth(&others.token),
        preview.anonymous(Method::GET, "/echo").bearer_auth(&app.user.token),
        preview.anonymous(Method::GET, &format!("/echo?preview_token={}", others.token)),
        preview.anonymous(Method::GET, "/echo").header("cookie", format!("preview_token={}", preview.token)),
    ];
    for call in calls {
        let told = format!("{call:?}");
        let answer = send(call).await;
        assert_eq!(answer.status, 403, "{told}: {}", answer.text());
        answer.error(403, "invalid_preview_token");
    }
    // A token ends with its preview.
    app.stop().await.expect(200);
    let again = app.launch().await;
    let call = again.anonymous(Method::GET, "/echo").header("x-preview-token", &preview.token);
    send(call).await.error(403, "invalid_preview_token");
}

#[tokio::test]
async fn a_browser_trades_the_token_for_a_cookie() {
    let server = Guest::arrive().await;
    let (_, preview) = started(&server).await;
    let path = format!("/echo/page?a=1&preview_token={}&b=%20", preview.token);
    let answer = send(preview.anonymous(Method::GET, &path)).await;
    assert!((300..400).contains(&answer.status), "{}", answer.status);
    assert_eq!(answer.header("location"), Some("/echo/page?a=1&b=%20"));
    let cookie = answer.header("set-cookie").unwrap().to_owned();
    for attribute in ["HttpOnly", "SameSite=Lax", "Path=/"] {
        assert!(cookie.contains(attribute), "{cookie}");
    }
    let pair = cookie.split(';').next().unwrap();
    let cookies = format!("mine=1; {pair}; preview_token_of_another=2; theme=dark");
    let echoed =
        send(preview.anonymous(Method::GET, "/echo/page").header("cookie", cookies)).await.expect(200);
    assert_eq!(header(&echoed, "cookie"), Some("mine=1; theme=dark"), "those of all previews are taken off");

    // Nowhere else than to this origin.
    for path in ["//evil.example/x", "/\\evil.example"] {
        let address = format!("{path}?preview_token={}", preview.token);
        let host = preview.base_url.strip_prefix("http://").unwrap();
        let request = format!("GET {address} HTTP/1.1\r\nHost: {host}\r\nConnection: close\r\n\r\n");
        let socket = std::net::SocketAddr::from(([127, 0, 0, 1], preview.port()));
        let (status, head) = crate::harness::raw_head(socket, request.as_bytes()).await;
        let location = head
            .lines()
            .find_map(|line| line.to_ascii_lowercase().strip_prefix("location: ").map(str::to_owned));
        assert!(
            location.as_deref().is_none_or(|l| !l.starts_with("//") && !l.starts_with("/\\")),
            "{status} {head}"
        );
    }
    // A form that is posted would lose its body in a redirect: it is let through, without the token.
    let call =
        preview.anonymous(Method::POST, &format!("/echo?preview_token={}", preview.token)).body("kept");
    let echoed = send(call).await.expect(200);
    assert_eq!((&echoed["query"], &echoed["body"]), (&Value::from(""), &Value::from("a2VwdA==")));
}

#[tokio::test]
async fn the_health_check_needs_no_token_and_shows_nothing() {
    let server = Guest::arrive().await;
    let (_, preview) = started(&server).await;
    let url = preview.body["healthCheckUrl"].as_str().unwrap();
    let path = url.strip_prefix(&preview.base_url).unwrap();
    let answer = send(preview.anonymous(Method::GET, path)).await;
    assert_eq!(answer.status, 200);
    assert!(!answer.text().contains("the application"), "{}", answer.text());
    assert_eq!(send(preview.anonymous(Method::HEAD, path)).await.status, 200);
    assert_eq!(
        preview.get(path).await.expect(200)["by"],
        "the application",
        "with the token the app answers"
    );
}
