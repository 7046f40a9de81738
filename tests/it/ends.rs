//! How a preview ends by itself: its time, idleness, a crash.

use std::time::{Duration, Instant};

use futures_util::StreamExt;
use reqwest::Method;
use serde_json::{Value, json};

use crate::harness::{Generation, Guest, Server, asgi, eventually, probe, probe_with_websockets};

/// When it was gone, as the status told.
async fn gone(app: &Generation) -> (Value, i64) {
    let look = async || {
        let answer = app.status().await;
        (answer.status == 404).then(|| answer.error(404, "no_active_preview"))
    };
    let body = eventually("the end of a preview", look).await;
    let at = millis(&body["details"]["lastPreview"]["stoppedAt"]);
    (body, at)
}

fn millis(timestamp: &Value) -> i64 {
    let time: jiff::Timestamp =
        timestamp.as_str().unwrap_or_else(|| panic!("a time: {timestamp}")).parse().unwrap();
    time.as_millisecond()
}

/// What the log ends with.
async fn last_line(app: &Generation) -> String {
    app.log().await.last().unwrap()["message"].as_str().unwrap().to_owned()
}

#[tokio::test]
async fn a_preview_ends_exactly_when_its_time_is_over() {
    let server = Server::with(&[("SESSION_TIMEOUT", "12"), ("CLEANUP_INTERVAL", "31536000")]).await;
    let app = server.user("ana").upload(&probe()).await;
    let preview = app.launch().await;
    let mut stream = app.stream("").await;
    // A request under way does not put the end off.
    let slow = tokio::spawn({
        let call = preview.call(reqwest::Method::GET, "/slow?seconds=60");
        async move { call.send().await.is_ok_and(|answer| answer.status() == 200) }
    });
    let expires_at = millis(&preview.body["expiresAt"]);
    let (body, stopped_at) = gone(&app).await;
    assert!(body["message"].as_str().unwrap().starts_with("Preview expired"), "{body}");
    let last = &body["details"]["lastPreview"];
    assert_eq!((&last["status"], &last["stopReason"]), (&json!("stopped"), &json!("expired")));
    assert_eq!(last["previewInstanceId"], preview.id);
    // The code has a grace of its own for a request that is open; what was asked at once is told after it.
    assert!((expires_at..expires_at + 12_000).contains(&stopped_at), "{} ms late", stopped_at - expires_at);
    assert!(!slow.await.unwrap());
    let events = stream.rest().await;
    let end = events.last().unwrap();
    assert_eq!((end.kind.as_str(), end.json()), ("end", json!({ "reason": "expired" })));
    assert_eq!(last_line(&app).await, "Stopped: its time was over");
    assert_eq!(server.preview_processes(), Vec::<i32>::new());
}

#[tokio::test]
async fn an_expiry_is_told_within_the_second() {
    let server = Server::with(&[("SESSION_TIMEOUT", "12")]).await;
    let app = server.user("ana").upload(&asgi("")).await;
    // A machine that does much else may need longer once, and not each time.
    let mut late = Vec::new();
    while late.len() < 3 {
        let preview = app.launch().await;
        let (_, stopped_at) = gone(&app).await;
        late.push(stopped_at - millis(&preview.body["expiresAt"]));
        assert!(late.iter().all(|late| *late >= 0), "{late:?} ms late");
        if late.iter().any(|late| *late < 1000) {
            return;
        }
    }
    panic!("{late:?} ms late");
}

#[tokio::test]
async fn a_preview_that_nobody_uses_is_stopped() {
    let server = Server::with(&[("INACTIVE_TIMEOUT", "2")]).await;
    let app = server.user("ana").upload(&probe()).await;
    let preview = app.launch().await;
    let launched = Instant::now();
    // Use puts it off, a request under way as well; looking at it does not.
    assert_eq!(preview.get("/slow?seconds=2.5").await.status, 200);
    let used = Instant::now();
    app.fetch(&preview, "/health").await;
    assert!(launched.elapsed() > Duration::from_secs(2));
    let (body, _) = gone(&app).await;
    let idle = used.elapsed().as_secs_f64();
    assert!((2.0..20.0).contains(&idle), "stopped after {idle} s");
    assert_eq!(body["details"]["lastPreview"]["stopReason"], "idle", "{body}");
    assert_eq!(last_line(&app).await, "Stopped: nobody used it");
}

#[tokio::test]
async fn an_open_stream_is_use_and_an_open_websocket_is_not() {
    let server = Server::with(&[("INACTIVE_TIMEOUT", "2")]).await;
    let app = server.user("ana").upload(&probe_with_websockets()).await;
    let preview = app.launch().await;
    let began = Instant::now();
    let answer = preview.call(reqwest::Method::GET, "/ticks").send().await.unwrap();
    assert_eq!(answer.status(), 200);
    let mut body = answer.bytes_stream();
    while began.elapsed() < Duration::from_secs(4) {
        let chunk = body.next().await.expect("a stream without an end");
        chunk.expect("a stream that is read is not cut for idleness");
    }
    drop(body);
    let address = format!("{}/ws", preview.base_url.replace("http", "ws"));
    let (socket, _) =
        tokio_tungstenite::connect_async(format!("{address}?preview_token={}", preview.token)).await.unwrap();
    let (body, _) = gone(&app).await;
    assert_eq!(body["details"]["lastPreview"]["stopReason"], "idle", "{body}");
    drop(socket);
}

