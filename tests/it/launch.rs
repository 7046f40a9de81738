//! Launching: what it answers, what it refuses, and the whole of a preview's life once.

use serde_json::{Value, json};

use crate::harness::{Guest, Server, asgi, eventually, example, fastapi, probe};

#[tokio::test]
async fn the_sample_is_launched_answers_logs_and_stops() {
    let server = Server::start().await;
    let shop = server.user("ana").upload(&example()).await;
    let preview = shop.launch().await;
    assert!(preview.id.starts_with("preview_") && !preview.token.is_empty());
    assert_eq!(preview.body["generationId"], shop.id);
    assert_eq!(preview.body["healthCheckUrl"], format!("{}/health", preview.base_url));
    assert!((server.ports().min..=server.ports().max).contains(&preview.port()));
    assert_eq!(preview.base_url, format!("http://localhost:{}", preview.port()));
    assert!(
        preview.body["launchMs"].is_u64() && preview.body["phases"]["start"].is_u64(),
        "{}",
        preview.body
    );
    assert!(preview.body["expiresAt"].as_str().unwrap().ends_with('Z'));

    let search = json!({ "method": "GET", "path": "/books", "query": { "q": "solaris", "in_stock": true } });
    let found = shop.request(&preview, &search).await.expect(200);
    assert_eq!((&found["statusCode"], &found["data"]["items"][0]["title"]), (&json!(200), &json!("Solaris")));
    let status = shop.status().await.expect(200);
    assert_eq!((&status["status"], &status["healthStatus"]), (&json!("running"), &json!("healthy")));

    let form = json!({ "method": "POST", "path": "/auth/token", "bodyEncoding": "form",
        "body": { "username": "demo", "password": "demo" } });
    let signed_in = shop.request(&preview, &form).await.expect(200);
    assert_eq!(signed_in["statusCode"], 200, "{signed_in}");
    let bearer = format!("Bearer {}", signed_in["data"]["access_token"].as_str().unwrap());
    let me = json!({ "method": "GET", "path": "/auth/me", "headers": { "Authorization": bearer } });
    assert_eq!(shop.request(&preview, &me).await.expect(200)["data"]["username"], "demo");

    shop.fetch(&preview, "/diagnostics/logs").await;
    let late = |line: &Value| line["message"].as_str().unwrap().contains("the delivery is late");
    let line = eventually("a line", async || shop.log().await.into_iter().find(late)).await;
    assert_eq!((&line["level"], &line["source"]), (&json!("ERROR"), &json!("app")), "{line}");

    let stopped = shop.stop().await.expect(200);
    assert_eq!(stopped["status"], "stopped");
    assert_eq!(stopped["message"], "Preview instance stopped successfully");
    assert!(stopped["stoppedAt"].as_str().unwrap().ends_with('Z'));
    assert_eq!(server.preview_processes(), Vec::<i32>::new());
    assert_eq!(server.ports().held(), Vec::<u16>::new());
    assert_eq!(server.preview_files(), Vec::<std::path::PathBuf>::new());
    shop.stop().await.error(404, "no_active_preview");
}

#[tokio::test]
async fn a_launch_need_not_be_waited_for() {
    let server = Guest::arrive().await;
    let app = server.user().upload(&probe()).await;
    let began = app.launch_unawaited().await;
    assert_eq!(began.body["generationId"], app.id);
    assert!(began.body["expiresAt"].is_string() && began.body["healthCheckUrl"].is_string());
    let body = json!({ "method": "GET", "path": "/health" });
    // Which of both it is depends on who is faster.
    let early = app.request(&began, &body).await;
    assert!(early.status == 200 || early.error(503, "preview_unavailable")["statusCode"] == 503);
    let running = app.until_status("running").await;
    assert_eq!(running["previewInstanceId"], began.id);
    assert_eq!(app.fetch(&began, "/health").await["data"]["by"], "the application");
}

#[tokio::test]
async fn of_two_launches_at_once_one_is_refused() {
    let server = Guest::arrive().await;
    let app = server.user().upload(&asgi("")).await;
    for _ in 0..5 {
        let nothing = json!({});
        let (one, other) = tokio::join!(app.try_launch(&nothing), app.try_launch(&nothing));
        let (won, lost) = if one.status == 200 { (one, other) } else { (other, one) };
        let won = won.expect(200);
        let lost = lost.error(409, "preview_already_running");
        assert_eq!(lost["details"]["previewInstanceId"], won["previewInstanceId"]);
        app.stop().await.expect(200);
    }
}

#[tokio::test]
async fn the_tier_limits_how_many_run_at_once() {
    let server = Server::start().await;
    for (tier, limit) in [("free", 1), ("pro", 3)] {
        let user = server.user_of(tier, tier);
        let mut running = Vec::new();
        for _ in 0..limit {
            let app = user.upload(&asgi("")).await;
            app.launch().await;
            running.push(app);
        }
        let one_more = user.upload(&asgi("")).await;
        let refused = one_more.try_launch(&json!({})).await.error(409, "preview_limit_reached");
        assert_eq!(refused["details"], json!({ "limit": limit, "active": limit }));
        running[0].stop().await.expect(200);
        one_more.launch().await;
        for app in running.iter().skip(1).chain([&one_more]) {
            app.stop().await.expect(200);
        }
    }
}

