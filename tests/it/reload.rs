//! Changing files, and what a running preview makes of it.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use reqwest::Method;
use serde_json::{Value, json};

use crate::harness::{Answer, Generation, Guest, REQUIREMENTS, Server, asgi, fastapi, probe};

fn version(number: u32) -> Value {
    fastapi(&format!("@app.get('/version')\ndef version():\n    return {number}"))["app/main.py"].clone()
}

/// The probe with a route that tells its version.
fn probe_of(number: u32) -> Value {
    let mut files = probe();
    let source = files["app/main.py"].as_str().unwrap();
    files["app/main.py"] =
        format!("{source}\n\n@route('/version')\nasync def version(_):\n    return {number}\n").into();
    files
}

async fn patch(app: &Generation, files: Value) -> Value {
    app.user.patch(&app.path("/files"), &json!({ "files": files })).await.expect(200)
}

#[tokio::test]
async fn a_running_preview_moves_to_new_code() {
    let server = Server::start().await;
    let app = server.user("ana").upload(&fastapi("@app.get('/version')\ndef version():\n    return 1")).await;
    let preview = app.launch().await;
    assert_eq!(app.fetch(&preview, "/version").await["data"], 1);
    // Asked again and again while the code changes: somebody answers each time.
    let asking = tokio::spawn({
        let (app, preview) = (app.clone(), preview.clone());
        async move {
            let mut seen = Vec::new();
            while seen.last() != Some(&json!(3)) {
                let answer = app.fetch(&preview, "/version").await;
                assert_eq!(answer["statusCode"], 200, "{answer}");
                seen.push(answer["data"].clone());
                seen.dedup();
            }
            seen
        }
    });
    for number in [2, 3] {
        let patched = patch(&app, json!({ "app/main.py": version(number) })).await;
        assert_eq!((&patched["revision"], &patched["reloaded"]), (&json!(number), &json!(true)), "{patched}");
        assert_eq!(app.fetch(&preview, "/version").await["data"], number);
    }
    assert_eq!(asking.await.unwrap(), [1, 2, 3].map(Value::from));
    let status = app.status().await.expect(200);
    assert_eq!((&status["revision"], &status["previewInstanceId"]), (&json!(3), &json!(preview.id)));
    assert_eq!(status["expiresAt"], preview.body["expiresAt"]);
    // It finishes what it is answering, and then it is gone.
    let one = async || (server.preview_processes().len() == 1).then_some(());
    crate::harness::eventually("only the new code", one).await;
    let paths = app.get("/endpoints").await.expect(200);
    assert_eq!(paths["endpoints"][0]["path"], "/version");
    // It lives on after a restart, with the new code.
    server.kill_serve();
    server.serve_again().await;
    assert_eq!(app.fetch(&preview, "/version").await["data"], 3);
    assert_eq!(app.status().await.expect(200)["revision"], 3);
}

/// `PREVIEW_RELOADS=200` asks for more of them than there is time for each day.
#[tokio::test]
async fn no_request_fails_while_code_is_reloaded_again_and_again() {
    let reloads: u32 = std::env::var("PREVIEW_RELOADS").map_or(15, |text| text.parse().unwrap());
    let server = Server::start().await;
    let app = server.user("ana").upload(&probe_of(0)).await;
    let preview = app.launch().await;
    let stop = Arc::new(AtomicBool::new(false));
    let clients: Vec<_> = (0..6)
        .map(|client| {
            let (preview, stop) = (preview.clone(), Arc::clone(&stop));
            tokio::spawn(async move {
                let mut asked = 0;
                while !stop.load(Ordering::Relaxed) {
                    let answer = if client % 2 == 0 {
                        preview.get("/version").await
                    } else {
                        let call = preview.call(Method::POST, "/echo").json(&json!({ "n": asked }));
                        Answer::of(call.send().await.unwrap()).await
                    };
                    assert_eq!(answer.status, 200, "{}", answer.text());
                    asked += 1;
                }
                asked
            })
        })
        .collect();
    for number in 1..=reloads {
        let patched = patch(&app, json!({ "app/main.py": probe_of(number)["app/main.py"] })).await;
        assert_eq!(patched["reloaded"], true, "{patched}");
        assert_eq!(
            preview.get("/version").await.json(),
            number,
            "the answer to the edit comes when it serves"
        );
    }
    stop.store(true, Ordering::Relaxed);
    for client in clients {
        assert!(client.await.unwrap() > 0, "no request of it failed");
    }
    let one = async || (server.preview_processes().len() == 1).then_some(());
    crate::harness::eventually("only the new code", one).await;
}

