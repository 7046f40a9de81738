//! Previews that nobody uses, with `PREVIEW_IDLE_ACTION=sleep`.

use reqwest::Method;
use serde_json::json;

use crate::harness::{Generation, Preview, Server, eventually, probe};

async fn asleep(app: &Generation, server: &Server) {
    let look = async || {
        let status = app.status().await.expect(200);
        assert_eq!(status["status"], "running", "{status}");
        (status["asleep"] == true && server.preview_processes().is_empty()).then_some(())
    };
    eventually("sleep", look).await;
}

async fn count(preview: &Preview) -> u64 {
    preview.get("/count").await.expect(200)["count"].as_u64().unwrap()
}

#[tokio::test]
async fn an_idle_preview_sleeps_and_the_next_request_wakes_it() {
    let settings = [("IDLE_ACTION", "sleep"), ("INACTIVE_TIMEOUT", "3"), ("SESSION_TIMEOUT", "120")];
    let server = Server::with(&settings).await;
    let app = server.user("ana").upload(&probe()).await;
    let preview = app.launch().await;
    assert_eq!(count(&preview).await, 1);
    asleep(&app, &server).await;
    let health = preview.anonymous(Method::GET, "/health").send().await.unwrap();
    assert_eq!(health.status(), 200);
    assert_eq!(app.status().await.expect(200)["asleep"], true, "nobody woke it");

    // Many at once wake it once, and all are answered, with the same database.
    let calls = (0..8).map(|_| count(&preview));
    let mut counts = futures_util::future::join_all(calls).await;
    counts.sort_unstable();
    assert_eq!(counts, (2..=9).collect::<Vec<_>>());
    let woken = app.log().await.into_iter().filter(|line| line["message"] == "Waking").count();
    assert_eq!(woken, 1);
    let status = app.status().await.expect(200);
    assert_eq!((&status["asleep"], &status["expiresAt"]), (&json!(false), &preview.body["expiresAt"]));

    // A killed server finds it asleep, and it is woken through the API as well.
    asleep(&app, &server).await;
    server.kill_serve();
    server.serve_again().await;
    assert_eq!(app.status().await.expect(200)["asleep"], true);
    assert_eq!(app.fetch(&preview, "/count").await["data"]["count"], 10);

    // An edit that does not start leaves it asleep, one that does wakes it.
    asleep(&app, &server).await;
    let broken = json!({ "files": { "app/main.py": "import nothing_like_it" } });
    let patched = app.user.patch(&app.path("/files"), &broken).await.expect(200);
    assert_eq!(
        (&patched["reloaded"], &patched["details"]["reason"]),
        (&json!(false), &json!("import_failed"))
    );
    preview.get("/count").await.error(503, "preview_unavailable");
    let whole = json!({ "files": { "app/main.py": probe()["app/main.py"] } });
    let patched = app.user.patch(&app.path("/files"), &whole).await.expect(200);
    assert_eq!(patched["reloaded"], true, "{patched}");
    assert_eq!(count(&preview).await, 11);
    asleep(&app, &server).await;
    app.stop().await.expect(200);
    let log = server.log();
    for word in ["launched", "asleep", "awake", "taken over", "stopped"] {
        assert!(log.contains(&format!("preview {word} preview={}", preview.id)), "{word}: {log}");
    }
    assert!(log.contains("wake failed") && log.contains("import_failed"), "{log}");
}

#[tokio::test]
async fn a_sleeping_preview_expires() {
    let settings = [("IDLE_ACTION", "sleep"), ("INACTIVE_TIMEOUT", "1"), ("SESSION_TIMEOUT", "15")];
    let server = Server::with(&settings).await;
    let app = server.user("ana").upload(&probe()).await;
    app.launch().await;
    asleep(&app, &server).await;
    app.until_status("gone").await;
    let last = app.status().await.error(404, "no_active_preview");
    assert_eq!(last["details"]["lastPreview"]["stopReason"], "expired");
}