#[tokio::test]
async fn without_a_free_port_the_pool_is_named() {
    let ports = Server::start().await;
    let (min, max) = (ports.ports().min, ports.ports().min + 1);
    let settings = [("PORT_MIN", min.to_string()), ("PORT_MAX", max.to_string())];
    let server = Server::with(&settings.each_ref().map(|(name, value)| (*name, value.as_str()))).await;
    // Somebody else's: skipped.
    let taken = std::net::TcpListener::bind(("127.0.0.1", min)).unwrap();
    let user = server.user_of("pro", "ana");
    let (first, second) = (user.upload(&asgi("")).await, user.upload(&asgi("")).await);
    assert_eq!(first.launch().await.port(), max);
    let refused = second.try_launch(&json!({})).await.error(500, "port_allocation_failed");
    assert_eq!(refused["details"], json!({ "portMin": min, "portMax": max }));
    second.status().await.error(404, "no_active_preview");
    first.stop().await.expect(200);
    assert_eq!(second.launch().await.port(), max);
    second.stop().await.expect(200);
    drop(taken);
}

#[tokio::test]
async fn launches_per_minute_can_be_limited() {
    let server = Server::with(&[("LAUNCHES_PER_MINUTE", "1"), ("UPLOADS_PER_MINUTE", "2")]).await;
    let user = server.user("ana");
    let app = user.upload(&asgi("")).await;
    app.launch().await;
    app.stop().await.expect(200);
    let refused = app.try_launch(&json!({})).await;
    refused.error(429, "rate_limited");
    let seconds: u64 = refused.header("retry-after").unwrap().parse().unwrap();
    assert!((1..=61).contains(&seconds), "{seconds}");
    let files = json!({ "files": { "a": "" } });
    user.upload_as(&files).await;
    let path = format!("/api/projects/{}/generations", app.project);
    let refused = user.post(&path, &files).await;
    refused.error(429, "rate_limited");
    assert!(refused.header("retry-after").is_some());
    server.user("bo").upload(&asgi("")).await;
}

#[tokio::test]
async fn the_environment_of_a_preview_is_its_own() {
    let server =
        Server::with(&[("LOG_LEVEL", "WARN"), ("JWT_SECRET", "a secret of the server's, long enough")]).await;
    let app = server.user("ana").upload(&probe()).await;
    let preview = app.launch_with(&json!({ "env": { "GREETING": "hej ✓", "LOG_LEVEL": "DEBUG" } })).await;
    let variables = app.fetch(&preview, "/env").await["data"].clone();
    assert_eq!(variables["GREETING"], "hej ✓");
    assert_eq!(variables["LOG_LEVEL"], "DEBUG", "the launch's own word counts");
    assert_eq!(variables["DATABASE_URL"], "sqlite:///./preview.db");
    assert_eq!(variables["PYTHONUNBUFFERED"], "1");
    assert_eq!(variables["PORT"], preview.port().to_string());
    let text = variables.to_string();
    assert!(!text.contains("a secret of the server's"), "{text}");
    let known = ["PREVIEWD_PROCESS"];
    let ours = variables.as_object().unwrap().keys().filter(|name| name.starts_with("PREVIEW"));
    assert_eq!(ours.filter(|name| !known.contains(&name.as_str())).count(), 0, "{text}");
    app.stop().await.expect(200);

    let preview = app.launch().await;
    let variables = app.fetch(&preview, "/env").await["data"].clone();
    assert_eq!((&variables["LOG_LEVEL"], &variables["GREETING"]), (&json!("WARN"), &Value::Null));
}

#[tokio::test]
async fn entry_points_are_found_or_named() {
    let server = Guest::arrive().await;
    let user = server.user();
    let source = "from fastapi import FastAPI\n\ndef create_app():\n    app = FastAPI()\n    app.get('/')(lambda: {'by': __name__})\n    return app\n";
    let requirements = "fastapi\nuvicorn\nwebsockets\n";
    let at_root = json!({ "files": { "main.py": source, "requirements.txt": requirements } });
    let named = json!({ "entrypoint": "service.web:create_app()",
        "files": { "service/web.py": source, "service/__init__.py": "", "requirements.txt": requirements } });
    let declared = json!({ "files": { "app/main.py": source,
        "pyproject.toml": "[project]\nname = 'x'\nversion = '1'\ndependencies = ['fastapi', 'websockets']\n" } });
    for (upload, module) in [(at_root, "main"), (named, "service.web"), (declared, "app.main")] {
        let app = user.upload_as(&upload).await;
        let preview = app.launch().await;
        assert_eq!(app.fetch(&preview, "/").await["data"]["by"], module);
        app.stop().await.expect(200);
    }
}

#[tokio::test]
async fn an_application_without_a_health_route_is_launched() {
    let server = Guest::arrive().await;
    let user = server.user();
    let none = user.upload(&fastapi("@app.get('/')\ndef root():\n    return 1")).await;
    none.launch().await;
    let status = none.status().await.expect(200);
    assert_eq!((&status["status"], &status["healthStatus"]), (&json!("running"), &json!("unknown")));
    none.stop().await.expect(200);

    let source = "from fastapi import Response\n\n@app.get('/health')\ndef health():\n    return Response(status_code=500)";
    let ill = user.upload(&fastapi(source)).await;
    let preview = ill.launch().await;
    assert_eq!(ill.status().await.expect(200)["healthStatus"], "unhealthy");
    let call = preview.anonymous(reqwest::Method::GET, "/health").send().await.unwrap();
    assert_eq!(call.status(), 503);
}