#[tokio::test]
async fn code_that_does_not_start_changes_nothing() {
    let server = Server::with(&[("LAUNCH_TIMEOUT", "10")]).await;
    // It goes on talking while the new code fails.
    let talkative = "import threading, time\ndef talk():\n    while True:\n        time.sleep(0.01)\n        \
                     print('old code speaks')\nthreading.Thread(target=talk, daemon=True).start()\n";
    let app = server.user("ana").upload(&asgi(talkative)).await;
    let preview = app.launch().await;
    let old_serves = async || assert_eq!(preview.get("/x").await.text(), "you asked for /x");
    let broken = [
        ("import nothing_like_it", "import_failed"),
        ("print('new code speaks')\nimport os\nos._exit(3)", "exited"),
        ("import time\ntime.sleep(600)", "launch_timeout"),
    ];
    for (number, (source, reason)) in broken.into_iter().enumerate() {
        let patched = patch(&app, json!({ "app/main.py": asgi(source)["app/main.py"] })).await;
        assert_eq!(
            (&patched["revision"], &patched["reloaded"]),
            (&json!(number + 2), &json!(false)),
            "{patched}"
        );
        assert_eq!(patched["details"]["reason"], reason, "{patched}");
        let tail = patched["details"]["logTail"].as_array().unwrap();
        assert!(!tail.contains(&json!("old code speaks")), "{patched}");
        assert!(reason != "exited" || tail[..] == ["new code speaks"], "{patched}");
        old_serves().await;
        let status = app.status().await.expect(200);
        assert_eq!((&status["status"], &status["revision"]), (&json!("running"), &json!(1)));
        let one = async || (server.preview_processes().len() == 1).then_some(());
        crate::harness::eventually("only the old code", one).await;
    }
    let patched = patch(&app, json!({ "app/main.py": null })).await;
    assert_eq!((&patched["reloaded"], patched["details"].is_object()), (&json!(false), true), "{patched}");
    old_serves().await;
    let new = asgi("")["app/main.py"].as_str().unwrap().replace("you asked", "you ask the new code");
    let patched = patch(&app, json!({ "app/main.py": new })).await;
    assert_eq!(patched["reloaded"], true, "{patched}");
    assert_eq!(preview.get("/x").await.text(), "you ask the new code for /x");
}

#[tokio::test]
async fn changed_requirements_make_another_environment_first() {
    let server = Guest::arrive().await;
    let source = |import: &str| {
        let body = format!("import {import}\n@app.get('/version')\ndef version():\n    return '{import}'");
        fastapi(&body)["app/main.py"].clone()
    };
    let app = server.user().upload(&fastapi("@app.get('/version')\ndef version():\n    return 1")).await;
    let preview = app.launch().await;
    // Imported without being asked for, asked for in vain, and then asked for.
    let patched = patch(&app, json!({ "app/main.py": source("itsdangerous") })).await;
    assert_eq!(patched["details"]["reason"], "import_failed", "{patched}");
    let wrong = format!("{REQUIREMENTS}itsdangerous==0.0.0.1\n");
    let patched = patch(&app, json!({ "requirements.txt": wrong })).await;
    assert_eq!(patched["details"]["reason"], "dependency_install_failed", "{patched}");
    assert_eq!(app.fetch(&preview, "/version").await["data"], 1, "the old goes on serving");
    let patched = patch(&app, json!({ "requirements.txt": format!("{REQUIREMENTS}itsdangerous\n") })).await;
    assert_eq!(patched["reloaded"], true, "{patched}");
    assert_eq!(app.fetch(&preview, "/version").await["data"], "itsdangerous");
    // And back to the one before, which is still there.
    let patched =
        patch(&app, json!({ "app/main.py": source("json"), "requirements.txt": REQUIREMENTS })).await;
    assert_eq!(patched["reloaded"], true, "{patched}");
    assert_eq!(app.fetch(&preview, "/version").await["data"], "json");
}

