//! Launches that fail, and what they say.

use serde_json::{Value, json};

use crate::harness::{Generation, Guest, NO_MORE_THAN_A_SERVER, Server, asgi, eventually, fastapi};

/// A failed launch frees everything that it held, and the failure is the preview's status until it is cleared.
async fn check_freed(server: &Server, app: &Generation, reason: &str) {
    let freed = async || {
        let left = (server.preview_processes(), server.ports().held(), server.preview_files());
        (left.0.is_empty() && left.1.is_empty() && left.2.is_empty()).then_some(())
    };
    eventually("nothing left of a failed launch", freed).await;
    let status = app.status().await.expect(200);
    assert_eq!(
        (&status["status"], &status["failure"]["reason"]),
        (&json!("failed"), &json!(reason)),
        "{status}"
    );
    assert!(status["errorMessage"].as_str().is_some_and(|message| !message.is_empty()), "{status}");
    app.stop().await.expect(200);
    let gone = app.status().await.error(404, "no_active_preview");
    assert_eq!(gone["details"]["lastPreview"]["previewInstanceId"], status["previewInstanceId"]);
    app.stop().await.error(404, "no_active_preview");
}

fn tail(error: &Value) -> String {
    let lines = error["details"]["logTail"].as_array().unwrap_or_else(|| panic!("a list: {error}"));
    lines.iter().map(|line| line.as_str().unwrap()).collect::<Vec<_>>().join("\n")
}

#[tokio::test]
async fn missing_files_are_named() {
    let server = Guest::arrive().await;
    let user = server.user();
    let cases = [
        (json!({ "README.md": "" }), json!(["app/main.py", "requirements.txt"])),
        (json!({ "app/main.py": "app = 1" }), json!(["requirements.txt"])),
        (json!({ "requirements.txt": "fastapi" }), json!(["app/main.py"])),
    ];
    for (files, missing) in cases {
        let app = user.upload(&files).await;
        let error = app.try_launch(&json!({})).await.error(400, "launch_failed");
        let expected = json!({ "reason": "invalid_generation", "missingFiles": missing });
        assert_eq!(error["details"], expected, "{files}");
        app.status().await.error(404, "no_active_preview");
    }
}

#[tokio::test]
async fn an_application_that_cannot_be_imported_says_why() {
    let server = Server::start().await;
    let app = server.user("ana").upload(&asgi("print('before')\nimport dotenv")).await;
    let error = app.try_launch(&json!({})).await.error(500, "launch_failed");
    let details = &error["details"];
    assert_eq!((&details["reason"], &details["exitCode"]), (&json!("import_failed"), &json!(1)), "{error}");
    assert!(error["message"].as_str().unwrap().contains("No module named 'dotenv'"), "{error}");
    assert!(details["hint"].as_str().unwrap().contains("python-dotenv"), "{error}");
    let tail = tail(&error);
    assert!(tail.contains("before") && tail.contains("ModuleNotFoundError"), "{tail}");
    check_freed(&server, &app, "import_failed").await;

    let app = server
        .user("ana")
        .upload(&json!({ "app/main.py": "def app(:", "requirements.txt": NO_MORE_THAN_A_SERVER }))
        .await;
    let error = app.try_launch(&json!({})).await.error(500, "launch_failed");
    assert_eq!(error["details"]["reason"], "import_failed", "{error}");
    check_freed(&server, &app, "import_failed").await;
}

#[tokio::test]
async fn an_application_that_exits_or_is_killed_says_how() {
    let server = Server::start().await;
    let user = server.user("ana");
    let app = user.upload(&asgi("import os\nprint('last words', flush=True)\nos._exit(3)")).await;
    let error = app.try_launch(&json!({})).await.error(500, "launch_failed");
    let details = &error["details"];
    assert_eq!((&details["reason"], &details["exitCode"]), (&json!("exited"), &json!(3)), "{error}");
    assert!(details.get("signal").is_none() && tail(&error).contains("last words"), "{error}");
    check_freed(&server, &app, "exited").await;

    let app = user.upload(&asgi("import os, signal\nos.kill(os.getpid(), signal.SIGKILL)")).await;
    let error = app.try_launch(&json!({})).await.error(500, "launch_failed");
    let details = &error["details"];
    assert_eq!((&details["reason"], &details["signal"]), (&json!("exited"), &json!("SIGKILL")), "{error}");
    assert!(details.get("exitCode").is_none(), "{error}");
    check_freed(&server, &app, "exited").await;

    // In the application's own startup, after the import.
    let source = "@app.on_event('startup')\ndef fail():\n    raise RuntimeError('no database here')";
    let app = user.upload(&fastapi(source)).await;
    let error = app.try_launch(&json!({})).await.error(500, "launch_failed");
    assert_eq!((&error["details"]["reason"], &error["details"]["exitCode"]), (&json!("exited"), &json!(3)));
    assert!(tail(&error).contains("no database here"), "{error}");
    check_freed(&server, &app, "exited").await;
}

