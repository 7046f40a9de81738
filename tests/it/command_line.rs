//! The commands beside `serve`, and settings that are wrong.

use std::os::unix::fs::PermissionsExt as _;
use std::process::{Command, Output, Stdio};

use serde_json::{Value, json};

use crate::harness::{BINARY, Server, asgi, postgres_database, unique};

fn said(output: &Output) -> String {
    String::from_utf8_lossy(&output.stderr).into_owned()
}

#[tokio::test]
async fn a_setting_that_is_wrong_is_named_with_what_it_takes() {
    let cases = [
        ("PREVIEW_PORT_MIN", "many", "1 to 65535"),
        ("PREVIEW_PORT_MAX", "70000", "1 to 65535"),
        ("PREVIEW_ISOLATION", "maybe", "auto, strict or off"),
        ("PREVIEW_LOG_LEVEL", "loud", "DEBUG, INFO, WARN or ERROR"),
        ("PREVIEW_SESSION_TIMEOUT", "-1", "whole number"),
        ("PREVIEW_STORE_URL", "mysql://x", "sqlite://"),
        ("PREVIEW_LISTEN", "3000", "HOST:PORT"),
    ];
    for (name, value, takes) in cases {
        let output = Command::new(BINARY).arg("serve").env_clear().env(name, value).output().unwrap();
        let text = said(&output);
        assert!(
            !output.status.success() && text.contains(name) && text.contains(value) && text.contains(takes),
            "{text}"
        );
    }
    let output = Command::new(BINARY).arg("serve").env_clear().env("PREVIEW_PROT_MIN", "1").output().unwrap();
    let text = said(&output);
    assert!(
        !output.status.success() && text.contains("PREVIEW_PROT_MIN") && text.contains("PREVIEW_PORT_MIN"),
        "{text}"
    );
    let output = Command::new(BINARY).args(["serve", "--port-min", "x"]).env_clear().output().unwrap();
    assert!(!output.status.success() && said(&output).contains("--port-min"), "{}", said(&output));
}

#[test]
fn whichever_command_makes_it_the_data_directory_is_its_owners_alone() {
    for first in [&["token", "--user", "ana"][..], &["migrate"]] {
        let root = std::env::temp_dir().join(unique("previewd-first"));
        let data_dir = root.join("data");
        let mut command = Command::new(BINARY);
        let output = command.args(first).env_clear().env("PREVIEW_DATA_DIR", &data_dir).output().unwrap();
        assert!(output.status.success(), "{first:?}: {}", said(&output));
        let mode = std::fs::metadata(&data_dir).unwrap().permissions().mode();
        assert_eq!(mode & 0o777, 0o700, "{first:?}");
        std::fs::remove_dir_all(root).unwrap();
    }
}

#[tokio::test]
async fn tokens_are_made_beside_a_server_and_without_one() {
    let server = Server::start().await;
    let before = server.user("ana");
    assert!(server.terminate_serve().success());
    let without = server.user("ana");
    server.serve_again().await;
    for user in [before, without] {
        user.get("/api/projects").await.expect(200);
    }
    let output = server.command(&["token", "--user", "ana", "--ttl", "1s"]).output().unwrap();
    let short = server.with_token(String::from_utf8(output.stdout).unwrap().trim());
    let over = async || (short.get("/api/projects").await.status == 401).then_some(());
    crate::harness::eventually("the token's end", over).await;
    assert!(!server.command(&["token"]).output().unwrap().status.success());
    let key = server.data_dir().join("jwt.secret");
    assert_eq!(std::fs::metadata(key).unwrap().permissions().mode() & 0o777, 0o600);
}

#[tokio::test]
async fn a_second_server_on_the_same_data_is_refused() {
    let server = Server::start().await;
    let mut command = server.command(&["serve", "--listen", "127.0.0.1:0"]);
    let output = command.stdin(Stdio::null()).output().unwrap();
    assert!(!output.status.success());
    assert!(!said(&output).is_empty());
    server.user("ana").get("/api/projects").await.expect(200);
}