/// Speaks until its end, and then says how much.
const SPEAKER: &str = r#"
import atexit, threading, time

over = threading.Event()

def speak():
    number = 0
    while not over.is_set():
        print(f"NAME line {number}")
        number += 1
        if number % 5 == 0:
            time.sleep(0.005)
    print(f"NAME said {number} lines")

speaker = threading.Thread(target=speak)
speaker.start()

@atexit.register
def end():
    over.set()
    speaker.join()
"#;

#[tokio::test]
async fn no_line_is_lost_or_repeated_when_code_that_speaks_is_reloaded() {
    let server = Guest::arrive().await;
    let source = |name: &str| asgi(&SPEAKER.replace("NAME", name));
    let app = server.user().upload(&source("one")).await;
    app.launch().await;
    let (mut stream, mut other) = (app.stream("").await, app.stream("").await);
    // Who does not read misses what is said meanwhile.
    let others = tokio::spawn(async move { other.rest().await });
    let patched = patch(&app, json!({ "app/main.py": source("two")["app/main.py"] })).await;
    assert_eq!(patched["reloaded"], true, "{patched}");
    let mut events = stream.until(|event| event.message().starts_with("one said ")).await;
    let number = |line: &str| line.strip_prefix("two line ").and_then(|number| number.parse::<u32>().ok());
    events.extend(stream.until(|event| number(&event.message()) > Some(20)).await);
    app.stop().await.expect(200);
    events.extend(stream.rest().await);
    let lines: Vec<_> = events.iter().filter(|event| event.is_line()).collect();
    for (position, event) in lines.iter().enumerate() {
        assert_eq!(event.id(), position as u64 + 1);
    }
    for name in ["one", "two"] {
        let said = lines.iter().map(|event| event.message()).filter(|text| text.starts_with(name));
        let said: Vec<_> = said.collect();
        let count = said.len() - 1;
        let expected = (0..count).map(|number| format!("{name} line {number}"));
        let expected: Vec<_> = expected.chain([format!("{name} said {count} lines")]).collect();
        assert!(said == expected, "each line of {name} once, and in order");
    }
    assert!(others.await.unwrap() == events, "everybody is told the same");
}

#[tokio::test]
async fn a_patch_is_applied_whole_or_not_at_all() {
    let server = Guest::arrive().await;
    let app = server.user().upload(&json!({ "a.txt": "one", "b.txt": "two" })).await;
    let path = app.path("/files");
    let wrong = [
        json!({ "files": { "a.txt": "new", "../c": "x" } }),
        json!({ "files": { "a.txt": "new", "/etc/passwd": "x" } }),
        json!({ "files": { "a.txt": "new", "c": { "base64": "?" } } }),
        json!({ "files": { "a.txt": "new", "c": 7 } }),
        json!({ "files": { "a.txt": "new", "a.txt/below": "x" } }),
        json!({ "files": [] }),
        json!({}),
    ];
    for body in wrong {
        app.user.patch(&path, &body).await.error(400, "invalid_request");
    }
    let repeated = app.user.call(reqwest::Method::PATCH, &path).header("content-type", "application/json");
    let repeated = repeated.body(r#"{"files": {"a.txt": "new", "a.txt": "newer"}}"#);
    app.user.send(repeated).await.error(400, "invalid_request");
    assert_eq!(app.get("/files/a.txt").await.text(), "one");
    assert_eq!(app.get("").await.expect(200)["revision"], 1);

    let patched = patch(&app, json!({ "a.txt": null, "b.txt": "2", "c/d.bin": { "base64": "AP8=" } })).await;
    assert_eq!(patched, json!({ "revision": 2, "reloaded": false }));
    app.get("/files/a.txt").await.error(404, "not_found");
    assert_eq!(app.get("/files/b.txt").await.text(), "2");
    assert_eq!(app.get("/files/c/d.bin").await.bytes.as_ref(), [0, 255]);
    let body = app.get("").await.expect(200);
    assert_eq!(
        (&body["revision"], &body["fileCount"], &body["totalBytes"]),
        (&json!(2), &json!(2), &json!(3))
    );
}
