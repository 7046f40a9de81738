//! Calls that cannot be meant get the contract's error, whatever is wrong with them.

use reqwest::Method;
use serde_json::{Value, json};

use crate::harness::{Answer, Generation, Guest, asgi};

async fn send(app: &Generation, method: &str, rest: &str, kind: Option<&str>, body: &str) -> Answer {
    let mut call = app.user.call(Method::from_bytes(method.as_bytes()).unwrap(), &app.path(rest));
    if let Some(kind) = kind {
        call = call.header("content-type", kind);
    }
    app.user.send(call.body(body.to_owned())).await
}

#[tokio::test]
async fn unknown_addresses_and_methods_are_told_as_json() {
    let server = Guest::arrive().await;
    let app = server.user().upload(&asgi("")).await;
    for path in
        ["/api", "/api/", "/api/nothing", "/api/projects/", "/api/generations/x/y", "/apix", "/openapi.yaml"]
    {
        let answer = app.user.get(path).await;
        assert_eq!(answer.status, 404, "{path}: {}", answer.text());
        assert!(
            ["not_found", "generation_not_found"].contains(&answer.json()["error"].as_str().unwrap()),
            "{path}"
        );
    }
    for (method, rest) in [
        ("PUT", ""),
        ("POST", "/files"),
        ("GET", "/preview/launch"),
        ("POST", "/preview/status"),
        ("PATCH", "/preview"),
    ] {
        send(&app, method, rest, None, "").await.error(405, "method_not_allowed");
    }
    app.user.delete("/api/projects").await.error(405, "method_not_allowed");
}

#[tokio::test]
async fn bodies_that_are_not_json_are_told_as_such() {
    let server = Guest::arrive().await;
    let app = server.user().upload(&asgi("")).await;
    let calls = [("POST", "/preview/launch"), ("POST", "/preview/request"), ("PATCH", "/files")];
    let json = Some("application/json");
    for (method, rest) in calls {
        for body in ["{", "{\"a\": }", "[1,", "\u{feff}{}", "nul", "\"", "{\"a\": 1} x"] {
            let answer = send(&app, method, rest, json, body).await;
            assert_eq!(answer.status, 400, "{method} {rest} {body:?}: {}", answer.text());
            answer.error(400, "invalid_request");
        }
        for kind in ["text/plain", "application/xml", "multipart/form-data; boundary=b"] {
            send(&app, method, rest, Some(kind), "{}").await.error(415, "unsupported_media_type");
        }
        let deep = "[".repeat(100_000);
        send(&app, method, rest, json, &deep).await.error(400, "invalid_request");
    }
    for rest in ["/preview/request"] {
        send(&app, "POST", rest, json, "").await.error(400, "invalid_request");
    }
    send(&app, "PATCH", "/files", json, "").await.error(400, "invalid_request");
    let create = app.user.call(Method::POST, "/api/projects");
    app.user.send(create).await.error(400, "invalid_request");
    let large = format!("{{\"env\": {{\"A\": \"{}\"}}}}", "x".repeat(2 * 1024 * 1024));
    let error = send(&app, "POST", "/preview/launch", json, &large).await.error(413, "too_large");
    assert!(error["details"]["limit"].is_u64(), "{error}");
}

#[tokio::test]
async fn a_launch_says_which_field_is_wrong() {
    let server = Guest::arrive().await;
    let user = server.user();
    let app = user.upload(&asgi("")).await;
    let other = user.upload(&asgi("")).await;
    let wrong: [(Value, &str); 4] = [
        (json!({ "generationId": other.id }), "generationId"),
        (json!({ "projectId": other.project }), "projectId"),
        (json!({ "env": { "A=B": "x" } }), "env"),
        (json!({ "env": { "": "x" } }), "env"),
    ];
    for (body, field) in wrong {
        let error = app.try_launch(&body).await.error(400, "invalid_request");
        assert_eq!(error["details"]["field"], field, "{error}");
    }
    for body in [
        json!([]),
        json!(7),
        json!({ "env": [] }),
        json!({ "env": { "A": 1 } }),
        json!({ "database": "other" }),
        json!({ "generationId": 7 }),
    ] {
        app.try_launch(&body).await.error(400, "invalid_request");
    }
    let error = app.post("/preview/launch?wait=perhaps", &json!({})).await.error(400, "invalid_request");
    assert_eq!(error["details"]["field"], "wait");
    app.status().await.error(404, "no_active_preview");
    // Nothing, null and unknown fields are no reason to refuse.
    let good = json!({ "generationId": app.id, "projectId": app.project, "env": null, "database": null, "color": "red" });
    app.launch_with(&good).await;
    app.stop().await.expect(200);
    send(&app, "POST", "/preview/launch", None, "").await.expect(200);
}
