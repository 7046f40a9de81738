//! What those who run a server see of it: its log, the audit log, metrics, readiness.

use std::collections::BTreeSet;
use std::io::{BufRead as _, BufReader, Read as _};
use std::os::unix::net::UnixDatagram;
use std::process::Stdio;
use std::time::Instant;

use reqwest::Method;
use rustix::process::Signal;
use serde_json::{Value, json};

use crate::harness::{
    Generation, NO_MORE_THAN_A_SERVER, PATIENCE, Server, User, asgi, eventually, output_of, probe, signal,
};
use crate::log_history::metric;

/// Says that it is well once, and can be made to die.
const FRAIL: &str = "\
import os

seen = []

async def app(scope, receive, send):
    assert scope['type'] == 'http'
    if scope['path'] == '/die':
        os._exit(7)
    status = (500 if seen else 200) if scope['path'] == '/health' else 404
    seen.extend([1] if scope['path'] == '/health' else [])
    await send({'type': 'http.response.start', 'status': status, 'headers': []})
    await send({'type': 'http.response.body', 'body': b''})
";

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
    let frail = ana.upload(&json!({ "app/main.py": FRAIL, "requirements.txt": NO_MORE_THAN_A_SERVER })).await;
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
    let call = preview.call(Method::GET, "/die?password=hidden-query").send();
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
        let text = output_of(server.command(&["audit", "--json"]).args(arguments));
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
    drop(anonymous.call(Method::GET, &url).send().await.unwrap());
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

#[tokio::test]
async fn what_a_user_keeps_has_limits_that_are_told() {
    let quotas = [("PROJECTS_PER_USER", "2"), ("GENERATIONS_PER_USER", "2"), ("STORED_MB_PER_USER", "1")];
    let server = Server::with(&quotas).await;
    let (ana, bo) = (server.user("ana"), server.user("bo"));
    let over = |answer: Value, quota: &str, limit: u64, used: u64| {
        assert_eq!(answer["details"], json!({ "quota": quota, "limit": limit, "used": used }), "{answer}");
    };
    let app = ana.upload(&asgi("")).await;
    let large = json!({ "files": { "data.txt": "x".repeat(900_000) } });
    let upload = format!("/api/projects/{}/generations", app.project);
    let second = ana.post(&upload, &large).await.expect(201);
    let third = ana.post(&upload, &json!({ "files": { "a.txt": "a" } })).await.error(413, "too_large");
    over(third, "generations", 2, 2);

    let config = app.get("/preview/config").await.expect(200);
    let used = config["quotas"]["storedBytes"]["used"].as_u64().unwrap();
    assert!((900_000..902_000).contains(&used), "{config}");
    assert_eq!(config["quotas"]["generations"], json!({ "limit": 2, "used": 2 }));
    assert_eq!(config["rates"], json!({ "launchesPerMinute": null, "uploadsPerMinute": null }));
    let grown = json!({ "files": { "more.txt": "y".repeat(200_000) } });
    let refused = ana.patch(&app.path("/files"), &grown).await.error(413, "too_large");
    over(refused, "storedBytes", 1 << 20, used);
    assert_eq!(app.get("").await.expect(200)["revision"], 1, "nothing has changed");

    ana.project().await;
    let refused = ana.post("/api/projects", &json!({ "name": "third" })).await.error(413, "too_large");
    over(refused, "projects", 2, 2);
    bo.upload(&asgi("")).await;
    let gone = format!("/api/generations/{}", second["generationId"].as_str().unwrap());
    assert_eq!(ana.delete(&gone).await.status, 204);
    ana.patch(&app.path("/files"), &grown).await.expect(200);
    ana.post(&upload, &json!({ "files": { "a.txt": "a" } })).await.expect(201);
}

/// Names of metrics in an expression of PromQL.
fn metrics_in(expression: &str) -> impl Iterator<Item = &str> {
    let words = expression.split(|c: char| !c.is_ascii_alphanumeric() && c != '_');
    words.filter(|word| word.starts_with("previewd_"))
}

