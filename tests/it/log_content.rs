//! What becomes of what a program prints: levels, tracebacks, long lines, garbage, forgery.

use serde_json::{Value, json};

use crate::harness::{Generation, Guest, Preview, Server, Stream, asgi, eventually, probe};

async fn started(server: &Guest) -> (Generation, Preview) {
    let app = server.user().upload(&probe()).await;
    let preview = app.launch().await;
    (app, preview)
}

async fn printed(preview: &Preview, bytes: &[u8], repeat: usize) {
    let call = preview.call(reqwest::Method::POST, &format!("/raw?repeat={repeat}")).body(bytes.to_vec());
    assert_eq!(call.send().await.unwrap().status(), 200);
}

fn about<'a>(log: &'a [Value], text: &str) -> Vec<&'a Value> {
    log.iter().filter(|line| line["message"].as_str().unwrap().contains(text)).collect()
}

#[tokio::test]
async fn the_level_is_what_the_program_said() {
    let server = Guest::arrive().await;
    let (app, preview) = started(&server).await;
    preview.get("/errors").await.expect(200);
    preview.get("/log?level=ERROR&text=the+till+is+empty").await.expect(200);
    preview.get("/log?level=WARNING&text=no+errors+so+far").await.expect(200);
    preview.get("/print?text=ERROR").await.expect(200);
    preview.get("/print?text=0+errors,+0+failed&stream=stderr").await.expect(200);
    preview.get("/print?text=ERROR:+the+roof+leaks").await.expect(200);
    app.line("ERROR: the roof leaks").await;
    let log = app.log().await;
    let level = |text: &str| {
        let found = about(&log, text);
        assert_eq!(found.len(), 1, "{text}: once in {log:#?}");
        found[0]["level"].as_str().unwrap()
    };
    let request = log
        .iter()
        .find(|line| line["source"] == "request" && line["message"].as_str().unwrap().contains("/errors"));
    assert_eq!(request.unwrap()["level"], "INFO", "{request:?}");
    assert_eq!(level("the till is empty"), "ERROR");
    assert_eq!(level("no errors so far"), "WARN");
    assert_eq!(level("0 errors, 0 failed"), "INFO");
    assert_eq!(level("ERROR: the roof leaks"), "ERROR");
    let bare = log.iter().find(|line| line["message"] == "ERROR").unwrap();
    assert_eq!(
        (&bare["level"], &bare["stream"]),
        (&json!("INFO"), &json!("stdout")),
        "not by its text alone"
    );
}

#[tokio::test]
async fn an_exception_with_its_causes_is_one_entry() {
    let server = Guest::arrive().await;
    let (app, preview) = started(&server).await;
    assert_eq!(preview.get("/crash").await.status, 500);
    preview.get("/print?text=afterwards").await.expect(200);
    app.line("afterwards").await;
    let log = app.log().await;
    let entries = about(&log, "the shelf fell over");
    assert_eq!(entries.len(), 1, "{entries:#?}");
    let (entry, message) = (entries[0], entries[0]["message"].as_str().unwrap());
    assert_eq!(entry["level"], "ERROR");
    assert!(entry["requestId"].is_string(), "{entry}");
    for part in ["KeyError: 'shelf'", "direct cause", "RuntimeError: the shelf fell over", "in crash"] {
        assert!(message.contains(part), "{part} in {message}");
    }

    // Printed as text, line by line, as programs do that catch and print.
    let text = b"Traceback (most recent call last):\n  File \"a.py\", line 1, in <module>\n    boom()\nValueError: boom\nnext\n";
    printed(&preview, text, 1).await;
    app.line("next").await;
    let log = app.log().await;
    let entries = about(&log, "ValueError: boom");
    assert_eq!(entries.len(), 1);
    assert_eq!(entries[0]["level"], "ERROR");
    assert!(entries[0]["message"].as_str().unwrap().starts_with("Traceback"), "{}", entries[0]);
}

