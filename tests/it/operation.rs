//! What those who run a server see of it: its log, the audit log, metrics, readiness.

use serde_json::{Value, json};

use crate::harness::{Generation, Server, asgi, eventually, fastapi};

/// Says that it is well once, and can be made to die.
const FRAIL: &str = "import os\nfrom fastapi import Response\nseen = []\n\n\n\
    @app.get('/health')\ndef health(response: Response):\n    \
    response.status_code = 500 if seen else 200\n    seen.append(1)\n    return {}\n\n\n\
    @app.get('/die')\ndef die(password: str = ''):\n    os._exit(7)\n";

/// What the server's log has of an event of this preview or generation.
async fn event(server: &Server, message: &str, about: &str) -> Value {
    let look = async || {
        let log = server.log();
        let mut lines = log.lines().map(|line| serde_json::from_str::<Value>(line).expect(line));
        let of = |line: &Value| line["preview"] == about || line["generation"] == about;
        lines.find(|line| line["message"] == message && of(line))
    };
    eventually(&format!("{message} of {about}"), look).await
}

fn has(event: &Value, level: &str, fields: &Value) {
    assert_eq!(event["level"], level, "{event}");
    for (name, value) in fields.as_object().unwrap() {
        assert_eq!(&event[name], value, "{name} in {event}");
    }
    assert!(event["timestamp"].as_str().unwrap().ends_with('Z'), "{event}");
}

#[tokio::test]
async fn its_log_tells_what_becomes_of_previews_and_no_secrets() {
    let debug = ("RUST_LOG", "info,previewd=debug");
    let server = Server::with(&[("LOG_FORMAT", "json"), debug]).await;
    let ana = server.user_of("pro", "ana");
    let frail = ana.upload(&fastapi(FRAIL)).await;
    let preview = frail.launch_with(&json!({ "env": { "API_KEY": "hidden-variable" } })).await;
    let ids = json!({ "preview": preview.id, "generation": frail.id, "user": "ana" });
    has(&event(&server, "preview launching", &preview.id).await, "INFO", &ids);
    let launched = event(&server, "preview launched", &preview.id).await;
    has(&launched, "INFO", &ids);
    assert!(launched["port"] == preview.port() && launched["ready_ms"].is_u64(), "{launched}");
    preview.get("/nothing?password=hidden-query").await;
    let request = event(&server, "request", &preview.id).await;
    has(&request, "DEBUG", &ids);
    has(&request, "DEBUG", &json!({ "method": "GET", "path": "/nothing", "status": 404, "via": "address" }));

    let broken = ana.upload(&asgi("print('hidden-line')\nraise SystemExit(3)")).await;
    broken.try_launch(&json!({})).await.error(500, "launch_failed");
    let failed = event(&server, "launch failed", &broken.id).await;
    has(
        &failed,
        "ERROR",
        &json!({ "generation": broken.id, "user": "ana", "reason": "exited", "exit_code": 3 }),
    );

    let plain = ana.upload(&asgi("")).await;
    let stopped = plain.launch().await;
    plain.stop().await.expect(200);
    has(&event(&server, "preview stopped", &stopped.id).await, "INFO", &json!({ "reason": "stopped" }));

    has(&event(&server, "preview unhealthy", &preview.id).await, "WARN", &ids);
    let call = preview.call(reqwest::Method::GET, "/die?password=hidden-query").send();
    drop(call.await);
    let crashed = event(&server, "preview crashed", &preview.id).await;
    has(&crashed, "ERROR", &json!({ "reason": "exited", "exit_code": 7, "user": "ana" }));

    let log = server.log();
    for hidden in [ana.token.as_str(), &preview.token, &stopped.token, "hidden-"] {
        assert!(!log.contains(hidden), "{hidden} in\n{log}");
    }
}