#[tokio::test]
async fn everything_works_with_postgres_as_the_store() {
    let url = tokio::task::spawn_blocking(postgres_database).await.unwrap();
    let server = Server::with(&[("STORE_URL", &url)]).await;
    let output = server.command(&["migrate"]).output().unwrap();
    assert!(output.status.success(), "{}", said(&output));
    let app = server.user("ana").upload(&asgi("print('hello', flush=True)")).await;
    let preview = app.launch().await;
    assert_eq!(preview.get("/x").await.text(), "you asked for /x");
    let nothing = json!({});
    app.try_launch(&nothing).await.error(409, "preview_already_running");
    server.kill_serve();
    server.serve_again().await;
    assert_eq!(app.status().await.expect(200)["previewInstanceId"], preview.id);
    app.stop().await.expect(200);
    app.line("hello").await;
    assert_eq!(app.stream("").await.rest().await.last().unwrap().json(), json!({ "reason": "stopped" }));
    assert!(!server.data_dir().join("previewd.db").exists());
}

fn keys(value: &Value) -> Vec<&str> {
    let mut keys: Vec<_> = value.as_object().unwrap().keys().map(String::as_str).collect();
    keys.sort_unstable();
    keys
}

#[tokio::test]
async fn what_machines_read_has_the_names_that_are_promised() {
    const LAYERS: [&str; 10] = [
        "cgroup_cpu",
        "cgroup_memory",
        "cgroup_pids",
        "disk_limit",
        "landlock",
        "mount_namespace",
        "network_namespace",
        "pid_namespace",
        "seccomp",
        "user_namespace",
    ];
    let server = Server::start().await;
    let output = server.command(&["doctor", "--json"]).output().unwrap();
    let found: Value = serde_json::from_slice(&output.stdout).unwrap();
    assert_eq!(output.status.success(), found["ok"] == true);
    assert_eq!(keys(&found), ["checks", "isolation", "limits", "ok"]);
    assert_eq!(keys(&found["isolation"]), LAYERS);
    assert_eq!(keys(&found["limits"]), ["cpu", "diskMb", "memoryMb", "openFiles", "tasks"]);
    for layer in LAYERS {
        let layer = &found["isolation"][layer];
        assert!(layer["available"].is_boolean() && layer["detail"].is_string(), "{layer}");
    }
    for check in found["checks"].as_array().unwrap() {
        assert_eq!(keys(check), ["detail", "fix", "name", "ok"]);
    }
    for (sample, exit) in [("examples/bookshop", 0), ("docs", 1)] {
        let sample = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join(sample);
        let output = server.command(&["check", "--json", sample.to_str().unwrap()]).output().unwrap();
        let report: Value = serde_json::from_slice(&output.stdout).unwrap();
        let names = ["endpoints", "entrypoint", "ok", "problems", "requirements", "source", "warnings"];
        assert_eq!((keys(&report), output.status.code()), (names.into(), Some(exit)), "{report}");
        assert_eq!(report["ok"], exit == 0);
    }
    let app = server.user("ana").upload(&asgi("raise SystemExit(3)")).await;
    app.try_launch(&json!({})).await.error(500, "launch_failed");
    let answer = app.user.get("/metrics").await;
    assert!(answer.header("content-type").unwrap().starts_with("text/plain;"));
    let text = answer.text();
    for line in [
        "previewd_launches_total{result=\"failure\"} 1",
        "previewd_launch_duration_seconds_bucket",
        "previewd_failures_total{reason=\"exited\"} 1",
        "previewd_previews{status=\"running\"} 0",
        "previewd_session_seconds_bucket",
        "previewd_requests_total",
        "previewd_log_subscribers 0",
    ] {
        assert!(text.lines().any(|one| one.starts_with(line)), "{line} in\n{text}");
    }
}