/// All texts that are called `key` in a document.
fn all<'a>(document: &'a Value, key: &str, found: &mut Vec<&'a str>) {
    match document {
        Value::Object(members) => {
            found.extend(members.get(key).and_then(Value::as_str));
            members.values().for_each(|value| all(value, key, found));
        }
        Value::Array(values) => values.iter().for_each(|value| all(value, key, found)),
        _ => {}
    }
}

#[tokio::test]
async fn the_metrics_tell_what_passes_and_the_dashboard_asks_only_for_what_there_is() {
    let server = Server::start().await;
    let app = server.user("ana").upload(&probe()).await;
    let preview = app.launch().await;
    let sent = preview.call(Method::POST, "/mirror/").body(vec![b'x'; 100_000]).send().await.unwrap();
    assert_eq!(sent.bytes().await.unwrap().len(), 100_000);
    preview.get("/nothing").await.expect(404);
    for (name, value) in [
        ("previewd_gateway_bytes_total{direction=\"from_clients\"}", "100000"),
        ("previewd_gateway_bytes_total{direction=\"to_clients\"}", "100023"),
        ("previewd_responses_total{class=\"2xx\"}", "1"),
        ("previewd_responses_total{class=\"4xx\"}", "1"),
        ("previewd_request_duration_seconds_count", "2"),
        ("previewd_launch_phase_seconds_count{phase=\"ready\"}", "1"),
        ("previewd_previews_asleep", "0"),
        ("previewd_failures_total{reason=\"out_of_memory\"}", "0"),
        ("previewd_audit_entries_lost_total", "0"),
        (concat!("previewd_build_info{version=\"", env!("CARGO_PKG_VERSION"), "\"}"), "1"),
    ] {
        // An answer is counted when all of it is passed on, which its reader may see a moment before.
        let counted = async || (metric(&server, name).await == value).then_some(());
        eventually(&format!("{name} {value}"), counted).await;
    }
    let environments: u64 = metric(&server, "previewd_environments").await.parse().unwrap();
    let bytes: u64 = metric(&server, "previewd_environment_bytes").await.parse().unwrap();
    assert!(environments > 0 && bytes > 1_000_000, "{environments} with {bytes} bytes");

    let text = app.user.get("/metrics").await.text();
    let there: BTreeSet<_> = text.lines().filter_map(|line| line.split(['{', ' ']).next()).collect();
    let path = concat!(env!("CARGO_MANIFEST_DIR"), "/packaging/grafana/previewd.json");
    let dashboard: Value = serde_json::from_str(&std::fs::read_to_string(path).unwrap()).unwrap();
    let mut expressions = Vec::new();
    all(&dashboard, "expr", &mut expressions);
    let asked: BTreeSet<_> = expressions.iter().flat_map(|one| metrics_in(one)).collect();
    assert!(asked.len() > 12, "{asked:?}");
    let missing: Vec<_> = asked.difference(&there).collect();
    assert!(missing.is_empty(), "{missing:?} are not in\n{text}");
    let page = concat!(env!("CARGO_MANIFEST_DIR"), "/docs/operating.md");
    let page = std::fs::read_to_string(page).unwrap();
    let told: BTreeSet<_> =
        page.lines().filter(|line| line.starts_with("| `previewd_")).flat_map(metrics_in).collect();
    let kinds = text.lines().filter_map(|line| line.strip_prefix("# TYPE ")?.split(' ').next());
    let kinds: BTreeSet<_> = kinds.filter(|name| name.starts_with("previewd_")).collect();
    let named = |name: &&str| told.contains(name) || told.contains(&*format!("{name}_total"));
    let untold: Vec<_> = kinds.iter().filter(|name| !named(name)).collect();
    assert!(
        untold.is_empty() && told.len() == kinds.len(),
        "{untold:?}; the page has {told:?}, the server {kinds:?}"
    );
}