#[tokio::test]
async fn a_crash_is_a_failure_with_its_reason() {
    let server = Server::start().await;
    let app = server.user("ana").upload(&probe()).await;
    let cases = [("/kill", json!({ "signal": "SIGKILL" })), ("/exit", json!({ "exitCode": 7 }))];
    for (path, how) in cases {
        let preview = app.launch().await;
        let mut stream = app.stream("").await;
        app.fetch(&preview, "/spawn").await;
        let died = app.request(&preview, &json!({ "method": "GET", "path": path })).await;
        assert_eq!(died.error(503, "preview_unavailable")["statusCode"], 503);
        let status = app.until_status("failed").await;
        assert_eq!(status["previewInstanceId"], preview.id);
        for (name, value) in how.as_object().unwrap() {
            assert_eq!(&status["failure"][name], value, "{status}");
        }
        let events = stream.rest().await;
        assert_eq!(events.last().unwrap().json(), json!({ "reason": "crashed" }));
        let failed = events.iter().rev().find(|event| event.kind == "status").unwrap().json();
        assert_eq!(failed["status"], "failed");
        assert_eq!(server.preview_processes(), Vec::<i32>::new(), "its grandchild is gone as well");
        assert_eq!(server.ports().held(), Vec::<u16>::new());
        app.request(&preview, &json!({ "method": "GET", "path": "/" }))
            .await
            .error(503, "preview_unavailable");
    }
    // A launch clears it.
    app.launch().await;
    assert_eq!(app.status().await.expect(200)["failure"], Value::Null);
}

/// A project that says so when it is asked to end, with more routes.
fn tidy(more: &str) -> Value {
    let source = format!(
        "
import asyncio, time
from contextlib import asynccontextmanager
from fastapi import FastAPI

@asynccontextmanager
async def lifespan(app):
    yield
    print('closing the books', flush=True)

app = FastAPI(lifespan=lifespan)
{more}"
    );
    json!({ "app/main.py": source, "requirements.txt": crate::harness::REQUIREMENTS })
}

#[tokio::test]
async fn stopping_waits_for_the_application_but_not_for_ever() {
    let server = Server::start().await;
    let user = server.user("ana");
    let tidy = user.upload(&tidy("")).await;
    tidy.launch().await;
    tidy.stop().await.expect(200);
    assert!(tidy.log().await.iter().any(|line| line["message"] == "closing the books"));

    let deaf = "import time\n\n@app.get('/deaf')\nasync def deaf():\n    print('hanging', flush=True)\n    time.sleep(600)";
    let deaf = user.upload(&crate::harness::fastapi(deaf)).await;
    let preview = deaf.launch().await;
    tokio::select! {
        answer = preview.call(Method::GET, "/deaf").send() => panic!("it answers: {answer:?}"),
        _ = deaf.line("hanging") => {}
    }
    let began = Instant::now();
    deaf.stop().await.expect(200);
    assert!(began.elapsed() < Duration::from_secs(20), "{:?}", began.elapsed());
    assert_eq!(server.preview_processes(), Vec::<i32>::new());
}

#[tokio::test]
async fn stopping_waits_neither_for_open_requests_nor_for_what_previewd_asks() {
    let server = Guest::arrive().await;
    let files = tidy(
        "
@app.get('/open')
async def open_for_long():
    print('opened', flush=True)
    await asyncio.sleep(60)

def describe():
    print('describing', flush=True)
    time.sleep(60)

app.openapi = describe
",
    );
    let app = server.user().upload(&files).await;
    let preview = app.launch().await;
    let stop = async {
        app.line("describing").await;
        app.stop().await.expect(200);
    };
    let endpoints = app.path("/endpoints");
    tokio::join!(app.user.get(&endpoints), stop);
    let said =
        |log: &[Value], what: &str| log.iter().any(|line| line["message"].as_str().unwrap().contains(what));
    let log = app.log().await;
    assert!(said(&log, "closing the books") && !said(&log, "Cancelled"), "{log:?}");

    drop(preview);
    let preview = app.launch().await;
    let open = preview.call(reqwest::Method::GET, "/open");
    let open = tokio::spawn(async move { open.send().await.is_ok_and(|answer| answer.status() == 200) });
    app.line("opened").await;
    app.stop().await.expect(200);
    let log = app.log().await;
    assert!(said(&log, "closing the books") && said(&log, "Cancelled 1 request"), "{log:?}");
    assert!(!open.await.unwrap());
}

#[tokio::test]
async fn a_generation_that_is_deleted_takes_its_preview_along() {
    let server = Server::start().await;
    let app = server.user("ana").upload(&asgi("")).await;
    app.launch().await;
    let mut stream = app.stream("").await;
    assert_eq!(app.user.delete(&app.path("")).await.status, 204);
    assert_eq!(stream.rest().await.last().unwrap().json(), json!({ "reason": "deleted" }));
    app.status().await.error(404, "generation_not_found");
    assert_eq!(app.user.get("/api/generations").await.expect(200)["generations"], json!([]));
    assert_eq!(server.preview_processes(), Vec::<i32>::new());
}