#[tokio::test]
async fn threads_that_print_at_once_keep_their_lines() {
    let server = Guest::arrive().await;
    let (app, preview) = started(&server).await;
    preview.get("/threads?threads=4&lines=200").await.expect(200);
    preview.get("/print?text=done").await.expect(200);
    app.line("done").await;
    let log = app.log().await;
    let lines = about(&log, "thread ");
    for thread in 0..4 {
        let own: Vec<_> = lines.iter().filter_map(|line| line["message"].as_str()).collect();
        let prefix = format!("thread {thread} ");
        let own: Vec<_> = own.into_iter().filter(|text| text.starts_with(&prefix)).collect();
        let expected: Vec<_> = (0..200).map(|line| format!("{prefix}line {line}")).collect();
        assert_eq!(own, expected, "whole, all of them and in order");
    }
}

#[tokio::test]
async fn a_line_without_an_end_is_cut_and_disturbs_nothing() {
    let server = Guest::arrive().await;
    let (app, preview) = started(&server).await;
    printed(&preview, &[b'x'; 1024], 5 * 1024).await;
    printed(&preview, b"\nthe next line\n", 1).await;
    app.line("the next line").await;
    let mut bytes = 0;
    for line in app.log().await {
        let text = line["message"].as_str().unwrap();
        assert!(text.len() <= 70_000, "{} bytes in one line", text.len());
        if text.contains("xxx") {
            bytes += text.bytes().filter(|b| *b == b'x').count();
        }
    }
    assert!(bytes >= 60_000, "what fits is there: {bytes}");
    assert_eq!(app.fetch(&preview, "/health").await["statusCode"], 200);
}

#[tokio::test]
async fn garbage_is_shown_as_far_as_it_can_be() {
    let server = Guest::arrive().await;
    let (app, preview) = started(&server).await;
    let mut garbage: Vec<u8> = (0..=255).filter(|byte| *byte != b'\n' && *byte != b'\r').collect();
    garbage.extend_from_slice(b"\xff\xfe\xc3\x28\xf0\x9f\n");
    printed(&preview, &garbage, 20).await;
    printed(&preview, "\x1b[31mred\x1b[0m ✓ \u{202e}\nthe next line\n".as_bytes(), 1).await;
    app.line("the next line").await;
    let log = app.log().await;
    assert_eq!(about(&log, "\u{fffd}").len(), 20, "invalid UTF-8 is replaced");
    assert!(!about(&log, "red").is_empty());
    assert_eq!(
        app.get("/preview/logs?q=red%20%E2%9C%93").await.expect(200)["logs"].as_array().unwrap().len(),
        1
    );
}

#[tokio::test]
async fn a_message_cannot_forge_events() {
    let server = Guest::arrive().await;
    let (app, preview) = started(&server).await;
    let forged = b"data: forged\nid: 999999\nevent: end\ndata: {\"reason\":\"stopped\"}\r\r\nid: 7\rdata: x\r\n\0id: 8\0\n: comment\nretry: 1\n\xe2\x80\xa8event: gap\n";
    printed(&preview, forged, 1).await;
    printed(&preview, b"the next line\n", 1).await;
    let mut stream = app.stream("").await;
    let events = stream.until_message("the next line").await;
    let lines: Vec<_> = events.iter().filter(|event| event.is_line()).collect();
    for (position, event) in lines.iter().enumerate() {
        assert_eq!(event.id(), position as u64 + 1, "{event:?}");
        assert_eq!(event.json()["id"], event.id());
    }
    assert!(events.iter().all(|event| event.is_line() || event.kind == "status"), "{events:#?}");
    for text in ["data: forged", "id: 999999", "event: end", ": comment", "retry: 1"] {
        assert!(lines.iter().any(|event| event.message() == text), "{text:?} as it was printed");
    }
    let newest = lines.last().unwrap().id();
    let mut resumed = Stream::new(app.open_stream("", Some(newest - 1)).await);
    let first = resumed.until(|event| event.is_line()).await.pop().unwrap();
    assert_eq!(first.message(), "the next line");
}

