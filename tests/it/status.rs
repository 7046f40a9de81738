//! What the status, the configuration and the lists say.

use serde_json::{Value, json};

use crate::harness::{Guest, Server, asgi, example, probe};

#[tokio::test]
async fn the_status_of_a_preview_that_runs() {
    let server = Guest::arrive().await;
    let app = server.user().upload(&example()).await;
    let none = app.status().await.error(404, "no_active_preview");
    assert_eq!(none["details"], json!({}));
    let preview = app.launch().await;
    let status = app.status().await.expect(200);
    assert_eq!(status["previewInstanceId"], preview.id);
    assert_eq!(status["baseUrl"], preview.base_url);
    assert_eq!(status["expiresAt"], preview.body["expiresAt"]);
    assert_eq!((&status["status"], &status["revision"]), (&json!("running"), &json!(1)));
    assert_eq!((&status["errorMessage"], &status["failure"]), (&Value::Null, &Value::Null));
    assert!(status["uptime"].is_u64() && status["memoryBytes"].as_u64().unwrap() > 1_000_000, "{status}");
    for time in ["createdAt", "startedAt", "expiresAt", "lastHealthCheck"] {
        let text = status[time].as_str().unwrap_or_else(|| panic!("{time}: {status}"));
        assert!(text.ends_with('Z') && text.parse::<jiff::Timestamp>().is_ok(), "{time}: {text}");
    }
    let endpoints = status["generatedEndpoints"].as_array().unwrap();
    let books = endpoints.iter().find(|e| e["path"] == "/books" && e["method"] == "GET").unwrap();
    assert_eq!(books["description"], "Books by title, a page at a time.");

    app.stop().await.expect(200);
    let stopped = app.status().await.error(404, "no_active_preview");
    assert!(stopped["message"].as_str().unwrap().starts_with("Preview stopped"), "{stopped}");
    let last = &stopped["details"]["lastPreview"];
    assert_eq!(last["previewInstanceId"], preview.id);
    assert_eq!((&last["status"], &last["stopReason"]), (&json!("stopped"), &json!("stopped")));
    assert!(last["stoppedAt"].as_str().unwrap().ends_with('Z'));
}

#[tokio::test]
async fn endpoints_come_from_the_source_or_from_what_runs() {
    let server = Guest::arrive().await;
    let app = server.user().upload(&example()).await;
    let read = app.get("/endpoints").await.expect(200);
    assert_eq!((&read["source"], &read["warnings"]), (&json!("static"), &json!([])), "{read}");
    let described = app.get("/openapi.json").await.expect(200);
    let preview = app.launch().await;
    let asked = app.get("/endpoints").await.expect(200);
    assert_eq!(asked["source"], "openapi");
    let own = app.get("/openapi.json").await.expect(200);
    assert_eq!(own.to_string(), preview.get("/openapi.json").await.json().to_string());
    // The source says the same, but for words that only running code knows.
    for (path, item) in own["paths"].as_object().unwrap() {
        for (method, operation) in item.as_object().unwrap() {
            let read = &described["paths"][path][method];
            for part in ["summary", "parameters", "requestBody", "security", "tags", "operationId"] {
                assert_eq!(read[part], operation[part], "{part} of {method} {path}");
            }
        }
    }
    for (listing, what) in [(&read, "the source"), (&asked, "what runs")] {
        let all = listing["endpoints"].as_array().unwrap();
        let find = |method: &str, path: &str| {
            let found = all.iter().find(|e| e["method"] == method && e["path"] == path);
            found.unwrap_or_else(|| panic!("{method} {path} in {what}")).clone()
        };
        let list = find("GET", "/books");
        assert_eq!(list["requestSchema"]["query"]["limit"], "integer", "{what}: {list}");
        assert_eq!(list["tags"], json!(["books"]));
        let create = find("POST", "/books");
        assert_eq!(
            (&create["requestBody"]["title"], &create["secured"]),
            (&json!("string"), &json!(true)),
            "{what}"
        );
        let chat = find("WEBSOCKET", "/live/chat");
        assert_eq!(chat["inSchema"], false, "{what}: {chat}");
        assert!(!all.iter().any(|e| e["path"] == "/docs" || e["path"] == "/openapi.json"), "{what}");
    }
    let routes = |listing: &Value| {
        let all = listing["endpoints"].as_array().unwrap().iter();
        let mut routes: Vec<_> = all.map(|e| format!("{} {}", e["method"], e["path"])).collect();
        routes.sort();
        routes
    };
    assert_eq!(routes(&read), routes(&asked));
}