#[tokio::test]
async fn its_log_is_text_as_a_rule_and_tells_of_an_expiry() {
    let server = Server::with(&[("SESSION_TIMEOUT", "3")]).await;
    let app = server.user("ana").upload(&asgi("")).await;
    let preview = app.launch().await;
    let line = async || {
        let log = server.log();
        log.lines().find(|line| line.contains("preview expired")).map(str::to_owned)
    };
    let line = eventually("the expiry", line).await;
    let told = format!("preview={} generation={} user=\"ana\"", preview.id, app.id);
    assert!(line.contains("WARN") && line.contains(&told), "{line}");
    assert!(!server.log().contains("\"call\""), "calls are for those who ask for them");
}

/// What `previewd audit` says, once there are so many entries.
async fn audited(server: &Server, arguments: &[&str], count: usize) -> Vec<Value> {
    let look = async || {
        let output = server.command(&["audit", "--json"]).args(arguments).output().unwrap();
        assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
        let text = String::from_utf8(output.stdout).unwrap();
        let entries: Vec<Value> = text.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
        (entries.len() >= count).then_some(entries)
    };
    let entries = eventually("entries of the audit log", look).await;
    assert_eq!(entries.len(), count, "{entries:?}");
    entries
}

fn actions(entries: &[Value]) -> Vec<&str> {
    entries.iter().map(|entry| entry["action"].as_str().unwrap()).collect()
}

#[tokio::test]
async fn the_audit_log_tells_who_launched_read_and_stopped_what() {
    let server = Server::start().await;
    let (ana, bo) = (server.user("ana"), server.user("bo"));
    let app = ana.upload(&asgi("")).await;
    let preview = app.launch().await;
    app.get("/preview/logs").await.expect(200);
    let ticket = app.post("/preview/logs/ticket", &json!({})).await.expect(200);
    let ticket = ticket["ticket"].as_str().unwrap();
    let url = app.path(&format!("/preview/logs/stream?ticket={ticket}"));
    let anonymous = server.with_token("none");
    drop(anonymous.call(reqwest::Method::GET, &url).send().await.unwrap());
    assert_eq!(app.get("/files/app/main.py").await.status, 200);
    app.fetch(&preview, "/x").await;
    app.get("/preview/requests").await.expect(200);
    app.status().await.expect(200);
    let foreign = Generation { user: bo.clone(), ..app.clone() };
    foreign.get("/preview/logs").await.error(403, "forbidden");
    anonymous.get(&app.path("/preview/logs")).await.error(401, "unauthorized");
    app.stop().await.expect(200);

    let entries = audited(&server, &["--generation", &app.id], 9).await;
    let all = [
        "preview.launch",
        "logs.read",
        "logs.ticket",
        "logs.read",
        "files.read",
        "request.send",
        "requests.read",
        "logs.read",
        "preview.stop",
    ];
    assert_eq!(actions(&entries), all);
    for entry in &entries {
        let foreign = entry["user"] == "bo";
        assert_eq!(entry["status"], if foreign { 403 } else { 200 }, "{entry}");
        assert_eq!(
            entry["preview"],
            if foreign { Value::Null } else { preview.id.clone().into() },
            "{entry}"
        );
        assert!(foreign || entry["user"] == "ana", "whoever has a ticket reads for its user: {entry}");
        assert_eq!(entry["address"], "127.0.0.1");
    }
    assert_eq!(entries[4]["file"], "app/main.py");
    assert_eq!(actions(&audited(&server, &["--user", "ana", "-n", "1"], 1).await), ["preview.stop"]);
    assert_eq!(
        actions(&audited(&server, &["--action", "preview"], 2).await),
        ["preview.launch", "preview.stop"]
    );

    let file = std::fs::read_to_string(server.data_dir().join("audit.log")).unwrap();
    for secret in [ana.token.as_str(), &preview.token, ticket] {
        assert!(!file.contains(secret), "{file}");
    }
    assert!(server.terminate_serve().success());
    audited(&server, &["--user", "bo"], 1).await;
    server.serve_again().await;
}