#[tokio::test]
async fn requirements_that_cannot_be_had_say_so() {
    let server = Server::start().await;
    let user = server.user("ana");
    for (requirements, word) in [("fastapi>=999\n", "fastapi"), ("fastapi\n-r /etc/hostname\n", "line 2")] {
        let app = user.upload(&json!({ "app/main.py": "app = 1", "requirements.txt": requirements })).await;
        let error = app.try_launch(&json!({})).await.error(500, "launch_failed");
        assert_eq!(error["details"]["reason"], "dependency_install_failed", "{error}");
        let told = format!("{} {}", error["message"], error["details"]);
        assert!(told.contains(word), "{told}");
        let host = std::fs::read_to_string("/etc/hostname").unwrap_or_default();
        assert!(host.trim().is_empty() || !told.contains(host.trim()), "{told}");
        check_freed(&server, &app, "dependency_install_failed").await;
    }
}

#[tokio::test]
async fn an_application_that_never_answers_is_given_up() {
    let server = Server::with(&[("LAUNCH_TIMEOUT", "2")]).await;
    let user = server.user("ana");
    let app =
        user.upload(&asgi("import time\nprint('waiting for a database', flush=True)\ntime.sleep(600)")).await;
    let began = std::time::Instant::now();
    let error = app.try_launch(&json!({})).await.error(504, "launch_timeout");
    assert!(began.elapsed().as_secs_f64() < 20.0, "{:?}", began.elapsed());
    assert!(tail(&error).contains("waiting for a database"), "{error}");
    check_freed(&server, &app, "launch_timeout").await;

    // It takes the connection and says nothing.
    let mut hangs = asgi("import asyncio");
    let source = hangs["app/main.py"].as_str().unwrap();
    hangs["app/main.py"] = source.replace("    path = ", "    await asyncio.sleep(600)\n    path = ").into();
    let app = user.upload(&hangs).await;
    app.try_launch(&json!({})).await.error(504, "launch_timeout");
    check_freed(&server, &app, "launch_timeout").await;
}

#[tokio::test]
async fn a_launch_can_be_stopped_while_somebody_waits_for_it() {
    let server = Server::start().await;
    let app = server
        .user("ana")
        .upload(&asgi("import time\nprint('importing', flush=True)\ntime.sleep(600)"))
        .await;
    let waiting = app.clone();
    let launch = tokio::spawn(async move { waiting.try_launch(&json!({})).await });
    app.until_status("launching").await;
    app.line("importing").await;
    let began = std::time::Instant::now();
    assert_eq!(app.stop().await.expect(200)["status"], "stopped");
    assert!(began.elapsed().as_secs_f64() < 5.0, "no grace for what never served: {:?}", began.elapsed());
    launch.await.unwrap().error(409, "launch_cancelled");
    assert_eq!(server.preview_processes(), Vec::<i32>::new());
    app.status().await.error(404, "no_active_preview");
}

#[tokio::test]
async fn a_failed_launch_can_be_launched_again() {
    let server = Guest::arrive().await;
    let app = server.user().upload(&asgi("raise ValueError('not yet')")).await;
    app.try_launch(&json!({})).await.error(500, "launch_failed");
    assert_eq!(app.status().await.expect(200)["status"], "failed");
    let files = json!({ "files": { "app/main.py": asgi("")["app/main.py"] } });
    let patched = app.user.patch(&app.path("/files"), &files).await.expect(200);
    assert_eq!((&patched["revision"], &patched["reloaded"]), (&json!(2), &json!(false)));
    app.launch().await;
    let status = app.status().await.expect(200);
    assert_eq!(
        (&status["status"], &status["failure"], &status["revision"]),
        (&json!("running"), &Value::Null, &json!(2))
    );
}