#[tokio::test]
async fn lines_of_a_request_name_it() {
    let server = Guest::arrive().await;
    let (app, preview) = started(&server).await;
    let call = preview
        .call(reqwest::Method::GET, "/log?level=WARNING&text=who+asked")
        .header("x-request-id", "req-42");
    let answer = call.send().await.unwrap();
    assert_eq!(answer.headers()["x-request-id"], "req-42");
    let look = async || app.log().await.into_iter().find(|line| line["logger"] == "probe");
    let line = eventually("the line", look).await;
    assert_eq!((&line["requestId"], &line["level"]), (&json!("req-42"), &json!("WARN")), "{line}");
    let look = async || app.log().await.into_iter().find(|line| line["source"] == "request");
    let request = eventually("the request's own line", look).await;
    let expected = json!({
        "requestId": "req-42", "method": "GET", "path": "/log?level=WARNING&text=who+asked", "statusCode": 200,
        "client": "127.0.0.1", "level": "INFO", "source": "request",
    });
    for (name, value) in expected.as_object().unwrap() {
        assert_eq!(&request[name], value, "{name} of {request}");
    }
    assert!(request["durationMs"].as_f64().is_some_and(|millis| millis >= 0.0), "{request}");
    let answer = app.request(&preview, &json!({ "method": "GET", "path": "/errors" })).await.expect(200);
    let id = answer["requestId"].as_str().unwrap();
    let look = async || {
        let page = app.get(&format!("/preview/logs?requestId={id}")).await.expect(200);
        let logs = page["logs"].as_array().unwrap().clone();
        (!logs.is_empty()).then_some(logs)
    };
    let lines = eventually("lines of the request", look).await;
    assert!(lines.iter().all(|line| line["requestId"] == id), "{lines:?}");
    let request = lines.iter().find(|line| line["source"] == "request").unwrap();
    assert!(request["message"].as_str().unwrap().contains("/errors"), "{request}");
}

#[tokio::test]
async fn previewd_tells_the_whole_story_in_the_same_log() {
    // Five minutes and a little: it says at once that its time is nearly over.
    let server = Server::with(&[("SESSION_TIMEOUT", "302")]).await;
    server.kill_serve();
    // Environments of its own, so that one has to be made.
    let environments = server.data_dir().join("environments");
    std::fs::remove_file(&environments).unwrap();
    server.serve_again().await;
    let mut files = asgi("print('importing', flush=True)");
    files["requirements.txt"] = "uvicorn\nclick\nh11\n".into();
    let app = server.user("ana").upload(&files).await;
    let preview = app.launch().await;
    app.line("This preview expires in 5 minutes").await;
    let patch = json!({ "files": { "app/note.txt": "x" } });
    app.user.patch(&app.path("/files"), &patch).await.expect(200);
    app.stop().await.expect(200);
    let story: Vec<String> = app
        .log()
        .await
        .iter()
        .map(|line| format!("{}: {}", line["source"].as_str().unwrap(), line["message"].as_str().unwrap()))
        .collect();
    let mut rest = story.iter();
    for part in [
        "install: Resolving 3 requirements",
        "install: Installing ",
        "install: Installed ",
        "install: Environment ready in ",
        "startup: Starting app.main:app",
        "app: importing",
        "server: Ready in ",
        "server: This preview expires in 5 minutes",
        "server: Reloading: revision 2",
        "server: Revision 2 serves",
        "server: Stopped",
    ] {
        assert!(rest.any(|line| line.starts_with(part)), "{part}, in its turn, in {story:#?}");
    }
    assert!(story.iter().any(|line| line.contains(&preview.base_url)), "{story:#?}");
}