#[tokio::test]
async fn the_configuration_tells_what_is_in_force() {
    let settings = [
        ("SESSION_TIMEOUT", "1234"),
        ("INACTIVE_TIMEOUT", "77"),
        ("MAX_INSTANCES_PER_USER", "2"),
        ("LOG_LEVEL", "INFO"),
        ("MEMORY_LIMIT_MB", "300"),
    ];
    let server = Server::with(&settings).await;
    for (tier, limit) in [("free", 2), ("pro", 6)] {
        let app = server.user_of(tier, tier).upload(&asgi("")).await;
        let config = app.get("/preview/config").await.expect(200);
        assert_eq!((&config["previewTimeout"], &config["sessionExpiry"]), (&json!(1234), &json!(1234)));
        assert_eq!((&config["maxInstances"], &config["autoStopInactiveAfter"]), (&json!(limit), &json!(77)));
        assert_eq!(config["environment"], json!({ "NODE_ENV": "development", "LOG_LEVEL": "INFO" }));
        let limitations = &config["limitations"];
        assert_eq!(
            (&limitations["tier"], &limitations["maxConcurrentPreviews"]),
            (&json!(tier), &json!(limit))
        );
        assert_eq!(limitations["maxSessionDuration"], 1234);
        assert!(limitations["features"]["websocketLogs"].is_boolean());
        assert!(limitations["features"]["advancedMetrics"].is_boolean());
        let limits = json!({ "memoryMb": 300, "tasks": 128, "openFiles": 1024, "diskMb": 256, "cpu": 1.0, "egress": "off" });
        assert_eq!(config["limits"], limits);
    }
}

#[tokio::test]
async fn previews_of_a_user_are_listed() {
    let server = Server::start().await;
    let user = server.user_of("pro", "ana");
    let (one, other) = (user.upload(&asgi("")).await, user.upload(&asgi("raise SystemExit(4)")).await);
    let preview = one.launch().await;
    other.try_launch(&json!({})).await.error(500, "launch_failed");
    let body = user.get("/api/previews").await.expect(200);
    let previews = body["previews"].as_array().unwrap();
    let find = |id: &str| previews.iter().find(|p| p["generationId"] == id).unwrap();
    assert_eq!(previews.len(), 2, "{body}");
    assert_eq!(
        (&find(&one.id)["status"], &find(&one.id)["previewInstanceId"]),
        (&json!("running"), &json!(preview.id))
    );
    assert_eq!(find(&other.id)["status"], "failed");
    assert_eq!(server.user("bo").get("/api/previews").await.expect(200)["previews"], json!([]));
}

#[tokio::test]
async fn the_server_says_how_it_is() {
    let server = Server::start().await;
    let app = server.user("ana").upload(&probe()).await;
    let user = &app.user;
    assert_eq!(user.get("/healthz").await.expect(200)["status"], "ok");
    user.get("/readyz").await.expect(200);
    let preview = app.launch().await;
    app.fetch(&preview, "/health").await;
    let mut stream = app.stream("").await;
    stream.next().await.unwrap();
    let metrics = user.get("/metrics").await.text();
    for line in [
        "previewd_launches_total{result=\"success\"} 1",
        "previewd_launch_duration_seconds_count 1",
        "previewd_previews{status=\"running\"} 1",
        "previewd_requests_total 1",
        "previewd_log_subscribers 1",
    ] {
        assert!(metrics.contains(line), "{line} in\n{metrics}");
    }
    app.stop().await.expect(200);
    app.user
        .post(&app.path("/preview/launch"), &json!({ "env": { "A": "\u{0}" } }))
        .await
        .error(400, "invalid_request");
    let metrics = user.get("/metrics").await.text();
    assert!(metrics.contains("previewd_session_seconds_count 1"), "{metrics}");
}