async fn readiness(user: &User) -> Option<(u16, Value)> {
    let answer = user.call(Method::GET, "/readyz").send().await.ok()?;
    Some((answer.status().as_u16(), answer.json().await.ok()?))
}

async fn until_failing(user: &User, names: &Value) {
    let look = async || {
        let (status, body) = readiness(user).await?;
        assert_eq!(status == 200, body["failing"] == json!([]), "{body}");
        (body["failing"] == *names).then_some(())
    };
    eventually(&format!("readiness without {names}"), look).await;
}

#[tokio::test]
async fn a_server_that_ends_says_so_first_and_answers_what_is_under_way() {
    let server = Server::with(&[("DRAIN_DELAY", "3"), ("DRAIN_TIMEOUT", "20")]).await;
    let user = server.user("ana");
    signal(server.keeper_pid(), Signal::STOP);
    until_failing(&user, &json!(["keeper"])).await;
    signal(server.keeper_pid(), Signal::CONT);
    until_failing(&user, &json!([])).await;

    let app = user.upload(&probe()).await;
    let preview = app.launch().await;
    let mut stream = app.stream("").await;
    stream.next().await.unwrap();
    let by_address = preview.call(Method::GET, "/slow?seconds=4").send();
    let slow = json!({ "method": "GET", "path": "/slow", "query": { "seconds": 4 } });
    let path = app.path("/preview/request");
    let by_api = user.call(Method::POST, &path).header("x-preview-token", &preview.token).json(&slow).send();
    let (by_address, by_api) = (tokio::spawn(by_address), tokio::spawn(by_api));
    let under_way = async || (metric(&server, "previewd_requests_total").await == "2").then_some(());
    eventually("two requests under way", under_way).await;

    signal(server.serve_pid(), Signal::TERM);
    until_failing(&user, &json!(["serving"])).await;
    app.status().await.expect(200);
    let answer = by_address.await.unwrap().expect("an answer by the preview's own address");
    assert_eq!(answer.text().await.unwrap(), "{\"slept\": 4.0}");
    let answer: Value = by_api.await.unwrap().expect("an answer by the API").json().await.unwrap();
    assert_eq!(answer["data"]["slept"], 4.0, "{answer}");
    let began = Instant::now();
    assert!(server.terminate_serve().success());
    assert!(began.elapsed() < PATIENCE / 2, "an open log stream holds it up: {:?}", began.elapsed());
    assert!(!server.log().contains("still open"), "{}", server.log());
    server.serve_again().await;
    assert_eq!(app.status().await.expect(200)["previewInstanceId"], preview.id);
}

#[tokio::test]
async fn nothing_but_the_address_is_on_standard_output() {
    let server = Server::start().await;
    assert!(server.terminate_serve().success());
    let mut command = server.command(&["serve", "--listen", "127.0.0.1:0"]);
    // Whoever supervises it is told, there.
    let place = server.data_dir().join("notify");
    let supervisor = UnixDatagram::bind(&place).unwrap();
    supervisor.set_read_timeout(Some(PATIENCE)).unwrap();
    let told = || {
        let mut word = [0; 64];
        let length = supervisor.recv(&mut word).unwrap();
        String::from_utf8_lossy(&word[..length]).into_owned()
    };
    let child = command
        .env("NOTIFY_SOCKET", &place)
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .stderr(Stdio::null())
        .spawn();
    let mut child = child.unwrap();
    let mut stdout = BufReader::new(child.stdout.take().unwrap());
    let mut text = String::new();
    stdout.read_line(&mut text).unwrap();
    assert!(text.starts_with("listening on http://127.0.0.1:"), "{text}");
    assert_eq!(told(), "READY=1");
    signal(child.id().cast_signed(), Signal::TERM);
    stdout.read_to_string(&mut text).unwrap();
    assert!(child.wait().unwrap().success());
    assert_eq!(text.lines().count(), 1, "{text}");
    assert_eq!(told(), "STOPPING=1");
}
